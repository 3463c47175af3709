"""How long the hook waits before it retries, and that it does; in all other tests it does not wait."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from botocore.stub import Stubber
from tenacity import RetryCallState

from airflow_cwevents._aws.retries import RetryWaits
from airflow_cwevents._declare.event_queue_sqs import QUEUE_ATTEMPTS
from airflow_cwevents._declare.rules import RULE_ATTEMPTS
from airflow_cwevents._declare.target_requests import TARGET_ATTEMPTS
from airflow_cwevents.hooks import CloudWatchEventsHook
from airflow_cwevents.iam.grants import resource_statements
from tests.conftest import NO_WAITS, Stub
from tests.declare.resources import RULE_ARN

TARGET = "arn:aws:events:us-east-1:123456789012:target/stop-instance"
QUEUE = "arn:aws:sqs:us-east-1:123456789012:q"


def waits(name: str, attempts: int) -> list[float]:
    """Return the waits between so many attempts, in seconds."""
    wait: Any = getattr(RetryWaits, name)
    state = RetryCallState(retry_object=None, fn=None, args=(), kwargs={})  # type: ignore[arg-type]
    found = []
    for state.attempt_number in range(1, attempts):
        found.append(wait(state))
    return found


class Waits:
    """A wait of no time that counts."""

    def __init__(self) -> None:
        self.attempts: list[int] = []

    def __call__(self, state: RetryCallState) -> float:
        self.attempts.append(state.attempt_number)
        return 0


@pytest.mark.parametrize(
    ("name", "attempts", "least", "most"),
    [("rule", RULE_ATTEMPTS, 7, 60), ("target", TARGET_ATTEMPTS, 0, 60), ("queue", QUEUE_ATTEMPTS, 70, 100)],
)
def test_waits_are_bounded_and_differ(name: str, attempts: int, least: float, most: float) -> None:
    """IAM takes some seconds to make a role known, SQS 60 s to release a name; two tasks must not collide again."""
    for _ in range(100):
        assert least <= sum(waits(name, attempts)) <= most
    assert len({sum(waits(name, attempts)) for _ in range(10)}) > 1


def test_settling_is_longer_than_others_need_between_reading_and_writing() -> None:
    found = waits("policy", 100)
    assert min(found) >= 2
    assert max(found) <= 3
    assert len(set(found)) > 1


class TestTheyAreWaited:
    def test_before_put_rule_is_retried(self, hook: CloudWatchEventsHook, events: Stubber) -> None:
        counted = Waits()
        hook.retry_waits = replace(NO_WAITS, rule=counted)  # type: ignore[arg-type]
        events.add_client_error("describe_rule", "ResourceNotFoundException")
        for _ in range(3):
            events.add_client_error("put_rule", "ConcurrentModificationException")
        events.add_response("put_rule", {"RuleArn": RULE_ARN})
        hook.put_rule("r", event_pattern={"source": ["a"]})
        assert counted.attempts == [1, 2, 3]

    @pytest.mark.parametrize("operation", ["put_targets", "remove_targets"])
    def test_before_targets_are_retried(self, hook: CloudWatchEventsHook, events: Stubber, operation: str) -> None:
        counted = Waits()
        hook.retry_waits = replace(NO_WAITS, target=counted)  # type: ignore[arg-type]
        target = {"Id": "a", "Arn": TARGET}
        failed = [{"TargetId": "a", "ErrorCode": "InternalException", "ErrorMessage": "no"}]
        events.add_response("list_targets_by_rule", {"Targets": [target]} if operation == "remove_targets" else {})
        if operation == "put_targets":
            events.add_response("describe_rule", {"Arn": RULE_ARN})
        for _ in range(2):
            events.add_response(operation, {"FailedEntryCount": 1, "FailedEntries": failed})
        events.add_response(operation, {"FailedEntryCount": 0})
        getattr(hook, operation)("r", *([[target]] if operation == "put_targets" else []))
        assert counted.attempts == [1, 2]

    def test_before_delete_rule_is_retried(self, hook: CloudWatchEventsHook, events: Stubber) -> None:
        counted = Waits()
        hook.retry_waits = replace(NO_WAITS, target=counted)  # type: ignore[arg-type]
        events.add_response("describe_rule", {"Arn": RULE_ARN})
        for _ in range(2):
            events.add_response("list_targets_by_rule", {})
            events.add_client_error("delete_rule", "ConcurrentModificationException")
        events.add_response("list_targets_by_rule", {})
        events.add_response("delete_rule", {})
        hook.delete_rule("r")
        assert counted.attempts == [1, 2]

    def test_before_a_changed_policy_is_read_back(self, hook: CloudWatchEventsHook, stub: Stub) -> None:
        counted = Waits()
        hook.retry_waits = replace(NO_WAITS, policy=counted)  # type: ignore[arg-type]
        granted = json.dumps({"Statement": resource_statements({"Id": "t", "Arn": QUEUE}, RULE_ARN)})
        sqs = stub("sqs")
        for operation, answer in (
            ("get_queue_attributes", {}),  # to see whether it is allowed already
            ("get_queue_attributes", {}),
            ("set_queue_attributes", {}),
            ("get_queue_attributes", {"Attributes": {"Policy": granted}}),
        ):
            sqs.add_response("get_queue_url", {"QueueUrl": "https://q"})
            sqs.add_response(operation, answer)
        hook.grant_permissions(RULE_ARN, [{"Id": "t", "Arn": QUEUE}])
        assert counted.attempts == [1]
