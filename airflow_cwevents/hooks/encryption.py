"""Whether EventBridge can use the key of an encrypted queue or topic, as far as AWS shows it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow_cwevents.hooks.resource_policies import QueuePolicy, TopicPolicy
from airflow_cwevents.policy_evaluation import Invocation, evaluate

if TYPE_CHECKING:
    from airflow_cwevents.arns import Arn
    from airflow_cwevents.hooks.permissions import PermissionsHook

_KEY_ACTIONS = ("kms:Decrypt", "kms:GenerateDataKey")
_README = "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-troubleshooting.html"


def encryption_problem(hook: PermissionsHook, arn: Arn | None) -> str | None:
    """
    Look whether the key of a queue or topic lets EventBridge in.

    :param hook: gives access to AWS.
    :param arn: the target's ARN.
    :return: what is wrong and what to do; None if nothing is, or it is no encrypted queue or topic.
    :raises botocore.exceptions.ClientError: if we are not allowed to look.
    """
    policy = hook.resource_policy(arn) if arn and arn.service in ("sqs", "sns") else None
    if not isinstance(policy, QueuePolicy | TopicPolicy):
        return None
    key_id = policy.attributes().get("KmsMasterKeyId")
    if not key_id:
        return None
    if key_id.rsplit("/", 1)[-1] in ("sqs", "sns") and "alias/aws/" in key_id:
        return (
            f"it is encrypted with {key_id}, whose policy nobody can change, so EventBridge cannot deliver to it. "
            f"Encrypt it with a key of your own, or with SSE-SQS. See {_README}"
        )
    return _key_problem(hook.client("kms"), key_id)


def _key_problem(kms: Any, key_id: str) -> str | None:
    key_arn = kms.describe_key(KeyId=key_id)["KeyMetadata"]["Arn"]
    policy = json.loads(kms.get_key_policy(KeyId=key_arn, PolicyName="default")["Policy"])
    # EventBridge names neither the rule nor its account to KMS
    lacking = [
        action
        for action in _KEY_ACTIONS
        if evaluate(policy, Invocation(action, key_arn, None, source_account_known=False)) == "denied"
    ]
    if not lacking:
        return None
    return (
        f"it is encrypted with {key_arn}, whose policy does not let events.amazonaws.com {' and '.join(lacking)}, "
        f"so EventBridge cannot deliver to it. Add that, without a condition on the source. See {_README}"
    )
