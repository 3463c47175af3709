"""
Start a DAG run for each event of a queue.

A message is deleted only after its run is in Airflow's database. So whatever is killed, the message is still in the
queue, or its run is there. A run's id is made of the event's id: a message that is received again finds the run, and
is deleted.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol

from airflow_cwevents._aws.logger import Logger, counted
from airflow_cwevents._receive.in_flight import InFlight
from airflow_cwevents._receive.receivers import ReceiveOptions, Receivers, read_or_invalid
from airflow_cwevents._receive.run_requests import RunRequest, RunTemplates
from airflow_cwevents._receive.settlement import RESULTS, Handled, Settlement
from airflow_cwevents.exceptions import DagRunNotStartedError, InvalidInputError, InvalidMessageError

if TYPE_CHECKING:
    from airflow_cwevents._receive.envelopes import ReceivedEvent
    from airflow_cwevents._receive.queue import MessageQueue
    from airflow_cwevents._receive.routes import Routes

# A DAG whose runs the API server fails to start is left alone: each failure takes half a minute of Airflow's retries.
_MAX_SERVER_ERRORS = 3


class Runs(Protocol):
    """Airflow's runs, see :class:`airflow_cwevents._airflow.dag_runs.DagRuns`."""

    def start(self, dag_id: str, run_id: str, conf: dict[str, Any], logical_date: datetime | None = None) -> bool:
        """Start a run, and return whether it was; raise DagRunNotStartedError."""

    def count(self, dag_id: str, run_ids: Iterable[str]) -> int:
        """Count the runs with these ids."""

    def check_dag(self, dag_id: str) -> None:
        """Raise DagRunNotStartedError if a DAG cannot run now."""


@dataclass(frozen=True, slots=True)
class DispatchPlan:
    """
    What to do with events.

    :param routes: the DAGs to start.
    :param templates: the runs' ids, configurations and logical dates.
    :param unmatched: whether to ``keep`` or ``delete`` an event that no route takes.
    :param redelivery_delay: how long a message that stays is hidden at first, in seconds.
    """

    routes: Routes
    templates: RunTemplates = field(default_factory=RunTemplates)
    unmatched: Literal["keep", "delete"] = "keep"
    redelivery_delay: int = 60


class Dispatcher:
    """
    Starts runs for events, in the calling thread; other threads receive, and keep messages hidden.

    :param queue: the queue.
    :param plan: what to do with events.
    :param options: how to receive.
    :param runs: Airflow's runs.
    :param log: the logger.
    :param sleep: waits, in seconds.
    """

    def __init__(
        self,
        queue: MessageQueue,
        plan: DispatchPlan,
        options: ReceiveOptions,
        runs: Runs,
        log: Logger,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._queue = queue
        self._plan = plan
        self._options = options
        self._runs = runs
        self._log = log
        self._in_flight = InFlight(queue, options.visibility_timeout, log)
        self._settlement = Settlement(queue, self._in_flight, runs.count, plan.redelivery_delay, log, sleep)
        self._available: dict[str, bool] = {}
        self._server_errors: Counter[str] = Counter()
        self._logged: set[str] = set()
        self._stopped = False
        #: The error that ended receiving.
        self.error: Exception | None = None

    def run(self, messages: Iterable[Mapping[str, Any]] = ()) -> dict[str, int]:
        """
        Dispatch events until the queue stays empty, or the maximum number of events is reached.

        :param messages: messages that were received before, which come first.
        :return: how many events there were of each result; each event counts once. An error of SQS ends receiving, and
            is then in :attr:`error`.
        :raises Exception: if Airflow cannot be reached. Messages that were not dispatched are put back.
        """
        first = [read_or_invalid(message) for message in messages]
        receivers = Receivers(self._queue, self._in_flight, self._options, received=len(first))
        try:
            self._in_flight.add(first)
            self._in_flight.extend()  # it took Airflow a while to start this task
            with self._in_flight, receivers:
                self._dispatch_all(first)
                self._dispatch_received(receivers)
                self._settlement.settle_all()
        finally:
            self._in_flight.hide(self._in_flight.remaining(), 0)
            self._log_counts()
        self.error = receivers.error
        return {result: self._settlement.counts[result] for result in RESULTS}

    def stop(self) -> None:
        """Start no more runs; messages that were not dispatched are put back. Safe in a signal handler."""
        self._stopped = True

    def _dispatch_received(self, receivers: Receivers) -> None:
        for batch in receivers:
            if self._stopped:
                return
            self._dispatch_all(batch)
            if not batch:  # time to do what would wait for more
                self._settlement.settle()

    def _dispatch_all(self, events: Iterable[ReceivedEvent]) -> None:
        for event in events:
            if self._stopped:
                return
            self._dispatch(event)
        self._settlement.settle_batch()

    def _dispatch(self, event: ReceivedEvent) -> None:
        if isinstance(event.event, InvalidMessageError):
            self._log.warning("%s", event.event)
            self._settlement.keep(event)
        elif dag_ids := self._plan.routes.dag_ids_for(event.event):
            self._start(event, dag_ids)
        elif self._plan.unmatched == "delete":
            self._settlement.delete(Handled(event, "unmatched"))
        else:
            self._settlement.keep(event, "unmatched")

    def _start(self, event: ReceivedEvent, dag_ids: list[str]) -> None:
        """Start an event's runs; if one of them does not start, the message stays, and finds the others later."""
        try:
            request = self._plan.templates.request(event)
        except InvalidInputError as error:
            self._log_once(f"Events such as {event.id} stay in the queue", error)
            self._settlement.keep(event)
            return
        started = [self._start_run(event, dag_id, request) for dag_id in dag_ids]
        if None in started:
            self._settlement.keep(event)
        else:
            result: Any = "started" if any(started) else "already_started"
            self._settlement.delete(Handled(event, result, dag_ids, request.run_id))

    def _start_run(self, event: ReceivedEvent, dag_id: str, request: RunRequest) -> bool | None:
        """Start a run; return whether it was started, None if it could not be."""
        if not self._is_available(dag_id):
            return None
        try:
            started = self._runs.start(dag_id, request.run_id, request.conf, request.logical_date)
        except DagRunNotStartedError as error:
            self._server_errors[dag_id] += error.is_server_error
            if error.concerns_dag or self._server_errors[dag_id] >= _MAX_SERVER_ERRORS:
                self._leave_alone(error)
            else:
                self._log_once(f"Events such as {event.id} stay in the queue", error)
            return None
        self._server_errors[dag_id] = 0
        return started

    def _is_available(self, dag_id: str) -> bool:
        if dag_id not in self._available:
            self._available[dag_id] = True
            try:
                self._runs.check_dag(dag_id)
            except DagRunNotStartedError as error:
                self._leave_alone(error)
        return self._available[dag_id]

    def _leave_alone(self, error: DagRunNotStartedError) -> None:
        """Start no more runs of a DAG, which is logged once."""
        self._available[error.dag_id] = False
        self._log.warning("%s; events for it stay in the queue", error)

    def _log_once(self, what: str, error: Exception) -> None:
        """Log a reason once, as thousands of events may have the same."""
        if str(error) not in self._logged:
            self._logged.add(str(error))
            self._log.warning("%s: %s", what, error)

    def _log_counts(self) -> None:
        counts = self._settlement.counts
        if not counts:
            return
        shown = ", ".join(f"{result.replace('_', ' ')} {counts[result]}" for result in RESULTS)
        self._log.info("Dispatched %s: %s", counted(counts.total(), "event"), shown)
