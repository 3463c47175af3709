"""Mistakes reported together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from airflow_cwevents.exceptions import InvalidInputError

T = TypeVar("T")
R = TypeVar("R")

# The maximum number of invalid items reported at a time.
MAX_REPORTED_ERRORS = 10


def all_valid(validate: Callable[[int, T], R], items: Iterable[T]) -> Iterator[R]:
    """
    Validate items, all of which must be valid.

    :param validate: returns an item in the form that AWS takes, by its index and the item.
    :param items: the items; after an invalid one they are read on to report the first ten.
    :return: the validated items, as long as all are valid.
    :raises InvalidInputError: if some are invalid: the error of the first, whose message lists the first ten.
    """
    errors: list[InvalidInputError] = []
    for index, item in enumerate(items):
        try:
            valid = validate(index, item)
        except InvalidInputError as error:
            errors.append(error)
            if len(errors) == MAX_REPORTED_ERRORS:
                break
        else:
            if not errors:
                yield valid
    if errors:
        raise errors[0].and_others(errors[1:])
