from __future__ import annotations

import pytest

from airflow_cwevents._aws.validation import MAX_REPORTED_ERRORS, all_valid
from airflow_cwevents.exceptions import InvalidInputError


def half(index: int, number: int) -> int:
    if number % 2:
        raise InvalidInputError(f"numbers[{index}]", "it is odd", "Pass an even one", number)
    return number // 2


def test_valid_items_are_yielded_in_order() -> None:
    assert list(all_valid(half, [2, 4, 6])) == [1, 2, 3]


@pytest.mark.parametrize(("count", "reported"), [(1, 1), (9, 9), (10, 10), (11, 10)])
def test_up_to_ten_mistakes_are_reported_together(count: int, reported: int) -> None:
    valid = all_valid(half, [2, *[1] * count, 2])
    assert next(valid) == 1
    with pytest.raises(InvalidInputError) as caught:
        list(valid)
    errors = [caught.value, *caught.value.others]
    assert [error.place for error in errors] == [f"numbers[{index}]" for index in range(1, reported + 1)]
    assert str(caught.value).count("\n") == reported - 1


def test_items_are_not_read_beyond_the_tenth_mistake() -> None:
    items = iter([1] * 100)
    with pytest.raises(InvalidInputError):
        list(all_valid(half, items))
    assert len(list(items)) == 100 - MAX_REPORTED_ERRORS
