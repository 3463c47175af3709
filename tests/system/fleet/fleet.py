"""An Airflow as on several machines: two Celery workers and two triggerers, each with a host name of its own."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import pytest

from airflow_cwevents._cli.processes import free_port, last_line, process_group, python_command
from tests.system.airflow_processes import RealAirflow
from tests.system.databases import Database

SLOTS_PER_WORKER = 4
HOST_MODULE = """
import os


def name():
    return os.environ["FLEET_HOST"]
"""


class Fleet(RealAirflow):
    """
    An Airflow whose tasks run on Celery workers.

    :param folder: its home.
    :param database: its database on PostgreSQL, with Airflow's tables.
    :param broker_url: the Redis that hands out the tasks.
    :param connections: connections by id, as JSON.
    """

    members: ClassVar[Mapping[str, str]] = {
        **RealAirflow.members,
        "triggerer-2": "triggerer",
        "worker-1": "celery",
        "worker-2": "celery",
    }

    def __init__(self, folder: Path, database: Database, broker_url: str, connections: Mapping[str, str]) -> None:
        settings = {
            "AIRFLOW__CELERY__BROKER_URL": broker_url,
            "AIRFLOW__CELERY__WORKER_CONCURRENCY": str(SLOTS_PER_WORKER),
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__CORE__HOSTNAME_CALLABLE": "fleet_host.name",
            "AIRFLOW__CORE__PARALLELISM": "16",
            # no triggerer takes over from one that is only busy, or stopped until it is killed
            "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "15",
        }
        super().__init__(folder, database, connections, settings)
        (folder / "config").mkdir()  # Airflow imports from here
        (folder / "config" / "fleet_host.py").write_text(HOST_MODULE)

    def _command(self, component: str, name: str) -> list[str]:
        command = super()._command(component, name)
        if component == "celery":
            # the API server checks nothing of a worker, so there is nothing to wait for
            options = ["--skip-serve-logs", "--without-gossip", "--without-mingle"]
            command = [*python_command("airflow"), "celery", "worker", "--celery-hostname", name, *options]
        return ["env", f"FLEET_HOST={name}", *command]

    def running_on(self, dag_id: str) -> dict[int, str]:
        """Return the workers of a DAG's running tasks, by map index."""
        sql = "select map_index, hostname from task_instance where dag_id = ? and state = 'running'"
        return dict(self.query(sql, dag_id))

    def triggerer_of(self, dag_id: str) -> str:
        """Return the triggerer in which a DAG's task waits; an empty string if it does not wait."""
        sql = (
            'select j.hostname from task_instance i join "trigger" t on t.id = i.trigger_id '
            "join job j on j.id = t.triggerer_id where i.dag_id = ? and i.state = 'deferred'"
        )
        return next((str(name) for (name,) in self.query(sql, dag_id)), "")


@contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """
    Run Debian's Redis on the loopback address, or skip the test where it is missing.

    :param folder: for its log.
    :return: its URL.
    """
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("Debian's package redis-server is not installed")
    port = free_port()
    command = [program, "--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder), "--save", ""]
    with process_group(command, log := folder / "redis.log", {}) as process:
        while "Ready to accept connections" not in log.read_text():
            assert process.poll() is None, last_line(log)
            time.sleep(0.05)
        yield f"redis://127.0.0.1:{port}/0"
