"""Events reach their runs and tasks, though a triggerer or a worker is killed that waits for them."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import closing
from functools import partial

import pytest

from airflow_cwevents._cli.local_aws import LocalAws
from tests.receive.messages import event_of
from tests.system.fleet.fleet import Fleet
from tests.system.test_dispatch import HIDDEN, Dispatching, ids

pytestmark = pytest.mark.fleet

DAG_FILE = """
from datetime import timedelta

from airflow.sdk import DAG

from airflow_cwevents.sensors import EventSensor

with DAG({dag_id!r}, schedule=None):
    EventSensor(
        task_id="wait",
        queue_url={url!r},
        min_events=3,
        deferrable={deferrable},
        retries=1,
        retry_delay=timedelta(0),
    )
"""


def test_each_event_has_one_run_though_the_triggerer_that_has_it_is_killed(fleet: Fleet, local_aws: LocalAws) -> None:
    with closing(Dispatching(local_aws, fleet)) as dispatching:
        dispatching.wait_until_receiving()
        triggerer = fleet.triggerer_of(dispatching.name)
        fleet.stop(triggerer)
        sent = ids(60)
        dispatching.send(sent[:1])
        fleet.wait_for(lambda: dispatching.messages([HIDDEN]))
        holder, runs = fleet.triggerer_of(dispatching.name), dispatching.runs()
        fleet.kill(triggerer)
        assert (holder, runs) == (triggerer, Counter())
        dispatching.send(sent)  # the first one again, as SQS may deliver it
        dispatching.wait_until_empty()
        assert dispatching.runs() == Counter(sent)


class Waiting:
    """A sensor that waits for three events, and the queue that they come to."""

    def __init__(self, fleet: Fleet, aws: LocalAws, dag_id: str, *, deferrable: bool) -> None:
        self.fleet, self.dag_id, self.deferrable = fleet, dag_id, deferrable
        self._sqs = aws.client("sqs")
        self._url = self._sqs.create_queue(QueueName=dag_id)["QueueUrl"]
        fleet.add_dag_file(dag_id, DAG_FILE.format(dag_id=dag_id, url=self._url, deferrable=deferrable))
        fleet.trigger_run(dag_id, "run")

    def send(self, *numbers: int) -> None:
        for number in numbers:
            self._sqs.send_message(QueueUrl=self._url, MessageBody=json.dumps(event_of(number)))

    def has_received(self, count: int) -> bool:
        return self.hidden() == count

    def hidden(self) -> int:
        attributes = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=[HIDDEN])["Attributes"]
        return int(attributes[HIDDEN])

    def host(self) -> str:
        """Return the triggerer or the worker that waits."""
        return self.fleet.triggerer_of(self.dag_id) if self.deferrable else self.fleet.running_on(self.dag_id)[-1]

    def has_succeeded(self) -> bool:
        return self.fleet.states(self.dag_id) == ["success"]

    def close(self) -> None:
        self.fleet.remove_dags(self.dag_id)
        self._sqs.delete_queue(QueueUrl=self._url)


def test_sensors_get_every_event_though_what_they_wait_in_is_killed(fleet: Fleet, local_aws: LocalAws) -> None:
    with (
        closing(Waiting(fleet, local_aws, "wait_in_triggerer", deferrable=True)) as deferred,
        closing(Waiting(fleet, local_aws, "wait_in_worker", deferrable=False)) as poking,
    ):
        for waiting in (deferred, poking):
            waiting.send(0, 0)
        for waiting in (deferred, poking):
            fleet.wait_for(partial(waiting.has_received, 2), dag_id=waiting.dag_id)
            fleet.kill(waiting.host())
            waiting.send(1, 2)
        for waiting in (deferred, poking):
            fleet.wait_for(waiting.has_succeeded, dag_id=waiting.dag_id)
            events = fleet.result(waiting.dag_id, "run", "wait")
            assert sorted(event["detail"]["number"] for event in events) == [0, 1, 2]
            assert waiting.hidden() == 0
