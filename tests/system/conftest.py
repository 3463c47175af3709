"""Servers and an Airflow for whole flows: each started once."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from airflow_cwevents._cli.demo.airflow_run import prepare_dag_files, prepare_database
from airflow_cwevents._cli.local_aws import LocalAws
from tests.airflow_versions import AIRFLOW, DAG, EXAMPLES_FOR_LATER
from tests.conftest import DAGS_FOLDER
from tests.system.airflow_processes import RealAirflow, server_with_template
from tests.system.databases import Server

RunDag = Callable[..., Any]


@pytest.fixture(scope="session")
def local_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    """A local AWS (ministack), for all tests of the session."""
    aws = LocalAws(tmp_path_factory.mktemp("ministack"))
    with aws.process() as process:
        aws.wait_until_ready(process)
        yield aws


@pytest.fixture(scope="session")
def dags_folder() -> Path:
    """The folder of the session's Airflow, with copies of the examples that it can import."""
    for name in EXAMPLES_FOR_LATER:
        (DAGS_FOLDER / f"{name}.py").unlink(missing_ok=True)
    prepare_dag_files(DAGS_FOLDER)
    return DAGS_FOLDER


@pytest.fixture(scope="session")
def airflow_database(dags_folder: Path) -> None:
    """The database of the session's Airflow, with the example DAGs."""
    prepare_database()


@pytest.fixture
def aws_default(local_aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> LocalAws:
    """The local AWS, as Airflow's default connection to AWS."""
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", local_aws.connection)
    return local_aws


@pytest.fixture
def example_dags(dags_folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The example DAGs by id, read afresh, as a DAG keeps the parameters of its last run."""
    monkeypatch.syspath_prepend(str(dags_folder))
    names = [path.stem for path in dags_folder.glob("*.py")]
    for name in names:
        sys.modules.pop(name, None)
    values = [value for name in names for value in vars(import_module(name)).values()]
    return {value.dag_id: value for value in values if isinstance(value, DAG)}


@pytest.fixture
def run_dag(airflow_database: None, example_dags: dict[str, Any]) -> RunDag:
    """A function that runs an example DAG in this process and returns its run."""

    def run(dag_id: str, **conf: Any) -> Any:
        return example_dags[dag_id].test(run_conf=conf)

    return run


@pytest.fixture(scope="session")
def database_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Server]]:
    """A function that returns the server of a kind of database, started once, with Airflow's tables as a template."""
    servers: dict[str, Server] = {}
    with ExitStack() as stack:

        def server(kind: str) -> Server:
            if kind not in servers:
                servers[kind] = server_with_template(stack, kind, tmp_path_factory.mktemp(kind))
            return servers[kind]

        yield server


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def shared_airflow(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    database_server: Callable[[str], Server],
    local_aws: LocalAws,
) -> Iterator[RealAirflow]:
    """A real Airflow on each kind of database."""
    if AIRFLOW < (3, 0):
        pytest.skip("The API server, which this test starts, needs Airflow 3.0; see test_airflow_2_dispatch.py")
    folder = tmp_path_factory.mktemp(f"airflow-{request.param}")
    database = database_server(request.param).create(folder)
    with RealAirflow(folder, database, {"aws_default": local_aws.connection}) as airflow:
        airflow.start_all()
        yield airflow


@pytest.fixture
def real_airflow(shared_airflow: RealAirflow) -> RealAirflow:
    """A real Airflow of several processes on each kind of database, shared by all tests, all of it running."""
    shared_airflow.restart_killed()
    return shared_airflow
