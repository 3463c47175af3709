"""The findings about a rule and its targets, as data and as lines for a log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Severity = Literal["problem", "unknown"]


@dataclass(frozen=True, slots=True)
class Finding:
    """
    Something that a check found.

    :param severity: ``problem`` if EventBridge cannot deliver, ``unknown`` if that could not be decided.
    :param text: the reason; ARNs come last.
    :param fix: the remedy; empty if there is none to name.
    """

    severity: Severity
    text: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class TargetReport:
    """
    The findings about a target: none, if EventBridge can invoke it.

    :ivar delivers: what the target receives for the sample event; None if there is none, or it receives nothing.
    """

    target_id: str
    arn: str
    findings: tuple[Finding, ...]
    delivers: str | None = None

    @property
    def verdict(self) -> str:
        """``ok``, or the worst severity that was found."""
        return _verdict(self.findings)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {
            "target_id": self.target_id,
            "arn": self.arn,
            "verdict": self.verdict,
            "findings": _as_dicts(self.findings),
            "delivers": self.delivers,
        }


@dataclass(frozen=True, slots=True)
class RuleReport:
    """The findings about a rule and its targets."""

    rule_arn: str
    findings: tuple[Finding, ...] = ()
    targets: tuple[TargetReport, ...] = ()

    @property
    def problems(self) -> list[str]:
        """What keeps EventBridge from delivering, one string per problem."""
        found = [finding.text for finding in self.findings if finding.severity == "problem"]
        for target in self.targets:
            found += [f"{target.target_id}: {f.text}" for f in target.findings if f.severity == "problem"]
        return found

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {
            "rule_arn": self.rule_arn,
            "ok": not self.problems,
            "findings": _as_dicts(self.findings),
            "targets": [target.as_dict() for target in self.targets],
        }

    def as_lines(self) -> list[str]:
        """Return the report as lines for a log: verdicts in columns, and below each its findings with their fixes."""
        rule = TargetReport("rule", self.rule_arn, self.findings)
        return _lines([rule, *self.targets])


def _as_dicts(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    return [asdict(finding) for finding in findings]


def _verdict(findings: Sequence[Finding]) -> str:
    severities = {finding.severity for finding in findings}
    return "problem" if "problem" in severities else "unknown" if severities else "ok"


def _lines(reports: Sequence[TargetReport]) -> list[str]:
    names = max(len(report.target_id) for report in reports)
    verdicts = max(len(report.verdict) for report in reports)
    lines = []
    for report in reports:
        lines.append(f"{report.target_id:<{names}}  {report.verdict:<{verdicts}}  {report.arn}")
        for finding in report.findings:
            lines.append(f"  {finding.severity}: {finding.text}")
            if finding.fix:
                lines.append(f"  fix: {finding.fix}")
        if report.delivers is not None:
            lines.append(f"  receives: {report.delivers}")
    return lines
