"""Whether a target's role trusts EventBridge and allows what the target needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from airflow_cwevents._aws.errors import code_of
from airflow_cwevents._declare.diagnosis_report import Finding
from airflow_cwevents.iam.evaluation import Invocation, Verdict, evaluate
from airflow_cwevents.iam.roles import RoleRequirement, role_requirements

if TYPE_CHECKING:
    from airflow_cwevents.iam.documents import Policy

_TRUST_FIX = "Set the trust relationship that `airflow-cwevents policy trust` prints"
_POLICY_FIX = "Add the policy that `airflow-cwevents policy role` prints"


def role_findings(iam: Any, target: Mapping[str, Any], rule_arn: str) -> Iterator[Finding]:
    """
    Check the role of a target.

    :param iam: the boto3 client ``iam``.
    :param target: the target, as PutTargets takes it; without a role there is no finding.
    :param rule_arn: the rule's ARN.
    :return: the findings.
    :raises botocore.exceptions.ClientError: if the credentials do not allow the check.

    .. seealso:: :external+boto3:py:meth:`IAM.Client.simulate_principal_policy`
    """
    role_arn = target.get("RoleArn")
    if not role_arn:
        return
    name = role_arn.rsplit("/", 1)[-1]
    try:
        role = iam.get_role(RoleName=name)["Role"]
    except ClientError as error:
        if code_of(error) != "NoSuchEntity":
            raise
        yield Finding("problem", f"role {name} does not exist: {role_arn}", "Create it, or correct the RoleArn")
        return
    yield from _trust_findings(name, role["AssumeRolePolicyDocument"], rule_arn)
    for requirement in role_requirements(target) or ():
        if requirement.needed != "downstream":
            for action, resources in product(requirement.actions, requirement.resources):
                yield from _action_findings(iam, target, action, resources, requirement)


def _trust_findings(name: str, trust: Policy, rule_arn: str) -> Iterator[Finding]:
    verdict = evaluate(trust, Invocation("sts:AssumeRole", "", rule_arn, source_account_known=True))
    if verdict == "denied":
        yield Finding("problem", f"role {name} does not trust events.amazonaws.com for this rule", _TRUST_FIX)
    elif verdict == "unknown":
        yield Finding("unknown", f"whether role {name} trusts events.amazonaws.com depends on a condition")


def _action_findings(
    iam: Any, target: Mapping[str, Any], action: str, resources: tuple[str, ...], requirement: RoleRequirement
) -> Iterator[Finding]:
    name = target["RoleArn"].rsplit("/", 1)[-1]
    verdicts = {_simulated(iam, target["RoleArn"], action, resource, requirement.context) for resource in resources}
    if "allowed" in verdicts:
        return
    named = ["the target" if resource == target["Arn"] else resource for resource in resources]
    text = f"role {name} does not allow {action} on {' or '.join(named)}"
    if requirement.needed == "by_event":
        yield Finding("unknown", f"{text}, which some events may need", _POLICY_FIX)
    elif "unknown" in verdicts:
        yield Finding("unknown", f"{text}, unless a condition is met that only AWS can evaluate")
    elif all("*" in resource for resource in resources):
        yield Finding("unknown", f"{text}, but may allow it on the resources that matter")
    else:
        yield Finding("problem", text, _POLICY_FIX)


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
    # AWS lists missing context values in another place if the resource is not "*"
    evaluated = [each for result in results for each in (result, *result.get("ResourceSpecificResults", ()))]
    return "unknown" if any(each.get("MissingContextValues") for each in evaluated) else "denied"
