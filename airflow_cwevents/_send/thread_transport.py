"""A transport that sends through botocore, in as many threads as there are requests at a time."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from airflow_cwevents._send.transport import Answer, Request
from airflow_cwevents._send.workers import Workers

PutEvents = Callable[[Sequence[Mapping[str, Any]]], Mapping[str, Any]]


class ThreadTransport:
    """
    Calls a function in threads.

    :param put_events: sends the entries of a request, as boto3's ``put_events(Entries=…)`` does, from any thread.
    :param clock: seconds, as :func:`time.monotonic` returns them.
    """

    def __init__(self, put_events: PutEvents, clock: Callable[[], float] = time.monotonic) -> None:
        self._put_events = put_events
        self._clock = clock
        self._workers: Workers[Request, Sequence[Answer]] = Workers(self._perform)
        self._taken: deque[Answer] = deque()
        self._closed = False

    @property
    def in_flight(self) -> int:
        """How many requests were submitted, and not taken as an answer yet."""
        return self._workers.busy + len(self._taken)

    def submit(self, request: Request) -> None:
        """Have a request sent by the next free thread."""
        self._workers.submit(request)

    def wait(self, timeout: float | None) -> None:
        """
        Wait until there is an answer, or :meth:`wake` is called.

        :param timeout: the maximum time to wait, in seconds; None for no maximum.
        """
        self._workers.wait(timeout)

    def take(self) -> Answer | None:
        """Return an answer that was not returned before; None if there is none yet."""
        while not self._taken and (answers := self._workers.take()) is not None:
            self._taken.extend(answers)  # none, if the request was dropped
        return self._taken.popleft() if self._taken else None

    def wake(self) -> None:
        """End the current call of :meth:`wait`, or the next one; safe in a signal handler."""
        self._workers.wake()

    def close(self) -> None:
        """Begin no further request; those in flight are still answered."""
        self._closed = True
        self._workers.close()

    def _perform(self, request: Request) -> Sequence[Answer]:
        if self._closed:
            return ()
        begin = time.perf_counter()
        answer = Answer(request, 0.0, 0.0)
        try:
            answer.response = self._put_events(request.entries)
        except Exception as error:
            answer.error = error
        answer.seconds = time.perf_counter() - begin
        answer.answered_at = self._clock()
        return (answer,)
