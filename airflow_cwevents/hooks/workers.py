"""Threads that call a function, and a queue that its results come back on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")


class Workers(Generic[Job, Result]):
    """
    Runs jobs in threads, as many threads as there are jobs at a time.

    Unlike an executor's, the threads are daemons: a task that is stopped does not wait for a request that hangs. And
    its queues are :class:`~queue.SimpleQueue`, whose ``put`` may be called from a signal handler.

    :param function: what to do with a job; it must not raise.
    """

    def __init__(self, function: Callable[[Job], Result]) -> None:
        self._function = function
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._results: SimpleQueue[Result | None] = SimpleQueue()
        self._threads = 0
        self.busy = 0

    def submit(self, job: Job) -> None:
        """Have a job done by the next free thread."""
        self.busy += 1
        if self.busy > self._threads:
            self._threads += 1
            threading.Thread(target=self._run, name=f"put-events-{self._threads}", daemon=True).start()
        self._jobs.put(job)

    def results(self, timeout: float | None) -> list[Result]:
        """
        Wait for results.

        :param timeout: how long at most, in seconds; None for as long as it takes.
        :return: those that have come; none if the time is over, or :meth:`wake` was called.
        """
        done: list[Result] = []
        try:
            result = self._results.get(timeout=timeout)
            while result is not None:
                done.append(result)
                result = self._results.get_nowait()
        except Empty:
            pass
        self.busy -= len(done)
        return done

    def wake(self) -> None:
        """End a call of :meth:`results` early; safe in a signal handler."""
        self._results.put(None)

    def close(self) -> None:
        """Let the threads end when they have done what they are at, without waiting for them."""
        for _ in range(self._threads):
            self._jobs.put(None)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._results.put(self._function(job))
