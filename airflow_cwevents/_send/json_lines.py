"""JSON Lines, read from wherever Airflow's ``ObjectStoragePath`` reaches, in flat memory."""

from __future__ import annotations

import gzip
from codecs import BOM_UTF8
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from airflow_cwevents._aws.json_text import parse_json_text

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

# Sixteen times what a request may hold: a longer line is not an entry, and must not fill the memory.
MAX_LINE_BYTES = 16 * 1024 * 1024


class BadLineError(ValueError):
    """
    A line that is not JSON.

    :param text: the line, or its beginning.
    """

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(reason)
        self.text = text


@contextmanager
def open_lines(path: ObjectStoragePath) -> Iterator[Iterator[tuple[int, bytes]]]:
    """
    Open a file of lines; one whose name ends in ``.gz`` is decompressed.

    :param path: the file.
    :return: the lines that are not blank, with their indexes, from 0.
    """
    with path.open("rb") as raw:  # type: ignore[no-untyped-call]
        if path.name.endswith(".gz"):
            with gzip.GzipFile(fileobj=raw) as uncompressed:
                yield _lines(uncompressed)
        else:
            yield _lines(raw)


def parse_line(line: bytes) -> Any:
    """
    Read a line.

    :param line: the line, in UTF-8.
    :return: its value.
    :raises BadLineError: if it is not JSON, or too long to be read.
    """
    if len(line) >= MAX_LINE_BYTES:
        raise BadLineError(f"it is longer than {MAX_LINE_BYTES} bytes", line[:1000].decode(errors="replace"))
    try:
        return parse_json_text(line.decode())
    except (ValueError, RecursionError) as error:
        raise BadLineError(str(error), line.decode(errors="replace").rstrip("\n")) from None


def _lines(file: IO[bytes] | gzip.GzipFile) -> Iterator[tuple[int, bytes]]:
    index = 0
    while line := file.readline(MAX_LINE_BYTES):
        rest = line
        while len(rest) == MAX_LINE_BYTES and not rest.endswith(b"\n"):
            rest = file.readline(MAX_LINE_BYTES)
        content = line if index else line.removeprefix(BOM_UTF8)
        if content.strip():
            yield index, content
        index += 1
