"""Log the progress of a long send every few seconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from airflow_cwevents._aws.logger import counted

if TYPE_CHECKING:
    from airflow_cwevents._aws.logger import Logger

SECONDS_BETWEEN_LINES = 10.0


class ProgressLog:
    """
    Logs the progress of a send: the number of events sent and in total, the rate, and the time left.

    :param log: the logger.
    :param total: the number of entries; None if unknown.
    :param done: how many a previous attempt sent.
    :param clock: seconds, as :func:`time.monotonic` returns them.
    """

    def __init__(
        self,
        log: Logger,
        total: int | None,
        done: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log
        self._total = total
        self._done_before = done
        self._clock = clock
        self._began_at = self._logged_at = clock()
        #: How many entries were sent or failed; updated by the caller.
        self.seen = 0

    @property
    def seconds(self) -> float:
        """The time since the start, in seconds."""
        return self._clock() - self._began_at

    def tick(self, failed: int) -> None:
        """
        Log a line if one is due.

        :param failed: how many have failed so far.
        """
        if self._clock() - self._logged_at >= SECONDS_BETWEEN_LINES:
            self._logged_at = self._clock()
            self._log.info("%s", self._line(failed))

    def _line(self, failed: int) -> str:
        rate = self.seen / (self.seconds or 1e-9)
        done = self._done_before + self.seen
        parts = [f"{counted(done - failed, 'event')} sent"]
        if self._total is not None:
            parts = [
                f"{done - failed:,} of {counted(self._total, 'event')} sent",
                f"{(self._total - done) / rate:,.0f} s left",
            ]
        return ", ".join([*parts, f"{rate:,.0f} events/s", f"{failed:,} failed"])
