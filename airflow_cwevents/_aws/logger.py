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


def counted(items: Sized, noun: str) -> str:
    """Return a number with its noun, such as ``1 target`` or ``0 targets``."""
    return f"{len(items)} {noun}" if len(items) == 1 else f"{len(items)} {noun}s"
