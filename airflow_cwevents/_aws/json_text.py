"""JSON as AWS accepts it, for members that users pass as a dict or as a JSON string."""

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
    Serialise a value as compact JSON.

    :param value: the value.
    :return: the JSON string. Non-ASCII characters are not escaped, as every character counts towards AWS's limits.
    :raises ValueError: if JSON cannot express the value; the message contains the reason.
    """
    try:
        return _encode(value if isinstance(value, dict) or not isinstance(value, Mapping) else dict(value))
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"JSON cannot express it: {error}") from None


def parse_json_text(text: str) -> Any:
    """
    Parse JSON strictly: without NaN and Infinity, which Python accepts.

    :param text: the JSON string.
    :return: the value.
    :raises ValueError: if the string is not JSON; the message contains the position.
    :raises RecursionError: if it is nested more deeply than Python can parse; AWS may still accept it.
    """
    try:
        return _decode(text)
    except ValueError as error:
        raise ValueError(f"it is not JSON: {error}") from None


def canonical_json(text: str) -> str:
    """
    Normalise a JSON string, so that strings with equal values are equal, and ``1`` does not equal ``true``.

    :param text: the JSON string.
    :return: the normalised string; the string itself if Python cannot parse it.
    """
    try:
        return json.dumps(parse_json_text(text), sort_keys=True)
    except (ValueError, RecursionError):
        return text
