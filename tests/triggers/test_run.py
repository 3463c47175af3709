"""The trigger without acknowledgement, as Airflow 3.0 to 3.2 drive it, with a supervisor that stores late."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from airflow.jobs.triggerer_job_runner import TriggerRunner

from airflow_cwevents._receive.envelopes import ReceivedEvent
from airflow_cwevents.triggers import EventQueueTrigger
from tests.airflow_versions import module_of_airflow_3
from tests.receive.queues import URL, FakeQueue, event, message, until

comms = module_of_airflow_3("airflow.sdk.execution_time.comms", "Asset watchers")
task_runner = module_of_airflow_3("airflow.sdk.execution_time.task_runner", "Asset watchers")

SHOP = {"source": ["shop"]}


class Supervisor:
    """Airflow's supervisor at its slowest: it stores what it has read only when the next request arrives."""

    def __init__(self) -> None:
        self.read: list[str] = []
        self.stored: list[str] = []
        self.requests: list[Any] = []
        self.failing: Exception | None = None

    def send(self, request: Any) -> None:
        if self.failing:
            raise self.failing
        self.stored += self.read
        self.read = []
        self.requests.append(request)


class Runner(TriggerRunner):
    """What Airflow's trigger runner does with one trigger, but for the times."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor
        self.events: deque[Any] = deque()
        self.may_sync = True

    async def arun(self) -> None:
        while True:
            await asyncio.sleep(0)
            if self.may_sync and self.events:
                payloads = [item.payload["id"] for _, item in self.events]
                self.events.clear()
                self.supervisor.send("events")
                self.supervisor.read += payloads

    async def run_trigger(self, trigger: EventQueueTrigger) -> None:  # type: ignore[override]
        async for trigger_event in trigger.run():
            await asyncio.sleep(0)  # it logs the event
            self.events.append((1, trigger_event))


class GuardedQueue(FakeQueue):
    """A queue that fails the test if a message is deleted before its event is stored."""

    def __init__(self, supervisor: Supervisor) -> None:
        super().__init__()
        self.supervisor = supervisor
        self.lost: list[str] = []

    async def delete(self, events: Sequence[ReceivedEvent]) -> dict[str, str]:
        self.lost += [event.id for event in events if event.id not in self.supervisor.stored]
        return await super().delete(events)


@pytest.fixture
def supervisor(monkeypatch: pytest.MonkeyPatch) -> Supervisor:
    supervisor = Supervisor()
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", supervisor, raising=False)
    monkeypatch.setattr("airflow_cwevents._airflow.event_streams._CHECK_SECONDS", 0)
    return supervisor


@pytest.fixture
def guarded(queue: FakeQueue, supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch) -> GuardedQueue:
    guarded = GuardedQueue(supervisor)
    monkeypatch.setattr("airflow_cwevents.triggers.event_queue.ThreadedQueue", lambda open_queue, url: guarded)
    return guarded


def drive(supervisor: Supervisor, scenario: Callable[[Runner], Awaitable[None]], **arguments: Any) -> None:
    async def main() -> None:
        runner = Runner(supervisor)
        trigger = EventQueueTrigger(**{"queue_url": URL} | arguments)
        tasks = [asyncio.create_task(runner.run_trigger(trigger)), asyncio.create_task(runner.arun())]
        try:
            await scenario(runner)
        finally:
            for task in tasks:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())


async def eventually(condition: Callable[[], Any]) -> None:
    """Wait for a condition that depends on a thread."""
    while not condition():
        await asyncio.sleep(0.001)


def test_message_is_deleted_only_after_its_event_is_stored(guarded: GuardedQueue, supervisor: Supervisor) -> None:
    async def scenario(runner: Runner) -> None:
        guarded.answers = [[message(1), message(2)], [message(3)]]
        await eventually(lambda: len(guarded.deleted) == 3)
        assert guarded.lost == []
        assert supervisor.stored == ["event-1", "event-2", "event-3"]

    drive(supervisor, scenario)


def test_no_request_is_made_before_the_runner_has_sent_the_events(
    guarded: GuardedQueue, supervisor: Supervisor
) -> None:
    async def scenario(runner: Runner) -> None:
        runner.may_sync = False
        guarded.answers = [[message(1)]]
        await until(lambda: runner.events)
        for _ in range(1000):
            await asyncio.sleep(0)
        assert supervisor.requests == []
        assert guarded.deleted == []
        runner.may_sync = True
        await eventually(lambda: guarded.deleted)
        assert guarded.lost == []
        assert supervisor.requests[0] == "events"
        # it must have no effect, in any version of Airflow
        assert supervisor.requests[1] == comms.MaskSecret(value="", name=None)

    drive(supervisor, scenario)


def test_end_puts_back_what_is_not_stored(guarded: GuardedQueue, supervisor: Supervisor) -> None:
    async def scenario(runner: Runner) -> None:
        runner.may_sync = False
        guarded.answers = [[message(2)]]
        await until(lambda: runner.events)

    drive(supervisor, scenario)
    assert guarded.deleted == []
    assert guarded.hidden == [("handle-2-1", 0)]
    assert guarded.is_closed


def test_messages_stay_if_the_supervisor_does_not_answer(
    guarded: GuardedQueue, supervisor: Supervisor, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(runner: Runner) -> None:
        runner.may_sync = False
        guarded.answers = [[message(1)]]
        await until(lambda: runner.events)
        supervisor.failing = ConnectionError("it ended")
        runner.events.clear()
        await eventually(lambda: caplog.records)
        assert guarded.deleted == []

    drive(supervisor, scenario)
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert guarded.hidden == [("handle-1-1", 0)]


@pytest.mark.parametrize(
    ("unmatched", "deleted", "hidden"), [("keep", [], [("handle-1-1", 5)]), ("delete", ["handle-1-1"], [])]
)
def test_unmatched_message_is_kept_or_deleted(
    guarded: GuardedQueue,
    supervisor: Supervisor,
    unmatched: str,
    deleted: list[str],
    hidden: list[tuple[str, int]],
) -> None:
    async def scenario(runner: Runner) -> None:
        guarded.answers = [[message(1, event(1, source="other"))]]
        await until(lambda: guarded.deleted or guarded.hidden)
        assert (guarded.deleted, guarded.hidden) == (deleted, hidden)

    drive(supervisor, scenario, event_pattern=SHOP, unmatched=unmatched)


def test_first_event_can_be_taken_without_a_triggerer(guarded: GuardedQueue) -> None:
    """As ``dag.test()`` does."""

    async def first() -> Any:
        guarded.answers = [[message(1)]]
        trigger_event = await anext(EventQueueTrigger(queue_url=URL).run())
        return trigger_event.payload

    assert asyncio.run(first()) == event(1)
    assert guarded.deleted == []
