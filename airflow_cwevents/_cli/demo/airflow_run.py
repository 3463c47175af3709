"""
The demo's part inside Airflow, in a process of its own.

It reads the DAG's parameters as a line of JSON on standard input, runs the DAG, and writes a line of JSON to standard
output when a task has succeeded. All that Airflow has to say goes to standard error.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from airflow.sdk import Context


def main() -> int:
    """
    Run the DAG.

    :return: the exit status: 0 if the DAG succeeded.
    """
    reports = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    prepare_database()
    sys.path.insert(0, os.environ["AIRFLOW__CORE__DAGS_FOLDER"])
    dag = importlib.import_module("example_cwevents").dag
    for task in dag.tasks:
        task.on_success_callback = [lambda context: _report(reports, context)]
    run = dag.test(run_conf=json.loads(sys.stdin.readline()))
    return 0 if run.state == "success" else 1


def prepare_database() -> None:
    """Create Airflow's database, and put the DAGs in its folder into it, which ``dag.test()`` of Airflow 3.1 needs."""
    from airflow.cli.cli_parser import get_parser
    from airflow.utils.db import initdb

    initdb()
    command = get_parser().parse_args(["dags", "reserialize"])
    command.func(command)


def _report(reports: IO[str], context: Context) -> None:
    task_id = context["ti"].task_id
    reports.write(json.dumps({"task": task_id, "result": context["ti"].xcom_pull(task_ids=task_id)}) + "\n")
    reports.flush()


if __name__ == "__main__":
    sys.exit(main())
