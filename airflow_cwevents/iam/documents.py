"""
Policies: what a resource has to say for EventBridge to invoke it, and who may assume a role or pass it on.

What the role of a target has to allow is in :mod:`airflow_cwevents.iam.roles`.

.. seealso:: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from airflow_cwevents._aws.arns import Arn
from airflow_cwevents._aws.target_types import kind_of

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
    return document([{"Effect": "Allow", "Principal": {"Service": SERVICE}, "Action": "sts:AssumeRole"}])


def tutorial_role_policy(role_name: str = "AWS_Events_Invoke_Targets") -> Policy:
    """
    Give the role policy of AWS's tutorial "Sending events to CloudWatch Events": everything on events, and no more.

    :param role_name: the role that may be passed on to EventBridge.
    :return: the document.

    .. seealso:: https://boto3.amazonaws.com/v1/documentation/api/latest/guide/cw-example-events.html
    """
    return document(
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


def document(statements: Sequence[Statement]) -> Policy:
    """Return a policy of these statements."""
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


def _canonical(statement: Mapping[str, Any]) -> object:
    def unwrapped(value: object) -> object:
        if isinstance(value, Mapping):
            return {key: unwrapped(item) for key, item in value.items()}
        if isinstance(value, list):
            return unwrapped(value[0]) if len(value) == 1 else sorted(map(repr, map(unwrapped, value)))
        return value

    return unwrapped(statement)
