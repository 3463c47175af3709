"""
JSON paths into an event, in the two notations that targets take: ``$.detail.state`` and ``$['detail']['state']``.

.. seealso:: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from airflow_cwevents._aws.limits import MAX_INPUT_PATH_LENGTH
from airflow_cwevents._declare.checks import check_length
from airflow_cwevents.exceptions import InvalidInputError

_STEP: Final = re.compile(
    r"\.(?P<name>[^.\[\]*?()\s]+)|\[(?P<index>\d+)\]|\[(?P<quote>['\"])(?P<quoted>.+?)(?P=quote)\]"
)
# A bracket, or the string in it, that does not end.
_UNCLOSED: Final = re.compile(r"\[(?:[^\]]*|'[^']*|\"[^\"]*)\Z")
# Members of the envelope whose values are never a string or number.
_NEVER_PLAIN: Final[tuple[list[str | int], ...]] = ([], ["detail"], ["resources"])

Step = str | int
MISSING: Final = object()
# What only AWS can evaluate, such as wildcards.
UNKNOWN: Final = object()


def check_path(path: object, place: str) -> None:
    """
    Validate a JSON path into the event.

    :param path: the path, such as ``$.detail.state``.
    :param place: where it is in the caller's input, for the error.
    :raises InvalidInputError: if AWS would refuse it.
    """
    if not isinstance(path, str) or not path.startswith("$"):
        remedy = "Begin with $ and name members as in '$.detail.state' or \"$.detail['event-name']\""
        raise InvalidInputError(place, "it is not a JSON path", remedy, path)
    check_length(path, MAX_INPUT_PATH_LENGTH, place)


def parse_path(path: str) -> list[Step] | None:
    """
    Split a path into steps.

    :param path: the path.
    :return: member names and list indexes; None for what only AWS can evaluate, such as a filter.
    """
    steps, end = _leading_steps(path)
    return steps if end == len(path) else None


def has_unclosed_bracket(path: str) -> bool:
    """Return whether a path ends within a bracket or its string, as ``$.detail['state`` does."""
    _, end = _leading_steps(path)
    return _UNCLOSED.match(path, end) is not None


def _leading_steps(path: str) -> tuple[list[Step], int]:
    """Return the steps before what only AWS can evaluate, and where they end."""
    steps: list[Step] = []
    end = 1
    while step := _STEP.match(path, end):
        steps.append(int(step["index"]) if step["index"] else step["name"] or step["quoted"])
        end = step.end()
    return steps, end


def is_never_plain(path: str) -> bool:
    """Return whether a path leads to an object or a list in every event."""
    return parse_path(path) in _NEVER_PLAIN


def value_at(path: str, event: Mapping[str, Any]) -> Any:
    """
    Return the value that a path leads to.

    :param path: the path.
    :param event: the event as it is delivered.
    :return: the value; :data:`MISSING` if the event has none there; :data:`UNKNOWN` if only AWS can evaluate the path.
    """
    steps = parse_path(path)
    if steps is None:
        return UNKNOWN
    value: Any = event
    for step in steps:
        value = _member(value, step)
    return value


def _member(value: Any, step: Step) -> Any:
    if isinstance(value, Mapping) and isinstance(step, str):
        return value.get(step, MISSING)
    if isinstance(value, Sequence) and not isinstance(value, str) and isinstance(step, int) and step < len(value):
        return value[step]
    return MISSING
