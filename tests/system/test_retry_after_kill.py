"""A task killed in the middle of a send, and retried by a real Airflow: scheduler, API server, supervised tasks."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from airflow import __version__ as airflow_version
from packaging.version import Version

from airflow_cwevents._cli.demo.processes import Process, python_command
from tests.fault_server import Entry, FaultServer, Reply

HAS_STATE_STORE = Version(airflow_version) >= Version("3.3")
ENTRIES = 3_000
KILL_AFTER = 1_700
# what is under way (two jobs of one request), and what was done since the last checkpoint (a thousand)
MOST_DUPLICATES = 2 * 10 + 1_000
DAG_FILE = """
import os
from datetime import datetime, timedelta
from pathlib import Path

from airflow.sdk import DAG

from airflow_cwevents.operators import PutEventsOperator


def note_process(context):
    with Path(os.environ["NOTES"]).open("a") as file:
        file.write(f"{context['ti'].try_number} {os.getpid()}\\n")


with DAG("send", schedule="@once", start_date=datetime(2026, 1, 1), catchup=False):
    PutEventsOperator(
        task_id="send",
        entries=[{"Source": "com.company.app", "DetailType": "t", "Detail": {"n": n}} for n in range(%d)],
        max_concurrency=2,
        retries=1,
        retry_delay=timedelta(seconds=0),
        on_execute_callback=[note_process],
    )
"""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_for(what: str, found: Callable[[], Any], seconds: float = 120) -> Any:
    give_up_at = time.monotonic() + seconds
    while time.monotonic() < give_up_at:
        if result := found():
            return result
        time.sleep(0.05)
    raise AssertionError(f"there was no {what} within {seconds} s")


class RealAirflow:
    """An Airflow of several processes, which runs the one DAG in its folder."""

    def __init__(self, home: Path, endpoint_url: str) -> None:
        self.home = home
        self.notes = home / "notes"
        port = free_port()
        dags = home / "dags"
        dags.mkdir(parents=True)
        (dags / "send.py").write_text(DAG_FILE % ENTRIES)
        extra = {"region_name": "us-east-1", "endpoint_url": endpoint_url}
        connection = {"conn_type": "aws", "login": "test", "password": "test", "extra": extra}
        self.environment = {
            **os.environ,
            "AIRFLOW_HOME": str(home),
            "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(connection),
            "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
            "AIRFLOW__API_AUTH__JWT_SECRET": "a secret of this test, long enough to sign tokens with, and known to all",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__FERNET_KEY": "",
            "AIRFLOW__CORE__PARALLELISM": "2",
            "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
            "NOTES": str(self.notes),
        }
        self.commands = (
            ["api-server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"],
            ["scheduler", "--skip-serve-logs"],
            ["dag-processor"],
        )

    def process(self, *arguments: str, piped: bool = False) -> Process:
        command = [*python_command("airflow"), *arguments]
        return Process(command, self.home / f"{arguments[0]}.log", self.environment, piped=piped)

    def process_of_try(self, number: int) -> int | None:
        lines = self.notes.read_text().splitlines() if self.notes.exists() else []
        return next((int(line.split()[1]) for line in lines if line.startswith(f"{number} ")), None)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with sqlite3.connect(f"file:{self.home / 'airflow.db'}?mode=ro", uri=True, timeout=30) as database:
            return database.execute(sql).fetchall()

    @property
    def has_ended(self) -> bool:
        return self.query("select state from dag_run") in ([("success",)], [("failed",)])


@pytest.fixture
def server() -> Iterator[FaultServer]:
    def slowly(number: int, entries: Sequence[Entry]) -> Reply | None:
        time.sleep(0.01)
        return None

    with FaultServer(slowly) as server:
        yield server


@pytest.fixture
def airflow(tmp_path: Path, server: FaultServer) -> Iterator[RealAirflow]:
    airflow = RealAirflow(tmp_path / "airflow", server.url)
    with airflow.process("db", "migrate", piped=True) as migration:
        list(migration.lines(120))
    with ExitStack() as stack:
        for arguments in airflow.commands:
            stack.enter_context(airflow.process(*arguments))
        yield airflow


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(
            signal.SIGKILL,
            marks=pytest.mark.skipif(not HAS_STATE_STORE, reason="Airflow 3.1 fails a killed task without a retry"),
        ),
        signal.SIGTERM,
    ],
)
def test_retry_sends_the_rest(airflow: RealAirflow, server: FaultServer, number: signal.Signals) -> None:
    wait_for("send", lambda: len(server.delivered) >= KILL_AFTER)
    process = airflow.process_of_try(1)
    assert process is not None
    os.kill(process, number)
    wait_for("second try", lambda: airflow.process_of_try(2))
    wait_for("end", lambda: airflow.has_ended)

    assert airflow.query("select state, try_number from task_instance") == [("success", 2)]
    assert set(server.times_delivered) == set(range(ENTRIES))
    if HAS_STATE_STORE:
        most = MOST_DUPLICATES if number is signal.SIGKILL else 2 * 10
        assert server.times_delivered.total() <= ENTRIES + most
    ((ids,),) = airflow.query("select value from xcom where key = 'return_value'")
    ids = json.loads(ids)
    ids = json.loads(ids) if isinstance(ids, str) else ids
    assert [server.number_of[event_id] for event_id in ids] == list(range(ENTRIES))
