"""What EventBridge needs to invoke targets, granted for one rule, and taken back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from airflow_cwevents._aws.arns import Arn
from airflow_cwevents._aws.errors import is_not_found, message_of
from airflow_cwevents._aws.json_text import to_json_text
from airflow_cwevents._declare.encryption import encryption_findings
from airflow_cwevents._declare.resource_policies import (
    POLICY_CLASSES,
    PolicyOverwrittenError,
    ResourcePolicy,
    resource_policy,
)
from airflow_cwevents.exceptions import GrantPermissionsError, RevokePermissionsError
from airflow_cwevents.iam.documents import (
    Policy,
    Statement,
    dead_letter_statements,
    resource_statements,
    with_statements,
)
from airflow_cwevents.iam.evaluation import Invocation, Verdict, evaluate
from airflow_cwevents.iam.operator_actions import ENCRYPTION_ACTIONS
from airflow_cwevents.iam.roles import role_doubt

if TYPE_CHECKING:
    from tenacity.wait import wait_base

    from airflow_cwevents._aws.logger import Logger

_FAILURES = (ClientError, BotoCoreError, PolicyOverwrittenError)
_NOT_WRITABLE = "grant_permissions does not change that policy"


class RequiredGrant(NamedTuple):
    """
    The statements that one resource's policy needs for a rule to reach a target.

    :ivar target_id: the target's id.
    :ivar arn: the resource: the target itself, or its dead-letter queue.
    :ivar statements: the statements.
    """

    target_id: str
    arn: Arn
    statements: list[Statement]


def required_grants(targets: Iterable[Mapping[str, Any]], rule_arn: str) -> Iterator[RequiredGrant]:
    """
    Tell what resource policies need for a rule to reach its targets.

    :param targets: the targets, as PutTargets takes them.
    :param rule_arn: the rule's ARN.
    :return: a need for each target and each dead-letter queue that relies on its own policy.
    """
    for target in targets:
        for arn, statements in (
            (Arn.parse(target["Arn"]), resource_statements(target, rule_arn)),
            (
                Arn.parse((target.get("DeadLetterConfig") or {}).get("Arn", "")),
                dead_letter_statements(target, rule_arn),
            ),
        ):
            if arn and statements:
                yield RequiredGrant(target["Id"], arn, statements)


class Permissions:
    """
    The resource policies that allow EventBridge to invoke targets.

    :param clients: returns the boto3 client of a service.
    :param log: where to log to.
    :param wait: how long to wait before a changed policy is read again, in seconds.
    """

    def __init__(self, clients: Callable[[str], Any], log: Logger, wait: wait_base) -> None:
        self._clients = clients
        self._log = log
        self._wait = wait

    def grant(self, rule_arn: str, targets: Iterable[Mapping[str, Any]]) -> None:
        """
        Let EventBridge invoke targets on behalf of a rule, where that hangs on the policies of the targets.

        A policy that lets it in already is left alone. Other statements stay as they are. The policies of API Gateway
        are left to those who deploy the API; what they need is logged.

        :param rule_arn: the rule's ARN.
        :param targets: the targets, as PutTargets takes them. Those with a role need nothing.
        :raises GrantPermissionsError: if a policy could not be changed.
        """
        for need in required_grants(targets, rule_arn):
            if need.arn.service not in POLICY_CLASSES:
                self._log_need(self._log.warning, need, _NOT_WRITABLE)
                continue
            try:
                self._grant(need, rule_arn)
            except _FAILURES as error:
                raise GrantPermissionsError(need.target_id, str(need.arn), _cause(error)) from error

    def revoke(
        self,
        rule_arn: str,
        targets: Iterable[Mapping[str, Any]],
        kept: Iterable[Mapping[str, Any]] = (),
    ) -> None:
        """
        Take back what :meth:`grant` granted, and nothing else. All is tried, even if some of it fails.

        :param rule_arn: the rule's ARN.
        :param targets: the targets. Resources that are gone are passed over.
        :param kept: the rule's other targets, which keep what they need.
        :raises RevokePermissionsError: if policies could not be changed.
        """
        kept_sids = {statement["Sid"] for need in required_grants(kept, rule_arn) for statement in need.statements}
        failed: list[GrantPermissionsError] = []
        for need in required_grants(targets, rule_arn):
            surplus = [statement for statement in need.statements if statement["Sid"] not in kept_sids]
            try:
                self._revoke(need._replace(statements=surplus), rule_arn)
            except GrantPermissionsError as error:
                failed.append(error)
        if failed:
            raise RevokePermissionsError(failed) from failed[0]

    def log_required(self, rule_arn: str, targets: Iterable[Mapping[str, Any]]) -> None:
        """
        Log the statements that the policies of targets need, for those who add them by other means.

        :param rule_arn: the rule's ARN.
        :param targets: the targets, as PutTargets takes them.
        """
        for need in required_grants(targets, rule_arn):
            writable = need.arn.service in POLICY_CLASSES
            self._log_need(self._log.info, need, "grant_permissions=True adds that" if writable else _NOT_WRITABLE)

    def warn_of_roles(self, targets: Iterable[Mapping[str, Any]]) -> None:
        """
        Warn of targets with a role that they had better not have.

        :param targets: the targets, as PutTargets takes them.
        """
        for target in targets:
            if doubt := role_doubt(target):
                self._log.warning("Target %s: %s", target["Id"], doubt)

    def warn_of_encryption(self, targets: Iterable[Mapping[str, Any]]) -> None:
        """
        Warn of encrypted queues and topics whose key does not let EventBridge in, and where that is not known.

        :param targets: the targets, as PutTargets takes them.
        """
        for target in targets:
            try:
                for finding in encryption_findings(self._clients, target):
                    self._log.warning("Target %s: %s", target["Id"], finding.text)
            except (ClientError, BotoCoreError) as error:
                self._log.warning(
                    "Target %s: whether EventBridge may use the keys of encrypted queues and topics is not known, %s",
                    target["Id"],
                    _why_unknown(error),
                )

    def _log_need(self, log: Callable[..., Any], need: RequiredGrant, how: str) -> None:
        text = "Target %s: EventBridge delivers only if the policy of %s has %s; %s"
        log(text, need.target_id, need.arn, to_json_text(need.statements), how)

    def _grant(self, need: RequiredGrant, rule_arn: str) -> None:
        policy = self._policy(need.arn)
        present = policy.read()
        if _verdicts(present, need, rule_arn) == {"allowed"}:
            self._log.info("%s lets rule %s in already", need.arn, rule_arn)
            return
        policy.add(need.statements)
        self._log.info("Added to the policy of %s what lets rule %s in", need.arn, rule_arn)
        if "denied" in _verdicts(with_statements(present, need.statements), need, rule_arn):
            self._log.warning(
                "A Deny statement in the policy of %s forbids it to rule %s all the same: target %s gets nothing "
                "until you take that out",
                need.arn,
                rule_arn,
                need.target_id,
            )

    def _revoke(self, need: RequiredGrant, rule_arn: str) -> None:
        if not need.statements or need.arn.service not in POLICY_CLASSES:
            return
        try:
            self._policy(need.arn).remove(need.statements)
        except _FAILURES as error:
            if is_not_found(error):
                return
            raise GrantPermissionsError(need.target_id, str(need.arn), _cause(error)) from error
        self._log.info("%s holds nothing for rule %s any more", need.arn, rule_arn)

    def _policy(self, arn: Arn) -> ResourcePolicy:
        return resource_policy(self._clients, arn, self._wait)


def _verdicts(policy: Policy | None, need: RequiredGrant, rule_arn: str) -> set[Verdict]:
    return {
        evaluate(policy, Invocation(statement["Action"], statement["Resource"], rule_arn))
        for statement in need.statements
    }


def _why_unknown(error: ClientError | BotoCoreError) -> str:
    if not isinstance(error, ClientError):
        return f"as AWS cannot be asked: {error}"
    actions = [action for action in ENCRYPTION_ACTIONS if action.endswith(f":{error.operation_name}")]
    return f"as {' or '.join(actions)} failed: {message_of(error)}"


def _cause(error: ClientError | BotoCoreError | PolicyOverwrittenError) -> str:
    if isinstance(error, PolicyOverwrittenError):
        return "other tasks overwrote the change again and again. Run the task again"
    return message_of(error)
