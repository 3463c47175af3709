"""How the operators match one value."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_cwevents.patterns import EventPattern
from tests.patterns.helpers import accepts, matches


class TestExactValues:
    @pytest.mark.parametrize(
        ("item", "value", "expected"),
        [
            ("running", "running", True),
            ("running", "Running", False),
            ("", "", True),
            (300.0, 300, True),
            (300, 301, False),
            (300, "300", False),
            ("300", 300, False),
            (0, -0.0, True),
            (1, True, False),
            (True, 1, False),
            (0, False, False),
            (False, 0, False),
            (True, "true", False),
            (None, None, True),
            (None, "null", False),
            (2**53 + 1, 2**53 + 1, True),
            (2**53 + 1, 2**53, False),
            (2**53 + 1, float(2**53), False),
            (10**23, 1e23, True),
            (10**400, 10**400, True),
            (10**400, 10**400 + 1, False),
        ],
    )
    def test_exact_value_matches_by_type_and_value(self, item: Any, value: Any, expected: bool) -> None:
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
    def test_address_matches_every_spelling(self, item: str, value: str, expected: bool) -> None:
        assert accepts(item, value) is expected

    def test_any_item_matches(self) -> None:
        pattern = EventPattern({"field": ["a", 1, None, {"prefix": "z"}, {"suffix": "y"}]})
        found = [value for value in ["a", "b", 1, 2, None, True, "zoo", "toy"] if pattern.matches({"field": value})]
        assert found == ["a", 1, None, "zoo", "toy"]

    def test_exactly_is_case_sensitive(self) -> None:
        assert accepts({"exactly": "a"}, "a")
        assert not accepts({"exactly": "a"}, "A")

    @given(st.integers() | st.floats(allow_nan=False, allow_infinity=False), st.integers() | st.floats(-9, 9))
    def test_numbers_compare_by_value(self, item: float, value: float) -> None:
        assert accepts(item, item)
        if abs(item) <= 2**53:
            assert accepts(item, value) is (item == value)


class TestStrings:
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
            ({"equals-ignore-case": "a.c"}, "abc", False),
            ({"equals-ignore-case": "1"}, 1, False),
        ],
    )
    def test_string_operators_match_strings_only(self, item: dict[str, Any], value: Any, expected: bool) -> None:
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
    def test_case_folds_character_by_character(self, text: str, value: str, expected: bool) -> None:
        assert accepts({"equals-ignore-case": text}, value) is expected
        assert accepts({"anything-but": {"equals-ignore-case": text}}, value) is not expected

    def test_caseless_characters_do_not_backtrack(self) -> None:
        # If each character doubled the time, this would take years.
        assert not accepts({"equals-ignore-case": "1" * 60}, "1" * 60 + "2")

    @given(st.text("aAbB12", max_size=6), st.text("aAbB12", max_size=6))
    def test_equals_ignore_case_agrees_with_python_in_ascii(self, text: str, value: str) -> None:
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
            ("a?[b]", "a?[b]", True),
            ("a?[b]", "axb", False),
        ],
    )
    def test_wildcard_matches_strings_only(self, pattern: str, value: Any, expected: bool) -> None:
        assert accepts({"wildcard": pattern}, value) is expected

    @given(
        st.lists(st.sampled_from(["a", "b", "ab", r"\*", r"\\"]), max_size=4),
        st.lists(st.booleans(), min_size=5, max_size=5),
        st.text("ab*\\", max_size=8),
    )
    def test_wildcard_agrees_with_a_naive_matcher(self, literals: list[str], stars: list[bool], value: str) -> None:
        pattern = "*" if stars[0] else ""
        for literal, star in zip(literals, stars[1:], strict=False):
            pattern += literal + ("*" if star else "")
        assert accepts({"wildcard": pattern}, value) is glob(pattern, value)

    def test_wildcards_do_not_backtrack(self) -> None:
        assert not accepts({"wildcard": "*a*a*a*a*b"}, "a" * 100_000)


class TestNumeric:
    @pytest.mark.parametrize(
        ("operand", "value", "expected"),
        [
            (["=", 5], 5.0, True),
            (["=", 5], 6, False),
            ([">", 0], "1", False),
            ([">", 0], True, False),
            (["<", 5], None, False),
            ([">", 5e9], 1_700_000_000_000, True),
            ([">", 0], 2**53 + 1, False),
            ([">", 0], 10**400, False),
            (["=", 10**23], 1e23, True),
        ],
    )
    def test_numeric_compares_exact_numbers_only(self, operand: list[Any], value: Any, expected: bool) -> None:
        assert accepts({"numeric": operand}, value) is expected

    @given(
        st.integers(-9, 9) | st.floats(-9, 9),
        st.integers(-9, 9) | st.floats(-9, 9),
        st.integers(-9, 9) | st.floats(-9, 9),
    )
    def test_numeric_ranges_agree_with_python(self, one: float, other: float, value: float) -> None:
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
    def test_network_matches_its_addresses(self, network: str, value: Any, expected: bool) -> None:
        assert accepts({"cidr": network}, value) is expected


class TestAnythingBut:
    @pytest.mark.parametrize(
        ("operand", "value", "expected"),
        [
            ("a", "b", True),
            ("a", "a", False),
            ("None", None, True),
            (["a", "b"], "b", False),
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
    def test_other_values_match(self, operand: Any, value: Any, expected: bool) -> None:
        assert accepts({"anything-but": operand}, value) is expected

    def test_missing_field_does_not_match(self) -> None:
        assert not matches({"field": [{"anything-but": "a"}]}, {"other": "b"})
        assert not matches({"field": [{"anything-but": "a"}]}, {"field": {"nested": "b"}})
        assert not accepts({"anything-but": "a"}, [])

    def test_one_other_value_in_an_array_matches(self) -> None:
        assert accepts({"anything-but": "a"}, ["a", "b"])
        assert not accepts({"anything-but": "a"}, ["a"])

    @given(st.text("ab", max_size=3), st.text("ab", max_size=3))
    def test_anything_but_is_the_opposite_of_its_operand(self, text: str, value: str) -> None:
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
    def test_exists_tests_for_a_value_not_a_key(self, detail: dict[str, Any], there: bool) -> None:
        assert matches({"field": [{"exists": True}]}, detail) is there
        assert matches({"field": [{"exists": False}]}, detail) is not there

    def test_missing_or_listed_value_matches(self) -> None:
        pattern = {"field": [{"exists": False}, "a"]}
        assert matches(pattern, {})
        assert matches(pattern, {"field": "a"})
        assert not matches(pattern, {"field": "b"})

    def test_false_matches_if_the_parent_is_missing(self) -> None:
        assert EventPattern({"detail": {"field": [{"exists": False}]}}).matches({"detail": "text"})
