"""Event queues on a local AWS that delivers: created, an event arrives, deleted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_cwevents._cli.local_aws import LocalAws
from airflow_cwevents._receive.envelopes import read_message
from airflow_cwevents.hooks import CloudWatchEventsHook
from airflow_cwevents.operators import CreateEventQueueOperator, DeleteEventQueueOperator, PutEventsOperator
from tests.conftest import NO_WAITS
from tests.declare.test_event_queues import writes_of

PATTERN = {"source": ["com.company.orders"], "detail": {"total": [{"numeric": [">", 100]}]}}


@pytest.fixture
def hook(aws_default: LocalAws, monkeypatch: pytest.MonkeyPatch) -> Iterator[CloudWatchEventsHook]:
    monkeypatch.setattr(CloudWatchEventsHook, "retry_waits", NO_WAITS)
    hook = CloudWatchEventsHook()
    yield hook
    assert hook.client("sqs").list_queues().get("QueueUrls", []) == []
    assert list(hook.list_rules()) == []


def send(*totals: int) -> list[str | None]:
    entries = [{"Source": "com.company.orders", "DetailType": "placed", "Detail": {"total": total}} for total in totals]
    return PutEventsOperator(task_id="send", entries=entries).execute({})


@pytest.mark.parametrize("arguments", [{}, {"message_group_id": "g"}], ids=["standard", "fifo"])
def test_matching_event_arrives_in_the_queue(hook: CloudWatchEventsHook, arguments: dict[str, Any]) -> None:
    create = CreateEventQueueOperator(task_id="create", name="orders", event_pattern=PATTERN, **arguments)
    created = create.execute({})
    _, large = send(99, 120)
    (message,) = hook.message_queue(created["queue_url"]).receive()
    event = read_message(message)
    assert event.id == large
    assert event.event["detail"] == {"total": 120}
    assert event.group_id == arguments.get("message_group_id")
    DeleteEventQueueOperator(task_id="delete", name="orders").execute({})


def test_second_creation_only_makes_sure_that_the_queues_exist(hook: CloudWatchEventsHook) -> None:
    arguments: dict[str, Any] = {"name": "orders", "event_pattern": PATTERN, "tags": {"team": "data"}}
    first = hook.event_queues.create(**arguments)
    repeated: list[dict[str, str]] = []
    writes = writes_of(hook, lambda: repeated.append(hook.event_queues.create(**arguments)))
    assert writes == ["CreateQueue", "CreateQueue"]
    assert repeated == [first]
    attributes = hook.client("sqs").get_queue_attributes(
        QueueUrl=first["dead_letter_queue_url"], AttributeNames=["RedriveAllowPolicy"]
    )["Attributes"]
    allowed = {"redrivePermission": "byQueue", "sourceQueueArns": [first["queue_arn"]]}
    assert json.loads(attributes["RedriveAllowPolicy"]) == allowed
    hook.event_queues.delete("orders")


def test_message_that_is_received_too_often_becomes_a_dead_letter(hook: CloudWatchEventsHook) -> None:
    created = hook.event_queues.create("orders", PATTERN, max_receive_count=1, visibility_timeout=0)
    send(120)
    queue = hook.message_queue(created["queue_url"])
    assert [len(queue.receive(wait_seconds=0)) for _ in range(2)] == [1, 0]
    assert len(hook.message_queue(created["dead_letter_queue_url"]).receive(wait_seconds=0)) == 1
    hook.event_queues.delete("orders")
