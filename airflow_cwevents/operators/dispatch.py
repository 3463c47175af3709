"""Start DAG runs for the events of a queue."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from math import inf
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow_cwevents._airflow.compat import dag_runs, time_delta_trigger
from airflow_cwevents._airflow.failures import no_retry_if_permanent, permanent_errors_fail
from airflow_cwevents._airflow.parameters import as_integer
from airflow_cwevents._aws.limits import MAX_VISIBILITY_SECONDS
from airflow_cwevents._declare.checks import check_number
from airflow_cwevents._receive.routes import read_routes
from airflow_cwevents._receive.run_requests import DEFAULT_RUN_ID, RunTemplates
from airflow_cwevents.exceptions import DagRunNotStartedError, InvalidInputError
from airflow_cwevents.operators.base import CloudWatchEventsBaseOperator

if TYPE_CHECKING:
    from airflow.sdk import BaseOperatorLink, Context

    from airflow_cwevents._receive.dispatch import Dispatcher, DispatchPlan
    from airflow_cwevents._receive.receivers import ReceiveOptions
    from airflow_cwevents._receive.routes import RouteDict, Routes

# With the threads that delete and extend, as many as botocore has connections.
MAX_RECEIVERS = 8


class DispatchEventsOperator(CloudWatchEventsBaseOperator):
    """
    Start a DAG run for each event of an SQS queue: one event, one run.

    It is meant for a DAG of its own with ``schedule="@continuous"``, which waits in the triggerer until there are
    messages. The run of an event has an id made of the event's id. Its message is deleted once the run is in Airflow's
    database, so no event is lost and none runs twice, whatever is killed.

    A message stays in the queue if its DAG is missing or paused, or its params refuse the event, or the message is not
    JSON; the log says why. It is received again after ``redelivery_delay``, until the queue's redrive policy moves it
    to the dead-letter queue. After a transient error of SQS the task ends with what it has dispatched. If no DAG of the
    operator can run, nothing is received. Airflow 3.0 and 3.1 do not show tasks whether a DAG is paused; there, its
    runs are queued, and start when it is unpaused.

    :param queue_url: the queue's URL.
    :param trigger_dag_id: the DAG that every event starts.
    :param routes: instead, a list of ``{"event_pattern": …, "trigger_dag_id": …}``, whose patterns are matched locally
        against the message's payload. A route without pattern takes every event.
    :param match: ``first`` starts the DAG of the first route that matches, so one event is one run, and a last route
        without pattern takes the rest; ``all`` starts the DAG of each route that matches, as rules do.
    :param unmatched: what happens to an event that no route takes: ``keep`` leaves it to the queue's redrive policy;
        ``delete`` deletes it. Either way it is counted.
    :param run_id_template: the run's id, a Jinja template with ``event``, the payload, and ``event_id``, filled for
        each event. Characters that Airflow does not allow are replaced, and a hash is appended.
    :param conf_template: the run's conf, a dict whose strings are such templates; a string that is one expression, such
        as ``"{{ event.detail }}"``, keeps the expression's type. None for the event itself, or ``{"event": …}`` for a
        payload that is not a dict.
    :param logical_date: the run's logical date, such a template; ``"{{ event.time }}"`` for the event's time, to which
        microseconds are added, as a DAG can have only one run per logical date. None for runs without.
    :param max_events: the maximum number of events, after which the task ends.
    :param linger: how long the task waits for another event before it ends, in seconds. An event that arrives within
        that time starts its run at once; later, it takes Airflow some seconds to start a task,
        and at least 10 since the task began to wait in the triggerer.
    :param receivers: the maximum number of threads that receive a backlog, 1 to 8.
    :param visibility_timeout: how long a received message is hidden, in seconds; extended while the task needs it.
        After a crash, messages are received again when it ends.
    :param redelivery_delay: how long a message that stays in the queue is hidden, in seconds; twice as long each time,
        up to 15 minutes.
    :param deferrable: whether to wait in the triggerer, and not in a worker's slot.
    :return: how many events there were: ``{"started": …, "already_started": …, "unmatched": …, "kept": …}``. Each event
        counts once.

    .. seealso:: :external+boto3:py:meth:`SQS.Client.receive_message`
    """

    template_fields: Sequence[str] = (
        *CloudWatchEventsBaseOperator.template_fields,
        "queue_url",
        "trigger_dag_id",
        "routes",
        "match",
        "unmatched",
        "max_events",
        "linger",
        "receivers",
        "visibility_timeout",
        "redelivery_delay",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **CloudWatchEventsBaseOperator.template_fields_renderers,
        "routes": "json",
    }
    operator_extra_links: Collection[BaseOperatorLink] = ()
    _dispatcher: Dispatcher | None = None

    def __init__(
        self,
        *,
        queue_url: str,
        trigger_dag_id: str | None = None,
        routes: Sequence[RouteDict | Mapping[str, Any]] | None = None,
        match: Literal["first", "all"] = "first",
        unmatched: Literal["keep", "delete"] = "keep",
        run_id_template: str = DEFAULT_RUN_ID,
        conf_template: Mapping[str, Any] | None = None,
        logical_date: str | None = None,
        max_events: int = 1000,
        linger: int = 5,
        receivers: int = 4,
        visibility_timeout: int = 60,
        redelivery_delay: int = 60,
        deferrable: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.queue_url = queue_url
        self.trigger_dag_id = trigger_dag_id
        self.routes = routes
        self.match = match
        self.unmatched = unmatched
        self.run_id_template = run_id_template
        self.conf_template = conf_template
        self.logical_date = logical_date
        self.max_events = max_events
        self.linger = linger
        self.receivers = receivers
        self.visibility_timeout = visibility_timeout
        self.redelivery_delay = redelivery_delay
        self.deferrable = deferrable
        # a mapped operator is instantiated when its task runs
        with permanent_errors_fail():
            self._validate_literals()

    def _validate_literals(self) -> None:
        self._templates()
        if self.is_literal([self.trigger_dag_id, self.routes, self.match]):
            self._routes()

    @no_retry_if_permanent
    def execute(self, context: Context) -> dict[str, int]:
        """
        Dispatch what is in the queue; if that is nothing, wait for messages.

        :param context: the task's context.
        :return: the counts.
        """
        if self.deferrable and self._no_dag_can_run():
            self._defer_dispatching()
        counts = self._dispatch(first_wait=1 if self.deferrable else inf)
        if self.deferrable and not any(counts.values()):
            self._defer_until_messages()
        return counts

    def execute_again(self, context: Context, event: Any = None) -> dict[str, int]:
        """
        Start anew, after no DAG could run.

        :param context: the task's context.
        :param event: the trigger's event, unused.
        :return: the counts.
        """
        return self.execute(context)

    def execute_complete(self, context: Context, event: Mapping[str, Any]) -> dict[str, int]:
        """
        Dispatch the message that the trigger received, and what else is in the queue.

        :param context: the task's context.
        :param event: the payload of the trigger's event.
        :return: the counts.
        """
        with permanent_errors_fail():
            return self._dispatch(event["messages"])

    def on_kill(self) -> None:
        """Start no more runs; messages that were not dispatched are put back."""
        if self._dispatcher:
            self._dispatcher.stop()

    def _dispatch(self, messages: Iterable[Mapping[str, Any]] = (), first_wait: float = 1) -> dict[str, int]:
        from airflow_cwevents._aws.errors import is_transient
        from airflow_cwevents._receive.dispatch import Dispatcher

        self._dispatcher = Dispatcher(
            self.hook.message_queue(self.queue_url),
            self._plan(),
            self._receive_options(first_wait),
            dag_runs(),
            self.log,
        )
        counts = self._dispatcher.run(messages)
        if error := self._dispatcher.error:
            goes_on = is_transient(error) if any(counts.values()) else self.deferrable
            if not goes_on:
                raise error
            self.log.warning("Cannot receive messages: %s", error)
        return counts

    def _no_dag_can_run(self) -> bool:
        """Return whether no DAG can run now, in which case receiving would only use up what redrive allows."""
        runs, reasons = dag_runs(), []
        for dag_id in self._routes().dag_ids:
            try:
                runs.check_dag(dag_id)
            except DagRunNotStartedError as error:
                reasons.append(error)
            else:
                return False
        for reason in reasons:
            self.log.warning("No messages are received: %s", reason)
        return True

    def _defer_dispatching(self) -> None:
        from airflow_cwevents.triggers.base import MIN_DEFERRED_SECONDS

        delay = timedelta(seconds=max(self._seconds("redelivery_delay"), MIN_DEFERRED_SECONDS))
        self.defer(trigger=time_delta_trigger(delay), method_name="execute_again")

    def _defer_until_messages(self) -> None:
        from airflow_cwevents.triggers import MessagesTrigger

        self.log.info("Waiting for messages")
        trigger = MessagesTrigger(
            self.queue_url,
            self._visibility_timeout(),
            aws_conn_id=self.aws_conn_id,
            region_name=self.region_name or None,
            verify=self.verify,
            botocore_config=self.botocore_config,
        )
        self.defer(trigger=trigger, method_name="execute_complete")

    def _routes(self) -> Routes:
        return read_routes(self.trigger_dag_id, self.routes, self.match)

    def _templates(self) -> RunTemplates:
        return RunTemplates(self.run_id_template, self.conf_template, self.logical_date)

    def _plan(self) -> DispatchPlan:
        from airflow_cwevents._receive.dispatch import DispatchPlan

        if self.unmatched not in ("keep", "delete"):
            reason = f"{self.unmatched!r} is not supported"
            raise InvalidInputError("unmatched", reason, 'Use "keep" or "delete"', self.unmatched)
        return DispatchPlan(self._routes(), self._templates(), self.unmatched, self._seconds("redelivery_delay"))

    def _receive_options(self, first_wait: float) -> ReceiveOptions:
        from airflow_cwevents._receive.receivers import ReceiveOptions

        return ReceiveOptions(
            receivers=self._in_range("receivers", 1, MAX_RECEIVERS),
            max_events=self._in_range("max_events", 1),
            first_wait=first_wait,
            linger=self._in_range("linger", 0),
            visibility_timeout=self._visibility_timeout(),
        )

    def _visibility_timeout(self) -> int:
        return self._in_range("visibility_timeout", 1, MAX_VISIBILITY_SECONDS)

    def _seconds(self, name: str) -> int:
        return self._in_range(name, 0, MAX_VISIBILITY_SECONDS)

    def _in_range(self, name: str, lowest: int, highest: int | None = None) -> int:
        value = as_integer(getattr(self, name), name)
        check_number(value, name, lowest, highest)
        return value
