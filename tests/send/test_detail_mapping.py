from __future__ import annotations

import pytest

from airflow_cwevents._send.detail_mapping import EntryMapping, entry_mapping
from airflow_cwevents.exceptions import InvalidEntryError, InvalidInputError

ORDER = {"type": "orderPlaced", "app": {"name": "com.company.orders"}, "total": 7}


def test_plain_strings_are_used_as_they_are() -> None:
    assert EntryMapping("com.company.orders", "orderPlaced").entry(ORDER, 0) == {
        "Source": "com.company.orders",
        "DetailType": "orderPlaced",
        "Detail": ORDER,
    }


def test_paths_are_evaluated_on_the_detail() -> None:
    entry = EntryMapping("@.app.name", "@.type").entry(ORDER, 0)
    assert (entry["Source"], entry["DetailType"]) == ("com.company.orders", "orderPlaced")


def test_paths_may_be_any_jmespath() -> None:
    entry = EntryMapping("s", "@.missing || join('.', ['order', type])").entry(ORDER, 0)
    assert entry["DetailType"] == "order.orderPlaced"


@pytest.mark.parametrize("path", ["@.missing", "@.total", "@.app"])
@pytest.mark.parametrize(("parameter", "member"), [("source", "Source"), ("detail_type", "DetailType")])
def test_path_without_a_string_raises(parameter: str, member: str, path: str) -> None:
    mapping = EntryMapping(**{"source": "s", "detail_type": "d", parameter: path})
    with pytest.raises(InvalidEntryError) as caught:
        mapping.entry(ORDER, 4)
    assert caught.value.place == f"entries[4].{member}"
    assert path in caught.value.reason


@pytest.mark.parametrize("detail", [[1], "text", 7, None])
def test_detail_of_another_type_raises(detail: object) -> None:
    with pytest.raises(InvalidEntryError) as caught:
        EntryMapping("s", "d").entry(detail, 4)
    assert caught.value.place == "entries[4].Detail"


@pytest.mark.parametrize(
    ("source", "detail_type", "place"),
    [("s", None, "detail_type"), (None, "d", "source"), ("@.[", "d", "source"), ("s", "@..x", "detail_type")],
)
def test_invalid_parameter_raises(source: str | None, detail_type: str | None, place: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        entry_mapping(source, detail_type)
    assert caught.value.place == place


def test_no_parameters_mean_no_mapping() -> None:
    assert entry_mapping(None, None) is None
    assert entry_mapping("", "") is None
