"""
AWS's verdicts are in ``shared/data/event_patterns.json`` beside the repository: patterns, events and AWS's answers.

What the tests below say of AWS beyond these comes from its documentation, from event-ruler, and from answers of
TestEventPattern.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_cwevents._aws.limits import MAX_EVENT_PATTERN_LENGTH
from airflow_cwevents.exceptions import InvalidEventPatternError
from airflow_cwevents.patterns import EventPattern

VERDICTS_FILE = Path(__file__).resolve().parents[3] / "shared" / "data" / "event_patterns.json"
VERDICTS: list[dict[str, Any]] = json.loads(VERDICTS_FILE.read_text()) if VERDICTS_FILE.exists() else []
REASON = "Event pattern is not valid. Reason: "


def accepts(item: Any, value: Any) -> bool:
    """Whether a pattern that lists one item for a field matches an event with one value there."""
    return EventPattern({"detail": {"field": [item]}}).matches({"detail": {"field": value}})


def matches(pattern: dict[str, Any], detail: dict[str, Any]) -> bool:
    return EventPattern({"detail": pattern}).matches({"detail": detail})


def refusal(pattern: Any) -> InvalidEventPatternError:
    with pytest.raises(InvalidEventPatternError) as raised:
        EventPattern(pattern)
    return raised.value


@pytest.mark.skipif(not VERDICTS, reason=f"AWS's verdicts are not at {VERDICTS_FILE}")
@pytest.mark.parametrize("case", VERDICTS, ids=[case["name"] for case in VERDICTS])
def test_verdict_is_that_of_aws(case: dict[str, Any]) -> None:
    if case["expect"] == "error":
        assert REASON + refusal(case["pattern"]).reason == case["reason"]
        assert REASON + refusal(json.dumps(case["pattern"])).reason == case["reason"]
    else:
        assert EventPattern(case["pattern"]).matches(case["event"]) is (case["expect"] == "match")
        assert EventPattern(json.dumps(case["pattern"])).matches(case["event"]) is (case["expect"] == "match")


class TestExactValues:
    @pytest.mark.parametrize(
        ("item", "value", "expected"),
        [
            ("running", "running", True),
            ("running", "Running", False),
            ("", "", True),
            ("", None, False),
            (300, 300.0, True),
            (300.0, 300, True),
            (300, 301, False),
            (300, "300", False),
            ("300", 300, False),
            (0, -0.0, True),
            (1, True, False),
            (True, 1, False),
            (0, False, False),
            (False, 0, False),
            (True, True, True),
            (True, "true", False),
            ("True", True, False),
            (None, None, True),
            (None, "null", False),
            ("None", None, False),
            (None, False, False),
            (0.1, 0.1, True),
            (2**53 + 1, 2**53 + 1, True),
            (2**53 + 1, 2**53, False),
            (2**53 + 1, float(2**53), False),
            (10**23, 1e23, True),
            (10**400, 10**400, True),
            (10**400, 10**400 + 1, False),
        ],
    )
    def test_value(self, item: Any, value: Any, expected: bool) -> None:
        assert accepts(item, value) is expected

    @pytest.mark.parametrize(
        ("item", "value", "expected"),
        [
            ("::1", "0:0:0:0:0:0:0:1", True),
            ("10.0.0.1", "10.0.0.1", True),
            ("10.0.0.1", "10.0.0.2", False),
            ("2001:db8::1", "2001:DB8::1", True),
            ("10:30", "10:30", True),
            ("10:30", "10:31", False),
        ],
    )
    def test_addresses_are_more_than_their_text(self, item: str, value: str, expected: bool) -> None:
        assert accepts(item, value) is expected

    def test_any_item_will_do(self) -> None:
        pattern = EventPattern({"field": ["a", 1, None, {"prefix": "z"}, {"suffix": "y"}]})
        found = [value for value in ["a", "b", 1, 2, None, True, "zoo", "toy"] if pattern.matches({"field": value})]
        assert found == ["a", 1, None, "zoo", "toy"]

    def test_exactly_is_an_operator_of_its_own(self) -> None:
        assert accepts({"exactly": "a"}, "a")
        assert not accepts({"exactly": "a"}, "A")

    @given(st.integers() | st.floats(allow_nan=False, allow_infinity=False), st.integers() | st.floats(-9, 9))
    def test_numbers_compare_by_value(self, item: float, value: float) -> None:
        assert accepts(item, item)
        if abs(item) <= 2**53:
            assert accepts(item, value) is (item == value)


class TestText:
    @pytest.mark.parametrize(
        ("item", "value", "expected"),
        [
            ({"prefix": "ab"}, "abc", True),
            ({"prefix": "ab"}, "Abc", False),
            ({"prefix": ""}, "", True),
            ({"prefix": ""}, 1, False),
            ({"prefix": "1"}, 12, False),
            ({"prefix": "N"}, None, False),
            ({"suffix": ".png"}, "a.png", True),
            ({"suffix": ".png"}, "a.PNG", False),
            ({"suffix": "bc"}, "abcd", False),
            ({"suffix": ""}, "x", True),
            ({"suffix": ""}, True, False),
            ({"prefix": {"equals-ignore-case": "aB"}}, "AbC", True),
            ({"prefix": {"equals-ignore-case": "aB"}}, "A", False),
            ({"prefix": {"equals-ignore-case": "aB"}}, "xab", False),
            ({"prefix": {"equals-ignore-case": "a"}}, "a\nb", True),
            ({"suffix": {"equals-ignore-case": ".png"}}, "a.PnG", True),
            ({"suffix": {"equals-ignore-case": ".png"}}, "a.pngx", False),
            ({"suffix": {"equals-ignore-case": "a"}}, "A\n", False),
            ({"equals-ignore-case": "Alice"}, "aLICE", True),
            ({"equals-ignore-case": "Alice"}, "aLICE ", False),
            ({"equals-ignore-case": "a.c"}, "abc", False),
            ({"equals-ignore-case": "1"}, 1, False),
        ],
    )
    def test_value(self, item: dict[str, Any], value: Any, expected: bool) -> None:
        assert accepts(item, value) is expected

    @pytest.mark.parametrize(
        ("text", "value", "expected"),
        [
            ("Straße", "STRASSE", True),
            ("Straße", "strasse", False),
            ("İ", "i", False),
            ("K", "\N{KELVIN SIGN}", False),
            ("S", "\N{LATIN SMALL LETTER LONG S}", False),
            ("\N{GRINNING FACE}", "\N{GRINNING FACE}", False),
            ("\N{GRINNING FACE}", "??", True),
        ],
    )
    def test_case_is_taken_character_by_character(self, text: str, value: str, expected: bool) -> None:
        assert accepts({"equals-ignore-case": text}, value) is expected
        assert accepts({"anything-but": {"equals-ignore-case": text}}, value) is not expected

    def test_caseless_characters_cost_no_more(self) -> None:
        # Twice as long for each of them, this would take years.
        assert not accepts({"equals-ignore-case": "1" * 60}, "1" * 60 + "2")

    @given(st.text("aAbB12", max_size=6), st.text("aAbB12", max_size=6))
    def test_ignoring_case_in_ascii(self, text: str, value: str) -> None:
        assert accepts({"equals-ignore-case": text}, value) is (text.lower() == value.lower())
        assert accepts({"prefix": {"equals-ignore-case": text}}, value) is value.lower().startswith(text.lower())
        assert accepts({"suffix": {"equals-ignore-case": text}}, value) is value.lower().endswith(text.lower())


def glob(pattern: str, text: str) -> bool:
    """Match naively, one character after the other."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return glob(pattern[1:], text) or (text != "" and glob(pattern, text[1:]))
    literal, rest = (pattern[1], pattern[2:]) if pattern[0] == "\\" else (pattern[0], pattern[1:])
    return text.startswith(literal) and glob(rest, text[1:])


class TestWildcard:
    @pytest.mark.parametrize(
        ("pattern", "value", "expected"),
        [
            ("*", "", True),
            ("*", "a\nb", True),
            ("*", 1, False),
            ("", "", True),
            ("a*", "a", True),
            ("*a", "ba", True),
            ("ab*bc", "abc", False),
            ("ab*bc", "abbc", True),
            ("*a*a*", "a", False),
            ("*a*a*", "xaxax", True),
            ("a*b*c", "acb", False),
            ("a*bc*c", "abc", False),
            (r"a\*", "a*", True),
            (r"a\*", "ab", False),
            (r"a\\*", "a\\b", True),
            (r"a\\*", "ab", False),
            (r"*\**", "x*y", True),
            ("a?[b]", "a?[b]", True),
            ("a?[b]", "axb", False),
        ],
    )
    def test_value(self, pattern: str, value: Any, expected: bool) -> None:
        assert accepts({"wildcard": pattern}, value) is expected

    @given(
        st.lists(st.sampled_from(["a", "b", "ab", r"\*", r"\\"]), max_size=4),
        st.lists(st.booleans(), min_size=5, max_size=5),
        st.text("ab*\\", max_size=8),
    )
    def test_agrees_with_a_naive_matcher(self, literals: list[str], stars: list[bool], value: str) -> None:
        pattern = "*" if stars[0] else ""
        for literal, star in zip(literals, stars[1:], strict=False):
            pattern += literal + ("*" if star else "")
        assert accepts({"wildcard": pattern}, value) is glob(pattern, value)

    def test_long_values_take_no_longer_for_more_wildcards(self) -> None:
        assert not accepts({"wildcard": "*a*a*a*b"}, "a" * 100_000)


class TestNumeric:
    @pytest.mark.parametrize(
        ("operand", "value", "expected"),
        [
            (["=", 5], 5.0, True),
            (["=", 5], 6, False),
            (["<", 5], 4.9, True),
            (["<", 5], 5, False),
            (["<=", 5], 5, True),
            ([">", 5], 5, False),
            ([">=", 5], 5, True),
            ([">", 0, "<=", 5], 0, False),
            ([">", 0, "<=", 5], 5, True),
            ([">=", 0, "<", 5], 0, True),
            ([">=", 0, "<", 5], 5, False),
            ([">", 0], "1", False),
            ([">", 0], True, False),
            (["<", 5], None, False),
            ([">", 5e9], 1_700_000_000_000, True),
            ([">", 0], 2**53 + 1, False),
            ([">", 0], 10**400, False),
            (["=", 10**23], 1e23, True),
        ],
    )
    def test_value(self, operand: list[Any], value: Any, expected: bool) -> None:
        assert accepts({"numeric": operand}, value) is expected

    @given(
        st.integers(-9, 9) | st.floats(-9, 9),
        st.integers(-9, 9) | st.floats(-9, 9),
        st.integers(-9, 9) | st.floats(-9, 9),
    )
    def test_ranges_agree_with_python(self, one: float, other: float, value: float) -> None:
        bottom, top = sorted((one, other))
        assert accepts({"numeric": [">", bottom]}, value) is (value > bottom)
        assert accepts({"numeric": ["<=", top]}, value) is (value <= top)
        if bottom < top:
            assert accepts({"numeric": [">=", bottom, "<", top]}, value) is (bottom <= value < top)
            assert accepts({"numeric": [">", bottom, "<=", top]}, value) is (bottom < value <= top)


class TestCidr:
    @pytest.mark.parametrize(
        ("network", "value", "expected"),
        [
            ("10.0.0.0/24", "10.0.0.0", True),
            ("10.0.0.0/24", "10.0.0.255", True),
            ("10.0.0.0/24", "10.0.1.0", False),
            ("10.0.0.0/24", "9.255.255.255", False),
            ("10.0.0.77/24", "10.0.0.1", True),
            ("10.0.0.0/24/", "10.0.0.1", True),
            ("010.0.0.0/8", "10.1.2.3", True),
            ("10.0.0.0/+8", "10.1.2.3", True),
            ("0.0.0.0/0", "255.255.255.255", True),
            ("10.0.0.0/9", "10.127.0.0", True),
            ("10.0.0.0/9", "10.128.0.0", False),
            ("2001:db8::/32", "2001:db8:ffff::1", True),
            ("2001:db8::/32", "2001:db9::", False),
            ("::ffff:a00:0/8", "10.1.2.3", True),
            ("0.0.0.0/0", "2001:db8::1", True),
            ("0.0.0.0/0", "ffff:ffff::1", True),
            ("10.0.0.0/24", "host.example", False),
            ("10.0.0.0/24", "10.0.0.256", False),
            ("10.0.0.0/24", "010.000.000.001", True),
            ("10.0.0.0/24", "0010.000.000.001", False),
            ("10.0.0.0/24", "10.0.0", False),
            ("10.0.0.0/24", " 10.0.0.1", False),
            ("::/1", "1::2::3", False),
            ("0.0.0.0/0", 1, False),
            ("0.0.0.0/0", None, False),
        ],
    )
    def test_value(self, network: str, value: Any, expected: bool) -> None:
        assert accepts({"cidr": network}, value) is expected


class TestAnythingBut:
    @pytest.mark.parametrize(
        ("operand", "value", "expected"),
        [
            ("a", "b", True),
            ("a", "a", False),
            ("None", None, True),
            (["a", "b"], "b", False),
            (["a", "b"], 1, True),
            (1, 1.0, False),
            (1, True, True),
            (1, "1", True),
            (1, None, True),
            ([1, 2], 2, False),
            ([1, 2], 2**53 + 1, True),
            ({"prefix": "in"}, "init", False),
            ({"prefix": ["a", "b"]}, "bc", False),
            ({"prefix": ["a", "b"]}, "c", True),
            ({"suffix": ".txt"}, "a.txt", False),
            ({"suffix": [".txt"]}, 5, True),
            ({"equals-ignore-case": "A"}, "a", False),
            ({"wildcard": "*/lib/*"}, "a/lib/b", False),
            ({"wildcard": ["*.a", "*.b"]}, "x.c", True),
            ({"wildcard": "*"}, None, True),
        ],
    )
    def test_value(self, operand: Any, value: Any, expected: bool) -> None:
        assert accepts({"anything-but": operand}, value) is expected

    def test_the_field_must_be_there(self) -> None:
        assert not matches({"field": [{"anything-but": "a"}]}, {"other": "b"})
        assert not matches({"field": [{"anything-but": "a"}]}, {"field": {"nested": "b"}})
        assert not accepts({"anything-but": "a"}, [])

    def test_one_other_value_in_an_array_will_do(self) -> None:
        assert accepts({"anything-but": "a"}, ["a", "b"])
        assert not accepts({"anything-but": "a"}, ["a"])

    @given(st.text("ab", max_size=3), st.text("ab", max_size=3))
    def test_is_the_opposite_of_what_it_negates(self, text: str, value: str) -> None:
        assert accepts({"anything-but": [text]}, value) is not accepts(text, value)
        assert accepts({"anything-but": {"wildcard": text}}, value) is not accepts({"wildcard": text}, value)
        assert accepts({"anything-but": {"suffix": text + "a"}}, value) is not accepts({"suffix": text + "a"}, value)


class TestExists:
    @pytest.mark.parametrize(
        ("detail", "there"),
        [
            ({}, False),
            ({"field": 1}, True),
            ({"field": None}, True),
            ({"field": ""}, True),
            ({"field": {}}, False),
            ({"field": {"nested": 1}}, False),
            ({"field": []}, False),
            ({"field": [None]}, True),
            ({"field": [[], {}]}, False),
            ({"field": [{"nested": 1}]}, False),
            ({"field": [[1]]}, True),
        ],
    )
    def test_asks_for_a_value_and_not_for_a_key(self, detail: dict[str, Any], there: bool) -> None:
        assert matches({"field": [{"exists": True}]}, detail) is there
        assert matches({"field": [{"exists": False}]}, detail) is not there

    def test_missing_or_some_value(self) -> None:
        pattern = {"field": [{"exists": False}, "a"]}
        assert matches(pattern, {})
        assert matches(pattern, {"field": "a"})
        assert not matches(pattern, {"field": "b"})

    def test_holds_where_the_way_there_is_missing(self) -> None:
        assert EventPattern({"detail": {"field": [{"exists": False}]}}).matches({"detail": "text"})


class TestFields:
    def test_all_must_match(self) -> None:
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
    def test_dots_join(self, pattern: dict[str, Any], detail: dict[str, Any]) -> None:
        assert matches(pattern, detail)

    def test_dots_join_at_the_top(self) -> None:
        assert EventPattern({"detail.a": {"b": [1]}}).matches({"detail": {"a.b": 1}})

    def test_empty_keys_are_keys(self) -> None:
        assert matches({"": {"a": [1]}}, {"": {"a": 1}})
        assert not matches({"": {"a": [1]}}, {"a": 1})
        assert matches({"a": {"": [1]}}, {"a": {"": 1}})
        assert not matches({"a": {"": [1]}}, {"a": 1})

    def test_of_equal_paths_the_last_counts(self) -> None:
        assert matches({"a.b": [1], "a": {"b": [2]}}, {"a": {"b": 2}})
        assert not matches({"a.b": [1], "a": {"b": [2]}}, {"a": {"b": 1}})

    def test_a_path_of_very_many_parts(self) -> None:
        assert not matches({".".join("a" * 2000): ["x"]}, {"a": {"a": "x"}})

    def test_an_event_need_not_be_made_of_dicts(self) -> None:
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
    def test_a_pattern_made_of_an_event_matches_it(self, event: dict[str, Any]) -> None:
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
    def test_any_element_will_do(self, value: Any, expected: bool) -> None:
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

    def test_a_value_is_within_the_arrays_around_its_own(self) -> None:
        pattern = {"items": [1], "items.a": [2]}
        assert matches(pattern, {"items": [1, {"a": 2}]})
        assert matches(pattern, {"items": [[1, {"a": 2}]]})
        assert not matches(pattern, {"items": [[1], [{"a": 2}]]})

    def test_of_an_outer_array_too(self) -> None:
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

    def test_many_independent_arrays_are_no_trouble(self) -> None:
        fields = {f"f{number}": {"a": [1]} for number in range(12)}
        detail: dict[str, Any] = {f"f{number}": [{"a": 1}] * 10 for number in range(12)}
        # Joined one by one, these are 10 to the power of 12 combinations.
        last = {"z": {"a": [1], "b": [2]}}
        assert matches(fields | last, detail | {"z": [{"a": 1, "b": 2}]})
        assert not matches(fields | last, detail | {"z": [{"a": 1}, {"b": 2}]})

    @pytest.mark.parametrize("fields", [2, 3])
    @pytest.mark.parametrize("mixed", [False, True])
    def test_each_field_looks_at_each_element_a_few_times_at_most(self, fields: int, mixed: bool) -> None:
        looked_at = 0

        class Counted(list[Any]):
            def __iter__(self) -> Iterator[Any]:
                nonlocal looked_at
                for item in super().__iter__():
                    looked_at += 1
                    yield item

        names = "abc"[:fields]
        pattern = {"items": {name: [1] for name in names}}
        all_but_one = [{name: int(name != other) for name in names} for other in names]
        items = Counted([*all_but_one, *([0] if mixed else [])] * 100)
        assert not matches(pattern, {"items": items})
        items.append(dict.fromkeys(names, 1))
        assert matches(pattern, {"items": items})
        assert looked_at <= 2 * 2 * fields * len(items)

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
            # The order of paths decides: a is asked for before an element is chosen.
            ({"a": [{"exists": False}], "b": [2]}, [{"a": 1}, {"b": 2}], False),
            ({"a": [{"exists": False}, 1], "b": [2]}, [{"a": 1, "b": 2}], True),
        ],
    )
    def test_a_field_is_missing_from_the_chosen_element(
        self, pattern: dict[str, Any], items: list[Any], expected: bool
    ) -> None:
        assert matches({"items": pattern}, {"items": items}) is expected

    @given(st.lists(st.dictionaries(st.sampled_from("abc"), st.integers(0, 1)), max_size=4))
    def test_agrees_with_looking_at_each_element(self, items: list[dict[str, int]]) -> None:
        expected = any(item.get("a") == 1 and item.get("b") == 1 and "c" not in item for item in items)
        assert matches({"items": {"a": [1], "b": [1], "c": [{"exists": False}]}}, {"items": items}) is expected


class TestOr:
    def test_one_branch_will_do(self) -> None:
        pattern = {"$or": [{"a": [1]}, {"b": {"c": [2]}}]}
        assert matches(pattern, {"a": 1})
        assert matches(pattern, {"b": {"c": 2}})
        assert not matches(pattern, {"a": 2, "b": {"c": 1}})

    def test_siblings_must_match_as_well(self) -> None:
        pattern = {"c": [3], "$or": [{"a": [1]}, {"b": [2]}]}
        assert matches(pattern, {"a": 1, "c": 3})
        assert not matches(pattern, {"a": 1})
        assert not matches(pattern, {"c": 3})

    def test_nests(self) -> None:
        pattern = {"$or": [{"a": [1], "$or": [{"b": [1]}, {"c": [1]}]}, {"d": [1]}]}
        assert matches(pattern, {"a": 1, "c": 1})
        assert matches(pattern, {"d": 1})
        assert not matches(pattern, {"a": 1})
        assert not matches(pattern, {"b": 1, "c": 1})

    def test_two_of_them_must_both_match(self) -> None:
        pattern = EventPattern({"$or": [{"a": [1]}, {"b": [1]}], "detail": {"$or": [{"c": [1]}, {"d": [1]}]}})
        assert pattern.matches({"b": 1, "detail": {"c": 1}})
        assert not pattern.matches({"a": 1, "detail": {}})
        assert not pattern.matches({"detail": {"d": 1}})

    def test_of_a_path_inside_and_outside_the_last_counts(self) -> None:
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
    def test_refused(self, pattern: dict[str, Any], path: str, reason: str) -> None:
        error = refusal(pattern)
        assert (error.path, error.reason) == (path, reason)

    def test_reserved_names_are_names_outside(self) -> None:
        assert matches({"prefix": ["a"], "numeric": {"cidr": [1]}}, {"prefix": "a", "numeric": {"cidr": 1}})

    def test_combinations_are_limited(self) -> None:
        def groups(*sizes: int) -> dict[str, Any]:
            return {
                f"g{number}": {"$or": [{"v": [value]} for value in range(size)]} for number, size in enumerate(sizes)
            }

        assert matches(groups(10, 10, 10), {"g0": {"v": 9}, "g1": {"v": 9}, "g2": {"v": 9}})
        error = refusal(groups(7, 11, 13))
        assert error.path == "g2.$or"
        assert error.reason == "Or operator is producing over 1000 rule combinations"


class TestRefusals:
    @pytest.mark.parametrize("pattern", [[], "[]", "null", '"a"', None, 1])
    def test_no_object(self, pattern: Any) -> None:
        error = refusal(pattern)
        assert (error.path, error.reason) == ("", "Filter is not an object")

    @pytest.mark.parametrize(
        ("pattern", "path", "reason"),
        [
            ({}, "", "Empty objects are not allowed"),
            ({"detail": {}}, "detail", "Empty objects are not allowed"),
            ({"detail": {"state": []}}, "detail.state", "Empty arrays are not allowed"),
            ({"detail": {"state": "a"}}, "detail.state", '"state" must be an object or an array'),
            ({"detail": {"state": None}}, "detail.state", '"state" must be an object or an array'),
            ({"a": ["x", ["y"]]}, "a[1]", "Match value must be String, number, true, false, or null"),
        ],
    )
    def test_structure(self, pattern: dict[str, Any], path: str, reason: str) -> None:
        error = refusal(pattern)
        assert (error.path, error.reason) == (path, reason)

    @pytest.mark.parametrize(
        ("item", "path", "reason"),
        [
            ({}, "", "Match expression name not found"),
            ({"Prefix": "a"}, ".Prefix", "Unrecognized match type Prefix"),
            ({"prefix": "a", "suffix": "b"}, "", "Only one key allowed in match expression"),
            ({"prefix": 1, "suffix": "b"}, ".prefix", "prefix match pattern must be a string"),
            ({"exactly": 1}, ".exactly", "exact match pattern must be a string"),
            ({"exists": "true"}, ".exists", "exists match pattern must be either true or false."),
            ({"exists": 0}, ".exists", "exists match pattern must be either true or false."),
            ({"suffix": None}, ".suffix", "suffix match pattern must be a string"),
            ({"wildcard": ["*"]}, ".wildcard", "wildcard match pattern must be a string"),
            ({"equals-ignore-case": {}}, ".equals-ignore-case", "equals-ignore-case match pattern must be a string"),
            ({"prefix": {}}, ".prefix", "Prefix expression name not found"),
            ({"suffix": {"prefix": "a"}}, ".suffix.prefix", "Unsupported suffix pattern: prefix"),
            (
                {"prefix": {"equals-ignore-case": 1}},
                ".prefix.equals-ignore-case",
                "equals-ignore-case match pattern must be a string",
            ),
            (
                {"prefix": {"equals-ignore-case": "a", "b": "c"}},
                ".prefix",
                "Only one key allowed in match expression",
            ),
            ({"wildcard": "a***"}, ".wildcard", "Consecutive wildcard characters at pos 2"),
            ({"wildcard": "é**"}, ".wildcard", "Consecutive wildcard characters at pos 3"),
            ({"wildcard": "\ud800**"}, ".wildcard", "Consecutive wildcard characters at pos 2"),
            ({"wildcard": r"a\b"}, ".wildcard", "Invalid escape character at pos 2"),
            ({"wildcard": "ab\\"}, ".wildcard", "Invalid escape character at pos 3"),
        ],
    )
    def test_text(self, item: Any, path: str, reason: str) -> None:
        error = refusal({"detail": {"state": ["a", item]}})
        assert (error.path, error.reason) == (f"detail.state[1]{path}", reason)

    @pytest.mark.parametrize(
        ("operand", "path", "reason"),
        [
            (5, "", "Value of numeric must be an array."),
            ([], "", "Invalid member in numeric match: ]"),
            ([5], "", "Invalid member in numeric match: 5"),
            ([None, 5], "", "Invalid member in numeric match: null"),
            ([["="], 5], "", "Invalid member in numeric match: ["),
            (["!=", 5], "", "Unrecognized numeric range operator: !="),
            (["=", "5"], "", "Value of equals must be numeric"),
            ([">", True], "", "Value of > must be numeric"),
            ([">="], "", "Value of >= must be numeric"),
            (["=", 1, "<", 5], "", "Too many elements in numeric expression"),
            (["<", 5, ">", 1], "", "Too many elements in numeric expression"),
            ([">", 1, 5], "", "Bad value in numeric range: 5"),
            ([">", 1, {}], "", "Bad value in numeric range: {"),
            ([">", 1, ">", 5], "", "Bad numeric range operator: >"),
            ([">", 1, "<="], "", "Value of <= must be numeric"),
            ([">", 1, "<", 5, "<"], "", "Too many terms in numeric range expression"),
            ([">", 5, "<", 5], "", "Bottom must be less than top"),
            ([">=", 5, "<=", 1], "", "Bottom must be less than top"),
            (["<", 2**53 + 1], "[1]", "Cannot compare number : 9007199254740993"),
            ([">", 0, "<", 2**53 + 1], "[3]", "Cannot compare number : 9007199254740993"),
        ],
    )
    def test_numeric(self, operand: Any, path: str, reason: str) -> None:
        error = refusal({"count": [{"numeric": operand}]})
        assert (error.path, error.reason) == (f"count[0].numeric{path}", reason)

    def test_operators_that_take_lists_may_have_no_company(self) -> None:
        reason = "Too many elements in numeric expression"
        for item in (
            {"numeric": ["=", 5], "prefix": "a"},
            {"anything-but": "a", "prefix": "a"},
            {"anything-but": {"prefix": "a", "suffix": "b"}},
        ):
            assert refusal({"a": [item]}).reason == reason

    @pytest.mark.parametrize(
        ("operand", "reason"),
        [
            (10, "prefix match pattern must be a string"),
            ("10.0.0.0", "Malformed CIDR, one '/' required"),
            ("10.0.0.0/", "Malformed CIDR, one '/' required"),
            ("10.0.0.0/8/8", "Malformed CIDR, one '/' required"),
            ("10.0.0.0/x", "Malformed CIDR, mask bits must be an integer"),
            ("10.0.0.0/ 8", "Malformed CIDR, mask bits must be an integer"),
            ("10.0.0.0/2147483648", "Malformed CIDR, mask bits must be an integer"),
            ("10.0.0.0/-1", "Malformed CIDR, mask bits must not be negative"),
            ("host/8", "Nonstandard IP address: host"),
            ("cafe/8", "Nonstandard IP address: cafe"),
            ("::ffff:192.0.2.0/120", "Nonstandard IP address: ::ffff:192.0.2.0"),
            ("10.0.0.256/8", "Invalid IP address: 10.0.0.256"),
            ("1::2::3/8", "Invalid IP address: 1::2::3"),
            ("10.0.0.1/32", "IPv4 mask bits must be < 32"),
            ("2001:db8::1/128", "IPv6 mask bits must be < 128"),
        ],
    )
    def test_cidr(self, operand: Any, reason: str) -> None:
        error = refusal({"ip": [{"cidr": operand}]})
        assert (error.path, error.reason) == ("ip[0].cidr", reason)

    @pytest.mark.parametrize("network", ["10.0.0.1/31", "2001:db8::1/127"])
    def test_longest_networks_are_taken(self, network: str) -> None:
        assert accepts({"cidr": network}, network.split("/")[0])

    @pytest.mark.parametrize(
        ("operand", "path", "reason"),
        [
            (True, "", "Value of anything-but must be an array or single string/number value."),
            (None, "", "Value of anything-but must be an array or single string/number value."),
            (["a", True], "[1]", "Inside anything but list, start|null|boolean is not supported."),
            ([["a"]], "[0]", "Inside anything but list, start|null|boolean is not supported."),
            (
                ["a", 1],
                "",
                "Inside anything but list, either all values are number or string, mixed type is not supported",
            ),
            (
                [],
                "",
                "Inside anything but list, either all values are number or string, mixed type is not supported",
            ),
            (2**53 + 1, "", "Cannot compare number : 9007199254740993"),
            ([1, 2**53 + 1], "[1]", "Cannot compare number : 9007199254740993"),
            ({}, "", "Anything-But expression name not found"),
            ({"cidr": "10.0.0.0/8"}, ".cidr", "Unsupported anything-but pattern: cidr"),
            ({"prefix": ""}, ".prefix", "Null prefix/suffix not allowed"),
            ({"suffix": ["a", ""]}, ".suffix", "Null prefix/suffix not allowed"),
            ({"prefix": []}, ".prefix", "Empty arrays are not allowed"),
            ({"prefix": ["a", 1]}, ".prefix[1]", "prefix/suffix match pattern must be a string"),
            ({"wildcard": ["a", "**"]}, ".wildcard[1]", "Consecutive wildcard characters at pos 1"),
            (
                {"equals-ignore-case": None},
                ".equals-ignore-case",
                "Value of anything-but must be an array or single string/number value.",
            ),
        ],
    )
    def test_anything_but(self, operand: Any, path: str, reason: str) -> None:
        error = refusal({"a": [{"anything-but": operand}]})
        assert (error.path, error.reason) == (f"a[0].anything-but{path}", reason)

    def test_carries_the_value_and_a_remedy(self) -> None:
        error = refusal({"detail": {"state": [{"prefix": 5}]}})
        assert error.value == 5
        assert error.place == "event_pattern.detail.state[0].prefix"
        assert error.remedy


class TestInput:
    def test_to_json_is_compact(self) -> None:
        assert EventPattern({"größe": [1, {"prefix": "ü"}]}).to_json() == '{"größe":[1,{"prefix":"ü"}]}'

    def test_text_and_dict_are_the_same(self) -> None:
        pattern = EventPattern(' {"a" : [ 1, null ] } ')
        assert pattern == EventPattern({"a": [1, None]})
        assert pattern.pattern == {"a": [1, None]}

    def test_numbers_keep_their_value_in_any_spelling(self) -> None:
        assert EventPattern('{"a": [3e2]}').matches({"a": 300})
        assert EventPattern('{"a": [3.00E+02]}').matches({"a": 300})
        assert EventPattern('{"a": [300]}').matches(json.loads('{"a": 3e2}'))
        assert not EventPattern('{"a": [3e2]}').matches({"a": "3e2"})

    def test_tuples_are_lists(self) -> None:
        pattern = EventPattern({"a": ("x", {"numeric": (">", 1)})})
        assert pattern.to_json() == '{"a":["x",{"numeric":[">",1]}]}'
        assert pattern.matches({"a": 2})

    def test_the_callers_dict_is_left_alone_and_may_change(self) -> None:
        given_pattern = {"detail": {"state": ["a"]}}
        pattern = EventPattern(given_pattern)
        assert given_pattern == {"detail": {"state": ["a"]}}
        given_pattern["detail"]["state"][0] = "b"
        given_pattern["source"] = {}
        assert pattern.matches({"detail": {"state": "a"}})
        assert pattern.to_json() == '{"detail":{"state":["a"]}}'

    def test_what_it_gives_away_is_a_copy(self) -> None:
        pattern = EventPattern({"a": ["x"]})
        pattern.pattern["a"].append("y")
        assert pattern.pattern == {"a": ["x"]}

    def test_equality_is_that_of_the_pattern(self) -> None:
        pattern = EventPattern({"a": [1], "b": [2]})
        assert pattern == EventPattern({"b": [2], "a": [1]})
        assert hash(pattern) == hash(EventPattern({"b": [2], "a": [1]}))
        assert pattern != EventPattern({"a": [True], "b": [2]})
        assert pattern != {"a": [1], "b": [2]}

    def test_repr_makes_an_equal_one(self) -> None:
        pattern = EventPattern({"a": ["it's", None]})
        assert eval(repr(pattern)) == pattern  # noqa: S307

    @pytest.mark.parametrize(
        ("text", "position"), [('{"a": [1 2]}', "line 1 column 10"), ('{\n"a" 1}', "line 2 column 5")]
    )
    def test_malformed_text(self, text: str, position: str) -> None:
        error = refusal(text)
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
    def test_what_json_cannot_hold(self, value: Any, path: str, kind: str) -> None:
        error = refusal({"detail": {"a": ["b", value]}})
        assert (error.path, error.reason) == (path, f"JSON has no {kind}")

    def test_numbers_that_json_does_not_know(self) -> None:
        assert refusal('{"a": [NaN]}').path == "a[0]"
        assert refusal('{"a": [1e999]}').path == "a[0]"

    def test_nested_beyond_measure(self) -> None:
        endless: dict[str, Any] = {}
        endless["a"] = endless
        assert refusal(endless).reason == "it is nested too deeply"
        assert refusal('{"a":' * 100_000).reason == "it is nested too deeply"

    def test_length_limit(self) -> None:
        longest = {"a": ["é" * (MAX_EVENT_PATTERN_LENGTH - len('{"a":[""]}'))]}
        assert len(EventPattern(longest).to_json()) == MAX_EVENT_PATTERN_LENGTH
        assert len(EventPattern(json.dumps(longest, indent=4)).to_json()) == MAX_EVENT_PATTERN_LENGTH
        error = refusal({"a": [longest["a"][0] + "é"]})
        assert error.path == ""
        assert str(MAX_EVENT_PATTERN_LENGTH + 1) in error.reason

    def test_what_text_gives_twice(self) -> None:
        assert EventPattern('{"a":[0],"a":[1]}').pattern == {"a": [1]}
        assert EventPattern('{"a":{"x":[1]},"a":{"y":[2]}}').pattern == {"a": {"x": [1], "y": [2]}}
        assert refusal('{"a":[{"prefix":"x","prefix":"y"}]}').reason == '"prefix" is given twice in one object'

    def test_or_given_twice_must_hold_twice(self) -> None:
        pattern = EventPattern('{"$or":[{"a":[1]},{"b":[1]}],"$or":[{"c":[1]},{"d":[1]}]}')
        assert pattern.matches({"a": 1, "d": 1})
        assert pattern.matches({"b": 1, "c": 1})
        assert not pattern.matches({"a": 1, "b": 1})
        assert not pattern.matches({"c": 1})

    def test_or_given_twice_must_be_right_twice(self) -> None:
        right = '"$or":[{"a":[1]},{"b":[1]}]'
        reason = "Only JSON object is allowed in array of $or relationship."
        assert refusal(f'{{"$or":[1],{right}}}').reason == reason
        assert refusal(f'{{{right},"$or":[1]}}').reason == reason
        assert refusal(f'{{"$or":[],{right}}}').reason == "There must have at least 2 Objects in $or relationship."
