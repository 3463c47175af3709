"""Record which entries of an input were sent, so that a retry of the task sends only the rest."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, Protocol

KEY = "airflow_cwevents.put_events"
# Limits how many events are resent after a kill, and keeps each value below Airflow's 65,535 bytes: an id takes 39.
ENTRIES_PER_CHUNK = 1_000
SECONDS_BETWEEN_SAVES = 5.0

log = logging.getLogger(__name__)


class Store(Protocol):
    """The subset of Airflow's task state store (3.3 and up) used here: values by key, kept across a task's retries."""

    def get(self, key: str) -> Any:
        """Return the value, or None."""

    def set(self, key: str, value: Any) -> None:
        """Store a JSON-serializable value."""

    def delete(self, key: str) -> None:
        """Delete the value, if there is one."""


class Checkpoint:
    """
    Records which entries were sent, in chunks of a thousand, for a retry with the same input.

    A chunk holds the event ids of its entries, None for those that were not sent. For inputs too long for that, it
    holds only the indexes of unsent entries, and is omitted if all were sent.

    :param store: where to store it; None before Airflow 3.3: a retry then resends everything.
    :param fingerprint: identifies the input; if it changed, everything is sent.
    :param keep_ids: whether to keep the event ids for the result.
    :param max_tries: the task instance's ``max_tries``, which clearing a task raises and a retry does not: a finished
        task that is cleared sends everything again.
    :param clock: seconds, as :func:`time.monotonic` returns them.
    """

    def __init__(
        self,
        store: Store | None,
        fingerprint: str,
        *,
        keep_ids: bool,
        max_tries: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._fingerprint = fingerprint
        self._keep_ids = keep_ids
        self._max_tries = max_tries
        self._clock = clock
        self._done = 0
        self._ids: list[str | None] = []
        self._unsent: dict[int, set[int]] = {}
        self._stored_chunks: set[int] = set()
        self._changed_chunks: set[int] = set()
        self._records = 0
        self._saved_at = clock()
        self._load()

    @property
    def sent(self) -> int:
        """How many entries were sent, in this attempt and the previous ones."""
        return self._done - self._unsent_count()

    def is_sent(self, index: int) -> bool:
        """Return whether an entry was sent, in this attempt or a previous one."""
        if index >= self._done:
            return False
        if self._keep_ids:
            return self._ids[index] is not None
        return index not in self._unsent.get(index // ENTRIES_PER_CHUNK, ())

    def event_ids(self, total: int) -> list[str | None]:
        """
        Return the ids of the events that were sent, in this attempt and the previous ones.

        :param total: how many entries the input has.
        :return: an id for each entry, None where it was not sent.
        """
        return self._ids + [None] * (total - len(self._ids))

    def record(self, index: int, event_id: str | None) -> None:
        """
        Record the outcome of an entry, in any order, and save after every thousand.

        :param index: its index in the input.
        :param event_id: its event id; None if it was not sent.
        """
        for skipped in range(self._done, index):
            self._put(skipped, None)
        self._put(index, event_id)
        self._done = max(self._done, index + 1)
        self._records += 1
        if self._records >= ENTRIES_PER_CHUNK:
            self.save()

    def tick(self) -> None:
        """Save if the last save was at least five seconds ago."""
        if self._clock() - self._saved_at >= SECONDS_BETWEEN_SAVES:
            self.save()

    def save(self) -> None:
        """Save what changed since the last save. A failure is logged as a warning; sending continues."""
        self._records = 0
        self._saved_at = self._clock()
        if self._changed_chunks:
            self._save(finished=False)

    def finish(self) -> None:
        """Mark the input as sent, for a retry after the result could not be returned; a cleared task ignores it."""
        self._save(finished=True)

    def _save(self, *, finished: bool) -> None:
        if self._store is None:
            self._changed_chunks.clear()
            return
        try:
            for chunk in sorted(self._changed_chunks):
                self._save_chunk(self._store, chunk)
            header = {"fingerprint": self._fingerprint, "done": self._done, "chunks": sorted(self._stored_chunks)}
            self._store.set(KEY, {**header, "max_tries": self._max_tries} if finished else header)
        except Exception:
            log.warning("Could not save progress; a retry may resend events", exc_info=True)
        else:
            self._changed_chunks.clear()

    def _forget(self, store: Store, chunks: list[int]) -> None:
        try:
            for key in (KEY, *map(_chunk_key, chunks)):
                store.delete(key)
        except Exception:
            log.warning("Could not delete the progress of a previous attempt", exc_info=True)

    def _put(self, index: int, event_id: str | None) -> None:
        chunk = index // ENTRIES_PER_CHUNK
        self._changed_chunks.add(chunk)
        if self._keep_ids:
            self._ids += [None] * (index + 1 - len(self._ids))
            self._ids[index] = event_id
        elif event_id is None:
            self._unsent.setdefault(chunk, set()).add(index)
        elif chunk in self._unsent:
            self._unsent[chunk].discard(index)
            if not self._unsent[chunk]:  # an empty set keeps the room of what it held
                del self._unsent[chunk]

    def _unsent_count(self) -> int:
        if self._keep_ids:
            return self._ids.count(None)
        return sum(map(len, self._unsent.values()))

    def _save_chunk(self, store: Store, chunk: int) -> None:
        start = chunk * ENTRIES_PER_CHUNK
        value = self._ids[start : start + ENTRIES_PER_CHUNK] if self._keep_ids else sorted(self._unsent.get(chunk, ()))
        if value or chunk in self._stored_chunks:
            store.set(_chunk_key(chunk), value)
            self._stored_chunks.add(chunk)

    def _load(self) -> None:
        header = self._store.get(KEY) if self._store is not None else None
        if self._store is None or not header:
            return
        if header["fingerprint"] != self._fingerprint or header.get("max_tries", self._max_tries) != self._max_tries:
            log.info("The input changed since the previous attempt, or the task was cleared: sending everything")
            self._forget(self._store, header["chunks"])
            return
        self._done = header["done"]
        self._stored_chunks = set(header["chunks"])
        if self._keep_ids:
            self._ids = [None] * self._done
        for chunk in self._stored_chunks:
            self._load_chunk(chunk, self._store.get(_chunk_key(chunk)))

    def _load_chunk(self, chunk: int, value: list[Any] | None) -> None:
        """Load a chunk; if it is missing, its entries count as unsent."""
        start = chunk * ENTRIES_PER_CHUNK
        if not self._keep_ids:
            end = min(start + ENTRIES_PER_CHUNK, self._done)
            self._unsent[chunk] = set(range(start, end) if value is None else value)
        elif value is not None:
            self._ids[start : start + len(value)] = value


def _chunk_key(chunk: int) -> str:
    return f"{KEY}.{chunk}"
