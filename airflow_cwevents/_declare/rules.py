"""Create, describe, list, enable and disable rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from airflow_cwevents._aws.arns import bus_members
from airflow_cwevents._aws.errors import bus_errors, code_of, is_conflict, message_of, pattern_errors, rule_errors
from airflow_cwevents._aws.json_text import to_json_text
from airflow_cwevents._aws.limits import DEFAULT_EVENT_PATTERN_LENGTH
from airflow_cwevents._aws.logger import counted
from airflow_cwevents._aws.retries import call_with_retries
from airflow_cwevents._declare.checks import check_name
from airflow_cwevents._declare.role_errors import is_role_error, role_errors
from airflow_cwevents._declare.rule_spec import (
    aws_tags,
    changes,
    normalise_tags,
    rule_request,
    tag_changes,
    validated_tags,
)
from airflow_cwevents.exceptions import ManagedRuleError, RuleNotFoundError
from airflow_cwevents.patterns import EventPattern
from airflow_cwevents.schedules import next_times

if TYPE_CHECKING:
    from tenacity.wait import wait_base

    from airflow_cwevents._aws.logger import Logger

# With the waits between them about half a minute: IAM takes some seconds to propagate a new role.
RULE_ATTEMPTS = 8
FIRING_TIMES_SHOWN = 3
_MANAGED_REMEDY = "Leave it to that service, and put a rule of your own under another name"


class Rules:
    """
    Rules of the account.

    :param client: the boto3 client ``events``.
    :param log: where to log to.
    :param wait: how long to wait before a rule is changed again, in seconds.
    """

    def __init__(self, client: Any, log: Logger, wait: wait_base) -> None:
        self._client = client
        self._log = log
        self._wait = wait

    def put(
        self,
        name: str,
        *,
        schedule_expression: str | None = None,
        event_pattern: Mapping[str, Any] | str | None = None,
        description: str | None = None,
        state: str | None = None,
        role_arn: str | None = None,
        event_bus_name: str | None = None,
        tags: Mapping[str, str] | Iterable[Mapping[str, str]] | None = None,
    ) -> str:
        """
        Create a rule, or update an existing one; do nothing if it is already up to date.

        See :meth:`~airflow_cwevents.hooks.CloudWatchEventsHook.put_rule`.
        """
        wanted_tags = validated_tags(tags)
        request = rule_request(
            name,
            schedule_expression=schedule_expression,
            event_pattern=event_pattern,
            description=description,
            state=state,
            role_arn=role_arn,
            event_bus_name=event_bus_name,
        )
        self._warn_of_long_pattern(request)
        present = self._present_rule(name, event_bus_name, state)
        if present:
            arn = self._update_rule(present, request)
        else:
            arn = self._put_rule({**request, **({"Tags": aws_tags(wanted_tags)} if wanted_tags else {})})
            self._log.info("Created rule %s: %s" if present is None else "Put rule %s: %s", name, arn)
        if present is not None and wanted_tags is not None:
            self._update_tags(name, arn, wanted_tags)
        self._log_firing_times(request)
        return arn

    def describe(self, name: str, event_bus_name: str | None = None) -> dict[str, Any]:
        """
        Describe a rule.

        See :meth:`~airflow_cwevents.hooks.CloudWatchEventsHook.describe_rule`.
        """
        check_name(name, "name")
        with rule_errors(name, event_bus_name, _MANAGED_REMEDY):
            response: dict[str, Any] = self._client.describe_rule(Name=name, **bus_members(event_bus_name))
        response.pop("ResponseMetadata", None)
        return response

    def find(self, name: str, event_bus_name: str | None = None) -> dict[str, Any] | None:
        """
        Describe a rule that may not exist.

        See :meth:`~airflow_cwevents.hooks.CloudWatchEventsHook.find_rule`.
        """
        try:
            return self.describe(name, event_bus_name)
        except RuleNotFoundError:
            return None

    def tags(self, rule_arn: str) -> dict[str, str]:
        """
        Return the tags of a rule.

        :param rule_arn: the rule's ARN.
        :return: its tags.
        """
        return normalise_tags(self._client.list_tags_for_resource(ResourceARN=rule_arn)["Tags"]) or {}

    def list_rules(
        self, *, event_bus_name: str | None = None, name_prefix: str | None = None
    ) -> Iterator[dict[str, Any]]:
        """
        List rules, requesting further pages as they are read.

        See :meth:`~airflow_cwevents.hooks.CloudWatchEventsHook.list_rules`.
        """
        prefix = {"NamePrefix": name_prefix} if name_prefix else {}
        pages = self._client.get_paginator("list_rules").paginate(**bus_members(event_bus_name), **prefix)
        with bus_errors(event_bus_name):
            for page in pages:
                yield from page.get("Rules") or ()

    def enable(self, name: str, event_bus_name: str | None = None) -> None:
        """
        Enable a rule.

        See :meth:`~airflow_cwevents.hooks.CloudWatchEventsHook.enable_rule`.
        """
        self._switch(self._client.enable_rule, "ENABLED", name, event_bus_name)

    def disable(self, name: str, event_bus_name: str | None = None) -> None:
        """
        Disable a rule: it keeps its targets, but no longer matches or fires.

        See :meth:`~airflow_cwevents.hooks.CloudWatchEventsHook.disable_rule`.
        """
        self._switch(self._client.disable_rule, "DISABLED", name, event_bus_name)

    def test_event_pattern(self, event_pattern: Mapping[str, Any] | str, event: Mapping[str, Any] | str) -> bool:
        """
        Ask AWS whether an event matches a pattern; :class:`~airflow_cwevents.patterns.EventPattern` decides locally.

        See :meth:`~airflow_cwevents.hooks.CloudWatchEventsHook.test_event_pattern`.
        """
        with pattern_errors():
            response = self._client.test_event_pattern(
                EventPattern=EventPattern(event_pattern).to_json(),
                Event=event if isinstance(event, str) else to_json_text(event),
            )
        return bool(response["Result"])

    def _present_rule(self, name: str, event_bus_name: str | None, state: str | None) -> dict[str, Any] | None:
        """Return the rule, None if it does not exist, and an empty dict if the credentials do not allow to know."""
        try:
            return self.find(name, event_bus_name)
        except ClientError as error:
            if code_of(error) != "AccessDeniedException":
                raise
            self._log.warning("Cannot compare with the existing rule %s: %s", name, message_of(error))
            if not state:
                self._log.warning("Rule %s will be enabled if it is disabled; pass state to prevent that", name)
            return {}

    def _update_rule(self, present: Mapping[str, Any], request: dict[str, Any]) -> str:
        name, arn = request["Name"], str(present["Arn"])
        if present.get("ManagedBy"):
            raise ManagedRuleError(name, present["ManagedBy"], _MANAGED_REMEDY)
        if "State" not in request and present.get("State"):
            request["State"] = present["State"]
        found = changes(present, request)
        if not found:
            self._log.info("Rule %s is already up to date: %s", name, arn)
            return arn
        self._put_rule(request)
        for change in found:
            self._log.info("Rule %s: %s changed from %s to %s", name, change.member, change.old, change.new)
        return arn

    def _put_rule(self, request: Mapping[str, Any]) -> str:
        name, bus = request["Name"], request.get("EventBusName")
        with role_errors(request.get("RoleArn")), pattern_errors(), rule_errors(name, bus, _MANAGED_REMEDY):
            return str(self._retried(self._client.put_rule, **request)["RuleArn"])

    def _retried(self, call: Callable[..., Any], **request: Any) -> Any:
        """Make a request, and retry it after transient errors that botocore does not retry."""
        return call_with_retries(
            partial(call, **request),
            wait=self._wait,
            attempts=RULE_ATTEMPTS,
            is_transient=lambda error: is_role_error(error) or is_conflict(error),
            on_retry=self._log_retry,
        )

    def _log_retry(self, error: BaseException | None, seconds: float) -> None:
        if isinstance(error, ClientError):
            self._log.warning("Retrying %s in %.1f s: %s", error.operation_name, seconds, message_of(error))

    def _update_tags(self, name: str, arn: str, wanted: Mapping[str, str]) -> None:
        added, removed = tag_changes(self.tags(arn), wanted)
        if added:
            self._retried(self._client.tag_resource, ResourceARN=arn, Tags=aws_tags(added))
            self._log.info("Rule %s: set %s: %s", name, counted(added, "tag"), ", ".join(sorted(added)))
        if removed:
            self._retried(self._client.untag_resource, ResourceARN=arn, TagKeys=removed)
            self._log.info("Rule %s: removed %s: %s", name, counted(removed, "tag"), ", ".join(sorted(removed)))

    def _warn_of_long_pattern(self, request: Mapping[str, Any]) -> None:
        if (length := len(request.get("EventPattern", ""))) > DEFAULT_EVENT_PATTERN_LENGTH:
            self._log.warning(
                "The event pattern has %d characters; AWS accepts %d unless the account's quota was raised",
                length,
                DEFAULT_EVENT_PATTERN_LENGTH,
            )

    def _log_firing_times(self, request: Mapping[str, Any]) -> None:
        schedule = request.get("ScheduleExpression")
        if schedule and request.get("State") != "DISABLED":
            times = next_times(schedule, FIRING_TIMES_SHOWN, datetime.now(UTC))
            shown = "next fires " + ", ".join(f"{time:%Y-%m-%d %H:%M} UTC" for time in times)
            about = " (about)" if schedule.startswith("rate") else ""
            fires = f"{shown}{about}" if times else "never fires again"
            self._log.info("Rule %s, %s, %s", request["Name"], schedule, fires)

    def _switch(self, call: Callable[..., Any], state: str, name: str, event_bus_name: str | None) -> None:
        check_name(name, "name")
        before = self._state_of(name, event_bus_name)
        with rule_errors(name, event_bus_name, _MANAGED_REMEDY):
            self._retried(call, Name=name, **bus_members(event_bus_name))
        if before == state:
            self._log.info("Rule %s was already %s", name, state)
        else:
            self._log.info("%s rule %s%s", state.capitalize(), name, f" (was {before})" if before else "")

    def _state_of(self, name: str, event_bus_name: str | None) -> str | None:
        """Return a rule's state; None if the credentials do not allow to know."""
        try:
            return self.describe(name, event_bus_name).get("State")
        except ClientError as error:
            if code_of(error) != "AccessDeniedException":
                raise
            return None
