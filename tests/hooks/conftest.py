"""A hook that never waits, in front of an AWS that is scripted (botocore's Stubber) or simulated (fixture ``aws``)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from typing import Any

import pytest
from botocore.loaders import JSONFileLoader
from botocore.stub import Stubber
from tenacity import wait_none

from airflow_cwevents.hooks import CloudWatchEventsHook

WAITS = ("rule_retry_wait", "target_retry_wait", "policy_settle_wait", "entry_retry_wait")
LOGGER = logging.getLogger("tests.hook")

Stub = Callable[[str], Stubber]
Logged = Callable[[str], list[logging.LogRecord]]


@pytest.fixture(scope="session", autouse=True)
def _read_models_once() -> Iterator[None]:
    """Let botocore read its JSON files once, and not for each client: half the time of these tests."""
    read = cache(JSONFileLoader().load_file)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JSONFileLoader, "load_file", lambda self, path: read(path))
        yield


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> CloudWatchEventsHook:
    """Give a hook that waits for nothing, and whose log ``logged`` reads."""
    for wait in WAITS:
        monkeypatch.setattr(CloudWatchEventsHook, wait, wait_none())
    monkeypatch.setattr(CloudWatchEventsHook, "log", LOGGER)
    caplog.set_level("DEBUG", LOGGER.name)
    return CloudWatchEventsHook(None, region_name="us-east-1")


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Logged:
    """Give a function that returns what the hook logged at a level."""

    def records(level: str) -> list[logging.LogRecord]:
        return [record for record in caplog.records if record.name == LOGGER.name and record.levelname == level]

    return records


@pytest.fixture
def stub(hook: CloudWatchEventsHook) -> Iterator[Stub]:
    """Give a function that scripts a service: each request must be the next one expected, and all must come."""
    stubbers: dict[str, Stubber] = {}
    with ExitStack() as stack:

        def stubber_of(service_name: str) -> Stubber:
            if service_name not in stubbers:
                client: Any = hook.conn if service_name == "events" else hook.client(service_name)
                stubbers[service_name] = stack.enter_context(Stubber(client))
            return stubbers[service_name]

        yield stubber_of
        for stubber in stubbers.values():
            stubber.assert_no_pending_responses()


@pytest.fixture
def events(stub: Stub) -> Stubber:
    """Give the script of the client ``events``."""
    return stub("events")
