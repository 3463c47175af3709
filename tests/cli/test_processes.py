from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from airflow_cwevents._cli.processes import SIGNALS, SignalHandler, process_group

STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"], process_group=0)
print(child.pid, flush=True)
time.sleep(3600)
"""


def test_all_that_a_process_started_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_cwevents._cli.processes.END_SECONDS", 0.1)
    with process_group([sys.executable, "-c", STUBBORN], tmp_path / "log", os.environ, piped=True) as process:
        assert process.stdout
        child = psutil.Process(int(process.stdout.readline()))
    assert process.returncode == -signal.SIGKILL
    psutil.wait_procs([child])


def test_unpiped_output_goes_to_the_log(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; print('out', flush=True); print('err', file=sys.stderr)"]
    with process_group(command, tmp_path / "log", os.environ) as process:
        process.wait()
    assert (tmp_path / "log").read_text().split() == ["out", "err"]


def interrupted(signals: SignalHandler, block: Callable[[], None]) -> bool:
    try:
        with signals.enabled():
            block()
    except KeyboardInterrupt:
        return True
    return False


@pytest.mark.parametrize("number", SIGNALS)
def test_only_the_first_signal_interrupts(number: signal.Signals) -> None:
    with ExitStack() as stack:
        signals = SignalHandler(stack)
        assert interrupted(signals, lambda: signal.raise_signal(number))
        signal.raise_signal(number)  # while processes are ended


@pytest.mark.parametrize("number", SIGNALS)
def test_early_signal_waits_until_enabled(number: signal.Signals) -> None:
    reached: list[bool] = []
    with ExitStack() as stack:
        signals = SignalHandler(stack)
        signal.raise_signal(number)  # while processes are started
        assert interrupted(signals, lambda: reached.append(True))
    assert reached == []


def test_ignored_signal_stays_ignored() -> None:
    """As nohup ignores SIGHUP."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with ExitStack() as stack:
            assert not interrupted(SignalHandler(stack), lambda: signal.raise_signal(signal.SIGHUP))
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_previous_handlers_are_restored() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    with ExitStack() as stack:
        SignalHandler(stack)
        assert signal.getsignal(signal.SIGTERM) not in before
    assert [signal.getsignal(number) for number in SIGNALS] == before
