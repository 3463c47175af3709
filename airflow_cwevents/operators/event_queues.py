"""Operators that create and delete event queues."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_cwevents._airflow.failures import no_retry_if_permanent, permanent_errors_fail
from airflow_cwevents._airflow.parameters import as_integer
from airflow_cwevents._declare.event_queue_spec import (
    MAX_RECEIVE_COUNT,
    MESSAGE_RETENTION_SECONDS,
    PARAMETERS,
    VISIBILITY_TIMEOUT,
    validated_argument,
)
from airflow_cwevents.links import EventBusLink, EventRuleLink
from airflow_cwevents.operators.base import CloudWatchEventsBaseOperator

if TYPE_CHECKING:
    from airflow.sdk import BaseOperatorLink, Context

_INTEGERS = frozenset({"max_receive_count", "message_retention_seconds", "visibility_timeout"})


class _EventQueueOperator(CloudWatchEventsBaseOperator):
    """
    Base of the operators of event queues.

    :param name: the name of the event queue.
    :param event_bus_name: name or ARN of the rule's bus; None for the default bus.
    """

    template_fields: Sequence[str] = (*CloudWatchEventsBaseOperator.template_fields, "name", "event_bus_name")
    operator_extra_links: Collection[BaseOperatorLink] = (EventRuleLink(), EventBusLink())

    def __init__(self, *, name: str, event_bus_name: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.event_bus_name = event_bus_name
        self._validate_literals("name", "event_bus_name")

    def _validate_literals(self, *parameters: str) -> None:
        """Validate what has no template, so that a mistake is an error when the DAG file is parsed."""
        # a mapped operator is instantiated when its task runs
        with permanent_errors_fail():
            for parameter in parameters:
                if self.is_literal(getattr(self, parameter)):
                    validated_argument(parameter, self._argument(parameter))

    def _argument(self, parameter: str) -> Any:
        value = getattr(self, parameter)
        return as_integer(value, parameter) if parameter in _INTEGERS else value


class CreateEventQueueOperator(_EventQueueOperator):
    """
    Create an event queue, or update what differs: a queue that receives the events that match a pattern.

    It consists of an SQS queue with a dead-letter queue, a rule of the same name, the target between them, and a
    statement for this rule in the policies of the queues. What EventBridge cannot deliver to a standard queue is sent
    to its dead-letter queue. Literal arguments are validated when the DAG file is parsed.

    :param name: the name of rule and queue, 1 to 64 characters of ``A-Z a-z 0-9 - _``; that of the dead-letter queue
        has ``-dlq`` at its end.
    :param event_pattern: the pattern that events must match, as a dict or a JSON string.
    :param event_bus_name: name or ARN of the rule's bus; None for the default bus.
    :param max_receive_count: how often a message is received before SQS moves it to the dead-letter queue, 1 to 1,000.
    :param message_retention_seconds: how long the queue keeps a message, 60 to 1,209,600 seconds; the dead-letter queue
        always has the maximum, 14 days.
    :param visibility_timeout: how long a received message is hidden from other receivers, 0 to 43,200 seconds.
    :param kms_key: ARN, id or alias of a KMS key of your own, for both queues, whose policy allows EventBridge
        kms:Decrypt and kms:GenerateDataKey; None for SQS-managed encryption.
    :param tags: the complete set of the tags of rule and queues, besides the one that marks them, as a dict or as AWS's
        list of ``{"Key": …, "Value": …}``; None leaves them unchanged.
    :param message_group_id: makes both queues FIFO, with ``.fifo`` at the end of their names, and is the group of all
        messages; None for standard queues.
    :return: ``queue_url``, ``queue_arn``, ``rule_arn`` and ``dead_letter_queue_url``.

    .. seealso:: :meth:`airflow_cwevents.hooks.EventQueues.create`
    """

    template_fields: Sequence[str] = (*CloudWatchEventsBaseOperator.template_fields, *PARAMETERS)
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **CloudWatchEventsBaseOperator.template_fields_renderers,
        "event_pattern": "json",
        "tags": "json",
    }

    def __init__(
        self,
        *,
        event_pattern: Mapping[str, Any] | str,
        max_receive_count: int = MAX_RECEIVE_COUNT,
        message_retention_seconds: int = MESSAGE_RETENTION_SECONDS,
        visibility_timeout: int = VISIBILITY_TIMEOUT,
        kms_key: str | None = None,
        tags: Mapping[str, str] | Sequence[Mapping[str, str]] | None = None,
        message_group_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.event_pattern = event_pattern
        self.max_receive_count = max_receive_count
        self.message_retention_seconds = message_retention_seconds
        self.visibility_timeout = visibility_timeout
        self.kms_key = kms_key
        self.tags = tags
        self.message_group_id = message_group_id
        self._validate_literals(*PARAMETERS)

    @no_retry_if_permanent
    def execute(self, context: Context) -> dict[str, str]:
        """
        Create the event queue.

        :param context: the task's context.
        :return: its URLs and ARNs.
        """
        self.show_in_console(self.event_bus_name, self.name)
        return self.hook.event_queues.create(**{parameter: self._argument(parameter) for parameter in PARAMETERS})


class DeleteEventQueueOperator(_EventQueueOperator):
    """
    Delete an event queue, with the messages in it; do nothing if it does not exist.

    Rule and queues that ``CreateEventQueueOperator`` did not create are left, with a warning.

    :param name: the name of the event queue.
    :param event_bus_name: name or ARN of the rule's bus; None for the default bus.

    .. seealso:: :meth:`airflow_cwevents.hooks.EventQueues.delete`
    """

    @no_retry_if_permanent
    def execute(self, context: Context) -> None:
        """
        Delete the event queue.

        :param context: the task's context.
        """
        self.show_in_console(self.event_bus_name, self.name)
        self.hook.event_queues.delete(self.name, self.event_bus_name)
