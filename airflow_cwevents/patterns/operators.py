"""
Validate the list of values of a pattern's field, and compile it to a test of one value of an event.

The operators: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
What that page leaves open follows AWS's observed answers and https://github.com/aws/event-ruler, the library that
EventBridge matches with. The reasons in errors are AWS's messages.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from airflow_cwevents.exceptions import InvalidEventPatternError
from airflow_cwevents.patterns.ranges import Test, cidr, comparable, is_number, limit, numeric, same_address
from airflow_cwevents.patterns.wildcards import wildcard


def any_of(values: list[Any], place: str) -> Test:
    """
    Compile the list of one field; a value matches if it matches any item.

    :param values: the list of plain JSON values.
    :param place: its place in the pattern, such as ``detail.state``.
    :return: the test of one value of the field.
    :raises InvalidEventPatternError: if AWS would reject it.
    """
    if not values:
        raise InvalidEventPatternError(
            place, "Empty arrays are not allowed", "Add a value, or remove the field", values
        )
    tests = [_expression(item, f"{place}[{at}]") for at, item in enumerate(values) if isinstance(item, dict | list)]
    strings = frozenset(item for item in values if isinstance(item, str))
    tests += filter(None, map(same_address, strings))
    others = frozenset(_key(item) for item in values if not isinstance(item, str | dict | list))
    return _equal_or(strings, others, tests)


def _equal_or(strings: frozenset[str], others: frozenset[object], tests: list[Test]) -> Test:
    if not tests and not others:
        return strings.__contains__
    if len(tests) == 1 and not strings and not others:
        return tests[0]

    def matches(value: object) -> bool:
        equal = value in strings if isinstance(value, str) else _key(value) in others
        return equal or any(test(value) for test in tests)

    return matches


def _key(value: object) -> object:
    """Return equal keys for values that AWS treats as equal: ``300.0`` is ``300``, but ``true`` is not ``1``."""
    if not is_number(value):
        return repr(value)
    number = comparable(value)
    return hex(int(value)) if number is None else number


def _expression(item: dict[str, Any] | list[Any], place: str) -> Test:
    if isinstance(item, list):
        reason = "Match value must be String, number, true, false, or null"
        raise InvalidEventPatternError(place, reason, "List the values without a second pair of brackets", item)
    name, operand = _only_key(item)
    here = f"{place}.{name}" if item else place
    if name not in OPERATORS:
        reason = f"Unrecognized match type {name}" if item else "Match expression name not found"
        raise InvalidEventPatternError(here, reason, f"Use one of {', '.join(OPERATORS)}", operand)
    test = OPERATORS[name](operand, here)
    _check_only_key(item, place, name)
    return test


def _only_key(expression: dict[str, Any]) -> tuple[str, Any]:
    return next(iter(expression.items()), ("", None))


def _check_only_key(expression: dict[str, Any], place: str, name: str) -> None:
    if len(expression) > 1:
        shared = name in {"numeric", "anything-but"}
        reason = "Too many elements in numeric expression" if shared else "Only one key allowed in match expression"
        raise InvalidEventPatternError(place, reason, "Put each operator into its own object", expression)


def _exists(operand: Any, place: str) -> Test:
    if not isinstance(operand, bool):
        reason = "exists match pattern must be either true or false."
        raise InvalidEventPatternError(place, reason, "Use true or false, without quotes", operand)
    # Only called with existing values; a missing field has no value to test.
    return lambda _value: operand


def _text(name: str, operand: Any, place: str) -> Test:
    if isinstance(operand, dict) and name in {"prefix", "suffix"}:
        return _affix_ignoring_case(name, operand, place)
    return _text_test(name, operand, place, f"{'exact' if name == 'exactly' else name} match pattern must be a string")


def _text_test(name: str, operand: Any, place: str, reason: str) -> Test:
    if not isinstance(operand, str):
        remedy = "Use a string; for several strings, use an object for each"
        raise InvalidEventPatternError(place, reason, remedy, operand)
    try:
        return _TEXT_TESTS[name](operand)
    except ValueError as error:
        remedy = r"Use one * for any characters, \* for an asterisk and \\ for a backslash"
        raise InvalidEventPatternError(place, str(error), remedy, operand) from None


def _affix_ignoring_case(name: str, operand: dict[str, Any], place: str) -> Test:
    inner, text = _only_key(operand)
    here = f"{place}.{inner}" if operand else place
    if inner != "equals-ignore-case":
        reason = f"Unsupported {name} pattern: {inner}" if operand else f"{name.capitalize()} expression name not found"
        raise InvalidEventPatternError(here, reason, "Use a string, or equals-ignore-case", text)
    test = _text_test(f"{name} {inner}", text, here, "equals-ignore-case match pattern must be a string")
    _check_only_key(operand, place, name)
    return test


def _equals(text: str) -> Test:
    return lambda value: isinstance(value, str) and value == text


def _starts(text: str) -> Test:
    return lambda value: isinstance(value, str) and value.startswith(text)


def _ends(text: str) -> Test:
    return lambda value: isinstance(value, str) and value.endswith(text)


def _ignoring_case(text: str, *, before: str = "", after: str = "") -> Test:
    fullmatch = re.compile(before + "".join(map(_cases, text)) + after, re.DOTALL).fullmatch
    return lambda value: isinstance(value, str) and fullmatch(value) is not None


def _cases(character: str) -> str:
    """Return a regex for a character in either case, as AWS does: ``ß`` matches ß and SS, but not ss."""
    if ord(character) > 0xFFFF:
        # AWS reads such a character as two, both unknown.
        return r"\?\?"
    # Two equal alternatives would double the work of a search at every such character.
    alternatives = dict.fromkeys((re.escape(character.lower()), re.escape(character.upper())))
    return f"(?:{'|'.join(alternatives)})"


def _anything_but(operand: Any, place: str) -> Test:
    if isinstance(operand, dict):
        return _anything_but_like(operand, place)
    values = _one_or_more(operand, place)
    for here, value in values:
        if not isinstance(value, str) and not is_number(value):
            reason = "Inside anything but list, start|null|boolean is not supported."
            raise InvalidEventPatternError(here, reason, "List only strings, or only numbers", value)
    if len({isinstance(value, str) for _, value in values}) != 1:
        reason = "Inside anything but list, either all values are number or string, mixed type is not supported"
        raise InvalidEventPatternError(place, reason, "List only strings, or only numbers", operand)
    strings = frozenset(value for _, value in values if isinstance(value, str))
    equal = _equal_or(strings, frozenset(limit(value, here) for here, value in values if is_number(value)), [])
    return lambda value: not equal(value)


def _anything_but_like(operand: dict[str, Any], place: str) -> Test:
    name, inner = _only_key(operand)
    here = f"{place}.{name}" if operand else place
    if name not in _NEGATABLE:
        reason = f"Unsupported anything-but pattern: {name}" if operand else "Anything-But expression name not found"
        raise InvalidEventPatternError(here, reason, f"Use one of {', '.join(_NEGATABLE)}", inner)
    texts = _one_or_more(inner, here)
    tests = [_text_test(name, text, text_place, _NEGATABLE[name]) for text_place, text in texts]
    if not texts or (name in {"prefix", "suffix"} and any(not text for _, text in texts)):
        # AWS has no message for the empty list: it returns InternalFailure.
        reason = "Null prefix/suffix not allowed" if texts else "Empty arrays are not allowed"
        raise InvalidEventPatternError(here, reason, "Add a value to exclude", inner)
    _check_only_key(operand, place, "anything-but")
    return lambda value: not any(test(value) for test in tests)


def _one_or_more(operand: Any, place: str) -> list[tuple[str, Any]]:
    if isinstance(operand, list):
        return [(f"{place}[{at}]", value) for at, value in enumerate(operand)]
    if not isinstance(operand, str) and not is_number(operand):
        reason = "Value of anything-but must be an array or single string/number value."
        raise InvalidEventPatternError(place, reason, "Use a string, a number, or a list of either", operand)
    return [(place, operand)]


_TEXT_TESTS: Final[dict[str, Callable[[str], Test]]] = {
    "prefix": _starts,
    "prefix equals-ignore-case": partial(_ignoring_case, after=".*"),
    "suffix": _ends,
    "suffix equals-ignore-case": partial(_ignoring_case, before=".*"),
    "equals-ignore-case": _ignoring_case,
    "wildcard": wildcard,
    "exactly": _equals,
}
OPERATORS: Final[dict[str, Callable[[Any, str], Test]]] = {
    **{name: partial(_text, name) for name in ("prefix", "suffix", "equals-ignore-case", "wildcard", "exactly")},
    "numeric": numeric,
    "cidr": cidr,
    "exists": _exists,
    "anything-but": _anything_but,
}
# The operators that anything-but can negate, and AWS's reason if the operand is not a string.
_NEGATABLE: Final = {
    "prefix": "prefix/suffix match pattern must be a string",
    "suffix": "prefix/suffix match pattern must be a string",
    "equals-ignore-case": "Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported.",
    "wildcard": "wildcard match pattern must be a string",
}
