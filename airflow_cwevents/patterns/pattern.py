"""
Event patterns: check them as AWS does, and decide locally which events match.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from airflow_cwevents._aws.limits import MAX_EVENT_PATTERN_LENGTH
from airflow_cwevents.exceptions import InvalidEventPatternError
from airflow_cwevents.patterns.matcher import OR, compile_rules


class EventPattern:
    """
    An event pattern, checked by AWS's rules when it is made, and compiled to match many events.

    It is immutable, and threads may share it. What only AWS can decide, such as wildcards of a complexity close to its
    limit, is left to AWS.

    :param pattern: the pattern, as a dict or a JSON string.
    :raises InvalidEventPatternError: AWS would refuse it.
    """

    __slots__ = ("_json", "_rules")

    def __init__(self, pattern: Mapping[str, Any] | str) -> None:
        try:
            self._json = _to_json(_read(pattern))
            self._rules = compile_rules(self.pattern)
        except RecursionError:
            raise InvalidEventPatternError("", "it is nested too deeply", "Nest fewer objects", pattern) from None

    @property
    def pattern(self) -> dict[str, Any]:
        """The pattern in plain JSON values, a new copy each time."""
        pattern: dict[str, Any] = json.loads(self._json)
        return pattern

    def to_json(self) -> str:
        """
        Return the pattern as AWS takes it.

        :return: the pattern as compact JSON.
        """
        return self._json

    def matches(self, event: Mapping[str, Any]) -> bool:
        """
        Decide as AWS would whether an event matches.

        :param event: the event as rules see it, with ``source``, ``detail-type``, ``detail`` and so on.
        :return: whether it matches.
        """
        return any(rule.holds(event) for rule in self._rules)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, EventPattern) and self._sorted() == other._sorted()

    def __hash__(self) -> int:
        return hash(self._sorted())

    def __repr__(self) -> str:
        return f"EventPattern({self._json!r})"

    def _sorted(self) -> str:
        # Python's dicts would take true for 1.
        return json.dumps(self.pattern, sort_keys=True)


def _read(pattern: Mapping[str, Any] | str) -> Any:
    value = _parse(pattern) if isinstance(pattern, str) else pattern
    if not isinstance(value, Mapping):
        remedy = 'Write an object, such as {"source": ["my.app"]}'
        raise InvalidEventPatternError("", "Filter is not an object", remedy, value)
    return _plain(value, "")


def _parse(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_merge)
    except InvalidEventPatternError:
        raise
    except ValueError as error:
        raise InvalidEventPatternError(
            "", f"it is not JSON: {error}", "Correct the text, or pass a dict", text
        ) from error


def _merge(members: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Join members of one name as AWS does: it heeds every object and every ``$or``, and of other lists the last."""
    merged: dict[str, Any] = {}
    for key, value in members:
        merged[key] = _both(key, merged[key], value) if key in merged else value
    return merged


def _both(key: str, first: Any, second: Any) -> Any:
    if isinstance(first, dict) and isinstance(second, dict):
        return _merge([*first.items(), *second.items()])
    if not isinstance(first, list) or not isinstance(second, list):
        raise InvalidEventPatternError("", f'"{key}" occurs twice in one object', "Write it once", second)
    if key == OR:
        return [_merge([*one.items(), (OR, second)]) if isinstance(one, dict) else one for one in first]
    return second


def _plain(value: Any, place: str) -> Any:
    if isinstance(value, Mapping):
        return {_key(key, place): _plain(item, f"{place}.{key}" if place else key) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, f"{place}[{at}]") for at, item in enumerate(value)]
    if value is None or isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    kind = value if isinstance(value, float) else type(value).__name__
    raise InvalidEventPatternError(place, f"JSON has no {kind}", "Convert it to what JSON has", value)


def _key(key: object, place: str) -> str:
    if not isinstance(key, str):
        reason = f"JSON has no keys of type {type(key).__name__}"
        raise InvalidEventPatternError(place, reason, "Write the key as a string", key)
    return key


def _to_json(pattern: Any) -> str:
    text = json.dumps(pattern, ensure_ascii=False, separators=(",", ":"))
    if len(text) > MAX_EVENT_PATTERN_LENGTH:
        reason = f"it has {len(text)} characters, and AWS takes at most {MAX_EVENT_PATTERN_LENGTH}"
        raise InvalidEventPatternError("", reason, "Shorten it, or divide it between several rules", text)
    return text
