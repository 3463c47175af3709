"""
Patterns that AWS rejects, with its reasons.

The reasons come from AWS's documentation, from event-ruler, and from answers of TestEventPattern.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.patterns.helpers import accepts, rejection


class TestRejected:
    @pytest.mark.parametrize("pattern", [[], "[]", "null", '"a"', None, 1])
    def test_non_object_is_rejected(self, pattern: Any) -> None:
        error = rejection(pattern)
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
    def test_invalid_structure_is_rejected(self, pattern: dict[str, Any], path: str, reason: str) -> None:
        error = rejection(pattern)
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
    def test_invalid_string_operator_is_rejected(self, item: Any, path: str, reason: str) -> None:
        error = rejection({"detail": {"state": ["a", item]}})
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
    def test_invalid_numeric_is_rejected(self, operand: Any, path: str, reason: str) -> None:
        error = rejection({"count": [{"numeric": operand}]})
        assert (error.path, error.reason) == (f"count[0].numeric{path}", reason)

    def test_operators_that_take_lists_stand_alone(self) -> None:
        reason = "Too many elements in numeric expression"
        for item in (
            {"numeric": ["=", 5], "prefix": "a"},
            {"anything-but": "a", "prefix": "a"},
            {"anything-but": {"prefix": "a", "suffix": "b"}},
        ):
            assert rejection({"a": [item]}).reason == reason

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
    def test_invalid_cidr_is_rejected(self, operand: Any, reason: str) -> None:
        error = rejection({"ip": [{"cidr": operand}]})
        assert (error.path, error.reason) == ("ip[0].cidr", reason)

    @pytest.mark.parametrize("network", ["10.0.0.1/31", "2001:db8::1/127"])
    def test_longest_networks_are_accepted(self, network: str) -> None:
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
    def test_invalid_anything_but_is_rejected(self, operand: Any, path: str, reason: str) -> None:
        error = rejection({"a": [{"anything-but": operand}]})
        assert (error.path, error.reason) == (f"a[0].anything-but{path}", reason)

    def test_error_has_the_value_the_place_and_a_remedy(self) -> None:
        error = rejection({"detail": {"state": [{"prefix": 5}]}})
        assert error.value == 5
        assert error.place == "event_pattern.detail.state[0].prefix"
        assert error.remedy
