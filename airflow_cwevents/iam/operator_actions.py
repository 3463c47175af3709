"""The IAM policies that DAGs need: which actions each operator calls, and when."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from airflow_cwevents.iam.documents import POLICY_VERSION, Policy

_GRANT_ACTIONS = (
    "lambda:AddPermission",
    "lambda:GetFunctionConfiguration",
    "lambda:GetPolicy",
    "lambda:RemovePermission",
    "logs:DescribeResourcePolicies",
    "logs:PutResourcePolicy",
    "sns:GetTopicAttributes",
    "sns:SetTopicAttributes",
    "sqs:GetQueueAttributes",
    "sqs:GetQueueUrl",
    "sqs:SetQueueAttributes",
)
_REVOKE_ACTIONS = (*(action for action in _GRANT_ACTIONS if "Add" not in action), "logs:DeleteResourcePolicy")
ENCRYPTION_ACTIONS = (
    "kms:DescribeKey",
    "kms:GetKeyPolicy",
    "sns:GetTopicAttributes",
    "sqs:GetQueueAttributes",
    "sqs:GetQueueUrl",
)


@dataclass(frozen=True, slots=True)
class Need:
    """
    Actions that an operator calls.

    :param actions: the actions.
    :param when: when it calls them; empty for always.
    :param optional: whether it only warns, and goes on, without the permission.
    """

    actions: tuple[str, ...]
    when: str = ""
    optional: bool = False


_TARGETS_READ = Need(("events:DescribeRule", "events:ListTargetsByRule"))
_SENDING = (
    Need(("events:PutEvents",)),
    Need(("events:DescribeEventBus",), "a bus is named, and check_event_bus is set", optional=True),
)

OPERATOR_NEEDS: dict[str, tuple[Need, ...]] = {
    "PutRuleOperator": (
        Need(("events:PutRule",)),
        Need(("events:DescribeRule",), "always", optional=True),
        Need(("events:ListTagsForResource", "events:TagResource", "events:UntagResource"), "tags is given"),
        Need(("iam:PassRole",), "role_arn is given"),
    ),
    "EnableRuleOperator": (Need(("events:EnableRule",)),),
    "DisableRuleOperator": (Need(("events:DisableRule",)),),
    "DeleteRuleOperator": (
        _TARGETS_READ,
        Need(("events:DeleteRule", "events:RemoveTargets")),
        Need(_REVOKE_ACTIONS, "revoke_permissions is set"),
    ),
    "PutTargetsOperator": (
        _TARGETS_READ,
        Need(("events:PutTargets",)),
        Need(("events:RemoveTargets",), "prune is set"),
        Need(("iam:PassRole",), "a target has a RoleArn"),
        Need(_GRANT_ACTIONS, "grant_permissions is set"),
        Need(ENCRYPTION_ACTIONS, "a target is a queue or a topic", optional=True),
    ),
    "RemoveTargetsOperator": (
        Need(("events:ListTargetsByRule", "events:RemoveTargets")),
        Need(("events:DescribeRule", *_REVOKE_ACTIONS), "revoke_permissions is set"),
    ),
    "CheckTargetsOperator": (
        _TARGETS_READ,
        Need(
            (
                *ENCRYPTION_ACTIONS,
                "iam:GetRole",
                "iam:SimulatePrincipalPolicy",
                "lambda:GetFunctionConfiguration",
                "lambda:GetPolicy",
                "logs:DescribeLogGroups",
                "logs:DescribeResourcePolicies",
            ),
            "a target is of the kind",
            optional=True,
        ),
    ),
    "PutEventsOperator": _SENDING,
    "ObjectStorageToEventsOperator": _SENDING,
    "@task.put_events": _SENDING,
}


def operator_policy(operators: Iterable[str]) -> Policy:
    """
    Give the IAM policy of a DAG: all that its operators may call. Narrow its resources down to your own.

    :param operators: names of operators, such as ``PutRuleOperator``.
    :return: the document.
    :raises KeyError: if there is no such operator.
    """
    actions = {action for name in operators for need in OPERATOR_NEEDS[name] for action in need.actions}
    plain = sorted(actions - {"iam:PassRole"})
    statements: list[dict[str, object]] = [{"Effect": "Allow", "Action": plain, "Resource": "*"}]
    if "iam:PassRole" in actions:
        statements.append(
            {
                "Effect": "Allow",
                "Action": "iam:PassRole",
                "Resource": "*",
                "Condition": {"StringEquals": {"iam:PassedToService": "events.amazonaws.com"}},
            }
        )
    return {"Version": POLICY_VERSION, "Statement": statements}
