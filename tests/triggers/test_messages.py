"""The trigger that waits for messages: driven by asyncio, without real waits."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest

from airflow_cwevents.exceptions import EventQueueNotFoundError
from airflow_cwevents.triggers import MessagesTrigger
from airflow_cwevents.triggers.base import MIN_DEFERRED_SECONDS
from tests.airflow_versions import after_the_database

URL = "https://sqs.us-east-1.amazonaws.com/123456789012/q"
MESSAGE = {"MessageId": "m1", "ReceiptHandle": "h1", "Body": '{"secret": 1}', "Attributes": {}}


class Queue:
    """A queue whose receives have the outcomes that a test says."""

    def __init__(self, *outcomes: Any) -> None:
        self.outcomes = list(outcomes)
        self.requests: list[tuple[Any, ...]] = []
        self.hidden: list[tuple[str, int]] = []

    def receive(self, *request: Any) -> list[dict[str, Any]]:
        self.requests.append(request)
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        messages: list[dict[str, Any]] = outcome() if callable(outcome) else outcome
        return messages

    def hide(self, events: Any, seconds: int) -> dict[str, str]:
        self.hidden += [(event.message_id, seconds) for event in events]
        return {}


@pytest.fixture
def naps() -> list[float]:
    return []


@pytest.fixture
def trigger_of(monkeypatch: pytest.MonkeyPatch, naps: list[float]) -> Callable[[Queue], MessagesTrigger]:
    async def sleep(seconds: float) -> None:
        naps.append(seconds)

    def make(queue: Queue) -> MessagesTrigger:
        trigger = MessagesTrigger(URL, 45)
        monkeypatch.setattr(trigger, "_queue", lambda: queue)
        monkeypatch.setattr(trigger, "sleep", sleep)
        return trigger

    return make


async def events_of(trigger: MessagesTrigger) -> list[Any]:
    return [event async for event in trigger.run()]


TriggerOf = Callable[[Queue], MessagesTrigger]


def test_serialized_trigger_is_the_same() -> None:
    kwargs = {
        "queue_url": URL,
        "visibility_timeout": 45,
        "aws_conn_id": "c",
        "region_name": "eu-west-1",
        "verify": False,
        "botocore_config": {"read_timeout": 30},
    }
    path, serialized = MessagesTrigger(**kwargs).serialize()  # type: ignore[arg-type]
    assert path == "airflow_cwevents.triggers.messages.MessagesTrigger"
    assert serialized == kwargs


def test_one_message_is_passed_on_whole(trigger_of: TriggerOf) -> None:
    queue = Queue([], [], [MESSAGE])
    [event] = asyncio.run(events_of(trigger_of(queue)))
    assert event.payload == {"messages": [MESSAGE]}
    assert queue.requests == [(1, 20, 45)] * 3
    assert queue.hidden == []


def test_log_of_the_event_shows_no_body(trigger_of: TriggerOf) -> None:
    [event] = asyncio.run(events_of(trigger_of(Queue([MESSAGE]))))
    assert "secret" not in f"{event!r} {event}"
    assert "m1" in repr(event)
    assert after_the_database(event.payload) == {"messages": [MESSAGE]}


def test_nothing_is_received_until_the_scheduler_knows_that_the_task_is_deferred(
    trigger_of: TriggerOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or Airflow may fail the task that resumes: https://github.com/apache/airflow/issues/72716."""
    queue, received = Queue([MESSAGE]), []

    async def sleep(seconds: float) -> None:
        received.append((seconds, len(queue.requests)))

    trigger = trigger_of(queue)
    monkeypatch.setattr(trigger, "sleep", sleep)
    asyncio.run(events_of(trigger))
    assert received == [(MIN_DEFERRED_SECONDS, 0)]


def test_failing_queue_is_tried_again_with_growing_waits(
    trigger_of: TriggerOf, naps: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    errors = [EventQueueNotFoundError(URL), *(ConnectionError(str(number)) for number in range(8))]
    [event] = asyncio.run(events_of(trigger_of(Queue(*errors, [MESSAGE]))))
    assert event.payload["messages"] == [MESSAGE]
    limits = [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert all(limit / 2 <= nap <= limit for nap, limit in zip(naps[1:], limits, strict=True))


def test_wait_is_short_again_after_a_success(trigger_of: TriggerOf, naps: list[float]) -> None:
    outcomes = [ConnectionError(), ConnectionError(), [], ConnectionError(), [MESSAGE]]
    asyncio.run(events_of(trigger_of(Queue(*outcomes))))
    assert naps[3] <= 1


def test_client_that_cannot_be_made_is_tried_again(
    trigger_of: TriggerOf, naps: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    trigger = trigger_of(Queue())
    queues: list[Any] = [RuntimeError("no connection"), Queue([MESSAGE])]

    def make() -> Any:
        queue = queues.pop(0)
        if isinstance(queue, Exception):
            raise queue
        return queue

    monkeypatch.setattr(trigger, "_queue", make)
    assert len(asyncio.run(events_of(trigger))) == 1
    assert len(naps) == 2


def test_message_received_after_cancellation_is_put_back(trigger_of: TriggerOf) -> None:
    polling, cancelled = threading.Event(), threading.Event()

    def poll() -> list[dict[str, Any]]:
        polling.set()
        assert cancelled.wait(10)
        return [MESSAGE]

    queue = Queue(poll)

    async def cancel() -> None:
        task = asyncio.create_task(events_of(trigger_of(queue)))
        await asyncio.to_thread(polling.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        cancelled.set()

    asyncio.run(cancel())
    for thread in threading.enumerate():
        if thread.name == "event-queue":
            thread.join()
    assert queue.hidden == [("m1", 0)]


def test_polls_of_many_triggers_wait_for_no_other(trigger_of: TriggerOf) -> None:
    """asyncio's own pool of threads would be full: each poll ends only when all have begun."""
    number = 64
    barrier = threading.Barrier(number)

    def poll() -> list[dict[str, Any]]:
        barrier.wait(30)
        return [MESSAGE]

    async def run_all() -> list[Any]:
        return list(await asyncio.gather(*(events_of(trigger_of(Queue(poll))) for _ in range(number))))

    assert len(asyncio.run(run_all())) == number


def test_hook_gets_the_parameters(aws: None, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    queue = MessagesTrigger(URL, aws_conn_id=None, region_name="eu-west-1")._queue()
    assert queue.url == URL
    assert queue._client.meta.region_name == "eu-west-1"
