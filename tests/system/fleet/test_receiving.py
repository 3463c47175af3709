"""Events reach their runs and tasks, though a triggerer or a worker is killed that waits for them."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import closing

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
        dispatching.wait_until_deferred()
        triggerer = fleet.wait_for(lambda: fleet.triggerer_of(dispatching.name))
        fleet.stop(triggerer)
        sent = ids(60)
        dispatching.send(sent[:1])
        fleet.wait_for(lambda: dispatching.messages([HIDDEN]))
        assert dispatching.runs() == Counter()
        fleet.kill(triggerer)
        dispatching.send(sent[1:])
        dispatching.wait_until_empty()
        assert dispatching.runs() == Counter(sent)


@pytest.mark.parametrize("deferrable", [True, False])
def test_sensor_gets_every_event_though_what_it_waits_in_is_killed(
    fleet: Fleet, local_aws: LocalAws, deferrable: bool
) -> None:
    dag_id = "fleet_wait_deferred" if deferrable else "fleet_wait_poking"
    sqs = local_aws.client("sqs")
    url = sqs.create_queue(QueueName=dag_id)["QueueUrl"]

    def send(*numbers: int) -> None:
        for number in numbers:
            sqs.send_message(QueueUrl=url, MessageBody=json.dumps(event_of(number)))

    def hidden() -> int:
        return int(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[HIDDEN])["Attributes"][HIDDEN])

    fleet.add_dag_file(dag_id, DAG_FILE.format(dag_id=dag_id, url=url, deferrable=deferrable))
    fleet.trigger_run(dag_id, "run")
    send(0, 0)
    fleet.wait_for(lambda: hidden() == 2, dag_id=dag_id)
    fleet.kill(fleet.triggerer_of(dag_id) if deferrable else fleet.running_on(dag_id)[-1])
    send(1, 2)
    fleet.wait_for(lambda: fleet.states(dag_id) == ["success"], dag_id=dag_id)
    events = fleet.result(dag_id, "run", "wait")
    assert sorted(event["detail"]["number"] for event in events) == [0, 1, 2]
    assert hidden() == 0
    fleet.remove_dags(dag_id)
    sqs.delete_queue(QueueUrl=url)
