"""The IAM permissions that DAGs need: which actions each operator calls, and when."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from airflow_cwevents.iam.documents import Policy, Statement, document

_POLICY_READ_ACTIONS = (
    "lambda:GetFunctionConfiguration",
    "lambda:GetPolicy",
    "logs:DescribeResourcePolicies",
    "sns:GetTopicAttributes",
    "sqs:GetQueueAttributes",
    "sqs:GetQueueUrl",
)
_GRANT_ACTIONS = (
    *_POLICY_READ_ACTIONS,
    "lambda:AddPermission",
    "lambda:RemovePermission",
    "logs:PutResourcePolicy",
    "sns:SetTopicAttributes",
    "sqs:SetQueueAttributes",
)
_REVOKE_ACTIONS = (*(action for action in _GRANT_ACTIONS if "Add" not in action), "logs:DeleteResourcePolicy")
_KEY_READ_ACTIONS = ("kms:DescribeKey", "kms:GetKeyPolicy")
# Best effort: without one of these an operator logs that it could not check something.
READ_ACTIONS = (*_POLICY_READ_ACTIONS, *_KEY_READ_ACTIONS)


@dataclass(frozen=True, slots=True)
class RequiredActions:
    """
    Actions that an operator calls.

    :param actions: the actions.
    :param when: when it calls them; empty for always.
    :param optional: whether the operator goes on without the permission, and only logs that.
    """

    actions: tuple[str, ...]
    when: str = ""
    optional: bool = False


_TARGETS_READ = RequiredActions(("events:DescribeRule", "events:ListTargetsByRule"))
_STATE_READ = RequiredActions(("events:DescribeRule",), "always", optional=True)
_SENDING = (
    RequiredActions(("events:PutEvents",)),
    RequiredActions(("events:DescribeEventBus",), "a bus is named, and check_event_bus is set", optional=True),
)

OPERATOR_NEEDS: dict[str, tuple[RequiredActions, ...]] = {
    "PutRuleOperator": (
        RequiredActions(("events:PutRule",)),
        _STATE_READ,
        RequiredActions(("events:ListTagsForResource", "events:TagResource", "events:UntagResource"), "tags is set"),
        RequiredActions(("iam:PassRole",), "role_arn is set"),
    ),
    "EnableRuleOperator": (RequiredActions(("events:EnableRule",)), _STATE_READ),
    "DisableRuleOperator": (RequiredActions(("events:DisableRule",)), _STATE_READ),
    "DeleteRuleOperator": (
        _TARGETS_READ,
        RequiredActions(("events:DeleteRule", "events:RemoveTargets")),
        RequiredActions(_REVOKE_ACTIONS, "revoke_permissions is set"),
    ),
    "PutTargetsOperator": (
        _TARGETS_READ,
        RequiredActions(("events:PutTargets",)),
        RequiredActions(("events:RemoveTargets",), "prune is set"),
        RequiredActions(("iam:PassRole",), "a target has a RoleArn"),
        RequiredActions(_GRANT_ACTIONS, "grant_permissions is set"),
        RequiredActions(READ_ACTIONS, "a target or dead-letter queue has a policy or a key", optional=True),
    ),
    "RemoveTargetsOperator": (
        RequiredActions(("events:ListTargetsByRule", "events:RemoveTargets")),
        RequiredActions(("events:DescribeRule", *_REVOKE_ACTIONS), "revoke_permissions is set"),
    ),
    "CheckTargetsOperator": (
        _TARGETS_READ,
        RequiredActions(
            (
                *READ_ACTIONS,
                "iam:GetRole",
                "iam:SimulatePrincipalPolicy",
                "logs:DescribeLogGroups",
            ),
            "a target is of the kind",
            optional=True,
        ),
    ),
    "CreateEventQueueOperator": (
        RequiredActions(
            (
                "events:DescribeRule",
                "events:ListTagsForResource",
                "events:ListTargetsByRule",
                "events:PutRule",
                "events:PutTargets",
                "events:TagResource",
                "sqs:CreateQueue",
                "sqs:GetQueueAttributes",
                "sqs:GetQueueUrl",
                "sqs:ListQueueTags",
                "sqs:SetQueueAttributes",
                "sqs:TagQueue",
            )
        ),
        RequiredActions(("events:UntagResource", "sqs:UntagQueue"), "tags is set"),
        RequiredActions(_KEY_READ_ACTIONS, "kms_key is set", optional=True),
    ),
    "DeleteEventQueueOperator": (
        RequiredActions(
            (
                "events:DeleteRule",
                "events:DescribeRule",
                "events:ListTagsForResource",
                "events:ListTargetsByRule",
                "events:RemoveTargets",
                "sqs:DeleteQueue",
                "sqs:GetQueueUrl",
                "sqs:ListQueueTags",
            )
        ),
    ),
    "PutEventsOperator": _SENDING,
    "ObjectStorageToEventsOperator": _SENDING,
    "DispatchEventsOperator": (
        RequiredActions(("sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:ReceiveMessage")),
        RequiredActions(("kms:Decrypt",), "the queue is encrypted with a key of your own"),
    ),
    "EventSensor": (
        RequiredActions(("sqs:ChangeMessageVisibility", "sqs:ReceiveMessage")),
        RequiredActions(("kms:Decrypt",), "the queue is encrypted with a key of your own"),
    ),
    "@task.put_events": _SENDING,
    "EventQueueTrigger": (
        RequiredActions(("sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:ReceiveMessage")),
        RequiredActions(("kms:Decrypt",), "the queue is encrypted with a key of your own"),
    ),
}


def operator_policy(operators: Iterable[str]) -> Policy:
    """
    Return the IAM policy of a DAG: all that its operators may call. Restrict its resources to your own.

    :param operators: names of operators, such as ``PutRuleOperator``.
    :return: the document.
    :raises KeyError: if there is no such operator.
    """
    actions = {action for name in operators for required in OPERATOR_NEEDS[name] for action in required.actions}
    plain = sorted(actions - {"iam:PassRole"})
    statements: list[Statement] = [{"Effect": "Allow", "Action": plain, "Resource": "*"}]
    if "iam:PassRole" in actions:
        statements.append(
            {
                "Effect": "Allow",
                "Action": "iam:PassRole",
                "Resource": "*",
                "Condition": {"StringEquals": {"iam:PassedToService": "events.amazonaws.com"}},
            }
        )
    return document(statements)
