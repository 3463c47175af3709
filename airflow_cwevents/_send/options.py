"""Options of a send, validated."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_cwevents._aws.limits import MAX_REQUEST_BYTES
from airflow_cwevents.exceptions import InvalidInputError

MAX_CONCURRENCY = 256


@dataclass(frozen=True, slots=True)
class SendOptions:
    """
    Options of a send.

    :param max_bytes: the maximum size of a request's entries, in bytes; some regions still have 262,144.
    :param max_concurrency: the maximum number of requests in flight, 1 to 256.
    :param max_attempts: the maximum number of attempts for an entry.
    :param max_retry_seconds: how long after its first failure an entry is still retried, in seconds.
    :param max_events_per_second: the maximum rate, in events per second; None for as fast as AWS accepts.
    :raises InvalidInputError: if a value is out of range.
    """

    max_bytes: int = MAX_REQUEST_BYTES
    max_concurrency: int = 128
    max_attempts: int = 20
    max_retry_seconds: float = 300.0
    max_events_per_second: float | None = None

    def __post_init__(self) -> None:
        rate = self.max_events_per_second
        for name, valid, remedy in (
            ("max_bytes", self.max_bytes >= 1, "Use the maximum size of a request in your region, in bytes"),
            ("max_concurrency", 1 <= self.max_concurrency <= MAX_CONCURRENCY, f"Use 1 to {MAX_CONCURRENCY}"),
            ("max_attempts", self.max_attempts >= 1, "Use 1 or more; 1 disables retries"),
            ("max_retry_seconds", self.max_retry_seconds >= 0, "Use 0 or more seconds"),
            ("max_events_per_second", rate is None or rate > 0, "Use a positive number, or None"),
        ):
            if not valid:
                value = getattr(self, name)
                raise InvalidInputError(name, f"{value!r} is out of range", remedy, value)
