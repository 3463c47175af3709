"""Events become asset events in a real Airflow, each at least once, whatever is killed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import closing

import pytest

from airflow_cwevents._cli.demo.run import example_dags_folder
from airflow_cwevents._cli.local_aws import LocalAws
from tests.system.airflow_processes import RealAirflow

pytestmark = pytest.mark.whole_airflow

KILLS = 2
EXAMPLE = "example_cwevents_asset"
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

    def __init__(self, aws: LocalAws, airflow: RealAirflow, name: str, dag_file: str = DAG_FILE) -> None:
        self._events, self._sqs, self._airflow, self.name = aws.client("events"), aws.client("sqs"), airflow, name
        self.sent: list[str] = []
        self.create_queue()
        self._events.put_rule(Name=name, EventPattern=json.dumps({"source": [name]}))
        self._events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": self._queue_arn()}])
        airflow.add_dag_file(name, dag_file.format(url=self.url, name=name))

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

    def messages(self) -> int:
        """Return how many messages are in the queue, hidden ones included."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        counts = self._sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        return sum(map(int, counts.values()))

    def wait_until_stored(self, count: int | None = None) -> None:
        """Wait until so many events are stored, or all that were sent."""
        if count is None:
            self._airflow.wait_for(lambda: self.stored().keys() >= set(self.sent), dag_id=self.name)
        else:
            self._airflow.wait_for(lambda: len(self.stored()) >= count, dag_id=self.name)

    def wait_until_deleted(self) -> None:
        """Wait until all messages are deleted."""
        self._airflow.wait_for(lambda: not self.messages())

    def close(self) -> None:
        self._airflow.restart_killed()
        self._airflow.remove_dags(self.name)
        self._events.remove_targets(Rule=self.name, Ids=["queue"])
        self._events.delete_rule(Name=self.name)
        self.delete_queue()

    def _queue_arn(self) -> str:
        attributes = self._sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])["Attributes"]
        return str(attributes["QueueArn"])


@pytest.fixture
def orders(local_aws: LocalAws, real_airflow: RealAirflow, request: pytest.FixtureRequest) -> Iterator[Orders]:
    with closing(Orders(local_aws, real_airflow, request.function.__name__.replace("_", "-"))) as orders:
        yield orders


def test_every_event_of_a_burst(real_airflow: RealAirflow, orders: Orders) -> None:
    orders.send(1)
    orders.wait_until_stored()
    orders.send(200)
    orders.wait_until_stored()
    orders.wait_until_deleted()
    assert orders.stored() == Counter(orders.sent)
    real_airflow.wait_for(lambda: "success" in real_airflow.states(orders.name), dag_id=orders.name)


def test_every_event_of_a_killed_triggerer(
    real_airflow: RealAirflow, orders: Orders, request: pytest.FixtureRequest
) -> None:
    orders.send(1)
    orders.wait_until_stored()
    not_deleted = 0
    for _ in range(KILLS):
        stored = len(orders.stored())
        orders.send(50)
        # the worst moment: events are stored, and their messages not yet deleted
        orders.wait_until_stored(stored + 1)
        real_airflow.kill("triggerer")
        not_deleted += orders.messages()
        real_airflow.start_process("triggerer")
    orders.wait_until_stored()
    orders.wait_until_deleted()
    duplicates = orders.stored().total() - len(orders.sent)
    request.node.user_properties.append(("events stored twice", f"{duplicates} of {len(orders.sent)}"))
    assert duplicates <= not_deleted


def test_every_event_of_a_queue_that_was_missing(real_airflow: RealAirflow, orders: Orders) -> None:
    orders.send(1)
    orders.wait_until_stored()
    orders.delete_queue()
    log = real_airflow.log("triggerer")
    failure = f"Cannot receive messages (EventQueueNotFoundError: Queue {orders.url}"
    real_airflow.wait_for(lambda: failure in log.read_text())
    orders.create_queue()
    orders.send(5)
    orders.wait_until_stored()


def test_example_processes_an_event(real_airflow: RealAirflow, local_aws: LocalAws) -> None:
    text = (example_dags_folder() / f"{EXAMPLE}.py").read_text()
    dag_file = text.replace('os.environ.get("EXAMPLE_CWEVENTS_QUEUE_URL")', "{url!r}")
    with closing(Orders(local_aws, real_airflow, EXAMPLE, dag_file)) as orders:
        orders.send(1)  # of several, Airflow may leave the last ones to a run that another event starts
        real_airflow.wait_for(lambda: real_airflow.states(EXAMPLE) == ["success"], dag_id=EXAMPLE)
        ((run_id,),) = real_airflow.query("select run_id from dag_run where dag_id = ?", EXAMPLE)
        assert real_airflow.result(EXAMPLE, run_id, "process") == orders.sent
