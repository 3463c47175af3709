"""Assertions about failures that Airflow must not retry."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_cwevents.exceptions import CloudWatchEventsError


@contextmanager
def fails_with(error_class: type[CloudWatchEventsError], match: str = "") -> Iterator[Any]:
    """
    Expect a failure that Airflow does not retry.

    :param error_class: the class of its cause.
    :param match: a regular expression that the message must contain.
    :return: an object with the cause as ``value`` after the block, as of ``pytest.raises``.
    """
    from airflow_cwevents._airflow.compat import AirflowFailException

    caught = SimpleNamespace()
    with pytest.raises(AirflowFailException) as failed:
        yield caught
    caught.value = failed.value.__cause__
    assert isinstance(caught.value, error_class)
    assert str(failed.value) == str(caught.value)
    assert re.search(match, str(caught.value))
