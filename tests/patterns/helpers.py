"""Shorthands for the tests of event patterns."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_cwevents.exceptions import InvalidEventPatternError
from airflow_cwevents.patterns import EventPattern


def accepts(item: Any, value: Any) -> bool:
    """Return whether a pattern that lists one item for a field matches an event with this value."""
    return EventPattern({"detail": {"field": [item]}}).matches({"detail": {"field": value}})


def matches(pattern: dict[str, Any], detail: dict[str, Any]) -> bool:
    """Return whether a pattern of the detail matches a detail."""
    return EventPattern({"detail": pattern}).matches({"detail": detail})


def rejection(pattern: Any) -> InvalidEventPatternError:
    """Return the error that a pattern raises."""
    with pytest.raises(InvalidEventPatternError) as raised:
        EventPattern(pattern)
    return raised.value
