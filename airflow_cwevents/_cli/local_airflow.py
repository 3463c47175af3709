"""A real Airflow for the demo and the tests: processes that listen on the loopback address only."""

from __future__ import annotations

import base64
import importlib.metadata
import json
import os
import secrets
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import ProxyHandler, Request, build_opener

from airflow_cwevents._cli.errors import CommandError
from airflow_cwevents._cli.processes import free_port, last_line, process_group, python_command, signal_group

COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer")
POLL_SECONDS = 0.1
_USER = "admin"
_PAGE = 100  # the REST API returns no more at once
_REQUEST_SECONDS = 60

Found = TypeVar("Found")


def require_airflow_3() -> None:
    """
    Check that Airflow has the processes and the REST API that this module uses, without importing it.

    :raises CommandError: if it has not.
    """
    version = importlib.metadata.version("apache-airflow")
    if version.startswith("2."):
        raise CommandError(f"demo --receive needs Airflow 3.0 or later, and this is {version}")


class LocalAirflow:
    """
    An Airflow of several processes, with the DAGs of its own folder.

    :param folder: an empty folder: its home, with its logs.
    :param environment: environment variables, such as its connections and settings.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.dags = folder / "dags"
        self.dags.mkdir(parents=True)
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._password = secrets.token_urlsafe()
        self.environment = {**self._settings(), **environment}
        self._processes: dict[str, subprocess.Popen[str]] = {}
        self._opener = build_opener(ProxyHandler({}))

    def _settings(self) -> dict[str, str]:
        passwords = self.folder / "passwords.json"
        passwords.touch(mode=0o600)
        passwords.write_text(json.dumps({_USER: self._password}))
        return {
            "AIRFLOW_HOME": str(self.folder),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(os.urandom(32)).decode(),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{_USER}:admin",
            "AIRFLOW__DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "1",
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "1",
            "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
            "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
            # on a busy machine, the API server's first answer takes longer than the default of 5 s, and the task fails
            "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        }

    def start(self, stack: ExitStack, component: str, name: str | None = None) -> None:
        """
        Start a process, which the stack ends. The API server comes first: without it, the first task would fail.

        :param stack: ends the process.
        :param component: one of ``COMPONENTS``, or ``db``, which creates the database and ends.
        :param name: a name for the process, if there are several of the component.
        """
        name = name or component
        command = self._command(component, name)
        self._processes[name] = stack.enter_context(process_group(command, self.log(name), self.environment))

    def _command(self, component: str, name: str) -> list[str]:
        arguments = {
            "api-server": ["--host", "127.0.0.1", "--port", str(self._port), "--workers", "1"],
            "scheduler": ["--skip-serve-logs"],  # they would listen on all interfaces
            "triggerer": ["--skip-serve-logs"],
            "db": ["migrate"],
        }
        return [*python_command("airflow"), component, *arguments.get(component, [])]

    def log(self, name: str) -> Path:
        """Return the log of a process."""
        return self.folder / f"{name}.log"

    def terminate(self) -> None:
        """Ask all processes to end, so that they do that at the same time."""
        while self._processes:
            _, process = self._processes.popitem()
            signal_group(process, signal.SIGTERM)

    def wait_for(self, found: Callable[[], Found], seconds: float = float("inf")) -> Found:
        """
        Wait until something is true.

        :param found: returns something true then.
        :param seconds: how long to wait.
        :return: what it returned.
        :raises CommandError: if a process ends meanwhile, or it takes too long.
        """
        give_up_at = time.monotonic() + seconds
        while not (result := _unless_busy(found)):
            self._check_processes()
            if time.monotonic() > give_up_at:
                raise CommandError(f"Airflow took longer than {seconds:g} s")
            time.sleep(POLL_SECONDS)
        return result

    def _check_processes(self) -> None:
        for name, process in self._processes.items():
            if process.poll() is not None:
                raise CommandError(f"Airflow's {name} ended: {last_line(self.log(name))}")

    def is_migrated(self) -> bool:
        """
        Return whether ``db migrate`` has ended.

        :raises CommandError: if it failed.
        """
        if self._processes["db"].poll() is None:
            return False
        if self._processes.pop("db").returncode:
            raise CommandError(f"airflow db migrate failed: {last_line(self.log('db'))}")
        return True

    def is_healthy(self) -> bool:
        """Return whether the API server answers."""
        try:
            self._opener.open(f"{self.url}/api/v2/monitor/health", timeout=_REQUEST_SECONDS).close()
        except OSError:  # URLError included
            return False
        return True

    def request(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """
        Send a request to the REST API.

        :param method: such as ``GET``.
        :param path: the path below ``/api/v2``, such as ``/dags``.
        :param body: what to send as JSON.
        :return: the response.
        :raises HTTPError: if the API refuses it.
        """
        return self._send(method, f"/api/v2{path}", body, {"Authorization": f"Bearer {self._token}"})

    @cached_property
    def _token(self) -> str:
        body = {"username": _USER, "password": self._password}
        token: str = self._send("POST", "/auth/token", body, {})["access_token"]
        return token

    def _send(self, method: str, path: str, body: object, headers: Mapping[str, str]) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = Request(  # noqa: S310 - http
            f"{self.url}{path}", data, {"Content-Type": "application/json", **headers}, method=method
        )
        with self._opener.open(request, timeout=_REQUEST_SECONDS) as response:
            answer: dict[str, Any] = json.load(response)
            return answer

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        """
        Return the runs of a DAG.

        :param dag_id: the DAG's id.
        :return: the runs, as the REST API describes them, the oldest first; none if the DAG is not there yet.
        """
        return list(self._runs(dag_id))

    def result(self, dag_id: str, run_id: str, task_id: str) -> Any:
        """
        Return what a task returned.

        :param dag_id: the id of its DAG.
        :param run_id: the id of the run.
        :param task_id: its id.
        """
        path = f"/dags/{dag_id}/dagRuns/{quote(run_id)}/taskInstances/{task_id}/xcomEntries/return_value"
        return self.request("GET", f"{path}?stringify=false")["value"]

    def _runs(self, dag_id: str) -> Iterator[dict[str, Any]]:
        total, offset = 1, 0
        while offset < total:
            path = f"/dags/{dag_id}/dagRuns?order_by=id&limit={_PAGE}&offset={offset}"
            try:
                page = self.request("GET", path)
            except HTTPError as error:
                if error.code != 404:
                    raise
                return
            yield from page["dag_runs"]
            total, offset = page["total_entries"], offset + _PAGE


def _unless_busy(found: Callable[[], Found]) -> Found | None:
    """Call a function; return None if the API server does not answer, or has an error, as when SQLite is locked."""
    try:
        return found()
    except HTTPError as error:
        if error.code < 500:
            raise
    except (URLError, TimeoutError, ConnectionError):
        pass
    return None
