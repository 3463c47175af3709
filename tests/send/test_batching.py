from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_cwevents._send.batching import pack


def packed(sizes: Iterable[int], max_bytes: int = 100, max_items: int = 10) -> Iterator[list[int]]:
    return pack(sizes, lambda size: size, max_bytes, max_items)


@pytest.mark.parametrize(
    ("count", "lengths"), [(0, []), (1, [1]), (9, [9]), (10, [10]), (11, [10, 1]), (25, [10, 10, 5])]
)
def test_batches_have_a_maximum_of_items(count: int, lengths: list[int]) -> None:
    assert [len(batch) for batch in packed([3] * count)] == lengths


@pytest.mark.parametrize(("sizes", "lengths"), [([50, 49], [2]), ([50, 50], [2]), ([50, 51], [1, 1]), ([100], [1])])
def test_batches_have_a_maximum_of_bytes(sizes: list[int], lengths: list[int]) -> None:
    assert [len(batch) for batch in packed(sizes)] == lengths


def test_pack_reads_one_item_ahead() -> None:
    read: list[int] = []
    batches = packed(read.append(index) or 3 for index in range(1000))  # type: ignore[func-returns-value]
    next(batches)
    assert read == list(range(11))


@given(
    st.lists(st.integers(min_value=3, max_value=100), max_size=60),
    st.integers(min_value=100, max_value=400),
    st.integers(min_value=1, max_value=10),
)
def test_pack_keeps_the_order_and_returns_the_fewest_batches(sizes: list[int], max_bytes: int, max_items: int) -> None:
    batches = list(packed(sizes, max_bytes, max_items))
    assert [size for batch in batches for size in batch] == sizes
    for batch in batches:
        assert 1 <= len(batch) <= max_items
        assert sum(batch) <= max_bytes
    assert len(batches) == fewest(sizes, max_bytes, max_items)


def fewest(sizes: list[int], max_bytes: int, max_entries: int) -> int:
    """Find the fewest contiguous batches by trying all ends, by dynamic programming."""
    best = [0, *[len(sizes)] * len(sizes)]
    for end in range(1, len(sizes) + 1):
        for start in range(max(0, end - max_entries), end):
            if sum(sizes[start:end]) <= max_bytes:
                best[end] = min(best[end], best[start] + 1)
    return best[-1]
