"""Tasks killed in the middle of a send and retried by a real Airflow: scheduler, API server, supervised tasks."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from airflow_cwevents._airflow.compat import HAS_TASK_STATE_STORE
from airflow_cwevents._cli.local_aws import connection_to
from tests.airflow_versions import needs_airflow
from tests.fault_server import Entry, FaultServer, Reply
from tests.system.airflow_processes import RealAirflow
from tests.system.databases import SqliteServer

pytestmark = needs_airflow("3.0", "The API server, which these tests start,")

# without a state store, Airflow 3.1 fails a task that gets SIGKILL without a retry
SIGNALS = [signal.SIGKILL, signal.SIGTERM] if HAS_TASK_STATE_STORE else [signal.SIGTERM]
ENTRIES = 3_000
KILL_AFTER = 1_700
IN_FLIGHT = 2 * 10  # two concurrent requests
SINCE_THE_LAST_CHECKPOINT = 1_000
DAG_FILE = """
import os
from datetime import datetime, timedelta
from pathlib import Path

from airflow.sdk import DAG

from airflow_cwevents.operators import PutEventsOperator

NAMES = %r
ENTRIES = %d


def note_process(context):
    with Path(os.environ["NOTES"], context["dag"].dag_id).open("a") as file:
        file.write(f"{os.getpid()}\\n")


for name in NAMES:
    with DAG(name, schedule="@once", start_date=datetime(2026, 1, 1), catchup=False):
        PutEventsOperator(
            task_id="send",
            aws_conn_id=name,
            entries=[{"Source": "com.company.app", "DetailType": "t", "Detail": {"n": n}} for n in range(ENTRIES)],
            max_concurrency=2,
            retries=1,
            retry_delay=timedelta(seconds=0),
            on_execute_callback=[note_process],
        )
"""


class PausingServer(FaultServer):
    """A server that pauses after so many events that a checkpoint was written, until the task has been killed."""

    def __init__(self) -> None:
        super().__init__(self._pause)
        self.killed = threading.Event()

    def is_pausing(self) -> bool:
        return len(self.delivered) >= KILL_AFTER

    def _pause(self, number: int, entries: Sequence[Entry]) -> Reply | None:
        if self.is_pausing():
            self.killed.wait()
        return None


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[signal.Signals, PausingServer]]:
    with ExitStack() as stack:
        yield {number: stack.enter_context(PausingServer()) for number in SIGNALS}


@pytest.fixture(scope="module")
def airflow(
    airflow_database: None, tmp_path_factory: pytest.TempPathFactory, servers: dict[signal.Signals, PausingServer]
) -> Iterator[RealAirflow]:
    """An Airflow in which each signal has killed the task of its DAG once, and all DAG runs have succeeded."""
    folder = tmp_path_factory.mktemp("airflow")
    database = SqliteServer(Path(os.environ["AIRFLOW_HOME"])).create(folder)
    settings = {
        "AIRFLOW__CORE__PARALLELISM": str(len(SIGNALS)),
        # Airflow's default: the executor notices a killed process, and a busy machine must not end a task
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "300",
        "NOTES": str(folder),
    }
    connections = {number.name: connection_to(server.url) for number, server in servers.items()}
    with RealAirflow(folder, database, connections, settings) as airflow:
        airflow.add_dag_file("send", DAG_FILE % (sorted(connections), ENTRIES))
        for component in ("api-server", "scheduler", "dag-processor"):
            airflow.start_process(component)
        for number, server in servers.items():
            airflow.wait_for(server.is_pausing, dag_id=number.name)
            os.kill(airflow.wait_for(partial(process_of_attempt, airflow, number.name, 1)), number)
            server.killed.set()
        for number in SIGNALS:
            airflow.wait_for(partial(has_succeeded, airflow, number.name), dag_id=number.name)
        yield airflow


def process_of_attempt(airflow: RealAirflow, dag_id: str, number: int) -> int:
    """Return the process id of an attempt; 0 if it has not begun."""
    notes = airflow.folder / dag_id
    lines = notes.read_text().splitlines() if notes.exists() else []
    return int(lines[number - 1]) if len(lines) >= number else 0


def has_succeeded(airflow: RealAirflow, dag_id: str) -> bool:
    return airflow.states(dag_id) == ["success"]


@pytest.mark.parametrize("number", SIGNALS)
def test_retry_sends_the_rest(
    airflow: RealAirflow, servers: dict[signal.Signals, PausingServer], number: signal.Signals
) -> None:
    server, dag_id = servers[number], number.name
    assert process_of_attempt(airflow, dag_id, 2)
    assert airflow.query("select state, try_number from task_instance where dag_id = ?", dag_id) == [("success", 2)]
    assert set(server.times_delivered) == set(range(ENTRIES))
    if HAS_TASK_STATE_STORE:
        duplicates = IN_FLIGHT + (SINCE_THE_LAST_CHECKPOINT if number is signal.SIGKILL else 0)
        assert server.times_delivered.total() <= ENTRIES + duplicates
    ((run_id,),) = airflow.query("select run_id from dag_run where dag_id = ?", dag_id)
    ids = airflow.result(dag_id, run_id, "send")
    assert [server.number_of[event_id] for event_id in ids] == list(range(ENTRIES))
