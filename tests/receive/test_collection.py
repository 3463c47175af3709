from __future__ import annotations

from typing import Any

import pytest

from airflow_cwevents._receive.collection import EventCollector
from airflow_cwevents.exceptions import EventQueueNotFoundError
from airflow_cwevents.hooks import CloudWatchEventsHook
from airflow_cwevents.patterns import EventPattern
from tests.conftest import Logged, Stub
from tests.receive.messages import event_of, message, send, visible

SHOP = EventPattern({"source": ["shop"]})
URL = "https://sqs.us-east-1.amazonaws.com/123456789012/q"


@pytest.fixture
def url(aws: None, hook: CloudWatchEventsHook) -> str:
    return str(hook.client("sqs").create_queue(QueueName="q")["QueueUrl"])


def collector(
    hook: CloudWatchEventsHook, url: str, min_events: int = 1, pattern: EventPattern | None = None
) -> EventCollector:
    return EventCollector(hook.message_queue(url), pattern, min_events, hook.log)


def test_enough_events_complete(hook: CloudWatchEventsHook, url: str) -> None:
    events = collector(hook, url, 3)
    send(hook, url, event_of(0), event_of(1))
    assert not events.collect(0)
    send(hook, url, event_of(2))
    assert events.collect(0)
    assert events.events == [event_of(number) for number in range(3)]


def test_more_than_a_request_returns_are_collected_at_once(hook: CloudWatchEventsHook, url: str) -> None:
    send(hook, url, *map(event_of, range(25)))
    events = collector(hook, url, 25)
    assert events.collect(0)
    assert {event["detail"]["number"] for event in events.events} == set(range(25))


def test_duplicate_counts_once(hook: CloudWatchEventsHook, url: str) -> None:
    send(hook, url, event_of(0), event_of(0))
    events = collector(hook, url, 2)
    assert not events.collect(0)
    assert events.events == [event_of(0)]
    events.put_back()
    assert visible(hook, url) == 2


def test_collected_messages_are_hidden_until_put_back(hook: CloudWatchEventsHook, url: str) -> None:
    send(hook, url, event_of(0))
    events = collector(hook, url, 2)
    events.collect(0)
    assert visible(hook, url) == 0
    events.put_back()
    assert visible(hook, url) == 1
    assert events.events == []


def test_unwanted_messages_are_put_back_at_once(hook: CloudWatchEventsHook, url: str) -> None:
    transformed = {"source": "shop"}
    send(hook, url, event_of(0, "other"), transformed)
    events = collector(hook, url, 1, SHOP)
    assert not events.collect(0)
    assert events.has_unwanted
    assert visible(hook, url) == 2
    send(hook, url, event_of(1))
    assert events.collect(0)
    assert events.events == [event_of(1)]
    assert visible(hook, url) == 2


def test_without_pattern_transformed_payloads_are_events(hook: CloudWatchEventsHook, url: str) -> None:
    send(hook, url, {"order": 7})
    events = collector(hook, url)
    assert events.collect(0)
    assert events.events == [{"order": 7}]
    assert not events.has_unwanted


def test_message_that_is_not_json_is_left_to_redrive(hook: CloudWatchEventsHook, url: str, logged: Logged) -> None:
    send(hook, url, "secret", event_of(0))
    events = collector(hook, url)
    assert events.collect(0)
    assert events.events == [event_of(0)]
    (warning,) = logged("WARNING")
    assert "not JSON" in warning.getMessage()
    assert "secret" not in warning.getMessage()
    events.put_back()
    assert visible(hook, url) == 1  # the other one stays hidden, or it would be received again and again


def test_messages_that_are_waited_with_stay_hidden(hook: CloudWatchEventsHook, stub: Stub) -> None:
    now = [0.0]
    sqs = stub("sqs")
    events = EventCollector(hook.message_queue(URL), None, 2, hook.log, hidden_seconds=70, clock=lambda: now[0])

    def expect_receive(*messages: dict[str, Any]) -> None:
        request = {
            "QueueUrl": URL,
            "MaxNumberOfMessages": 10,
            "WaitTimeSeconds": 0,
            "MessageSystemAttributeNames": ["All"],
            "VisibilityTimeout": 70,
        }
        sqs.add_response("receive_message", {"Messages": list(messages)}, request)

    def expect_hide(receipt_handle: str, seconds: int) -> None:
        entry = {"Id": "0", "ReceiptHandle": receipt_handle, "VisibilityTimeout": seconds}
        response: dict[str, Any] = {"Successful": [{"Id": "0"}], "Failed": []}
        sqs.add_response("change_message_visibility_batch", response, {"QueueUrl": URL, "Entries": [entry]})

    expect_receive(message(0, event_of(0), "first"))
    expect_receive()
    assert not events.collect(0)
    now[0] = 19
    expect_receive()
    assert not events.collect(0)
    now[0] = 20
    expect_hide("first", 70)
    expect_receive(message(0, event_of(0), "second"))  # as if that had failed
    assert not events.collect(0)
    now[0] = 40
    expect_hide("second", 70)
    expect_receive()
    assert not events.collect(0)
    expect_hide("second", 0)
    events.put_back()


def test_failing_put_back_is_logged(hook: CloudWatchEventsHook, stub: Stub, logged: Logged) -> None:
    sqs = stub("sqs")
    events = collector(hook, URL)
    sqs.add_response("receive_message", {"Messages": [message(0, event_of(0))]})
    assert events.collect(0)
    sqs.add_client_error("change_message_visibility_batch", "AccessDenied")
    events.put_back()
    assert "AccessDenied" in logged("WARNING")[0].getMessage()


def test_missing_queue_is_tolerated_a_few_times(hook: CloudWatchEventsHook, url: str) -> None:
    events = collector(hook, f"{url}-missing")
    errors = []
    for _ in range(5):
        with pytest.raises(EventQueueNotFoundError) as caught:
            events.collect(0)
        errors.append(caught.value)
    assert [events.may_continue(error) for error in errors] == [True, True, True, True, False]


@pytest.mark.parametrize(
    ("code", "expected"), [("RequestThrottled", True), ("OverLimit", True), ("AccessDenied", False)]
)
def test_transient_errors_are_tolerated(hook: CloudWatchEventsHook, stub: Stub, code: str, expected: bool) -> None:
    stub("sqs").add_client_error("receive_message", code, http_status_code=403)
    events = collector(hook, URL)
    with pytest.raises(Exception, match=code) as caught:
        events.collect(0)
    assert isinstance(caught.value, Exception)
    assert events.may_continue(caught.value) is expected
