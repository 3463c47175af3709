"""Things that a rule may have as targets, created on moto."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

from airflow_cwevents._aws.arns import Arn
from airflow_cwevents._declare.resource_policies import resource_policy
from airflow_cwevents.hooks import CloudWatchEventsHook
from airflow_cwevents.iam.documents import Policy, Statement, statements_of, trust_policy

RULE_ARN = "arn:aws:events:us-east-1:123456789012:rule/r"
OTHER_RULE_ARN = "arn:aws:events:us-east-1:123456789012:rule/other"


def create_queue(hook: CloudWatchEventsHook, name: str = "q", **attributes: str) -> str:
    url = hook.client("sqs").create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    response = hook.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return str(response["Attributes"]["QueueArn"])


def create_topic(hook: CloudWatchEventsHook, name: str = "t", **attributes: str) -> str:
    return str(hook.client("sns").create_topic(Name=name, Attributes=attributes)["TopicArn"])


def create_role(hook: CloudWatchEventsHook, name: str = "events", trust: Policy | None = None) -> str:
    document = json.dumps(trust or trust_policy())
    return str(hook.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"])


def create_function(hook: CloudWatchEventsHook, name: str = "f") -> str:
    """Create a function with a version 1, and an alias ``live`` of that."""
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("f.py", "def handler(event, context): pass")
    functions = hook.client("lambda")
    created = functions.create_function(
        FunctionName=name,
        Runtime="python3.12",
        Role=create_role(hook, f"role-of-{name}"),
        Handler="f.handler",
        Code={"ZipFile": code.getvalue()},
        Publish=True,
    )
    functions.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    return str(created["FunctionArn"]).removesuffix(":1")


def create_log_group(hook: CloudWatchEventsHook, name: str = "/aws/events/g") -> str:
    hook.client("logs").create_log_group(logGroupName=name)
    return f"arn:aws:logs:us-east-1:123456789012:log-group:{name}"


def create_key(hook: CloudWatchEventsHook, *statements: Statement) -> str:
    """Create a KMS key whose policy has AWS's default statement, and these."""
    default = {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "kms:*"}
    policy = {"Version": "2012-10-17", "Statement": [{**default, "Resource": "*"}, *statements]}
    return str(hook.client("kms").create_key(Policy=json.dumps(policy))["KeyMetadata"]["Arn"])


def set_queue_policy(hook: CloudWatchEventsHook, *statements: Mapping[str, Any], name: str = "q") -> None:
    sqs = hook.client("sqs")
    policy = {"Version": "2012-10-17", "Statement": list(statements)}
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})


def read_policy(hook: CloudWatchEventsHook, arn: str) -> list[Statement]:
    """Return the statements that a resource's policy has."""
    parsed = Arn.parse(arn)
    assert parsed is not None
    return statements_of(resource_policy(hook.client, parsed).read())


def source_arns(hook: CloudWatchEventsHook, arn: str) -> list[str]:
    """Return the rules that the policy of a resource names."""
    conditions = [statement.get("Condition", {}) for statement in read_policy(hook, arn)]
    return [
        str(value)
        for condition in conditions
        for keys in condition.values()
        for key, value in keys.items()
        if key.lower() == "aws:sourcearn"
    ]
