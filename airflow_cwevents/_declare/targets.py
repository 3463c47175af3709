"""List, put and remove the targets of rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_cwevents._aws.arns import bus_members
from airflow_cwevents._aws.errors import rule_errors
from airflow_cwevents._aws.limits import MAX_TARGETS_PER_RULE
from airflow_cwevents._aws.logger import counted
from airflow_cwevents._declare.rule_spec import check_name
from airflow_cwevents._declare.target_input import input_warnings
from airflow_cwevents._declare.target_requests import are_permanent, call_in_batches, check_shapes
from airflow_cwevents._declare.target_spec import Target, is_same_target, normalise_targets
from airflow_cwevents.exceptions import (
    InvalidInputError,
    ManagedRuleError,
    PutTargetsError,
    RemoveTargetsError,
)

if TYPE_CHECKING:
    from tenacity.wait import wait_base

    from airflow_cwevents._aws.logger import Logger
    from airflow_cwevents._declare.permissions import Permissions
    from airflow_cwevents._declare.rules import Rules

FORCE_REMEDY = "Set force=True to change it anyway"
_MANAGED_REMEDY = "Leave its targets to that service, and put them on a rule of your own"


class Targets:
    """
    Targets of the account's rules.

    :param client: the boto3 client ``events``.
    :param rules: the account's rules.
    :param permissions: the permissions in the targets' own policies.
    :param log: where to log to.
    :param wait: how long to wait before targets are put or removed again, in seconds.
    """

    def __init__(self, client: Any, rules: Rules, permissions: Permissions, log: Logger, wait: wait_base) -> None:
        self._client = client
        self._rules = rules
        self._permissions = permissions
        self._log = log
        self._wait = wait

    def list_targets(self, rule: str, event_bus_name: str | None = None) -> Iterator[dict[str, Any]]:
        """
        List the targets of a rule, requesting further pages as they are read.

        :param rule: the rule's name.
        :param event_bus_name: name or ARN of its bus; None for the default bus.
        :return: the targets, as PutTargets takes them.
        :raises RuleNotFoundError: if the rule does not exist.

        .. seealso:: :external+boto3:py:class:`EventBridge.Paginator.ListTargetsByRule`
        """
        check_name(rule, "rule")
        pages = self._client.get_paginator("list_targets_by_rule").paginate(Rule=rule, **bus_members(event_bus_name))
        with rule_errors(rule, event_bus_name, _MANAGED_REMEDY):
            for page in pages:
                yield from page.get("Targets") or ()

    def put(
        self,
        rule: str,
        targets: Iterable[Target | Mapping[str, Any]],
        *,
        event_bus_name: str | None = None,
        prune: bool = False,
        grant_permissions: bool = False,
        max_targets: int = MAX_TARGETS_PER_RULE,
    ) -> list[str]:
        """
        Put targets on a rule: those that are new, and those that differ.

        :param rule: the rule's name.
        :param targets: the targets, with AWS's member names; ``Input`` and ``InputTemplate`` as JSON strings, or as
            values that JSON can express.
        :param event_bus_name: name or ARN of the rule's bus; None for the default bus.
        :param prune: whether to treat the list as the complete set, and remove the rule's other targets: as many as
            necessary before the new ones are put, the rest afterwards.
        :param grant_permissions: whether to allow EventBridge to invoke targets in the targets' own policies.
        :param max_targets: the account's quota of targets per rule.
        :return: the ids of the targets, in input order.
        :raises InvalidTargetError: if AWS would refuse a target, or could never invoke it; nothing was sent.
        :raises RuleNotFoundError: if the rule does not exist.
        :raises GrantPermissionsError: if the policy of a target could not be changed; no target was put.
        :raises PutTargetsError: if AWS refused some of the targets.
        :raises LimitExceededError: if the account's quota of targets per rule is used up.

        .. seealso:: :external+boto3:py:meth:`EventBridge.Client.put_targets`
        """
        check_name(rule, "rule")
        shape = self._client.meta.service_model.shape_for("Target")
        wanted = normalise_targets(targets, self._client.meta.region_name, frozenset(shape.members))
        check_shapes(wanted, shape)
        for target in wanted:
            for warning in input_warnings(target):
                self._log.warning("Target %s: %s", target["Id"], warning)
        if not wanted and not prune:
            self._log.info("Rule %s: no targets to put", rule)
            return []
        present = {target["Id"]: target for target in self.list_targets(rule, event_bus_name)}
        wanted_ids = {target["Id"] for target in wanted}
        surplus = [target_id for target_id in present if target_id not in wanted_ids] if prune else []
        count = len(present.keys() | wanted_ids)
        # a rule with more targets proves that AWS raised the quota
        limit = max(max_targets, len(present))
        _check_count(rule, count - len(surplus), limit)
        self._ensure_permissions(rule, event_bus_name, wanted, grant=grant_permissions)
        excess = max(0, count - limit)
        self._prune(rule, event_bus_name, surplus[:excess])
        changed = [target for target in wanted if not is_same_target(target, present.get(target["Id"]))]
        self._put_targets(rule, event_bus_name, changed)
        self._prune(rule, event_bus_name, surplus[excess:])
        names = f" ({', '.join(target['Id'] for target in changed)})" if changed else ""
        unchanged = len(wanted) - len(changed)
        self._log.info("Rule %s: put %s%s, %d unchanged", rule, counted(changed, "target"), names, unchanged)
        return [target["Id"] for target in wanted]

    def remove(
        self,
        rule: str,
        target_ids: Iterable[str] | None = None,
        *,
        event_bus_name: str | None = None,
        force: bool = False,
        revoke_permissions: bool = False,
    ) -> list[str]:
        """
        Remove targets from a rule.

        Permissions are revoked first, so that a target whose permission could not be revoked is still there for the
        next attempt. A target that then cannot be removed stays on the rule without its permission.

        :param rule: the rule's name.
        :param target_ids: the ids of the targets; None for all. Ids that the rule does not have are ignored.
        :param event_bus_name: name or ARN of the rule's bus; None for the default bus.
        :param force: whether to remove targets of a rule that belongs to an AWS service.
        :param revoke_permissions: whether to revoke what ``put_targets`` with ``grant_permissions`` granted.
        :return: the ids of the targets that were removed.
        :raises RuleNotFoundError: if the rule does not exist.
        :raises ManagedRuleError: if the rule belongs to an AWS service, and ``force`` is not set.
        :raises RevokePermissionsError: if permissions could not be revoked; no target was removed.
        :raises RemoveTargetsError: if AWS did not remove some of them.

        .. seealso:: :external+boto3:py:meth:`EventBridge.Client.remove_targets`
        """
        wanted = None if target_ids is None else _checked_ids(target_ids)
        present = list(self.list_targets(rule, event_bus_name))
        removed = [target for target in present if wanted is None or target["Id"] in wanted]
        if revoke_permissions and removed:
            described = self._rules.describe(rule, event_bus_name)
            refuse_managed(rule, described, force=force)
            kept = [target for target in present if target not in removed]
            self._permissions.revoke(described["Arn"], removed, kept)
        if missing := sorted((wanted or set()) - {target["Id"] for target in present}):
            self._log.info("Rule %s does not have %s", rule, ", ".join(missing))
        return self._remove_targets(rule, event_bus_name, removed, len(present), force=force)

    def _ensure_permissions(
        self, rule: str, event_bus_name: str | None, targets: Sequence[Mapping[str, Any]], *, grant: bool
    ) -> None:
        rule_arn = self._rules.describe(rule, event_bus_name)["Arn"]
        if grant:
            self._permissions.grant(rule_arn, targets)
        else:
            self._permissions.warn_of_missing(rule_arn, targets)
        self._permissions.warn_of_encryption(targets)

    def _remove_targets(
        self, rule: str, event_bus_name: str | None, targets: Iterable[Mapping[str, Any]], before: int, *, force: bool
    ) -> list[str]:
        ids = [target["Id"] for target in targets]
        extra = {**bus_members(event_bus_name), **({"Force": True} if force else {})}
        with rule_errors(rule, event_bus_name, FORCE_REMEDY):
            failed = call_in_batches(
                ids,
                str,
                lambda some: self._client.remove_targets(Rule=rule, Ids=some, **extra),
                self._wait,
            )
        if failed:
            raise RemoveTargetsError(rule, failed, permanent=are_permanent(failed))
        names = f" ({', '.join(ids)})" if ids else ""
        self._log.info("Rule %s: removed %s%s, %d left", rule, counted(ids, "target"), names, before - len(ids))
        return ids

    def _prune(self, rule: str, event_bus_name: str | None, surplus: Sequence[str]) -> None:
        if surplus:
            self.remove(rule, surplus, event_bus_name=event_bus_name)

    def _put_targets(self, rule: str, event_bus_name: str | None, targets: Sequence[Mapping[str, Any]]) -> None:
        bus = bus_members(event_bus_name)
        with rule_errors(rule, event_bus_name, _MANAGED_REMEDY):
            failed = call_in_batches(
                targets,
                lambda target: str(target["Id"]),
                lambda some: self._client.put_targets(Rule=rule, Targets=some, **bus),
                self._wait,
            )
        if failed:
            raise PutTargetsError(rule, failed, permanent=are_permanent(failed))


def refuse_managed(name: str, rule: Mapping[str, Any], *, force: bool) -> None:
    """
    Refuse to change a rule that belongs to an AWS service.

    :param name: the rule's name.
    :param rule: the rule, as DescribeRule returns it.
    :param force: whether to change it anyway.
    :raises ManagedRuleError: if the rule belongs to an AWS service, and ``force`` is not set.
    """
    if rule.get("ManagedBy") and not force:
        raise ManagedRuleError(name, rule["ManagedBy"], FORCE_REMEDY)


def _checked_ids(target_ids: Iterable[str]) -> set[str]:
    if isinstance(target_ids, str):
        raise InvalidInputError("target_ids", "it is a string", "Pass a list of ids, or None for all", target_ids)
    return set(target_ids)


def _check_count(rule: str, count: int, limit: int) -> None:
    if count > limit:
        raise InvalidInputError(
            "targets",
            f"rule {rule!r} would have {count} targets; the maximum is {limit}",
            "Put some on a second rule with the same pattern, or set prune to remove others, or, if AWS raised the "
            "account's quota, set max_targets",
        )
