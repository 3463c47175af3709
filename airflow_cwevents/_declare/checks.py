"""Checks that the specifications of rules and targets share."""

from __future__ import annotations

import re

from airflow_cwevents._aws.limits import NAME_PATTERN
from airflow_cwevents.exceptions import InvalidInputError

TEMPLATE_HINT = "a template returns a string, unless the DAG has render_template_as_native_obj=True"
RESERVED_TAG_PREFIX = "aws:"


def check_name(name: object, place: str) -> None:
    """
    Validate the name of a rule, or the id of a target.

    :param name: the name.
    :param place: its place in the caller's input, for the error.
    :raises InvalidInputError: if AWS would reject it, as it does an ARN.
    """
    if isinstance(name, str) and re.fullmatch(NAME_PATTERN, name):
        return
    reason = f"{name!r} is not 1 to 64 characters of A-Z, a-z, 0-9, '.', '-' and '_'"
    is_arn = isinstance(name, str) and name.startswith("arn:")
    raise InvalidInputError(place, reason, "Pass the name, not the ARN" if is_arn else "Choose another name", name)


def check_length(text: str, limit: int, place: str) -> None:
    """
    Validate the length of a string.

    :param text: the string.
    :param limit: the maximum number of characters.
    :param place: where it is in the caller's input, for the error.
    :raises InvalidInputError: if it has more.
    """
    if len(text) > limit:
        reason = f"it has {len(text)} characters; the maximum is {limit}"
        raise InvalidInputError(place, reason, "Shorten it", text)


def check_number(value: object, place: str, low: int, high: int | None = None) -> None:
    """
    Validate an integer.

    :param value: the integer.
    :param place: where it is in the caller's input, for the error.
    :param low: the minimum.
    :param high: the maximum; None for none.
    :raises InvalidInputError: if it is not an integer, or out of range.
    """
    # in Python, True is an integer; in JSON it is not
    if not isinstance(value, int) or isinstance(value, bool) or value < low or (high is not None and value > high):
        limits = f"{low} or more" if high is None else f"{low} to {high}"
        remedy = f"Use a number: {TEMPLATE_HINT}" if isinstance(value, str) else f"Use {limits}"
        raise InvalidInputError(place, f"{value!r} is not {limits}", remedy, value)


def check_tag_key(key: object, place: str) -> None:
    """
    Validate the key of a tag.

    :param key: the key.
    :param place: where it is in the caller's input, for the error.
    :raises InvalidInputError: if its prefix is reserved for AWS.
    """
    if str(key).lower().startswith(RESERVED_TAG_PREFIX):
        raise InvalidInputError(place, f"the prefix {RESERVED_TAG_PREFIX!r} is reserved for AWS", "Rename it", key)
