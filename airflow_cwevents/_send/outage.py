"""Detect an outage: no request has succeeded for minutes."""

from __future__ import annotations

# Sending stops if all requests have failed for this long.
OUTAGE_SECONDS = 300.0


class OutageWatch:
    """Detects when all requests have failed for so long that further retries are pointless."""

    def __init__(self) -> None:
        self._failing_since: float | None = None

    def on_success(self) -> None:
        """Record a successful request."""
        self._failing_since = None

    def on_failure(self, failed_at: float) -> bool:
        """
        Record a transient failure of a request.

        :param failed_at: when, in seconds of the sender's clock.
        :return: whether it is an outage.
        """
        if self._failing_since is None:
            self._failing_since = failed_at
        return failed_at - self._failing_since > OUTAGE_SECONDS
