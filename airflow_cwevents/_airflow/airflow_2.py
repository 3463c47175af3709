"""
What only Airflow 2 needs: its way of links, and of imports in DAG files; and an error where it lacks something.

This module goes when Airflow 2 goes, and so does ``airflow_2_dag_runs``. The webserver of Airflow 2 asks for the links
of a task, of which it knows only the key. So the task stores what its links open as XComs, which Airflow 3 does itself.
"""

from __future__ import annotations

import re
from typing import Any

from airflow import __version__
from airflow.triggers.base import BaseTrigger

# Where Airflow 2 has what the examples import from airflow.sdk.
HOMES = {
    "DAG": "airflow",
    "ObjectStoragePath": "airflow.io.path",
    "Param": "airflow.models.param",
    "setup": "airflow.decorators",
    "task": "airflow.decorators",
    "teardown": "airflow.decorators",
}
_SDK_IMPORT = re.compile(r"^from airflow\.sdk import (.+)$", re.MULTILINE)


class BaseEventTrigger(BaseTrigger):
    """The base of triggers that update assets, of which there can be none."""

    def __init__(self) -> None:
        from airflow.exceptions import AirflowOptionalProviderFeatureException

        name = type(self).__name__
        raise AirflowOptionalProviderFeatureException(
            f"{name} needs Airflow 3.0, whose asset watchers use it, and this is {__version__}; "
            "DispatchEventsOperator and EventSensor work here"
        )


def store_links(operator: Any) -> None:
    """
    Store what the links of a running task open; do nothing outside of a task.

    :param operator: the operator of the task.
    """
    from airflow.exceptions import AirflowException  # type: ignore[attr-defined]
    from airflow.operators.python import get_current_context  # type: ignore[import-not-found]

    try:
        ti = get_current_context()["ti"]
    except AirflowException:  # somebody called execute() by hand
        return
    for link in operator.operator_extra_links:
        if url := link.get_link(operator, ti_key=ti.key):
            ti.xcom_push(key=_key(link), value=url)


def stored_link(link: Any, ti_key: Any) -> str:
    """
    Return what the task has stored for a link.

    :param link: the link.
    :param ti_key: the key of the task instance.
    :return: the URL; empty if there is none.
    """
    from airflow.models.xcom import XCom

    return XCom.get_value(ti_key=ti_key, key=_key(link)) or ""


def _key(link: Any) -> str:
    """Return the key of a link's XCom, which is that of Airflow 3."""
    return f"_link_{type(link).__name__}"


def with_imports_of_airflow_2(source: str) -> str:
    """
    Replace imports from ``airflow.sdk``.

    :param source: the text of a DAG file.
    :return: the text, which imports from where Airflow 2 has the names; those that it lacks stay.
    """
    return _SDK_IMPORT.sub(lambda found: "\n".join(map(_import, found[1].split(", "))), source)


def _import(name: str) -> str:
    return f"from {HOMES.get(name, 'airflow.sdk')} import {name}"
