"""
What differs between the versions of Airflow that we support: each name from where its version has it.

Type checkers see the newest version only. Whatever is here for Airflow 2 goes with it, and so does ``airflow_2``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow import __version__

if TYPE_CHECKING:
    from datetime import timedelta

    from airflow.sdk import ObjectStoragePath
    from airflow.triggers.base import BaseTrigger

    from airflow_cwevents._airflow.dag_runs import DagRuns

_AIRFLOW = tuple(map(int, __version__.split(".")[:2]))

if TYPE_CHECKING or _AIRFLOW >= (3, 0):
    from airflow.sdk import BaseOperator, BaseOperatorLink, BaseSensorOperator
    from airflow.sdk.bases.decorator import DecoratedOperator, TaskDecorator, task_decorator_factory
    from airflow.sdk.bases.sensor import PokeReturnValue
    from airflow.triggers.base import BaseEventTrigger
else:
    from airflow.decorators.base import DecoratedOperator, TaskDecorator, task_decorator_factory
    from airflow.models.baseoperator import BaseOperator
    from airflow.models.baseoperatorlink import BaseOperatorLink
    from airflow.sensors.base import BaseSensorOperator, PokeReturnValue

    from airflow_cwevents._airflow.airflow_2 import BaseEventTrigger

if TYPE_CHECKING or _AIRFLOW >= (3, 1):
    from airflow.sdk.definitions.context import context_merge
else:
    from airflow.utils.context import context_merge

if TYPE_CHECKING or _AIRFLOW >= (3, 2):
    from airflow.sdk.bases.decorator import determine_kwargs
    from airflow.sdk.exceptions import (
        AirflowException,
        AirflowFailException,
        AirflowOptionalProviderFeatureException,
        AirflowSensorTimeout,
        AirflowSkipException,
    )
else:
    from airflow.exceptions import (
        AirflowException,
        AirflowFailException,
        AirflowOptionalProviderFeatureException,
        AirflowSensorTimeout,
        AirflowSkipException,
    )
    from airflow.utils.operator_helpers import determine_kwargs

if TYPE_CHECKING or _AIRFLOW >= (3, 3):
    from airflow.triggers.shared_stream import SharedStreamProducer, reject_shared_stream_event
else:

    class SharedStreamProducer:
        """What Airflow 3.3 calls; nothing does in this version."""

    def reject_shared_stream_event() -> None:
        """Do nothing: no shared stream counts rejections in this version."""


__all__ = [
    "HAS_TASK_STATE_STORE",
    "TASKS_SEE_DAGS",
    "AirflowException",
    "AirflowFailException",
    "AirflowOptionalProviderFeatureException",
    "AirflowSensorTimeout",
    "AirflowSkipException",
    "BaseEventTrigger",
    "BaseOperator",
    "BaseOperatorLink",
    "BaseSensorOperator",
    "DecoratedOperator",
    "PokeReturnValue",
    "SharedStreamProducer",
    "TaskDecorator",
    "context_merge",
    "dag_runs",
    "determine_kwargs",
    "object_storage_path_class",
    "reject_shared_stream_event",
    "store_links",
    "stored_link",
    "task_decorator_factory",
    "time_delta_trigger",
    "with_imports_of_this_version",
]

# Whether a retry of a task can know what the previous attempt did.
HAS_TASK_STATE_STORE = _AIRFLOW >= (3, 3)
# Whether a task of Airflow 3 can ask for the state of a DAG.
TASKS_SEE_DAGS = _AIRFLOW >= (3, 2)


def object_storage_path_class() -> type[ObjectStoragePath]:
    """Import ``ObjectStoragePath``, which takes long."""
    if TYPE_CHECKING or _AIRFLOW >= (3, 0):
        from airflow.sdk import ObjectStoragePath
    else:
        from airflow.io.path import ObjectStoragePath
    return ObjectStoragePath


def dag_runs() -> DagRuns:
    """Return the runs of all DAGs, as a running task can start and count them."""
    if TYPE_CHECKING or _AIRFLOW >= (3, 0):
        from airflow_cwevents._airflow.dag_runs import DagRuns
    else:
        from airflow_cwevents._airflow.airflow_2_dag_runs import DagRuns
    return DagRuns()


def time_delta_trigger(delay: timedelta) -> BaseTrigger:
    """
    Return a trigger that waits.

    :param delay: how long.
    :return: the trigger.
    """
    if TYPE_CHECKING or _AIRFLOW >= (3, 0):
        from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger
    else:
        from airflow.triggers.temporal import TimeDeltaTrigger
    return TimeDeltaTrigger(delay)


def store_links(operator: BaseOperator) -> None:
    """
    Store what the links of a running task open, where Airflow does not do so itself.

    :param operator: the operator of the task.
    """
    if _AIRFLOW < (3, 0):
        from airflow_cwevents._airflow import airflow_2

        airflow_2.store_links(operator)


def stored_link(link: BaseOperatorLink, ti_key: Any) -> str:
    """
    Return what :func:`store_links` has stored for a link.

    :param link: the link.
    :param ti_key: the key of the task instance.
    :return: the URL; empty if there is none.
    """
    if _AIRFLOW < (3, 0):
        from airflow_cwevents._airflow import airflow_2

        return airflow_2.stored_link(link, ti_key)
    return ""


def with_imports_of_this_version(source: str) -> str:
    """
    Return an example DAG that this Airflow can import.

    :param source: a DAG file that imports from ``airflow.sdk``.
    :return: the file; on Airflow 2 it imports from where that has the names.
    """
    if _AIRFLOW < (3, 0):
        from airflow_cwevents._airflow import airflow_2

        return airflow_2.with_imports_of_airflow_2(source)
    return source
