"""Servers and an Airflow for whole flows: each started once."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from airflow_cwevents._cli.demo.airflow_run import prepare_dag_files, prepare_database
from airflow_cwevents._cli.local_aws import LocalAws
from tests.airflow_versions import DAG
from tests.conftest import DAGS_FOLDER

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
