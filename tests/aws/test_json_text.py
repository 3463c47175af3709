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
    def test_output_is_compact(self, value: object, text: str) -> None:
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
    def test_values_that_json_cannot_express_raise(self, value: object, why: str) -> None:
        with pytest.raises(ValueError, match=f"JSON cannot express it: .*{why}"):
            to_json_text(value)

    def test_value_that_contains_itself_raises(self) -> None:
        value: list[object] = []
        value.append(value)
        with pytest.raises(ValueError, match="JSON cannot express it"):
            to_json_text(value)

    def test_value_nested_too_deeply_raises(self) -> None:
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
    def test_parsed_value(self, text: str, value: object) -> None:
        assert parse_json_text(text) == value

    @pytest.mark.parametrize(
        "text", ["", " ", "text", "{'a': 1}", '{"a": 1,}', '{"a": 1} x', "NaN", '{"a": [-Infinity]}', '"a\nb"', "True"]
    )
    def test_other_strings_raise(self, text: str) -> None:
        with pytest.raises(ValueError, match="it is not JSON: "):
            parse_json_text(text)

    def test_error_contains_the_position(self) -> None:
        with pytest.raises(ValueError, match=r"line 2 column 3"):
            parse_json_text("{\n  a: 1}")

    def test_string_nested_too_deeply_for_python_raises_recursion_error(self) -> None:
        with pytest.raises(RecursionError):
            parse_json_text(TOO_DEEP)

    @given(JSON)
    def test_round_trip(self, value: object) -> None:
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
    def test_equal_values_give_equal_strings(self, one: str, other: str) -> None:
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
    def test_different_values_give_different_strings(self, one: str, other: str) -> None:
        assert canonical_json(one) != canonical_json(other)

    @pytest.mark.parametrize("text", ["text", "", "NaN", TOO_DEEP], ids=lambda text: text[:8])
    def test_strings_that_python_cannot_parse_are_unchanged(self, text: str) -> None:
        assert canonical_json(text) == text

    @given(JSON)
    def test_value_is_unchanged(self, value: object) -> None:
        assert json.loads(canonical_json(to_json_text(value))) == value
