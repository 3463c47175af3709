"""What this package needs of a logger, be it Python's or Airflow's."""

from __future__ import annotations

from typing import Any, Protocol


class Logger(Protocol):
    """A logger with lazy ``%s`` arguments."""

    def info(self, event: str, *args: Any) -> Any:
        """Log what happened."""

    def warning(self, event: str, *args: Any) -> Any:
        """Log what may go wrong."""
