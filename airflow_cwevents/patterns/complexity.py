"""
How complex the wildcards of one field are, by the measure of the library that EventBridge matches with.

It counts how many prefixes of wildcard patterns one value can match at the same time, as each must be followed
further: https://github.com/aws/event-ruler/blob/main/src/main/software/amazon/event/ruler/MachineComplexityEvaluator.java
AWS does not publish its limit. It accepted three patterns such as ``*:stack/NAME/*``, which measure 9, refused four of
them, which measure 12 (https://github.com/vals-ai/Valkyrie/pull/278), and refused ``*:*:*:*:*:event-bus/*``, which
measures 11. What measures 10 is left to AWS.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

REFUSED_COMPLEXITY: Final = 11
# Sets of prefixes that are looked at before the verdict is left to AWS; it bounds the time.
MAX_SETS: Final = 2_000

# A pattern as its tokens: a byte, or None for a wildcard.
Tokens = Sequence[int | None]
# The prefixes that a value matches so far, each as a pattern's index and the length of the prefix in tokens.
Prefixes = frozenset[tuple[int, int]]


def wildcard_tokens(literals: Iterable[str]) -> list[int | None]:
    """
    Return the tokens of a wildcard pattern.

    :param literals: the strings between its wildcards.
    :return: a token for each byte, and one for each wildcard.
    """
    tokens: list[int | None] = []
    for at, literal in enumerate(literals):
        tokens += [None, *literal.encode(errors="replace")] if at else literal.encode(errors="replace")
    return tokens


def is_too_complex(patterns: Sequence[Tokens]) -> bool:
    """
    Return whether AWS certainly refuses the wildcard patterns of one field.

    :param patterns: the tokens of each pattern.
    :return: False also where only AWS knows.
    """
    bytes_used = {token for tokens in patterns for token in tokens if token is not None}
    start = _with_wildcards(patterns, {(at, 0) for at in range(len(patterns))})
    seen, pending = {start}, [start]
    while pending and len(seen) < MAX_SETS:
        prefixes = pending.pop()
        if sum(length > 0 for _, length in prefixes) >= REFUSED_COMPLEXITY:
            return True
        for byte in bytes_used:
            following = _after(patterns, prefixes, byte)
            if following and following not in seen:
                seen.add(following)
                pending.append(following)
    return False


def _after(patterns: Sequence[Tokens], prefixes: Prefixes, byte: int) -> Prefixes:
    matched = set()
    for at, length in prefixes:
        tokens = patterns[at]
        if length and tokens[length - 1] is None:
            matched.add((at, length))
        if length < len(tokens) and tokens[length] == byte:
            matched.add((at, length + 1))
    return _with_wildcards(patterns, matched)


def _with_wildcards(patterns: Sequence[Tokens], prefixes: set[tuple[int, int]]) -> Prefixes:
    """Add the prefixes with a wildcard more, which matches nothing as well."""
    longer = {
        (at, length + 1) for at, length in prefixes if length < len(patterns[at]) and patterns[at][length] is None
    }
    return frozenset(prefixes | longer)
