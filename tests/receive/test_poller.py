from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from typing import Any

import pytest

from airflow_cwevents._receive.acknowledgement import Acknowledgement
from airflow_cwevents._receive.envelopes import ReceivedEvent
from airflow_cwevents._receive.poller import Poller
from airflow_cwevents.exceptions import EventQueueNotFoundError
from tests.receive.queues import URL, FakeQueue, Sleeps, message, until

LOG = logging.getLogger("tests.poller")


class Harness:
    """A poller of a fake queue."""

    def __init__(self, answers: list[Any], **arguments: Any) -> None:
        self.queue = FakeQueue(answers)
        self.sleeps = Sleeps()
        acknowledgement = Acknowledgement(
            self.queue, LOG, visibility_timeout=60, retry_delay=5, sleep=Sleeps(), **arguments
        )
        self.poller = Poller(
            self.queue, acknowledgement, LOG, wait_seconds=20, visibility_timeout=60, sleep=self.sleeps
        )

    async def take(self, count: int) -> list[ReceivedEvent]:
        taken = []
        async with aclosing(self.poller.events()) as events:
            async for event in events:
                taken.append(event)
                if len(taken) == count:
                    break
        return taken


def logged(caplog: pytest.LogCaptureFixture, level: str) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == LOG.name and record.levelname == level]


def test_events_are_yielded_in_order() -> None:
    async def scenario() -> None:
        harness = Harness([[message(1), message(2)], [], [message(3)]])
        assert [event.id for event in await harness.take(3)] == ["event-1", "event-2", "event-3"]
        assert harness.queue.asked[0] == (10, 20, 60)
        await harness.poller.close()

    asyncio.run(scenario())


def test_missing_and_failing_queue_is_polled_again_with_jittered_waits(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", LOG.name)

    async def scenario() -> list[float]:
        missing = [EventQueueNotFoundError(URL)] * 9
        harness = Harness([*missing, [message(1)], ConnectionError("no route"), [message(2)]])
        assert len(await harness.take(2)) == 2
        await harness.poller.close()
        return harness.sleeps.waited

    waited = asyncio.run(scenario())
    for number, seconds in enumerate(waited[:9]):
        expected = min(30, 2**number)
        assert expected / 2 <= seconds <= expected
    assert 0.5 <= waited[9] <= 1
    assert len({seconds / min(30, 2**number) for number, seconds in enumerate(waited[:9])}) == 9
    assert len(logged(caplog, "WARNING")) == 2  # once for each outage
    assert len(logged(caplog, "INFO")) == 2


def test_message_that_is_no_json_stays_and_is_named_once_without_its_body(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        poison = message(1, "secret")
        harness = Harness([[poison, message(2)], [poison, message(3)]])
        assert [event.id for event in await harness.take(2)] == ["event-2", "event-3"]
        assert len(harness.poller.acknowledgement) == 2  # it is not in flight, so it takes no room
        await harness.poller.close()
        handles = [*harness.queue.deleted, *(handle for handle, _ in harness.queue.hidden)]
        assert "handle-1-1" not in handles

    asyncio.run(scenario())
    (warning,) = logged(caplog, "WARNING")
    assert "message-1" in warning
    assert "secret" not in warning


def test_no_more_is_received_than_may_be_in_flight() -> None:
    async def scenario() -> None:
        answers = [[message(number) for number in range(10)], [message(10), message(11)], [message(12)]]
        harness = Harness(answers, max_in_flight=12)
        acknowledgement, taken = harness.poller.acknowledgement, []

        async def consume() -> None:
            async with aclosing(harness.poller.events()) as events:
                async for event in events:
                    taken.append(event)  # noqa: PERF401 - it never ends

        consuming = asyncio.create_task(consume())
        await until(lambda: len(taken) == 12)
        for _ in range(100):
            await asyncio.sleep(0)
        assert [asked[0] for asked in harness.queue.asked] == [10, 2]
        acknowledgement.complete(taken[0])
        await until(lambda: len(taken) == 13)
        assert harness.queue.asked[2][0] == 1
        consuming.cancel()
        await harness.poller.close()

    asyncio.run(scenario())


def test_redelivery_is_not_yielded() -> None:
    async def scenario() -> None:
        harness = Harness([[message(1)], [message(1, receipt=2)], [message(2)]])
        assert [event.id for event in await harness.take(2)] == ["event-1", "event-2"]
        await harness.poller.close()

    asyncio.run(scenario())


def test_close_puts_back_all_that_was_received_and_not_completed() -> None:
    async def scenario() -> None:
        harness = Harness([[message(number) for number in range(4)]])
        (first,) = await harness.take(1)
        harness.poller.acknowledgement.complete(first)
        await harness.poller.close()
        assert harness.queue.deleted == ["handle-0-1"]
        assert harness.queue.hidden == [(f"handle-{number}-1", 0) for number in (1, 2, 3)]
        assert harness.queue.is_closed

    asyncio.run(scenario())


def test_close_before_the_first_poll_does_nothing() -> None:
    async def scenario() -> None:
        harness = Harness([])
        await harness.poller.close()
        assert harness.queue.requests == []

    asyncio.run(scenario())
