"""Processes of our own, and those that they start: all of them ended at the end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

END_SECONDS = 5.0


def python_command(module: str) -> list[str]:
    """Return the command that runs a module, whatever files lie in the working directory (``-P``)."""
    return [sys.executable, "-P", "-m", module]


class Process:
    """
    A process in a group of its own, as a context manager; a Ctrl-C in the terminal does not reach it.

    :param command: what to run.
    :param log: the file that it writes to, but for what is read with ``lines``.
    :param environment: its environment variables, all of them.
    :param piped: whether its standard input and output are for ``write_line`` and ``lines``; unread, they block it.
    """

    def __init__(self, command: Sequence[str], log: Path, environment: Mapping[str, str], *, piped: bool) -> None:
        self._command = command
        self._log = log
        self._environment = environment
        self._piped = piped

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - the command is ours
                self._command,
                stdin=subprocess.PIPE if self._piped else subprocess.DEVNULL,
                stdout=subprocess.PIPE if self._piped else log,
                stderr=log,
                env=self._environment,
                text=True,
                start_new_session=True,
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            self._signal_group(number)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(END_SECONDS)
        for stream in (self._process.stdin, self._process.stdout):
            if stream:
                with suppress(BrokenPipeError):
                    stream.close()

    @property
    def is_running(self) -> bool:
        """Whether the process has not ended by itself."""
        return self._process.poll() is None

    def write_line(self, text: str) -> None:
        """Write a line to its standard input."""
        if self._process.stdin:
            with suppress(BrokenPipeError):
                self._process.stdin.write(f"{text}\n")
                self._process.stdin.flush()

    def lines(self, seconds: float) -> Iterator[str]:
        """
        Read its standard output.

        :param seconds: how long the process may take; then it is ended.
        :return: the lines, as they come.
        :raises TimeoutError: if it took longer.
        """
        ended = threading.Event()

        def end() -> None:
            ended.set()
            self._signal_group(signal.SIGKILL)

        timer = threading.Timer(seconds, end)
        timer.start()
        try:
            yield from self._process.stdout or ()
        finally:
            timer.cancel()
        if ended.is_set():
            raise TimeoutError(f"it took longer than {seconds:g} s")

    def _signal_group(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)
