from __future__ import annotations

import json

import pytest

from airflow_cwevents._declare.diagnosis_report import Finding, RuleReport, TargetReport

RULE_ARN = "arn:aws:events:us-east-1:123456789012:rule/r"
PROBLEM = Finding("problem", "it is broken")
UNKNOWN = Finding("unknown", "we may not look")
OK = TargetReport("f", "arn:f", ())


@pytest.mark.parametrize(
    ("findings", "verdict"),
    [((), "ok"), ((UNKNOWN,), "unknown"), ((PROBLEM,), "problem"), ((UNKNOWN, PROBLEM, UNKNOWN), "problem")],
)
def test_verdict_is_the_worst(findings: tuple[Finding, ...], verdict: str) -> None:
    assert TargetReport("t", "arn", findings).verdict == verdict
    assert RuleReport(RULE_ARN, findings).as_table().splitlines()[0].split()[-1] == verdict


class TestRuleReport:
    REPORT = RuleReport(
        RULE_ARN,
        (UNKNOWN, Finding("problem", "the rule is disabled")),
        (
            TargetReport("good", "arn:aws:sqs:us-east-1:123456789012:q", ()),
            TargetReport("b", "arn:aws:lambda:us-east-1:123456789012:function:long-name", (UNKNOWN, PROBLEM)),
            TargetReport("c", "arn", (UNKNOWN,)),
        ),
    )

    def test_problems_are_those_of_the_rule_and_then_of_its_targets(self) -> None:
        assert self.REPORT.problems == ["the rule is disabled", "b: it is broken"]

    def test_what_is_unknown_is_no_problem(self) -> None:
        report = RuleReport(RULE_ARN, (UNKNOWN,), (TargetReport("c", "arn", (UNKNOWN,)),))
        assert report.problems == []
        assert report.as_dict()["ok"] is True

    def test_as_dict(self) -> None:
        assert json.loads(json.dumps(self.REPORT.as_dict())) == {
            "rule_arn": RULE_ARN,
            "ok": False,
            "findings": [
                {"severity": "unknown", "text": "we may not look"},
                {"severity": "problem", "text": "the rule is disabled"},
            ],
            "targets": [
                {
                    "target_id": "good",
                    "arn": "arn:aws:sqs:us-east-1:123456789012:q",
                    "verdict": "ok",
                    "findings": [],
                },
                {
                    "target_id": "b",
                    "arn": "arn:aws:lambda:us-east-1:123456789012:function:long-name",
                    "verdict": "problem",
                    "findings": [
                        {"severity": "unknown", "text": "we may not look"},
                        {"severity": "problem", "text": "it is broken"},
                    ],
                },
                {
                    "target_id": "c",
                    "arn": "arn",
                    "verdict": "unknown",
                    "findings": [{"severity": "unknown", "text": "we may not look"}],
                },
            ],
        }

    def test_as_table(self) -> None:
        report = RuleReport("arn:rule/r", (UNKNOWN,), (TargetReport("queue", "arn:q", (UNKNOWN, PROBLEM)), OK))
        assert report.as_table().splitlines() == [
            "rule   arn:rule/r  unknown",
            "         unknown: we may not look",
            "queue  arn:q       problem",
            "         unknown: we may not look",
            "         problem: it is broken",
            "f      arn:f       ok",
        ]

    def test_rule_without_targets(self) -> None:
        assert RuleReport(RULE_ARN).as_table() == f"rule  {RULE_ARN}  ok"
        assert RuleReport(RULE_ARN).as_dict() == {"rule_arn": RULE_ARN, "findings": (), "targets": [], "ok": True}
