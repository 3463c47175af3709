"""What tests import from Airflow, from where its version has it, and what they need of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from airflow import __version__
from packaging.version import Version

AIRFLOW = Version(__version__).release[:2]

if TYPE_CHECKING or AIRFLOW >= (3, 0):
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

__all__ = [
    "AIRFLOW",
    "DAG",
    "BaseOperator",
    "BaseOperatorLink",
    "ObjectStoragePath",
    "XComArg",
    "attach",
    "needs_airflow",
    "only_airflow_2",
    "task",
]

only_airflow_2 = pytest.mark.skipif(AIRFLOW >= (3, 0), reason="Only Airflow 2 does this")


def needs_airflow(version: str, what: str) -> pytest.MarkDecorator:
    """
    Skip a test on an older Airflow.

    :param version: the first version on which it passes.
    :param what: what needs this version.
    """
    too_old = Version(version).release[:2] > AIRFLOW
    return pytest.mark.skipif(too_old, reason=f"{what} needs Airflow {version}, and this is {__version__}")
