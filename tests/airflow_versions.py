"""What tests import from Airflow, from where its version has it, and what they need of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from airflow import __version__
from packaging.version import Version

AIRFLOW = Version(__version__).release[:2]

if TYPE_CHECKING or AIRFLOW >= (3, 2):
    from airflow.sdk.exceptions import AirflowSensorTimeout as DeferralTimeout
    from airflow.sdk.exceptions import TaskDeferred
elif AIRFLOW >= (3, 0):
    from airflow.exceptions import AirflowSensorTimeout as DeferralTimeout
    from airflow.exceptions import TaskDeferred
else:
    from airflow.exceptions import TaskDeferralError as DeferralTimeout
    from airflow.exceptions import TaskDeferred

if TYPE_CHECKING or AIRFLOW >= (3, 0):
    from airflow.providers.standard.triggers.temporal import DateTimeTrigger, TimeDeltaTrigger
    from airflow.sdk import DAG, BaseOperator, BaseOperatorLink, ObjectStoragePath, XComArg, task
    from airflow.sdk.io import attach
else:
    from airflow.decorators import task
    from airflow.io.path import ObjectStoragePath
    from airflow.io.store import attach
    from airflow.models.baseoperator import BaseOperator
    from airflow.models.baseoperatorlink import BaseOperatorLink
    from airflow.models.dag import DAG
    from airflow.models.xcom_arg import XComArg
    from airflow.triggers.temporal import DateTimeTrigger, TimeDeltaTrigger

__all__ = [
    "AIRFLOW",
    "DAG",
    "EXAMPLES_FOR_LATER",
    "BaseOperator",
    "BaseOperatorLink",
    "DateTimeTrigger",
    "DeferralTimeout",
    "ObjectStoragePath",
    "TaskDeferred",
    "TimeDeltaTrigger",
    "XComArg",
    "after_the_database",
    "attach",
    "module_of_airflow_3",
    "needs_airflow",
    "only_airflow_2",
    "task",
]

# Examples that this version cannot import.
EXAMPLES_FOR_LATER = set() if AIRFLOW >= (3, 0) else {"example_cwevents_asset"}

only_airflow_2 = pytest.mark.skipif(AIRFLOW >= (3, 0), reason="Only Airflow 2 does this")


def module_of_airflow_3(name: str, what: str) -> Any:
    """
    Import a module of Airflow; skip the whole file on Airflow 2, which lacks it.

    :param name: the module's name.
    :param what: what needs it.
    :return: the module.
    """
    return pytest.importorskip(name, reason=f"{what} need Airflow 3.0, and this is {__version__}")


def after_the_database(payload: Any) -> Any:
    """Return the payload of a trigger's event as it reaches the task."""
    from airflow.triggers.base import TriggerEvent

    if AIRFLOW >= (3, 0):
        return TriggerEvent(payload).model_dump()["payload"]  # type: ignore[no-untyped-call]
    from airflow.utils.sqlalchemy import ExtendedJSON

    column: Any = ExtendedJSON()
    return column.process_result_value(column.process_bind_param(payload, None), None)


def needs_airflow(version: str, what: str) -> pytest.MarkDecorator:
    """
    Skip a test on an older Airflow.

    :param version: the first version on which it passes.
    :param what: what needs this version.
    """
    too_old = Version(version).release[:2] > AIRFLOW
    return pytest.mark.skipif(too_old, reason=f"{what} needs Airflow {version}, and this is {__version__}")
