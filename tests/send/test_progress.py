from __future__ import annotations

from typing import Any

import pytest

from airflow_cwevents._send.progress import ProgressLog


class ListLog:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def info(self, event: str, *args: Any) -> None:
        self.lines.append(event % args)

    warning = info


@pytest.fixture
def log() -> ListLog:
    return ListLog()


def run(log: ListLog, total: int | None, done: int = 0, steps: int = 100, seconds_each: float = 0.25) -> None:
    now = 0.0
    progress = ProgressLog(log, total, done, clock=lambda: now)
    for _ in range(steps):
        now += seconds_each
        progress.seen += 1
        progress.tick(failed=3)


def test_progress_is_logged_every_ten_seconds(log: ListLog) -> None:
    run(log, total=200)
    assert len(log.lines) == 2


def test_line_has_count_total_rate_and_remaining_time(log: ListLog) -> None:
    run(log, total=1_200, done=160)
    assert log.lines[0] == "197 of 1,200 events sent, 250 s left, 4 events/s, 3 failed"


def test_remaining_time_is_omitted_without_a_total(log: ListLog) -> None:
    run(log, total=None)
    assert log.lines[0] == "37 events sent, 4 events/s, 3 failed"


def test_short_send_logs_nothing(log: ListLog) -> None:
    run(log, total=10, steps=10)
    assert log.lines == []
