"""
Wildcards of event patterns: validate them, and compile them to tests of a value.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html#eb-filtering-wildcard-matching
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from airflow_cwevents.patterns.ranges import Test

_TOKEN: Final = re.compile(r"\\[*\\]|\\|\*+|[^*\\]+")


def wildcard(text: str) -> Test:
    """
    Compile the operand of ``wildcard``.

    :param text: the operand.
    :return: the test of a value.
    :raises ValueError: if AWS would reject it, with AWS's message.
    """
    first, *others = between_wildcards(text)
    if not others:
        return lambda value: isinstance(value, str) and value == first
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


def between_wildcards(text: str) -> list[str]:
    """
    Split the operand of ``wildcard`` at its asterisks, and resolve its escapes.

    :param text: the operand.
    :return: the strings before, between and after the asterisks.
    :raises ValueError: if AWS would reject it, with AWS's message.
    """
    parts = [""]
    for token in _TOKEN.finditer(text):
        part = token[0]
        if part == "*":
            parts.append("")
        elif part == "\\" or part.startswith("*"):
            problem = "Invalid escape character" if part == "\\" else "Consecutive wildcard characters"
            # AWS counts bytes, including a quote before the string.
            raise ValueError(f"{problem} at pos {len(text[: token.start()].encode(errors='replace')) + 1}")
        else:
            parts[-1] += part.removeprefix("\\")
    return parts
