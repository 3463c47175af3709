from __future__ import annotations

import pytest

from airflow_cwevents._declare.diagnosis_report import Finding, RuleReport, TargetReport

RULE_ARN = "arn:aws:events:us-east-1:123456789012:rule/r"
PROBLEM = Finding("problem", "it is broken", "Repair it")
UNKNOWN = Finding("unknown", "we may not look")
OK = TargetReport("f", "arn:f", ())


@pytest.mark.parametrize(
    ("findings", "verdict"),
    [((), "ok"), ((UNKNOWN,), "unknown"), ((PROBLEM,), "problem"), ((UNKNOWN, PROBLEM, UNKNOWN), "problem")],
)
def test_verdict_is_the_worst(findings: tuple[Finding, ...], verdict: str) -> None:
    assert TargetReport("t", "arn", findings).verdict == verdict
    assert RuleReport(RULE_ARN, findings).as_lines()[0].split()[1] == verdict


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

    def test_problems_of_the_rule_come_first(self) -> None:
        assert self.REPORT.problems == ["the rule is disabled", "b: it is broken"]

    def test_unknown_is_no_problem(self) -> None:
        report = RuleReport(RULE_ARN, (UNKNOWN,), (TargetReport("c", "arn", (UNKNOWN,)),))
        assert report.problems == []
        assert report.as_dict()["ok"] is True

    def test_as_dict(self) -> None:
        # lists and no tuples: XCom would return tuples
        assert self.REPORT.as_dict() == {
            "rule_arn": RULE_ARN,
            "ok": False,
            "findings": [
                {"severity": "unknown", "text": "we may not look", "fix": ""},
                {"severity": "problem", "text": "the rule is disabled", "fix": ""},
            ],
            "targets": [
                {
                    "target_id": "good",
                    "arn": "arn:aws:sqs:us-east-1:123456789012:q",
                    "verdict": "ok",
                    "findings": [],
                    "delivers": None,
                },
                {
                    "target_id": "b",
                    "arn": "arn:aws:lambda:us-east-1:123456789012:function:long-name",
                    "verdict": "problem",
                    "findings": [
                        {"severity": "unknown", "text": "we may not look", "fix": ""},
                        {"severity": "problem", "text": "it is broken", "fix": "Repair it"},
                    ],
                    "delivers": None,
                },
                {
                    "target_id": "c",
                    "arn": "arn",
                    "verdict": "unknown",
                    "findings": [{"severity": "unknown", "text": "we may not look", "fix": ""}],
                    "delivers": None,
                },
            ],
        }

    def test_as_lines(self) -> None:
        report = RuleReport("arn:rule/r", (UNKNOWN,), (TargetReport("queue", "arn:q", (UNKNOWN, PROBLEM)), OK))
        assert report.as_lines() == [
            "rule   unknown  arn:rule/r",
            "  unknown: we may not look",
            "queue  problem  arn:q",
            "  unknown: we may not look",
            "  problem: it is broken",
            "  fix: Repair it",
            "f      ok       arn:f",
        ]

    def test_rule_without_targets(self) -> None:
        assert RuleReport(RULE_ARN).as_lines() == [f"rule  ok  {RULE_ARN}"]
        assert RuleReport(RULE_ARN).as_dict() == {"rule_arn": RULE_ARN, "findings": [], "targets": [], "ok": True}
