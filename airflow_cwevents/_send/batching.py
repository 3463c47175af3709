"""Many items packed into few requests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def pack(items: Iterable[T], size_of: Callable[[T], int], max_bytes: int, max_items: int) -> Iterator[list[T]]:
    """
    Pack items, lazily and in order, into as few lists as the order allows.

    :param items: the items; none of them is larger than ``max_bytes``.
    :param size_of: returns an item's size in bytes.
    :param max_bytes: the most that a list may measure, in bytes.
    :param max_items: the most items in a list.
    :return: lists that are not empty.
    """
    batch: list[T] = []
    total = 0
    for item in items:
        size = size_of(item)
        if len(batch) == max_items or (batch and total + size > max_bytes):
            yield batch
            batch, total = [], 0
        batch.append(item)
        total += size
    if batch:
        yield batch
