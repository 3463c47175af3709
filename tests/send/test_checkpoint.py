from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_cwevents._send.checkpoint import ENTRIES_PER_CHUNK, KEY, Checkpoint
from tests.dict_store import DictStore


@pytest.fixture
def store() -> DictStore:
    return DictStore()


@pytest.fixture(params=[True, False], ids=["ids kept", "ids not kept"])
def keep_ids(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def checkpoint(
    store: DictStore | None, fingerprint: str = "f", *, keep_ids: bool = True, max_tries: int | None = None
) -> Checkpoint:
    return Checkpoint(store, fingerprint, keep_ids=keep_ids, max_tries=max_tries, clock=lambda: 0)


def test_new_input_has_nothing_sent(store: DictStore, keep_ids: bool) -> None:
    given_checkpoint = checkpoint(store, keep_ids=keep_ids)
    assert given_checkpoint.sent == 0
    assert not given_checkpoint.is_sent(0)


def test_retry_skips_sent_entries_only(store: DictStore, keep_ids: bool) -> None:
    first = checkpoint(store, keep_ids=keep_ids)
    for index in range(2500):
        first.record(index, None if index in (7, 1999, 2400) else f"id-{index}")
    first.save()

    second = checkpoint(store, keep_ids=keep_ids)
    assert second.sent == 2497
    assert [index for index in range(2600) if not second.is_sent(index)] == [7, 1999, 2400, *range(2500, 2600)]


def test_ids_are_complete_and_in_order_after_a_retry(store: DictStore) -> None:
    first = checkpoint(store)
    for index in range(1500):
        first.record(index, None if index == 1200 else f"id-{index}")
    first.save()
    second = checkpoint(store)
    second.record(1200, "id-1200")
    for index in range(1500, 1600):
        second.record(index, f"id-{index}")
    assert second.event_ids(1600) == [f"id-{index}" for index in range(1600)]


def test_entry_sent_by_a_retry_is_not_sent_again(store: DictStore, keep_ids: bool) -> None:
    first = checkpoint(store, keep_ids=keep_ids)
    for index in range(3):
        first.record(index, None if index == 1 else "id")
    first.save()
    second = checkpoint(store, keep_ids=keep_ids)
    second.record(1, "id-1")
    second.save()
    assert all(checkpoint(store, keep_ids=keep_ids).is_sent(index) for index in range(3))


def test_skipped_entries_count_as_unsent(store: DictStore, keep_ids: bool) -> None:
    first = checkpoint(store, keep_ids=keep_ids)
    first.record(0, "a")
    first.record(5, "b")
    first.save()
    second = checkpoint(store, keep_ids=keep_ids)
    assert [second.is_sent(index) for index in range(7)] == [True, False, False, False, False, True, False]
    assert second.sent == 2


def test_changed_input_discards_the_checkpoint(store: DictStore, keep_ids: bool) -> None:
    first = checkpoint(store, "old", keep_ids=keep_ids)
    for index in range(3000):
        first.record(index, "id" if index % 2 else None)
    first.save()
    other = checkpoint(store, "new", keep_ids=keep_ids)
    assert other.sent == 0
    assert not other.is_sent(1)
    assert store.texts == {}


def test_finished_checkpoint_survives_a_retry(store: DictStore, keep_ids: bool) -> None:
    """Airflow may fail a task that has done its work, as when the result cannot be handed over."""
    first = checkpoint(store, keep_ids=keep_ids, max_tries=2)
    for index in range(1500):
        first.record(index, f"id-{index}")
    first.finish()
    second = checkpoint(store, keep_ids=keep_ids, max_tries=2)
    assert second.sent == 1500
    if keep_ids:
        assert second.event_ids(1500) == [f"id-{index}" for index in range(1500)]


def test_cleared_task_starts_over_if_it_had_finished(store: DictStore, keep_ids: bool) -> None:
    store.set("another", "key")
    first = checkpoint(store, keep_ids=keep_ids, max_tries=2)
    for index in range(1500):
        first.record(index, None if index % 2 else "id")
    first.finish()
    assert checkpoint(store, keep_ids=keep_ids, max_tries=3).sent == 0
    assert store.texts.keys() == {"another"}


def test_cleared_task_resumes_if_it_had_not_finished(store: DictStore, keep_ids: bool) -> None:
    first = checkpoint(store, keep_ids=keep_ids, max_tries=2)
    first.record(0, "id")
    first.save()
    assert checkpoint(store, keep_ids=keep_ids, max_tries=3).sent == 1


def test_entries_may_be_recorded_in_any_order(store: DictStore, keep_ids: bool) -> None:
    first = checkpoint(store, keep_ids=keep_ids)
    for index in (2500, 3, 1200, 0):
        first.record(index, f"id-{index}")
    first.save()
    second = checkpoint(store, keep_ids=keep_ids)
    assert [index for index in range(3000) if second.is_sent(index)] == [0, 3, 1200, 2500]


def test_missing_chunk_counts_as_unsent(store: DictStore, keep_ids: bool) -> None:
    first = checkpoint(store, keep_ids=keep_ids)
    for index in range(2500):
        first.record(index, None if index == 1700 else f"id-{index}")
    first.save()
    store.delete(f"{KEY}.1")
    second = checkpoint(store, keep_ids=keep_ids)
    assert [index for index in range(2500) if not second.is_sent(index)] == list(range(1000, 2000))
    if keep_ids:
        assert second.event_ids(2500)[2000:] == [f"id-{index}" for index in range(2000, 2500)]


def test_failed_deletion_logs_a_warning(
    store: DictStore, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = checkpoint(store, "old")
    first.record(0, "a")
    first.save()

    def fail(key: str) -> None:
        raise ConnectionError("the API server is gone")

    monkeypatch.setattr(store, "delete", fail)
    assert checkpoint(store, "new").sent == 0
    assert "Could not delete the progress" in caplog.text


def test_checkpoint_is_saved_every_thousand_entries(store: DictStore, keep_ids: bool) -> None:
    first = checkpoint(store, keep_ids=keep_ids)
    for index in range(ENTRIES_PER_CHUNK - 1):
        first.record(index, "id")
    assert store.writes == 0
    first.record(ENTRIES_PER_CHUNK - 1, "id")
    assert checkpoint(store, keep_ids=keep_ids).sent == ENTRIES_PER_CHUNK


def test_checkpoint_is_saved_every_few_seconds(store: DictStore) -> None:
    now = 0.0
    first = Checkpoint(store, "f", keep_ids=True, clock=lambda: now)
    first.record(0, "a")
    now = 4.9
    first.tick()
    assert store.writes == 0
    now = 5.0
    first.tick()
    assert checkpoint(store).sent == 1


def test_values_are_smaller_than_airflows_limit(store: DictStore, keep_ids: bool) -> None:
    first = checkpoint(store, keep_ids=keep_ids)
    for index in range(10_000):
        first.record(index, "637ffe56-64ad-494b-a3b9-e12428fff461" if index % 3 else None)
    first.save()
    assert max(map(len, store.texts.values())) < 65_535


def test_long_input_without_failures_needs_one_small_value(store: DictStore) -> None:
    first = checkpoint(store, keep_ids=False)
    for index in range(100_000):
        first.record(index, "id")
    first.save()
    assert store.texts.keys() == {KEY}
    assert len(store.texts[KEY]) < 200


def test_each_save_writes_only_what_changed(store: DictStore) -> None:
    first = checkpoint(store)
    for index in range(20_000):
        first.record(index, "id")
    assert store.writes <= 2 * 20 + 2


def test_failed_save_logs_a_warning_and_is_repeated(store: DictStore, caplog: pytest.LogCaptureFixture) -> None:
    def fail(key: str, value: Any) -> None:
        raise ConnectionError("the API server is gone")

    first = checkpoint(store)
    first.record(0, "a")
    working = store.set
    store.set = fail  # type: ignore[method-assign]
    first.save()
    assert "Could not save progress" in caplog.text
    store.set = working  # type: ignore[method-assign]
    first.save()
    assert checkpoint(store).sent == 1


def test_ids_are_kept_without_a_store() -> None:
    first = checkpoint(None)
    first.record(0, "a")
    first.record(2, "c")
    first.save()
    assert first.event_ids(4) == ["a", None, "c", None]
    assert first.sent == 2
    first.finish()


@given(st.lists(st.lists(st.booleans(), max_size=2_200), min_size=1, max_size=4), st.booleans())
def test_attempts_add_up(tries: list[list[bool]], keep_ids: bool) -> None:
    """Each try goes over what is unsent, in order, and ends somewhere: the next knows just what was sent."""
    total, store, sent = 2_500, DictStore(), set[int]()
    for outcomes in tries:
        given_checkpoint = checkpoint(store, keep_ids=keep_ids)
        assert {index for index in range(total) if given_checkpoint.is_sent(index)} == sent
        unsent = [index for index in range(total) if not given_checkpoint.is_sent(index)]
        for index, is_sent in zip(unsent, outcomes, strict=False):
            given_checkpoint.record(index, f"id-{index}" if is_sent else None)
            sent |= {index} if is_sent else set()
        given_checkpoint.save()
        assert given_checkpoint.sent == len(sent)


def test_memory_does_not_grow_with_what_was_sent() -> None:
    checkpoint = Checkpoint(None, "input", keep_ids=False)
    tracemalloc.start()
    try:
        for start in range(0, 100_000, 500):
            for index in reversed(range(start, start + 500)):  # as answers come: not in order
                checkpoint.record(index, "id")
        assert checkpoint.sent == 100_000
        assert tracemalloc.get_traced_memory()[0] < 20_000
    finally:
        tracemalloc.stop()
