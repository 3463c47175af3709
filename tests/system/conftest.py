"""Servers and an Airflow for whole flows: each started once."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pytest

from airflow_cwevents._cli.demo.airflow_run import prepare_database
from airflow_cwevents._cli.demo.local_aws import LocalAws
from airflow_cwevents._cli.demo.run import example_dags_folder

RunDag = Callable[..., Any]


@pytest.fixture(scope="session")
def local_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    """Give a local AWS (ministack), for all tests of the session."""
    aws = LocalAws(tmp_path_factory.mktemp("ministack"))
    with aws.process():
        aws.wait_until_ready()
        yield aws


@pytest.fixture(scope="session")
def airflow_database() -> None:
    """Create the database of the session's Airflow, with the example DAGs."""
    prepare_database()


@pytest.fixture
def aws_default(local_aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> LocalAws:
    """Let Airflow's default connection to AWS lead to the local one."""
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", local_aws.connection)
    return local_aws


@pytest.fixture
def run_dag(airflow_database: None, monkeypatch: pytest.MonkeyPatch) -> RunDag:
    """Give a function that runs an example DAG in this process and returns its run."""
    monkeypatch.syspath_prepend(str(example_dags_folder()))
    for path in example_dags_folder().glob("*.py"):
        sys.modules.pop(path.stem, None)  # a DAG keeps the parameters of its last run

    def run(name: str, **conf: Any) -> Any:
        return import_module(name).dag.test(run_conf=conf)

    return run
