"""One event, one run, in an Airflow of processes that are killed; on SQLite and on PostgreSQL."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, suppress
from typing import Any
from uuid import uuid4

import boto3
import pytest

from airflow_cwevents._airflow.compat import TASKS_SEE_DAGS
from airflow_cwevents._cli.local_aws import LocalAws
from airflow_cwevents.triggers.base import MIN_DEFERRED_SECONDS
from tests.system.airflow_processes import RealAirflow

pytestmark = pytest.mark.whole_airflow

DAG_FILE = """
from datetime import datetime

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Param

from airflow_cwevents.operators import DispatchEventsOperator

NAME = {name!r}
ROUTES = [
    {{"event_pattern": {{"source": [source]}}, "trigger_dag_id": f"{{NAME}}_{{dag}}"}}
    for source, dag in [("orders", "handler"), ("strict", "strict"), ("paused", "paused"), ("missing", "missing")]
]

with DAG(f"{{NAME}}_handler", schedule=None, max_active_runs=1000):
    EmptyOperator(task_id="nothing")

with DAG(f"{{NAME}}_strict", schedule=None, params={{"source": Param(type="integer")}}):
    EmptyOperator(task_id="nothing")

with DAG(f"{{NAME}}_paused", schedule=None, is_paused_upon_creation=True):
    EmptyOperator(task_id="nothing")

with DAG(NAME, schedule="@continuous", start_date=datetime(2026, 1, 1), max_active_runs=1):
    DispatchEventsOperator(
        task_id="dispatch",
        queue_url={url!r},
        routes=ROUTES,
        linger=1,
        visibility_timeout=10,
        logical_date={logical_date!r},
        redelivery_delay=5,
    )
"""
VISIBLE, HIDDEN = "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"
MESSAGE = {"detail-type": "t", "time": "2026-01-02T03:04:05Z", "detail": {"größe": "🚀", "lines": [1, 2.5, None]}}


class Dispatching:
    """A queue, and the DAGs that dispatch from it."""

    def __init__(self, aws: LocalAws, airflow: RealAirflow, logical_date: str | None = None) -> None:
        self.airflow = airflow
        self.name = f"d{uuid4().hex[:8]}"
        self.client: Any = boto3.client("sqs", endpoint_url=aws.url, region_name=aws.region)
        self.url = self.create_queue()
        text = DAG_FILE.format(name=self.name, url=self.url, logical_date=logical_date)
        airflow.add_dag_file(self.name, text)
        airflow.wait_for(lambda: airflow.query("select 1 from dag where dag_id = ?", f"{self.name}_handler"))

    def create_queue(self) -> str:
        return str(self.client.create_queue(QueueName=self.name)["QueueUrl"])

    def send(self, ids: Iterable[str], source: str = "orders") -> None:
        bodies = [json.dumps({"id": event_id, "source": source, **MESSAGE}) for event_id in ids]
        for start in range(0, len(bodies), 10):
            batch = bodies[start : start + 10]
            entries = [{"Id": str(index), "MessageBody": body} for index, body in enumerate(batch)]
            self.client.send_message_batch(QueueUrl=self.url, Entries=entries)

    def runs(self, dag: str = "handler") -> Counter[str]:
        rows = self.airflow.query("select run_id from dag_run where dag_id = ?", f"{self.name}_{dag}")
        return Counter(run_id.removeprefix("event__") for (run_id,) in rows)

    def wait_for_runs(self, number: int) -> None:
        self.airflow.wait_for(lambda: len(self.runs()) >= number)

    def messages(self, names: Sequence[str] = (VISIBLE, HIDDEN)) -> int:
        counts = self.client.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        return sum(map(int, counts.values()))

    def wait_until_empty(self) -> None:
        self.airflow.wait_for(lambda: not self.messages())

    def wait_until_deferred(self) -> int:
        """Wait until the trigger of the dispatcher is in a triggerer, and return the triggerer's id."""
        sql = (
            'select t.triggerer_id from task_instance i join "trigger" t on t.id = i.trigger_id '
            "where i.dag_id = ? and i.state = 'deferred' and t.triggerer_id is not null"
        )
        [(triggerer_id,)] = self.airflow.wait_for(lambda: self.airflow.query(sql, self.name))
        return int(triggerer_id)

    def wait_until_receiving(self) -> int:
        """Wait until the trigger of the dispatcher receives, which is later, and return the triggerer's id."""
        triggerer_id = self.wait_until_deferred()
        begin = time.monotonic()
        self.airflow.wait_for(lambda: time.monotonic() >= begin + MIN_DEFERRED_SECONDS + 10)
        return triggerer_id

    def kill_task(self) -> None:
        """Kill the process that dispatches, as a machine out of memory does."""
        sql = "select pid from task_instance where dag_id = ? and state = 'running' and pid is not null"
        [(pid,), *_] = self.airflow.wait_for(lambda: self.airflow.query(sql, self.name))
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def close(self) -> None:
        self.airflow.restart_killed()
        self.airflow.remove_dags(self.name)
        self.client.delete_queue(QueueUrl=self.url)


@pytest.fixture
def dispatching(local_aws: LocalAws, real_airflow: RealAirflow) -> Iterator[Dispatching]:
    with closing(Dispatching(local_aws, real_airflow)) as dispatching:
        yield dispatching


@pytest.fixture
def second_triggerer(dispatching: Dispatching) -> Iterator[None]:
    """Another triggerer, idle, while the first one has the trigger of the dispatcher."""
    airflow = dispatching.airflow
    dispatching.wait_until_deferred()
    sql = "select max(id) from job where job_type = 'TriggererJob'"
    before = airflow.query(sql)
    airflow.start_process("triggerer", "triggerer-2")
    airflow.wait_for(lambda: airflow.query(sql) != before)
    yield
    airflow.kill("triggerer-2")


def ids(number: int) -> list[str]:
    return [str(uuid4()) for _ in range(number)]


def test_burst_of_events_makes_as_many_runs(dispatching: Dispatching) -> None:
    dispatching.wait_until_deferred()
    sent = ids(200)
    dispatching.send(sent)
    dispatching.wait_for_runs(200)
    dispatching.wait_until_empty()
    assert dispatching.runs() == Counter(sent)
    run = dispatching.airflow.runs(f"{dispatching.name}_handler")[0]
    assert run["conf"] == {"id": run["dag_run_id"].removeprefix("event__"), "source": "orders", **MESSAGE}


@pytest.mark.parametrize("victim", ["task", "triggerer", "scheduler", "api-server"])
def test_every_event_has_its_one_run_whatever_is_killed(dispatching: Dispatching, victim: str) -> None:
    sent = ids(60)
    dispatching.send(sent[:30])
    dispatching.wait_for_runs(5)
    if victim == "task":
        dispatching.kill_task()
    else:
        dispatching.airflow.kill(victim)
    dispatching.send(sent[30:])
    dispatching.airflow.restart_killed()
    dispatching.wait_until_empty()
    assert dispatching.runs() == Counter(sent)


def test_triggerer_killed_while_waiting_loses_nothing(dispatching: Dispatching) -> None:
    dispatching.wait_until_deferred()
    sent = ids(10)
    dispatching.airflow.kill("triggerer")
    dispatching.send(sent)
    dispatching.airflow.restart_killed()
    dispatching.wait_until_empty()
    assert dispatching.runs() == Counter(sent)


def test_second_triggerer_takes_over_from_one_that_is_killed_with_a_message(
    dispatching: Dispatching, second_triggerer: None
) -> None:
    airflow, sent = dispatching.airflow, ids(30)
    triggerer_id = dispatching.wait_until_receiving()
    airflow.stop("triggerer")
    dispatching.send(sent[:1])
    airflow.wait_for(lambda: dispatching.messages([HIDDEN]))
    holder, runs = dispatching.wait_until_deferred(), dispatching.runs()
    airflow.kill("triggerer")
    assert (holder, runs) == (triggerer_id, Counter())
    dispatching.send(sent[1:])
    dispatching.wait_until_empty()
    assert dispatching.runs() == Counter(sent)


def test_missing_queue_is_waited_for(dispatching: Dispatching) -> None:
    dispatching.wait_until_deferred()
    dispatching.client.delete_queue(QueueUrl=dispatching.url)
    dispatching.create_queue()
    sent = ids(3)
    dispatching.send(sent)
    dispatching.wait_until_empty()
    assert dispatching.runs() == Counter(sent)


def test_dag_that_cannot_run_holds_up_no_other(dispatching: Dispatching) -> None:
    for source in ("strict", "paused", "missing"):
        dispatching.send(ids(2), source)
    sent = ids(5)
    dispatching.send([*sent, sent[0], "no/run id"])
    dispatching.wait_for_runs(6)
    assert [count for run_id, count in dispatching.runs().items() if run_id in sent] == [1] * 5
    assert {dag: len(dispatching.runs(dag)) for dag in ("strict", "paused", "missing")} == {
        "strict": 0,
        "paused": 0 if TASKS_SEE_DAGS else 2,  # they are queued
        "missing": 0,
    }


def test_events_of_a_second_have_logical_dates_of_their_own(local_aws: LocalAws, real_airflow: RealAirflow) -> None:
    with closing(Dispatching(local_aws, real_airflow, "2026-01-02T03:04:05.5Z")) as dispatching:
        sent = ids(3)
        dispatching.send(sent)
        dispatching.wait_until_empty()
        assert dispatching.runs() == Counter(sent)
