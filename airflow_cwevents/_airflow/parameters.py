"""Operators' arguments, which are strings where they come out of a template."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from math import isfinite, nan
from typing import Any

from airflow_cwevents.exceptions import InvalidInputError

_TEMPLATE_MARKS = ("{{", "{%", "{#")
_LITERAL_TYPES = (str, int, float, date, type(None))


def is_literal(value: object) -> bool:
    """
    Return whether a value can be validated when the DAG file is parsed.

    :param value: an operator's argument.
    :return: False if it holds a Jinja template, or the result of another task.
    """
    if isinstance(value, str):
        return not any(mark in value for mark in _TEMPLATE_MARKS)
    if isinstance(value, Mapping):
        return all(is_literal(key) and is_literal(item) for key, item in value.items())
    if isinstance(value, list | tuple):
        return all(is_literal(item) for item in value)
    return isinstance(value, _LITERAL_TYPES)


def as_bool(value: object, place: str) -> bool:
    """
    Return a boolean, which is a string where it comes out of a template.

    :param value: a boolean, or a string such as ``True`` or ``false``.
    :param place: the parameter's name, for the error.
    :return: the boolean.
    :raises InvalidInputError: if it is neither.
    """
    if isinstance(value, bool):
        return value
    if str(value).lower() in ("true", "false"):
        return str(value).lower() == "true"
    raise InvalidInputError(place, f"{value!r} is neither true nor false", "Use True or False", value)


def as_number(value: object, place: str) -> float:
    """
    Return a number, which is a string where it comes out of a template.

    :param value: a number, or a string such as ``5``.
    :param place: the parameter's name, for the error.
    :return: the number, an int if it is whole.
    :raises InvalidInputError: if it is not a number.
    """
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = nan
    if not isfinite(number):
        raise InvalidInputError(place, f"{value!r} is not a number", "Use a number", value)
    return int(number) if number.is_integer() else number


def as_integer(value: object, place: str) -> int:
    """
    Return a whole number, which is a string where it comes out of a template.

    :param value: a number, or a string such as ``5``.
    :param place: the parameter's name, for the error.
    :return: the number.
    :raises InvalidInputError: if it is not a whole number.
    """
    number = as_number(value, place)
    if not isinstance(number, int):
        raise InvalidInputError(place, f"{value!r} is not whole", "Use a whole number", value)
    return number


def as_list(value: object, place: str, items: str = "dicts") -> list[Any]:
    """
    Read a list, which is something lazy where it came out of mapped tasks.

    :param value: a list, or any other iterable that is neither text nor dict.
    :param place: the parameter's name, for the error.
    :param items: what it is a list of, likewise.
    :return: a list.
    :raises InvalidInputError: if it is none.
    """
    if isinstance(value, Iterable) and not isinstance(value, Mapping | str | bytes):
        return list(value)
    remedy = (
        f"Pass a list of {items}; the result of another task as its .output, as a template would make a string of it"
    )
    raise InvalidInputError(place, f"it is of type {type(value).__name__}", remedy, value)
