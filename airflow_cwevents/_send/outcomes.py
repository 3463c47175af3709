"""What answers mean for the entries of a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from airflow_cwevents._aws.errors import error_code, error_message, is_throttling, is_transient, shortened
from airflow_cwevents._aws.limits import RETRYABLE_ENTRY_CODES, THROTTLING_CODES

MISSING_RESULT = "MissingResult"
_TOO_LARGE_CODES = frozenset({"ValidationException", "413"})


@dataclass(frozen=True, slots=True)
class Failure:
    """
    Why an entry was not accepted.

    :ivar code: AWS's error code, or the name of an error.
    :ivar message: the same in words, without payloads.
    :ivar retry: whether the sender sends the entry again.
    :ivar transient: whether another attempt may succeed, also where the sender makes none itself.
    """

    code: str
    message: str
    retry: bool
    transient: bool

    @property
    def is_throttling(self) -> bool:
        """Whether AWS accepts the same entry at a lower rate."""
        return self.code in THROTTLING_CODES


def entry_failure(result: Mapping[str, Any]) -> Failure:
    """
    Explain an entry of a successful request that was not accepted.

    :param result: the entry's result, without ``EventId``; empty if the response has none for it.
    :return: why.
    """
    code = result.get("ErrorCode") or MISSING_RESULT
    message = shortened(result.get("ErrorMessage") or "AWS's response has no result for this entry")
    retry = code in RETRYABLE_ENTRY_CODES or code == MISSING_RESULT
    return Failure(code, message, retry, retry)


def request_failure(error: Exception) -> Failure:
    """
    Explain a request that failed as a whole.

    :param error: what boto3 raised.
    :return: why, for each of its entries.
    """
    # botocore has retried its own errors already, but for a response that it cannot parse
    retry = not isinstance(error, BotoCoreError | ClientError) or isinstance(error, ResponseParserError)
    retry = retry or is_throttling(error)  # which the fast lane reports at once
    return Failure(error_code(error), error_message(error), retry, retry or is_transient(error))


def is_too_large(failure: Failure, entries: int) -> bool:
    """
    Return whether a request should be sent in halves, so that one entry does not cost the others their place.

    A region with a lower limit refuses whole requests as well.
    """
    return failure.code in _TOO_LARGE_CODES and entries > 1
