"""DispatchEventsOperator: when it dispatches, and when it waits."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from airflow_cwevents._receive.queue import MessageQueue
from airflow_cwevents.exceptions import EventQueueNotFoundError, InvalidInputError
from airflow_cwevents.operators import DispatchEventsOperator, dispatch
from airflow_cwevents.triggers import MessagesTrigger
from tests.airflow_versions import DateTimeTrigger, TaskDeferred, TimeDeltaTrigger
from tests.failures import fails_with
from tests.receive.dispatching import FakeRuns, event_of

OperatorOf = Callable[..., DispatchEventsOperator]


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> FakeRuns:
    runs = FakeRuns()
    monkeypatch.setattr(dispatch, "dag_runs", lambda: runs)
    return runs


@pytest.fixture
def client(aws: None) -> Any:
    return boto3.client("sqs")


@pytest.fixture
def operator_of(client: Any, runs: FakeRuns, monkeypatch: pytest.MonkeyPatch) -> OperatorOf:
    url = client.create_queue(QueueName="q")["QueueUrl"]
    original = MessageQueue.receive
    monkeypatch.setattr(MessageQueue, "receive", lambda self, size, wait, hidden: original(self, size, 0, hidden))

    def make(**arguments: Any) -> DispatchEventsOperator:
        defaults = {"queue_url": url, "trigger_dag_id": "handler", "aws_conn_id": None, "linger": 0}
        return DispatchEventsOperator(task_id="dispatch", **(defaults | arguments))

    return make


def send(client: Any, operator: DispatchEventsOperator, *ids: str) -> None:
    for event_id in ids:
        client.send_message(QueueUrl=operator.queue_url, MessageBody=json.dumps(event_of(event_id)))


def test_messages_are_dispatched_at_once(client: Any, operator_of: OperatorOf, runs: FakeRuns) -> None:
    operator = operator_of()
    send(client, operator, "a", "b")
    result = operator.execute({})
    assert result == {"started": 2, "already_started": 0, "unmatched": 0, "kept": 0}
    assert sorted(runs.event_ids) == ["a", "b"]


def test_empty_queue_is_waited_for_in_the_triggerer(operator_of: OperatorOf, monkeypatch: pytest.MonkeyPatch) -> None:
    operator = operator_of(visibility_timeout="45", region_name="us-east-1")
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute({})
    trigger = deferred.value.trigger
    assert isinstance(trigger, MessagesTrigger)
    assert trigger.serialize()[1] == {
        "queue_url": operator.queue_url,
        "visibility_timeout": 45,
        "aws_conn_id": None,
        "region_name": "us-east-1",
        "verify": None,
        "botocore_config": None,
    }
    assert deferred.value.method_name == "execute_complete"


def test_message_of_the_trigger_is_dispatched_with_the_rest(
    client: Any, operator_of: OperatorOf, runs: FakeRuns
) -> None:
    operator = operator_of()
    send(client, operator, "a", "b")
    received = client.receive_message(QueueUrl=operator.queue_url)["Messages"]
    assert operator.execute_complete({}, {"messages": received})["started"] == 2
    assert sorted(runs.event_ids) == ["a", "b"]


def test_missing_queue_is_waited_for(operator_of: OperatorOf) -> None:
    operator = operator_of(queue_url="https://sqs.us-east-1.amazonaws.com/123456789012/missing")
    with pytest.raises(TaskDeferred):
        operator.execute({})


def test_missing_queue_fails_a_task_that_does_not_defer(operator_of: OperatorOf) -> None:
    operator = operator_of(queue_url="https://sqs.us-east-1.amazonaws.com/123456789012/missing", deferrable=False)
    with pytest.raises(EventQueueNotFoundError):
        operator.execute({})


def failing_after_a_message(
    client: Any, operator: DispatchEventsOperator, monkeypatch: pytest.MonkeyPatch, code: str
) -> Any:
    """Dispatch a message of the trigger, and let SQS fail then."""
    send(client, operator, "a")
    received = client.receive_message(QueueUrl=operator.queue_url)["Messages"]

    def fail(*_: Any) -> None:
        raise ClientError({"Error": {"Code": code, "Message": "no"}}, "ReceiveMessage")

    monkeypatch.setattr(MessageQueue, "receive", fail)
    return operator.execute_complete({}, {"messages": received})


def test_transient_error_after_events_leaves_the_rest_to_the_next_run(
    client: Any, operator_of: OperatorOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = failing_after_a_message(client, operator_of(), monkeypatch, "ThrottlingException")
    assert result["started"] == 1


def test_other_error_after_events_fails_the_task(
    client: Any, operator_of: OperatorOf, runs: FakeRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ClientError):
        failing_after_a_message(client, operator_of(), monkeypatch, "AccessDenied")
    assert runs.event_ids == ["a"]


def test_nothing_is_received_while_no_dag_can_run(client: Any, operator_of: OperatorOf, runs: FakeRuns) -> None:
    runs.unavailable = {"handler"}
    operator = operator_of()
    send(client, operator, "a")
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute({})
    assert isinstance(deferred.value.trigger, TimeDeltaTrigger | DateTimeTrigger)
    [message] = client.receive_message(QueueUrl=operator.queue_url, AttributeNames=["All"])["Messages"]
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"
    client.change_message_visibility(
        QueueUrl=operator.queue_url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
    )
    runs.unavailable = set()
    resume = getattr(operator, deferred.value.method_name)
    assert resume({}, {"any": "event"})["started"] == 1


def test_task_stays_deferred_until_the_scheduler_knows(
    operator_of: OperatorOf, runs: FakeRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or Airflow may fail it: https://github.com/apache/airflow/issues/72716."""
    runs.unavailable = {"handler"}
    monkeypatch.setattr("airflow_cwevents.triggers.base.MIN_DEFERRED_SECONDS", 10_000)
    with pytest.raises(TaskDeferred) as deferred:
        operator_of(redelivery_delay=0).execute({})
    assert deferred.value.trigger.moment > datetime.now(UTC) + timedelta(seconds=9_000)


def test_killed_task_stops_dispatching(
    operator_of: OperatorOf, client: Any, runs: FakeRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = operator_of()
    operator.on_kill()  # before there is anything to stop
    start = runs.start

    def killing(*args: Any) -> bool:
        operator.on_kill()
        return start(*args)

    monkeypatch.setattr(runs, "start", killing)
    send(client, operator, "a", "b", "c")
    assert operator.execute({})["started"] == 1


@pytest.mark.parametrize(
    ("arguments", "place"),
    [
        ({"routes": [{"trigger_dag_id": "d"}]}, "routes"),
        ({"trigger_dag_id": None, "routes": [{"event_pattern": {"a": 1}, "trigger_dag_id": "d"}]}, "routes[0]"),
        ({"run_id_template": "{{ event"}, "run_id_template"),
        ({"unmatched": "drop"}, "unmatched"),
        ({"max_events": 0}, "max_events"),
        ({"visibility_timeout": 43_201}, "visibility_timeout"),
    ],
)
def test_invalid_arguments_fail_without_retries(operator_of: OperatorOf, arguments: Any, place: str) -> None:
    with fails_with(InvalidInputError) as caught:
        operator_of(**arguments).execute({})
    assert caught.value.place.startswith(place)
