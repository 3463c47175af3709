"""
Ranges and exclusions of a target's members that botocore lets through: it checks minimums and types only.

The maximums come from botocore's model of the service, which AWS itself validates by; what only the text of AWS's
reference says is in a table here, and so are the model's patterns. Enums are left to AWS, as they grow.

.. seealso:: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_Target.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from airflow_cwevents._declare.checks import check_number, check_tag_key
from airflow_cwevents.exceptions import InvalidInputError

# Minimum and maximum of integers, by their place in the target.
DOCUMENTED_RANGES: Final[Mapping[tuple[str, ...], tuple[int, int]]] = {
    ("BatchParameters", "ArrayProperties", "Size"): (2, 10_000),
    ("BatchParameters", "RetryStrategy", "Attempts"): (1, 10),
}
# Members that AWS takes only one of, by the block that they are in.
EXCLUSIONS: Final = (("EcsParameters", "LaunchType", "CapacityProviderStrategy"),)
# The model's patterns, by shape, and what is wrong with a string that does not match. They are written for Python,
# where the model's own pattern for header values takes exponential time.
PATTERNS: Final[Mapping[str, tuple[re.Pattern[str], str]]] = {
    "PathParameter": (re.compile(r"(?!\s*$).+", re.DOTALL), "it is blank"),
    "HeaderKey": (re.compile(r"[!#$%&'*+-.^_`|~0-9a-zA-Z]+"), "it is not the name of an HTTP header"),
    "HeaderValue": (re.compile(r"\t*[\x20-\x7E][\t\x20-\x7E]*"), "it is empty or not ASCII on one line"),
    "QueryStringKey": (re.compile(r"[^\x00-\x1F\x7F]+"), "it is empty or has control characters"),
    "QueryStringValue": (
        re.compile(r"[^\x00-\x09\x0B\x0C\x0E-\x1F\x7F]+"),
        "it is empty or has control characters",
    ),
    "SageMakerPipelineParameterName": (
        re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9])*"),
        "it is not letters and digits, with hyphens only between them",
    ),
}


class Excess(NamedTuple):
    """A value that exceeds the model: its place, what is wrong, the value, and the remedy."""

    place: str
    reason: str
    value: object
    remedy: str = "Reduce it"


def check_documented_ranges(target: Mapping[str, Any]) -> None:
    """
    Validate what only the text of AWS's reference says.

    :param target: the target, with AWS's member names.
    :raises InvalidInputError: if a number is out of its range, members exclude one another, or a tag is AWS's own.
    """
    for path, (low, high) in DOCUMENTED_RANGES.items():
        if isinstance(value := _member(target, path), int):  # other types are reported by botocore
            check_number(value, ".".join(path), low, high)
    for block, first, second in EXCLUSIONS:
        if _member(target, (block, first)) and _member(target, (block, second)):
            reason = f"{first} and {second} exclude one another"
            raise InvalidInputError(f"{block}.{second}", reason, "Omit one of them", target[block][second])
    tags = _member(target, ("EcsParameters", "Tags"))
    for index, tag in enumerate(tags if isinstance(tags, list) else ()):
        if isinstance(tag, Mapping):
            check_tag_key(tag.get("Key"), f"EcsParameters.Tags[{index}].Key")


def excesses(value: Any, shape: Any, place: str = "") -> Iterator[Excess]:
    """
    Find what exceeds the maximums of botocore's model, or does not match its patterns.

    :param value: a target, or a part of one, which botocore accepts.
    :param shape: its shape in the model.
    :param place: where it is.
    :return: each excess.
    """
    maximum = shape.metadata.get("max")
    if shape.type_name == "structure":
        for name, member in value.items():
            yield from excesses(member, shape.members[name], f"{place}.{name}" if place else name)
    elif shape.type_name in ("list", "map"):
        if maximum and len(value) > maximum:
            yield Excess(place, f"it has {len(value)} items, and the maximum is {maximum}", value)
        yield from _items(value, shape, place)
    elif shape.type_name == "string":
        yield from _excesses_of_string(value, shape, place)
    elif shape.type_name in ("integer", "long"):
        yield from _excesses_of_integer(value, maximum, place)


def _excesses_of_integer(value: int, maximum: int | None, place: str) -> Iterator[Excess]:
    if isinstance(value, bool):  # which botocore sends as true or false
        yield Excess(place, f"{value} is not a number", value, "Use a number")
    elif maximum and value > maximum:
        yield Excess(place, f"{value} is above the maximum of {maximum}", value)


def _excesses_of_string(value: str, shape: Any, place: str) -> Iterator[Excess]:
    maximum = shape.metadata.get("max")
    pattern, reason = PATTERNS.get(shape.name, (None, ""))
    if maximum and len(value) > maximum:
        yield Excess(place, f"it has {len(value)} characters, and the maximum is {maximum}", value)
    elif pattern and not pattern.fullmatch(value):
        yield Excess(place, reason, value, "Correct it")


def _items(value: Any, shape: Any, place: str) -> Iterator[Excess]:
    if shape.type_name == "list":
        for index, item in enumerate(value):
            yield from excesses(item, shape.member, f"{place}[{index}]")
        return
    for key, item in value.items():
        yield from excesses(key, shape.key, f"{place}.{key}")
        yield from excesses(item, shape.value, f"{place}.{key}")


def _member(value: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
