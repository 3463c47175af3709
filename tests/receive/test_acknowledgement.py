from __future__ import annotations

import asyncio
import gc
import logging
import warnings
from collections.abc import Coroutine
from typing import Any

import pytest

from airflow_cwevents._receive.acknowledgement import Acknowledgement, event_key
from tests.receive.queues import FakeQueue, Sleeps, event, received, until

LOG = logging.getLogger("tests.acknowledgement")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Harness:
    """An acknowledgement of a fake queue."""

    def __init__(self, **arguments: Any) -> None:
        self.queue = FakeQueue()
        self.clock = Clock()
        self.sleeps = Sleeps()
        defaults: dict[str, Any] = {
            "visibility_timeout": 60,
            "retry_delay": 5,
            "clock": self.clock,
            "sleep": self.sleeps,
        }
        self.acknowledgement = Acknowledgement(self.queue, LOG, **(defaults | arguments))


async def with_run(harness: Harness, steps: Coroutine[Any, Any, None]) -> None:
    task = asyncio.create_task(harness.acknowledgement.run())
    try:
        await steps
    finally:
        task.cancel()


def test_completed_messages_are_deleted_in_one_batch() -> None:
    async def scenario() -> None:
        harness = Harness()
        acknowledgement = harness.acknowledgement
        events = [received(number) for number in range(25)]
        assert all(acknowledgement.admit(item) for item in events)

        async def steps() -> None:
            for item in events:
                acknowledgement.complete(item)
            await until(lambda: not len(acknowledgement))

        await with_run(harness, steps())
        assert harness.queue.requests == [("delete", 25)]
        assert harness.queue.deleted == [item.receipt_handle for item in events]

    asyncio.run(scenario())


def test_message_in_flight_is_neither_deleted_nor_put_back() -> None:
    async def scenario() -> None:
        harness = Harness()
        harness.acknowledgement.admit(received())
        await harness.acknowledgement.flush()
        assert harness.queue.requests == []
        assert len(harness.acknowledgement) == 1

    asyncio.run(scenario())


def test_message_put_back_is_hidden_for_the_retry_delay_and_delivered_again() -> None:
    async def scenario() -> None:
        harness = Harness()
        harness.acknowledgement.admit(received())
        harness.acknowledgement.put_back(received())
        await harness.acknowledgement.flush()
        assert harness.queue.hidden == [("handle-1-1", 5)]
        assert len(harness.acknowledgement) == 0
        assert harness.acknowledgement.admit(received(receipt=2))

    asyncio.run(scenario())


def test_visibility_is_extended_from_half_of_it_on_until_completed() -> None:
    async def scenario() -> None:
        harness = Harness()
        harness.acknowledgement.admit(received())
        for passed in (29, 1, 29, 1):
            harness.clock.now += passed
            await harness.acknowledgement.flush()
        assert harness.queue.hidden == [("handle-1-1", 60)] * 2
        harness.acknowledgement.complete(received())
        harness.clock.now += 30
        await harness.acknowledgement.flush()
        assert len(harness.queue.hidden) == 2
        assert harness.queue.deleted == ["handle-1-1"]

    asyncio.run(scenario())


def test_redelivery_of_a_completed_event_is_deleted_and_not_delivered() -> None:
    async def scenario() -> None:
        harness = Harness()
        harness.acknowledgement.admit(received())
        harness.acknowledgement.complete(received())
        await harness.acknowledgement.flush()
        assert not harness.acknowledgement.admit(received(receipt=2))
        await harness.acknowledgement.flush()
        assert harness.queue.deleted == ["handle-1-1", "handle-1-2"]

    asyncio.run(scenario())


def test_redelivery_in_flight_is_not_delivered_and_its_newest_handle_is_used() -> None:
    async def scenario() -> None:
        harness = Harness()
        harness.acknowledgement.admit(received())
        assert not harness.acknowledgement.admit(received(receipt=2))
        harness.acknowledgement.complete(received())
        await harness.acknowledgement.flush()
        assert harness.queue.deleted == ["handle-1-2"]

    asyncio.run(scenario())


def test_redelivery_during_the_delete_request_is_deleted_too() -> None:
    async def scenario() -> None:
        harness = Harness()
        harness.acknowledgement.admit(received())
        harness.acknowledgement.complete(received())
        flushing = asyncio.create_task(harness.acknowledgement.flush())
        await until(lambda: harness.queue.requests)
        assert not harness.acknowledgement.admit(received(receipt=2))
        await flushing
        await harness.acknowledgement.flush()
        assert harness.queue.deleted == ["handle-1-1", "handle-1-2"]

    asyncio.run(scenario())


def test_one_event_in_two_messages_is_delivered_once_and_both_are_deleted() -> None:
    async def scenario() -> None:
        harness = Harness()
        harness.acknowledgement.admit(received(1))
        assert not harness.acknowledgement.admit(received(2, body=event(1)))
        harness.acknowledgement.complete(received(1))
        await harness.acknowledgement.flush()
        assert sorted(harness.queue.deleted) == ["handle-1-1", "handle-2-1"]

    asyncio.run(scenario())


def test_message_received_again_is_not_hidden_by_an_older_put_back() -> None:
    async def scenario() -> None:
        harness = Harness()
        harness.acknowledgement.admit(received())
        harness.acknowledgement.put_back(received())
        assert harness.acknowledgement.admit(received(receipt=2))
        await harness.acknowledgement.flush()
        assert harness.queue.hidden == []

    asyncio.run(scenario())


def test_replay_is_an_event_of_its_own() -> None:
    replay = event(1, **{"replay-name": "monday"})
    assert event_key(event(1), "") != event_key(replay, "")
    assert event_key(event(1), "") == event_key(event(1), "x")
    assert event_key({"transformed": True}, "message-1") == "message-1"


def test_remembered_ids_are_bounded() -> None:
    async def scenario() -> None:
        harness = Harness(remembered=2)
        for number in (1, 2, 3):
            harness.acknowledgement.admit(received(number))
            harness.acknowledgement.complete(received(number))
        assert harness.acknowledgement.admit(received(1, receipt=2))
        assert not harness.acknowledgement.admit(received(2, receipt=2))
        assert not harness.acknowledgement.admit(received(3, receipt=2))

    asyncio.run(scenario())


def test_message_that_was_not_deleted_is_logged_and_deleted_when_it_comes_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario() -> None:
        harness = Harness()
        for number in (1, 2):
            harness.acknowledgement.admit(received(number))
            harness.acknowledgement.complete(received(number))
        harness.queue.refused = {"message-1": "ReceiptHandleIsInvalid"}
        await harness.acknowledgement.flush()
        assert harness.queue.deleted == ["handle-2-1"]
        assert len(harness.acknowledgement) == 0
        harness.queue.refused = {}
        assert not harness.acknowledgement.admit(received(1, receipt=2))
        await harness.acknowledgement.flush()
        assert harness.queue.deleted == ["handle-2-1", "handle-1-2"]

    asyncio.run(scenario())
    (record,) = [record for record in caplog.records if (record.name, record.levelname) == (LOG.name, "WARNING")]
    assert record.args is not None
    assert set(record.args) >= {"message-1", "ReceiptHandleIsInvalid"}


def test_failing_requests_are_repeated_with_growing_waits_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", LOG.name)

    async def scenario() -> None:
        harness = Harness()
        queue, acknowledgement = harness.queue, harness.acknowledgement
        queue.failing = ConnectionError("no route")

        async def steps() -> None:
            acknowledgement.admit(received(1))
            acknowledgement.complete(received(1))
            await until(lambda: len(queue.requests) == 8)
            assert len(acknowledgement) == 1
            queue.failing = None
            await until(lambda: not len(acknowledgement))

        await with_run(harness, steps())
        assert queue.deleted == ["handle-1-1"]
        assert 0.5 <= harness.sleeps.waited[1] <= 1
        assert 15 <= harness.sleeps.waited[7] <= 30

    asyncio.run(scenario())
    assert [record.levelname for record in caplog.records if record.name == LOG.name] == ["WARNING", "INFO"]


def test_queue_that_forbids_deletes_still_puts_back_and_extends() -> None:
    async def scenario() -> None:
        harness = Harness()
        for number in (1, 2, 3):
            harness.acknowledgement.admit(received(number))
        harness.acknowledgement.complete(received(1))
        harness.acknowledgement.put_back(received(2))
        harness.clock.now += 30
        harness.queue.failing, harness.queue.failing_request = PermissionError("AccessDenied"), "delete"
        with pytest.raises(PermissionError):
            await harness.acknowledgement.flush()
        assert harness.queue.hidden == [("handle-2-1", 5), ("handle-3-1", 60)]

    asyncio.run(scenario())


def test_room_shrinks_with_messages_in_flight_and_waits_until_some_are_gone() -> None:
    async def scenario() -> None:
        harness = Harness(max_in_flight=3)
        acknowledgement = harness.acknowledgement
        assert await acknowledgement.room() == 3
        for number in (1, 2, 3):
            acknowledgement.admit(received(number))
        waiting = asyncio.create_task(acknowledgement.room())
        acknowledgement.complete(received(1))
        await asyncio.sleep(0)
        assert not waiting.done()  # it is in flight until it is deleted
        await acknowledgement.flush()
        assert await waiting == 1

    asyncio.run(scenario())


def test_close_deletes_what_is_complete_and_puts_back_the_rest_at_once() -> None:
    async def scenario() -> None:
        harness = Harness()
        for number in (1, 2, 3):
            harness.acknowledgement.admit(received(number))
        harness.acknowledgement.complete(received(1))
        harness.acknowledgement.put_back(received(2))
        await harness.acknowledgement.close()
        assert harness.queue.deleted == ["handle-1-1"]
        assert sorted(harness.queue.hidden) == [("handle-2-1", 0), ("handle-3-1", 0)]

    asyncio.run(scenario())


def test_close_puts_back_the_rest_though_deletes_fail(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        harness = Harness()
        for number in (1, 2):
            harness.acknowledgement.admit(received(number))
        harness.acknowledgement.complete(received(1))
        harness.queue.failing, harness.queue.failing_request = ConnectionError("no route"), "delete"
        await harness.acknowledgement.close()
        assert harness.queue.hidden == [("handle-2-1", 0)]

    asyncio.run(scenario())


def test_cancelled_flush_leaves_no_coroutine_unawaited() -> None:
    async def scenario() -> None:
        harness = Harness()
        harness.acknowledgement.admit(received())
        harness.acknowledgement.complete(received())
        flushing = asyncio.create_task(harness.acknowledgement.flush())
        await until(lambda: harness.queue.requests)
        flushing.cancel()
        await asyncio.wait([flushing])

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        asyncio.run(scenario())
        gc.collect()
    assert [str(warning.message) for warning in caught] == []


def test_close_does_not_fail(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        harness = Harness()
        harness.acknowledgement.admit(received())
        harness.queue.failing = ConnectionError("no route")
        await harness.acknowledgement.close()

    asyncio.run(scenario())
    assert [record.levelname for record in caplog.records if record.name == LOG.name] == ["WARNING"]
