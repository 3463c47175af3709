from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_cwevents._aws.json_text import canonical_json, parse_json_text, to_json_text

TOO_DEEP = '{"a":' * 100_000 + "1" + "}" * 100_000
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


class TestToJsonText:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            ({"b": [1, None, True], "a": "é€𝄞"}, '{"b":[1,null,true],"a":"é€𝄞"}'),
            ("text", '"text"'),
            ('{"a": 1}', '"{\\"a\\": 1}"'),
            ((1, 2.5), "[1,2.5]"),
            (MappingProxyType({"a": 1}), '{"a":1}'),
            ({}, "{}"),
            (None, "null"),
        ],
    )
    def test_is_compact(self, value: object, text: str) -> None:
        assert to_json_text(value) == text

    @pytest.mark.parametrize(
        ("value", "why"),
        [
            (math.nan, "Out of range float"),
            ({"a": [math.inf]}, "Out of range float"),
            (datetime(2026, 1, 1, tzinfo=UTC), "datetime"),
            ({"a": {1, 2}}, "set"),
            (Decimal("1.5"), "Decimal"),
            (b"text", "bytes"),
            ({(1, 2): "a"}, "tuple"),
        ],
    )
    def test_what_json_cannot_express(self, value: object, why: str) -> None:
        with pytest.raises(ValueError, match=f"JSON cannot express it: .*{why}"):
            to_json_text(value)

    def test_value_that_holds_itself(self) -> None:
        value: list[object] = []
        value.append(value)
        with pytest.raises(ValueError, match="JSON cannot express it"):
            to_json_text(value)

    def test_value_nested_too_deeply(self) -> None:
        value: list[object] = []
        for _ in range(100_000):
            value = [value]
        with pytest.raises(ValueError, match="JSON cannot express it"):
            to_json_text(value)


class TestParseJsonText:
    @pytest.mark.parametrize(
        ("text", "value"),
        [('{"a": [1, 2.5, null]}', {"a": [1, 2.5, None]}), (' "é" ', "é"), ("0", 0), ("false", False)],
    )
    def test_value(self, text: str, value: object) -> None:
        assert parse_json_text(text) == value

    @pytest.mark.parametrize(
        "text", ["", " ", "text", "{'a': 1}", '{"a": 1,}', '{"a": 1} x', "NaN", '{"a": [-Infinity]}', '"a\nb"', "True"]
    )
    def test_what_is_no_json(self, text: str) -> None:
        with pytest.raises(ValueError, match="it is not JSON: "):
            parse_json_text(text)

    def test_says_where(self) -> None:
        with pytest.raises(ValueError, match=r"line 2 column 3"):
            parse_json_text("{\n  a: 1}")

    def test_text_nested_more_deeply_than_python_reads_is_no_value_error(self) -> None:
        with pytest.raises(RecursionError):
            parse_json_text(TOO_DEEP)

    @given(JSON)
    def test_reads_what_is_written(self, value: object) -> None:
        assert parse_json_text(to_json_text(value)) == value


class TestCanonicalJson:
    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ('{"a":1,"b":[2]}', '{ "b": [ 2 ],\n "a": 1 }'),
            ('{"a":"é"}', '{"a":"\\u00e9"}'),
            ('{"a":{"x":1,"y":2}}', '{"a":{"y":2,"x":1}}'),
        ],
    )
    def test_what_says_the_same_is_equal(self, one: str, other: str) -> None:
        assert canonical_json(one) == canonical_json(other)

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("1", "true"),
            ('{"a":[0]}', '{"a":[false]}'),
            ("[1,2]", "[2,1]"),
            ('"1"', "1"),
            ("{}", "null"),
            ('{"a":null}', "{}"),
        ],
    )
    def test_what_says_something_else_differs(self, one: str, other: str) -> None:
        assert canonical_json(one) != canonical_json(other)

    @pytest.mark.parametrize("text", ["text", "", "NaN", TOO_DEEP], ids=lambda text: text[:8])
    def test_what_python_does_not_read_stays_as_it_is(self, text: str) -> None:
        assert canonical_json(text) == text

    @given(JSON)
    def test_says_what_the_text_says(self, value: object) -> None:
        assert json.loads(canonical_json(to_json_text(value))) == value
