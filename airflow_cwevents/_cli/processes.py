"""Child processes that are ended together with theirs, and the signals that interrupt the command."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType

import psutil

from airflow_cwevents._cli.errors import CommandError

END_SECONDS = 5.0
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def temporary_folder(stack: ExitStack, name: str) -> Path:
    """Create a temporary folder, which the stack removes."""
    folder = Path(tempfile.mkdtemp(prefix=f"airflow-cwevents-{name}-"))
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    return folder


def python_command(module: str) -> list[str]:
    """Return the command that runs a module, whatever files lie in the working directory (``-P``)."""
    return [sys.executable, "-P", "-m", module]


def free_port(port: int = 0) -> int:
    """
    Return a port of the loopback address on which nothing listens.

    :param port: the port; 0 for any.
    :raises CommandError: if it is in use.
    """
    try:
        with socket.create_server(("127.0.0.1", port)) as listener:
            free: int = listener.getsockname()[1]
            return free
    except OSError as error:
        raise CommandError(f"port {port}: {os.strerror(error.errno or 0)}. Pass another port") from error


@contextmanager
def process_group(
    command: Sequence[str], log: Path, environment: Mapping[str, str], *, piped: bool = False
) -> Iterator[subprocess.Popen[str]]:
    """
    Run a process in a session of its own, which Ctrl-C in the terminal does not reach; at the end, end all of it.

    :param command: the command line.
    :param log: the file that the process writes to.
    :param environment: all its environment variables.
    :param piped: whether to pipe its standard input and output; the caller then has to read the output.
    :return: the process.
    """
    with log.open("wb") as file:
        process = subprocess.Popen(  # noqa: S603 - the command is ours
            command,
            stdin=subprocess.PIPE if piped else subprocess.DEVNULL,
            stdout=subprocess.PIPE if piped else file,
            stderr=file,
            env=environment,
            text=True,
            start_new_session=True,
        )
    with process:
        try:
            yield process
        finally:
            signal_group(process, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(END_SECONDS)
            kill_session(process)


def signal_group(process: subprocess.Popen[str], number: signal.Signals) -> None:
    """Send a signal to a process and to those that it started, as far as they still run."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def kill_session(process: subprocess.Popen[str]) -> None:
    """Kill a process and all that it started, also those in groups of their own, as Airflow's tasks are."""
    for pid in psutil.pids():
        with suppress(OSError):  # it ended meanwhile, or belongs to somebody else
            if os.getsid(pid) == process.pid:
                os.kill(pid, signal.SIGKILL)
    process.wait()


def last_line(log: Path) -> str:
    """Return the last line of a log: of a Python process that failed, the reason."""
    lines = log.read_text(errors="replace").splitlines()
    return lines[-1] if lines else "it wrote no log"


class SignalHandler:
    """
    Turns the first SIGINT, SIGTERM or SIGHUP into KeyboardInterrupt, but only where that is enabled.

    Elsewhere, while processes are started or ended, a signal waits. One that is ignored, as under nohup, stays ignored.

    :param stack: restores the previous handlers when it closes.
    """

    def __init__(self, stack: ExitStack) -> None:
        self._enabled = self._received = False
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                stack.callback(signal.signal, number, signal.signal(number, self._receive))

    @contextmanager
    def enabled(self) -> Iterator[None]:
        """
        Allow a signal to interrupt the block.

        :raises KeyboardInterrupt: when a signal comes, or came before.
        """
        self._enabled = True
        try:
            if self._received:
                raise KeyboardInterrupt
            yield
        finally:
            self._enabled = False

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self._received = True
        if self._enabled:
            self._enabled = False
            raise KeyboardInterrupt
