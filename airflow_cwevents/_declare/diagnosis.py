"""Diagnose why a rule does not deliver."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from airflow_cwevents._aws.json_text import parse_json_text
from airflow_cwevents._declare.diagnosis_report import Finding, RuleReport, TargetReport
from airflow_cwevents._declare.target_diagnosis import target_findings
from airflow_cwevents._declare.target_preview import preview_target_input
from airflow_cwevents.exceptions import InvalidEventPatternError, InvalidInputError
from airflow_cwevents.patterns import EventPattern

if TYPE_CHECKING:
    from airflow_cwevents._declare.encryption import Clients
    from airflow_cwevents._declare.rules import Rules
    from airflow_cwevents._declare.targets import Targets

_NOTHING_DELIVERED = Finding(
    "problem",
    "AWS delivers nothing for the sample event: a placeholder in quotes stands for an object or a list",
    "Remove the quotes around that placeholder in InputTransformer.InputTemplate",
)


class Diagnosis:
    """
    Diagnoses whether EventBridge can invoke the targets of rules.

    :param clients: returns the boto3 client of a service.
    :param rules: the account's rules.
    :param targets: their targets.
    """

    def __init__(self, clients: Clients, rules: Rules, targets: Targets) -> None:
        self._clients = clients
        self._rules = rules
        self._targets = targets

    def check(
        self,
        rule: str,
        event_bus_name: str | None = None,
        *,
        sample_event: Mapping[str, Any] | str | None = None,
    ) -> RuleReport:
        """
        Diagnose whether EventBridge can invoke the targets of a rule, as far as the credentials allow.

        :param rule: the rule's name.
        :param event_bus_name: name or ARN of its bus; None for the default bus.
        :param sample_event: an event, as it is delivered, that the rule should match, as a dict or a JSON string.
        :return: the findings.
        :raises InvalidInputError: if the sample event is not a JSON object.
        :raises RuleNotFoundError: if the rule does not exist.
        """
        event = None if sample_event is None else _read_event(sample_event)
        described = self._rules.describe(rule, event_bus_name)
        targets = tuple(
            self._report(target, described["Arn"], event) for target in self._targets.list_targets(rule, event_bus_name)
        )
        findings = tuple(_rule_findings(described, bool(targets), event))
        return RuleReport(described["Arn"], findings, targets)

    def _report(self, target: Mapping[str, Any], rule_arn: str, event: Mapping[str, Any] | None) -> TargetReport:
        findings = target_findings(self._clients, target, rule_arn)
        if event is None:
            return TargetReport(target["Id"], target["Arn"], findings)
        try:
            delivers = preview_target_input(target, event, rule_arn=rule_arn)
        except InvalidInputError:  # which is one of the findings
            return TargetReport(target["Id"], target["Arn"], findings)
        if delivers is None:
            findings = (*findings, _NOTHING_DELIVERED)
        return TargetReport(target["Id"], target["Arn"], findings, delivers)


def _rule_findings(
    rule: Mapping[str, Any], has_targets: bool, sample_event: Mapping[str, Any] | None
) -> Iterator[Finding]:
    if rule.get("State") == "DISABLED":
        yield Finding("problem", "the rule is disabled", "Enable it with EnableRuleOperator")
    if not has_targets:
        yield Finding("problem", "the rule has no targets", "Put targets with PutTargetsOperator")
    if sample_event is not None:
        yield from _match_findings(rule.get("EventPattern"), sample_event)


def _match_findings(pattern: str | None, sample_event: Mapping[str, Any]) -> Iterator[Finding]:
    if not pattern:
        yield Finding("problem", "the rule has only a schedule, and never matches an event", "Set its event_pattern")
        return
    try:
        matches = EventPattern(pattern).matches(sample_event)
    except InvalidEventPatternError as error:  # AWS accepted the pattern, so it knows more
        yield Finding("unknown", f"whether the rule matches the sample event is not known: {error}")
        return
    if not matches:
        fix = "Correct the event, or the rule's event_pattern"
        yield Finding("problem", f"the rule does not match the sample event: its pattern is {pattern}", fix)


def _read_event(event: Mapping[str, Any] | str) -> Mapping[str, Any]:
    remedy = "Pass the event as it is delivered, as a dict or a JSON string"
    try:
        value = parse_json_text(event) if isinstance(event, str) else event
    except ValueError as error:
        raise InvalidInputError("sample_event", str(error), remedy, event) from None
    if not isinstance(value, Mapping):
        raise InvalidInputError("sample_event", "it is not a JSON object", remedy, event)
    return value
