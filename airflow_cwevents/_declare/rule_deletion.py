"""Delete rules with their targets."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from airflow_cwevents._aws.arns import bus_members
from airflow_cwevents._aws.errors import is_conflict, message_of, rule_errors
from airflow_cwevents._aws.retries import call_with_retries
from airflow_cwevents._declare.target_requests import TARGET_ATTEMPTS
from airflow_cwevents._declare.targets import FORCE_REMEDY, refuse_managed
from airflow_cwevents.exceptions import RuleHasTargetsError, RuleNotFoundError

if TYPE_CHECKING:
    from tenacity.wait import wait_base

    from airflow_cwevents._aws.logger import Logger
    from airflow_cwevents._declare.rules import Rules
    from airflow_cwevents._declare.targets import Targets


class RuleDeletion:
    """
    Deletes rules with their targets.

    :param client: the boto3 client ``events``.
    :param rules: the account's rules.
    :param targets: their targets.
    :param log: where to log to.
    :param wait: how long to wait before a rule with lingering targets is deleted again, in seconds.
    """

    def __init__(self, client: Any, rules: Rules, targets: Targets, log: Logger, wait: wait_base) -> None:
        self._client = client
        self._rules = rules
        self._targets = targets
        self._log = log
        self._wait = wait

    def delete(
        self,
        name: str,
        event_bus_name: str | None = None,
        *,
        force: bool = False,
        revoke_permissions: bool = False,
    ) -> None:
        """
        Delete a rule and its targets; do nothing if the rule does not exist.

        :param name: the rule's name.
        :param event_bus_name: name or ARN of its bus; None for the default bus.
        :param force: whether to delete a rule that belongs to an AWS service.
        :param revoke_permissions: whether to revoke what ``put_targets`` with ``grant_permissions`` granted.
        :raises ManagedRuleError: if the rule belongs to an AWS service, and ``force`` is not set.
        :raises RevokePermissionsError: if permissions could not be revoked; the rule still has its targets.
        :raises RuleHasTargetsError: if AWS still sees targets after they were removed.

        .. seealso:: :external+boto3:py:meth:`EventBridge.Client.delete_rule`
        """
        try:
            rule = self._rules.describe(name, event_bus_name)
            refuse_managed(name, rule, force=force)
            delete = partial(
                self._delete_once, name, event_bus_name, force=force, revoke_permissions=revoke_permissions
            )
            done = call_with_retries(delete, wait=self._wait, attempts=TARGET_ATTEMPTS, is_done=bool)
        except RuleNotFoundError:
            self._log.info("Rule %s does not exist or was already deleted", name)
            return
        if not done:
            raise RuleHasTargetsError(name)
        self._log.info("Deleted rule %s (was %s): %s", name, rule.get("State"), rule["Arn"])

    def _delete_once(self, name: str, event_bus_name: str | None, *, force: bool, revoke_permissions: bool) -> bool:
        """Remove the targets that AWS lists, and delete the rule; return False if AWS still sees targets."""
        self._targets.remove(name, event_bus_name=event_bus_name, force=force, revoke_permissions=revoke_permissions)
        extra = {**bus_members(event_bus_name), **({"Force": True} if force else {})}
        try:
            with rule_errors(name, event_bus_name, FORCE_REMEDY):
                self._client.delete_rule(Name=name, **extra)
        except ClientError as error:
            if is_conflict(error) or "since it has targets" in message_of(error):
                return False
            raise
        return True
