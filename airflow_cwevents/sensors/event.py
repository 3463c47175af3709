"""Wait for events in the middle of a DAG."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from airflow.configuration import conf

from airflow_cwevents._airflow.compat import (
    AirflowException,
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
    PokeReturnValue,
)
from airflow_cwevents._airflow.failures import no_retry_if_permanent, permanent_errors_fail
from airflow_cwevents._airflow.parameters import as_integer
from airflow_cwevents._aws.limits import MAX_VISIBILITY_SECONDS, MAX_WAIT_SECONDS
from airflow_cwevents._declare.checks import check_number
from airflow_cwevents.exceptions import InvalidInputError
from airflow_cwevents.operators.base import CloudWatchEventsBaseOperator
from airflow_cwevents.patterns import EventPattern

if TYPE_CHECKING:
    from airflow.sdk import BaseOperatorLink, Context

    from airflow_cwevents._receive.collection import EventCollector


# How long a worker waits before it defers: events that are there, or on their way, need no triggerer. In seconds.
FIRST_WAIT_SECONDS = 5


class EventSensor(CloudWatchEventsBaseOperator, BaseSensorOperator):
    """
    Wait until an SQS queue has received events, and return them.

    It is meant for a queue of its own, which a setup task creates for the run and a teardown task deletes. It deletes
    no message, so a crash loses nothing: a retry, or a cleared task, receives the same events again. While it waits for
    more events, the messages of those that it has are hidden; at the end they are put back.

    On a queue with other receivers, messages that do not match ``event_pattern`` are put back at once. Even so, each
    time counts toward the queue's redrive policy, and hides the message from the others for a moment. The events that
    it returns stay in the queue, for the others and for the next sensor; ``DispatchEventsOperator`` consumes events.

    Transient failures of SQS do not end the wait. If the queue is missing, the task fails after a few attempts.

    :param queue_url: the queue's URL.
    :param event_pattern: a pattern that the events must match, as a dict or a JSON string, matched locally; None for
        whatever arrives. It matches nothing but events of EventBridge, so not what the rule's target transforms.
    :param min_events: how many events to wait for; duplicates count once. More than one needs a standard queue, as the
        first message of a FIFO queue's group, while hidden, holds up the group.
    :param poke_interval: how long to wait between requests, in seconds, each of which waits up to 20 seconds for
        messages; deferred, only after a request that received nothing but messages of others.
    :param deferrable: whether to wait in the triggerer, and not in a worker's slot.
    :return: the events, a list also if it is one, in the order of their arrival: at least ``min_events``.

    .. seealso:: :external+boto3:py:meth:`SQS.Client.receive_message`
    """

    template_fields: Sequence[str] = (
        *CloudWatchEventsBaseOperator.template_fields,
        "queue_url",
        "event_pattern",
        "min_events",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **CloudWatchEventsBaseOperator.template_fields_renderers,
        "event_pattern": "json",
    }
    operator_extra_links: Collection[BaseOperatorLink] = ()

    #: How long a request waits for messages, in seconds.
    wait_seconds = MAX_WAIT_SECONDS
    _collector: EventCollector | None = None

    def __init__(
        self,
        *,
        queue_url: str,
        event_pattern: Mapping[str, Any] | str | None = None,
        min_events: int = 1,
        poke_interval: timedelta | float = 5.0,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(poke_interval=poke_interval, **kwargs)
        self.queue_url = queue_url
        self.event_pattern = event_pattern
        self.min_events = min_events
        self.deferrable = deferrable
        # a mapped operator is instantiated when its task runs
        with permanent_errors_fail():
            if self.is_literal(event_pattern):
                self._pattern()
            if self.is_literal([queue_url, min_events]):
                self._min_events()

    @no_retry_if_permanent
    def execute(self, context: Context) -> list[Any]:
        """
        Wait for the events.

        :param context: the task's context.
        :return: the events.
        """
        try:
            if not self.deferrable:
                events: list[Any] = super().execute(context)
                return events
            # more events would be put back, and the trigger would receive them once more
            if self._min_events() == 1 and (found := self._collect(min(FIRST_WAIT_SECONDS, self.wait_seconds))):
                return found
        finally:
            self._put_back()
        return self._defer()

    def poke(self, context: Context) -> PokeReturnValue:
        """
        Receive messages.

        :param context: the task's context.
        :return: the events, if there are enough.
        """
        events = self._collect(self.wait_seconds)
        return PokeReturnValue(is_done=bool(events), xcom_value=events)

    def execute_complete(self, context: Context, event: Mapping[str, Any]) -> list[Any]:
        """
        Return the events that the trigger collected.

        :param context: the task's context.
        :param event: the payload of the trigger's event.
        :return: the events.
        :raises AirflowException: if the trigger failed.
        """
        if "error" in event:
            raise AirflowException(event["error"])
        events: list[Any] = event["events"]
        return events

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """
        Resume the task; skip it after a timeout if ``soft_fail`` is set, which Airflow 3.1 does not do itself.

        :param next_method: the method to call, or Airflow's mark of a failure.
        :param next_kwargs: its arguments.
        :param context: the task's context.
        :return: what the method returns.
        """
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except AirflowSensorTimeout as error:
            if not self.soft_fail:
                raise
            raise AirflowSkipException(str(error)) from error

    def on_kill(self) -> None:
        """Put back the messages of the events that were collected."""
        self._put_back()

    def _collect(self, wait_seconds: int) -> list[Any] | None:
        """Return the events, or None if there are not enough yet."""
        collector = self._collector = self._collector or self._new_collector()
        try:
            complete = collector.collect(wait_seconds)
        except Exception as error:
            if not collector.may_continue(error):
                raise
            self.log.warning("Cannot receive messages, trying again: %s", error)
            return None
        return collector.events if complete else None

    def _defer(self) -> NoReturn:
        from airflow_cwevents.triggers import EventSensorTrigger

        pattern = self._pattern()
        trigger = EventSensorTrigger(
            self.queue_url,
            pattern.to_json() if pattern else None,
            self._min_events(),
            self.poke_interval,
            aws_conn_id=self.aws_conn_id,
            region_name=self.region_name or None,
            verify=self.verify,
            botocore_config=self.botocore_config,
        )
        self.defer(trigger=trigger, method_name="execute_complete", timeout=timedelta(seconds=self.timeout))

    def _new_collector(self) -> EventCollector:
        from airflow_cwevents._receive.collection import HIDDEN_SECONDS, EventCollector

        return EventCollector(
            self.hook.message_queue(self.queue_url),
            self._pattern(),
            self._min_events(),
            self.log,
            # messages must stay hidden until the next request
            hidden_seconds=min(HIDDEN_SECONDS + int(self.poke_interval), MAX_VISIBILITY_SECONDS),
        )

    def _put_back(self) -> None:
        if self._collector:
            self._collector.put_back()

    def _pattern(self) -> EventPattern | None:
        return EventPattern(self.event_pattern) if self.event_pattern is not None else None

    def _min_events(self) -> int:
        count = as_integer(self.min_events, "min_events")
        check_number(count, "min_events", 1)
        if count > 1 and self.queue_url.endswith(".fifo"):
            reason = "a FIFO queue holds up a group while one of its messages is hidden"
            raise InvalidInputError("min_events", reason, "Use 1, or a standard queue", count)
        if count > 1 and self.reschedule and not self.deferrable:
            reason = 'mode="reschedule" forgets the events between requests'
            raise InvalidInputError("min_events", reason, "Set deferrable=True", count)
        return count
