"""The error that ends a command with one line."""

from __future__ import annotations


class CommandError(Exception):
    """The command cannot continue; the message says why."""
