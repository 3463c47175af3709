"""
The ranges of event patterns, of numbers and of addresses: check them, and compile them to tests of a value.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html#eb-filtering-numeric-matching
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html#eb-filtering-ip-matching
"""

from __future__ import annotations

import ipaddress
import json
import operator
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final, TypeGuard

from airflow_cwevents.exceptions import InvalidEventPatternError

Test = Callable[[object], bool]

COMPARISONS: Final[dict[str, Callable[[float, float], bool]]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_NUMERIC_REMEDY: Final = 'Write one comparison, ["<", 10], or a range from its lower end, [">", 0, "<=", 5]'
_CIDR_REMEDY: Final = "Write an address and the length of its network part, such as 10.0.0.0/24 or 2001:db8::/32"
# Every integer up to here is a double.
_EXACT_INTEGERS: Final = 2**53
_IPV4: Final = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+")
_IPV6: Final = re.compile(r"(?=.*:)[0-9a-fA-F:]+")


def is_number(value: object) -> TypeGuard[int | float]:
    """
    Tell JSON's numbers from its other values.

    :param value: the value.
    :return: whether it is a number; in Python ``True`` would be one.
    """
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def comparable(value: object) -> float | None:
    """
    Return a number as AWS compares it, as a double.

    :param value: the value.
    :return: the double; None if the value is not a number, or would change, as AWS then compares it with nothing.
    """
    if not is_number(value):
        return None
    if isinstance(value, float) or -_EXACT_INTEGERS <= value <= _EXACT_INTEGERS:
        return float(value)
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if Decimal(repr(number)) == value else None


def limit(value: float, place: str) -> float:
    """
    Return a number of a pattern as AWS compares it.

    :param value: the number.
    :param place: where it is in the pattern.
    :return: the double.
    :raises InvalidEventPatternError: AWS cannot compare it.
    """
    number = comparable(value)
    if number is None:
        remedy = "Use a number that a 64-bit float holds exactly, or list it as a value to be equal to"
        raise InvalidEventPatternError(place, f"Cannot compare number : {value}", remedy, value)
    return number


def numeric(operand: Any, place: str) -> Test:
    """
    Compile the operand of ``numeric``.

    :param operand: one comparison, or a range of two.
    :param place: where it is in the pattern.
    :return: the test.
    :raises InvalidEventPatternError: AWS would refuse it.
    """
    problem = _numeric_problem(operand) if isinstance(operand, list) else "Value of numeric must be an array."
    if problem:
        raise InvalidEventPatternError(place, problem, _NUMERIC_REMEDY, operand)
    compare, end = COMPARISONS[operand[0]], limit(operand[1], f"{place}[1]")
    if len(operand) == 2:
        return lambda value: (number := comparable(value)) is not None and compare(number, end)
    below, top = COMPARISONS[operand[2]], limit(operand[3], f"{place}[3]")
    if end >= top:
        raise InvalidEventPatternError(place, "Bottom must be less than top", _NUMERIC_REMEDY, operand)
    return lambda value: (number := comparable(value)) is not None and compare(number, end) and below(number, top)


def _numeric_problem(operand: list[Any]) -> str | None:
    # AWS reads from the left, and takes the end of a list for a value of the wrong kind.
    first, number, second, last = (*operand, None, None, None, None)[:4]
    if not isinstance(first, str):
        return f"Invalid member in numeric match: {_token(first) if operand else ']'}"
    if first not in COMPARISONS:
        return f"Unrecognized numeric range operator: {first}"
    if not is_number(number):
        return f"Value of {'equals' if first == '=' else first} must be numeric"
    if len(operand) == 2:
        return None
    return _range_problem(first, second, last, len(operand))


def _range_problem(first: str, second: Any, last: Any, length: int) -> str | None:
    if first not in {">", ">="}:
        return "Too many elements in numeric expression"
    if not isinstance(second, str):
        return f"Bad value in numeric range: {_token(second)}"
    if second not in {"<", "<="}:
        return f"Bad numeric range operator: {second}"
    if not is_number(last):
        return f"Value of {second} must be numeric"
    return "Too many terms in numeric range expression" if length > 4 else None


def _token(value: Any) -> str:
    text = json.dumps(value)
    return text[0] if text[0] in "[{" else text


def cidr(operand: Any, place: str) -> Test:
    """
    Compile the operand of ``cidr``.

    :param operand: an address and the length of its network part.
    :param place: where it is in the pattern.
    :return: the test.
    :raises InvalidEventPatternError: AWS would refuse it.
    """
    if not isinstance(operand, str):
        # AWS does say prefix.
        raise InvalidEventPatternError(place, "prefix match pattern must be a string", _CIDR_REMEDY, operand)
    try:
        return _within(*_ends(operand))
    except ValueError as error:
        raise InvalidEventPatternError(place, str(error), _CIDR_REMEDY, operand) from None


def same_address(text: str) -> Test | None:
    """
    Compile a string that a pattern lists, if it is an address: AWS then matches every way to write it.

    :param text: the string.
    :return: the test; None if the string is not an address.
    """
    digits = _digits(text)
    return None if digits is None else _within(digits, digits)


def _ends(network: str) -> tuple[str, str]:
    # As Java splits, without the empty parts at the end.
    address, *masks = network.rstrip("/").split("/")
    if len(masks) != 1:
        raise ValueError("Malformed CIDR, one '/' required")
    bits = _bits(masks[0])
    digits = _digits(address)
    if digits is None:
        problem = "Invalid" if _IPV4.fullmatch(address) or _IPV6.fullmatch(address) else "Nonstandard"
        raise ValueError(f"{problem} IP address: {address}")
    size = len(digits) * 4
    if bits >= size:
        raise ValueError(f"IPv{4 if size == 32 else 6} mask bits must be < {size}")
    hosts = (1 << (size - bits)) - 1
    highest = int(digits, 16) | hosts
    return f"{highest ^ hosts:0{len(digits)}x}", f"{highest:0{len(digits)}x}"


def _bits(mask: str) -> int:
    if not re.fullmatch(r"[+-]?\d+", mask) or not -(2**31) <= int(mask) < 2**31:
        raise ValueError("Malformed CIDR, mask bits must be an integer")
    if int(mask) < 0:
        raise ValueError("Malformed CIDR, mask bits must not be negative")
    return int(mask)


def _within(lowest: str, highest: str) -> Test:
    width = len(lowest)

    def matches(value: object) -> bool:
        digits = _digits(value) if isinstance(value, str) else None
        # AWS compares digits from the left, of either kind of address: 0.0.0.0/0 holds all of IPv6.
        return digits is not None and lowest <= digits[:width] <= highest

    return matches


def _digits(text: str) -> str | None:
    """Return the hexadecimal digits of an address, parsed as Java does: ``010`` is 10, ``::ffff:a00:1`` is IPv4."""
    if _IPV4.fullmatch(text) and len(text) <= len("255.255.255.255"):
        octets = [int(octet) for octet in text.split(".")]
        return bytes(octets).hex() if max(octets) <= 255 else None
    if not _IPV6.fullmatch(text):
        return None
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        return None
    return (address.ipv4_mapped or address).packed.hex()
