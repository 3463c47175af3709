"""The sender by itself: order, laziness, bounds, and being stopped."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_cwevents._send import sender as sender_module
from airflow_cwevents._send.entries import EntryResult, SizedEntry
from airflow_cwevents._send.options import SendOptions
from airflow_cwevents._send.sender import MAX_BAD_IN_A_ROW, SUBMIT_SECONDS, EventSender
from airflow_cwevents._send.source import MAX_HELD_BYTES, MAX_UNSETTLED_ENTRIES
from airflow_cwevents._send.workers import PutEvents, ThreadTransport
from airflow_cwevents.exceptions import InvalidInputError, PutEventsStoppedError

Put = Callable[[list[Mapping[str, Any]]], Mapping[str, Any]]


def no_wait(failures: int) -> float:
    return 0.0


def ok(entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {"Entries": [{"EventId": f"id-{entry['n']}"} for entry in entries]}


def items(count: int, size: int = 10) -> Iterator[SizedEntry]:
    return (SizedEntry(n, {"n": n}, size) for n in range(count))


def sender(put: PutEvents, entries: Any, **options: Any) -> EventSender:
    return EventSender(ThreadTransport(put), entries, SendOptions(**options), no_wait)


def test_results_are_in_input_order_whatever_the_order_of_responses() -> None:
    last_done = threading.Event()

    def put(entries: list[Mapping[str, Any]]) -> dict[str, Any]:
        if entries[0]["n"] == 0:
            assert last_done.wait(5)
        elif entries[0]["n"] == 30:
            last_done.set()
        return ok(entries)

    results = list(sender(put, items(40)))
    assert [(result.index, result.event_id) for result in results] == [(n, f"id-{n}") for n in range(40)]


def test_first_result_is_yielded_before_the_source_ends() -> None:
    read = []
    source = (read.append(item.index) or item for item in items(1_000_000))  # type: ignore[func-returns-value]
    results = iter(sender(ok, source))
    assert next(results).index == 0
    assert len(read) < 2_000


def test_waiting_results_limit_reading_ahead() -> None:
    """The first entry is throttled for as long as others are taken: results pile up behind it."""
    read = 0

    def source() -> Iterator[SizedEntry]:
        nonlocal read
        for item in items(5 * MAX_UNSETTLED_ENTRIES):
            read += 1
            yield item

    first_refused = 0
    most_read = 0

    def put(entries: list[Mapping[str, Any]]) -> dict[str, Any]:
        nonlocal first_refused, most_read
        answers = ok(entries)["Entries"]
        numbers = [entry["n"] for entry in entries]
        if 0 in numbers and read < MAX_UNSETTLED_ENTRIES:
            first_refused += 1
            answers[numbers.index(0)] = {"ErrorCode": "InternalFailure"}
        elif 0 in numbers:
            most_read = read
        return {"Entries": answers}

    sending = sender(put, source(), max_attempts=1_000_000, max_concurrency=1)
    assert next(sending).index == 0
    assert first_refused > 0
    assert MAX_UNSETTLED_ENTRIES <= most_read <= MAX_UNSETTLED_ENTRIES + 1
    assert sum(1 for _ in sending) == 5 * MAX_UNSETTLED_ENTRIES - 1


def test_invalid_entries_keep_their_place() -> None:
    source = [*items(2), EntryResult(2, None, "InvalidEntry", "bad"), SizedEntry(3, {"n": 3}, 10)]
    results = list(sender(ok, source))
    assert [result.event_id for result in results] == ["id-0", "id-1", None, "id-3"]
    assert results[2].error_code == "InvalidEntry"


def test_indexes_need_not_be_consecutive() -> None:
    source = [SizedEntry(n, {"n": n}, 10) for n in (5, 9, 1000)]
    assert [(result.index, result.event_id) for result in sender(ok, source)] == [
        (5, "id-5"),
        (9, "id-9"),
        (1000, "id-1000"),
    ]


def test_requests_are_limited_to_ten_entries_and_max_bytes() -> None:
    requests: list[int] = []

    def put(entries: list[Mapping[str, Any]]) -> dict[str, Any]:
        requests.append(len(entries))
        return ok(entries)

    sending = sender(put, items(25, size=30), max_bytes=100, max_concurrency=1)
    assert sum(1 for _ in sending) == 25
    assert requests == [3] * 8 + [1]
    assert (sending.requests, sending.bytes) == (9, 750)


@pytest.mark.parametrize("count", [1, 9, 10, 11, 25])
def test_rate_limit_loses_no_entry(count: int) -> None:
    """At the end an entry is left over that was read ahead, just when the rate lets nothing out."""
    results = list(sender(ok, items(count), max_events_per_second=1_000))
    assert [result.event_id for result in results] == [f"id-{n}" for n in range(count)]


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_every_entry_ends_as_sent_or_failed(data: st.DataObject) -> None:
    """Whatever is answered, in whatever order: each entry has one result, and that is true."""
    sizes = data.draw(st.lists(st.integers(1, 100), max_size=80))
    delivered: Counter[int] = Counter()
    faults = data.draw(st.lists(st.sampled_from(["", "", "InternalFailure", "MalformedDetail"]), max_size=150))
    lock = threading.Lock()

    def put(entries: list[Mapping[str, Any]]) -> dict[str, Any]:
        assert len(entries) <= 10
        answers = []
        with lock:
            for entry in entries:
                if code := faults.pop() if faults else "":
                    answers.append({"ErrorCode": code})
                else:
                    delivered[entry["n"]] += 1
                    answers.append({"EventId": f"id-{entry['n']}"})
        return {"Entries": answers}

    options = {"max_bytes": 100, "max_attempts": 3, "max_concurrency": data.draw(st.integers(1, 4))}
    results = list(sender(put, [SizedEntry(n, {"n": n}, size) for n, size in enumerate(sizes)], **options))
    assert [result.index for result in results] == list(range(len(sizes)))
    assert {result.index for result in results if result.event_id} == set(delivered)
    assert all(count == 1 for count in delivered.values())


def test_source_error_is_raised_after_all_results() -> None:
    def source() -> Iterator[SizedEntry]:
        yield from items(25)
        raise LookupError("the database is gone")

    results: list[EntryResult] = []
    with pytest.raises(LookupError, match="the database is gone"):
        results.extend(sender(ok, source()))
    # pytest.raises ends extend() halfway, but not before it has taken what was given
    assert [result.event_id for result in results] == [f"id-{n}" for n in range(25)]


def test_timeout_in_the_source_does_not_wait_for_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow raises its task timeout wherever the task is at that time."""
    monkeypatch.setattr(sender_module, "STOP_GRACE_SECONDS", 60.0)  # a slow machine may need more than 3 s

    class TaskTimeout(BaseException):
        pass

    def put(entries: list[Mapping[str, Any]]) -> dict[str, Any]:
        return {
            "Entries": [
                {"ErrorCode": "InternalFailure"} if entry["n"] == 3 else ok([entry])["Entries"][0] for entry in entries
            ]
        }

    def source() -> Iterator[SizedEntry]:
        yield from items(25)
        raise TaskTimeout

    results: list[EntryResult] = []
    sending = EventSender(ThreadTransport(put), source(), SendOptions(), lambda failures: 100)
    with pytest.raises(TaskTimeout):
        results.extend(sending)
    assert {0, 1, 2, 4, 9} <= {result.index for result in results}
    assert 3 not in {result.index for result in results}


def test_retries_end_after_max_retry_seconds() -> None:
    now = 0.0

    def clock() -> float:
        return now

    def put(entries: list[Mapping[str, Any]]) -> dict[str, Any]:
        nonlocal now
        now += 40.0
        return {"Entries": [{"ErrorCode": "InternalFailure"}]}

    options = SendOptions(max_attempts=100, max_retry_seconds=100)
    sending = EventSender(ThreadTransport(put, clock), items(1), options, no_wait, clock=clock)
    result = next(sending)
    assert (result.error_code, result.retryable) == ("InternalFailure", True)
    # failed at 40; again at 80, 120; at 160 its time is over
    assert sending.requests == 4


def test_stop_ends_sending_and_yields_known_results() -> None:
    release = threading.Event()
    begun = threading.Event()

    def put(entries: list[Mapping[str, Any]]) -> dict[str, Any]:
        if entries[0]["n"] == 20:
            begun.set()
            assert release.wait(5)
        return ok(entries)

    sending = sender(put, items(1_000_000), max_concurrency=3)
    results: list[EntryResult] = []

    def stop() -> None:
        assert begun.wait(5)
        sending.stop()
        release.set()

    stopper = threading.Thread(target=stop)
    stopper.start()
    with pytest.raises(PutEventsStoppedError) as caught:
        results.extend(sending)
    stopper.join()
    assert caught.value.sent == len(results)
    assert 0 < len(results) < 100_000
    assert all(result.event_id == f"id-{result.index}" for result in results)
    assert not caught.value.permanent


def test_stop_does_not_wait_for_a_hanging_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_cwevents._send.sender.STOP_GRACE_SECONDS", 0.1)
    release = threading.Event()

    def put(entries: list[Mapping[str, Any]]) -> dict[str, Any]:
        if entries[0]["n"] == 10:
            release.wait(10)
        return ok(entries)

    sending = sender(put, items(30), max_concurrency=3)
    results = [next(sending) for _ in range(10)]
    sending.stop()
    with pytest.raises(PutEventsStoppedError):
        results.extend(sending)
    release.set()
    known = {result.index for result in results}
    assert known >= set(range(10))
    assert known.isdisjoint(range(10, 20))


def test_dropped_iterator_leaves_no_threads() -> None:
    before = set(threading.enumerate())
    for _ in sender(ok, items(1_000)):
        break
    begun = set(threading.enumerate()) - before
    assert begun
    for thread in begun:
        thread.join(5)
    assert not any(thread.is_alive() for thread in begun)


@pytest.mark.parametrize(
    ("name", "bad", "good"),
    [
        ("max_bytes", 0, 1),
        ("max_concurrency", 0, 1),
        ("max_concurrency", 257, 256),
        ("max_attempts", 0, 1),
        ("max_retry_seconds", -1, 0),
        ("max_events_per_second", 0, 0.1),
        ("max_events_per_second", -5, 5),
    ],
)
def test_option_out_of_range_raises(name: str, bad: float, good: float) -> None:
    with pytest.raises(InvalidInputError) as caught:
        SendOptions(**{name: bad})  # type: ignore[arg-type]
    assert caught.value.place == name
    assert getattr(SendOptions(**{name: good}), name) == good  # type: ignore[arg-type]


def test_unordered_results_are_yielded_as_soon_as_known() -> None:
    refused = 0

    def put(entries: list[Mapping[str, Any]]) -> dict[str, Any]:
        nonlocal refused
        answers = ok(entries)["Entries"]
        numbers = [entry["n"] for entry in entries]
        if 0 in numbers and 99 not in seen:
            refused += 1
            answers[numbers.index(0)] = {"ErrorCode": "InternalFailure"}
        return {"Entries": answers}

    seen: list[int] = []
    options = SendOptions(max_concurrency=1, max_attempts=1_000)
    sending = EventSender(ThreadTransport(put), items(100), options, no_wait, in_order=False)
    seen.extend(result.index for result in sending)
    assert sorted(seen) == list(range(100))
    assert seen[-1] == 0
    assert refused > 0


def test_on_tick_is_called_while_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender_module, "TICK_SECONDS", 0.01)
    ticks = 0
    enough = threading.Event()

    def tick() -> None:
        nonlocal ticks
        ticks += 1
        if ticks == 5:
            enough.set()

    def put(entries: list[Mapping[str, Any]]) -> dict[str, Any]:
        assert enough.wait(5)
        return ok(entries)

    results = list(EventSender(ThreadTransport(put), items(1), SendOptions(), no_wait, on_tick=tick))
    assert [result.event_id for result in results] == ["id-0"]


def test_held_bytes_limit_reading_ahead() -> None:
    """The first entry waits to be sent again for as long as others are taken."""
    size = MAX_HELD_BYTES // 8
    read = most_read = 0

    def source() -> Iterator[SizedEntry]:
        nonlocal read
        for item in items(100, size):
            read += 1
            yield item

    def put(entries: list[Mapping[str, Any]]) -> dict[str, Any]:
        return {"Entries": [{"ErrorCode": "InternalFailure"}] * len(entries)}

    for result in EventSender(ThreadTransport(put), source(), SendOptions(max_attempts=3), lambda failures: 0.01):
        assert result.entry is not None
        most_read = max(most_read, read - result.index)
    assert read == 100
    assert most_read <= 10


def test_invalid_entries_are_yielded_before_many_more_are_read() -> None:
    read = 0

    def source() -> Iterator[EntryResult]:
        nonlocal read
        for index in range(1_000):
            read += 1
            yield EntryResult(index, None, "InvalidEntry", "no")

    most = 0
    for result in sender(ok, source()):
        most = max(most, read - result.index)
    assert most <= MAX_BAD_IN_A_ROW


def test_slow_source_does_not_delay_results() -> None:
    """Without looking for results in between, four requests' worth would be read first."""
    read = 0

    def source() -> Iterator[SizedEntry]:
        nonlocal read
        for item in items(400):
            time.sleep(SUBMIT_SECONDS / 5)
            read += 1
            yield item

    next(sender(ok, source()))
    assert read <= 21


def test_waiting_does_not_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three, halved, is one and a half: there is no half request to wait for."""
    waits = 0
    wait = ThreadTransport.wait

    def counted(self: Any, timeout: float | None) -> None:
        nonlocal waits
        waits += 1
        wait(self, timeout)

    monkeypatch.setattr(ThreadTransport, "wait", counted)
    calls = 0

    def put(entries: list[Mapping[str, Any]]) -> dict[str, Any]:
        nonlocal calls
        calls += 1
        if calls == 1:
            return {"Entries": [{"ErrorCode": "ThrottlingException"}] * len(entries)}
        time.sleep(0.02)
        return ok(entries)

    sending = sender(put, items(100), max_concurrency=3)
    assert len(list(sending)) == 100
    assert waits <= 3 * sending.requests


def test_null_result_counts_as_missing() -> None:
    calls = 0

    def put(entries: list[Mapping[str, Any]]) -> dict[str, Any]:
        nonlocal calls
        calls += 1
        return {"Entries": [None, *ok(entries)["Entries"][1:]]} if calls == 1 else ok(entries)

    assert [result.event_id for result in sender(put, items(2))] == ["id-0", "id-1"]


def test_stop_after_all_was_sent_does_not_raise() -> None:
    sending = sender(ok, items(3))
    results = [next(sending) for _ in range(3)]
    assert list(sending) == []
    sending.stop()
    assert len(results) == 3


def test_drain_yields_known_results_after_an_exception() -> None:
    class TaskTimeout(BaseException):
        pass

    def tick() -> None:
        if calls >= 3:
            raise TaskTimeout

    calls = 0

    def put(entries: list[Mapping[str, Any]]) -> dict[str, Any]:
        nonlocal calls
        calls += 1
        time.sleep(0.01)
        return ok(entries)

    sending = EventSender(ThreadTransport(put), items(10_000), SendOptions(), no_wait, in_order=False, on_tick=tick)
    results: list[int] = []
    with pytest.raises(TaskTimeout):
        results.extend(result.index for result in sending)
    results += [result.index for result in sending.drain()]
    assert sorted(results) == list(range(calls * 10))


def test_long_outage_stops_sending() -> None:
    now = 0.0
    calls = 0

    def put(entries: list[Mapping[str, Any]]) -> dict[str, Any]:
        nonlocal now, calls
        now += 60
        calls += 1
        if calls <= 10:
            return ok(entries)
        raise EndpointConnectionError(endpoint_url="https://events")

    options = SendOptions(max_concurrency=1)
    sending = EventSender(ThreadTransport(put, lambda: now), items(100_000), options, no_wait, clock=lambda: now)
    results: list[EntryResult] = []
    with pytest.raises(PutEventsStoppedError, match=r"300 s.*EndpointConnectionError") as caught:
        results.extend(sending)
    assert caught.value.sent == 100
    assert not caught.value.permanent
    assert calls < 30
    assert [result.event_id is not None for result in results] == [True] * 100 + [False] * (len(results) - 100)
    assert len(results) > 100


def test_intermittent_failures_do_not_stop_sending() -> None:
    now = 0.0
    calls = 0

    def put(entries: list[Mapping[str, Any]]) -> dict[str, Any]:
        nonlocal now, calls
        now += 60
        calls += 1
        if calls % 3:
            raise EndpointConnectionError(endpoint_url="https://events")
        return ok(entries)

    transport = ThreadTransport(put, lambda: now)
    sending = EventSender(transport, items(600), SendOptions(max_concurrency=1), no_wait, clock=lambda: now)
    assert sum(result.event_id is not None for result in sending) == 200
