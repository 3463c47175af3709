"""How fast a sender sends: as fast as the interpreter can, slower when AWS throttles, up to the maximum rate."""

from __future__ import annotations

import time
from collections.abc import Callable

INITIAL_CONCURRENCY = 4
# How often the concurrency is reconsidered, in seconds.
SAMPLE_SECONDS = 0.05
# Shares of one core, which is what Python threads have between them.
SPARE_CPU_SHARE = 0.85
BUSY_CPU_SHARE = 0.95


class Throttle:
    """
    Decides how many requests may be in flight, and when the next one may be sent.

    Concurrency doubles while the interpreter has time to spare, and shrinks while threads only get into each other's
    way. A throttled answer halves it, once for all requests that were in flight together, and holds everything
    back for a moment that grows with each further one. Every request has a number, in the order of sending.

    :param max_concurrency: the maximum number of requests in flight.
    :param max_events_per_second: the maximum rate, in events per second; None for as fast as AWS accepts.
    :param wait: how long to pause after AWS throttled, by the number of times in a row.
    :param clock: seconds, as :func:`time.monotonic` returns them.
    :param cpu_clock: seconds of CPU that the process used, as :func:`time.process_time` returns them.
    """

    def __init__(
        self,
        max_concurrency: int,
        max_events_per_second: float | None,
        wait: Callable[[int], float],
        clock: Callable[[], float] = time.monotonic,
        cpu_clock: Callable[[], float] = time.process_time,
    ) -> None:
        self.limit = float(min(INITIAL_CONCURRENCY, max_concurrency))
        self._max_concurrency = max_concurrency
        self._seconds_per_event = 1 / max_events_per_second if max_events_per_second else 0.0
        self._wait = wait
        self._clock = clock
        self._cpu_clock = cpu_clock
        self._sampled_at = clock()
        self._cpu_sampled = cpu_clock()
        self._sent = 0
        self._forgive_before = 0
        self._in_a_row = 0
        self._resume_at = 0.0

    def seconds_until_free(self) -> float:
        """Return how long to hold the next request back, in seconds; 0 if it may be sent."""
        return max(0.0, self._resume_at - self._clock()) if self._resume_at else 0.0

    def admits(self, in_flight: int) -> bool:
        """Return whether another request may be sent now."""
        return in_flight < int(self.limit) and not self.seconds_until_free()

    def on_send(self, events: int) -> int:
        """
        Register a request.

        :param events: how many events it carries.
        :return: its number.
        """
        if self._seconds_per_event:
            self._resume_at = max(self._resume_at, self._clock()) + events * self._seconds_per_event
        self._sent += 1
        return self._sent

    def on_answer(self, seconds: float) -> None:
        """
        Record the latency of a request.

        :param seconds: the time from sending to the answer.
        """
        now = self._clock()
        if (elapsed := now - self._sampled_at) >= SAMPLE_SECONDS:
            cpu = self._cpu_clock()
            self._adapt((cpu - self._cpu_sampled) / elapsed)
            self._sampled_at, self._cpu_sampled = now, cpu

    def on_success(self) -> None:
        """Record that AWS accepted a request."""
        self._in_a_row = 0

    def on_throttled(self, number: int) -> None:
        """
        Record that AWS throttled a request.

        :param number: the request's number.
        """
        if number <= self._forgive_before:
            return
        self._forgive_before = self._sent
        self._in_a_row += 1
        self.limit = max(1.0, self.limit / 2)
        self._resume_at = max(self._resume_at, self._clock() + self._wait(self._in_a_row))

    def _adapt(self, cpu_share: float) -> None:
        if cpu_share < SPARE_CPU_SHARE and not self._in_a_row:
            self.limit = min(self._max_concurrency, self.limit * 2)
        elif cpu_share > BUSY_CPU_SHARE:
            self.limit = max(1.0, self.limit - 1)
