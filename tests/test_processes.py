from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest

from airflow_cwevents.processes import Process, deferred_interrupts


def test_interrupt_waits_until_the_work_is_done() -> None:
    done = []

    def work() -> None:
        with deferred_interrupts():
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)
            done.append("done")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["done"]


def test_handlers_are_as_before() -> None:
    before = signal.getsignal(signal.SIGINT)
    with deferred_interrupts():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


def test_process_that_is_interrupted_at_its_start_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worst moment: it runs, and nobody has it yet."""
    started = []
    start = Process._start

    def start_and_interrupt(self: Process, log: object) -> object:
        process = start(self, log)  # type: ignore[arg-type]
        started.append(process.pid)
        os.kill(os.getpid(), signal.SIGINT)
        return process

    monkeypatch.setattr(Process, "_start", start_and_interrupt)
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    with pytest.raises(KeyboardInterrupt), Process(command, tmp_path / "log", {}):
        pytest.fail("entered")
    assert not psutil.pid_exists(started[0])


def test_whole_group_is_ended(tmp_path: Path) -> None:
    program = """
import subprocess, sys, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(child.pid, flush=True)
time.sleep(0.1)
"""
    with Process([sys.executable, "-c", program], tmp_path / "log", {}) as process:
        child = int(next(process.lines(10)))
    for _ in range(100):
        if not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE:
            break
        time.sleep(0.01)
    else:
        pytest.fail("the child lives on")


def test_lines_end_with_the_time(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import time; print('one', flush=True); time.sleep(60)"]
    with Process(command, tmp_path / "log", {}) as process:
        assert [line.strip() for line in process.lines(0.5)] == ["one"]
