"""Read and change the policies of functions, queues, topics and log groups without losing others' statements."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from airflow_cwevents._aws.errors import is_not_found
from airflow_cwevents._aws.retries import RetryWaits
from airflow_cwevents._declare.document_policies import (
    QueuePolicy,
    ResourcePolicy,
    TopicPolicy,
    parse_policy,
    sids_of,
)
from airflow_cwevents.iam.documents import (
    Policy,
    Statement,
    document,
    holds_statements,
    statements_of,
    with_statements,
    without_statements,
)

if TYPE_CHECKING:
    from tenacity.wait import wait_base

    from airflow_cwevents._aws.arns import Arn
    from airflow_cwevents.iam.grants import Grant

# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutResourcePolicy.html
MAX_LOGS_POLICY_LENGTH = 5120
LOGS_POLICY_NAME = "airflow-cwevents"


class FunctionPolicy(ResourcePolicy):
    """
    The policy of a Lambda function, version or alias, to which AWS adds single statements.

    .. seealso:: :external+boto3:py:meth:`Lambda.Client.add_permission`
    """

    def read(self) -> Policy | None:
        """Read the function's policy."""
        try:
            return parse_policy(self.client.get_policy(**self._function())["Policy"])
        except ClientError as error:
            if not is_not_found(error):
                raise
        self.client.get_function_configuration(**self._function())  # raises if the function itself is missing
        return None

    def _add_missing(self, grants: Sequence[Grant]) -> bool:
        present = {statement.get("Sid"): statement for statement in statements_of(self.read())}
        for grant in grants:
            if found := present.get(grant.sid):
                if _has_source_only(found, grant.source_arn):
                    continue
                self._remove(grant)
            self._add(grant)
        return True

    def _remove_present(self, grants: Sequence[Grant]) -> bool:
        present = sids_of(self.read())
        for grant in grants:
            if grant.sid in present:
                self._remove(grant)
        return True

    def _add(self, grant: Grant) -> None:
        source = {"SourceArn": grant.source_arn} if grant.source_arn else {}
        self.client.add_permission(
            **self._function(), StatementId=grant.sid, Action=grant.action, Principal=grant.principals[0], **source
        )

    def _remove(self, grant: Grant) -> None:
        self.client.remove_permission(**self._function(), StatementId=grant.sid)

    def _function(self) -> dict[str, str]:
        """
        Return the members that name the function and, if the ARN ends in one, its version or alias.

        A version or alias has a policy of its own; ``$LATEST`` has none:
        https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html
        """
        _, name, *qualifier = self.arn.resource.split(":")
        named = {"FunctionName": str(self.arn._replace(resource=f"function:{name}"))}
        return named if qualifier in ([], ["$LATEST"]) else {**named, "Qualifier": qualifier[0]}


class LogsPolicy(ResourcePolicy):
    """
    The resource policies of CloudWatch Logs: ten in an account and region, for all log groups together.

    Our grants share one, and begin another when that is full: otherwise ten rules would use up the quota.

    .. seealso:: :external+boto3:py:meth:`CloudWatchLogs.Client.put_resource_policy`
    """

    def read(self) -> Policy | None:
        """Read all policies as one."""
        statements = [statement for policy in self._policies().values() for statement in statements_of(policy)]
        return document(statements) if statements else None

    def _add_missing(self, grants: Sequence[Grant]) -> bool:
        policies, statements = self._policies(), [grant.statement for grant in grants]
        if any(holds_statements(policy, statements) for policy in policies.values()):
            return True
        for name in _numbered(LOGS_POLICY_NAME):
            text = _compact(with_statements(policies.get(name), statements))
            if len(text) <= MAX_LOGS_POLICY_LENGTH:
                self.client.put_resource_policy(policyName=name, policyDocument=text)
                break
        return False

    def _remove_present(self, grants: Sequence[Grant]) -> bool:
        sids = {grant.sid for grant in grants}
        found = {name: policy for name, policy in self._policies().items() if not sids.isdisjoint(sids_of(policy))}
        for name, policy in found.items():
            if left := without_statements(policy, [grant.statement for grant in grants]):
                self.client.put_resource_policy(policyName=name, policyDocument=_compact(left))
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
    :param settle: how long to wait before a change is read back, in seconds.
    :return: its policy.
    """
    return POLICY_CLASSES[arn.service](clients(arn.service), arn, settle)


def _has_source_only(statement: Statement, source_arn: str | None) -> bool:
    """Return whether a statement has no condition but the source, which AWS returns under a key of its own spelling."""
    values = [value for keys in (statement.get("Condition") or {}).values() for value in keys.values()]
    return values == ([source_arn] if source_arn else [])


def _compact(policy: Policy) -> str:
    return json.dumps(policy, separators=(",", ":"))


def _numbered(name: str) -> Iterator[str]:
    yield name
    for number in count(2):
        yield f"{name}-{number}"
