"""``EventPattern`` as a value: its JSON, equality and input."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_cwevents._aws.limits import MAX_EVENT_PATTERN_LENGTH
from airflow_cwevents.patterns import EventPattern
from tests.patterns.helpers import rejection


class TestEventPattern:
    def test_to_json_is_compact(self) -> None:
        assert EventPattern({"größe": [1, {"prefix": "ü"}]}).to_json() == '{"größe":[1,{"prefix":"ü"}]}'

    def test_string_and_dict_are_equal(self) -> None:
        pattern = EventPattern(' {"a" : [ 1, null ] } ')
        assert pattern == EventPattern({"a": [1, None]})
        assert pattern.pattern == {"a": [1, None]}

    def test_numbers_match_in_any_notation(self) -> None:
        assert EventPattern('{"a": [3e2]}').matches({"a": 300})
        assert EventPattern('{"a": [3.00E+02]}').matches({"a": 300})
        assert EventPattern('{"a": [300]}').matches(json.loads('{"a": 3e2}'))
        assert not EventPattern('{"a": [3e2]}').matches({"a": "3e2"})

    def test_tuples_count_as_lists(self) -> None:
        pattern = EventPattern({"a": ("x", {"numeric": (">", 1)})})
        assert pattern.to_json() == '{"a":["x",{"numeric":[">",1]}]}'
        assert pattern.matches({"a": 2})

    def test_caller_may_change_the_dict_afterwards(self) -> None:
        given_pattern = {"detail": {"state": ["a"]}}
        pattern = EventPattern(given_pattern)
        assert given_pattern == {"detail": {"state": ["a"]}}
        given_pattern["detail"]["state"][0] = "b"
        given_pattern["source"] = {}
        assert pattern.matches({"detail": {"state": "a"}})
        assert pattern.to_json() == '{"detail":{"state":["a"]}}'

    def test_pattern_returns_a_copy(self) -> None:
        pattern = EventPattern({"a": ["x"]})
        pattern.pattern["a"].append("y")
        assert pattern.pattern == {"a": ["x"]}

    def test_equality_ignores_order(self) -> None:
        pattern = EventPattern({"a": [1], "b": [2]})
        assert pattern == EventPattern({"b": [2], "a": [1]})
        assert hash(pattern) == hash(EventPattern({"b": [2], "a": [1]}))
        assert pattern != EventPattern({"a": [True], "b": [2]})
        assert pattern != {"a": [1], "b": [2]}

    def test_repr_evaluates_to_an_equal_pattern(self) -> None:
        pattern = EventPattern({"a": ["it's", None]})
        assert eval(repr(pattern)) == pattern  # noqa: S307

    @pytest.mark.parametrize(
        ("text", "position"), [('{"a": [1 2]}', "line 1 column 10"), ('{\n"a" 1}', "line 2 column 5")]
    )
    def test_malformed_json_is_rejected(self, text: str, position: str) -> None:
        error = rejection(text)
        assert error.path == ""
        assert position in error.reason
        assert error.value == text

    @pytest.mark.parametrize(
        ("value", "path", "kind"),
        [
            ({"x"}, "detail.a[1]", "set"),
            (datetime(2026, 1, 1, tzinfo=UTC), "detail.a[1]", "datetime"),
            (b"x", "detail.a[1]", "bytes"),
            (float("nan"), "detail.a[1]", "nan"),
            (float("-inf"), "detail.a[1]", "-inf"),
            ({"prefix": {"x"}}, "detail.a[1].prefix", "set"),
            ({1: "x"}, "detail.a[1]", "keys of type int"),
        ],
    )
    def test_non_json_value_is_rejected(self, value: Any, path: str, kind: str) -> None:
        error = rejection({"detail": {"a": ["b", value]}})
        assert (error.path, error.reason) == (path, f"JSON has no {kind}")

    def test_non_finite_number_is_rejected(self) -> None:
        assert rejection('{"a": [NaN]}').path == "a[0]"
        assert rejection('{"a": [1e999]}').path == "a[0]"

    def test_deep_nesting_is_rejected(self) -> None:
        endless: dict[str, Any] = {}
        endless["a"] = endless
        assert rejection(endless).reason == "it is nested too deeply"
        assert rejection('{"a":' * 100_000).reason == "it is nested too deeply"

    def test_length_is_limited(self) -> None:
        longest = {"a": ["é" * (MAX_EVENT_PATTERN_LENGTH - len('{"a":[""]}'))]}
        assert len(EventPattern(longest).to_json()) == MAX_EVENT_PATTERN_LENGTH
        assert len(EventPattern(json.dumps(longest, indent=4)).to_json()) == MAX_EVENT_PATTERN_LENGTH
        error = rejection({"a": [longest["a"][0] + "é"]})
        assert error.path == ""
        assert str(MAX_EVENT_PATTERN_LENGTH + 1) in error.reason

    def test_last_of_duplicate_keys_counts(self) -> None:
        assert EventPattern('{"a":[0],"a":[1]}').pattern == {"a": [1]}
        assert EventPattern('{"a":{"x":[1]},"a":{"y":[2]}}').pattern == {"a": {"x": [1], "y": [2]}}
        assert rejection('{"a":[{"prefix":"x","prefix":"y"}]}').reason == '"prefix" occurs twice in one object'

    def test_duplicate_or_must_match_twice(self) -> None:
        pattern = EventPattern('{"$or":[{"a":[1]},{"b":[1]}],"$or":[{"c":[1]},{"d":[1]}]}')
        assert pattern.matches({"a": 1, "d": 1})
        assert pattern.matches({"b": 1, "c": 1})
        assert not pattern.matches({"a": 1, "b": 1})
        assert not pattern.matches({"c": 1})

    def test_duplicate_or_is_validated_twice(self) -> None:
        right = '"$or":[{"a":[1]},{"b":[1]}]'
        reason = "Only JSON object is allowed in array of $or relationship."
        assert rejection(f'{{"$or":[1],{right}}}').reason == reason
        assert rejection(f'{{{right},"$or":[1]}}').reason == reason
        assert rejection(f'{{"$or":[],{right}}}').reason == "There must have at least 2 Objects in $or relationship."
