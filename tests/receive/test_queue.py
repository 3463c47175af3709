from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from airflow_cwevents._receive.envelopes import ReceivedEvent, read_message
from airflow_cwevents.exceptions import EventQueueNotFoundError
from tests.receive.queues import URL, received

if TYPE_CHECKING:
    from airflow_cwevents.hooks import CloudWatchEventsHook
    from tests.conftest import Stub


def entries(events: list[ReceivedEvent], **members: Any) -> list[dict[str, Any]]:
    return [
        {"Id": str(number), "ReceiptHandle": event.receipt_handle, **members} for number, event in enumerate(events)
    ]


@pytest.mark.usefixtures("aws")
def test_messages_are_received_hidden_put_back_and_deleted(hook: CloudWatchEventsHook) -> None:
    sqs = hook.client("sqs")
    url = sqs.create_queue(QueueName="orders")["QueueUrl"]
    queue = hook.message_queue(url)
    for number in range(12):
        sqs.send_message(QueueUrl=url, MessageBody=f'{{"number": {number}}}')

    first = [read_message(message) for message in queue.receive(10, 0, 600)]
    second = [read_message(message) for message in queue.receive(10, 0, 600)]
    assert (len(first), len(second)) == (10, 2)
    assert queue.receive(10, 0) == []

    assert queue.hide(first + second, 0) == {}
    again: list[ReceivedEvent] = []
    while messages := queue.receive(10, 0, 600):
        again += map(read_message, messages)
    assert {event.receive_count for event in again} == {2}
    assert {event.message_id for event in again} == {event.message_id for event in first + second}

    assert queue.delete(again) == {}
    attributes = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=attributes)["Attributes"]
    assert set(counts.values()) == {"0"}


@pytest.mark.usefixtures("aws")
def test_message_of_a_fifo_queue_has_its_group(hook: CloudWatchEventsHook) -> None:
    sqs = hook.client("sqs")
    attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    url = sqs.create_queue(QueueName="orders.fifo", Attributes=attributes)["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="{}", MessageGroupId="customer-1")
    (message,) = hook.message_queue(url).receive(10, 0)
    assert read_message(message).group_id == "customer-1"


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize("method", ["receive", "delete", "hide"])
def test_missing_queue_raises(hook: CloudWatchEventsHook, method: str) -> None:
    queue = hook.message_queue(URL)
    calls: dict[str, Any] = {
        "receive": lambda: queue.receive(1, 0),
        "delete": lambda: queue.delete([received()]),
        "hide": lambda: queue.hide([received()], 1),
    }
    with pytest.raises(EventQueueNotFoundError) as caught:
        calls[method]()
    assert caught.value.queue_url == URL


def test_receive_asks_for_all_attributes_and_for_the_visibility_only_if_set(
    hook: CloudWatchEventsHook, stub: Stub
) -> None:
    request = {
        "QueueUrl": URL,
        "MaxNumberOfMessages": 10,
        "WaitTimeSeconds": 20,
        "MessageSystemAttributeNames": ["All"],
    }
    stub("sqs").add_response("receive_message", {}, request)
    stub("sqs").add_response("receive_message", {}, request | {"VisibilityTimeout": 0})
    assert hook.message_queue(URL).receive() == []
    assert hook.message_queue(URL).receive(visibility_timeout=0) == []


@pytest.mark.parametrize("count", [0, 1, 10, 11])
def test_batches_have_ten_messages(hook: CloudWatchEventsHook, stub: Stub, count: int) -> None:
    events = [received(number) for number in range(count)]
    for start in range(0, count, 10):
        batch = entries(events[start : start + 10], VisibilityTimeout=30)
        answer = {"Successful": [{"Id": entry["Id"]} for entry in batch], "Failed": []}
        stub("sqs").add_response("change_message_visibility_batch", answer, {"QueueUrl": URL, "Entries": batch})
    assert hook.message_queue(URL).hide(iter(events), 30) == {}


def test_failures_are_returned_by_message_id(hook: CloudWatchEventsHook, stub: Stub) -> None:
    events = [received(number) for number in range(12)]
    failures = [
        [{"Id": "3", "Code": "ReceiptHandleIsInvalid", "SenderFault": True, "Message": "The handle has expired"}],
        [{"Id": "1", "Code": "InternalError", "SenderFault": False}],
    ]
    for start, failed in zip((0, 10), failures, strict=True):
        request = {"QueueUrl": URL, "Entries": entries(events[start : start + 10])}
        stub("sqs").add_response("delete_message_batch", {"Successful": [], "Failed": failed}, request)
    assert hook.message_queue(URL).delete(events) == {
        "message-3": "The handle has expired",
        "message-11": "InternalError",
    }


def test_other_errors_are_raised_as_they_are(hook: CloudWatchEventsHook, stub: Stub) -> None:
    stub("sqs").add_client_error("receive_message", "AccessDenied")
    with pytest.raises(ClientError):
        hook.message_queue(URL).receive()
