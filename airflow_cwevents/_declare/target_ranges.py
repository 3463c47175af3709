"""
Ranges and exclusions of a target's members that botocore lets through: it checks minimums and types only.

The maximums come from botocore's model of the service, which AWS itself validates by; what only the text of AWS's
reference says is in a table here. Patterns and enums are left to AWS, as they grow.

.. seealso:: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_Target.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from airflow_cwevents._declare.rule_spec import check_tag_key
from airflow_cwevents.exceptions import InvalidInputError

# Minimum and maximum of integers, by their place in the target.
DOCUMENTED_RANGES: Final[Mapping[tuple[str, ...], tuple[int, int]]] = {
    ("BatchParameters", "ArrayProperties", "Size"): (2, 10_000),
    ("BatchParameters", "RetryStrategy", "Attempts"): (1, 10),
}
# Members that AWS takes only one of, by the block that they are in.
EXCLUSIONS: Final = (("EcsParameters", "LaunchType", "CapacityProviderStrategy"),)


class Excess(NamedTuple):
    """A value that is too large: its place, what is wrong, and the value."""

    place: str
    reason: str
    value: object


def check_documented_ranges(target: Mapping[str, Any]) -> None:
    """
    Validate what only the text of AWS's reference says.

    :param target: the target, with AWS's member names.
    :raises InvalidInputError: if a number is out of its range, members exclude one another, or a tag is AWS's own.
    """
    for path, (low, high) in DOCUMENTED_RANGES.items():
        value = _member(target, path)
        if isinstance(value, int) and not low <= value <= high:
            raise InvalidInputError(".".join(path), f"{value!r} is not {low} to {high}", "Correct it", value)
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
    Find what exceeds the maximums of botocore's model.

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
    elif shape.type_name == "string" and maximum and len(value) > maximum:
        yield Excess(place, f"it has {len(value)} characters, and the maximum is {maximum}", value)
    elif shape.type_name in ("integer", "long") and maximum and value > maximum:
        yield Excess(place, f"{value} is above the maximum of {maximum}", value)


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
