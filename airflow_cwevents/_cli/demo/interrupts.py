"""Ctrl-C at a moment of our choice, so that whatever was started is also ended."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Self

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """
    Turns SIGINT, SIGTERM and SIGHUP into KeyboardInterrupt, but only where that is allowed; elsewhere they wait.

    A signal that is ignored, as nohup has it, stays so.

    A context manager, to be used in the main thread; afterwards signals do what they did before.
    """

    def __init__(self) -> None:
        self._allowed = False
        self._received = False

    def __enter__(self) -> Self:
        heeded = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
        self._handlers = {number: signal.signal(number, self._receive) for number in heeded}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    @contextmanager
    def allowed(self) -> Iterator[None]:
        """
        Let a signal interrupt what is done within; the first one, so that what is cleaned up then is left in peace.

        :raises KeyboardInterrupt: when a signal comes, or has come before.
        """
        self._allowed = True
        try:
            if self._received:
                raise KeyboardInterrupt
            yield
        finally:
            self._allowed = False

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self._received = True
        if self._allowed:
            self._allowed = False
            raise KeyboardInterrupt
