from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from airflow_cwevents._send import json_lines
from airflow_cwevents._send.json_lines import BadLineError, open_lines, parse_line
from tests.airflow_versions import ObjectStoragePath


def read(path: Path) -> list[tuple[int, bytes]]:
    with open_lines(ObjectStoragePath(str(path))) as lines:
        return list(lines)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", []),
        (b"{}", [(0, b"{}")]),
        (b'{"a": 1}\n{"b": 2}\n', [(0, b'{"a": 1}\n'), (1, b'{"b": 2}\n')]),
        (b"\n{}\r\n   \n{}", [(1, b"{}\r\n"), (3, b"{}")]),
    ],
)
def test_lines_are_numbered_and_blank_ones_are_skipped(
    tmp_path: Path, content: bytes, expected: list[tuple[int, bytes]]
) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_bytes(content)
    assert read(path) == expected


def test_gzip_is_decompressed(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"a": 1}\n{"b": 2}\n'))
    assert [parse_line(line) for _, line in read(path)] == [{"a": 1}, {"b": 2}]


def test_overlong_line_is_truncated_and_invalid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_lines, "MAX_LINE_BYTES", 100)
    path = tmp_path / "lines.jsonl"
    path.write_bytes(b'{"a": "' + b"x" * 1000 + b'"}\n{"b": 2}\n')
    lines = read(path)
    assert [(index, len(line)) for index, line in lines] == [(0, 100), (1, 9)]
    with pytest.raises(BadLineError):
        parse_line(lines[0][1])
    assert parse_line(lines[1][1]) == {"b": 2}


@pytest.mark.parametrize("line", [b"text\n", b"{", b'{"a": NaN}', b"\xff\xfe", b"[" * 100_000])
def test_invalid_json_raises_with_the_line(line: bytes) -> None:
    with pytest.raises(BadLineError) as caught:
        parse_line(line)
    assert caught.value.text == line.decode(errors="replace").rstrip("\n")
    assert str(caught.value)
