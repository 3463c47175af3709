"""``airflow-cwevents demo --receive``: three events start three DAG runs, in an Airflow of several processes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_cwevents._cli.local_airflow import COMPONENTS, LocalAirflow
from airflow_cwevents._cli.local_aws import LocalAws

if TYPE_CHECKING:
    from airflow_cwevents._cli.processes import SignalHandler

EVENTS = 3
_DISPATCH_DAG = "example_cwevents_dispatch"
_SEND_DAG = f"{_DISPATCH_DAG}_send"
_ORDER_DAG = f"{_DISPATCH_DAG}_order"

Found = TypeVar("Found")


class ReceivingDemo:
    """
    The demo, whose progress goes to standard output.

    :param signals: interrupts its waits.
    :param folder: the demo's temporary folder.
    :param dag_file: the example ``example_cwevents_dispatch``.
    :param seconds: how long each step may take.
    """

    def __init__(self, signals: SignalHandler, folder: Path, dag_file: Path, seconds: float) -> None:
        self._signals = signals
        self._seconds = seconds
        self._aws = LocalAws(folder)
        self._airflow = LocalAirflow(folder / "airflow", self._aws.airflow_environment(folder))
        shutil.copy(dag_file, self._airflow.dags)

    def run(self) -> None:
        """
        Run it, and end what it started.

        :raises CommandError: if something does not start, or takes too long.
        """
        with ExitStack() as stack:
            self._start(stack)
            self._wait_for(lambda: self._tasks(_DISPATCH_DAG, "deferred"))
            print(f"DAG {_DISPATCH_DAG} created a queue with its rule, and waits for events")
            self._airflow.request("POST", f"/dags/{_SEND_DAG}/dagRuns", {"logical_date": None})
            self._show_events()
            self._wait_for(self._have_succeeded)
            self._show_runs()

    def _start(self, stack: ExitStack) -> None:
        print(f"Starting a local AWS (ministack) on {self._aws.url}")
        ministack = stack.enter_context(self._aws.process())
        print("Starting Airflow: API server, scheduler, DAG processor, triggerer (about 30 s) ...")
        airflow = self._airflow
        airflow.start(stack, "db")
        with self._signals.enabled():
            self._aws.wait_until_ready(ministack)
        self._wait_for(airflow.is_migrated)
        airflow.start(stack, COMPONENTS[0])
        self._wait_for(airflow.is_healthy)
        for component in COMPONENTS[1:]:
            airflow.start(stack, component)
        stack.callback(airflow.terminate)

    def _wait_for(self, found: Callable[[], Found]) -> Found:
        with self._signals.enabled():
            return self._airflow.wait_for(found, self._seconds)

    def _tasks(self, dag_id: str, state: str) -> list[dict[str, Any]]:
        if not self._airflow.runs(dag_id):  # the DAG may not be there yet
            return []
        path = f"/dags/{dag_id}/dagRuns/~/taskInstances?state={state}"
        tasks: list[dict[str, Any]] = self._airflow.request("GET", path)["task_instances"]
        return tasks

    def _show_events(self) -> None:
        (task,) = self._wait_for(lambda: self._tasks(_SEND_DAG, "success"))
        for event_id in self._airflow.result(_SEND_DAG, task["dag_run_id"], task["task_id"]):
            print(f"  sent event  {event_id}")

    def _have_succeeded(self) -> bool:
        return [run["state"] for run in self._airflow.runs(_ORDER_DAG)] == ["success"] * EVENTS

    def _show_runs(self) -> None:
        print(f"\nDAG {_ORDER_DAG} has run {EVENTS} times, each with an event as its conf:")
        for run in self._airflow.runs(_ORDER_DAG):
            print(f"  {run['dag_run_id']}  {run['state']}  {json.dumps(run['conf']['detail'])}")
        print()
