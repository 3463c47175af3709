"""An outage: for minutes, no request succeeds."""

from __future__ import annotations

# So long after requests began to fail, without one that succeeded since, no more are sent.
OUTAGE_SECONDS = 300.0


class OutageWatch:
    """Notices when requests have only failed for so long that each of millions of entries would wait in vain."""

    def __init__(self) -> None:
        self._failing_since: float | None = None

    def on_success(self) -> None:
        """Note that a request succeeded."""
        self._failing_since = None

    def on_failure(self, failed_at: float) -> bool:
        """
        Note that a request failed transiently.

        :param failed_at: when, in seconds of the sender's clock.
        :return: whether it is an outage.
        """
        if self._failing_since is None:
            self._failing_since = failed_at
        return failed_at - self._failing_since > OUTAGE_SECONDS
