"""A real Airflow on SQLite or PostgreSQL, whose processes can be killed and started again."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, Self

import pytest

from airflow_cwevents._cli.local_airflow import COMPONENTS, LocalAirflow
from airflow_cwevents._cli.local_aws import clean_environment
from airflow_cwevents._cli.processes import free_port, kill_session, last_line, process_group

# Airflow takes over from a process that was killed after minutes; the tests wait for seconds.
RECOVERY_SETTINGS = {
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "2",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "5",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "2",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "5",
}


class SqliteDatabase:
    """A database in a file. Airflow's own setting points to it."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "airflow.db"
        self.settings = {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self._file}"}

    def query(self, sql: str, parameters: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        """Return the rows of a query, whose parameters are written ``?``."""
        with closing(sqlite3.connect(f"file:{self._file}?mode=ro", uri=True, timeout=600)) as database:
            return database.execute(sql, parameters).fetchall()


class SqliteServer:
    """Databases in files. A new one is a copy of the first, so that Airflow creates its tables only once."""

    def __init__(self, folder: Path) -> None:
        self._template = folder / "airflow.db"

    def first(self) -> SqliteDatabase:
        return SqliteDatabase(self._template.parent)

    def create(self, folder: Path) -> SqliteDatabase:
        shutil.copy(self._template, folder)
        return SqliteDatabase(folder)


class PostgresDatabase:
    """A database of a PostgreSQL server."""

    def __init__(self, port: int, password: str, name: str) -> None:
        self._address = {"host": "127.0.0.1", "port": port, "user": "postgres", "password": password, "dbname": name}
        url = f"postgresql+psycopg2://postgres:{password}@127.0.0.1:{port}/{name}"
        self.settings = {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url}

    def query(self, sql: str, parameters: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query, whose parameters are written ``?``."""
        import psycopg2

        with closing(psycopg2.connect(**self._address)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(sql.replace("?", "%s"), parameters)
                return cursor.fetchall() if cursor.description else []


class PostgresServer:
    """
    A PostgreSQL server of this session.

    :param port: its port on the loopback address.
    :param password: that of its superuser.
    """

    def __init__(self, port: int, password: str) -> None:
        self._port, self._password = port, password
        self._number = 0

    def database(self, name: str) -> PostgresDatabase:
        return PostgresDatabase(self._port, self._password, name)

    def first(self) -> PostgresDatabase:
        return self._created("template", "template1")

    def create(self, folder: Path) -> PostgresDatabase:
        self._number += 1
        return self._created(f"airflow{self._number}", "template")

    def _created(self, name: str, template: str) -> PostgresDatabase:
        self.database("postgres").query(f"create database {name} template {template}")
        return self.database(name)

    def is_ready(self) -> bool:
        import psycopg2

        try:
            self.database("postgres").query("select 1")
        except psycopg2.OperationalError:
            return False
        return True


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """Run Debian's PostgreSQL on the loopback address, or skip the test where it is missing."""
    programs = _postgres_programs()
    with ExitStack() as stack:
        # the server's user may not enter pytest's folders
        folder = Path(tempfile.mkdtemp(prefix="airflow-cwevents-postgres-"))
        stack.callback(shutil.rmtree, folder)
        password, environment = "airflow", {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
        (folder / "password").write_text(password)
        as_user = []
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            shutil.chown(folder, "postgres", "postgres")
            as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]
        data = ["-D", str(folder / "data")]
        options = ["--username=postgres", "--auth=scram-sha-256", f"--pwfile={folder / 'password'}", "--no-sync"]
        with process_group(
            [*as_user, f"{programs}/initdb", *data, *options], log := folder / "initdb.log", environment
        ) as initdb:
            assert initdb.wait() == 0, last_line(log)
        port = free_port()
        command = [*as_user, f"{programs}/postgres", *data, "-h", "127.0.0.1", "-p", str(port), "-k", "", "-F"]
        process = stack.enter_context(process_group(command, log := folder / "postgres.log", environment))
        stack.callback(process.wait)
        stack.callback(process.send_signal, signal.SIGINT)  # fast shutdown: clients are disconnected
        server = PostgresServer(port, password)
        while not server.is_ready():
            assert process.poll() is None, last_line(log)
            time.sleep(0.05)
        yield server


def _postgres_programs() -> Path:
    pytest.importorskip("psycopg2", reason="PostgreSQL needs psycopg2-binary")
    pytest.importorskip("asyncpg", reason="Airflow on PostgreSQL needs asyncpg")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if not found:
        pytest.skip("Debian's package postgresql is not installed")
    if os.geteuid() == 0 and "postgres" not in {user.pw_name for user in pwd.getpwall()}:
        pytest.skip("there is no user postgres to run PostgreSQL as")
    return found[-1].parent


Server = SqliteServer | PostgresServer


class RealAirflow(LocalAirflow):
    """
    An Airflow whose processes can be killed and started again.

    :param folder: its home.
    :param database: its database, with Airflow's tables or without.
    :param connections: connections by id, as JSON.
    :param settings: further environment variables.
    """

    def __init__(
        self,
        folder: Path,
        database: SqliteDatabase | PostgresDatabase,
        connections: Mapping[str, str] | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        environment = {
            **clean_environment(folder),
            **RECOVERY_SETTINGS,
            **{f"AIRFLOW_CONN_{name.upper()}": connection for name, connection in (connections or {}).items()},
            **(settings or {}),
            **database.settings,
        }
        # without compiled modules, each start takes three times as long
        environment.pop("PYTHONDONTWRITEBYTECODE")
        super().__init__(folder, environment)
        self._database = database
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.terminate()
        self._stack.close()

    def migrate(self) -> None:
        """Create Airflow's tables."""
        self.start_process("db")
        self.wait_for(self.is_migrated)

    def start_all(self) -> None:
        """Start a process of each component."""
        for component in COMPONENTS:
            self.start_process(component)

    def start_process(self, component: str, name: str | None = None) -> None:
        """
        Start a process, the first time or again.

        :param component: ``api-server``, ``scheduler``, ``dag-processor`` or ``triggerer``.
        :param name: a name for it, if there are several of the component.
        """
        self.start(self._stack, component, name)
        if component == "api-server":
            self.wait_for(self.is_healthy)

    def restart_killed(self) -> None:
        """Start what was killed and not started again."""
        for component in COMPONENTS:
            if component not in self._processes:
                self.start_process(component)

    def pid(self, name: str) -> int:
        """Return the process id of a process, by its component or name."""
        return self._processes[name].pid

    def kill(self, name: str) -> None:
        """
        Kill a process and all that it started, by SIGKILL, as when its machine fails: of the scheduler, its tasks too.

        :param name: its component, or the name it was started by.
        """
        kill_session(self._processes.pop(name))

    def kill_alone(self, name: str) -> None:
        """
        Kill a process by SIGKILL, and nothing that it started; what lives on ends with this Airflow.

        :param name: its component, or the name it was started by.
        """
        process = self._processes.pop(name)
        process.kill()
        process.wait()

    def add_dag_file(self, name: str, source: str | Path) -> None:
        """
        Put a file into the DAGs folder.

        :param name: the file's name, without ``.py``.
        :param source: the code, or a file to copy.
        """
        text = source.read_text() if isinstance(source, Path) else source
        partial = self.dags / f"{name}.part"
        partial.write_text(text)
        partial.rename(self.dags / f"{name}.py")

    def query(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """
        Return the rows of a query to its database.

        :param sql: the query, with parameters written ``?``.
        :param parameters: the parameters.
        """
        return self._database.query(sql, parameters)

    def states(self, dag_id: str) -> list[str]:
        """Return the states of a DAG's runs, the oldest first; from the database, also while the API server is down."""
        return [state for (state,) in self.query("select state from dag_run where dag_id = ? order by id", dag_id)]

    def tasks(self, dag_id: str, run_id: str) -> dict[str, str | None]:
        """Return the states of a run's tasks, by task id."""
        sql = "select task_id, state from task_instance where dag_id = ? and run_id = ?"
        return dict(self.query(sql, dag_id, run_id))

    def trigger_run(self, dag_id: str, run_id: str, conf: Mapping[str, Any] | None = None) -> None:
        """Start a run of a DAG, as a user does; wait until the DAG is there."""
        self.wait_for(lambda: self.query("select 1 from dag where dag_id = ? and not is_stale", dag_id))
        body = {"dag_run_id": run_id, "conf": dict(conf or {}), "logical_date": None}
        self.request("POST", f"/dags/{dag_id}/dagRuns", body)

    def logs(self) -> str:
        """Return the logs of all processes, for a test that fails."""
        return "\n".join(f"=== {log.name}\n{log.read_text(errors='replace')}" for log in self.folder.glob("*.log"))


def connection(endpoint_url: str) -> str:
    """Return a connection to a server on this machine, as JSON."""
    extra = {"region_name": "us-east-1", "endpoint_url": endpoint_url}
    return json.dumps({"conn_type": "aws", "login": "test", "password": "test", "extra": extra})


def server_with_template(stack: ExitStack, kind: str, folder: Path) -> Server:
    """
    Return a server on which each new database has Airflow's tables.

    :param stack: ends it.
    :param kind: ``sqlite`` or ``postgresql``.
    :param folder: an empty folder.
    """
    server: Server = SqliteServer(folder) if kind == "sqlite" else stack.enter_context(postgres_server())
    with RealAirflow(folder, server.first()) as airflow:
        airflow.migrate()
    return server
