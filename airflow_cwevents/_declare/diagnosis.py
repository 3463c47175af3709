"""Whether EventBridge can invoke the targets of a rule: what people look up by hand for hours."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import product
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from airflow_cwevents._aws.arns import Arn
from airflow_cwevents._aws.errors import code_of, is_not_found, message_of
from airflow_cwevents._aws.json_text import parse_json_text, to_json_text
from airflow_cwevents._declare.diagnosis_report import Finding, RuleReport, TargetReport
from airflow_cwevents._declare.encryption import Clients, encryption_findings
from airflow_cwevents._declare.permissions import RequiredGrant, required_grants
from airflow_cwevents._declare.resource_policies import POLICY_CLASSES, QueuePolicy, resource_policy
from airflow_cwevents._declare.target_spec import normalise_target
from airflow_cwevents.exceptions import InvalidEventPatternError, InvalidInputError, InvalidTargetError
from airflow_cwevents.iam.documents import resource_statements
from airflow_cwevents.iam.evaluation import Invocation, Verdict, evaluate
from airflow_cwevents.iam.roles import RoleNeed, role_doubt, role_need
from airflow_cwevents.patterns import EventPattern

if TYPE_CHECKING:
    from airflow_cwevents._declare.rules import Rules
    from airflow_cwevents._declare.targets import Targets

Check = Callable[[Mapping[str, Any], str], Iterable[Finding]]


class Diagnosis:
    """
    Looks up whether EventBridge can invoke targets.

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
        Look whether EventBridge can invoke the targets of a rule, as far as we are allowed to look.

        :param rule: the rule's name.
        :param event_bus_name: name or ARN of its bus; None for the default bus.
        :param sample_event: an event, as it is delivered, that the rule is to match; as a dict or JSON text.
        :return: what was found.
        :raises InvalidInputError: if the sample event is not a JSON object.
        :raises RuleNotFoundError: if there is no such rule.
        """
        event = None if sample_event is None else _read_event(sample_event)
        described = self._rules.describe(rule, event_bus_name)
        targets = tuple(
            TargetReport(target["Id"], target["Arn"], self._target_findings(target, described["Arn"]))
            for target in self._targets.list_targets(rule, event_bus_name)
        )
        findings = tuple(_rule_findings(described, bool(targets), event))
        return RuleReport(described["Arn"], findings, targets)

    def _target_findings(self, target: Mapping[str, Any], rule_arn: str) -> tuple[Finding, ...]:
        checks: tuple[Check, ...] = (
            self._check_form,
            self._check_kind,
            self._check_role,
            self._check_existence,
            self._check_policies,
            self._check_log_group,
            self._check_queue,
            self._check_encryption,
        )
        findings: list[Finding] = []
        for check in checks:
            try:
                findings += check(target, rule_arn)
            except (ClientError, BotoCoreError) as error:
                findings.append(_finding_of(error, target["Arn"]))
        return tuple(dict.fromkeys(findings))

    def _check_form(self, target: Mapping[str, Any], _rule_arn: str) -> Iterator[Finding]:
        try:
            normalise_target(target, 0, self._clients("events").meta.region_name, frozenset(target))
        except InvalidTargetError as error:
            yield Finding("problem", f"{error.place.removeprefix('targets[0].')}: {error.reason}. {error.remedy}")

    def _check_kind(self, target: Mapping[str, Any], rule_arn: str) -> Iterator[Finding]:
        if not role_need(target) and not resource_statements(target, rule_arn):
            arn = target["Arn"]
            yield Finding(
                "unknown", f"whether EventBridge may invoke {arn} was not checked: what that takes is not known"
            )

    def _check_role(self, target: Mapping[str, Any], rule_arn: str) -> Iterator[Finding]:
        role_arn = target.get("RoleArn")
        if not role_arn:
            return
        if doubt := role_doubt(target):
            yield Finding("unknown", doubt)
        iam = self._clients("iam")
        try:
            role = iam.get_role(RoleName=role_arn.rsplit("/", 1)[-1])["Role"]
        except ClientError as error:
            if code_of(error) != "NoSuchEntity":
                raise
            yield Finding("problem", f"role {role_arn} does not exist")
            return
        invocation = Invocation("sts:AssumeRole", "", rule_arn, source_account_known=True)
        verdict = evaluate(role["AssumeRolePolicyDocument"], invocation)
        if verdict == "denied":
            yield Finding("problem", f"role {role_arn} does not trust events.amazonaws.com")
        elif verdict == "unknown":
            yield Finding("unknown", f"whether role {role_arn} trusts events.amazonaws.com hangs on a condition")
        if need := role_need(target):
            yield from _role_findings(iam, role_arn, need)

    def _check_existence(self, target: Mapping[str, Any], _rule_arn: str) -> Iterator[Finding]:
        """Look for what is invoked through a role; of what is invoked by its own policy, that is read anyway."""
        arn = Arn.parse(target["Arn"])
        if arn and arn.service in ("lambda", "sns", "sqs") and target.get("RoleArn"):
            resource_policy(self._clients, arn).read()
        return iter(())

    def _check_policies(self, target: Mapping[str, Any], rule_arn: str) -> Iterator[Finding]:
        for need in required_grants([target], rule_arn):
            if need.arn.service not in POLICY_CLASSES:
                needed = to_json_text(need.statements)
                yield Finding("unknown", f"whether the policy of {need.arn} has {needed} was not checked")
                continue
            try:
                policy = resource_policy(self._clients, need.arn).read()
            except ClientError as error:
                if not is_not_found(error):
                    raise
                yield Finding("problem", f"{need.arn} does not exist")
                continue
            yield from _policy_findings(policy, need, rule_arn)

    def _check_log_group(self, target: Mapping[str, Any], _rule_arn: str) -> Iterator[Finding]:
        arn = Arn.parse(target["Arn"])
        if arn is None or arn.service != "logs":
            return
        name = arn.resource.removeprefix("log-group:").removesuffix(":*")
        groups = self._clients("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]
        if name not in [group["logGroupName"] for group in groups]:
            yield Finding("problem", f"log group {name} does not exist")

    def _check_queue(self, target: Mapping[str, Any], _rule_arn: str) -> Iterator[Finding]:
        arn = Arn.parse(target["Arn"])
        if arn is None or arn.service != "sqs" or not arn.resource.endswith(".fifo"):
            return
        policy = resource_policy(self._clients, arn)
        if isinstance(policy, QueuePolicy) and policy.attributes().get("ContentBasedDeduplication") != "true":
            yield Finding("problem", "the FIFO queue needs content-based deduplication, which is off")

    def _check_encryption(self, target: Mapping[str, Any], _rule_arn: str) -> Iterator[Finding]:
        return encryption_findings(self._clients, target)


def _rule_findings(
    rule: Mapping[str, Any], has_targets: bool, sample_event: Mapping[str, Any] | None
) -> Iterator[Finding]:
    if rule.get("State") == "DISABLED":
        yield Finding("problem", "the rule is disabled. Enable it with EnableRuleOperator")
    if not has_targets:
        yield Finding("problem", "the rule has no targets. Put some with PutTargetsOperator")
    if sample_event is not None:
        yield from _match_findings(rule.get("EventPattern"), sample_event)


def _match_findings(pattern: str | None, sample_event: Mapping[str, Any]) -> Iterator[Finding]:
    if not pattern:
        yield Finding("problem", "the rule has a schedule only, and never matches an event. Give it an event_pattern")
        return
    try:
        matches = EventPattern(pattern).matches(sample_event)
    except InvalidEventPatternError as error:  # AWS took it: it knows more than we do
        yield Finding("unknown", f"whether the rule matches the sample event only AWS can judge: {error}")
        return
    if not matches:
        yield Finding("problem", f"the rule does not match the sample event. Its pattern is {pattern}")


def _read_event(event: Mapping[str, Any] | str) -> Mapping[str, Any]:
    remedy = "Give the event as it is delivered, as a dict or JSON text"
    try:
        value = parse_json_text(event) if isinstance(event, str) else event
    except ValueError as error:
        raise InvalidInputError("sample_event", str(error), remedy, event) from None
    if not isinstance(value, Mapping):
        raise InvalidInputError("sample_event", "it is not a JSON object", remedy, event)
    return value


def _policy_findings(policy: Mapping[str, Any] | None, need: RequiredGrant, rule_arn: str) -> Iterator[Finding]:
    for statement in need.statements:
        invocation = Invocation(
            statement["Action"],
            statement["Resource"],
            rule_arn,
            # EventBridge does not tell Lambda the account
            source_account_known=False if need.arn.service == "lambda" else None,
        )
        verdict = evaluate(policy, invocation)
        if verdict == "denied":
            remedy = "Put the target with grant_permissions=True, or add it yourself"
            yield Finding(
                "problem", f"the policy of {need.arn} does not allow {invocation.action} to the rule. {remedy}"
            )
        elif verdict == "unknown":
            yield Finding("unknown", f"whether the policy of {need.arn} lets the rule in hangs on a condition")


def _role_findings(iam: Any, role_arn: str, need: RoleNeed) -> Iterator[Finding]:
    for action, resources in product(need.actions, need.resources):
        verdicts = {_simulated(iam, role_arn, action, resource, need.context) for resource in resources}
        what = f"role {role_arn} does not allow {action} on {' or '.join(resources)}"
        if "allowed" in verdicts:
            continue
        if "unknown" in verdicts:
            yield Finding("unknown", f"{what}, unless a condition is met that only AWS can judge")
        elif all("*" in resource for resource in resources):
            yield Finding("unknown", f"{what}; whether it does on those that matter only AWS can judge")
        else:
            yield Finding("problem", f"{what}. `airflow-cwevents policy role` prints what it needs")


def _simulated(iam: Any, role_arn: str, action: str, resource: str, context: Mapping[str, str]) -> Verdict:
    entries = [
        {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"}
        for key, value in context.items()
    ]
    response = iam.simulate_principal_policy(
        PolicySourceArn=role_arn, ActionNames=[action], ResourceArns=[resource], ContextEntries=entries
    )
    results = response["EvaluationResults"]
    if all(result["EvalDecision"] == "allowed" for result in results):
        return "allowed"
    # where AWS says what it lacked depends on whether the resource is "*"
    judged = [each for result in results for each in (result, *result.get("ResourceSpecificResults", ()))]
    return "unknown" if any(each.get("MissingContextValues") for each in judged) else "denied"


def _finding_of(error: ClientError | BotoCoreError, arn: str) -> Finding:
    if is_not_found(error):
        return Finding("problem", f"{arn} does not exist")
    what = f"{error.operation_name} failed: " if isinstance(error, ClientError) else ""
    return Finding("unknown", f"{what}{message_of(error)}")
