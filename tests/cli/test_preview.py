from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_cwevents._cli.main import main

TARGET = {"Id": "t", "InputTransformer": {"InputPathsMap": {"d": "$.detail.d"}, "InputTemplate": '{"got": "<d>"}'}}


@pytest.fixture
def event(tmp_path: Path) -> str:
    (tmp_path / "event.json").write_text(json.dumps({"detail": {"d": 1, "o": {}}}))
    return str(tmp_path / "event.json")


def run(tmp_path: Path, event: str, targets: object) -> int:
    (tmp_path / "targets.json").write_text(json.dumps(targets))
    return main(["preview", str(tmp_path / "targets.json"), event])


def test_one_target(tmp_path: Path, event: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, event, TARGET) == 0
    assert capsys.readouterr().out == '{"got": "1"}\n'


def test_several_targets_are_named(tmp_path: Path, event: str, capsys: pytest.CaptureFixture[str]) -> None:
    paths = {"InputPathsMap": {"d": "$.detail.o"}, "InputTemplate": '"<d>"'}
    assert run(tmp_path, event, [TARGET, {"Id": "u", "InputTransformer": paths}]) == 0
    out = capsys.readouterr().out
    assert out.startswith('t:\n{"got": "1"}\nu:\n(nothing: ')


@pytest.mark.parametrize("targets", [["x"], {"Id": "t", "InputPath": "detail"}])
def test_invalid_target_is_one_line(
    tmp_path: Path, event: str, targets: object, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, event, targets) == 2
    assert capsys.readouterr().err.count("\n") == 1
