"""Fixtures of all tests: a simulated AWS, an Airflow home of their own, and no access beyond this machine."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
from botocore.loaders import create_loader
from botocore.stub import Stubber
from tenacity import wait_none

from airflow_cwevents._aws.retries import RetryWaits
from tests.dict_store import DictStore
from tests.fault_server import FaultServer
from tests.guards import loopback_only, no_unexpected_requests

if TYPE_CHECKING:
    from airflow_cwevents.hooks import CloudWatchEventsHook

# a slow, busy machine must not fail a test
hypothesis.settings.register_profile("default", deadline=None)
hypothesis.settings.load_profile("default")

# nohup, and a shell that runs the tests in the background, ignore these; processes that tests start would inherit that
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)

NO_WAITS = RetryWaits(rule=wait_none(), target=wait_none(), policy=wait_none(), queue=wait_none())
LOGGER = logging.getLogger("tests.hook")

Stub = Callable[[str], Stubber]
Logged = Callable[[str], list[logging.LogRecord]]

# before Airflow is imported, as it reads its settings once
_home = tempfile.TemporaryDirectory(prefix="airflow-cwevents-tests-")
DAGS_FOLDER = Path(_home.name, "dags")
shutil.copytree(Path(__file__).parents[1] / "dags", DAGS_FOLDER, ignore=shutil.ignore_patterns("__pycache__"))
for name in list(os.environ):
    if name.startswith(("AIRFLOW", "AWS_")) or name.lower().endswith("_proxy"):  # a proxy leads off this machine
        del os.environ[name]
os.environ.update(
    AIRFLOW_HOME=_home.name,
    AIRFLOW__CORE__DAGS_FOLDER=str(DAGS_FOLDER),
    AIRFLOW__CORE__LOAD_EXAMPLES="False",
    AIRFLOW__USAGE_DATA_COLLECTION__ENABLED="False",
    AWS_ACCESS_KEY_ID="testing",
    AWS_SECRET_ACCESS_KEY="testing",
    AWS_DEFAULT_REGION="us-east-1",
    AWS_CONFIG_FILE=os.devnull,
    AWS_SHARED_CREDENTIALS_FILE=os.devnull,
    AWS_EC2_METADATA_DISABLED="true",
    NO_PROXY="127.0.0.1",
)


def pytest_configure() -> None:
    """Let SIGTERM, as of ``timeout``, interrupt the tests like Ctrl-C, so that fixtures end what they started."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the system tests, which take longest, so that the other processes work until the end."""
    items.sort(key=lambda item: "system" not in item.path.parts)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what tests measured."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            terminalreporter.write_line(f"{report.nodeid}: {name}: {value}")


@pytest.fixture(autouse=True)
def _guarded() -> Iterator[None]:
    """Fail each test that leaves this machine or makes a request that a Stubber does not expect."""
    with loopback_only(), no_unexpected_requests():
        yield


@pytest.fixture
def aws() -> Iterator[None]:
    """Simulate AWS in this process (moto)."""
    from moto import mock_aws

    with mock_aws():
        yield


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultServer]:
    """Start a server that answers PutEvents and can be scripted to fail; retries do not wait."""
    from airflow_cwevents.hooks import CloudWatchEventsHook

    monkeypatch.setattr(CloudWatchEventsHook, "retry_waits", NO_WAITS)
    monkeypatch.setattr("airflow_cwevents._send.retry_queue.MAX_WAIT_SECONDS", 0.0)
    with FaultServer() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_EVENTBRIDGE", server.url)
        yield server


@pytest.fixture
def store() -> DictStore:
    """Return an in-memory task state store."""
    return DictStore()


@pytest.fixture(scope="session", autouse=True)
def _fast_clients() -> Iterator[None]:
    """Make boto3 clients cheap, two thirds of the time of these tests: read the models once, and search no stack."""
    from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("botocore.session.create_loader", cache(create_loader))
        # it reads the source of each frame to name the operator in the user agent
        patch.setattr(AwsBaseHook, "_get_caller", lambda self, target_function_name="execute": "tests")
        yield


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> CloudWatchEventsHook:
    """Return a hook without waits, whose log ``logged`` reads."""
    from airflow_cwevents.hooks import CloudWatchEventsHook

    monkeypatch.setattr(CloudWatchEventsHook, "retry_waits", NO_WAITS)
    monkeypatch.setattr("airflow_cwevents._send.retry_queue.MAX_WAIT_SECONDS", 0.0)
    monkeypatch.setattr(CloudWatchEventsHook, "log", LOGGER)
    caplog.set_level("DEBUG", LOGGER.name)
    return CloudWatchEventsHook(None, region_name="us-east-1")


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Logged:
    """Return a function that returns the hook's log records of a level."""

    def records(level: str) -> list[logging.LogRecord]:
        return [record for record in caplog.records if record.name == LOGGER.name and record.levelname == level]

    return records


@pytest.fixture
def stub(hook: CloudWatchEventsHook) -> Iterator[Stub]:
    """Return a function that scripts a service: its requests must be exactly the expected ones, in order."""
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
    """Return the script of the client ``events``."""
    return stub("events")
