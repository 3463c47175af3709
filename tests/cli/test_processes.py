from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import psutil
import pytest

from airflow_cwevents._cli.demo.processes import Process


def test_whole_group_is_ended(tmp_path: Path) -> None:
    program = """
import subprocess, sys, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(child.pid, flush=True)
time.sleep(0.1)
"""
    with Process([sys.executable, "-c", program], tmp_path / "log", os.environ, piped=True) as process:
        child = int(next(process.lines(10)))
    for _ in range(100):
        if not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE:
            break
        time.sleep(0.01)
    else:
        pytest.fail("the child lives on")


def test_lines_end_with_the_time(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import time; print('one', flush=True); time.sleep(60)"]
    with Process(command, tmp_path / "log", os.environ, piped=True) as process:
        lines = process.lines(0.5)
        assert next(lines).strip() == "one"
        with pytest.raises(TimeoutError):
            next(lines)


def test_what_is_not_read_goes_to_the_log(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; print('x' * 1_000_000); print('end', file=sys.stderr)"]
    with Process(command, tmp_path / "log", os.environ, piped=False) as process:
        give_up_at = time.monotonic() + 10
        while process.is_running and time.monotonic() < give_up_at:
            time.sleep(0.01)
        assert not process.is_running
    assert sorted((tmp_path / "log").read_text().split()) == ["end", "x" * 1_000_000]
