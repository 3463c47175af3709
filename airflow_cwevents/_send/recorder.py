"""Results of a run, recorded wherever they are needed, and summed up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_cwevents._send.checkpoint import Checkpoint
    from airflow_cwevents._send.entries import EntryResult
    from airflow_cwevents._send.failures import Failures
    from airflow_cwevents._send.progress import ProgressLog


@dataclass(frozen=True, slots=True)
class SendSummary:
    """
    The summary of a send.

    :ivar sent: how many entries were sent, in this attempt and the previous ones.
    :ivar failed: how many were not, and are tolerated.
    :ivar requests: how many requests this attempt made.
    :ivar bytes: the size of the entries in them, in bytes.
    :ivar seconds: how long this attempt took, in seconds.
    """

    sent: int
    failed: int
    requests: int
    bytes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class RunRecorder:
    """
    Records results.

    :param checkpoint: for a retry of the task.
    :param failures: for the error, and the file of failed entries.
    :param progress: for the log.
    """

    checkpoint: Checkpoint
    failures: Failures
    progress: ProgressLog

    def record(self, results: Iterable[EntryResult]) -> None:
        """Record results as they come."""
        for result in results:
            self.checkpoint.record(result.index, result.event_id)
            self.progress.seen += 1
            if result.event_id is None:
                self.failures.add(result)

    def tick(self) -> None:
        """Save and log what has been recorded, if it is time."""
        self.checkpoint.tick()
        self.progress.tick(self.failures.total)

    def close(self) -> None:
        """Save what has been recorded, and finish the file of failed entries."""
        self.checkpoint.save()
        self.failures.close()
