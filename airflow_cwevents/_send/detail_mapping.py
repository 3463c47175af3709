"""Entries made of details: what the Source and the DetailType are, and where they come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jmespath

from airflow_cwevents.exceptions import InvalidEntryError, InvalidInputError

# JMESPath's own sign for the value that it looks into; no source or detail type begins with it.
JMESPATH_SIGN = "@"


class EntryMapping:
    """
    Makes entries of details.

    :param source: the ``Source`` of all entries, or a JMESPath into the detail that begins with ``@``, such as
        ``@.app``.
    :param detail_type: the ``DetailType``, likewise.
    :raises InvalidInputError: if one is missing, or is not a JMESPath.
    """

    def __init__(self, source: str | None, detail_type: str | None) -> None:
        self._source = _getter("source", source)
        self._detail_type = _getter("detail_type", detail_type)

    def entry(self, detail: Any, index: int) -> dict[str, Any]:
        """
        Make an entry.

        :param detail: the detail, a dict.
        :param index: its index in the input, for errors.
        :return: the entry.
        :raises InvalidEntryError: if the detail is not a dict, or has no string at the path.
        """
        if not isinstance(detail, Mapping):
            reason = f"it is of type {type(detail).__name__}, not a JSON object"
            raise InvalidEntryError(index, "Detail", reason, 'Wrap it, such as {"value": …}', detail)
        return {
            "Source": self._source(detail, index),
            "DetailType": self._detail_type(detail, index),
            "Detail": detail,
        }


def entry_mapping(source: str | None, detail_type: str | None) -> EntryMapping | None:
    """
    Return the mapping for an operator's parameters.

    :param source: the parameter ``source``.
    :param detail_type: the parameter ``detail_type``.
    :return: the mapping; None if the input is entries already, as neither is given.
    :raises InvalidInputError: if only one is given, or one is not a JMESPath.
    """
    return EntryMapping(source, detail_type) if source or detail_type else None


def _getter(place: str, value: str | None) -> Callable[[Mapping[str, Any], int], str]:
    if not value:
        remedy = "Set both source and detail_type for an input of details, or neither for one of entries"
        raise InvalidInputError(place, "it is missing", remedy, value)
    if not isinstance(value, str):
        reason = f"it is of type {type(value).__name__}"
        raise InvalidInputError(place, reason, "Use a string, or a JMESPath that begins with @", value)
    if not value.startswith(JMESPATH_SIGN):
        return lambda detail, index: value
    try:
        expression = jmespath.compile(value)
    except jmespath.exceptions.JMESPathError as error:
        remedy = "See https://jmespath.org for what can be written"
        raise InvalidInputError(place, f"{value!r} is not a JMESPath: {error}", remedy, value) from None
    member = {"source": "Source", "detail_type": "DetailType"}[place]

    def look_up(detail: Mapping[str, Any], index: int) -> str:
        try:
            found, why = expression.search(detail), ""
        except jmespath.exceptions.JMESPathError as error:
            found, why = None, f": {error}"
        if not isinstance(found, str):
            reason = f"the detail has no string at {value!r}{why}"
            raise InvalidEntryError(index, member, reason, f"Correct {place}, or the detail", found)
        return found

    return look_up
