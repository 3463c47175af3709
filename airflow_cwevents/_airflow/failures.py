"""Permanent errors fail a task without Airflow's retries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, TypeVar

from airflow_cwevents._airflow.compat import AirflowFailException
from airflow_cwevents.exceptions import CloudWatchEventsError

if TYPE_CHECKING:
    from airflow.sdk import Context

Result = TypeVar("Result")
Operator = TypeVar("Operator")


def no_retry_if_permanent(execute: Callable[[Operator, Context], Result]) -> Callable[[Operator, Context], Result]:
    """Decorate ``execute`` to fail the task without retries on permanent errors, see :func:`permanent_errors_fail`."""

    @wraps(execute)
    def wrapper(self: Operator, context: Context) -> Result:
        with permanent_errors_fail():
            return execute(self, context)

    return wrapper


@contextmanager
def permanent_errors_fail() -> Iterator[None]:
    """
    Fail the task without Airflow's retries on errors that would occur again.

    :raises AirflowFailException: from a permanent error, which is its ``__cause__``.
    """
    try:
        yield
    except CloudWatchEventsError as error:
        if not error.permanent:
            raise
        raise AirflowFailException(str(error)) from error
