"""
IAM and resource policies: what a role or a resource has to say for EventBridge to invoke a target.

.. seealso::
    - https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
    - https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-iam-roles.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any

from airflow_cwevents.arns import Arn
from airflow_cwevents.target_kinds import BUILT_IN_ACTIONS, TargetKind, kind_of

SERVICE = "events.amazonaws.com"
POLICY_VERSION = "2012-10-17"
# The services whose targets EventBridge invokes by the resource's own policy, if the target has no role.
RESOURCE_POLICY_SERVICES = frozenset({"lambda", "sqs", "sns", "logs", "execute-api"})
# CloudWatch Logs takes what EventBridge sends through its delivery service.
_LOGS_PRINCIPALS = [SERVICE, "delivery.logs.amazonaws.com"]
_TOPIC_OWNER_ACTIONS = (
    "GetTopicAttributes",
    "SetTopicAttributes",
    "AddPermission",
    "RemovePermission",
    "DeleteTopic",
    "Subscribe",
    "ListSubscriptionsByTopic",
    "Publish",
)

Statement = dict[str, Any]
Policy = dict[str, Any]


def trust_policy() -> Policy:
    """
    Give the trust relationship of a role that EventBridge is to assume.

    :return: the document, for IAM's ``AssumeRolePolicyDocument``.
    """
    return _document([{"Effect": "Allow", "Principal": {"Service": SERVICE}, "Action": "sts:AssumeRole"}])


def tutorial_role_policy(role_name: str = "AWS_Events_Invoke_Targets") -> Policy:
    """
    Give the role policy of AWS's tutorial "Sending events to CloudWatch Events": everything on events, and no more.

    :param role_name: the role that may be passed on to EventBridge.
    :return: the document.

    .. seealso:: https://boto3.amazonaws.com/v1/documentation/api/latest/guide/cw-example-events.html
    """
    return _document(
        [
            {"Sid": "CloudWatchEventsFullAccess", "Effect": "Allow", "Action": "events:*", "Resource": "*"},
            {
                "Sid": "IAMPassRoleForCloudWatchEvents",
                "Effect": "Allow",
                "Action": "iam:PassRole",
                "Resource": f"arn:aws:iam::*:role/{role_name}",
            },
        ]
    )


def target_role_policy(targets: Iterable[Mapping[str, Any]]) -> Policy:
    """
    Give the least that a role has to allow for EventBridge to invoke targets through it.

    :param targets: targets, as PutTargets takes them; those that need no role, and have none, are left out.
    :return: the document.
    """
    statements = [statement for target in targets for statement in _role_statements(target)]
    return _document([statement for at, statement in enumerate(statements) if statement not in statements[:at]])


def role_needs(target: Mapping[str, Any]) -> list[tuple[list[str], list[str]]]:
    """
    Tell what a target's role has to allow, without the conditions that narrow it down.

    :param target: the target, as PutTargets takes it.
    :return: pairs of actions and resources.
    """
    return [
        (statement["Action"], statement["Resource"])
        for statement in _role_statements(target)[:1]  # the others are for what the target does then
    ]


def resource_statements(target: Mapping[str, Any], rule_arn: str) -> list[Statement]:
    """
    Give the statements that a target's own policy needs, for one rule and no other.

    :param target: the target, as PutTargets takes it.
    :param rule_arn: the rule's ARN.
    :return: the statements; none if the target has a role, or its kind works with a role only.
    """
    arn = Arn.parse(target["Arn"])
    kind = kind_of(arn) if arn else None
    if arn is None or kind is None or target.get("RoleArn") or arn.service not in RESOURCE_POLICY_SERVICES:
        return []
    if arn.service == "logs":
        return _logs_statements(arn, rule_arn)
    # Lambda takes no policy for $LATEST, which goes by that of the function
    return [_statement(rule_arn, str(arn).removesuffix(":$LATEST"), SERVICE, kind.actions[0])]


def dead_letter_statements(target: Mapping[str, Any], rule_arn: str) -> list[Statement]:
    """
    Give the statement that the policy of a target's dead-letter queue needs, for one rule and no other.

    :param target: the target, as PutTargets takes it.
    :param rule_arn: the rule's ARN.
    :return: the statement in a list; an empty list if the target has no dead-letter queue.
    """
    queue_arn = (target.get("DeadLetterConfig") or {}).get("Arn")
    return [_statement(rule_arn, queue_arn, SERVICE, "sqs:SendMessage")] if queue_arn else []


def statement_id(rule_arn: str, resource_arn: str) -> str:
    """Return the ``Sid`` under which a rule is let in to a resource: the same each time, and another for each pair."""
    return f"CwEvents{sha256(f'{rule_arn} {resource_arn}'.encode()).hexdigest()[:24]}"


def statements_of(policy: Mapping[str, Any] | None) -> list[Statement]:
    """Return the statements of a policy, of which AWS lets a single one stand without a list; none for no policy."""
    statements = (policy or {}).get("Statement") or []
    return [dict(statements)] if isinstance(statements, Mapping) else [dict(statement) for statement in statements]


def with_statements(policy: Mapping[str, Any] | None, added: Sequence[Statement]) -> Policy:
    """
    Add statements to a policy. Others stay as they are, in their order; one with the same ``Sid`` is replaced.

    :param policy: the policy; None for none yet.
    :param added: the statements, each with a ``Sid``.
    :return: a new policy.
    """
    sids = {statement["Sid"] for statement in added}
    kept = [statement for statement in statements_of(policy) if statement.get("Sid") not in sids]
    return {**(policy or {"Version": POLICY_VERSION}), "Statement": [*kept, *added]}


def without_statements(policy: Mapping[str, Any], removed: Sequence[Statement]) -> Policy | None:
    """
    Take statements out of a policy. Others stay as they are, in their order.

    :param policy: the policy.
    :param removed: the statements, known by their ``Sid``.
    :return: a new policy; None if no statement is left.
    """
    sids = {statement["Sid"] for statement in removed}
    kept = [statement for statement in statements_of(policy) if statement.get("Sid") not in sids]
    return {**policy, "Statement": kept} if kept else None


def holds_statements(policy: Mapping[str, Any] | None, statements: Sequence[Statement]) -> bool:
    """Return whether a policy has all the statements, each as it is; AWS gives back lists of one as the one."""
    present = {statement.get("Sid"): _canonical(statement) for statement in statements_of(policy)}
    return all(present.get(statement["Sid"]) == _canonical(statement) for statement in statements)


def default_topic_policy(topic: Arn) -> Policy:
    """
    Give the policy that SNS makes for a new topic, and that a topic can never be without.

    :param topic: the topic's ARN.
    :return: the document.

    .. seealso:: https://docs.aws.amazon.com/sns/latest/api/API_SetTopicAttributes.html
    """
    statement = {
        "Sid": "__default_statement_ID",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": [f"SNS:{action}" for action in _TOPIC_OWNER_ACTIONS],
        "Resource": str(topic),
        "Condition": {"StringEquals": {"AWS:SourceOwner": topic.account}},
    }
    return {"Version": "2008-10-17", "Id": "__default_policy_ID", "Statement": [statement]}


def _document(statements: Sequence[Statement]) -> Policy:
    return {"Version": POLICY_VERSION, "Statement": list(statements)}


def _statement(rule_arn: str, resource: str, service: str | list[str], action: str) -> Statement:
    return {
        "Sid": statement_id(rule_arn, resource),
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": action,
        "Resource": resource,
        "Condition": {"ArnEquals": {"aws:SourceArn": rule_arn}},
    }


def _logs_statements(arn: Arn, rule_arn: str) -> list[Statement]:
    streams = str(arn).removesuffix(":*") + ":*"
    # AWS documents the rule as a condition for writing only: the stream is created on nobody's behalf
    create = _statement(rule_arn, f"{streams} create", _LOGS_PRINCIPALS, "logs:CreateLogStream")
    del create["Condition"]
    return [{**create, "Resource": streams}, _statement(rule_arn, streams, _LOGS_PRINCIPALS, "logs:PutLogEvents")]


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
        return [_or_any((target.get("EcsParameters") or {}).get("TaskDefinitionArn"))]
    if arn.service == "batch":
        return [str(arn), _job_definition_arn(arn, target)]
    if kind.actions == ("ssm:SendCommand",):
        return [str(arn), f"arn:{arn.partition}:ec2:{arn.region}:{arn.account or '*'}:instance/*"]
    if arn.service == "appsync":
        # the target's ARN has the id in the URL of the API's endpoint, which is not the id of the API
        return [str(arn._replace(resource="apis/*/types/Mutation/*"))]
    return [str(arn)]


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


def _canonical(statement: Mapping[str, Any]) -> object:
    def unwrapped(value: object) -> object:
        if isinstance(value, Mapping):
            return {key: unwrapped(item) for key, item in value.items()}
        if isinstance(value, list):
            return unwrapped(value[0]) if len(value) == 1 else sorted(map(repr, map(unwrapped, value)))
        return value

    return unwrapped(statement)
