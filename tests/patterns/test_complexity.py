"""Patterns that AWS refuses as too complex. Verdicts by AWS are named with their source, others are of the measure."""

from __future__ import annotations

import pytest

from airflow_cwevents.exceptions import InvalidEventPatternError
from airflow_cwevents.patterns import EventPattern, complexity


def stacks(*names: str) -> list[str]:
    """Return patterns as in https://github.com/vals-ai/Valkyrie/pull/278, of which AWS accepted three and not four."""
    return [f"*:stack/{name}/*" for name in names]


def pattern(*wildcards: str) -> dict[str, object]:
    return {"detail": {"arn": [{"wildcard": wildcard} for wildcard in wildcards]}}


@pytest.mark.parametrize(
    "wildcards",
    [
        ["*:*:*:*:*:event-bus/*"],  # LocalStack's test suite, recorded on AWS
        stacks("Api", "Data", "Web", "Monitoring"),
        ["*".join("aaaaaaaaaaaa")],
    ],
)
def test_too_complex_wildcards_raise(wildcards: list[str]) -> None:
    with pytest.raises(InvalidEventPatternError) as caught:
        EventPattern(pattern(*wildcards))
    assert caught.value.path == "detail.arn"
    assert caught.value.reason.startswith("Rule is too complex")


@pytest.mark.parametrize(
    "wildcards",
    [
        ["arn:aws:events:*:*:rule/*"],
        ["/Users/*/dir/dir/dir/dir/dir/doc.txt"],  # LocalStack's test suite, recorded on AWS
        stacks("Api", "Data", "Web"),
        ["*.csv", "*.json", "*.parquet", "landing/*/2026/*"],
        ["a" * 500 + "*.csv"],
    ],
)
def test_other_wildcards_are_accepted(wildcards: list[str]) -> None:
    assert EventPattern(pattern(*wildcards)).to_json()


def test_wildcards_of_other_fields_do_not_add_up() -> None:
    assert EventPattern({"detail": {field: [{"wildcard": "*:*:*:*"}] for field in "abcdef"}}).to_json()


def test_negated_wildcards_do_not_count() -> None:
    assert EventPattern({"detail": {"arn": [{"anything-but": {"wildcard": "*:*:*:*:*:event-bus/*"}}]}}).to_json()


def test_verdict_is_left_to_aws_when_it_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(complexity, "MAX_SETS", 1)
    assert EventPattern(pattern("*:*:*:*:*:event-bus/*")).to_json()
