"""Tasks killed in the middle of a send and retried by a real Airflow: scheduler, API server, supervised tasks."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from airflow_cwevents._airflow.compat import HAS_TASK_STATE_STORE
from airflow_cwevents._cli.processes import process_group, python_command
from tests.airflow_versions import needs_airflow
from tests.fault_server import Entry, FaultServer, Reply

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


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class RealAirflow:
    """
    An Airflow of several processes, on a copy of the session's database.

    :param home: its folder.
    :param endpoint_urls: the endpoint of each DAG, by its id, which is also the id of its connection.
    """

    def __init__(self, home: Path, endpoint_urls: dict[str, str]) -> None:
        self.home = home
        self.notes = home / "notes"
        self.notes.mkdir(parents=True)
        self.processes: dict[str, subprocess.Popen[str]] = {}
        (home / "dags").mkdir()
        (home / "dags" / "send.py").write_text(DAG_FILE % (sorted(endpoint_urls), ENTRIES))
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        connections = {
            f"AIRFLOW_CONN_{name.upper()}": json.dumps(
                {
                    "conn_type": "aws",
                    "login": "test",
                    "password": "test",
                    "extra": {"region_name": "us-east-1", "endpoint_url": url},
                }
            )
            for name, url in endpoint_urls.items()
        }
        self.environment = {
            **os.environ,
            **connections,
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API_AUTH__JWT_SECRET": "a secret of this test, long enough to sign tokens with, and known to all",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__FERNET_KEY": "",
            "AIRFLOW__CORE__PARALLELISM": str(len(SIGNALS)),
            "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
            "NOTES": str(self.notes),
        }
        with (
            closing(sqlite3.connect(Path(os.environ["AIRFLOW_HOME"], "airflow.db"))) as session_database,
            closing(sqlite3.connect(home / "airflow.db")) as own,
        ):
            session_database.backup(own)

    def start(self, stack: ExitStack) -> None:
        """Start the processes; the stack ends them. Without the API server, the first task would fail."""
        self._start(stack, "api-server", "--host", "127.0.0.1", "--port", str(self.port), "--workers", "1")
        self.wait_for(self._is_healthy)
        self._start(stack, "scheduler", "--skip-serve-logs")
        self._start(stack, "dag-processor")

    def _start(self, stack: ExitStack, *arguments: str) -> None:
        command = [*python_command("airflow"), *arguments]
        log = self.home / f"{arguments[0]}.log"
        self.processes[arguments[0]] = stack.enter_context(process_group(command, log, self.environment))

    def _is_healthy(self) -> bool:
        try:
            urlopen(f"{self.url}/api/v2/monitor/health").close()  # noqa: S310 - http
        except OSError:
            return False
        return True

    def wait_for(self, found: Callable[[], Any]) -> Any:
        """Wait as long as it takes, unless a process has ended or the DAG file cannot be imported."""
        while not (result := found()):
            for name, process in self.processes.items():
                assert process.poll() is None, (self.home / f"{name}.log").read_text()
            assert self.query("select stacktrace from import_error") == []
            time.sleep(0.05)
        return result

    def wait_for_pause(self, server: PausingServer, dag_id: str) -> None:
        """Wait until the server pauses, unless the DAG run has ended before."""
        self.wait_for(lambda: server.is_pausing() or self.has_ended(dag_id))
        assert server.is_pausing(), self.query("select state, try_number from task_instance where dag_id = ?", dag_id)

    def process_of_attempt(self, dag_id: str, number: int) -> int | None:
        notes = self.notes / dag_id
        lines = notes.read_text().splitlines() if notes.exists() else []
        return int(lines[number - 1]) if len(lines) >= number else None

    def query(self, sql: str, *parameters: str) -> list[tuple[Any, ...]]:
        url = f"file:{self.home / 'airflow.db'}?mode=ro"
        with closing(sqlite3.connect(url, uri=True, timeout=600)) as database:
            return database.execute(sql, parameters).fetchall()

    def has_ended(self, dag_id: str) -> bool:
        return self.query("select state from dag_run where dag_id = ?", dag_id) in ([("success",)], [("failed",)])


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
    """An Airflow in which each signal has killed the task of its DAG once, and all DAG runs have ended."""
    airflow = RealAirflow(
        tmp_path_factory.mktemp("airflow"), {number.name: server.url for number, server in servers.items()}
    )
    with ExitStack() as stack:
        airflow.start(stack)
        for number, server in servers.items():
            airflow.wait_for_pause(server, number.name)
            os.kill(airflow.wait_for(partial(airflow.process_of_attempt, number.name, 1)), number)
            server.killed.set()
        airflow.wait_for(lambda: all(airflow.has_ended(number.name) for number in SIGNALS))
        yield airflow


@pytest.mark.parametrize("number", SIGNALS)
def test_retry_sends_the_rest(
    airflow: RealAirflow, servers: dict[signal.Signals, PausingServer], number: signal.Signals
) -> None:
    server, dag_id = servers[number], number.name
    assert airflow.process_of_attempt(dag_id, 2)
    assert airflow.query("select state, try_number from task_instance where dag_id = ?", dag_id) == [("success", 2)]
    assert set(server.times_delivered) == set(range(ENTRIES))
    if HAS_TASK_STATE_STORE:
        duplicates = IN_FLIGHT + (SINCE_THE_LAST_CHECKPOINT if number is signal.SIGKILL else 0)
        assert server.times_delivered.total() <= ENTRIES + duplicates
    ((ids,),) = airflow.query("select value from xcom where dag_id = ? and key = 'return_value'", dag_id)
    ids = json.loads(ids)
    ids = json.loads(ids) if isinstance(ids, str) else ids
    assert [server.number_of[event_id] for event_id in ids] == list(range(ENTRIES))
