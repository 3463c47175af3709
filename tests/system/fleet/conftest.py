"""A fleet, started once for all tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from airflow_cwevents._cli.local_aws import LocalAws, connection_to
from tests.system.databases import Server
from tests.system.fleet.fleet import Fleet, redis_server
from tests.system.fleet.quota_server import QuotaServer


@pytest.fixture(scope="session")
def quota_server() -> Iterator[QuotaServer]:
    with QuotaServer() as server:
        yield server


@pytest.fixture(scope="session")
def broker_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    pytest.importorskip("airflow.providers.celery", reason="workers need apache-airflow-providers-celery")
    with redis_server(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture(scope="session")
def shared_fleet(
    tmp_path_factory: pytest.TempPathFactory,
    broker_url: str,
    database_server: Callable[[str], Server],
    local_aws: LocalAws,
    quota_server: QuotaServer,
) -> Iterator[Fleet]:
    folder: Path = tmp_path_factory.mktemp("fleet")
    database = database_server("postgresql").create(folder)
    connections = {"aws_default": local_aws.connection, "quota": connection_to(quota_server.url)}
    with Fleet(folder, database, broker_url, connections) as fleet:
        fleet.start_all()
        yield fleet


@pytest.fixture
def fleet(shared_fleet: Fleet) -> Fleet:
    """The fleet, all of it running."""
    shared_fleet.restart_killed()
    return shared_fleet
