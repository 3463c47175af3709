"""
Grants: what resource policies must allow so that EventBridge can invoke the targets of a rule.

What a target's role must allow is in :mod:`airflow_cwevents.iam.roles`.

.. seealso:: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from airflow_cwevents._aws.arns import Arn
from airflow_cwevents._aws.target_types import kind_of
from airflow_cwevents.iam.documents import SERVICE, Statement

SID_PREFIX = "CwEvents"
# The services whose targets EventBridge invokes by the resource's own policy if the target has no role.
RESOURCE_POLICY_SERVICES = frozenset({"lambda", "sqs", "sns", "logs", "execute-api"})
# EventBridge writes to CloudWatch Logs through the delivery service of CloudWatch Logs.
_LOGS_PRINCIPALS = (SERVICE, "delivery.logs.amazonaws.com")


@dataclass(frozen=True, slots=True)
class Grant:
    """
    An action that a resource's policy must allow EventBridge.

    :param sid: identifies the statement: the same for a rule and a resource each time.
    :param action: the action, such as ``sqs:SendMessage``.
    :param resource: the ARN of the resource.
    :param source_arn: the ARN of the only rule that may; None where AWS does not support that restriction.
    :param principals: the services that perform the action.
    """

    sid: str
    action: str
    resource: str
    source_arn: str | None
    principals: tuple[str, ...] = (SERVICE,)

    @property
    def statement(self) -> Statement:
        """The statement of the resource's policy."""
        statement: Statement = {
            "Sid": self.sid,
            "Effect": "Allow",
            "Principal": {"Service": self.principals[0] if len(self.principals) == 1 else list(self.principals)},
            "Action": self.action,
            "Resource": self.resource,
        }
        if self.source_arn:
            statement["Condition"] = {"ArnEquals": {"aws:SourceArn": self.source_arn}}
        return statement


def target_grants(target: Mapping[str, Any], rule_arn: str) -> list[Grant]:
    """
    Return what a target's own policy must allow for one rule.

    :param target: the target, as PutTargets takes it.
    :param rule_arn: the rule's ARN.
    :return: the grants; none if the target has a role, or EventBridge does not invoke its kind by a resource policy.
    """
    arn = Arn.parse(target["Arn"])
    kind = kind_of(arn) if arn else None
    if arn is None or kind is None or target.get("RoleArn") or arn.service not in RESOURCE_POLICY_SERVICES:
        return []
    if arn.service == "logs":
        return _logs_grants(arn, rule_arn)
    # the policy of $LATEST is the function's
    resource = str(arn).removesuffix(":$LATEST")
    # "You can't use of Condition blocks in Amazon SNS topic policies for EventBridge": nothing would be delivered
    source_arn = None if arn.service == "sns" else rule_arn
    return [Grant(statement_id(rule_arn, resource), kind.actions[0], resource, source_arn)]


def dead_letter_grants(target: Mapping[str, Any], rule_arn: str) -> list[Grant]:
    """
    Return what the policy of a target's dead-letter queue must allow for one rule.

    :param target: the target, as PutTargets takes it.
    :param rule_arn: the rule's ARN.
    :return: the grant in a list; an empty list if the target has no dead-letter queue.
    """
    queue_arn = (target.get("DeadLetterConfig") or {}).get("Arn")
    if not queue_arn:
        return []
    return [Grant(statement_id(rule_arn, queue_arn), "sqs:SendMessage", queue_arn, rule_arn)]


def resource_statements(target: Mapping[str, Any], rule_arn: str) -> list[Statement]:
    """Return the statements of :func:`target_grants`."""
    return [grant.statement for grant in target_grants(target, rule_arn)]


def dead_letter_statements(target: Mapping[str, Any], rule_arn: str) -> list[Statement]:
    """Return the statements of :func:`dead_letter_grants`."""
    return [grant.statement for grant in dead_letter_grants(target, rule_arn)]


def statement_id(rule_arn: str, resource_arn: str) -> str:
    """Return the ``Sid`` of the grant for a rule and a resource: the same each time, and unique for each pair."""
    return f"{SID_PREFIX}{sha256(f'{rule_arn} {resource_arn}'.encode()).hexdigest()[:24]}"


def _logs_grants(arn: Arn, rule_arn: str) -> list[Grant]:
    streams = str(arn).removesuffix(":*") + ":*"
    # AWS documents the condition for writing only: streams are created on behalf of no rule
    create_sid = statement_id(rule_arn, f"{streams} create")
    return [
        Grant(create_sid, "logs:CreateLogStream", streams, None, _LOGS_PRINCIPALS),
        Grant(statement_id(rule_arn, streams), "logs:PutLogEvents", streams, rule_arn, _LOGS_PRINCIPALS),
    ]
