"""
What a target's role must allow so that EventBridge can invoke the target.

.. seealso::
    - https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-iam-roles.html
    - https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-targets.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal

from airflow_cwevents._aws.arns import Arn
from airflow_cwevents._aws.target_types import BUILT_IN_ACTIONS, TargetKind, kind_of
from airflow_cwevents.exceptions import InvalidTargetError
from airflow_cwevents.iam.documents import Policy, Statement, document

# Systems Manager reserves these prefixes for documents of AWS, whose ARNs have no account to IAM:
# https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_CreateDocument.html
_AWS_DOCUMENT = re.compile(r"(document|automation-definition)/(aws|amazon|amzn)", re.IGNORECASE)
_BATCH_BUILD = re.compile(r'"buildType"\s*:\s*"BATCH"')

Certainty = Literal["always", "by_event", "downstream"]


@dataclass(frozen=True, slots=True)
class RoleRequirement:
    """
    Actions that a target's role must allow.

    :param actions: the actions, all of them.
    :param resources: groups of resources: of each group the role must allow at least one.
    :param condition: the condition that the statement may have, as in a policy.
    :param needed: ``always``; ``by_event`` if it depends on the event; ``downstream`` if the target's service needs
        the permission, after EventBridge has invoked the target.
    """

    actions: tuple[str, ...]
    resources: tuple[tuple[str, ...], ...]
    condition: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    needed: Certainty = "always"

    @property
    def context(self) -> dict[str, str]:
        """The condition keys that EventBridge's requests carry, and their values."""
        return {key: value for keys in self.condition.values() for key, value in keys.items()}

    @property
    def statement(self) -> Statement:
        """The statement of the role's policy."""
        resources = [resource for group in self.resources for resource in group]
        statement: Statement = {"Effect": "Allow", "Action": list(self.actions), "Resource": resources}
        return {**statement, "Condition": dict(self.condition)} if self.condition else statement


def target_role_policy(targets: Iterable[Mapping[str, Any]]) -> Policy:
    """
    Return the least that a role must allow so that EventBridge can invoke targets.

    :param targets: targets, as PutTargets takes them; those that need no role, and have none, are left out.
    :return: the document.
    :raises InvalidTargetError: if what a target's role must allow is not known.
    """
    statements: list[Statement] = []
    for index, target in enumerate(targets):
        check_known(target, index)
        for requirement in role_requirements(target) or ():
            if requirement.statement not in statements:
                statements.append(requirement.statement)
    return document(statements)


def check_known(target: Mapping[str, Any], index: int) -> None:
    """
    Make sure that the permissions of a target's kind are known: a policy without them would be silently incomplete.

    :param target: the target, as PutTargets takes it.
    :param index: its index in the input, for the error.
    :raises InvalidTargetError: if they are not known.
    """
    if role_requirements(target) is None:
        reason = f"the permissions that EventBridge needs for {target['Arn']!r} are not known"
        remedy = "Look them up at https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-targets.html"
        raise InvalidTargetError(index, "Arn", reason, remedy, target["Arn"], target.get("Id"))


def role_requirements(target: Mapping[str, Any]) -> list[RoleRequirement] | None:
    """
    Return what a target's role must allow.

    :param target: the target, as PutTargets takes it.
    :return: the requirements; none if the target needs no role and has none. None if they are not known.
    """
    arn = Arn.parse(target["Arn"])
    kind = kind_of(arn) if arn else None
    if arn is None or kind is None:
        return None
    if not kind.actions and arn.resource not in BUILT_IN_ACTIONS:
        return None
    if kind.role != "required" and not target.get("RoleArn"):
        return []
    return [*_invocation_requirements(arn, kind, target), *_further_requirements(arn, target)]


def _invocation_requirements(arn: Arn, kind: TargetKind, target: Mapping[str, Any]) -> list[RoleRequirement]:
    if not kind.actions:
        action, resources = BUILT_IN_ACTIONS[arn.resource]
        return [RoleRequirement((action,), tuple((each.format(**arn._asdict()),) for each in resources))]
    if arn.service == "ecs":
        definitions = _task_definitions(_or_any((target.get("EcsParameters") or {}).get("TaskDefinitionArn")))
        return [RoleRequirement(kind.actions, (definitions,), {"ArnEquals": {"ecs:cluster": str(arn)}})]
    return [RoleRequirement(kind.actions, tuple((resource,) for resource in _resources(arn, kind, target)))]


def _resources(arn: Arn, kind: TargetKind, target: Mapping[str, Any]) -> list[str]:
    named = str(arn._replace(account="") if _AWS_DOCUMENT.match(arn.resource) and arn.service == "ssm" else arn)
    if arn.service == "batch":
        return [named, _job_definition_arn(arn, target)]
    if kind.actions == ("ssm:SendCommand",):
        return [named, f"arn:{arn.partition}:ec2:{arn.region}:{arn.account or '*'}:instance/*"]
    if arn.service == "appsync":
        # the target's ARN has the id in the URL of the API's endpoint, which is not the id of the API
        return [str(arn._replace(resource="apis/*/types/Mutation/*"))]
    return [named]


def _further_requirements(arn: Arn, target: Mapping[str, Any]) -> list[RoleRequirement]:
    if arn.service == "ecs":
        return _ecs_requirements()
    if arn.service == "codebuild":
        return _batch_build_requirements(arn, target)
    if arn.service in ("redshift", "redshift-serverless"):
        return [_redshift_requirement(arn, target)]
    return []


def _task_definitions(definition: str) -> tuple[str, ...]:
    """Return the ARN, and that of any revision if it names none: AWS has evaluated either."""
    has_revision = definition == "*" or re.search(r":\d+$", definition)
    return (definition,) if has_revision else (definition, f"{definition}:*")


def _job_definition_arn(arn: Arn, target: Mapping[str, Any]) -> str:
    definition = _or_any((target.get("BatchParameters") or {}).get("JobDefinition"))
    return definition if definition.startswith("arn:") else str(arn._replace(resource=f"job-definition/{definition}"))


def _or_any(value: object) -> str:
    """Return a name or ARN; ``*`` if it is omitted or a path into the event."""
    return str(value) if value and not str(value).startswith("$") else "*"


def _ecs_requirements() -> list[RoleRequirement]:
    passed = {"StringLike": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
    tagged = {"StringEquals": {"ecs:CreateAction": "RunTask"}}
    return [
        RoleRequirement(("iam:PassRole",), (("*",),), passed, "downstream"),
        RoleRequirement(("ecs:TagResource",), (("*",),), tagged, "downstream"),
    ]


def _batch_build_requirements(arn: Arn, target: Mapping[str, Any]) -> list[RoleRequirement]:
    needed = _batch_build(target)
    return [RoleRequirement(("codebuild:StartBuildBatch",), ((str(arn),),), needed=needed)] if needed else []


def _batch_build(target: Mapping[str, Any]) -> Certainty | None:
    """Return when EventBridge starts a batch build, which the target's input decides; None for never."""
    if constant := target.get("Input"):
        value = constant
        with suppress(ValueError, TypeError):
            value = json.loads(constant)
        return "always" if isinstance(value, Mapping) and value.get("buildType") == "BATCH" else None
    if transformer := target.get("InputTransformer"):
        template = transformer.get("InputTemplate") or ""
        text = template if isinstance(template, str) else json.dumps(template)
        if _BATCH_BUILD.search(text):
            return "always"
        return "by_event" if '"buildType"' in text else None
    # the event itself has no member buildType at its top
    return "by_event" if target.get("InputPath") not in (None, "", "$") else None


def _redshift_requirement(arn: Arn, target: Mapping[str, Any]) -> RoleRequirement:
    if secret := (target.get("RedshiftDataParameters") or {}).get("SecretManagerArn"):
        action, resource = "secretsmanager:GetSecretValue", _or_any(secret)
    elif arn.service == "redshift":
        action, resource = "redshift:GetClusterCredentials", "*"
    else:
        action, resource = "redshift-serverless:GetCredentials", str(arn)
    return RoleRequirement((action,), ((resource,),), needed="downstream")
