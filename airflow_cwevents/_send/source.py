"""Entries read ahead of their results, as far as memory allows."""

from __future__ import annotations

from collections.abc import Iterable

from airflow_cwevents._aws.limits import MAX_REQUEST_BYTES
from airflow_cwevents._send.entries import EntryResult, SizedEntry

# What bounds the memory: how many entries may wait for their result at a time, and how many bytes they may have.
MAX_UNSETTLED_ENTRIES = 10_000
MAX_HELD_BYTES = 64 * 1024 * 1024


class ReadAhead:
    """
    Reads entries one at a time, and numbers them by their position in the stream.

    :param entries: the entries; those that cannot be sent, as their results.
    """

    def __init__(self, entries: Iterable[SizedEntry | EntryResult]) -> None:
        self._entries = iter(entries)
        self._position = 0
        self._unsettled = 0
        self._held_bytes = 0
        self._exhausted = False
        #: What the iterable raised; it counts as exhausted then.
        self.error: BaseException | None = None

    @property
    def is_settled(self) -> bool:
        """Whether all entries were read, and all their results returned."""
        return self._exhausted and not self._unsettled

    def read(self) -> tuple[int, SizedEntry | EntryResult] | None:
        """Return the next entry with its position; None if there is none, or memory allows no more for now."""
        if self._exhausted or self._unsettled >= MAX_UNSETTLED_ENTRIES or self._held_bytes >= MAX_HELD_BYTES:
            return None
        try:
            item = next(self._entries)
        except StopIteration:
            self._exhausted = True
            return None
        except BaseException as error:  # the results of what is in flight come first
            self.error = error
            self._exhausted = True
            return None
        position = self._position
        self._position += 1
        self._unsettled += 1
        self._held_bytes += size_of(item)
        return position, item

    def release(self, held_bytes: int) -> None:
        """Note that an entry is no longer held in memory."""
        self._held_bytes -= held_bytes

    def settle(self) -> None:
        """Note that the result of an entry was returned."""
        self._unsettled -= 1


def size_of(item: SizedEntry | EntryResult) -> int:
    """Return how many bytes an entry counts for; one that cannot be sent may be as large as a request."""
    return item.size if isinstance(item, SizedEntry) else MAX_REQUEST_BYTES
