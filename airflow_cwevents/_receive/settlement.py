"""What becomes of messages: those whose runs are there are deleted, the others stay in the queue."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from airflow_cwevents._aws.limits import MAX_MESSAGES_PER_REQUEST
from airflow_cwevents._aws.logger import Logger, counted

if TYPE_CHECKING:
    from airflow_cwevents._receive.envelopes import ReceivedEvent
    from airflow_cwevents._receive.in_flight import InFlight
    from airflow_cwevents._receive.queue import MessageQueue

# A message that stays is hidden twice as long each time, up to this, in seconds.
MAX_REDELIVERY_DELAY = 900
# Airflow 3.1 answers before it commits; runs that are not there yet are looked up again.
MAX_LOOKUPS = 5
_LOOKUP_WAIT = 0.2

Result = Literal["started", "already_started", "unmatched", "kept"]
RESULTS: tuple[Result, ...] = ("started", "already_started", "unmatched", "kept")


@dataclass(slots=True)
class Handled:
    """
    An event that Airflow accepted.

    :param event: the event.
    :param result: what it counts as.
    :param dag_ids: the DAGs whose runs it needs before its message is deleted.
    :param run_id: the id of each of these runs.
    :param lookups: how many times the runs were looked up.
    """

    event: ReceivedEvent
    result: Result
    dag_ids: list[str] = field(default_factory=list)
    run_id: str = ""
    lookups: int = 0


class Settlement:
    """
    Deletes messages, or leaves them in the queue, in batches.

    A message is deleted once its runs are in Airflow's database. Airflow's answer to a request does not prove that: 3.1
    answers before it commits, and all versions report the same conflict for a run with the same id, which is what is
    wanted, as for another run with the same logical date.

    :param queue: the queue.
    :param in_flight: what keeps received messages hidden.
    :param count_runs: counts the runs in Airflow's database, by DAG and run ids.
    :param redelivery_delay: how long a message that stays is hidden at first, in seconds.
    :param log: the logger.
    :param sleep: waits, in seconds.
    """

    def __init__(
        self,
        queue: MessageQueue,
        in_flight: InFlight,
        count_runs: Callable[[str, Iterable[str]], int],
        redelivery_delay: int,
        log: Logger,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._queue = queue
        self._in_flight = in_flight
        self._count_runs = count_runs
        self._redelivery_delay = redelivery_delay
        self._log = log
        self._sleep = sleep
        self._handled: list[Handled] = []
        self._kept: dict[int, list[ReceivedEvent]] = {}
        self._logged: set[str] = set()
        #: How many events there were of each result.
        self.counts: Counter[Result] = Counter()

    def delete(self, handled: Handled) -> None:
        """Delete a message with the next batch, if its runs are there then."""
        self._handled.append(handled)

    def keep(self, event: ReceivedEvent, result: Result = "kept") -> None:
        """Leave a message in the queue, hidden for a while, so that it is not received too often before redrive."""
        base = self._redelivery_delay
        delay = max(base, min(base * 2 ** min(event.receive_count - 1, 30), MAX_REDELIVERY_DELAY))
        self._kept.setdefault(delay, []).append(event)
        self.counts[result] += 1

    def settle_batch(self) -> None:
        """Settle what there is if that makes a batch."""
        if len(self._handled) + sum(map(len, self._kept.values())) >= MAX_MESSAGES_PER_REQUEST:
            self.settle()

    def settle(self) -> None:
        """Delete the messages whose runs are there, and hide those that stay; others remain to be settled."""
        if self._handled:
            self._delete_handled()
        for delay, events in self._kept.items():
            self._in_flight.remove(events)
            self._in_flight.hide(events, delay)
        self._kept = {}

    def settle_all(self) -> None:
        """Settle everything."""
        self.settle()
        while self._handled:
            self._sleep(_LOOKUP_WAIT)
            self.settle()

    def _delete_handled(self) -> None:
        missing = self._missing_runs()
        waiting: list[Handled] = []
        done: list[Handled] = []
        for handled in self._handled:
            is_missing = any((dag_id, handled.run_id) in missing for dag_id in handled.dag_ids)
            (waiting if is_missing else done).append(handled)
        self._handled = [handled for handled in waiting if self._may_appear(handled)]
        if done:
            self._delete(done)

    def _missing_runs(self) -> set[tuple[str, str]]:
        """Return DAG and id of the runs that are needed and not there."""
        needed: dict[str, set[str]] = {}
        for handled in self._handled:
            for dag_id in handled.dag_ids:
                needed.setdefault(dag_id, set()).add(handled.run_id)
        return {
            (dag_id, run_id)
            for dag_id, run_ids in needed.items()
            if self._count_runs(dag_id, run_ids) < len(run_ids)
            for run_id in run_ids
            if not self._count_runs(dag_id, [run_id])
        }

    def _may_appear(self, handled: Handled) -> bool:
        """Return whether a missing run may still be committed; keep the message of one that was not in time."""
        handled.lookups += 1
        if handled.lookups < MAX_LOOKUPS:
            return True
        dag_ids = ", ".join(handled.dag_ids)
        if dag_ids not in self._logged:
            self._logged.add(dag_ids)
            self._log.warning(
                "No run of %s appeared for events such as %s; other runs may have their logical dates",
                dag_ids,
                handled.event.id,
            )
        self.keep(handled.event)
        return False

    def _delete(self, done: list[Handled]) -> None:
        """Delete messages; one that is not deleted is received again, and then finds its run."""
        events = [handled.event for handled in done]
        self.counts.update(handled.result for handled in done)
        self._in_flight.remove(events)
        try:
            failed = self._queue.delete(events)
        except Exception as error:
            failed = {event.message_id: str(error) for event in events}
        if failed:
            reason = next(iter(failed.values()))
            self._log.warning("%s not deleted, to be received again: %s", counted(failed, "message"), reason)
