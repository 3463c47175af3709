"""Jittered back-off while requests fail, and one log line for each outage."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_cwevents._aws.logger import Logger

FIRST_WAIT_SECONDS = 1.0
MAX_WAIT_SECONDS = 30.0


class Outage:
    """
    Whether requests fail at the moment, and how long to wait before another attempt.

    :param log: the logger.
    :param activity: what fails, for the log, such as ``receive messages``.
    :param queue_url: the queue's URL, for the log.
    :param max_wait: the maximum wait, in seconds.
    """

    def __init__(self, log: Logger, activity: str, queue_url: str, max_wait: float = MAX_WAIT_SECONDS) -> None:
        self._log = log
        self._activity = activity
        self._queue_url = queue_url
        self._max_wait = max_wait
        self._attempts = 0
        self._reason: str | None = None

    def failed(self, error: Exception) -> float:
        """
        Register a failure; log it if the outage, or its reason, is new.

        :param error: why the request failed.
        :return: how long to wait, in seconds: half to all of an exponential back-off.
        """
        from airflow_cwevents._aws.errors import error_code, error_message  # boto3, which DAG files must not import

        if self._reason != error_code(error):
            self._reason = error_code(error)
            reason = f"{self._reason}: {error_message(error)}"
            self._log.warning("Cannot %s (%s), trying again: %s", self._activity, reason, self._queue_url)
        wait = min(self._max_wait, FIRST_WAIT_SECONDS * 2.0 ** min(self._attempts, 10))
        self._attempts += 1
        return wait * random.uniform(0.5, 1.0)  # noqa: S311 - it protects nothing

    def ended(self) -> None:
        """Register a success; log it if it ends an outage."""
        if self._reason is not None:
            self._log.info("Can %s again: %s", self._activity, self._queue_url)
        self._attempts = 0
        self._reason = None
