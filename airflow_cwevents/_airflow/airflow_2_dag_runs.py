"""
Start DAG runs from within a task, several of them if necessary, on Airflow 2, whose tasks can access the database.

``TriggerDagRunOperator`` does the same there. This module goes when Airflow 2 goes.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_cwevents._airflow.dag_runs import dag_refusal, without_values
from airflow_cwevents.exceptions import DagRunNotStartedError

_MICROSECOND = timedelta(microseconds=1)


class DagRuns:
    """The runs of all DAGs, as a running task can start and count them."""

    def start(self, dag_id: str, run_id: str, conf: dict[str, Any], logical_date: datetime | None = None) -> bool:
        """
        Start a run, unless there is one with this id.

        Airflow 2 has no runs without a logical date, and a DAG has one run per logical date; so the first that is free
        is taken, from the one that was passed, or from now, in steps of a microsecond.

        :param dag_id: the DAG's id.
        :param run_id: the run's id.
        :param conf: the run's configuration, JSON values only.
        :param logical_date: the run's logical date, with a time zone; None for the present time.
        :return: whether it was started. False if there is a run with this id.
        :raises DagRunNotStartedError: if Airflow refuses to start it.
        """
        moment = logical_date or datetime.now(UTC)
        while not self.count(dag_id, [run_id]):
            if _create(dag_id, run_id, conf, moment):
                return True
            moment += _MICROSECOND
        return False

    def count(self, dag_id: str, run_ids: Iterable[str]) -> int:
        """
        Count the runs that are stored in Airflow's database.

        :param dag_id: the DAG's id.
        :param run_ids: the ids of the runs, at least one.
        :return: how many of them there are.
        """
        from airflow.models.dagrun import DagRun
        from airflow.utils.session import create_session
        from sqlalchemy import func, select

        query = select(func.count()).where(DagRun.dag_id == dag_id, DagRun.run_id.in_(list(run_ids)))
        with create_session() as session:
            return int(session.scalar(query) or 0)

    def check_dag(self, dag_id: str) -> None:
        """
        Make sure that a DAG can run now.

        :param dag_id: the DAG's id.
        :raises DagRunNotStartedError: if it is paused or missing, or its file has import errors.
        """
        from airflow.models.dag import DagModel

        dag: Any = DagModel.get_current(dag_id)
        if dag is None or not dag.is_active:
            raise dag_refusal(dag_id, "not_found")
        if dag.has_import_errors:
            raise dag_refusal(dag_id, "import_errors")
        if dag.is_paused:
            raise dag_refusal(dag_id, "paused")


def _create(dag_id: str, run_id: str, conf: dict[str, Any], logical_date: datetime) -> bool:
    """Create a run; return False if there is one with this id, or with this logical date."""
    from airflow.api.common.trigger_dag import trigger_dag
    from airflow.exceptions import AirflowException, DagNotFound, DagRunAlreadyExists  # type: ignore[attr-defined]
    from sqlalchemy.exc import IntegrityError, MultipleResultsFound

    create: Any = trigger_dag
    try:
        create(dag_id, run_id=run_id, conf=conf, execution_date=logical_date, replace_microseconds=False)
    except (DagRunAlreadyExists, IntegrityError, MultipleResultsFound):  # the latter ones if two tasks do it
        return False
    except DagNotFound as error:
        raise dag_refusal(dag_id, "not_found") from error
    except (AirflowException, RecursionError, ValueError) as error:
        reason = without_values(str(error))
        raise DagRunNotStartedError(dag_id, reason, "Change the DAG's params, or conf_template") from error
    return True
