"""Interpret responses and errors for the entries of a request."""

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
    :ivar message: the error message, without payloads.
    :ivar retry: whether the sender retries the entry.
    :ivar transient: whether another attempt may succeed, even if the sender does not retry it.
    :ivar is_throttling: whether AWS would accept the entry at a lower rate.
    """

    code: str
    message: str
    retry: bool
    transient: bool
    is_throttling: bool = False


def entry_failure(result: Mapping[str, Any]) -> Failure:
    """
    Return why an entry of a successful request was not accepted.

    :param result: the entry's result, without ``EventId``; empty if the response has none for it.
    :return: the failure.
    """
    code = result.get("ErrorCode") or MISSING_RESULT
    message = shortened(result.get("ErrorMessage") or "AWS's response has no result for this entry")
    retry = code in RETRYABLE_ENTRY_CODES or code == MISSING_RESULT
    return Failure(code, message, retry, retry, code in THROTTLING_CODES)


def request_failure(error: Exception) -> Failure:
    """
    Return why a request failed as a whole.

    :param error: what boto3 raised.
    :return: the failure, which applies to each of its entries.
    """
    throttled = is_throttling(error)
    # botocore has already retried its own errors, except throttling and a response that it cannot parse
    retry = throttled or not isinstance(error, BotoCoreError | ClientError) or isinstance(error, ResponseParserError)
    return Failure(error_code(error), error_message(error), retry, retry or is_transient(error), throttled)


def is_too_large(failure: Failure, entries: int) -> bool:
    """
    Return whether to split a request in halves, so that one large entry does not fail the others.

    A region with a lower limit also rejects whole requests.
    """
    return failure.code in _TOO_LARGE_CODES and entries > 1
