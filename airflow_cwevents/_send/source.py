"""Read entries ahead of their results, within a memory limit."""

from __future__ import annotations

from collections.abc import Iterable

from airflow_cwevents._aws.limits import MAX_REQUEST_BYTES
from airflow_cwevents._send.entries import EntryResult, SizedEntry

# Memory limits: the maximum number of entries waiting for their results, and their maximum size in bytes.
MAX_UNSETTLED_ENTRIES = 10_000
MAX_HELD_BYTES = 64 * 1024 * 1024


class ReadAhead:
    """
    Reads entries one at a time, and numbers them by their position in the stream.

    :param entries: prepared entries, and failed results of those that cannot be sent.
    """

    def __init__(self, entries: Iterable[SizedEntry | EntryResult]) -> None:
        self._entries = iter(entries)
        self._position = 0
        self._unsettled = 0
        self._held_bytes = 0
        self._exhausted = False
        #: The exception that the iterable raised; it then counts as exhausted.
        self.error: BaseException | None = None

    @property
    def is_settled(self) -> bool:
        """Whether all entries were read and all their results returned."""
        return self._exhausted and not self._unsettled

    def read(self) -> tuple[int, SizedEntry | EntryResult] | None:
        """Return the next entry with its position; None if there is none, or the memory limit is reached."""
        if self._exhausted or self._unsettled >= MAX_UNSETTLED_ENTRIES or self._held_bytes >= MAX_HELD_BYTES:
            return None
        try:
            item = next(self._entries)
        except StopIteration:
            self._exhausted = True
            return None
        except BaseException as error:  # raised after the results of requests in flight
            self.error = error
            self._exhausted = True
            return None
        position = self._position
        self._position += 1
        self._unsettled += 1
        self._held_bytes += size_of(item)
        return position, item

    def release(self, held_bytes: int) -> None:
        """Record that an entry is no longer held in memory."""
        self._held_bytes -= held_bytes

    def settle(self) -> None:
        """Record that the result of an entry was returned."""
        self._unsettled -= 1


def size_of(item: SizedEntry | EntryResult) -> int:
    """Return the bytes that an entry counts for; an invalid one counts as a full request."""
    return item.size if isinstance(item, SizedEntry) else MAX_REQUEST_BYTES
