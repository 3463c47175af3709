"""AWS's errors about rules, told in our own, with what to do about them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import ClientError

from airflow_cwevents.arns import DEFAULT_EVENT_BUS
from airflow_cwevents.exceptions import EventBusNotFoundError, ManagedRuleError, RuleNotFoundError


def code_of(error: BaseException) -> str | None:
    """Return the error code of a ClientError, None for any other error."""
    return str(error.response["Error"]["Code"]) if isinstance(error, ClientError) else None


def message_of(error: BaseException) -> str:
    """Return the message of a ClientError as AWS wrote it; for any other error, its text."""
    return str(error.response["Error"].get("Message", error)) if isinstance(error, ClientError) else str(error)


@contextmanager
def rule_errors(rule: str, event_bus_name: str | None, managed_remedy: str) -> Iterator[None]:
    """
    Translate AWS's errors about a rule.

    :param rule: the rule's name.
    :param event_bus_name: the bus it is on; None for the default bus.
    :param managed_remedy: what to do if the rule belongs to an AWS service.
    :raises RuleNotFoundError: if AWS does not find the rule.
    :raises EventBusNotFoundError: if AWS does not find the bus.
    :raises ManagedRuleError: if AWS refuses as the rule belongs to one of its services.
    """
    try:
        yield
    except ClientError as error:
        if code_of(error) == "ManagedRuleException":
            raise ManagedRuleError(rule, None, managed_remedy) from error
        if code_of(error) != "ResourceNotFoundException":
            raise
        if event_bus_name and message_of(error).lower().startswith("event bus"):
            raise EventBusNotFoundError(event_bus_name) from error
        raise RuleNotFoundError(rule, event_bus_name or DEFAULT_EVENT_BUS) from error
