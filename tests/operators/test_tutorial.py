"""AWS's tutorial "Sending events to CloudWatch Events", its three steps by the three operators."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest

from airflow_cwevents.operators import PutEventsOperator, PutRuleOperator, PutTargetsOperator

QUEUE_ARN = "arn:aws:sqs:us-east-1:123456789012:demo"


def run(operator: Any) -> Any:
    return operator.execute({})


@pytest.mark.usefixtures("aws")
def test_event_reaches_the_target() -> None:
    sqs = boto3.client("sqs")
    url = sqs.create_queue(QueueName="demo")["QueueUrl"]

    rule_arn = run(
        PutRuleOperator(
            task_id="put_rule",
            aws_conn_id=None,
            name="DEMO_EVENT",
            role_arn="arn:aws:iam::123456789012:role/AWS_Events_Invoke_Targets",
            schedule_expression="rate(5 minutes)",
            event_pattern={"source": ["com.company.app"], "detail-type": ["appRequestSubmitted"]},
            state="ENABLED",
        )
    )
    assert rule_arn == "arn:aws:events:us-east-1:123456789012:rule/DEMO_EVENT"
    rule = boto3.client("events").describe_rule(Name="DEMO_EVENT")
    assert (rule["State"], rule["ScheduleExpression"]) == ("ENABLED", "rate(5 minutes)")
    assert rule["RoleArn"] == "arn:aws:iam::123456789012:role/AWS_Events_Invoke_Targets"

    targets = [{"Id": "myCloudWatchEventsTarget", "Arn": QUEUE_ARN}]
    target_ids = run(PutTargetsOperator(task_id="put_targets", aws_conn_id=None, rule="DEMO_EVENT", targets=targets))
    assert target_ids == ["myCloudWatchEventsTarget"]

    event_ids = run(
        PutEventsOperator(
            task_id="put_events",
            aws_conn_id=None,
            entries=[
                {
                    "Source": "com.company.app",
                    "DetailType": "appRequestSubmitted",
                    "Detail": {"key1": "value1", "key2": "value2"},
                    "Resources": ["arn:aws:s3:::company-app"],
                }
            ],
        )
    )
    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
    event = json.loads(message["Body"])
    assert [event["id"]] == event_ids
    assert event["detail"] == {"key1": "value1", "key2": "value2"}
    assert event["resources"] == ["arn:aws:s3:::company-app"]
