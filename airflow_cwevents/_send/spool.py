"""Entries of a generator kept on disk: checked and counted as a whole before the first is sent, in flat memory."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from hashlib import blake2b
from tempfile import TemporaryFile
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from airflow_cwevents._send.entries import SizedEntry


class Spool:
    """
    A temporary file of entries, as a context manager.

    :ivar count: how many entries it holds.
    :ivar fingerprint: identifies them.
    """

    def __init__(self) -> None:
        self.count = 0
        self._digest = blake2b(digest_size=16)
        self._file = TemporaryFile()  # noqa: SIM115 - closed by __exit__

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    @property
    def fingerprint(self) -> str:
        """Identifies these entries."""
        return self._digest.hexdigest()

    def write(self, entries: Iterable[SizedEntry]) -> None:
        """Keep entries, which are ready to be sent."""
        for item in entries:
            line = json.dumps([item.index, item.size, item.entry], default=_to_timestamp).encode()
            self._digest.update(line)
            self._file.write(line + b"\n")
            self.count += 1

    def read(self) -> Iterator[tuple[int, int, dict[str, Any]]]:
        """Return the entries: the index, the size in bytes and the entry of each."""
        self._file.seek(0)
        for line in self._file:
            index, size, entry = json.loads(line)
            if "Time" in entry:
                entry["Time"] = datetime.fromisoformat(entry["Time"])
            yield index, size, entry


def _to_timestamp(value: datetime) -> str:
    return value.isoformat()
