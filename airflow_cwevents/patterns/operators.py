"""
What an event pattern lists for one field: check it, and compile it to a test of one value of an event.

The operators: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
Where that page is silent, what AWS was seen to answer decides, and https://github.com/aws/event-ruler, the library that
EventBridge matches with. Reasons of errors are AWS's words.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from airflow_cwevents.exceptions import InvalidEventPatternError
from airflow_cwevents.patterns.complexity import is_too_complex, wildcard_tokens
from airflow_cwevents.patterns.ranges import Test, cidr, comparable, is_number, limit, numeric, same_address

_WILDCARD_TOKEN: Final = re.compile(r"\\[*\\]|\\|\*+|[^*\\]+")


def any_of(values: list[Any], place: str) -> Test:
    """
    Compile the list of one field, of which a value need match one item.

    :param values: the list, of plain JSON values.
    :param place: where it is in the pattern, such as ``detail.state``.
    :return: the test of one value of the field.
    :raises InvalidEventPatternError: AWS would refuse it.
    """
    if not values:
        raise InvalidEventPatternError(place, "Empty arrays are not allowed", "List a value, or drop the field", values)
    tests = [_expression(item, f"{place}[{at}]") for at, item in enumerate(values) if isinstance(item, dict | list)]
    strings = frozenset(item for item in values if isinstance(item, str))
    tests += filter(None, map(same_address, strings))
    others = frozenset(_key(item) for item in values if not isinstance(item, str | dict | list))
    _check_complexity(values, place)
    return _equal_or(strings, others, tests)


def _check_complexity(values: list[Any], place: str) -> None:
    wildcards = [item["wildcard"] for item in values if isinstance(item, dict) and "wildcard" in item]
    if is_too_complex([wildcard_tokens(_between_wildcards(text)) for text in wildcards]):
        reason = (
            "Rule is too complex - try using fewer wildcard characters or fewer repeating character sequences after a "
            "wildcard character"
        )
        remedy = "Use prefix or suffix where they do, or divide the pattern between several rules"
        raise InvalidEventPatternError(place, reason, remedy, wildcards)


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
    """Return equal keys for what AWS takes for equal: ``300.0`` is ``300``, and ``true`` is not ``1``."""
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
        raise InvalidEventPatternError(place, reason, "Write each operator into an object of its own", expression)


def _exists(operand: Any, place: str) -> Test:
    if not isinstance(operand, bool):
        reason = "exists match pattern must be either true or false."
        raise InvalidEventPatternError(place, reason, "Write true or false, without quotes", operand)
    # Asked of a value, which is there; a field that is not has no value to ask.
    return lambda _value: operand


def _text(name: str, operand: Any, place: str) -> Test:
    if isinstance(operand, dict) and name in {"prefix", "suffix"}:
        return _affix_ignoring_case(name, operand, place)
    return _text_test(name, operand, place, f"{'exact' if name == 'exactly' else name} match pattern must be a string")


def _text_test(name: str, operand: Any, place: str, reason: str) -> Test:
    if not isinstance(operand, str):
        remedy = "Write a string; for several, write an object for each"
        raise InvalidEventPatternError(place, reason, remedy, operand)
    try:
        return _TEXT_TESTS[name](operand)
    except ValueError as error:
        remedy = r"Write one * for any characters, \* for an asterisk and \\ for a backslash"
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
    """Take a character for its lower or its upper case, as AWS does: ``ß`` is ß and SS, and not ss."""
    if ord(character) > 0xFFFF:
        # AWS reads such a character as two, and knows neither.
        return r"\?\?"
    # Two equal alternatives would double the work of a search, at every such character.
    alternatives = dict.fromkeys((re.escape(character.lower()), re.escape(character.upper())))
    return f"(?:{'|'.join(alternatives)})"


def _wildcard(text: str) -> Test:
    first, *others = _between_wildcards(text)
    if not others:
        return _equals(first)
    *middle, last = others

    def matches(value: object) -> bool:
        if not isinstance(value, str) or not value.startswith(first) or not value.endswith(last):
            return False
        at, end = len(first), len(value) - len(last)
        for part in middle:
            found = value.find(part, at, end)
            at = found + len(part) if found >= 0 else end + 1
        return at <= end

    return matches


def _between_wildcards(text: str) -> list[str]:
    parts = [""]
    for token in _WILDCARD_TOKEN.finditer(text):
        part = token[0]
        if part == "*":
            parts.append("")
        elif part == "\\" or part.startswith("*"):
            problem = "Invalid escape character" if part == "\\" else "Consecutive wildcard characters"
            # AWS counts bytes, and a quote before the text.
            raise ValueError(f"{problem} at pos {len(text[: token.start()].encode(errors='replace')) + 1}")
        else:
            parts[-1] += part.removeprefix("\\")
    return parts


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
        # AWS has no words for the empty list: it answers InternalFailure.
        reason = "Null prefix/suffix not allowed" if texts else "Empty arrays are not allowed"
        raise InvalidEventPatternError(here, reason, "Write what the value may not be", inner)
    _check_only_key(operand, place, "anything-but")
    return lambda value: not any(test(value) for test in tests)


def _one_or_more(operand: Any, place: str) -> list[tuple[str, Any]]:
    if isinstance(operand, list):
        return [(f"{place}[{at}]", value) for at, value in enumerate(operand)]
    if not isinstance(operand, str) and not is_number(operand):
        reason = "Value of anything-but must be an array or single string/number value."
        raise InvalidEventPatternError(place, reason, "Write a string, a number, or a list of either", operand)
    return [(place, operand)]


_TEXT_TESTS: Final[dict[str, Callable[[str], Test]]] = {
    "prefix": _starts,
    "prefix equals-ignore-case": partial(_ignoring_case, after=".*"),
    "suffix": _ends,
    "suffix equals-ignore-case": partial(_ignoring_case, before=".*"),
    "equals-ignore-case": _ignoring_case,
    "wildcard": _wildcard,
    "exactly": _equals,
}
OPERATORS: Final[dict[str, Callable[[Any, str], Test]]] = {
    **{name: partial(_text, name) for name in ("prefix", "suffix", "equals-ignore-case", "wildcard", "exactly")},
    "numeric": numeric,
    "cidr": cidr,
    "exists": _exists,
    "anything-but": _anything_but,
}
# What anything-but can negate, and AWS's reason where that is not a string.
_NEGATABLE: Final = {
    "prefix": "prefix/suffix match pattern must be a string",
    "suffix": "prefix/suffix match pattern must be a string",
    "equals-ignore-case": "Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported.",
    "wildcard": "wildcard match pattern must be a string",
}
