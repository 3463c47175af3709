"""Operators that create, enable, disable and delete rules."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_cwevents._airflow.failures import no_retry_if_permanent, permanent_errors_fail
from airflow_cwevents._airflow.parameters import as_bool
from airflow_cwevents._declare.rule_spec import rule_request, validated_tags
from airflow_cwevents.links import EventBusLink, EventRuleLink
from airflow_cwevents.operators.base import CloudWatchEventsBaseOperator
from airflow_cwevents.patterns import EventPattern
from airflow_cwevents.schedules import validate_schedule

if TYPE_CHECKING:
    from airflow.sdk import BaseOperatorLink, Context


class PutRuleOperator(CloudWatchEventsBaseOperator):
    """
    Create a rule, or update an existing one; do nothing if it is already up to date.

    Literal arguments are validated when the DAG file is parsed, so that a mistake is an import error; in a
    mapped operator when the task runs.

    :param name: the rule's name, 1 to 64 characters.
    :param schedule_expression: ``rate(…)`` or ``cron(…)``, in UTC, on the default bus only.
    :param event_pattern: the pattern that events must match, as a dict or a JSON string.
    :param description: a description, up to 512 characters.
    :param state: ``ENABLED``, ``DISABLED`` or ``ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS``; None keeps the state
        of an existing rule, and enables a new one.
    :param role_arn: the rule's own role. EventBridge invokes a target with the target's RoleArn, not with this one.
    :param event_bus_name: name or ARN of the rule's bus; None for the default bus.
    :param tags: the complete set of the rule's tags, as a dict or as AWS's list of ``{"Key": …, "Value": …}``; None
        leaves its tags unchanged.
    :return: the rule's ARN.

    .. seealso:: :external+boto3:py:meth:`EventBridge.Client.put_rule`
    """

    template_fields: Sequence[str] = (
        *CloudWatchEventsBaseOperator.template_fields,
        "name",
        "schedule_expression",
        "event_pattern",
        "description",
        "state",
        "role_arn",
        "event_bus_name",
        "tags",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **CloudWatchEventsBaseOperator.template_fields_renderers,
        "event_pattern": "json",
        "tags": "json",
    }
    operator_extra_links: Collection[BaseOperatorLink] = (EventRuleLink(), EventBusLink())

    def __init__(
        self,
        *,
        name: str,
        schedule_expression: str | None = None,
        event_pattern: Mapping[str, Any] | str | None = None,
        description: str | None = None,
        state: str | None = None,
        role_arn: str | None = None,
        event_bus_name: str | None = None,
        tags: Mapping[str, str] | Sequence[Mapping[str, str]] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.schedule_expression = schedule_expression
        self.event_pattern = event_pattern
        self.description = description
        self.state = state
        self.role_arn = role_arn
        self.event_bus_name = event_bus_name
        self.tags = tags
        # a mapped operator is instantiated when its task runs
        self.validate_names(event_bus_name, name=name)
        with permanent_errors_fail():
            self._validate_literals()

    def _validate_literals(self) -> None:
        """Validate what has no template: all arguments together, or else each alone."""
        arguments: dict[str, Any] = {
            name: getattr(self, name)
            for name in ("schedule_expression", "event_pattern", "description", "state", "role_arn", "event_bus_name")
        }
        if self.is_literal(self.tags):
            validated_tags(self.tags)
        if self.is_literal(self.name) and self.is_literal(arguments):
            rule_request(self.name, **arguments)
            return
        if self.event_pattern and self.is_literal(self.event_pattern):
            EventPattern(self.event_pattern)
        if self.schedule_expression and self.is_literal(self.schedule_expression):
            validate_schedule(self.schedule_expression)

    @no_retry_if_permanent
    def execute(self, context: Context) -> str:
        """
        Put the rule.

        :param context: the task's context.
        :return: the rule's ARN.
        """
        self.show_in_console(self.event_bus_name, self.name)
        return self.hook.put_rule(
            self.name,
            schedule_expression=self.schedule_expression,
            event_pattern=self.event_pattern,
            description=self.description,
            state=self.state,
            role_arn=self.role_arn,
            event_bus_name=self.event_bus_name,
            tags=self.tags,
        )


class _RuleOperator(CloudWatchEventsBaseOperator):
    """
    Base of the operators that act on an existing rule.

    :param name: the rule's name.
    :param event_bus_name: name or ARN of its bus; None for the default bus.
    """

    template_fields: Sequence[str] = (*CloudWatchEventsBaseOperator.template_fields, "name", "event_bus_name")
    operator_extra_links: Collection[BaseOperatorLink] = (EventRuleLink(), EventBusLink())

    def __init__(self, *, name: str, event_bus_name: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.event_bus_name = event_bus_name
        self.validate_names(event_bus_name, name=name)


class EnableRuleOperator(_RuleOperator):
    """
    Enable a rule.

    :param name: the rule's name.
    :param event_bus_name: name or ARN of its bus; None for the default bus.

    .. seealso:: :external+boto3:py:meth:`EventBridge.Client.enable_rule`
    """

    @no_retry_if_permanent
    def execute(self, context: Context) -> None:
        """
        Enable the rule.

        :param context: the task's context.
        """
        self.show_in_console(self.event_bus_name, self.name)
        self.hook.enable_rule(self.name, self.event_bus_name)


class DisableRuleOperator(_RuleOperator):
    """
    Disable a rule: it keeps its targets, but no longer matches or fires.

    :param name: the rule's name.
    :param event_bus_name: name or ARN of its bus; None for the default bus.

    .. seealso:: :external+boto3:py:meth:`EventBridge.Client.disable_rule`
    """

    @no_retry_if_permanent
    def execute(self, context: Context) -> None:
        """
        Disable the rule.

        :param context: the task's context.
        """
        self.show_in_console(self.event_bus_name, self.name)
        self.hook.disable_rule(self.name, self.event_bus_name)


class DeleteRuleOperator(_RuleOperator):
    """
    Delete a rule and its targets; do nothing if the rule does not exist.

    :param name: the rule's name.
    :param event_bus_name: name or ARN of its bus; None for the default bus.
    :param force: whether to delete a rule that belongs to an AWS service.
    :param revoke_permissions: whether to revoke what ``PutTargetsOperator`` with ``grant_permissions`` granted.

    .. seealso:: :external+boto3:py:meth:`EventBridge.Client.delete_rule`
    """

    template_fields: Sequence[str] = (*_RuleOperator.template_fields, "force", "revoke_permissions")

    def __init__(self, *, force: bool = False, revoke_permissions: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.force = force
        self.revoke_permissions = revoke_permissions

    @no_retry_if_permanent
    def execute(self, context: Context) -> None:
        """
        Delete the rule.

        :param context: the task's context.
        """
        self.show_in_console(self.event_bus_name, self.name)
        self.hook.delete_rule(
            self.name,
            self.event_bus_name,
            force=as_bool(self.force, "force"),
            revoke_permissions=as_bool(self.revoke_permissions, "revoke_permissions"),
        )
