"""Entries that were not sent: counted, named, and written where they can be sent again."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import IO, TYPE_CHECKING, Any, Literal

from airflow_cwevents.exceptions import FailedEntry, PutEventsError

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

    from airflow_cwevents.entries import EntryResult

# With a file that has them all, an error need not carry a million.
MAX_CARRIED_WITH_FILE = 1_000


class Failures:
    """
    Collects the entries that were not sent.

    :param path: the file to write them to, as JSON Lines; None for none. It is begun at the first, and one that is
        there from before is removed if there is none.
    :param noun: what the entries are called in the error.
    """

    def __init__(self, path: ObjectStoragePath | None, noun: Literal["entry", "line"]) -> None:
        self.counts: Counter[str] = Counter()
        self._path = path
        self._noun = noun
        self._file: IO[str] | None = None
        self._carried: list[FailedEntry] = []
        self._retryable = False

    @property
    def total(self) -> int:
        """How many entries were not sent."""
        return self.counts.total()

    def add(self, result: EntryResult) -> None:
        """Take note of an entry that was not sent."""
        failed = FailedEntry(result.index, str(result.error_code), str(result.error_message))
        self.counts[failed.code] += 1
        self._retryable = self._retryable or result.retryable
        if self._path is None or len(self._carried) < MAX_CARRIED_WITH_FILE:
            self._carried.append(failed)
        if self._path is not None:
            self._write(self._path, result.entry, failed)

    def close(self) -> None:
        """Finish the file; without a failure, remove one that an earlier try left."""
        if self._file is not None:
            self._file.close()
        elif self._path is not None and not self.total:
            self._path.unlink(missing_ok=True)

    def error(self, sent: int) -> PutEventsError:
        """
        Give the error that tells of them.

        :param sent: how many entries were sent.
        :return: the error; permanent if none of them could be sent another time.
        """
        return PutEventsError(
            self._carried,
            sent,
            permanent=not self._retryable,
            counts=self.counts,
            path=str(self._path) if self._path else None,
            noun=self._noun,
        )

    def _write(self, path: ObjectStoragePath, entry: object, failed: FailedEntry) -> None:
        if self._file is None:
            if path.protocol in ("", "file"):
                path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("w", encoding="utf-8")  # type: ignore[no-untyped-call]
        members = dict(entry) if isinstance(entry, Mapping) else {"Text": entry}
        line = {**members, "ErrorCode": failed.code, "ErrorMessage": failed.message}
        self._file.write(json.dumps(line, ensure_ascii=False, default=_to_text) + "\n")


def _to_text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
