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
    """The findings about a target: none, if EventBridge can invoke it."""

    target_id: str
    arn: str
    findings: tuple[Finding, ...]

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
        rows = [(target.target_id, target.verdict, target.arn, target.findings) for target in self.targets]
        return _lines([("rule", _verdict(self.findings), self.rule_arn, self.findings), *rows])


def _as_dicts(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    return [asdict(finding) for finding in findings]


def _verdict(findings: Sequence[Finding]) -> str:
    severities = {finding.severity for finding in findings}
    return "problem" if "problem" in severities else "unknown" if severities else "ok"


def _lines(rows: Sequence[tuple[str, str, str, Sequence[Finding]]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    lines = []
    for name, verdict, arn, findings in rows:
        lines.append(f"{name:<{widths[0]}}  {verdict:<{widths[1]}}  {arn}")
        for finding in findings:
            lines.append(f"  {finding.severity}: {finding.text}")
            if finding.fix:
                lines.append(f"  fix: {finding.fix}")
    return lines
