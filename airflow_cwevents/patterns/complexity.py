"""
Measure the complexity of a field's wildcards: how many of their prefixes one value can match at the same time.

event-ruler, the library that EventBridge matches with, has this measure. AWS does not publish its limit: of the
patterns that it is known to have rejected, the simplest measures 11; of those that it accepted, the most complex
measures 9. To reject nothing that AWS accepts, this counts less than event-ruler does: neither prefixes before the
first asterisk nor wildcards of anything-but, and every $or branch separately.

- https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html#eb-filtering-wildcard-matching-complexity
- https://github.com/aws/event-ruler/blob/main/src/main/software/amazon/event/ruler/MachineComplexityEvaluator.java
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from heapq import heappop, heappush
from typing import Final

MAX_COMPLEXITY: Final = 10
# After so many steps, the search stops, and the pattern is left to AWS.
MAX_STEPS: Final = 5_000
_STAR: Final = None

# The operand of a wildcard as its characters, with None for each asterisk.
_Tokens = Sequence[str | None]
# The prefixes that a value matches so far: the index of the wildcard, and the prefix's length in tokens.
_Prefixes = frozenset[tuple[int, int]]


def is_too_complex(wildcards: Iterable[Sequence[str]]) -> bool:
    """
    Return whether AWS certainly rejects the wildcards of one field as too complex.

    :param wildcards: for each wildcard, the strings between its asterisks.
    :return: True if it does; False also if the search would take too long.
    """
    tokens = [_tokens(parts) for parts in set(map(tuple, wildcards))]
    return any(size > MAX_COMPLEXITY for size in _sizes(tokens))


def _tokens(parts: Sequence[str]) -> _Tokens:
    first, *others = parts
    return [*first, *(token for part in others for token in (_STAR, *part))]


def _sizes(wildcards: list[_Tokens]) -> Iterator[int]:
    """Yield how many prefixes each set holds that some value matches, the largest sets first."""
    start = _prefixes(wildcards, ((at, 0) for at in range(len(wildcards))))
    pending, seen = [(0, 0, start)], {start}
    for _ in range(MAX_STEPS):
        if not pending:
            return
        *_, prefixes = heappop(pending)
        for after in _successors(wildcards, prefixes) - seen:
            seen.add(after)
            size = sum(_STAR in wildcards[at][:end] for at, end in after)
            yield size
            heappush(pending, (-size, len(seen), after))


def _successors(wildcards: list[_Tokens], prefixes: _Prefixes) -> set[_Prefixes]:
    """Return the prefixes that a value matches after one more character, for each character that makes a difference."""
    followed = {(at, end): wildcards[at][end] for at, end in prefixes if end < len(wildcards[at])}
    kept = [(at, end) for at, end in prefixes if end and wildcards[at][end - 1] is _STAR]
    longer: dict[str | None, list[tuple[int, int]]] = {character: [] for character in (*followed.values(), "")}
    for (at, end), token in followed.items():
        longer[token].append((at, end + 1))
    return {_prefixes(wildcards, (*kept, *ends)) for token, ends in longer.items() if token is not _STAR}


def _prefixes(wildcards: list[_Tokens], prefixes: Iterable[tuple[int, int]]) -> _Prefixes:
    # An asterisk matches the empty string, too.
    found = set(prefixes)
    found |= {(at, end + 1) for at, end in found if wildcards[at][end : end + 1] == [_STAR]}
    return frozenset(found)
