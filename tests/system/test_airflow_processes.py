"""The harness of the other tests: an Airflow of processes, which can be killed and started again."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from airflow_cwevents._cli.local_airflow import COMPONENTS
from tests.airflow_versions import needs_airflow
from tests.system.airflow_processes import RealAirflow
from tests.system.databases import Server

pytestmark = [pytest.mark.whole_airflow, needs_airflow("3.0", "The API server, which these tests start,")]

on_one_database = pytest.mark.parametrize("shared_airflow", ["postgresql"], indirect=True)

DAG_FILE = """
from datetime import timedelta

from airflow.providers.standard.sensors.time_delta import TimeDeltaSensor
from airflow.sdk import DAG, task

with DAG("wait_and_answer", schedule=None, params={"question": 0}):

    @task
    def answer(params):
        return params["question"] * 2

    TimeDeltaSensor(task_id="wait", delta=timedelta(seconds=1), deferrable=True) >> answer()
"""


FAILING_DAG_FILE = """
from airflow.sdk import DAG, task

with DAG("fail", schedule=None):

    @task
    def fail():
        raise ValueError("on purpose")

    fail()
"""


def wait_until_finished(airflow: RealAirflow, count: int) -> None:
    airflow.wait_for(lambda: airflow.states("wait_and_answer") == ["success"] * count, dag_id="wait_and_answer")


@on_one_database
def test_killed_processes_go_on_when_started_again(real_airflow: RealAirflow) -> None:
    real_airflow.add_dag_file("wait_and_answer", DAG_FILE)
    real_airflow.trigger_run("wait_and_answer", "first", {"question": 21})
    wait_until_finished(real_airflow, 1)
    assert real_airflow.tasks("wait_and_answer", "first") == {"wait": "success", "answer": "success"}
    assert real_airflow.result("wait_and_answer", "first", "answer") == 42

    for component in COMPONENTS:
        real_airflow.kill(component)
    real_airflow.restart_killed()
    real_airflow.trigger_run("wait_and_answer", "second", {"question": 1})
    wait_until_finished(real_airflow, 2)
    runs = real_airflow.runs("wait_and_answer")
    assert [(run["dag_run_id"], run["conf"]) for run in runs] == [
        ("first", {"question": 21}),
        ("second", {"question": 1}),
    ]
    real_airflow.remove_dags("wait_and_answer")


@on_one_database
def test_failed_run_ends_the_wait_with_its_log(real_airflow: RealAirflow) -> None:
    real_airflow.add_dag_file("fail", FAILING_DAG_FILE)
    real_airflow.trigger_run("fail", "run")
    with pytest.raises(pytest.fail.Exception, match="on purpose"):
        real_airflow.wait_for(lambda: False, dag_id="fail")
    real_airflow.remove_dags("fail")


def test_unexpected_end_of_a_process_ends_the_wait(tmp_path: Path, database_server: Callable[[str], Server]) -> None:
    with RealAirflow(tmp_path, database_server("sqlite").create(tmp_path)) as airflow:
        airflow.start_process("dag-processor")
        os.kill(airflow.pid("dag-processor"), signal.SIGKILL)
        with pytest.raises(pytest.fail.Exception, match="dag-processor ended"):
            airflow.wait_for(lambda: False)


def test_nothing_is_left_running(tmp_path: Path, database_server: Callable[[str], Server]) -> None:
    with RealAirflow(tmp_path, database_server("sqlite").create(tmp_path)) as airflow:
        airflow.start_process("api-server")
        airflow.start_process("scheduler")
        killed = airflow.pid("scheduler")
        airflow.kill_alone("scheduler")
        airflow.start_process("triggerer", "triggerer-2")
        running = {airflow.pid(name) for name in ("api-server", "triggerer-2")}
        assert {session_of(pid) for pid in psutil.pids()} >= running
    # the API server overwrites its environment, but none leaves its session
    assert {session_of(pid) for pid in psutil.pids()} & {killed, *running} == set()


def session_of(pid: int) -> int | None:
    """Return the session of a process; None for one that has ended, even if its parent does not know yet."""
    try:
        return None if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE else os.getsid(pid)
    except (OSError, psutil.Error):
        return None
