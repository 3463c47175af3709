"""Entries that were not sent: counted, named, and written where they can be sent again."""

from __future__ import annotations

import gzip
import json
import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime
from operator import attrgetter
from typing import IO, TYPE_CHECKING, Any, Literal

from airflow_cwevents.exceptions import FailedEntry, PutEventsError

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

    from airflow_cwevents._send.entries import EntryResult

# With a file that has them all, an error need not carry a million.
MAX_CARRIED_WITH_FILE = 1_000

log = logging.getLogger(__name__)


class Failures:
    """
    Collects the entries that were not sent. A file that cannot be written keeps nothing from being sent.

    :param path: the file to write them to, as JSON Lines, compressed if its name ends in ``.gz``; None for none. It is
        begun at the first of them.
    :param noun: what the entries are called in the error.
    """

    def __init__(self, path: ObjectStoragePath | None, noun: Literal["entry", "line"]) -> None:
        self.counts: Counter[str] = Counter()
        #: What kept the file from being written; None if nothing did.
        self.file_error: Exception | None = None
        self._path = path
        self._noun = noun
        self._file: IO[bytes] | gzip.GzipFile | None = None
        self._files = ExitStack()
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
        if self._path is not None and self.file_error is None:
            with self._noted_errors():
                self._write(self._path, result.entry, failed)
        if self._path is None or self.file_error is not None or len(self._carried) < MAX_CARRIED_WITH_FILE:
            self._carried.append(failed)

    def close(self) -> None:
        """Finish the file."""
        with self._noted_errors():
            self._files.close()

    def remove_outdated_file(self) -> None:
        """Remove the file of entries that were sent since; a failure is only a warning."""
        if self._path is not None and not self.total:
            try:
                self._path.unlink(missing_ok=True)
            except Exception:
                log.warning("%s may name entries that were sent since, and was not removed", self._path, exc_info=True)

    def error(self, sent: int) -> PutEventsError:
        """
        Return the error that reports them.

        :param sent: how many entries were sent.
        :return: the error; permanent if none of them could be sent another time.
        """
        return PutEventsError(
            sorted(self._carried, key=attrgetter("index")),
            sent,
            permanent=not self._retryable and self.file_error is None,
            counts=self.counts,
            path=str(self._path) if self._path else None,
            path_error=self.file_error,
            noun=self._noun,
        )

    @contextmanager
    def _noted_errors(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self.file_error = self.file_error or error

    def _write(self, path: ObjectStoragePath, entry: object, failed: FailedEntry) -> None:
        if self._file is None:
            self._file = self._open(path)
        members = dict(entry) if isinstance(entry, Mapping) else {"Text": entry}
        line = {**members, "ErrorCode": failed.code, "ErrorMessage": failed.message}
        # escaped, as half of a surrogate pair, which UTF-8 cannot express, is one of the reasons to be here
        self._file.write(json.dumps(line, default=_to_text).encode() + b"\n")

    def _open(self, path: ObjectStoragePath) -> IO[bytes] | gzip.GzipFile:
        if path.protocol in ("", "file"):
            path.parent.mkdir(parents=True, exist_ok=True)
        file: IO[bytes] = self._files.enter_context(path.open("wb"))  # type: ignore[no-untyped-call]
        if path.name.endswith(".gz"):
            return self._files.enter_context(gzip.GzipFile(fileobj=file, mode="wb"))
        return file


def _to_text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
