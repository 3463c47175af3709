"""A real Airflow whose processes can be killed and started again."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar
from urllib.parse import quote

import pytest

from airflow_cwevents._cli.errors import CommandError
from airflow_cwevents._cli.local_airflow import COMPONENTS, LocalAirflow
from airflow_cwevents._cli.local_aws import clean_environment
from airflow_cwevents._cli.processes import kill_session
from tests.system.databases import Database, Server, SqliteServer, postgres_server

Found = TypeVar("Found")

# Airflow takes over from a process that was killed after minutes; the tests wait for seconds. Not sooner: a scheduler
# that is busy for longer than its health check allows takes itself for dead, and starts its tasks once more.
RECOVERY_SETTINGS = {
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "2",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "30",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "5",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "5",
    # an import error fails a test; a busy machine must not cause one
    "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "600",
    "AIRFLOW__DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT": "600",
}
LOG_LINES = 40
# Longer than anything takes, even on a busy machine: a test that waits in vain ends with the logs.
STALLED_SECONDS = 900.0


class RealAirflow(LocalAirflow):
    """
    An Airflow whose processes can be killed and started again.

    :param folder: its home.
    :param database: its database, with Airflow's tables or without.
    :param connections: connections by id, as JSON.
    :param settings: further environment variables.
    """

    #: by name, the component of each of its processes, in the order in which they start
    members: ClassVar[Mapping[str, str]] = {component: component for component in COMPONENTS}

    def __init__(
        self,
        folder: Path,
        database: Database,
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
        self._database.close()

    def migrate(self) -> None:
        """Create Airflow's tables."""
        self.start_process("db")
        super().wait_for(self.is_migrated)

    def wait_for(
        self, found: Callable[[], Found], seconds: float = STALLED_SECONDS, *, dag_id: str | None = None
    ) -> Found:
        """
        Wait until something is true. Fail with the logs if it never will be.

        It fails if a process ended that was not killed, a DAG file cannot be imported, or a run failed.

        :param found: returns something true then.
        :param seconds: how long to wait.
        :param dag_id: a DAG none of whose runs may fail.
        :return: what it returned.
        """

        def found_unless_failed() -> Found:
            if result := found():
                return result
            if errors := self._import_errors():
                raise CommandError(f"DAG files cannot be imported: {errors}")
            if dag_id is not None and "failed" in self.states(dag_id):
                raise CommandError(f"a run of DAG {dag_id} failed")
            return result

        try:
            return super().wait_for(found_unless_failed, seconds)
        except CommandError as error:
            pytest.fail(f"{error}\n{self.logs(dag_id)}")

    def start_all(self) -> None:
        """Start all of its processes."""
        for name, component in self.members.items():
            self.start_process(component, name)

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
        for name, component in self.members.items():
            if name not in self._processes:
                self.start_process(component, name)

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

    def stop(self, name: str) -> None:
        """
        Stop a process by SIGSTOP, but nothing that it started: a triggerer's triggers go on, and it stores no event.

        :param name: its component, or the name it was started by.
        """
        os.kill(self.pid(name), signal.SIGSTOP)

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

    def _import_errors(self) -> list[str]:
        """Return the import errors; not those of files that were removed while they were read."""
        rows = self.query("select filename, stacktrace from import_error")
        return [stacktrace for filename, stacktrace in rows if (self.dags / filename).exists()]

    def states(self, dag_id: str) -> list[str]:
        """Return the states of a DAG's runs, the oldest first; from the database, also while the API server is down."""
        return [state for (state,) in self.query("select state from dag_run where dag_id = ? order by id", dag_id)]

    def tasks(self, dag_id: str, run_id: str) -> dict[str, str | None]:
        """Return the states of a run's tasks, by task id."""
        sql = "select task_id, state from task_instance where dag_id = ? and run_id = ?"
        return dict(self.query(sql, dag_id, run_id))

    def remove_dags(self, name: str) -> None:
        """
        Remove a DAG file, and end what runs of its DAGs, so that it takes no time from later tests.

        :param name: the file's name, without ``.py``; the ids of its DAGs begin with it.
        """
        for (dag_id,) in self.query("select dag_id from dag where dag_id like ?", f"{name}%"):
            self._patch(f"/dags/{dag_id}", {"is_paused": True})
        (self.dags / f"{name}.py").unlink()
        unfinished = "state in ('scheduled', 'queued', 'running', 'deferred')"
        sql = f"select distinct dag_id, run_id from task_instance where dag_id like ? and {unfinished}"  # noqa: S608
        for dag_id, run_id in self.query(sql, f"{name}%"):
            self._patch(f"/dags/{dag_id}/dagRuns/{quote(run_id)}", {"state": "failed"})

    def _patch(self, path: str, body: Mapping[str, Any]) -> None:
        """Send a request again while the API server is busy, as it is for a while after its start."""
        self.wait_for(lambda: self.request("PATCH", path, body))

    def trigger_run(self, dag_id: str, run_id: str, conf: Mapping[str, Any] | None = None) -> None:
        """Start a run of a DAG, as a user does; wait until the DAG is there."""
        self.wait_for(lambda: self.query("select 1 from dag where dag_id = ? and not is_stale", dag_id))
        body = {"dag_run_id": run_id, "conf": dict(conf or {}), "logical_date": None}
        self.request("POST", f"/dags/{dag_id}/dagRuns", body)

    def logs(self, dag_id: str | None = None) -> str:
        """Return the ends of the logs of all processes, and of a DAG's tasks, for a test that fails."""
        logs = [*self.folder.glob("*.log"), *self.folder.glob(f"logs/dag_id={dag_id}/**/*.log")]
        return "\n".join(f"=== {log.relative_to(self.folder)}\n{_end(log)}" for log in logs)


def _end(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-LOG_LINES:])


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
