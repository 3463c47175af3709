"""
Start DAG runs from within a task, several of them if necessary.

``TriggerDagRunOperator`` starts one run and ends its task. This module sends what that operator makes Airflow's task
runner send: messages to the supervisor, which passes them to the API server. They are internal to Airflow 3, so nothing
else in this package uses them. On Airflow 2, ``airflow_2_dag_runs`` takes the place of this module.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from airflow_cwevents._airflow.compat import TASKS_SEE_DAGS
from airflow_cwevents.exceptions import DagRunNotStartedError

# Why a DAG cannot run at all, whatever the run, by what the API server answers; any other answer concerns one run.
_DAG_REFUSALS: Mapping[str, tuple[str, str]] = {
    "not_found": ("it does not exist", "Deploy it, or correct its id"),
    "import_errors": ("its file has import errors", "Fix the file"),
    "denied_run_type": ("its allowed_run_types exclude runs that tasks start", "Allow operator_triggered"),
    "paused": ("it is paused", "Unpause it"),
}
_PARAM_ERROR = re.compile(r"Invalid input for param (\S+): (No value passed)?")
_SHOWN_LENGTH = 200
# What is JSON, but cannot be sent to the supervisor: integers of more than 64 bits, lone surrogates, deep nesting.
_UNSENDABLE = (OverflowError, RecursionError, TypeError, ValueError)


class DagRuns:
    """The runs of all DAGs, as a running task can start and count them. Not thread-safe on Airflow 3.0 and 3.1."""

    def start(self, dag_id: str, run_id: str, conf: dict[str, Any], logical_date: datetime | None = None) -> bool:
        """
        Start a run, unless there is one with this id.

        :param dag_id: the DAG's id.
        :param run_id: the run's id.
        :param conf: the run's configuration, JSON values only.
        :param logical_date: the run's logical date, with a time zone; None for a run without.
        :return: whether it was started. False if Airflow reports a conflict: there is a run with this id, or with this
            logical date.
        :raises DagRunNotStartedError: if Airflow refuses to start it.
        """
        from airflow.sdk.exceptions import ErrorType
        from airflow.sdk.execution_time.comms import ErrorResponse, TriggerDagRun

        try:
            answer = _send(TriggerDagRun(dag_id=dag_id, run_id=run_id, conf=conf, logical_date=logical_date))
        except _UNSENDABLE as error:
            reason = f"Airflow cannot transport the conf: {type(error).__name__}"
            raise DagRunNotStartedError(dag_id, reason, "Leave out such values in conf_template") from error
        except Exception as error:
            raise _nul_refusal(dag_id, error, conf) or _refusal(dag_id, error) or error from error
        if isinstance(answer, ErrorResponse):
            if answer.error == ErrorType.DAGRUN_ALREADY_EXISTS:
                return False
            raise DagRunNotStartedError(dag_id, f"Airflow answered {answer.error.value}", "See the API server's log")
        return True

    def count(self, dag_id: str, run_ids: Iterable[str]) -> int:
        """
        Count the runs that are stored in Airflow's database.

        :param dag_id: the DAG's id.
        :param run_ids: the ids of the runs, at least one.
        :return: how many of them there are.
        """
        from airflow.sdk.execution_time.comms import GetDRCount

        answer: Any = _send(GetDRCount(dag_id=dag_id, run_ids=list(run_ids)))
        return int(answer.count)

    def check_dag(self, dag_id: str) -> None:
        """
        Make sure that a DAG can run now, as far as this Airflow shows that to tasks.

        Airflow 3.0 and 3.1 do not; there, a run of a paused DAG is created and stays queued until the DAG is unpaused.

        :param dag_id: the DAG's id.
        :raises DagRunNotStartedError: if it is paused or missing.
        """
        if not TASKS_SEE_DAGS:
            return
        from airflow.sdk.execution_time.comms import GetDag

        try:
            dag: Any = _send(GetDag(dag_id=dag_id))
        except Exception as error:
            if _details_of(error)[1] == "not_found":
                raise _refusal(dag_id, error) or error from error
            return  # an API server that does not know the request; an outage shows when a run is started
        if getattr(dag, "is_paused", False):
            raise dag_refusal(dag_id, "paused")


def _send(message: Any) -> Any:
    from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS

    return SUPERVISOR_COMMS.send(message)


def _nul_refusal(dag_id: str, error: Exception, conf: dict[str, Any]) -> DagRunNotStartedError | None:
    """Return the likely reason if the API server failed on a NUL; that concerns one event, and not its DAG."""
    status, _, _ = _details_of(error)
    if status is None or status < 500 or "\\u0000" not in json.dumps(conf).replace(r"\\", ""):
        return None
    reason = f"the API server failed with status {status}, as PostgreSQL cannot store the character NUL in the conf"
    return DagRunNotStartedError(dag_id, reason, "Leave out such values in conf_template")


def _refusal(dag_id: str, error: Exception) -> DagRunNotStartedError | None:
    """Return the API server's refusal; None if the server was not reached, or did not accept the task's token."""
    status, code, message = _details_of(error)
    if code in _DAG_REFUSALS:
        return dag_refusal(dag_id, code)
    if status in (400, 422):
        return DagRunNotStartedError(dag_id, without_values(message), "Change the DAG's params, or conf_template")
    if status is not None and status >= 500:
        reason = f"the API server failed with status {status}"
        remedy = "Before Airflow 3.2 this also means that the DAG's params refuse the event; see the API server's log"
        return DagRunNotStartedError(dag_id, reason, remedy, is_server_error=True)
    return None


def _details_of(error: Exception) -> tuple[int | None, str, str]:
    """Return status, code and message of the API server's answer."""
    response = getattr(error, "response", None)  # dag.test() passes the error of its client, a task's supervisor a copy
    if response is not None:
        return response.status_code, *_reason_of(getattr(error, "detail", None))
    details = getattr(getattr(error, "error", None), "detail", None) or {}
    return details.get("status_code"), *_reason_of(details.get("detail"))


def _reason_of(body: Any) -> tuple[str, str]:
    detail = body.get("detail", body) if isinstance(body, Mapping) else None
    if isinstance(detail, Mapping):
        return str(detail.get("reason", "")), str(detail.get("message", ""))
    return "", ""


def dag_refusal(dag_id: str, code: str) -> DagRunNotStartedError:
    """
    Return the error of a DAG that cannot run at all.

    :param dag_id: the DAG's id.
    :param code: ``not_found``, ``import_errors``, ``denied_run_type`` or ``paused``.
    :return: the error.
    """
    return DagRunNotStartedError(dag_id, *_DAG_REFUSALS[code], concerns_dag=True)


def without_values(message: str) -> str:
    """
    Return why a run was refused, without values of the event, which must not get into logs.

    :param message: Airflow's message.
    :return: the reason.
    """
    if found := _PARAM_ERROR.search(message):
        return f"its param {found[1]} " + ("has no value" if found[2] else "refuses the event's value")
    return "it refuses the run: " + message.partition("\n")[0][:_SHOWN_LENGTH]
