"""Grant and revoke the permissions in resource policies that EventBridge needs to invoke targets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from airflow_cwevents._aws.arns import Arn
from airflow_cwevents._aws.errors import is_not_found, message_of
from airflow_cwevents._declare.document_policies import PolicyOverwrittenError, ResourcePolicy
from airflow_cwevents._declare.encryption import encryption_findings
from airflow_cwevents._declare.resource_policies import POLICY_CLASSES, resource_policy
from airflow_cwevents.exceptions import GrantPermissionsError, RevokePermissionsError
from airflow_cwevents.iam.documents import Policy, document, statements_of, with_statements
from airflow_cwevents.iam.evaluation import Verdict, evaluate, invocation_of
from airflow_cwevents.iam.grants import SID_PREFIX, Grant, dead_letter_grants, target_grants
from airflow_cwevents.iam.operator_actions import READ_ACTIONS

if TYPE_CHECKING:
    from tenacity.wait import wait_base

    from airflow_cwevents._aws.logger import Logger
    from airflow_cwevents._declare.diagnosis_report import Finding

T = TypeVar("T")

_FAILURES = (ClientError, BotoCoreError, PolicyOverwrittenError)


class RequiredGrants(NamedTuple):
    """
    The grants that one resource's policy needs so that a rule can reach a target.

    :ivar target_id: the target's id.
    :ivar arn: the resource: the target itself, or its dead-letter queue.
    :ivar grants: the grants.
    :ivar is_dead_letter: whether the resource is the target's dead-letter queue.
    """

    target_id: str
    arn: Arn
    grants: list[Grant]
    is_dead_letter: bool = False

    @property
    def subject(self) -> str:
        """The resource, as a log line names it."""
        return f"Dead-letter queue of target {self.target_id}" if self.is_dead_letter else f"Target {self.target_id}"

    @property
    def is_writable(self) -> bool:
        """Whether this package can read and change the policy."""
        return self.arn.service in POLICY_CLASSES

    def verdicts(self, policy: Policy | None, rule_arn: str) -> set[Verdict]:
        """Return whether a policy allows the rule each of the actions."""
        return {
            evaluate(policy, invocation_of(self.arn.service, grant.action, grant.resource, rule_arn))
            for grant in self.grants
        }


def required_grants(targets: Iterable[Mapping[str, Any]], rule_arn: str) -> Iterator[RequiredGrants]:
    """
    Return what resource policies must allow so that a rule can reach its targets.

    :param targets: the targets, as PutTargets takes them.
    :param rule_arn: the rule's ARN.
    :return: the grants of each target and each dead-letter queue that relies on its own policy.
    """
    for target in targets:
        arn = Arn.parse(target["Arn"])
        if arn and (grants := target_grants(target, rule_arn)):
            yield RequiredGrants(target["Id"], arn, grants)
        queue = Arn.parse((target.get("DeadLetterConfig") or {}).get("Arn", ""))
        if queue:
            yield RequiredGrants(target["Id"], queue, dead_letter_grants(target, rule_arn), is_dead_letter=True)


class Permissions:
    """
    The resource policies that allow EventBridge to invoke targets.

    :param clients: returns the boto3 client of a service.
    :param log: where to log to.
    :param wait: how long to wait before a changed policy is read back, in seconds.
    """

    def __init__(self, clients: Callable[[str], Any], log: Logger, wait: wait_base) -> None:
        self._clients = clients
        self._log = log
        self._wait = wait
        self._unreachable: dict[str, BotoCoreError] = {}

    def grant(self, rule_arn: str, targets: Iterable[Mapping[str, Any]]) -> None:
        """
        Allow EventBridge to invoke targets on behalf of a rule, in the targets' own policies.

        A policy that already allows it stays as it is, and so do other statements. The policies of API Gateway belong
        to those who deploy the API; that one needs a statement is logged.

        :param rule_arn: the rule's ARN.
        :param targets: the targets, as PutTargets takes them. Those with a role need no grant.
        :raises GrantPermissionsError: if a policy could not be changed.
        """
        topics = False
        for required in required_grants(targets, rule_arn):
            if not required.is_writable:
                self._log_api(required)
                continue
            try:
                added = self._grant(required, rule_arn)
            except _FAILURES as error:
                raise GrantPermissionsError(required.target_id, str(required.arn), _cause(error)) from error
            topics = topics or (added and required.arn.service == "sns")
        if topics:
            self._log.info("AWS cannot restrict a topic's policy to one rule; for that, set a RoleArn on the target")

    def revoke(
        self,
        rule_arn: str,
        targets: Iterable[Mapping[str, Any]],
        kept: Iterable[Mapping[str, Any]] = (),
    ) -> None:
        """
        Revoke what :meth:`grant` granted, and nothing else. Every target is attempted.

        :param rule_arn: the rule's ARN.
        :param targets: the targets. Missing resources are ignored.
        :param kept: the rule's other targets, whose permissions stay.
        :raises RevokePermissionsError: if policies could not be changed.
        """
        kept_sids = {grant.sid for required in required_grants(kept, rule_arn) for grant in required.grants}
        failed: list[GrantPermissionsError] = []
        for required in required_grants(targets, rule_arn):
            surplus = [grant for grant in required.grants if grant.sid not in kept_sids]
            try:
                self._revoke(required._replace(grants=surplus), rule_arn)
            except GrantPermissionsError as error:
                failed.append(error)
        if failed:
            raise RevokePermissionsError(failed)

    def warn_of_missing(self, rule_arn: str, targets: Iterable[Mapping[str, Any]]) -> None:
        """
        Warn of targets whose own policy does not allow EventBridge to invoke them. Best effort.

        :param rule_arn: the rule's ARN.
        :param targets: the targets, as PutTargets takes them.
        """
        for required in required_grants(targets, rule_arn):
            if not required.is_writable:
                self._log_api(required)
                continue
            try:
                policy = self._best_effort(required.arn.service, self._policy(required.arn).read)
            except (ClientError, BotoCoreError) as error:
                self._log_unreadable(required, error)
                continue
            if "denied" in required.verdicts(policy, rule_arn):
                text = "%s: EventBridge has no permission to send to it; set grant_permissions=True"
                self._log.warning(text, required.subject)

    def warn_of_encryption(self, targets: Iterable[Mapping[str, Any]]) -> None:
        """
        Warn of encrypted queues and topics whose key EventBridge cannot use. Best effort.

        :param targets: the targets, as PutTargets takes them.
        """
        for target in targets:
            try:
                for finding in self._best_effort("encryption", partial(self._encryption_findings, target)):
                    self._log.warning("Target %s: %s", target["Id"], finding.text)
                    self._log.warning("Target %s: fix: %s", target["Id"], finding.fix)
            except (ClientError, BotoCoreError) as error:
                self._log.warning("Target %s: encryption was not checked: %s", target["Id"], _why_unreadable(error))

    def _encryption_findings(self, target: Mapping[str, Any]) -> list[Finding]:
        return list(encryption_findings(self._clients, target))

    def _best_effort(self, what: str, check: Callable[[], T]) -> T:
        """Make a check, but not again if AWS could not be reached: each attempt may take minutes."""
        if what in self._unreachable:
            raise self._unreachable[what]
        try:
            return check()
        except BotoCoreError as error:
            self._unreachable[what] = error
            raise

    def _log_api(self, required: RequiredGrants) -> None:
        text = "%s: add a statement to its API's policy; `airflow-cwevents policy resource` prints it"
        self._log.warning(text, required.subject)

    def _log_unreadable(self, required: RequiredGrants, error: ClientError | BotoCoreError) -> None:
        if is_not_found(error):
            self._log.warning("%s does not exist: %s", required.subject, required.arn)
        else:
            self._log.info("%s: permission was not checked: %s", required.subject, _why_unreadable(error))

    def _grant(self, required: RequiredGrants, rule_arn: str) -> bool:
        policy, rule = self._policy(required.arn), _name_of(rule_arn)
        present = policy.read()
        if required.verdicts(_without_other_rules(present, required.grants), rule_arn) == {"allowed"}:
            self._log.info("%s: the policy already allows rule %s", required.subject, rule)
            return False
        policy.add(required.grants)
        self._log.info("%s: granted rule %s permission in the policy of %s", required.subject, rule, required.arn)
        granted = with_statements(present, [grant.statement for grant in required.grants])
        if "denied" in required.verdicts(granted, rule_arn):
            self._log.warning(
                "%s: a Deny statement still forbids rule %s; remove it, or nothing is delivered to %s",
                required.subject,
                rule,
                required.arn,
            )
        return True

    def _revoke(self, required: RequiredGrants, rule_arn: str) -> None:
        if not required.grants or not required.is_writable:
            return
        try:
            self._policy(required.arn).remove(required.grants)
        except _FAILURES as error:
            if is_not_found(error):
                return
            raise GrantPermissionsError(required.target_id, str(required.arn), _cause(error)) from error
        self._log.info(
            "%s: removed statements for rule %s from the policy of %s",
            required.subject,
            _name_of(rule_arn),
            required.arn,
        )

    def _policy(self, arn: Arn) -> ResourcePolicy:
        return resource_policy(self._clients, arn, self._wait)


def _without_other_rules(policy: Policy | None, grants: Iterable[Grant]) -> Policy:
    """Return a policy without our grants for other rules: they may be revoked, and a topic's name no rule."""
    own = {grant.sid for grant in grants}
    statements = [
        statement
        for statement in statements_of(policy)
        if statement.get("Sid") in own or not str(statement.get("Sid")).startswith(SID_PREFIX)
    ]
    return document(statements)


def _name_of(rule_arn: str) -> str:
    return rule_arn.rsplit("/", 1)[-1]


def _why_unreadable(error: ClientError | BotoCoreError) -> str:
    if not isinstance(error, ClientError):
        return str(error)
    actions = [action for action in READ_ACTIONS if action.endswith(f":{error.operation_name}")]
    return f"{' or '.join(actions)} failed: {message_of(error)}"


def _cause(error: ClientError | BotoCoreError | PolicyOverwrittenError) -> str:
    if isinstance(error, PolicyOverwrittenError):
        return "other tasks overwrote every attempt. Run the task again"
    return message_of(error)
