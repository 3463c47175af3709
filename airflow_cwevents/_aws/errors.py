"""AWS's errors: code and message, whether they are transient, and their translation into own errors."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from botocore.exceptions import (
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's, which Python's is not
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    TokenRetrievalError,
)

from airflow_cwevents._aws.arns import DEFAULT_EVENT_BUS
from airflow_cwevents._aws.limits import QUOTA_CODE, THROTTLING_CODES, TRANSIENT_REQUEST_CODES
from airflow_cwevents.exceptions import (
    EventBusNotFoundError,
    InvalidEventPatternError,
    LimitExceededError,
    ManagedRuleError,
    RuleNotFoundError,
)

_NOT_FOUND_CODES = frozenset(
    {
        "AWS.SimpleQueueService.NonExistentQueue",
        "NotFound",
        "NotFoundException",
        "QueueDoesNotExist",
        "ResourceNotFoundException",
    }
)

# AWS, or the source of the credentials, cannot be reached at the moment.
_TRANSIENT_ERRORS = (
    HTTPClientError,
    ConnectionError,
    CredentialRetrievalError,
    NoCredentialsError,
    TokenRetrievalError,
)
# By operation, the exceeded quota, and an alternative to a higher one.
_QUOTAS: Mapping[str, tuple[str, str]] = {
    "PutRule": ("rules, or of rules with wildcards, per event bus", "Delete rules that are no longer needed"),
    "PutTargets": ("targets per rule", "Put some on a second rule with the same pattern"),
}
_QUOTED_VALUE = re.compile(r"Value '.*' at '", re.DOTALL)
_MESSAGE_LENGTH = 300


def code_of(error: BaseException) -> str | None:
    """Return the error code of a ClientError, None for any other error."""
    return str(error.response.get("Error", {}).get("Code")) if isinstance(error, ClientError) else None


def message_of(error: BaseException) -> str:
    """Return the message of a ClientError as AWS wrote it; for any other error, its string."""
    return str(error.response.get("Error", {}).get("Message", error)) if isinstance(error, ClientError) else str(error)


def error_code(error: Exception) -> str:
    """Return the error code of a ClientError; for any other error, the name of its class."""
    return code_of(error) or type(error).__name__


def error_message(error: Exception) -> str:
    """Return the message of any error, shortened; for an empty one, the error's string."""
    return shortened(message_of(error) or str(error))


def shortened(message: str) -> str:
    """Return a message of AWS's without the values that it quotes, as payloads must not get into logs."""
    message = _QUOTED_VALUE.sub("The value at '", message)
    return message if len(message) <= _MESSAGE_LENGTH else f"{message[: _MESSAGE_LENGTH - 1]}…"


def is_transient(error: Exception) -> bool:
    """Return whether an error is transient: the same request may succeed later."""
    if not isinstance(error, ClientError):
        return isinstance(error, _TRANSIENT_ERRORS)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status >= 500 or is_throttling(error) or code_of(error) in TRANSIENT_REQUEST_CODES


def is_throttling(error: Exception) -> bool:
    """Return whether AWS throttled a whole request."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") if isinstance(error, ClientError) else 0
    return status == 429 or code_of(error) in THROTTLING_CODES


def is_not_found(error: BaseException) -> bool:
    """Return whether an error means that a queue, topic, function or log group does not exist."""
    return code_of(error) in _NOT_FOUND_CODES


def is_conflict(error: BaseException) -> bool:
    """Return whether the rule was changed concurrently, which botocore does not retry."""
    return code_of(error) == "ConcurrentModificationException"


@contextmanager
def rule_errors(rule: str, event_bus_name: str | None, managed_remedy: str) -> Iterator[None]:
    """
    Translate AWS's errors about a rule.

    :param rule: the rule's name.
    :param event_bus_name: its bus; None for the default bus.
    :param managed_remedy: the remedy if the rule belongs to an AWS service.
    :raises RuleNotFoundError: if the rule does not exist.
    :raises EventBusNotFoundError: if the bus does not exist.
    :raises ManagedRuleError: if the rule belongs to an AWS service.
    :raises LimitExceededError: if a quota is used up.
    """
    try:
        yield
    except ClientError as error:
        if code_of(error) == "ManagedRuleException":
            raise ManagedRuleError(rule, None, managed_remedy) from error
        if code_of(error) == QUOTA_CODE and error.operation_name in _QUOTAS:
            quota, remedy = _QUOTAS[error.operation_name]
            raise LimitExceededError(rule, quota, message_of(error), remedy) from error
        if code_of(error) != "ResourceNotFoundException":
            raise
        if event_bus_name and message_of(error).lower().startswith("event bus"):
            raise EventBusNotFoundError(event_bus_name) from error
        raise RuleNotFoundError(rule, event_bus_name or DEFAULT_EVENT_BUS) from error


@contextmanager
def bus_errors(event_bus_name: str | None) -> Iterator[None]:
    """
    Translate AWS's errors about an event bus.

    :param event_bus_name: the bus; None for the default bus, which always exists.
    :raises EventBusNotFoundError: if the bus does not exist.
    """
    try:
        yield
    except ClientError as error:
        if event_bus_name and code_of(error) == "ResourceNotFoundException":
            raise EventBusNotFoundError(event_bus_name) from error
        raise


@contextmanager
def pattern_errors() -> Iterator[None]:
    """
    Translate AWS's errors about event patterns, for rules that only AWS can check.

    :raises InvalidEventPatternError: if AWS rejects the pattern.
    """
    try:
        yield
    except ClientError as error:
        if code_of(error) != "InvalidEventPatternException":
            raise
        reason = message_of(error).removeprefix("Event pattern is not valid. Reason: ")
        raise InvalidEventPatternError("", reason, "Correct the pattern") from error
