"""The logger that this package needs, be it Python's or Airflow's, and wording for log lines."""

from __future__ import annotations

from collections.abc import Sized
from typing import Any, Protocol


class Logger(Protocol):
    """A logger with lazy ``%s`` arguments."""

    def info(self, event: str, *args: Any) -> Any:
        """Log progress and results."""

    def warning(self, event: str, *args: Any) -> Any:
        """Log a possible problem."""


def counted(items: Sized | int, noun: str) -> str:
    """Return a number with its noun, such as ``1 target``, ``0 targets`` or ``1,000 events``."""
    number = items if isinstance(items, int) else len(items)
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
