"""
Rules: validate and normalise the arguments of PutRule, and compare them with the existing rule.

.. seealso:: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_cwevents._aws.arns import check_event_bus_name, is_default_bus
from airflow_cwevents._aws.json_text import canonical_json
from airflow_cwevents._aws.limits import (
    MAX_DESCRIPTION_LENGTH,
    MAX_ROLE_ARN_LENGTH,
    RULE_STATES,
)
from airflow_cwevents._declare.checks import RESERVED_TAG_PREFIX, check_length, check_name, check_tag_key
from airflow_cwevents.exceptions import InvalidInputError
from airflow_cwevents.patterns import EventPattern
from airflow_cwevents.schedules import validate_schedule

# The members of PutRule that make up a rule, besides its name and bus; PutRule clears those that are omitted.
RULE_MEMBERS = ("ScheduleExpression", "EventPattern", "State", "Description", "RoleArn")


@dataclass(frozen=True, slots=True)
class Change:
    """The old and the new value of one member of a rule; None for no value."""

    member: str
    old: str | None
    new: str | None


def rule_request(
    name: str,
    *,
    schedule_expression: str | None = None,
    event_pattern: Mapping[str, Any] | str | None = None,
    description: str | None = None,
    state: str | None = None,
    role_arn: str | None = None,
    event_bus_name: str | None = None,
) -> dict[str, Any]:
    """
    Validate the arguments of PutRule.

    :return: the request's members, without those that are None.
    :raises InvalidInputError: if AWS would refuse one; its subclasses for a schedule and for a pattern.
    """
    check_name(name, "name")
    check_event_bus_name(event_bus_name)
    _check_schedule(schedule_expression, event_bus_name)
    _check_state(state)
    _check_text(description, MAX_DESCRIPTION_LENGTH, "description")
    _check_text(role_arn, MAX_ROLE_ARN_LENGTH, "role_arn")
    pattern = _pattern_text(event_pattern)
    if not pattern and not schedule_expression:
        raise InvalidInputError(
            "event_pattern",
            "the rule has neither an event pattern nor a schedule",
            "Set event_pattern to match events, schedule_expression to fire by the clock, or both",
            event_pattern,
        )
    request = {
        "Name": name,
        "ScheduleExpression": schedule_expression,
        "EventPattern": pattern,
        "State": state,
        "Description": description,
        "RoleArn": role_arn,
        "EventBusName": event_bus_name,
    }
    return {member: value for member, value in request.items() if value}


def changes(present: Mapping[str, Any], request: Mapping[str, Any]) -> list[Change]:
    """
    Compare an existing rule with a request of PutRule.

    :param present: the rule, as DescribeRule returns it.
    :param request: the request's members.
    :return: the changes that PutRule would make; event patterns are compared as JSON values, not as strings.
    """
    found = [Change(member, present.get(member), request.get(member)) for member in RULE_MEMBERS]
    return [
        change for change in found if _comparable(change.member, change.old) != _comparable(change.member, change.new)
    ]


def normalise_tags(tags: Mapping[str, str] | Iterable[Mapping[str, str]] | None) -> dict[str, str] | None:
    """
    Normalise tags.

    :param tags: a dict, or AWS's list of ``{"Key": …, "Value": …}``; None for no change of tags.
    :return: a dict, or None.
    :raises InvalidInputError: if they are neither, or a value is None.
    """
    if tags is None:
        return None
    try:
        pairs = tags.items() if isinstance(tags, Mapping) else [(tag["Key"], tag["Value"]) for tag in tags]
    except (KeyError, TypeError):
        remedy = 'Pass a dict such as {"team": "data"}, or a list such as [{"Key": "team", "Value": "data"}]'
        raise InvalidInputError("tags", "they are neither a dict nor AWS's list", remedy, tags) from None
    for key, value in pairs:
        if value is None:
            remedy = "Pass a string, which may be empty, or omit the tag"
            raise InvalidInputError(f"tags.{key}", "its value is None", remedy, value)
    return {str(key): str(value) for key, value in pairs}


def validated_tags(tags: Mapping[str, str] | Iterable[Mapping[str, str]] | None) -> dict[str, str] | None:
    """
    Normalise tags that a user sets.

    :param tags: a dict, or AWS's list of ``{"Key": …, "Value": …}``; None for no change of tags.
    :return: a dict, or None.
    :raises InvalidInputError: if they are neither, a value is None, or a key is reserved for AWS.
    """
    normal = normalise_tags(tags)
    for key in normal or ():
        check_tag_key(key, f"tags.{key}")
    return normal


def aws_tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Return tags in AWS's form, a list of ``{"Key": …, "Value": …}``."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def tag_changes(present: Mapping[str, str], wanted: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """
    Compare the tags of a resource with the complete set that it should have.

    :param present: its tags.
    :param wanted: the complete set, but for those that AWS sets itself.
    :return: the tags to set, and the keys of those to remove.
    """
    added = {key: value for key, value in wanted.items() if present.get(key) != value}
    return added, [key for key in present if key not in wanted and not key.startswith(RESERVED_TAG_PREFIX)]


def _check_schedule(schedule_expression: str | None, event_bus_name: str | None) -> None:
    if not schedule_expression:
        return
    if not is_default_bus(event_bus_name):
        raise InvalidInputError(
            "schedule_expression",
            f"schedules run on the default event bus only, and this rule is on {event_bus_name!r}",
            "Omit event_bus_name, or set event_pattern instead",
            schedule_expression,
        )
    validate_schedule(schedule_expression)


def _check_state(state: str | None) -> None:
    if state and state not in RULE_STATES:
        raise InvalidInputError("state", f"{state!r} is not a state", f"Use one of {', '.join(RULE_STATES)}", state)


def _check_text(value: str | None, limit: int, place: str) -> None:
    if value and not isinstance(value, str):
        raise InvalidInputError(place, f"it is of type {type(value).__name__}", "Pass a string", value)
    check_length(value or "", limit, place)


def _pattern_text(event_pattern: Mapping[str, Any] | str | None) -> str | None:
    return EventPattern(event_pattern).to_json() if event_pattern else None


def _comparable(member: str, value: str | None) -> object:
    return canonical_json(value) if member == "EventPattern" and value else value or None
