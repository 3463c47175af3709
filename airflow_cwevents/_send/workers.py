"""A transport that sends each request in a thread, through a boto3 client."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any

from airflow_cwevents._send.transport import Answer, Request

# With more threads than these, the interpreter must have time to spare: they would only get into each other's way.
FREE_THREADS = 16
# The share of one core, which is what Python threads have between them, and how often it is measured, in seconds.
SPARE_CPU_SHARE = 0.85
SAMPLE_SECONDS = 0.05

PutEvents = Callable[[list[Mapping[str, Any]]], Mapping[str, Any]]


class ThreadTransport:
    """
    Sends requests in as many threads as there are requests in flight, or as the CPU can serve.

    Unlike an executor's, the threads are daemons: a stopped task does not wait for a request that hangs. Its
    queues are :class:`~queue.SimpleQueue`, whose ``put`` may be called from a signal handler.

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
        self._cpu = _CpuShare()
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
        if self._in_flight > self._threads and (self._threads < FREE_THREADS or self._cpu.is_spare()):
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
            while True:  # one wake-up is enough for all signs
                self._signs.get_nowait()

    def take(self) -> Answer | None:
        """Return an answer, or None. Only this removes answers: an exception in :meth:`wait` loses none."""
        while self._done:
            self._in_flight -= 1
            if (answer := self._done.popleft()) is not None:
                return answer
        return None

    def wake(self) -> None:
        """End a call of :meth:`wait` early; safe in a signal handler."""
        self._signs.put(None)

    def close(self) -> None:
        """Start no further request; threads end once theirs are answered, and are not waited for."""
        self._closed = True
        for _ in range(self._threads):
            self._requests.put(None)

    def _run(self) -> None:
        while (request := self._requests.get()) is not None:
            self._done.append(None if self._closed else self._answer(request))
            self._signs.put(None)

    def _answer(self, request: Request) -> Answer:
        response, error = None, None
        try:
            response = self._put_events(list(request.entries))
        except Exception as raised:
            error = raised
        return Answer(request, self._clock(), response, error)


class _CpuShare:
    """How much of a core the process uses."""

    def __init__(self) -> None:
        self._sampled_at = time.perf_counter()
        self._cpu_sampled = time.process_time()
        self._share = 1.0

    def is_spare(self) -> bool:
        """Return whether more threads could use the CPU."""
        elapsed = time.perf_counter() - self._sampled_at
        if elapsed >= SAMPLE_SECONDS:
            cpu = time.process_time()
            self._share = (cpu - self._cpu_sampled) / elapsed
            self._sampled_at += elapsed
            self._cpu_sampled = cpu
        return self._share < SPARE_CPU_SHARE
