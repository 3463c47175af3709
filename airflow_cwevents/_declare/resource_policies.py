"""The policies of queues, topics, functions and log groups: read, and changed without losing anything."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from airflow_cwevents._aws.errors import code_of, is_not_found
from airflow_cwevents._aws.retries import RetryWaits, call_with_retries
from airflow_cwevents.iam.documents import (
    POLICY_VERSION,
    Policy,
    Statement,
    default_topic_policy,
    holds_statements,
    statements_of,
    with_statements,
    without_statements,
)

if TYPE_CHECKING:
    from tenacity.wait import wait_base

    from airflow_cwevents._aws.arns import Arn

CHANGE_ATTEMPTS = 10
# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutResourcePolicy.html
MAX_LOGS_POLICY_LENGTH = 5120
LOGS_POLICY_NAME = "airflow-cwevents"
# CloudWatch Logs' and Lambda's words for: another task changes the same at this moment
_CONFLICT_CODES = frozenset({"OperationAbortedException", "ResourceConflictException"})


class PolicyOverwrittenError(Exception):
    """Other writers undid every change of a policy."""


class ResourcePolicy(ABC):
    """
    The policy of one resource.

    AWS has no way to change a queue's, topic's or log group's policy only if nobody else has: two tasks that read,
    add and write at the same time lose what one of them added. So a change is made, and looked for again after a
    while that is longer than the others need between their reading and writing; if it is gone, it is made again.

    :param client: the boto3 client of the resource's service.
    :param arn: the resource's ARN.
    :param settle: how long to wait after a change before looking for it, in seconds.
    """

    def __init__(self, client: Any, arn: Arn, settle: wait_base = RetryWaits.policy) -> None:
        self.client = client
        self.arn = arn
        self._settle = settle

    @abstractmethod
    def read(self) -> Policy | None:
        """
        Read the policy.

        :return: the policy, or None if the resource has none.
        :raises botocore.exceptions.ClientError: if the resource does not exist, or must not be read.
        """

    @abstractmethod
    def _add_missing(self, statements: Sequence[Statement]) -> bool:
        """Add the statements unless they are there; return whether they were."""

    @abstractmethod
    def _remove_present(self, statements: Sequence[Statement]) -> bool:
        """Remove the statements unless they are gone; return whether they were."""

    def add(self, statements: Sequence[Statement]) -> None:
        """
        Make sure that the policy has statements, beside all that it has.

        :param statements: the statements, each with a ``Sid``.
        :raises PolicyOverwrittenError: if others kept on overwriting them.
        """
        self._until_true(lambda: self._add_missing(statements))

    def remove(self, statements: Sequence[Statement]) -> None:
        """
        Make sure that the policy has not the statements, and still all the others.

        :param statements: the statements, known by their ``Sid``.
        :raises PolicyOverwrittenError: if others kept on adding them again.
        """
        self._until_true(lambda: self._remove_present(statements))

    def _until_true(self, step: Callable[[], bool]) -> None:
        done = call_with_retries(
            step, wait=self._settle, attempts=CHANGE_ATTEMPTS, is_transient=_is_conflict, is_done=bool
        )
        if not done:
            raise PolicyOverwrittenError(f"the policy of {self.arn} was overwritten {CHANGE_ATTEMPTS} times")


class DocumentPolicy(ResourcePolicy):
    """A policy that is read and written as a whole."""

    @abstractmethod
    def _write(self, policy: Policy | None) -> None:
        """Write the policy; None for none."""

    def _add_missing(self, statements: Sequence[Statement]) -> bool:
        policy = self.read()
        if holds_statements(policy, statements):
            return True
        self._write(with_statements(policy, statements))
        return False

    def _remove_present(self, statements: Sequence[Statement]) -> bool:
        policy = self.read()
        if policy is None or _sids(policy).isdisjoint(_sids({"Statement": list(statements)})):
            return True
        self._write(without_statements(policy, statements))
        return False


class QueuePolicy(DocumentPolicy):
    """
    The policy of an SQS queue.

    .. seealso:: :external+boto3:py:meth:`SQS.Client.set_queue_attributes`
    """

    def attributes(self) -> dict[str, str]:
        """Return all attributes of the queue."""
        response = self.client.get_queue_attributes(QueueUrl=self._url(), AttributeNames=["All"])
        return dict(response.get("Attributes") or {})

    def read(self) -> Policy | None:
        """Read the queue's policy."""
        return _loads(self.attributes().get("Policy"))

    def _write(self, policy: Policy | None) -> None:
        text = json.dumps(policy) if policy else ""
        self.client.set_queue_attributes(QueueUrl=self._url(), Attributes={"Policy": text})

    def _url(self) -> str:
        response = self.client.get_queue_url(QueueName=self.arn.resource, QueueOwnerAWSAccountId=self.arn.account)
        return str(response["QueueUrl"])


class TopicPolicy(DocumentPolicy):
    """
    The policy of an SNS topic. SNS refuses an empty one: when nothing is left, the topic gets that of a new one again.

    .. seealso:: :external+boto3:py:meth:`SNS.Client.set_topic_attributes`
    """

    def attributes(self) -> dict[str, str]:
        """Return all attributes of the topic."""
        return dict(self.client.get_topic_attributes(TopicArn=str(self.arn))["Attributes"])

    def read(self) -> Policy | None:
        """Read the topic's policy."""
        return _loads(self.attributes().get("Policy"))

    def _write(self, policy: Policy | None) -> None:
        text = json.dumps(policy or default_topic_policy(self.arn))
        self.client.set_topic_attributes(TopicArn=str(self.arn), AttributeName="Policy", AttributeValue=text)


class FunctionPolicy(ResourcePolicy):
    """
    The policy of a Lambda function, version or alias, to which AWS adds single statements.

    .. seealso:: :external+boto3:py:meth:`Lambda.Client.add_permission`
    """

    def read(self) -> Policy | None:
        """Read the function's policy."""
        try:
            return _loads(self.client.get_policy(**self._function())["Policy"])
        except ClientError as error:
            if not is_not_found(error):
                raise
        self.client.get_function_configuration(**self._function())  # raises if it is the function that is missing
        return None

    def _add_missing(self, statements: Sequence[Statement]) -> bool:
        present = {statement.get("Sid"): statement for statement in statements_of(self.read())}
        for statement in statements:
            source_arn = statement["Condition"]["ArnEquals"]["aws:SourceArn"]
            if found := present.get(statement["Sid"]):
                if source_arn in json.dumps(found.get("Condition")):
                    continue
                self._remove(statement)
            self.client.add_permission(
                **self._function(),
                StatementId=statement["Sid"],
                Action=statement["Action"],
                Principal=statement["Principal"]["Service"],
                SourceArn=source_arn,
            )
        return True

    def _remove_present(self, statements: Sequence[Statement]) -> bool:
        present = _sids(self.read())
        for statement in statements:
            if statement["Sid"] in present:
                self._remove(statement)
        return True

    def _remove(self, statement: Statement) -> None:
        self.client.remove_permission(**self._function(), StatementId=statement["Sid"])

    def _function(self) -> dict[str, str]:
        """
        Name the function and, where the ARN ends in one, its version or alias, which has a policy of its own.

        ``$LATEST`` has none: https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html
        """
        _, name, *qualifier = self.arn.resource.split(":")
        named = {"FunctionName": str(self.arn._replace(resource=f"function:{name}"))}
        return named if qualifier in ([], ["$LATEST"]) else {**named, "Qualifier": qualifier[0]}


class LogsPolicy(ResourcePolicy):
    """
    The resource policies of CloudWatch Logs, which an account has ten of in a region, for all log groups together.

    Ours share one, and begin another when that is full: ten rules would use up the account's otherwise.

    .. seealso:: :external+boto3:py:meth:`CloudWatchLogs.Client.put_resource_policy`
    """

    def read(self) -> Policy | None:
        """Read all policies as one."""
        statements = [statement for policy in self._policies().values() for statement in statements_of(policy)]
        return {"Version": POLICY_VERSION, "Statement": statements} if statements else None

    def _add_missing(self, statements: Sequence[Statement]) -> bool:
        policies = self._policies()
        if any(holds_statements(policy, statements) for policy in policies.values()):
            return True
        for name in _numbered(LOGS_POLICY_NAME):
            text = json.dumps(with_statements(policies.get(name), statements), separators=(",", ":"))
            if len(text) <= MAX_LOGS_POLICY_LENGTH:
                self.client.put_resource_policy(policyName=name, policyDocument=text)
                break
        return False

    def _remove_present(self, statements: Sequence[Statement]) -> bool:
        sids = _sids({"Statement": list(statements)})
        found = {name: policy for name, policy in self._policies().items() if not sids.isdisjoint(_sids(policy))}
        for name, policy in found.items():
            if left := without_statements(policy, statements):
                text = json.dumps(left, separators=(",", ":"))
                self.client.put_resource_policy(policyName=name, policyDocument=text)
            else:
                self.client.delete_resource_policy(policyName=name)
        return not found

    def _policies(self) -> dict[str, Policy]:
        return {policy["policyName"]: json.loads(policy["policyDocument"]) for policy in self._pages()}

    def _pages(self) -> Iterator[dict[str, str]]:
        page = self.client.describe_resource_policies()
        yield from page["resourcePolicies"]
        while token := page.get("nextToken"):
            page = self.client.describe_resource_policies(nextToken=token)
            yield from page["resourcePolicies"]


POLICY_CLASSES: Mapping[str, type[ResourcePolicy]] = {
    "lambda": FunctionPolicy,
    "sqs": QueuePolicy,
    "sns": TopicPolicy,
    "logs": LogsPolicy,
}


def resource_policy(clients: Callable[[str], Any], arn: Arn, settle: wait_base = RetryWaits.policy) -> ResourcePolicy:
    """
    Return access to the policy of a resource.

    :param clients: returns the boto3 client of a service.
    :param arn: the ARN of a Lambda function, SQS queue, SNS topic or log group.
    :param settle: how long to wait after a change before looking for it, in seconds.
    :return: its policy.
    """
    return POLICY_CLASSES[arn.service](clients(arn.service), arn, settle)


def _is_conflict(error: BaseException) -> bool:
    return code_of(error) in _CONFLICT_CODES


def _loads(text: str | None) -> Policy | None:
    policy: Policy | None = json.loads(text) if text else None
    return policy


def _sids(policy: Policy | None) -> set[str | None]:
    return {statement.get("Sid") for statement in statements_of(policy)}


def _numbered(name: str) -> Iterator[str]:
    yield name
    number = 2
    while True:
        yield f"{name}-{number}"
        number += 1
