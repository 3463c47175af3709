"""How many requests reach AWS: what botocore retries the hook does not, and the other way round."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ClientError
from urllib3 import HTTPResponse

from airflow_cwevents._aws.client_config import REQUEST_ATTEMPTS
from airflow_cwevents._declare.rules import RULE_ATTEMPTS
from airflow_cwevents._declare.target_requests import TARGET_ATTEMPTS
from airflow_cwevents.exceptions import LimitExceededError, PutTargetsError, RemoveTargetsError
from airflow_cwevents.hooks import CloudWatchEventsHook

RULE_ARN = "arn:aws:events:us-east-1:123456789012:rule/r"
# with a role, so that no resource policy is read
TARGET = {
    "Id": "t",
    "Arn": "arn:aws:kinesis:us-east-1:123456789012:stream/s",
    "RoleArn": "arn:aws:iam::123456789012:role/r",
}
ANSWERS: dict[str, dict[str, Any]] = {
    "DescribeRule": {"Name": "r", "Arn": RULE_ARN},
    "ListTargetsByRule": {"Targets": [TARGET]},
    "ListTagsForResource": {"Tags": []},
    "PutRule": {"RuleArn": RULE_ARN},
}
THROTTLED, BUSY = (400, "ThrottlingException"), (400, "ConcurrentModificationException")
INTERNAL = (500, "InternalException")

Requests = Counter[str]
Refuse = Callable[[str, tuple[int, str]], Requests]

# By operation, something that needs it.
CALLS: dict[str, Callable[[CloudWatchEventsHook], Any]] = {
    "PutRule": lambda hook: hook.put_rule("r", event_pattern={"source": ["s"]}),
    "TagResource": lambda hook: hook.put_rule("r", event_pattern={"source": ["s"]}, tags={"a": "b"}),
    "EnableRule": lambda hook: hook.enable_rule("r"),
    "DisableRule": lambda hook: hook.disable_rule("r"),
    "PutTargets": lambda hook: hook.put_targets("r", [{**TARGET, "Input": "{}"}]),
    "RemoveTargets": lambda hook: hook.remove_targets("r"),
}
each_operation = pytest.mark.parametrize("operation", CALLS)


@pytest.fixture
def refuse(hook: CloudWatchEventsHook, monkeypatch: pytest.MonkeyPatch) -> Refuse:
    """Give a function that has AWS refuse all requests of an operation, and returns what counts the requests."""
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda seconds: None))

    def refuse(operation: str, error: tuple[int, str]) -> Requests:
        requests: Requests = Counter()

        def answer(request: AWSPreparedRequest, event_name: str, **_: Any) -> AWSResponse:
            name = event_name.rsplit(".", 1)[-1]
            requests[name] += 1
            status, body = (error[0], {"__type": error[1]}) if name == operation else (200, ANSWERS.get(name, {}))
            raw = HTTPResponse(io.BytesIO(json.dumps(body).encode()), preload_content=False)
            return AWSResponse(request.url, status, HTTPHeaders(), raw)

        hook.conn.meta.events.register("before-send.eventbridge", answer)
        return requests

    return refuse


@each_operation
@pytest.mark.parametrize("error", [THROTTLED, INTERNAL])
def test_botocore_retries_throttling_and_internal_errors(
    hook: CloudWatchEventsHook, refuse: Refuse, operation: str, error: tuple[int, str]
) -> None:
    requests = refuse(operation, error)
    with pytest.raises(ClientError) as caught:
        CALLS[operation](hook)
    assert caught.value.response["Error"]["Code"] == error[1]
    assert requests[operation] == REQUEST_ATTEMPTS


@each_operation
def test_hook_retries_concurrent_modifications(hook: CloudWatchEventsHook, refuse: Refuse, operation: str) -> None:
    requests = refuse(operation, BUSY)
    with pytest.raises((ClientError, PutTargetsError, RemoveTargetsError)):
        CALLS[operation](hook)
    assert requests[operation] == (TARGET_ATTEMPTS if "Targets" in operation else RULE_ATTEMPTS)


@pytest.mark.parametrize("operation", ["PutRule", "PutTargets"])
def test_exceeded_quota_is_not_retried(hook: CloudWatchEventsHook, refuse: Refuse, operation: str) -> None:
    """As it is to botocore's standard mode, which would retry it for the best part of a minute."""
    requests = refuse(operation, (400, "LimitExceededException"))
    with pytest.raises(LimitExceededError) as caught:
        CALLS[operation](hook)
    assert requests[operation] == 1
    assert isinstance(caught.value.__cause__, hook.conn.exceptions.LimitExceededException)
    assert caught.value.__cause__.operation_name == operation
