"""What a check of a rule and its targets found, as data and as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Severity = Literal["problem", "unknown"]


@dataclass(frozen=True, slots=True)
class Finding:
    """
    Something that a check found.

    :param severity: ``problem`` if EventBridge cannot deliver, ``unknown`` if we may not or cannot find out.
    :param text: what it is, and what to do about it.
    """

    severity: Severity
    text: str


@dataclass(frozen=True, slots=True)
class TargetReport:
    """What was found of a target: nothing, if EventBridge can invoke it."""

    target_id: str
    arn: str
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> str:
        """``ok``, or the worst that was found."""
        return _verdict(self.findings)


@dataclass(frozen=True, slots=True)
class RuleReport:
    """What was found of a rule and of its targets."""

    rule_arn: str
    findings: tuple[Finding, ...] = ()
    targets: tuple[TargetReport, ...] = field(default=())

    @property
    def problems(self) -> list[str]:
        """What keeps EventBridge from delivering, a line each."""
        found = [finding.text for finding in self.findings if finding.severity == "problem"]
        for target in self.targets:
            found += [f"{target.target_id}: {f.text}" for f in target.findings if f.severity == "problem"]
        return found

    def as_dict(self) -> dict[str, Any]:
        """Return the report as what JSON can express."""
        targets = [{**asdict(target), "verdict": target.verdict} for target in self.targets]
        return {**asdict(self), "targets": targets, "ok": not self.problems}

    def as_table(self) -> str:
        """Return the report as a table for a log."""
        rows = [(target.target_id, target.arn, target.verdict, target.findings) for target in self.targets]
        lines = _table([("rule", self.rule_arn, _verdict(self.findings), self.findings), *rows])
        return "\n".join(lines)


def _verdict(findings: Sequence[Finding]) -> str:
    severities = {finding.severity for finding in findings}
    return "problem" if "problem" in severities else "unknown" if severities else "ok"


def _table(rows: Sequence[tuple[str, str, str, Sequence[Finding]]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in (0, 1, 2)]
    lines = []
    for name, arn, verdict, findings in rows:
        lines.append(f"{name:<{widths[0]}}  {arn:<{widths[1]}}  {verdict:<{widths[2]}}".rstrip())
        lines += [f"{'':<{widths[0]}}    {finding.severity}: {finding.text}" for finding in findings]
    return lines
