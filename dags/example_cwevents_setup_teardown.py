"""
A rule, a target and an event that leave nothing behind: the DAG creates its own bus and queue and removes them.

Setup tasks create a custom event bus and an SQS queue; the rule on that bus delivers to the queue; the event is sent
and received. Teardown tasks remove everything, even if a task in between fails. It needs nothing but a connection.
"""

from __future__ import annotations

import time
from typing import Any
from uuid import uuid4

from airflow.sdk import DAG, Param, setup, task, teardown

from airflow_cwevents.operators import DeleteRuleOperator, PutEventsOperator, PutRuleOperator, PutTargetsOperator

NAME = "airflow-cwevents-example"

with DAG(
    dag_id="example_cwevents_setup_teardown",
    schedule=None,
    catchup=False,
    max_active_runs=1,  # all runs use the same bus
    doc_md=__doc__,
    tags=["example", "cwevents"],
    default_args={"aws_conn_id": "{{ params.aws_conn_id }}", "region_name": "{{ params.region_name or '' }}"},
    params={
        "settle_seconds": Param(
            60,
            title="Settle (seconds)",
            description="How long to wait for a new rule to match: 60 on AWS, 0 on a local AWS",
            type="integer",
            minimum=0,
        ),
        "region_name": Param(
            None,
            title="Region",
            description="An AWS region such as us-east-1; if empty, that of the connection",
            type=["null", "string"],
        ),
        "aws_conn_id": Param(
            "aws_default",
            title="Connection",
            description="The id of the Airflow connection to AWS, such as aws_default",
            type="string",
        ),
    },
) as dag:

    def client(service_name: str, params: dict[str, Any]) -> Any:
        from airflow_cwevents.hooks import CloudWatchEventsHook

        hook = CloudWatchEventsHook(params["aws_conn_id"], region_name=params["region_name"])
        return hook.client(service_name)

    @setup
    def create_bus(params: dict[str, Any] | None = None) -> None:
        client("events", params or {}).create_event_bus(Name=NAME)

    @setup
    def create_queue(params: dict[str, Any] | None = None) -> str:
        sqs = client("sqs", params or {})
        name = f"{NAME}-{uuid4()}"  # SQS refuses to reuse a name within 60 s
        url = sqs.create_queue(QueueName=name)["QueueUrl"]
        return str(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"])

    @task
    def settle(params: dict[str, Any] | None = None) -> None:
        """Wait: AWS drops events that a new rule does not match yet."""
        time.sleep((params or {})["settle_seconds"])

    @task
    def receive(event_ids: list[str], queue_arn: str, params: dict[str, Any] | None = None) -> None:
        sqs = client("sqs", params or {})
        url = sqs.get_queue_url(QueueName=queue_arn.split(":")[-1])["QueueUrl"]
        messages = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20).get("Messages", [])
        if not any(event_ids[0] in message["Body"] for message in messages):
            raise RuntimeError(f"event {event_ids[0]} did not arrive")

    @teardown
    def delete_queue(queue_arn: str, params: dict[str, Any] | None = None) -> None:
        sqs = client("sqs", params or {})
        sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=queue_arn.split(":")[-1])["QueueUrl"])

    @teardown
    def delete_bus(params: dict[str, Any] | None = None) -> None:
        client("events", params or {}).delete_event_bus(Name=NAME)

    bus = create_bus()
    queue_arn = create_queue()
    put_rule = PutRuleOperator(
        task_id="put_rule",
        name=NAME,
        event_bus_name=NAME,
        event_pattern={"source": ["com.company.app"]},
    ).as_setup()
    put_targets = PutTargetsOperator(
        task_id="put_targets",
        rule=NAME,
        event_bus_name=NAME,
        targets=[{"Id": "queue", "Arn": queue_arn}],
        grant_permissions=True,
    )
    put_events = PutEventsOperator(
        task_id="put_events",
        event_bus_name=NAME,
        entries=[
            {
                "Source": "com.company.app",
                "DetailType": "appRequestSubmitted",
                "Detail": {"key1": "value1", "key2": "value2"},
            }
        ],
    )
    received = receive(put_events.output, queue_arn)
    delete_rule = DeleteRuleOperator(
        task_id="delete_rule", name=NAME, event_bus_name=NAME, revoke_permissions=True
    ).as_teardown(setups=put_rule)
    queue_deleted = delete_queue(queue_arn)
    bus_deleted = delete_bus()

    bus >> put_rule >> put_targets >> settle() >> put_events
    received >> delete_rule >> [queue_deleted, bus_deleted]
    bus >> bus_deleted
