"""Diagnose whether EventBridge can invoke one target."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from airflow_cwevents._aws.arns import Arn
from airflow_cwevents._aws.errors import is_not_found, message_of
from airflow_cwevents._declare.diagnosis_report import Finding
from airflow_cwevents._declare.document_policies import DocumentPolicy
from airflow_cwevents._declare.encryption import Clients, encryption_findings
from airflow_cwevents._declare.permissions import RequiredGrants, required_grants
from airflow_cwevents._declare.resource_policies import resource_policy
from airflow_cwevents._declare.role_diagnosis import role_findings
from airflow_cwevents._declare.target_spec import normalise_target
from airflow_cwevents.exceptions import InvalidTargetError
from airflow_cwevents.iam.evaluation import Invocation, evaluate, invocation_of
from airflow_cwevents.iam.grants import target_grants
from airflow_cwevents.iam.roles import role_requirements

if TYPE_CHECKING:
    from airflow_cwevents.iam.documents import Policy

_MISSING = Finding("problem", "the target does not exist", "Create it, or correct its Arn")
_GRANT_FIX = "Put the target with grant_permissions=True, or add the statement yourself"
_TARGETS_PAGE = "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-targets.html"
# Places of errors that keep EventBridge from delivering; what else PutTargets refuses, it refuses at creation only.
_DELIVERY_PLACES = ("Arn", "RoleArn", "SqsParameters.MessageGroupId", "InputTransformer")
_LOGS_PLACES = ("Input", "InputPath")

Check = Callable[[Clients, Mapping[str, Any], str], Iterable[Finding]]


def target_findings(clients: Clients, target: Mapping[str, Any], rule_arn: str) -> tuple[Finding, ...]:
    """
    Check whether EventBridge can invoke a target, as far as the credentials allow.

    :param clients: returns the boto3 client of a service.
    :param target: the target, as ListTargetsByRule returns it.
    :param rule_arn: the rule's ARN.
    :return: the findings, each once.
    """
    findings: list[Finding] = []
    for check in _CHECKS:
        try:
            findings += check(clients, target, rule_arn)
        except (ClientError, BotoCoreError) as error:
            findings.append(_finding_of(error))
    return tuple(dict.fromkeys(findings))


def _check_form(clients: Clients, target: Mapping[str, Any], _rule_arn: str) -> Iterator[Finding]:
    try:
        normalise_target(target, 0, clients("events").meta.region_name, frozenset(target))
    except InvalidTargetError as error:
        place = error.place.removeprefix("targets[0].")
        yield Finding(
            "problem" if _hinders_delivery(target, place) else "unknown", f"{place}: {error.reason}", error.remedy
        )


def _hinders_delivery(target: Mapping[str, Any], place: str) -> bool:
    """Return whether an error keeps EventBridge from delivering; AWS has accepted the target anyway."""
    arn = Arn.parse(target["Arn"])
    if place == "RoleArn" and arn and arn.service == "events" and arn.resource.startswith("event-bus/"):
        return False  # buses of other accounts that were put before March 2023 work without a role
    places = (*_DELIVERY_PLACES, *_LOGS_PLACES) if arn and arn.service == "logs" else _DELIVERY_PLACES
    return any(place == each or place.startswith(f"{each}.") for each in places)


def _check_kind(_clients: Clients, target: Mapping[str, Any], rule_arn: str) -> Iterator[Finding]:
    requirements = role_requirements(target)
    if requirements is None:
        yield Finding("unknown", "the permissions that this kind of target needs are not known", f"See {_TARGETS_PAGE}")
    elif not requirements and not target_grants(target, rule_arn):
        yield Finding("unknown", "whether EventBridge can invoke this kind of target without a RoleArn is not known")


def _check_role(clients: Clients, target: Mapping[str, Any], rule_arn: str) -> Iterator[Finding]:
    if target.get("RoleArn"):
        yield from role_findings(clients("iam"), target, rule_arn)


def _check_existence(clients: Clients, target: Mapping[str, Any], _rule_arn: str) -> Iterator[Finding]:
    """Read a resource that is invoked through a role; without a role, its policy is read anyway."""
    arn = Arn.parse(target["Arn"])
    if arn and arn.service in ("lambda", "sns", "sqs") and target.get("RoleArn"):
        resource_policy(clients, arn).read()
    return iter(())


def _check_policies(clients: Clients, target: Mapping[str, Any], rule_arn: str) -> Iterator[Finding]:
    for required in required_grants([target], rule_arn):
        noun = "dead-letter queue" if required.is_dead_letter else "target"
        if not required.is_writable:
            fix = "Compare it with what `airflow-cwevents policy resource` prints"
            yield Finding("unknown", f"the policy of the {noun} was not checked", fix)
            continue
        try:
            policy = resource_policy(clients, required.arn).read()
        except ClientError as error:
            if not is_not_found(error):
                raise
            yield (
                Finding("problem", f"the {noun} does not exist: {required.arn}")
                if required.is_dead_letter
                else _MISSING
            )
            continue
        yield from _policy_findings(policy, required, rule_arn, noun)


def _policy_findings(policy: Policy | None, required: RequiredGrants, rule_arn: str, noun: str) -> Iterator[Finding]:
    for grant in required.grants:
        verdict = evaluate(policy, invocation_of(required.arn.service, grant.action, grant.resource, rule_arn))
        if verdict == "unknown":
            yield Finding("unknown", f"whether the policy of the {noun} allows the rule depends on a condition")
        elif verdict == "denied" and _needs_a_condition(policy, required, grant.action, rule_arn):
            text = f"the topic's policy allows {grant.action} only with a Condition, which EventBridge never meets"
            fix = f"{_GRANT_FIX} without a Condition; only a RoleArn restricts it to a rule"
            yield Finding("problem", text, fix)
        elif verdict == "denied":
            yield Finding("problem", f"the policy of the {noun} does not allow {grant.action} to the rule", _GRANT_FIX)


def _needs_a_condition(policy: Policy | None, required: RequiredGrants, action: str, rule_arn: str) -> bool:
    """Return whether a topic's policy would allow the rule if EventBridge could meet the conditions."""
    request = Invocation(action, str(required.arn), rule_arn, source_account_known=True)
    return required.arn.service == "sns" and evaluate(policy, request) != "denied"


def _check_log_group(clients: Clients, target: Mapping[str, Any], _rule_arn: str) -> Iterator[Finding]:
    arn = Arn.parse(target["Arn"])
    if arn is None or arn.service != "logs":
        return
    name = arn.resource.removeprefix("log-group:").removesuffix(":*")
    groups = clients("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    if name not in [group["logGroupName"] for group in groups]:
        yield _MISSING


def _check_queue(clients: Clients, target: Mapping[str, Any], _rule_arn: str) -> Iterator[Finding]:
    arn = Arn.parse(target["Arn"])
    if arn is None or arn.service != "sqs" or not arn.resource.endswith(".fifo"):
        return
    policy = resource_policy(clients, arn)
    if isinstance(policy, DocumentPolicy) and policy.attributes().get("ContentBasedDeduplication") != "true":
        text = "the FIFO queue has no content-based deduplication"
        yield Finding("problem", text, "Set its attribute ContentBasedDeduplication to true")


def _check_encryption(clients: Clients, target: Mapping[str, Any], _rule_arn: str) -> Iterator[Finding]:
    return encryption_findings(clients, target)


def _finding_of(error: ClientError | BotoCoreError) -> Finding:
    if is_not_found(error):
        return _MISSING
    operation = f"{error.operation_name} failed: " if isinstance(error, ClientError) else ""
    return Finding("unknown", f"{operation}{message_of(error)}")


_CHECKS: tuple[Check, ...] = (
    _check_form,
    _check_kind,
    _check_role,
    _check_existence,
    _check_policies,
    _check_log_group,
    _check_queue,
    _check_encryption,
)
