"""A queue of moto and a fake Airflow for tests of the dispatcher, both of which can be killed at any step."""

from __future__ import annotations

import json
import logging
import threading
from collections import Counter
from collections.abc import Iterable
from typing import Any

import boto3
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.sqs.models import sqs_backends

from airflow_cwevents._receive.dispatch import Dispatcher, DispatchPlan
from airflow_cwevents._receive.envelopes import ReceivedEvent
from airflow_cwevents._receive.queue import MessageQueue
from airflow_cwevents._receive.receivers import ReceiveOptions
from airflow_cwevents._receive.routes import read_routes
from airflow_cwevents.exceptions import DagRunNotStartedError

LOGGER = logging.getLogger("tests.dispatch")
NAME = "events"


def event_of(event_id: str, **members: Any) -> dict[str, Any]:
    event = {"id": event_id, "source": "my.app", "detail-type": "t", "time": "2026-01-02T03:04:05Z", "detail": {}}
    return event | members


class KilledError(BaseException):
    """What a SIGKILL would be: nothing catches it, and no later step has an effect."""


class Fuse:
    """Kills the process at a step, and keeps it dead."""

    def __init__(self, steps: int | None = None) -> None:
        self.left = steps
        self.dead = False

    def step(self) -> None:
        """Count a step of the main thread."""
        if threading.current_thread() is threading.main_thread() and self.left is not None:
            self.dead = self.dead or self.left == 0
            self.left -= 1
            if self.dead:
                raise KilledError


class FakeRuns:
    """The runs of an Airflow whose DAGs take everything, but for those that are told not to."""

    def __init__(self, fuse: Fuse | None = None) -> None:
        self.fuse = fuse or Fuse()
        self.confs: dict[tuple[str, str], dict[str, Any]] = {}
        self.logical_dates: dict[tuple[str, str], Any] = {}
        self.started: Counter[tuple[str, str]] = Counter()
        self.unavailable: set[str] = set()
        self.refusals: dict[str, DagRunNotStartedError] = {}
        self.uncommitted: dict[str, int] = {}
        self.requests: list[str] = []

    @property
    def event_ids(self) -> list[str]:
        return [run_id.removeprefix("event__") for _, run_id in self.confs]

    def start(self, dag_id: str, run_id: str, conf: dict[str, Any], logical_date: Any = None) -> bool:
        self.fuse.step()
        self.requests.append(dag_id)
        if run_id in self.refusals:
            raise self.refusals[run_id]
        is_conflict = (dag_id, run_id) in self.confs or (
            logical_date is not None
            and logical_date in [date for (other, _), date in self.logical_dates.items() if other == dag_id]
        )
        if not is_conflict:
            self.confs[dag_id, run_id] = conf
            self.logical_dates[dag_id, run_id] = logical_date
            self.started[dag_id, run_id] += 1
        self.fuse.step()
        return not is_conflict

    def count(self, dag_id: str, run_ids: Iterable[str]) -> int:
        self.fuse.step()
        there = [run_id for run_id in set(run_ids) if (dag_id, run_id) in self.confs]
        for run_id in there:
            self.uncommitted[run_id] = self.uncommitted.get(run_id, 0) - 1
        return len([run_id for run_id in there if self.uncommitted[run_id] < 0])

    def check_dag(self, dag_id: str) -> None:
        self.fuse.step()
        if dag_id in self.unavailable:
            raise DagRunNotStartedError(dag_id, "it is paused", "Unpause it", concerns_dag=True)


class FusedQueue(MessageQueue):
    """A queue whose polls do not wait, and which fails where a test says so."""

    def __init__(self, client: Any, url: str, fuse: Fuse | None = None) -> None:
        super().__init__(client, url)
        self.fuse = fuse or Fuse()
        self.hidden: list[tuple[str, int]] = []
        self.lock = threading.Lock()
        self.receives = 0
        self.receive_error: Exception | None = None
        self.undeletable: set[str] = set()
        self.delete_error: Exception | None = None

    def receive(
        self, max_messages: int = 10, wait_seconds: int = 20, visibility_timeout: int | None = None
    ) -> list[dict[str, Any]]:
        if self.receive_error:
            raise self.receive_error
        self.receives += 1
        with self.lock:  # moto delivers a message to two threads
            return [] if self.fuse.dead else super().receive(max_messages, 0, visibility_timeout)

    def delete(self, events: Iterable[ReceivedEvent]) -> dict[str, str]:
        self.fuse.step()
        if self.delete_error:
            raise self.delete_error
        events = list(events)
        failed = super().delete(event for event in events if event.id not in self.undeletable)
        self.fuse.step()
        return failed | {event.message_id: "InternalError" for event in events if event.id in self.undeletable}

    def hide(self, events: Iterable[ReceivedEvent], seconds: int) -> dict[str, str]:
        self.fuse.step()
        events = list(events)
        self.hidden += [(event.id, seconds) for event in events]
        return super().hide(events, seconds)


class Setting:
    """A queue, an Airflow, and what dispatches from one to the other."""

    def __init__(self) -> None:
        self.client: Any = boto3.client("sqs")
        self.url = self.client.create_queue(QueueName=NAME)["QueueUrl"]
        self.runs = FakeRuns()
        self.queue = FusedQueue(self.client, self.url)
        self.naps: list[float] = []

    def send(self, *events: Any) -> None:
        bodies = [event if isinstance(event, str) else json.dumps(event) for event in events]
        for start in range(0, len(bodies), 10):
            batch = bodies[start : start + 10]
            entries = [{"Id": str(index), "MessageBody": body} for index, body in enumerate(batch)]
            self.client.send_message_batch(QueueUrl=self.url, Entries=entries)

    def dispatcher(
        self, routes: Any = None, *, match: str = "first", options: ReceiveOptions | None = None, **plan: Any
    ) -> Dispatcher:
        read = read_routes(None, routes, match) if routes else read_routes("handler", None)
        options = options or ReceiveOptions(first_wait=0, linger=0)
        return Dispatcher(self.queue, DispatchPlan(read, **plan), options, self.runs, LOGGER, self.naps.append)

    def dispatch(self, routes: Any = None, **settings: Any) -> dict[str, int]:
        return self.dispatcher(routes, **settings).run()

    def wait_for_threads(self) -> None:
        """Wait until each request in flight has put back what it received."""
        for thread in threading.enumerate():
            if thread.name == "receive-messages":
                thread.join()

    def lapse(self) -> None:
        """Let all visibility timeouts end, once no request is in flight."""
        self.wait_for_threads()
        for message in self._messages():
            message.change_visibility(0)

    def kill_at(self, steps: int | None) -> None:
        """Start another life of the process, which ends after some steps."""
        fuse = Fuse(steps)
        self.queue = FusedQueue(self.client, self.url, fuse)
        self.runs.fuse = fuse

    @property
    def remaining(self) -> int:
        return len(self._messages())

    def _messages(self) -> list[Any]:
        return list(sqs_backends[DEFAULT_ACCOUNT_ID]["us-east-1"].queues[NAME]._messages)
