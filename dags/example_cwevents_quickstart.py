"""Declare a rule that delivers to a queue, and send it an event. It needs nothing but a connection to AWS."""

from __future__ import annotations

from airflow.sdk import DAG, task

from airflow_cwevents.operators import PutEventsOperator, PutRuleOperator, PutTargetsOperator

with DAG("example_cwevents_quickstart", schedule=None) as dag:

    @task
    def create_queue() -> str:
        from airflow_cwevents.hooks import CloudWatchEventsHook

        sqs = CloudWatchEventsHook().client("sqs")
        url = sqs.create_queue(QueueName="large-orders")["QueueUrl"]
        return str(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"])

    put_rule = PutRuleOperator(
        task_id="put_rule",
        name="large-orders",
        event_pattern={"source": ["com.company.orders"], "detail": {"total": [{"numeric": [">", 100]}]}},
    )
    put_targets = PutTargetsOperator(
        task_id="put_targets",
        rule="large-orders",
        targets=[{"Id": "queue", "Arn": create_queue()}],
        grant_permissions=True,
    )
    put_events = PutEventsOperator(
        task_id="put_events",
        entries=[{"Source": "com.company.orders", "DetailType": "orderPlaced", "Detail": {"id": 1, "total": 120}}],
    )
    put_rule >> put_targets >> put_events
