"""JSON as AWS takes it: the members that a user gives as a dict or as text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn

JSON_TYPE_NAMES: dict[type, str] = {
    dict: "object",
    list: "array",
    str: "string",
    int: "number",
    float: "number",
    bool: "boolean",
    type(None): "null",
}


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode
_decode = json.JSONDecoder(parse_constant=_refuse_constant).decode


def to_json_text(value: object) -> str:
    """
    Write a value as compact JSON.

    :param value: what JSON can express.
    :return: the text, not escaped beyond need: every character counts towards AWS's limits.
    :raises ValueError: if JSON cannot express the value; its text says why.
    """
    try:
        return _encode(value if isinstance(value, dict) or not isinstance(value, Mapping) else dict(value))
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"JSON cannot express it: {error}") from None


def parse_json_text(text: str) -> Any:
    """
    Read JSON, strictly: NaN and Infinity, which Python writes, are none.

    :param text: the text.
    :return: the value.
    :raises ValueError: if the text is not JSON; its text says where.
    :raises RecursionError: if it is nested more deeply than Python reads; AWS may still take it.
    """
    try:
        return _decode(text)
    except ValueError as error:
        raise ValueError(f"it is not JSON: {error}") from None


def canonical_json(text: str) -> str:
    """
    Write JSON text in one form, so that texts which say the same are equal, and ``1`` is not ``true``.

    :param text: the text.
    :return: the same in one form; the text as it is if it is none that Python reads.
    """
    try:
        return json.dumps(parse_json_text(text), sort_keys=True)
    except (ValueError, RecursionError):
        return text
