"""One event, one run, in a whole Airflow 2: its scheduler, which reads the DAG files, and its triggerer."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from airflow_cwevents._airflow.compat import with_imports_of_this_version
from airflow_cwevents._cli.demo.run import example_dags_folder
from airflow_cwevents._cli.local_aws import LocalAws
from airflow_cwevents._cli.processes import python_command
from tests.airflow_versions import only_airflow_2
from tests.system.airflow_processes import RealAirflow
from tests.system.databases import Server

pytestmark = [pytest.mark.whole_airflow, only_airflow_2]

DISPATCH = "example_cwevents_dispatch"
REPLY = "example_cwevents_request_reply"
COMPONENTS = ("scheduler", "triggerer")
SETTINGS = {
    "AIRFLOW__SCHEDULER__DAG_DIR_LIST_INTERVAL": "1",
    "AIRFLOW__SCHEDULER__MIN_FILE_PROCESS_INTERVAL": "1",
}


@pytest.fixture
def airflow(database_server: Callable[[str], Server], local_aws: LocalAws, tmp_path: Path) -> Iterator[RealAirflow]:
    """A whole Airflow on PostgreSQL: on SQLite, Airflow 2 runs one task at a time."""
    folder = tmp_path / "airflow"
    folder.mkdir()
    database = database_server("postgresql").create(folder)
    with RealAirflow(folder, database, {"aws_default": local_aws.connection}, SETTINGS) as airflow:
        for component in COMPONENTS:
            airflow.start_process(component)
        yield airflow


def add_example(airflow: RealAirflow, name: str) -> None:
    airflow.add_dag_file(name, with_imports_of_this_version((example_dags_folder() / f"{name}.py").read_text()))


def test_each_event_starts_a_run_though_the_triggerer_is_killed(airflow: RealAirflow, local_aws: LocalAws) -> None:
    add_example(airflow, DISPATCH)
    order, events = f"{DISPATCH}_order", local_aws.client("events")

    def is_waiting() -> bool:
        sql = "select 1 from task_instance where dag_id = ? and state = 'deferred'"
        return bool(airflow.query(sql, DISPATCH))

    def send(numbers: range) -> set[str]:
        entries = [
            {"Source": "com.company.shop", "DetailType": "order", "Detail": json.dumps({"number": n, "amount": n})}
            for n in numbers
        ]
        return {f"event__{result['EventId']}" for result in events.put_events(Entries=entries)["Entries"]}

    def succeeded() -> list[str]:
        sql = "select run_id from dag_run where dag_id = ? and state = 'success'"
        return [run_id for (run_id,) in airflow.query(sql, order)]

    airflow.wait_for(is_waiting, dag_id=order)
    sent = send(range(3))
    airflow.wait_for(lambda: len(succeeded()) == 3, dag_id=order)
    airflow.wait_for(is_waiting, dag_id=order)
    airflow.kill("triggerer")
    sent |= send(range(3, 13))
    airflow.start_process("triggerer")
    airflow.wait_for(lambda: len(succeeded()) == 13, dag_id=order)
    assert sorted(succeeded()) == sorted(sent)


def test_sensor_receives_the_reply_to_its_run(airflow: RealAirflow) -> None:
    add_example(airflow, REPLY)
    airflow.wait_for(lambda: airflow.query("select 1 from dag where dag_id = ?", REPLY))
    command = [*python_command("airflow"), "dags", "trigger", REPLY, "--conf", json.dumps({"settle_seconds": 0})]
    subprocess.run(command, env=airflow.environment, check=True, capture_output=True)
    airflow.wait_for(lambda: airflow.states(REPLY) == ["success"], dag_id=REPLY)
