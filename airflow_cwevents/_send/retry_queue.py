"""Entries that failed and are sent again."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_cwevents._send.entries import SizedEntry
    from airflow_cwevents._send.options import SendOptions

# From attempt to attempt the wait doubles, up to a maximum; in seconds.
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
    Keeps entries until they are due to be sent again.

    :param options: how often and for how long an entry is sent again.
    :param wait: returns the seconds before the next attempt, by the number of failures.
    :param clock: seconds, as :func:`time.monotonic` returns them.
    """

    def __init__(self, options: SendOptions, wait: Callable[[int], float], clock: Callable[[], float]) -> None:
        self._options = options
        self._wait = wait
        self._clock = clock
        self._entries: list[tuple[float, int, SizedEntry]] = []

    def add(self, item: SizedEntry, *, retry: bool) -> bool:
        """
        Count a failure of an entry, and keep it if it is to be sent again.

        :param item: the entry.
        :param retry: whether another attempt may succeed.
        :return: whether it is kept; if not, it has failed for good.
        """
        now = self._clock()
        item.failed_since = item.failed_since or now
        item.failures += 1
        if not retry or item.failures >= self._options.max_attempts:
            return False
        due = now + self._wait(item.failures)
        if due - item.failed_since > self._options.max_retry_seconds:
            return False
        heapq.heappush(self._entries, (due, item.position, item))
        return True

    def pop_due(self) -> SizedEntry | None:
        """Return the entry that has been due for longest, and remove it; None if none is due."""
        if self._entries and self._entries[0][0] <= self._clock():
            return heapq.heappop(self._entries)[2]
        return None

    def seconds_until_due(self) -> float | None:
        """Return when the next entry is due, in seconds from now; None if there is none."""
        return max(0.0, self._entries[0][0] - self._clock()) if self._entries else None
