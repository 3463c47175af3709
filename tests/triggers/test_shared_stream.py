"""The trigger in Airflow's own manager of shared streams, as Airflow 3.3's triggerer drives it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest

from airflow_cwevents._receive.acknowledgement import Acknowledgement
from airflow_cwevents.exceptions import EventQueueNotFoundError
from airflow_cwevents.triggers import EventQueueTrigger
from airflow_cwevents.triggers.event_queue import EventQueueProducer
from tests.receive.queues import URL, FakeQueue, event, message, received, until

shared_stream = pytest.importorskip("airflow.triggers.shared_stream", reason="Shared streams need Airflow 3.3")

SHOP = {"source": ["shop"]}
OTHER = {"source": ["other"]}


class Triggerer:
    """What Airflow's triggerer does with triggers; ``stored`` lists the payloads that reached the database."""

    def __init__(self, **settings: Any) -> None:
        self.manager = shared_stream.SharedStreamManager(**settings)
        self.tasks: dict[int, asyncio.Task[None]] = {}
        self.emitted: list[tuple[int, Any, int | None]] = []
        self.stored: list[tuple[int, Any]] = []

    def start(self, trigger_id: int, trigger: EventQueueTrigger) -> None:
        """Start a trigger, as from the database."""
        copy = EventQueueTrigger(**trigger.serialize()[1])
        self.tasks[trigger_id] = asyncio.create_task(self._run(trigger_id, copy))

    def store(self) -> None:
        """Store what was emitted, and confirm it."""
        emitted, self.emitted = self.emitted, []
        self.stored += [(trigger_id, payload["id"]) for trigger_id, payload, _ in emitted]
        self.manager.confirm_persisted([seq for _, _, seq in emitted if seq is not None])

    async def stop(self, *trigger_ids: int) -> None:
        """Stop triggers; all if none is passed."""
        for trigger_id in trigger_ids or list(self.tasks):
            task = self.tasks.pop(trigger_id)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self, trigger_id: int, trigger: EventQueueTrigger) -> None:
        key = trigger.shared_stream_key()
        raw = self.manager.subscribe(trigger_id=trigger_id, trigger=trigger, key=key)
        try:
            async for item in trigger.filter_shared_stream(raw):
                seq = self.manager.bind_pending_event(trigger_id=trigger_id, key=key)
                self.emitted.append((trigger_id, item.payload, seq))
        finally:
            await self.manager.unsubscribe(trigger_id, key)


def drive(scenario: Callable[[Triggerer], Awaitable[None]], **settings: Any) -> None:
    async def main() -> None:
        triggerer = Triggerer(**settings)
        try:
            await scenario(triggerer)
        finally:
            await triggerer.stop()

    asyncio.run(main())


async def idle() -> None:
    for _ in range(200):
        await asyncio.sleep(0)


def trigger(**arguments: Any) -> EventQueueTrigger:
    return EventQueueTrigger(**{"queue_url": URL} | arguments)


def handles(queue: FakeQueue) -> list[str]:
    return [handle for handle, _ in queue.hidden]


def test_message_is_deleted_only_after_its_event_is_stored(queue: FakeQueue) -> None:
    async def scenario(triggerer: Triggerer) -> None:
        queue.answers = [[message(1)], [message(2)]]
        triggerer.start(1, trigger())
        await until(lambda: len(triggerer.emitted) == 2)
        await idle()
        assert queue.deleted == []
        assert triggerer.emitted[0][1] == event(1)  # the payload is the event itself
        triggerer.store()
        await until(lambda: sorted(queue.deleted) == ["handle-1-1", "handle-2-1"])
        assert queue.hidden == []

    drive(scenario)


def test_each_trigger_of_a_stream_gets_each_event_and_the_last_one_deletes(queue: FakeQueue) -> None:
    async def scenario(triggerer: Triggerer) -> None:
        queue.answers = [[message(1)]]
        triggerer.start(1, trigger())
        triggerer.start(2, trigger(event_pattern=SHOP))
        await until(lambda: len(triggerer.emitted) == 2)
        await idle()
        assert len(queue.asked) == 2  # they share one poll
        triggerer.manager.confirm_persisted([triggerer.emitted.pop()[2]])
        await idle()
        assert queue.deleted == []
        triggerer.store()
        await until(lambda: queue.deleted == ["handle-1-1"])

    drive(scenario)


def test_slow_event_does_not_hold_up_those_behind_it(queue: FakeQueue) -> None:
    async def scenario(triggerer: Triggerer) -> None:
        queue.answers = [[message(1), message(2)]]
        triggerer.start(1, trigger())
        await until(lambda: len(triggerer.emitted) == 2)
        triggerer.manager.confirm_persisted([triggerer.emitted[1][2]])
        await idle()
        assert queue.deleted == ["handle-2-1"]

    drive(scenario)


def test_lanes_are_one_for_each_message_and_one_for_each_group() -> None:
    lane = EventQueueProducer(trigger().poller(), 0).get_advance_lane
    assert lane(received(1)) != lane(received(2))
    assert lane(received(1, group="a")) == lane(received(2, group="a"))
    assert lane(received(1, group="a")) != lane(received(2, group="b"))
    assert lane(received(1, group="message-1")) != lane(received(1))


def test_unmatched_message_is_put_back_and_a_matched_one_is_not(queue: FakeQueue) -> None:
    async def scenario(triggerer: Triggerer) -> None:
        queue.answers = [[message(1), message(2, event(2, source="other")), message(3)]]
        triggerer.start(1, trigger(event_pattern=SHOP, retry_delay=7))
        await until(lambda: len(triggerer.emitted) == 2 and queue.hidden)
        triggerer.store()
        await until(lambda: "handle-1-1" in queue.deleted)
        assert queue.hidden == [("handle-2-1", 7)]
        assert "handle-2-1" not in queue.deleted

    drive(scenario)


def test_message_that_one_of_two_patterns_matches_is_deleted(queue: FakeQueue) -> None:
    async def scenario(triggerer: Triggerer) -> None:
        queue.answers = [[message(1), message(2, event(2, source="other")), message(3, event(3, source="third"))]]
        triggerer.start(1, trigger(event_pattern=SHOP))
        triggerer.start(2, trigger(event_pattern=OTHER))
        await until(lambda: len(triggerer.emitted) == 2)
        triggerer.store()
        await until(lambda: len(queue.deleted) == 2 and queue.hidden)
        assert sorted(queue.deleted) == ["handle-1-1", "handle-2-1"]
        assert handles(queue) == ["handle-3-1"]
        assert sorted(triggerer.stored) == [(1, "event-1"), (2, "event-2")]

    drive(scenario)


def test_unmatched_message_is_deleted_if_wanted(queue: FakeQueue) -> None:
    async def scenario(triggerer: Triggerer) -> None:
        queue.answers = [[message(1, event(1, source="other")), message(2)]]
        triggerer.start(1, trigger(event_pattern=SHOP, unmatched="delete"))
        await until(lambda: queue.deleted == ["handle-1-1"])
        assert queue.hidden == []

    drive(scenario)


def test_deletion_is_refused_while_another_pattern_reads_the_queue(
    queue: FakeQueue, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(triggerer: Triggerer) -> None:
        queue.answers = [[message(1, event(1, source="third")), message(2, event(2, source="third")), message(3)]]
        triggerer.start(1, trigger(event_pattern=SHOP, unmatched="delete"))
        # polls the queue for itself, as its settings differ
        triggerer.start(2, trigger(event_pattern=OTHER, unmatched="delete", wait_seconds=1))
        await until(lambda: len(queue.hidden) == 2)
        assert queue.deleted == []

    drive(scenario)
    (warning,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert "another pattern" in warning.getMessage()


def test_identical_triggers_may_delete(queue: FakeQueue) -> None:
    async def scenario(triggerer: Triggerer) -> None:
        queue.answers = [[message(1, event(1, source="other")), message(2)]]
        for trigger_id in (1, 2):
            triggerer.start(trigger_id, trigger(event_pattern=SHOP, unmatched="delete"))
        await until(lambda: queue.deleted == ["handle-1-1"])

    drive(scenario)


def test_deletion_of_transformed_payloads_is_refused(queue: FakeQueue, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(triggerer: Triggerer) -> None:
        queue.answers = [[message(1, {"source": "shop"}), message(2, "[1]"), message(3)]]
        triggerer.start(1, trigger(event_pattern=SHOP, unmatched="delete"))
        await until(lambda: handles(queue) == ["handle-1-1", "handle-2-1"])
        assert queue.deleted == []

    drive(scenario)
    (warning,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert "transformed" in warning.getMessage()


def test_message_is_put_back_if_its_event_is_not_stored_in_time(queue: FakeQueue) -> None:
    now = [0.0]

    async def scenario(triggerer: Triggerer) -> None:
        queue.answers = [[message(1)]]
        triggerer.start(1, trigger())
        await until(lambda: triggerer.emitted)
        now[0] += 1000
        while not queue.hidden:  # the manager checks every 10 ms
            await asyncio.sleep(0.001)
        assert queue.deleted == []
        assert handles(queue) == ["handle-1-1"]

    drive(scenario, ack_timeout=0.01, _now=lambda: now[0])


def test_message_that_an_overflowed_trigger_did_not_take_is_put_back(queue: FakeQueue) -> None:
    async def scenario(triggerer: Triggerer) -> None:
        queue.answers = [[message(number) for number in range(10)]]
        triggerer.start(1, trigger())
        await until(lambda: len(queue.hidden) == 10)
        assert queue.deleted == []

    drive(scenario, max_subscriber_queue=3)


def test_event_that_one_trigger_stored_and_another_lost_comes_again(queue: FakeQueue) -> None:
    async def scenario(triggerer: Triggerer) -> None:
        producer = EventQueueProducer(trigger().poller(), 0)
        producer._poller.acknowledgement.admit(received(1))
        outcome = shared_stream.AdvanceOutcome(acked=1, failed=1, rejected=0)
        await producer.advance([shared_stream.AdvanceItem(received(1), outcome)])
        await producer.aclose()
        assert queue.deleted == []
        assert queue.hidden == [("handle-1-1", 0)]

    drive(scenario)


@pytest.mark.parametrize(
    ("acked", "failed", "rejected", "is_deleted"),
    [
        (0, 0, 0, False),  # nobody saw it
        (1, 0, 0, True),
        (1, 0, 1, True),
        (0, 0, 2, False),
        (0, 1, 0, False),
        (2, 1, 1, False),
    ],
)
def test_outcome_decides(queue: FakeQueue, acked: int, failed: int, rejected: int, is_deleted: bool) -> None:
    async def scenario(triggerer: Triggerer) -> None:
        producer = EventQueueProducer(trigger().poller(), 0)
        acknowledgement = producer._poller.acknowledgement
        acknowledgement.admit(received(1))
        outcome = shared_stream.AdvanceOutcome(acked, failed, rejected)
        await producer.advance([shared_stream.AdvanceItem(received(1), outcome)])
        await acknowledgement.flush()
        assert (queue.deleted == ["handle-1-1"], handles(queue) == ["handle-1-1"]) == (is_deleted, not is_deleted)

    drive(scenario)


def test_advance_does_not_raise_for_events_that_are_no_longer_in_flight(queue: FakeQueue) -> None:
    async def scenario(triggerer: Triggerer) -> None:
        producer = EventQueueProducer(trigger().poller(), 0)
        queue.failing = ConnectionError("no route")
        for outcome in ((1, 0, 0), (0, 0, 0)):
            item = shared_stream.AdvanceItem(received(1), shared_stream.AdvanceOutcome(*outcome))
            await producer.advance([item, item])
        await producer.aclose()

    drive(scenario)


def test_end_of_the_last_trigger_deletes_what_is_stored_and_puts_back_the_rest(queue: FakeQueue) -> None:
    async def scenario(triggerer: Triggerer) -> None:
        queue.answers = [[message(1), message(2)]]
        triggerer.start(1, trigger())
        await until(lambda: len(triggerer.emitted) == 2)
        triggerer.manager.confirm_persisted([triggerer.emitted[0][2]])
        await triggerer.stop()
        assert queue.deleted == ["handle-1-1"]
        assert queue.hidden == [("handle-2-1", 0)]
        assert queue.is_closed

    drive(scenario)


def test_event_of_a_trigger_that_leaves_before_it_is_stored_comes_again(queue: FakeQueue) -> None:
    async def scenario(triggerer: Triggerer) -> None:
        queue.answers = [[message(1)]]
        triggerer.start(1, trigger())
        triggerer.start(2, trigger())
        await until(lambda: len(triggerer.emitted) == 2)
        triggerer.manager.confirm_persisted([seq for trigger_id, _, seq in triggerer.emitted if trigger_id == 1])
        await triggerer.stop(2)
        await idle()
        assert queue.deleted == []
        await triggerer.stop(1)
        assert queue.deleted == []
        assert queue.hidden == [("handle-1-1", 0)]

    drive(scenario)


def test_event_that_no_trigger_saw_comes_again(queue: FakeQueue) -> None:
    async def scenario(triggerer: Triggerer) -> None:
        queue.answers = [[message(1)]]
        triggerer.start(1, trigger())
        await asyncio.sleep(0)
        triggerer.manager._groups[trigger().shared_stream_key()].unsubscribe(1)
        await until(lambda: queue.hidden == [("handle-1-1", 5)])
        assert queue.deleted == []

    drive(scenario)


def test_stream_survives_a_missing_and_a_failing_queue_and_poison(queue: FakeQueue) -> None:
    async def scenario(triggerer: Triggerer) -> None:
        queue.answers = [
            EventQueueNotFoundError(URL),
            ConnectionError("no route"),
            [message(1, "no JSON"), message(2)],
            RuntimeError("anything"),
            [message(3)],
        ]
        triggerer.start(1, trigger())
        await until(lambda: len(triggerer.emitted) == 2)
        triggerer.store()
        assert triggerer.stored == [(1, "event-2"), (1, "event-3")]
        assert not triggerer.tasks[1].done()

    drive(scenario)


def test_stream_survives_failing_deletes(queue: FakeQueue) -> None:
    async def scenario(triggerer: Triggerer) -> None:
        queue.answers = [[message(1), message(2)]]
        queue.failing = ConnectionError("no route")
        triggerer.start(1, trigger())
        await until(lambda: len(triggerer.emitted) == 2)
        triggerer.store()
        await until(lambda: len(queue.requests) > 3)
        assert not triggerer.tasks[1].done()
        queue.failing = None
        await until(lambda: "handle-1-1" in queue.deleted)

    drive(scenario)


def test_no_more_than_200_messages_are_in_flight(queue: FakeQueue) -> None:
    async def scenario(triggerer: Triggerer) -> None:
        queue.answers = [[message(10 * ten + one) for one in range(10)] for ten in range(30)]
        triggerer.start(1, trigger())
        await until(lambda: len(triggerer.emitted) == 200)
        await idle()
        assert len(triggerer.emitted) == 200
        assert len(queue.asked) == 20
        triggerer.store()
        await until(lambda: len(queue.asked) > 20)

    drive(scenario)


def test_visibility_is_extended_while_an_event_is_not_stored(queue: FakeQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    with_clock = partial(Acknowledgement, clock=lambda: now[0])
    monkeypatch.setattr("airflow_cwevents.triggers.event_queue.Acknowledgement", with_clock)

    async def scenario(triggerer: Triggerer) -> None:
        queue.answers = [[message(1)]]
        triggerer.start(1, trigger(visibility_timeout=10))
        await until(lambda: triggerer.emitted)
        await idle()
        assert queue.hidden == []
        now[0] += 5
        await until(lambda: queue.hidden == [("handle-1-1", 10)])
        await idle()
        assert len(queue.hidden) == 1

    drive(scenario)


def test_first_trigger_waits_for_others(queue: FakeQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    async def scenario(triggerer: Triggerer) -> None:
        monkeypatch.setattr(EventQueueTrigger, "start_delay", 2.0)
        producer: Any = EventQueueTrigger.create_shared_stream_producer(trigger().serialize()[1])
        monkeypatch.setattr("airflow_cwevents.triggers.event_queue.asyncio.sleep", sleep)
        queue.answers = [[message(1)]]
        await anext(producer.open_stream())
        assert waited[0] == 2.0

    drive(scenario)
