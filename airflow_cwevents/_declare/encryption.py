"""Whether EventBridge can use the KMS keys of encrypted queues and topics, as far as AWS shows it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from botocore.exceptions import ClientError

from airflow_cwevents._aws.arns import Arn
from airflow_cwevents._aws.errors import is_not_found
from airflow_cwevents._declare.diagnosis_report import Finding
from airflow_cwevents._declare.document_policies import DocumentPolicy
from airflow_cwevents._declare.resource_policies import resource_policy
from airflow_cwevents.iam.evaluation import Invocation, evaluate

Clients = Callable[[str], Any]

_KEY_ACTIONS = ("kms:Decrypt", "kms:GenerateDataKey")
_PAGE = "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-troubleshooting.html"
_NOUNS = {"sqs": "queue", "sns": "topic"}


def encryption_findings(clients: Clients, target: Mapping[str, Any]) -> Iterator[Finding]:
    """
    Check whether EventBridge can use the keys of a queue or topic and of a dead-letter queue.

    Whether EventBridge can use a key through the target's role is not known.

    :param clients: returns the boto3 client of a service.
    :param target: the target, as PutTargets takes it.
    :return: a problem for each key that EventBridge cannot use. A missing queue or topic has none.
    :raises botocore.exceptions.ClientError: if the credentials do not allow the check.
    """
    arn = Arn.parse(target["Arn"])
    if arn and arn.service in _NOUNS:
        for finding in _findings(clients, arn, _NOUNS[arn.service]):
            yield _unless_role_may(finding) if target.get("RoleArn") else finding
    dead = Arn.parse((target.get("DeadLetterConfig") or {}).get("Arn", ""))
    if dead and dead.service == "sqs":
        yield from _findings(clients, dead, "dead-letter queue")


def _unless_role_may(finding: Finding) -> Finding:
    return replace(finding, severity="unknown", text=f"unless the role may use the key: {finding.text}")


def _findings(clients: Clients, arn: Arn, noun: str) -> Iterator[Finding]:
    if key_id := _key_of(clients, arn):
        yield from key_findings(clients, arn.service, key_id, noun)


def key_findings(clients: Clients, service: str, key_id: str, noun: str) -> Iterator[Finding]:
    """
    Check whether EventBridge can use a key.

    :param clients: returns the boto3 client of a service.
    :param service: what the key encrypts, ``sqs`` or ``sns``.
    :param key_id: ARN, id or alias of the key.
    :param noun: how a finding names what the key encrypts.
    :return: a problem if EventBridge cannot use it.
    :raises botocore.exceptions.ClientError: if the credentials do not allow the check.
    """
    own_key = "Use a KMS key of your own" + (", or SSE-SQS" if service == "sqs" else "")
    if "alias/aws/" in key_id:  # known without permission to read keys
        yield Finding("problem", _managed_text(noun, key_id), own_key)
        return
    kms = clients("kms")
    try:
        key = kms.describe_key(KeyId=key_id)["KeyMetadata"]
    except ClientError as error:
        if not is_not_found(error):
            raise
        yield Finding("problem", f"the KMS key of the {noun} does not exist: {key_id}", own_key)
        return
    if key.get("KeyManager") == "AWS":
        yield Finding("problem", _managed_text(noun, key_id), own_key)
    elif missing := _missing_actions(kms, key["Arn"]):
        text = f"the KMS key of the {noun} does not allow EventBridge {' and '.join(missing)}: {key['Arn']}"
        fix = f"Allow it to events.amazonaws.com in the key's policy, without a source condition; see {_PAGE}"
        yield Finding("problem", text, fix)


def _managed_text(noun: str, key_id: str) -> str:
    return f"EventBridge cannot use the KMS key of the {noun}, which AWS manages: {key_id}"


def _key_of(clients: Clients, arn: Arn) -> str | None:
    policy = resource_policy(clients, arn)
    assert isinstance(policy, DocumentPolicy)  # noqa: S101 - queues and topics have one
    try:
        return policy.attributes().get("KmsMasterKeyId")
    except ClientError as error:
        if is_not_found(error):
            return None
        raise


def _missing_actions(kms: Any, key_arn: str) -> list[str]:
    policy = json.loads(kms.get_key_policy(KeyId=key_arn, PolicyName="default")["Policy"])
    # EventBridge's requests to KMS carry neither the rule nor its account
    return [
        action
        for action in _KEY_ACTIONS
        if evaluate(policy, Invocation(action, key_arn, None, source_account_known=False)) == "denied"
    ]
