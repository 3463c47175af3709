"""How to send, checked."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_cwevents._aws.limits import MAX_REQUEST_BYTES
from airflow_cwevents.exceptions import InvalidInputError

MAX_CONCURRENCY = 256


@dataclass(frozen=True, slots=True)
class SendOptions:
    """
    How to send.

    :param max_bytes: the most that the entries of a request may measure, in bytes; some regions still have 262,144.
    :param max_concurrency: the most requests under way at a time, 1 to 256.
    :param max_attempts: how often an entry is sent at most, the first time included.
    :param max_retry_seconds: how long after its first failure an entry is sent again at most, in seconds.
    :param max_events_per_second: the most events a second; None for as many as AWS takes.
    :raises InvalidInputError: if one of them is out of range.
    """

    max_bytes: int = MAX_REQUEST_BYTES
    max_concurrency: int = 128
    max_attempts: int = 10
    max_retry_seconds: float = 300.0
    max_events_per_second: float | None = None

    def __post_init__(self) -> None:
        rate = self.max_events_per_second
        for name, valid, remedy in (
            ("max_bytes", self.max_bytes >= 1, "Give the bytes that a request of your region may hold"),
            ("max_concurrency", 1 <= self.max_concurrency <= MAX_CONCURRENCY, f"Give 1 to {MAX_CONCURRENCY}"),
            ("max_attempts", self.max_attempts >= 1, "Give 1 to send every entry once, or more"),
            ("max_retry_seconds", self.max_retry_seconds >= 0, "Give seconds, 0 or more"),
            ("max_events_per_second", rate is None or rate > 0, "Give a positive number, or None"),
        ):
            if not valid:
                value = getattr(self, name)
                raise InvalidInputError(name, f"{value!r} is out of range", remedy, value)
