from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from airflow_cwevents._receive.queue import MessageQueue
from airflow_cwevents.hooks import CloudWatchEventsHook
from airflow_cwevents.triggers.event_sensor import EventSensorTrigger
from tests.receive.messages import event_of, send, visible


@pytest.fixture
def url(aws: None, hook: CloudWatchEventsHook) -> str:
    return str(hook.client("sqs").create_queue(QueueName="q")["QueueUrl"])


@pytest.fixture
def trigger(url: str, monkeypatch: pytest.MonkeyPatch) -> EventSensorTrigger:
    monkeypatch.setattr(EventSensorTrigger, "wait_seconds", 0)
    monkeypatch.setattr("airflow_cwevents.triggers.event_sensor.MIN_DEFERRED_SECONDS", 0)
    return EventSensorTrigger(url, '{"source":["shop"]}', min_events=2, poke_interval=7, aws_conn_id=None)


def on_sleep(monkeypatch: pytest.MonkeyPatch, action: Callable[[float], None]) -> None:
    async def sleep(seconds: float) -> None:
        action(seconds)

    monkeypatch.setattr(EventSensorTrigger, "sleep", staticmethod(sleep))


async def outcomes(trigger: EventSensorTrigger) -> list[Any]:
    return [event.payload async for event in trigger.run()]


def test_events_are_collected_and_stay(hook: CloudWatchEventsHook, trigger: EventSensorTrigger) -> None:
    send(hook, trigger.queue_url, event_of(0), event_of(1))
    (payload,) = asyncio.run(outcomes(trigger))
    assert payload == {"events": [event_of(0), event_of(1)]}
    assert visible(hook, trigger.queue_url) == 2


def test_payload_does_not_show_in_the_triggerers_log(hook: CloudWatchEventsHook, trigger: EventSensorTrigger) -> None:
    send(hook, trigger.queue_url, event_of(0), event_of(1))
    (payload,) = asyncio.run(outcomes(trigger))
    assert repr(payload) == "2 events"


def test_messages_of_others_are_not_received_again_at_once(
    hook: CloudWatchEventsHook, trigger: EventSensorTrigger, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []

    def later(seconds: float) -> None:
        slept.append(seconds)
        if seconds:
            send(hook, trigger.queue_url, event_of(len(slept)))

    on_sleep(monkeypatch, later)
    send(hook, trigger.queue_url, event_of(0, "other"))
    (payload,) = asyncio.run(outcomes(trigger))
    assert payload == {"events": [event_of(1), event_of(2)]}
    assert slept == [7, 7, 0]
    assert visible(hook, trigger.queue_url) == 3


def test_task_stays_deferred_until_the_scheduler_knows(
    hook: CloudWatchEventsHook, trigger: EventSensorTrigger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or Airflow may fail it: https://github.com/apache/airflow/issues/72716."""
    slept: list[float] = []
    on_sleep(monkeypatch, slept.append)
    monkeypatch.setattr("airflow_cwevents.triggers.event_sensor.MIN_DEFERRED_SECONDS", 10_000)
    send(hook, trigger.queue_url, event_of(0), event_of(1))
    asyncio.run(outcomes(trigger))
    assert 9_000 < slept[0] <= 10_000


def test_missing_queue_fails_after_a_few_attempts(trigger: EventSensorTrigger, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    on_sleep(monkeypatch, slept.append)
    trigger.queue_url += "-missing"
    (payload,) = asyncio.run(outcomes(trigger))
    assert f"Queue {trigger.queue_url} does not exist" in payload["error"]
    assert len(slept) == 5


def test_queue_that_appears_late_is_used(
    hook: CloudWatchEventsHook, trigger: EventSensorTrigger, monkeypatch: pytest.MonkeyPatch
) -> None:
    trigger.queue_url += "-late"

    def create(seconds: float) -> None:
        if not seconds:
            return
        hook.client("sqs").create_queue(QueueName="q-late")
        send(hook, trigger.queue_url, event_of(0), event_of(1))

    on_sleep(monkeypatch, create)
    (payload,) = asyncio.run(outcomes(trigger))
    assert len(payload["events"]) == 2


def test_cancelled_trigger_puts_back_what_arrives_meanwhile(
    hook: CloudWatchEventsHook, trigger: EventSensorTrigger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the triggerer restarts, or the task is cleared."""
    receive, hide = MessageQueue.receive, MessageQueue.hide
    receiving, cancelled, done = threading.Event(), threading.Event(), threading.Event()

    def slow_receive(self: MessageQueue, *arguments: Any, **options: Any) -> Any:
        receiving.set()
        cancelled.wait()
        return receive(self, *arguments, **options)

    def observed_hide(self: MessageQueue, events: Any, seconds: int) -> Any:
        try:
            return hide(self, events, seconds)
        finally:
            if events:
                done.set()

    monkeypatch.setattr(MessageQueue, "receive", slow_receive)
    monkeypatch.setattr(MessageQueue, "hide", observed_hide)
    send(hook, trigger.queue_url, event_of(0))

    async def cancel() -> None:
        task = asyncio.create_task(outcomes(trigger))
        await asyncio.to_thread(receiving.wait)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        cancelled.set()
        await asyncio.to_thread(done.wait)

    asyncio.run(cancel())
    assert visible(hook, trigger.queue_url) == 1


def test_failed_start_fails_the_task(trigger: EventSensorTrigger) -> None:
    trigger.event_pattern = "{"
    with pytest.raises(ValueError, match="JSON"):
        asyncio.run(outcomes(trigger))
