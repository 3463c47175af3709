"""
The life cycle of a rule: put, granted its permissions, checked, used, observed, disabled, enabled and deleted.

The target is an SQS queue that the DAG creates and removes. ``check`` fails with a readable report if EventBridge
cannot deliver; ``observe`` receives the event.
"""

from __future__ import annotations

import time
from typing import Any
from uuid import uuid4

from airflow.sdk import DAG, Param, setup, task, teardown

from airflow_cwevents.operators import (
    CheckTargetsOperator,
    DeleteRuleOperator,
    DisableRuleOperator,
    EnableRuleOperator,
    PutEventsOperator,
    PutRuleOperator,
    PutTargetsOperator,
    RemoveTargetsOperator,
)

NAME = "airflow-cwevents-lifecycle"
DETAIL = {"orderId": "1", "total": 120}

with DAG(
    dag_id="example_cwevents_rule_lifecycle",
    schedule=None,
    catchup=False,
    max_active_runs=1,  # all runs use the same rule
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

    def sqs_client(params: dict[str, Any]) -> Any:
        from airflow_cwevents.hooks import CloudWatchEventsHook

        return CloudWatchEventsHook(params["aws_conn_id"], region_name=params["region_name"]).client("sqs")

    @setup
    def create_queue(params: dict[str, Any] | None = None) -> str:
        sqs = sqs_client(params or {})
        name = f"{NAME}-{uuid4()}"  # SQS refuses to reuse a name within 60 s
        url = sqs.create_queue(QueueName=name)["QueueUrl"]
        return str(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"])

    @task
    def settle(params: dict[str, Any] | None = None) -> None:
        """Wait: AWS drops events that a new rule does not match yet."""
        time.sleep((params or {})["settle_seconds"])

    @task
    def observe(event_ids: list[str], queue_arn: str, params: dict[str, Any] | None = None) -> None:
        sqs = sqs_client(params or {})
        url = sqs.get_queue_url(QueueName=queue_arn.split(":")[-1])["QueueUrl"]
        messages = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20).get("Messages", [])
        if not any(event_ids[0] in message["Body"] for message in messages):
            raise RuntimeError(f"event {event_ids[0]} did not arrive")

    @teardown
    def delete_queue(queue_arn: str, params: dict[str, Any] | None = None) -> None:
        sqs = sqs_client(params or {})
        sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=queue_arn.split(":")[-1])["QueueUrl"])

    queue_arn = create_queue()
    put_rule = PutRuleOperator(
        task_id="put_rule",
        name=NAME,
        event_pattern={"source": ["com.company.orders"], "detail": {"total": [{"numeric": [">", 100]}]}},
        description="Large orders",
        tags={"team": "data"},
    ).as_setup()
    put_targets = PutTargetsOperator(
        task_id="put_targets",
        rule=NAME,
        targets=[{"Id": "queue", "Arn": queue_arn, "RetryPolicy": {"MaximumRetryAttempts": 3}}],
        prune=True,
        grant_permissions=True,
    )
    check = CheckTargetsOperator(
        task_id="check",
        rule=NAME,
        sample_event={"source": "com.company.orders", "detail-type": "orderPlaced", "detail": DETAIL},
    )
    send = PutEventsOperator(
        task_id="send",
        entries=[{"Source": "com.company.orders", "DetailType": "orderPlaced", "Detail": DETAIL}],
    )
    observed = observe(send.output, queue_arn)
    disable = DisableRuleOperator(task_id="disable", name=NAME)
    enable = EnableRuleOperator(task_id="enable", name=NAME)
    remove_targets = RemoveTargetsOperator(task_id="remove_targets", rule=NAME, revoke_permissions=True)
    delete_rule = DeleteRuleOperator(task_id="delete_rule", name=NAME).as_teardown(setups=put_rule)
    queue_deleted = delete_queue(queue_arn)

    put_rule >> put_targets >> check >> settle() >> send
    observed >> disable >> enable >> remove_targets >> delete_rule >> queue_deleted
