"""Progress of a long send, logged every few seconds."""

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
    Logs the progress of a send: how many of how many, how fast, and for how much longer.

    :param log: where to.
    :param total: how many entries there are; None if that is not known.
    :param done: how many were sent before.
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
        #: How many entries were sent, or failed; to be counted by who sees them.
        self.seen = 0

    @property
    def seconds(self) -> float:
        """How long it has taken so far, in seconds."""
        return self._clock() - self._began_at

    def tick(self, failed: int) -> None:
        """
        Log a line if it is time.

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
