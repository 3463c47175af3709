"""Wildcards that AWS rejects as too complex."""

from __future__ import annotations

import pytest

from airflow_cwevents.exceptions import InvalidEventPatternError
from airflow_cwevents.patterns import EventPattern, complexity


def keys(*wildcards: str) -> dict[str, object]:
    return {"detail": {"object": {"key": [{"wildcard": text} for text in wildcards]}}}


# https://github.com/vals-ai/Valkyrie/pull/278: three were accepted, and the fourth made AWS reject the rule.
STACKS = [f"*:stack/{name}/*" for name in ("SharedStack", "TrackerStack", "WorkerStack", "MonitoringStack")]
ACCEPTED_BY_AWS = [
    ["arn:aws:events:*:*:rule/*"],
    ["/Users/*/dir/dir/dir/dir/dir/doc.txt"],  # LocalStack's test suite, recorded on AWS
    ["*.bif", "*.tiff", "*.tif", "*.svs"],
    ["*/datasync/*.bif", "*/datasync/*.tif"],  # a public Terraform file, which says that AWS rejected all four
    STACKS[:3],
]
REJECTED_BY_AWS = [
    ["*:*:*:*:*:event-bus/*"],  # LocalStack's test suite, recorded on AWS
    ["*/datasync/*.bif", "*/datasync/*.tif", "*/datasync/*.tiff", "*/datasync/*.svs"],
    STACKS,
]
# What event-ruler's own tests (MachineComplexityEvaluatorTest) expect.
MEASURED_BY_EVENT_RULER = [
    (["*"], 1),
    (["*aa"], 3),
    (["a*bcb"], 3),
    (["*ab*ad"], 4),
    (["a*b*bb"], 5),
    (["a*b*cd"], 3),
    (["*", "ab*c"], 3),
    (["*abc", "*abcde"], 4),
    (["a*bcd", "ab*cd"], 4),
    (["a*aaa", "aa*aa"], 7),
    (["*ab*b*b*"], 7),
    (["*a*a*a*a*a*a*a*a*"], 17),
    (["F*eatureFeature", "Fe*atureFeature", "Fea*tureFeature"], 10),
]
# Prefixes before the first asterisk count there as well.
MEASURED_HIGHER_BY_EVENT_RULER = [(["aa*"], 2), (["a*aax", "aaa*x"], 5), (["ab*cd", "ab*wx", "ab*yz"], 6)]


@pytest.mark.parametrize("wildcards", ACCEPTED_BY_AWS, ids=" ".join)
def test_wildcards_that_aws_accepted_are_accepted(wildcards: list[str]) -> None:
    EventPattern(keys(*wildcards))


@pytest.mark.parametrize("wildcards", REJECTED_BY_AWS, ids=" ".join)
def test_wildcards_that_aws_rejected_raise(wildcards: list[str]) -> None:
    with pytest.raises(InvalidEventPatternError) as caught:
        EventPattern(keys(*wildcards))
    assert caught.value.reason == (
        "Rule is too complex - try using fewer wildcard characters or fewer repeating character sequences "
        "after a wildcard character"
    )
    assert caught.value.path == "detail.object.key"
    assert caught.value.remedy


def test_measure_is_event_rulers(monkeypatch: pytest.MonkeyPatch) -> None:
    for wildcards, measure in MEASURED_BY_EVENT_RULER:
        parts = [wildcard.split("*") for wildcard in wildcards]
        monkeypatch.setattr(complexity, "MAX_COMPLEXITY", measure)
        assert not complexity.is_too_complex(parts), wildcards
        monkeypatch.setattr(complexity, "MAX_COMPLEXITY", measure - 1)
        assert complexity.is_too_complex(parts), wildcards


def test_prefixes_before_the_first_asterisk_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    for wildcards, measure in MEASURED_HIGHER_BY_EVENT_RULER:
        monkeypatch.setattr(complexity, "MAX_COMPLEXITY", measure - 1)
        assert not complexity.is_too_complex([wildcard.split("*") for wildcard in wildcards]), wildcards


def test_limit_is_ten() -> None:
    EventPattern(keys("*aaaaaaaaa"))
    with pytest.raises(InvalidEventPatternError, match="too complex"):
        EventPattern(keys("*aaaaaaaaaa"))


def test_escaped_asterisks_are_ordinary_characters() -> None:
    EventPattern(keys(r"\*:\*:\*:\*:\*:event-bus/*"))
    with pytest.raises(InvalidEventPatternError, match="too complex"):
        EventPattern(keys(r"*\*\*\*\*\*\*\*\*\*\*"))


def test_duplicate_wildcards_count_once() -> None:
    EventPattern(keys(*["*.txt"] * 20))


def test_fields_are_measured_separately() -> None:
    EventPattern({f"f{number}": [{"wildcard": "*.tar"}, {"wildcard": "*.zip"}] for number in range(10)})


def test_anything_but_is_left_to_aws() -> None:
    EventPattern({"detail": {"key": [{"anything-but": {"wildcard": REJECTED_BY_AWS[1]}}]}})


def test_wildcards_in_or_branches_raise() -> None:
    with pytest.raises(InvalidEventPatternError) as caught:
        EventPattern({"$or": [{"a": [1]}, keys(*STACKS)]})
    assert caught.value.path == "$or[1].detail.object.key"


def test_overridden_field_does_not_count() -> None:
    EventPattern({"a.b": [{"wildcard": text} for text in STACKS], "a": {"b": [1]}})


@pytest.mark.parametrize(("first", "rejected"), [("a", False), ("z", True)])
def test_fields_after_a_missing_field_are_left_to_aws(first: str, rejected: bool) -> None:
    pattern = {first: [{"exists": False}], "key": [{"wildcard": text} for text in STACKS]}
    if rejected:
        with pytest.raises(InvalidEventPatternError, match="too complex"):
            EventPattern(pattern)
    else:
        EventPattern(pattern)


def test_long_searches_are_left_to_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(complexity, "MAX_STEPS", 1)
    EventPattern(keys(*STACKS))
