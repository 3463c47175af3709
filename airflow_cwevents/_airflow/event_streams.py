"""
How a trigger learns that Airflow has stored its event.

Airflow 3.3 has shared streams, which acknowledge. Before, nothing does; but a trigger can find out:

- the trigger runner keeps events in a deque, and sends them all to its supervisor about once a second;
- the supervisor reads one request at a time, answers it, and then stores the events that it has read;
- so once an event has left the deque, the answer to any later request proves that the event is stored.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from asgiref.sync import sync_to_async

if TYPE_CHECKING:
    from airflow.triggers.base import TriggerEvent

T = TypeVar("T")

# One is enough in the versions that we know.
_ROUND_TRIPS = 2
_CHECK_SECONDS = 0.2


async def call_in_thread(function: Callable[[], T]) -> T:
    """
    Call a blocking function that may read connections or variables of Airflow.

    In Airflow 3.0 and 3.1 these come over a socket that threads may use in this way only.
    """
    return await sync_to_async(function)()


class StoredEvents:
    """
    Call back when an event is stored that a trigger's ``run`` has yielded.

    :param sleep: waits a number of seconds.
    """

    def __init__(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._sleep = sleep
        self._yielded: list[tuple[TriggerEvent, Callable[[], None]]] = []
        self._added = asyncio.Event()

    def add(self, event: TriggerEvent, when_stored: Callable[[], None]) -> None:
        """
        Register an event. To be called when the generator is resumed, as the runner has taken the event by then.

        :param event: the event.
        :param when_stored: called when it is stored.
        """
        self._yielded.append((event, when_stored))
        self._added.set()

    async def run(self) -> None:
        """
        Call back for each event that is added, until cancelled.

        :raises RuntimeError: if this is not Airflow's triggerer, so nothing is known about its events.
        """
        while True:
            await self._added.wait()
            self._added.clear()
            batch, self._yielded = self._yielded, []
            await self._until_stored([event for event, _ in batch])
            for _, when_stored in batch:
                when_stored()

    async def _until_stored(self, events: Sequence[TriggerEvent]) -> None:
        runner = _trigger_runner()
        waiting = {id(event) for event in events}
        while any(id(entry[1]) in waiting for entry in runner.events):
            await self._sleep(_CHECK_SECONDS)
        for _ in range(_ROUND_TRIPS):
            await _make_round_trip()


def _trigger_runner() -> Any:
    """Return the runner of this process's triggers, which is a local variable of its own task."""
    from airflow.jobs.triggerer_job_runner import TriggerRunner

    for task in asyncio.all_tasks():
        coroutine = task.get_coro()
        runner = inspect.getcoroutinelocals(coroutine).get("self") if inspect.iscoroutine(coroutine) else None
        if isinstance(runner, TriggerRunner):
            return runner
    raise RuntimeError("this process does not run Airflow's triggerer")


async def _make_round_trip() -> None:
    """Send the supervisor a request that has no effect, and wait for its answer."""
    from airflow.sdk.execution_time import task_runner
    from airflow.sdk.execution_time.comms import MaskSecret

    await call_in_thread(lambda: task_runner.SUPERVISOR_COMMS.send(MaskSecret(value="")))
