"""The transport that sends each request in a thread, through a client of boto3."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any

from airflow_cwevents._send.transport import Answer, Request

PutEvents = Callable[[list[Mapping[str, Any]]], Mapping[str, Any]]


class ThreadTransport:
    """
    Sends requests in as many threads as there are requests in flight.

    Unlike an executor's, the threads are daemons: a task that is stopped does not wait for a request that hangs. And
    its queues are :class:`~queue.SimpleQueue`, whose ``put`` may be called from a signal handler.

    :param put_events: puts up to ten entries, as boto3's ``put_events(Entries=…)`` does, from any thread.
    :param clock: seconds, as :func:`time.monotonic` returns them.
    """

    def __init__(self, put_events: PutEvents, clock: Callable[[], float] = time.monotonic) -> None:
        self._put_events = put_events
        self._clock = clock
        self._requests: SimpleQueue[Request | None] = SimpleQueue()
        self._done: deque[Answer | None] = deque()
        self._signs: SimpleQueue[None] = SimpleQueue()
        self._threads = 0
        self._closed = False
        self._in_flight = 0

    @property
    def in_flight(self) -> int:
        """How many requests were submitted, and neither taken as an answer nor dropped."""
        return self._in_flight

    @property
    def has_answers(self) -> bool:
        """Whether :meth:`take` may return one."""
        return bool(self._done)

    def submit(self, request: Request) -> None:
        """Send a request in the next free thread."""
        self._in_flight += 1
        if self._in_flight > self._threads:
            self._threads += 1
            threading.Thread(target=self._run, name=f"put-events-{self._threads}", daemon=True).start()
        self._requests.put(request)

    def wait(self, timeout: float | None) -> None:
        """
        Wait until there is an answer, or :meth:`wake` is called.

        :param timeout: the maximum time to wait, in seconds; None for no maximum.
        """
        with suppress(Empty):
            self._signs.get(timeout=timeout)
            while True:  # one look is enough for all that are there
                self._signs.get_nowait()

    def take(self) -> Answer | None:
        """Return an answer, None if there is none. Only this removes one: an exception in :meth:`wait` loses none."""
        while self._done:
            self._in_flight -= 1
            if (answer := self._done.popleft()) is not None:
                return answer
        return None

    def wake(self) -> None:
        """End a call of :meth:`wait` early; safe in a signal handler."""
        self._signs.put(None)

    def close(self) -> None:
        """Begin no further request, and let the threads end when theirs are answered, without waiting for them."""
        self._closed = True
        for _ in range(self._threads):
            self._requests.put(None)

    def _run(self) -> None:
        while (request := self._requests.get()) is not None:
            self._done.append(None if self._closed else self._answer(request))
            self._signs.put(None)

    def _answer(self, request: Request) -> Answer:
        begin = time.perf_counter()
        response, error = None, None
        try:
            response = self._put_events(list(request.entries))
        except Exception as raised:
            error = raised
        return Answer(request, time.perf_counter() - begin, self._clock(), response, error)
