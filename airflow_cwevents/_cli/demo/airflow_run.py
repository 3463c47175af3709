"""
The part of the demo that needs Airflow and boto3, in a process of its own with an environment of its own.

It prepares Airflow, waits until standard input is closed, and runs the tutorial. Standard output is what the demo
shows; whatever Airflow prints goes to standard error, as does an error, whose last line is the reason.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from airflow_cwevents._cli.demo.tutorial import create_prerequisites, received_event

if TYPE_CHECKING:
    from airflow.sdk import Context


def main() -> None:
    """Run the tutorial; its progress goes to standard output."""
    shown = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    prepare_dag_files(Path(os.environ["AIRFLOW__CORE__DAGS_FOLDER"]))
    prepare_database()
    sys.stdin.read()
    _run_tutorial(shown)


def prepare_dag_files(folder: Path) -> None:
    """
    Make example DAGs importable by this Airflow.

    :param folder: a folder with copies of them.
    """
    from airflow_cwevents._airflow.compat import with_imports_of_this_version

    for path in folder.glob("*.py"):
        path.write_text(with_imports_of_this_version(path.read_text()))


def prepare_database() -> None:
    """Create Airflow's database and serialize the DAGs of its folder, as ``dag.test()`` of Airflow 3.1 requires."""
    from airflow.cli.cli_parser import get_parser
    from airflow.utils.db import initdb

    initdb()
    command = get_parser().parse_args(["dags", "reserialize"])
    command.func(command)


def _run_tutorial(shown: IO[str]) -> None:
    import boto3

    client: Any = boto3.client
    conf = create_prerequisites(client)
    print(f"Created role      {conf['role_arn']}\nCreated function  {conf['function_arn']}", file=shown)
    event = received_event(client, _run_dag(shown, conf))
    print(f"\nThe Lambda function received:\n{json.dumps(event, indent=2)}\n", file=shown)


def _run_dag(shown: IO[str], conf: dict[str, str]) -> str:
    """Run the DAG, and return the id of the event that it sent."""
    results = {}

    def show(context: Context) -> None:
        task_id = context["ti"].task_id
        results[task_id] = result = context["ti"].xcom_pull(task_ids=task_id)
        print(f"  {task_id:<12} {', '.join(result) if isinstance(result, list) else result}", file=shown)

    print("Running DAG example_cwevents in Airflow", file=shown)
    sys.path.insert(0, os.environ["AIRFLOW__CORE__DAGS_FOLDER"])
    dag = importlib.import_module("example_cwevents").dag
    for task in dag.tasks:
        task.on_success_callback = [show]
    if dag.test(run_conf=conf).state != "success":
        raise RuntimeError("the DAG run failed")
    return str(results["put_events"][0])


if __name__ == "__main__":
    main()
