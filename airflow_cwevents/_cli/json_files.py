"""JSON files named on the command line."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from airflow_cwevents._cli.errors import CommandError

STANDARD_INPUT = "-"


def read_json(path: str) -> Any:
    """
    Read a JSON file.

    :param path: its path; ``-`` for standard input.
    :return: its content.
    :raises CommandError: if it cannot be read, or is not JSON in UTF-8.
    """
    name = "standard input" if path == STANDARD_INPUT else path
    try:
        return json.loads(sys.stdin.read() if path == STANDARD_INPUT else Path(path).read_bytes().decode())
    except json.JSONDecodeError as error:
        raise CommandError(f"{name}: line {error.lineno} column {error.colno}: {error.msg}") from error
    except UnicodeDecodeError as error:
        raise CommandError(f"{name}: not UTF-8 at byte {error.start}") from error
    except OSError as error:
        raise CommandError(f"{name}: {error.strerror}") from error
