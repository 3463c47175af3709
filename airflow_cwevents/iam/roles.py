"""
What the role of a target has to allow for EventBridge to invoke it.

.. seealso:: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-iam-roles.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from airflow_cwevents._aws.arns import Arn
from airflow_cwevents._aws.target_types import BUILT_IN_ACTIONS, TargetKind, kind_of
from airflow_cwevents.iam.documents import Policy, Statement, document

_BETTER_WITHOUT_ROLE = frozenset({"lambda", "sns", "sqs"})


class RoleNeed(NamedTuple):
    """
    What a target's role has to allow.

    :ivar actions: the actions, all of them.
    :ivar resources: the resources: of each list of these at least one.
    :ivar context: the condition keys that EventBridge's requests come with, and their values.
    """

    actions: list[str]
    resources: list[list[str]]
    context: dict[str, str]


def target_role_policy(targets: Iterable[Mapping[str, Any]]) -> Policy:
    """
    Give the least that a role has to allow for EventBridge to invoke targets through it.

    :param targets: targets, as PutTargets takes them; those that need no role, and have none, are left out.
    :return: the document.
    """
    statements = [statement for target in targets for statement in _role_statements(target)]
    return document([statement for at, statement in enumerate(statements) if statement not in statements[:at]])


def role_need(target: Mapping[str, Any]) -> RoleNeed | None:
    """
    Tell what a target's role has to allow.

    :param target: the target, as PutTargets takes it.
    :return: the need; None if the target needs no role and has none, or if it is not known what its role needs.
    """
    statements = _role_statements(target)
    if not statements:
        return None
    main = statements[0]  # the others are for what the target does then
    context = main.get("Condition", {}).get("ArnEquals", {})
    resources = [main["Resource"]] if "ecs:cluster" in context else [[resource] for resource in main["Resource"]]
    return RoleNeed(main["Action"], resources, context)


def role_doubt(target: Mapping[str, Any]) -> str | None:
    """
    Tell whether a target has a role that it had better not have.

    :param target: the target, as PutTargets takes it.
    :return: what to do about it; None if there is nothing to do.

    .. seealso:: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-targets.html
    """
    arn = Arn.parse(target["Arn"])
    if arn is None or arn.service not in _BETTER_WITHOUT_ROLE or not target.get("RoleArn"):
        return None
    return (
        "AWS advises against a RoleArn for Lambda functions, queues and topics, as it may not deliver to them, least "
        "of all to encrypted ones. Leave it out, and set grant_permissions"
    )


def _role_statements(target: Mapping[str, Any]) -> list[Statement]:
    arn = Arn.parse(target["Arn"])
    kind = kind_of(arn) if arn else None
    if arn is None or kind is None or not (kind.role == "required" or target.get("RoleArn")):
        return []
    if not kind.actions:
        return _built_in_statements(arn)
    main: Statement = {"Effect": "Allow", "Action": list(kind.actions), "Resource": _role_resources(arn, kind, target)}
    if arn.service == "ecs":
        return [{**main, "Condition": {"ArnEquals": {"ecs:cluster": str(arn)}}}, *_ecs_statements()]
    if arn.service in ("redshift", "redshift-serverless"):
        return [main, *_redshift_statements(arn, target)]
    return [main]


def _built_in_statements(arn: Arn) -> list[Statement]:
    if arn.resource not in BUILT_IN_ACTIONS:
        return []
    action, resources = BUILT_IN_ACTIONS[arn.resource]
    return [{"Effect": "Allow", "Action": [action], "Resource": [each.format(**arn._asdict()) for each in resources]}]


def _role_resources(arn: Arn, kind: TargetKind, target: Mapping[str, Any]) -> list[str]:
    if arn.service == "ecs":
        return _task_definitions(_or_any((target.get("EcsParameters") or {}).get("TaskDefinitionArn")))
    if arn.service == "batch":
        return [str(arn), _job_definition_arn(arn, target)]
    if kind.actions == ("ssm:SendCommand",):
        return [str(arn), f"arn:{arn.partition}:ec2:{arn.region}:{arn.account or '*'}:instance/*"]
    if arn.service == "appsync":
        # the target's ARN has the id in the URL of the API's endpoint, which is not the id of the API
        return [str(arn._replace(resource="apis/*/types/Mutation/*"))]
    return [str(arn)]


def _task_definitions(definition: str) -> list[str]:
    """Return the ARN, and that of any revision if it names none: AWS has judged by either."""
    has_revision = definition == "*" or re.search(r":\d+$", definition)
    return [definition] if has_revision else [definition, f"{definition}:*"]


def _job_definition_arn(arn: Arn, target: Mapping[str, Any]) -> str:
    definition = _or_any((target.get("BatchParameters") or {}).get("JobDefinition"))
    return definition if definition.startswith("arn:") else str(arn._replace(resource=f"job-definition/{definition}"))


def _or_any(value: object) -> str:
    """Return a name or ARN; what is left out, or is a path into the event, may be any."""
    return str(value) if value and not str(value).startswith("$") else "*"


def _ecs_statements() -> list[Statement]:
    return [
        {
            "Effect": "Allow",
            "Action": "iam:PassRole",
            "Resource": "*",
            "Condition": {"StringLike": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
        },
        {
            "Effect": "Allow",
            "Action": "ecs:TagResource",
            "Resource": "*",
            "Condition": {"StringEquals": {"ecs:CreateAction": "RunTask"}},
        },
    ]


def _redshift_statements(arn: Arn, target: Mapping[str, Any]) -> list[Statement]:
    secret = (target.get("RedshiftDataParameters") or {}).get("SecretManagerArn")
    if secret:
        return [{"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": _or_any(secret)}]
    action = "redshift:GetClusterCredentials" if arn.service == "redshift" else "redshift-serverless:GetCredentials"
    return [{"Effect": "Allow", "Action": action, "Resource": "*" if arn.service == "redshift" else str(arn)}]
