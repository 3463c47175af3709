"""Whether EventBridge can use the keys of encrypted queues and topics, as far as AWS shows it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from airflow_cwevents._aws.arns import Arn
from airflow_cwevents._aws.errors import is_not_found
from airflow_cwevents._declare.diagnosis_report import Finding
from airflow_cwevents._declare.resource_policies import QueuePolicy, TopicPolicy, resource_policy
from airflow_cwevents.iam.evaluation import Invocation, evaluate

Clients = Callable[[str], Any]

_KEY_ACTIONS = ("kms:Decrypt", "kms:GenerateDataKey")
_REMEDY_PAGE = "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-troubleshooting.html"


def encryption_findings(clients: Clients, target: Mapping[str, Any]) -> Iterator[Finding]:
    """
    Look whether the key of a queue or topic lets EventBridge in, and that of a dead-letter queue.

    Whether EventBridge can use the key through the role of the target is not known.

    :param clients: returns the boto3 client of a service.
    :param target: the target, as PutTargets takes it.
    :return: what is wrong and what to do about it, one for each key. A queue or topic that is gone has none.
    :raises botocore.exceptions.ClientError: if we are not allowed to look.
    """
    role_arn = target.get("RoleArn")
    if problem := _encryption_problem(clients, target["Arn"]):
        unless = f"Unless role {role_arn} may use the key: " if role_arn else ""
        yield Finding("unknown" if role_arn else "problem", f"{unless}{problem}")
    if problem := _encryption_problem(clients, (target.get("DeadLetterConfig") or {}).get("Arn", "")):
        yield Finding("problem", problem)


def _encryption_problem(clients: Clients, text: str) -> str | None:
    arn = Arn.parse(text)
    key_id = _key_of(clients, arn) if arn else None
    problem = _key_problem(clients, key_id) if key_id else None
    return f"{arn} is encrypted with {problem}. See {_REMEDY_PAGE}" if problem else None


def _key_of(clients: Clients, arn: Arn) -> str | None:
    policy = resource_policy(clients, arn) if arn.service in ("sqs", "sns") else None
    if not isinstance(policy, QueuePolicy | TopicPolicy):
        return None
    try:
        return policy.attributes().get("KmsMasterKeyId")
    except ClientError as error:
        if is_not_found(error):
            return None
        raise


def _key_problem(clients: Clients, key_id: str) -> str | None:
    if "alias/aws/" in key_id:  # known without permission to look at keys
        return _managed_key_problem(key_id)
    kms = clients("kms")
    try:
        key = kms.describe_key(KeyId=key_id)["KeyMetadata"]
    except ClientError as error:
        if is_not_found(error):
            return f"{key_id}, which does not exist, so EventBridge cannot deliver to it"
        raise
    if key.get("KeyManager") == "AWS":
        return _managed_key_problem(key_id)
    return _policy_problem(kms, key["Arn"])


def _managed_key_problem(key_id: str) -> str:
    return (
        f"{key_id}, whose policy nobody can change, so EventBridge cannot deliver to it. Encrypt it with a key of "
        "your own, or with SSE-SQS"
    )


def _policy_problem(kms: Any, key_arn: str) -> str | None:
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
        f"{key_arn}, whose policy does not let events.amazonaws.com {' and '.join(lacking)}, so EventBridge cannot "
        "deliver to it. Add that, without a condition on the source"
    )
