"""IAM policy documents, built and edited statement by statement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_cwevents._aws.arns import Arn

SERVICE = "events.amazonaws.com"
POLICY_VERSION = "2012-10-17"
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


def trust_policy(rule_arn: str | None = None) -> Policy:
    """
    Return the trust relationship of a role that EventBridge assumes.

    :param rule_arn: the rule on whose behalf EventBridge may assume the role; region and name may have wildcards.
        None for any rule of any account.
    :return: the document, for IAM's ``AssumeRolePolicyDocument``.

    .. seealso::
        https://docs.aws.amazon.com/eventbridge/latest/userguide/cross-service-confused-deputy-prevention.html
    """
    statement: Statement = {"Effect": "Allow", "Principal": {"Service": SERVICE}, "Action": "sts:AssumeRole"}
    if rule_arn:
        account = rule_arn.split(":")[4]
        statement["Condition"] = {
            "StringEquals": {"aws:SourceAccount": account},
            "ArnLike": {"aws:SourceArn": rule_arn},
        }
    return document([statement])


def tutorial_role_policy(role_name: str = "AWS_Events_Invoke_Targets") -> Policy:
    """
    Return the role policy of AWS's tutorial "Sending events to CloudWatch Events": all actions of ``events``.

    :param role_name: the role that may be passed to EventBridge.
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


def default_topic_policy(topic: Arn) -> Policy:
    """
    Return the policy that SNS creates for a new topic; a topic cannot be without a policy.

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
    """Return a policy with these statements."""
    return {"Version": POLICY_VERSION, "Statement": list(statements)}


def statements_of(policy: Mapping[str, Any] | None) -> list[Statement]:
    """Return the statements of a policy, which need no list if there is only one; none for no policy."""
    statements = (policy or {}).get("Statement") or []
    return [dict(statements)] if isinstance(statements, Mapping) else [dict(statement) for statement in statements]


def with_statements(policy: Mapping[str, Any] | None, added: Sequence[Statement]) -> Policy:
    """
    Add statements to a policy, and replace those with the same ``Sid``. All others stay, in their order.

    :param policy: the policy; None if there is none yet.
    :param added: the statements, each with a ``Sid``.
    :return: a new policy.
    """
    sids = {statement["Sid"] for statement in added}
    kept = [statement for statement in statements_of(policy) if statement.get("Sid") not in sids]
    return {**(policy or {"Version": POLICY_VERSION}), "Statement": [*kept, *added]}


def without_statements(policy: Mapping[str, Any], removed: Sequence[Statement]) -> Policy | None:
    """
    Remove statements from a policy. All others stay, in their order.

    :param policy: the policy.
    :param removed: the statements, identified by their ``Sid``.
    :return: a new policy; None if no statement is left.
    """
    sids = {statement["Sid"] for statement in removed}
    kept = [statement for statement in statements_of(policy) if statement.get("Sid") not in sids]
    return {**policy, "Statement": kept} if kept else None


def holds_statements(policy: Mapping[str, Any] | None, statements: Sequence[Statement]) -> bool:
    """Return whether a policy has all the statements unchanged; AWS returns a list of one item as the item."""
    present = {statement.get("Sid"): _canonical(statement) for statement in statements_of(policy)}
    return all(present.get(statement["Sid"]) == _canonical(statement) for statement in statements)


def _canonical(statement: Mapping[str, Any]) -> object:
    def unwrapped(value: object) -> object:
        if isinstance(value, Mapping):
            return {key: unwrapped(item) for key, item in value.items()}
        if isinstance(value, list):
            return unwrapped(value[0]) if len(value) == 1 else sorted(map(repr, map(unwrapped, value)))
        return value

    return unwrapped(statement)
