"""Events become asset events in a real Airflow, each at least once, whatever is killed."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterator
from functools import partial

import pytest

from airflow_cwevents._cli.local_aws import LocalAws
from airflow_cwevents._receive.acknowledgement import MAX_IN_FLIGHT
from tests.system.airflow_processes import RealAirflow

KILLS = 2
DAG_FILE = """
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Asset, AssetWatcher

from airflow_cwevents.triggers import EventQueueTrigger

trigger = EventQueueTrigger(queue_url={url!r}, wait_seconds=1, visibility_timeout=10)
asset = Asset({name!r}, watchers=[AssetWatcher(name={name!r}, trigger=trigger)])
with DAG({name!r}, schedule=[asset]):
    EmptyOperator(task_id="end")
"""


class Orders:
    """A queue of orders, which a rule fills, and an asset that they update."""

    def __init__(self, aws: LocalAws, airflow: RealAirflow, name: str) -> None:
        self._events, self._sqs, self._airflow, self.name = aws.client("events"), aws.client("sqs"), airflow, name
        self.sent: list[str] = []
        self.create_queue()
        self._events.put_rule(Name=name, EventPattern=json.dumps({"source": [name]}))
        self._events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": self._queue_arn()}])
        airflow.add_dag_file(name, DAG_FILE.format(url=self.url, name=name))

    def create_queue(self) -> None:
        self.url: str = self._sqs.create_queue(QueueName=self.name)["QueueUrl"]

    def delete_queue(self) -> None:
        self._sqs.delete_queue(QueueUrl=self.url)

    def send(self, count: int) -> None:
        """Send events."""
        for first in range(0, count, 10):
            entries = [
                {"Source": self.name, "DetailType": "order", "Detail": json.dumps({"number": number})}
                for number in range(first, min(first + 10, count))
            ]
            self.sent += [entry["EventId"] for entry in self._events.put_events(Entries=entries)["Entries"]]

    def stored(self) -> Counter[str]:
        """Return how many asset events each event has become."""
        sql = "select e.extra from asset_event e join asset a on a.id = e.asset_id where a.name = ?"
        extras = [extra for (extra,) in self._airflow.query(sql, self.name)]
        payloads = [(json.loads(extra) if isinstance(extra, str) else extra)["payload"] for extra in extras]
        assert all(payload["source"] == self.name and "number" in payload["detail"] for payload in payloads)
        return Counter(payload["id"] for payload in payloads)

    def all_are_stored(self) -> bool:
        return self.stored().keys() >= set(self.sent)

    def has_more_than(self, count: int) -> bool:
        return len(self.stored()) > count

    def is_empty(self) -> bool:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        counts = self._sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        return set(counts.values()) == {"0"}

    def remove(self) -> None:
        (self._airflow.dags / f"{self.name}.py").unlink()
        self._events.remove_targets(Rule=self.name, Ids=["queue"])
        self._events.delete_rule(Name=self.name)
        self.delete_queue()

    def _queue_arn(self) -> str:
        attributes = self._sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])["Attributes"]
        return str(attributes["QueueArn"])


@pytest.fixture
def orders(local_aws: LocalAws, real_airflow: RealAirflow, request: pytest.FixtureRequest) -> Iterator[Orders]:
    orders = Orders(local_aws, real_airflow, request.function.__name__.replace("_", "-"))
    yield orders
    orders.remove()


def test_every_event_of_a_burst(real_airflow: RealAirflow, orders: Orders) -> None:
    orders.send(1)
    real_airflow.wait_for(orders.all_are_stored)
    orders.send(200)
    real_airflow.wait_for(orders.all_are_stored)
    real_airflow.wait_for(orders.is_empty)
    assert orders.stored() == Counter(orders.sent)
    real_airflow.wait_for(lambda: "success" in real_airflow.states(orders.name))


def test_every_event_of_a_killed_triggerer(real_airflow: RealAirflow, orders: Orders) -> None:
    orders.send(1)
    real_airflow.wait_for(orders.all_are_stored)
    for _ in range(KILLS):
        more_are_stored = partial(orders.has_more_than, len(orders.stored()))
        orders.send(50)
        # the worst moment: events are stored, and their messages not yet deleted
        real_airflow.wait_for(more_are_stored)
        real_airflow.kill("triggerer")
        real_airflow.start_process("triggerer")
    real_airflow.wait_for(orders.all_are_stored)
    real_airflow.wait_for(orders.is_empty)
    duplicates = orders.stored().total() - len(orders.sent)
    logging.getLogger(__name__).info("%d of %d events were stored twice", duplicates, len(orders.sent))
    assert duplicates <= KILLS * MAX_IN_FLIGHT


def test_every_event_of_a_queue_that_was_missing(real_airflow: RealAirflow, orders: Orders) -> None:
    orders.send(1)
    real_airflow.wait_for(orders.all_are_stored)
    orders.delete_queue()
    log = real_airflow.log("triggerer")
    failure = f"Cannot receive messages (EventQueueNotFoundError: Queue {orders.url}"
    real_airflow.wait_for(lambda: failure in log.read_text())
    orders.create_queue()
    orders.send(5)
    real_airflow.wait_for(orders.all_are_stored)
