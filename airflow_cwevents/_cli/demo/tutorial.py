"""The first part of AWS's tutorial, which creates a role and a function, and its end: what the function received."""

from __future__ import annotations

import io
import json
import sys
import time
import zipfile
from collections.abc import Callable
from typing import Any

from airflow_cwevents.iam.documents import trust_policy, tutorial_role_policy

ROLE = "AWS_Events_Invoke_Targets"
FUNCTION = "hello-world"
# What the function receives can be read in its log.
FUNCTION_CODE = """\
import json


def handler(event, context):
    print("Hello from Lambda! " + json.dumps(event))
"""
ARRIVAL_SECONDS = 60

ClientFactory = Callable[[str], Any]


def create_prerequisites(client: ClientFactory) -> dict[str, str]:
    """
    Create the role and the function.

    :param client: returns the boto3 client of a service.
    :return: the parameters of ``example_cwevents``.
    """
    iam = client("iam")
    role_arn = iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps(trust_policy()))["Role"]["Arn"]
    policy = json.dumps(tutorial_role_policy(ROLE))
    iam.put_role_policy(RoleName=ROLE, PolicyName="CloudWatchEvents", PolicyDocument=policy)
    function = client("lambda").create_function(
        FunctionName=FUNCTION,
        Runtime=f"python{sys.version_info.major}.{sys.version_info.minor}",
        Role=role_arn,
        Handler="index.handler",
        Code={"ZipFile": _zipped("index.py", FUNCTION_CODE)},
    )
    return {"role_arn": role_arn, "function_arn": function["FunctionArn"]}


def _zipped(name: str, content: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


def received_event(client: ClientFactory, event_id: str) -> dict[str, Any]:
    """
    Read an event as the function received it from the function's log.

    :param client: returns the boto3 client of a service.
    :param event_id: the id of the event.
    :return: the event.
    :raises TimeoutError: if it does not arrive in time.
    """
    logs = client("logs")
    give_up_at = time.monotonic() + ARRIVAL_SECONDS
    while time.monotonic() < give_up_at:
        for message in _log_messages(logs):
            if event_id in message:
                event: dict[str, Any] = json.loads(message[message.index("{") :])
                return event
        time.sleep(0.2)
    raise TimeoutError(f"event {event_id} did not reach the function within {ARRIVAL_SECONDS} s")


def _log_messages(logs: Any) -> list[str]:
    group = f"/aws/lambda/{FUNCTION}"
    if not logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
        return []
    return [event["message"] for event in logs.filter_log_events(logGroupName=group)["events"]]
