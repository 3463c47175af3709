"""Keep failed entries until they are due for a retry."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_cwevents._send.entries import SizedEntry
    from airflow_cwevents._send.options import SendOptions

# The wait doubles with each attempt, up to a maximum; in seconds.
FIRST_WAIT_SECONDS = 0.2
MAX_WAIT_SECONDS = 20.0


def backoff_seconds(failures: int) -> float:
    """
    Return how long to wait before the next attempt, with full jitter.

    :param failures: how many attempts have failed, from 1.
    :return: seconds.

    .. seealso:: https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
    """
    longest = min(MAX_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2.0 ** min(failures - 1, 32))
    return random.uniform(0, longest)  # noqa: S311 - jitter is no secret


class RetryQueue:
    """
    Keeps failed entries until they are due for a retry.

    :param options: how often and for how long an entry is retried.
    :param wait: returns the seconds before the next attempt, by the number of failures.
    :param clock: seconds, as :func:`time.monotonic` returns them.
    """

    def __init__(self, options: SendOptions, wait: Callable[[int], float], clock: Callable[[], float]) -> None:
        self._options = options
        self._wait = wait
        self._clock = clock
        self._entries: list[tuple[float, int, SizedEntry]] = []

    def add(self, item: SizedEntry, max_wait: float = inf) -> bool:
        """
        Record a failure of an entry, and queue it unless its attempts or its time are used up.

        :param item: the entry.
        :param max_wait: the maximum wait before the next attempt, in seconds.
        :return: whether it is queued; if not, it has failed permanently.
        """
        now = self._clock()
        item.failed_since = item.failed_since or now
        item.failures += 1
        if item.failures >= self._options.max_attempts:
            return False
        due = now + min(self._wait(item.failures), max_wait)
        if due - item.failed_since > self._options.max_retry_seconds:
            return False
        heapq.heappush(self._entries, (due, item.position, item))
        return True

    def pop_due(self) -> SizedEntry | None:
        """Remove and return the entry that has been due the longest; None if none is due."""
        if self._entries and self._entries[0][0] <= self._clock():
            return heapq.heappop(self._entries)[2]
        return None

    def seconds_until_due(self) -> float | None:
        """Return the seconds until the next entry is due; None if the queue is empty."""
        return max(0.0, self._entries[0][0] - self._clock()) if self._entries else None
