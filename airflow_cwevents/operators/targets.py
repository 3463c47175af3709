"""Put targets on rules, and take them off."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_cwevents._airflow.failures import no_retry_if_permanent, permanent_errors_fail
from airflow_cwevents._airflow.parameters import as_bool, as_integer, as_list
from airflow_cwevents._aws.limits import MAX_TARGETS_PER_RULE
from airflow_cwevents._aws.validation import all_valid
from airflow_cwevents._declare.target_spec import check_unique_ids, normalise_target
from airflow_cwevents.exceptions import TargetCheckError
from airflow_cwevents.links import EventBusLink, EventRuleLink
from airflow_cwevents.operators.base import CloudWatchEventsBaseOperator

if TYPE_CHECKING:
    from airflow.sdk import BaseOperatorLink, Context

    from airflow_cwevents._declare.target_spec import Target


class PutTargetsOperator(CloudWatchEventsBaseOperator):
    """
    Put targets on a rule: those that are new, and those that differ from what the rule has.

    Literal targets are validated when the DAG file is parsed, so that mistakes are import errors; in a mapped operator
    when the task runs.

    :param rule: the rule's name.
    :param targets: the targets, with AWS's member names; ``Input`` and ``InputTemplate`` as JSON strings, or as what
        JSON can express.
    :param event_bus_name: name or ARN of the rule's bus; None for the default bus.
    :param prune: whether to remove the rule's other targets.
    :param grant_permissions: whether to let EventBridge invoke the targets that rely on a policy of their own: Lambda
        functions, queues, topics, log groups, dead-letter queues.
    :param max_targets: how many targets the account may put on a rule.
    :return: the ids of the targets, in input order.

    .. seealso:: :external+boto3:py:meth:`EventBridge.Client.put_targets`
    """

    template_fields: Sequence[str] = (
        *CloudWatchEventsBaseOperator.template_fields,
        "rule",
        "targets",
        "event_bus_name",
        "prune",
        "grant_permissions",
        "max_targets",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **CloudWatchEventsBaseOperator.template_fields_renderers,
        "targets": "json",
    }
    operator_extra_links: Collection[BaseOperatorLink] = (EventRuleLink(), EventBusLink())

    def __init__(
        self,
        *,
        rule: str,
        targets: Sequence[Target | Mapping[str, Any]],
        event_bus_name: str | None = None,
        prune: bool = False,
        grant_permissions: bool = False,
        max_targets: int = MAX_TARGETS_PER_RULE,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.rule = rule
        self.targets = targets
        self.event_bus_name = event_bus_name
        self.prune = prune
        self.grant_permissions = grant_permissions
        self.max_targets = max_targets
        # a mapped operator is instantiated when its task runs
        self.validate_names(event_bus_name, rule=rule)
        if isinstance(targets, list | tuple):
            with permanent_errors_fail():
                check_unique_ids(all_valid(self._validated_id, targets))

    def _validated_id(self, index: int, target: Target | Mapping[str, Any]) -> str | None:
        """Validate a target without templates; return its id, or None if the id has one."""
        if not isinstance(target, Mapping):
            return None
        if self.is_literal(target):
            # only botocore's model, which is not loaded here, knows all members
            normalise_target(target, index, members=frozenset(target))
        target_id = target.get("Id")
        return target_id if isinstance(target_id, str) and self.is_literal(target_id) else None

    @no_retry_if_permanent
    def execute(self, context: Context) -> list[str]:
        """
        Put the targets.

        :param context: the task's context.
        :return: their ids, in input order.
        """
        self.show_in_console(self.event_bus_name, self.rule)
        return self.hook.put_targets(
            self.rule,
            as_list(self.targets, "targets"),
            event_bus_name=self.event_bus_name,
            prune=as_bool(self.prune, "prune"),
            grant_permissions=as_bool(self.grant_permissions, "grant_permissions"),
            max_targets=as_integer(self.max_targets, "max_targets"),
        )


class RemoveTargetsOperator(CloudWatchEventsBaseOperator):
    """
    Remove targets from a rule.

    :param rule: the rule's name.
    :param target_ids: the ids of the targets; None for all. Ids that the rule does not have are ignored.
    :param event_bus_name: name or ARN of the rule's bus; None for the default bus.
    :param force: whether to remove targets of a rule that belongs to an AWS service.
    :param revoke_permissions: whether to revoke what ``PutTargetsOperator`` with ``grant_permissions`` granted.
    :return: the ids of the targets that were removed.

    .. seealso:: :external+boto3:py:meth:`EventBridge.Client.remove_targets`
    """

    template_fields: Sequence[str] = (
        *CloudWatchEventsBaseOperator.template_fields,
        "rule",
        "target_ids",
        "event_bus_name",
        "force",
        "revoke_permissions",
    )
    operator_extra_links: Collection[BaseOperatorLink] = (EventRuleLink(), EventBusLink())

    def __init__(
        self,
        *,
        rule: str,
        target_ids: Sequence[str] | None = None,
        event_bus_name: str | None = None,
        force: bool = False,
        revoke_permissions: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.rule = rule
        self.target_ids = target_ids
        self.event_bus_name = event_bus_name
        self.force = force
        self.revoke_permissions = revoke_permissions
        self.validate_names(event_bus_name, rule=rule)

    @no_retry_if_permanent
    def execute(self, context: Context) -> list[str]:
        """
        Remove the targets.

        :param context: the task's context.
        :return: the ids of those that were removed.
        """
        self.show_in_console(self.event_bus_name, self.rule)
        return self.hook.remove_targets(
            self.rule,
            None if self.target_ids is None else as_list(self.target_ids, "target_ids", "ids"),
            event_bus_name=self.event_bus_name,
            force=as_bool(self.force, "force"),
            revoke_permissions=as_bool(self.revoke_permissions, "revoke_permissions"),
        )


class CheckTargetsOperator(CloudWatchEventsBaseOperator):
    """
    Diagnose whether EventBridge can invoke the targets of a rule, and fail if it cannot.

    It checks the rule's state, roles and resource policies, whether queues, topics, functions and log groups exist,
    dead-letter queues and encryption, and whether the rule matches a sample event. What the credentials do not allow
    to check is reported as unknown.

    :param rule: the rule's name.
    :param event_bus_name: name or ARN of its bus; None for the default bus.
    :param sample_event: an event, as it is delivered, that the rule should match, as a dict or a JSON string.
    :return: the report: ``ok``, ``findings`` of the rule, and for each of ``targets`` its ``verdict`` and ``findings``;
        each finding has ``severity``, ``text`` and ``fix``.
    """

    template_fields: Sequence[str] = (
        *CloudWatchEventsBaseOperator.template_fields,
        "rule",
        "event_bus_name",
        "sample_event",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **CloudWatchEventsBaseOperator.template_fields_renderers,
        "sample_event": "json",
    }
    operator_extra_links: Collection[BaseOperatorLink] = (EventRuleLink(), EventBusLink())

    def __init__(
        self,
        *,
        rule: str,
        event_bus_name: str | None = None,
        sample_event: Mapping[str, Any] | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.rule = rule
        self.event_bus_name = event_bus_name
        self.sample_event = sample_event
        self.validate_names(event_bus_name, rule=rule)

    @no_retry_if_permanent
    def execute(self, context: Context) -> dict[str, Any]:
        """
        Check the targets.

        :param context: the task's context.
        :return: the report.
        :raises TargetCheckError: if EventBridge cannot invoke one of them.
        """
        self.show_in_console(self.event_bus_name, self.rule)
        report = self.hook.check_targets(self.rule, self.event_bus_name, sample_event=self.sample_event)
        for line in report.as_lines():
            self.log.info("%s", line)
        if problems := report.problems:
            if "ti" in context:
                context["ti"].xcom_push(key="return_value", value=report.as_dict())
            raise TargetCheckError(self.rule, problems)
        return report.as_dict()
