"""Threads that call a function, and hand its results back."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
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
        self._done: deque[Result] = deque()
        self._signs: SimpleQueue[None] = SimpleQueue()
        self._threads = 0
        self.busy = 0

    def submit(self, job: Job) -> None:
        """Have a job done by the next free thread."""
        self.busy += 1
        if self.busy > self._threads:
            self._threads += 1
            threading.Thread(target=self._run, name=f"put-events-{self._threads}", daemon=True).start()
        self._jobs.put(job)

    @property
    def have_results(self) -> bool:
        """Whether :meth:`take` would give one."""
        return bool(self._done)

    def wait(self, timeout: float | None) -> None:
        """
        Wait for a result.

        :param timeout: how long at most, in seconds; None until there is one, or :meth:`wake` is called.
        """
        with suppress(Empty):
            self._signs.get(timeout=timeout)
            while True:  # one look is enough for all that are there
                self._signs.get_nowait()

    def take(self) -> Result | None:
        """Return a result, None if there is none. Only this takes one away: an exception in :meth:`wait` loses none."""
        if not self._done:
            return None
        self.busy -= 1
        return self._done.popleft()

    def wake(self) -> None:
        """End a call of :meth:`wait` early; safe in a signal handler."""
        self._signs.put(None)

    def close(self) -> None:
        """Let the threads end when they have done what they are at, without waiting for them."""
        for _ in range(self._threads):
            self._jobs.put(None)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._done.append(self._function(job))
            self._signs.put(None)
