"""How fields, arrays and ``$or`` match an event."""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_cwevents.patterns import EventPattern
from tests.patterns.helpers import accepts, matches, rejection


class TestFields:
    def test_all_fields_must_match(self) -> None:
        pattern = EventPattern({"source": ["a"], "detail": {"x": [1], "y": [2]}})
        assert pattern.matches({"source": "a", "detail": {"x": 1, "y": 2, "z": 3}, "more": True})
        assert not pattern.matches({"source": "b", "detail": {"x": 1, "y": 2}})
        assert not pattern.matches({"source": "a", "detail": {"x": 1, "y": 3}})
        assert not pattern.matches({"source": "a", "detail": {"x": 1}})

    def test_keys_are_case_sensitive(self) -> None:
        assert not matches({"State": ["a"]}, {"state": "a"})

    @pytest.mark.parametrize(
        "pattern",
        [
            {"a": {"b": {"c": [1]}}},
            {"a.b": {"c": [1]}},
            {"a": {"b.c": [1]}},
            {"a.b.c": [1]},
        ],
    )
    @pytest.mark.parametrize(
        "detail",
        [{"a": {"b": {"c": 1}}}, {"a.b": {"c": 1}}, {"a": {"b.c": 1}}, {"a.b.c": 1}, {"a": {}, "a.b": {"c": 1}}],
    )
    def test_dots_join_keys(self, pattern: dict[str, Any], detail: dict[str, Any]) -> None:
        assert matches(pattern, detail)

    def test_dots_join_at_the_top(self) -> None:
        assert EventPattern({"detail.a": {"b": [1]}}).matches({"detail": {"a.b": 1}})

    def test_empty_keys_are_keys(self) -> None:
        assert matches({"": {"a": [1]}}, {"": {"a": 1}})
        assert not matches({"": {"a": [1]}}, {"a": 1})
        assert matches({"a": {"": [1]}}, {"a": {"": 1}})
        assert not matches({"a": {"": [1]}}, {"a": 1})

    def test_last_of_equal_paths_counts(self) -> None:
        assert matches({"a.b": [1], "a": {"b": [2]}}, {"a": {"b": 2}})
        assert not matches({"a.b": [1], "a": {"b": [2]}}, {"a": {"b": 1}})

    def test_long_paths_are_fast(self) -> None:
        assert not matches({".".join("a" * 2000): ["x"]}, {"a": {"a": "x"}})

    def test_events_may_be_other_mappings(self) -> None:
        detail = MappingProxyType({"field": ("a", "b")})
        assert EventPattern({"detail": {"field": ["b"]}}).matches(MappingProxyType({"detail": detail}))

    @given(
        st.recursive(
            st.dictionaries(
                st.text("abc-", min_size=1), st.none() | st.booleans() | st.integers() | st.text(), min_size=1
            ),
            lambda inner: st.dictionaries(st.text("abc-", min_size=1), inner | st.integers(), min_size=1, max_size=4),
            max_leaves=8,
        )
    )
    def test_pattern_made_from_an_event_matches_it(self, event: dict[str, Any]) -> None:
        def pattern_of(value: Any) -> Any:
            return {key: pattern_of(item) for key, item in value.items()} if isinstance(value, dict) else [value]

        pattern = EventPattern(pattern_of(event))
        assert pattern.matches(event)
        key = next(iter(event))
        assert not pattern.matches({**event, key: "another value, which cannot be there"})


class TestArrays:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [(["b", "a"], True), ([], False), (["b"], False), ([["b", ["a"]]], True), ([{"field": "a"}], False)],
    )
    def test_any_element_matches(self, value: Any, expected: bool) -> None:
        assert accepts("a", value) is expected

    @pytest.mark.parametrize(
        ("items", "expected"),
        [
            ([{"a": 1, "b": 2}], True),
            ([{"a": 1}, {"b": 2}], False),
            ([{"a": 1, "b": 0}, {"a": 0, "b": 2}], False),
            ([{"a": 1, "b": 0}, {"a": 1, "b": 2}], True),
            ([{"a": [0, 1], "b": 2}], True),
            ([{"a": 1}, [{"b": 2}]], False),
            ([[{"a": 1, "b": 2}]], True),
            ([[], [{"a": 1, "b": 2}]], True),
            ([[{"a": 1}, {"b": 2}]], False),
        ],
    )
    def test_fields_match_in_the_same_element(self, items: list[Any], expected: bool) -> None:
        assert matches({"items": {"a": [1], "b": [2]}}, {"items": items}) is expected

    def test_value_belongs_to_the_arrays_around_its_own(self) -> None:
        pattern = {"items": [1], "items.a": [2]}
        assert matches(pattern, {"items": [1, {"a": 2}]})
        assert matches(pattern, {"items": [[1, {"a": 2}]]})
        assert not matches(pattern, {"items": [[1], [{"a": 2}]]})

    def test_fields_match_in_the_same_element_of_outer_arrays(self) -> None:
        pattern = {"o": {"name": ["x"], "i": {"a": [1], "b": [2]}}}
        inner = [{"a": 1, "b": 2}]
        assert matches(pattern, {"o": [{"name": "x", "i": inner}]})
        assert not matches(pattern, {"o": [{"name": "x"}, {"name": "y", "i": inner}]})
        assert not matches(pattern, {"o": [{"name": "x", "i": [{"a": 1}]}, {"name": "x", "i": [{"b": 2}]}]})

    def test_different_arrays_are_independent(self) -> None:
        shared = [{"a": 1}, {"a": 2}]
        pattern = {"x": {"a": [1]}, "y": {"a": [2]}}
        assert matches(pattern, {"x": [{"a": 1}], "y": [{"a": 0}, {"a": 2}]})
        assert matches(pattern, {"x": shared, "y": shared})

    def test_many_independent_arrays_are_fast(self) -> None:
        fields = {f"f{number}": {"a": [1]} for number in range(12)}
        detail: dict[str, Any] = {f"f{number}": [{"a": 1}] * 10 for number in range(12)}
        # Joined one by one, these are 10 to the power of 12 combinations.
        last = {"z": {"a": [1], "b": [2]}}
        assert matches(fields | last, detail | {"z": [{"a": 1, "b": 2}]})
        assert not matches(fields | last, detail | {"z": [{"a": 1}, {"b": 2}]})

    @pytest.mark.parametrize("fields", [2, 3])
    @pytest.mark.parametrize("mixed", [False, True])
    def test_each_field_visits_each_element_a_few_times(self, fields: int, mixed: bool) -> None:
        visited = 0

        class Counted(list[Any]):
            def __iter__(self) -> Iterator[Any]:
                nonlocal visited
                for item in super().__iter__():
                    visited += 1
                    yield item

        names = "abc"[:fields]
        pattern = {"items": {name: [1] for name in names}}
        all_but_one = [{name: int(name != other) for name in names} for other in names]
        items = Counted([*all_but_one, *([0] if mixed else [])] * 100)
        assert not matches(pattern, {"items": items})
        items.append(dict.fromkeys(names, 1))
        assert matches(pattern, {"items": items})
        assert visited <= 2 * 2 * fields * len(items)

    @pytest.mark.parametrize(
        ("pattern", "items", "expected"),
        [
            ({"a": [1], "b": [{"exists": False}]}, [{"a": 1}, {"b": 2}], True),
            ({"a": [1], "b": [{"exists": False}]}, [{"a": 1, "b": 2}, {"a": 0}], False),
            ({"a": [1], "b": [{"exists": False}]}, [{"a": 1, "b": 2}, {"a": 1}], True),
            ({"a": [1], "b": [{"exists": False}]}, [1, {"a": 1}], True),
            ({"a": [1], "b": [{"exists": False}]}, [], False),
            ({"a": [{"exists": False}]}, [{"a": 1}, {"b": 2}], False),
            ({"a": [{"exists": False}], "b": [{"exists": False}]}, [{"a": 1}, {"b": 2}], False),
            # The order of paths decides: a is evaluated before an element is chosen.
            ({"a": [{"exists": False}], "b": [2]}, [{"a": 1}, {"b": 2}], False),
            ({"a": [{"exists": False}, 1], "b": [2]}, [{"a": 1, "b": 2}], True),
        ],
    )
    def test_exists_false_applies_to_the_chosen_element(
        self, pattern: dict[str, Any], items: list[Any], expected: bool
    ) -> None:
        assert matches({"items": pattern}, {"items": items}) is expected

    @given(st.lists(st.dictionaries(st.sampled_from("abc"), st.integers(0, 1)), max_size=4))
    def test_agrees_with_looking_at_each_element(self, items: list[dict[str, int]]) -> None:
        expected = any(item.get("a") == 1 and item.get("b") == 1 and "c" not in item for item in items)
        assert matches({"items": {"a": [1], "b": [1], "c": [{"exists": False}]}}, {"items": items}) is expected


class TestOr:
    def test_one_branch_matches(self) -> None:
        pattern = {"$or": [{"a": [1]}, {"b": {"c": [2]}}]}
        assert matches(pattern, {"a": 1})
        assert matches(pattern, {"b": {"c": 2}})
        assert not matches(pattern, {"a": 2, "b": {"c": 1}})

    def test_siblings_must_match_as_well(self) -> None:
        pattern = {"c": [3], "$or": [{"a": [1]}, {"b": [2]}]}
        assert matches(pattern, {"a": 1, "c": 3})
        assert not matches(pattern, {"a": 1})
        assert not matches(pattern, {"c": 3})

    def test_or_nests(self) -> None:
        pattern = {"$or": [{"a": [1], "$or": [{"b": [1]}, {"c": [1]}]}, {"d": [1]}]}
        assert matches(pattern, {"a": 1, "c": 1})
        assert matches(pattern, {"d": 1})
        assert not matches(pattern, {"a": 1})
        assert not matches(pattern, {"b": 1, "c": 1})

    def test_two_ors_must_both_match(self) -> None:
        pattern = EventPattern({"$or": [{"a": [1]}, {"b": [1]}], "detail": {"$or": [{"c": [1]}, {"d": [1]}]}})
        assert pattern.matches({"b": 1, "detail": {"c": 1}})
        assert not pattern.matches({"a": 1, "detail": {}})
        assert not pattern.matches({"detail": {"d": 1}})

    def test_last_of_equal_paths_inside_and_outside_counts(self) -> None:
        branches = [{"a": [1]}, {"b": [2]}]
        assert matches({"a": [0], "$or": branches}, {"a": 1})
        assert matches({"a": [0], "$or": branches}, {"a": 0, "b": 2})
        assert not matches({"$or": branches, "a": [0]}, {"a": 1})
        assert matches({"$or": branches, "a": [0]}, {"a": 0})

    @pytest.mark.parametrize(
        ("pattern", "path", "reason"),
        [
            ({"$or": {"a": [1]}}, "$or", "It must be an Array followed with $or."),
            ({"$or": []}, "$or", "There must have at least 2 Objects in $or relationship."),
            ({"d": {"$or": [{"a": [1]}]}}, "d.$or", "There must have at least 2 Objects in $or relationship."),
            ({"$or": [{"a": [1]}, 1]}, "$or[1]", "Only JSON object is allowed in array of $or relationship."),
            ({"$or": [{"a": [1]}, {}]}, "$or[1]", "Empty objects are not allowed"),
            ({"$or": [{"a": [1]}, {"b": []}]}, "$or[1].b", "Empty arrays are not allowed"),
            (
                {"$or": [{"a": [1]}, {"b": {"cidr": ["x"]}}]},
                "$or[1].b.cidr",
                "cidr is Ruler reserved fieldName which cannot be used inside $or.",
            ),
            (
                {"$or": [{"<": {"b": ["x"]}}, {"a": [1]}]},
                "$or[0].<",
                "< is Ruler reserved fieldName which cannot be used inside $or.",
            ),
            (
                {"$or": [{"a": [1]}, {"b": {"regex": ["x"]}}]},
                "$or[1].b.regex",
                "regex is Ruler reserved fieldName which cannot be used inside $or.",
            ),
        ],
    )
    def test_invalid_or_is_rejected(self, pattern: dict[str, Any], path: str, reason: str) -> None:
        error = rejection(pattern)
        assert (error.path, error.reason) == (path, reason)

    def test_reserved_names_are_fields_outside_or(self) -> None:
        assert matches({"prefix": ["a"], "numeric": {"cidr": [1]}}, {"prefix": "a", "numeric": {"cidr": 1}})

    def test_combinations_are_limited(self) -> None:
        def groups(*sizes: int) -> dict[str, Any]:
            return {
                f"g{number}": {"$or": [{"v": [value]} for value in range(size)]} for number, size in enumerate(sizes)
            }

        assert matches(groups(10, 10, 10), {"g0": {"v": 9}, "g1": {"v": 9}, "g2": {"v": 9}})
        error = rejection(groups(7, 11, 13))
        assert error.path == "g2.$or"
        assert error.reason == "Or operator is producing over 1000 rule combinations"
