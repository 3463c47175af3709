"""Results that wait for their turn."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_cwevents._send.entries import EntryResult

# A result with the bytes of the entry that it still holds.
Held = tuple[EntryResult, int]


class ResultBuffer:
    """
    Holds results until they can be returned.

    :param in_order: whether to return them in the order of their positions; if not, each as soon as it is known.
    """

    def __init__(self, *, in_order: bool) -> None:
        self._in_order = in_order
        self._results: dict[int, Held] = {}
        self._next = 0

    def add(self, position: int, result: EntryResult, held_bytes: int) -> None:
        """Add the result of the entry at a position."""
        self._results[position] = result, held_bytes

    def ready(self) -> Iterator[Held]:
        """Return the results whose turn it is, and remove them."""
        if self._in_order:
            while (held := self._results.pop(self._next, None)) is not None:
                self._next += 1
                yield held
        else:
            while self._results:
                yield self._results.pop(next(iter(self._results)))

    def rest(self) -> Iterator[Held]:
        """Return all results, also those after a gap, and remove them."""
        for position in sorted(self._results):
            yield self._results.pop(position)
