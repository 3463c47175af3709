"""The policies of queues and topics, which are read and written as a whole, and what all resource policies share."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from airflow_cwevents._aws.errors import code_of
from airflow_cwevents._aws.retries import RetryWaits, call_with_retries
from airflow_cwevents.iam.documents import (
    Policy,
    default_topic_policy,
    holds_statements,
    statements_of,
    with_statements,
    without_statements,
)

if TYPE_CHECKING:
    from tenacity.wait import wait_base

    from airflow_cwevents._aws.arns import Arn
    from airflow_cwevents.iam.grants import Grant

CHANGE_ATTEMPTS = 10
# The codes with which CloudWatch Logs and Lambda report that another task changes the same policy at the moment.
_CONFLICT_CODES = frozenset({"OperationAbortedException", "ResourceConflictException"})


class PolicyOverwrittenError(Exception):
    """Other writers overwrote every change of a policy."""


class ResourcePolicy(ABC):
    """
    The policy of one resource.

    AWS cannot change the policy of a queue, topic or log group on the condition that nobody else has changed it: of
    two tasks that read, add and write at the same time, one loses its statement. So a change is read back after a
    wait that is longer than the others need between reading and writing, and made again if it was overwritten.

    :param client: the boto3 client of the resource's service.
    :param arn: the resource's ARN.
    :param settle: how long to wait before a change is read back, in seconds.
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
        :raises botocore.exceptions.ClientError: if the resource does not exist, or may not be read.
        """

    @abstractmethod
    def _add_missing(self, grants: Sequence[Grant]) -> bool:
        """Add the grants that are missing; return whether none needs to be read back."""

    @abstractmethod
    def _remove_present(self, grants: Sequence[Grant]) -> bool:
        """Remove the grants that are present; return whether none needs to be read back."""

    def add(self, grants: Sequence[Grant]) -> None:
        """
        Make sure that the policy has the statements of grants. Other statements stay.

        :param grants: the grants.
        :raises PolicyOverwrittenError: if other tasks overwrote every attempt.
        """
        self._until_true(lambda: self._add_missing(grants))

    def remove(self, grants: Sequence[Grant]) -> None:
        """
        Make sure that the policy does not have the statements of grants. Other statements stay.

        :param grants: the grants, identified by their ``sid``.
        :raises PolicyOverwrittenError: if other tasks overwrote every attempt.
        """
        self._until_true(lambda: self._remove_present(grants))

    def _until_true(self, step: Callable[[], bool]) -> None:
        done = call_with_retries(
            step, wait=self._settle, attempts=CHANGE_ATTEMPTS, is_transient=_is_conflict, is_done=bool
        )
        if not done:
            raise PolicyOverwrittenError(f"the policy of {self.arn} was overwritten {CHANGE_ATTEMPTS} times")


class DocumentPolicy(ResourcePolicy):
    """A policy that is read and written as a whole."""

    @abstractmethod
    def attributes(self) -> dict[str, str]:
        """Return all attributes of the resource."""

    @abstractmethod
    def _write(self, policy: Policy | None) -> None:
        """Write the policy; None removes it."""

    def read(self) -> Policy | None:
        """Read the resource's policy."""
        return parse_policy(self.attributes().get("Policy"))

    def _add_missing(self, grants: Sequence[Grant]) -> bool:
        policy, statements = self.read(), [grant.statement for grant in grants]
        if holds_statements(policy, statements):
            return True
        self._write(with_statements(policy, statements))
        return False

    def _remove_present(self, grants: Sequence[Grant]) -> bool:
        policy = self.read()
        if policy is None or sids_of(policy).isdisjoint(grant.sid for grant in grants):
            return True
        self._write(without_statements(policy, [grant.statement for grant in grants]))
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

    def _write(self, policy: Policy | None) -> None:
        text = json.dumps(policy) if policy else ""
        self.client.set_queue_attributes(QueueUrl=self._url(), Attributes={"Policy": text})

    def _url(self) -> str:
        response = self.client.get_queue_url(QueueName=self.arn.resource, QueueOwnerAWSAccountId=self.arn.account)
        return str(response["QueueUrl"])


class TopicPolicy(DocumentPolicy):
    """
    The policy of an SNS topic. SNS refuses an empty one: a topic without other statements gets the default policy.

    .. seealso:: :external+boto3:py:meth:`SNS.Client.set_topic_attributes`
    """

    def attributes(self) -> dict[str, str]:
        """Return all attributes of the topic."""
        return dict(self.client.get_topic_attributes(TopicArn=str(self.arn))["Attributes"])

    def _write(self, policy: Policy | None) -> None:
        text = json.dumps(policy or default_topic_policy(self.arn))
        self.client.set_topic_attributes(TopicArn=str(self.arn), AttributeName="Policy", AttributeValue=text)


def parse_policy(text: str | None) -> Policy | None:
    """Return a policy from its JSON string; None for no string."""
    policy: Policy | None = json.loads(text) if text else None
    return policy


def sids_of(policy: Policy | None) -> set[str | None]:
    """Return the ``Sid`` of each statement of a policy."""
    return {statement.get("Sid") for statement in statements_of(policy)}


def _is_conflict(error: BaseException) -> bool:
    return code_of(error) in _CONFLICT_CODES
