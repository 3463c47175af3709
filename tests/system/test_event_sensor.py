"""EventSensor in a real Airflow, whose triggerer is killed while it waits."""

from __future__ import annotations

import json

import pytest

from airflow_cwevents._cli.demo.run import example_dags_folder
from airflow_cwevents._cli.local_aws import LocalAws
from tests.receive.messages import event_of
from tests.system.airflow_processes import RealAirflow

pytestmark = pytest.mark.whole_airflow

DAG_ID = "wait_for_events"
DAG_FILE = """
from airflow.sdk import DAG

from airflow_cwevents.sensors import EventSensor

with DAG("wait_for_events", schedule=None):
    EventSensor(task_id="wait", queue_url="{{ dag_run.conf['queue_url'] }}", min_events=3, deferrable=True)
"""


def test_killed_triggerer_loses_no_event(real_airflow: RealAirflow, local_aws: LocalAws) -> None:
    sqs = local_aws.client("sqs")
    url = sqs.create_queue(QueueName=f"wait-{real_airflow.folder.name}")["QueueUrl"]

    def send(number: int) -> None:
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps(event_of(number)))

    def hidden() -> int:
        name = "ApproximateNumberOfMessagesNotVisible"
        return int(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name])

    real_airflow.add_dag_file(DAG_ID, DAG_FILE)
    real_airflow.trigger_run(DAG_ID, "run", {"queue_url": url})
    send(0)
    send(0)
    real_airflow.wait_for(lambda: hidden() == 2, dag_id=DAG_ID)
    real_airflow.kill("triggerer")
    real_airflow.start_process("triggerer")
    send(1)
    send(2)
    real_airflow.wait_for(lambda: real_airflow.states(DAG_ID) == ["success"], dag_id=DAG_ID)
    events = real_airflow.result(DAG_ID, "run", "wait")
    assert sorted(event["detail"]["number"] for event in events) == [0, 1, 2]
    assert event_of(2) in events
    assert hidden() == 0
    real_airflow.remove_dags(DAG_ID)
    sqs.delete_queue(QueueUrl=url)


def test_example_waits_for_the_reply_to_its_run(real_airflow: RealAirflow, local_aws: LocalAws) -> None:
    dag_id = "example_cwevents_request_reply"
    real_airflow.add_dag_file(dag_id, example_dags_folder() / f"{dag_id}.py")
    for run_id in ("first", "second"):
        real_airflow.trigger_run(dag_id, run_id, {"settle_seconds": 0})
    real_airflow.wait_for(lambda: real_airflow.states(dag_id) == ["success"] * 2, dag_id=dag_id)
    ids = {
        run_id: [event["id"] for event in real_airflow.result(dag_id, run_id, "wait_for_reply")]
        for run_id in ("first", "second")
    }
    assert ids == {run_id: real_airflow.result(dag_id, run_id, "reply") for run_id in ids}
    queues = local_aws.client("sqs").list_queues(QueueNamePrefix="airflow-cwevents-reply")
    assert queues.get("QueueUrls", []) == []
    assert local_aws.client("events").list_rules(NamePrefix="airflow-cwevents-reply")["Rules"] == []
    real_airflow.remove_dags(dag_id)
