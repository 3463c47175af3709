"""The guards of conftest.py fail a test even if the code under test swallows their errors."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[1]
VIOLATIONS = """
import contextlib, socket
import boto3
from botocore.stub import Stubber

def test_leaves_the_machine():
    with contextlib.suppress(OSError), socket.socket() as connection:
        connection.connect(("192.0.2.1", 80))

def test_makes_an_unexpected_request():
    client = boto3.client("events")
    with Stubber(client), contextlib.suppress(Exception):
        client.list_event_buses()
"""


def test_swallowed_violations_fail_the_tests(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makeconftest("from tests.conftest import _loopback_only, _stubbers_saw_nothing_unexpected")
    pytester.makepyfile(VIOLATIONS)
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=2, errors=2)
