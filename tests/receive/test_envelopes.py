from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_cwevents._receive.envelopes import is_event, read_message
from airflow_cwevents.exceptions import InvalidMessageError
from tests.receive.queues import event, message


def nested(depth: int) -> Any:
    payload: Any = []
    for _ in range(depth - 1):
        payload = [payload]
    return payload


def test_event_keeps_its_id_and_its_message() -> None:
    received = read_message(message(7, receipt=3, group="customer-1"))
    assert received.event == event(7)
    assert received.id == "event-7"
    assert received.is_enveloped
    assert (received.message_id, received.receipt_handle) == ("message-7", "handle-7-3")
    assert (received.receive_count, received.group_id) == (3, "customer-1")


def test_message_without_attributes_was_received_once_and_has_no_group() -> None:
    raw = {key: value for key, value in message().items() if key != "Attributes"}
    assert (read_message(raw).receive_count, read_message(raw).group_id) == (1, None)


def test_notification_of_sns_is_unwrapped() -> None:
    body = {"Type": "Notification", "TopicArn": "arn:aws:sns:…", "Message": json.dumps(event(2))}
    assert read_message(message(1, body)).event == event(2)


@pytest.mark.parametrize(
    "body",
    [
        {"Type": "Notification", "Message": json.dumps(event())},  # no topic: not of SNS
        {"Type": "Notification", "TopicArn": "arn", "Message": {"is": "no string"}},
        event(detail={"Type": "Notification", "TopicArn": "arn", "Message": "hello"}),
    ],
)
def test_what_only_resembles_a_notification_stays_as_it_is(body: Any) -> None:
    assert read_message(message(1, body)).event == body


@pytest.mark.parametrize(
    "payload",
    [
        {"order": 1},
        {"id": 5, "source": "s", "detail-type": "t", "detail": {}},  # an id that is no string
        {"id": "x", "source": "s", "detail": {}},
        [event()],
        "a string",
        0,
        None,
    ],
)
def test_transformed_payload_has_the_id_of_its_message(payload: Any) -> None:
    received = read_message(message(4, json.dumps(payload)))
    assert received.event == payload
    assert received.id == "message-4"
    assert not received.is_enveloped
    assert not is_event(payload)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "secret, not JSON",
        '{"id": ',
        json.dumps({"Type": "Notification", "TopicArn": "arn", "Message": "secret, not JSON"}),
        # what would end the process of Airflow that sends or stores it
        "[" * 100_000,
        json.dumps(nested(201)),
        '{"n": NaN}',
        "-Infinity",
        '{"n": 1e999}',
        str(2**64),
        str(-(2**63) - 1),
        r'"\ud800"',
        r'{"\udfff": 1}',
    ],
)
def test_message_that_airflow_cannot_store_is_invalid_and_its_body_stays_secret(body: str) -> None:
    with pytest.raises(InvalidMessageError) as caught:
        read_message(message(9, body))
    assert caught.value.message_id == "message-9"
    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("payload", [nested(200), 2**64 - 1, -(2**63), "𝄞", "\0", 1e300])
def test_what_airflow_can_store_is_valid(payload: Any) -> None:
    assert read_message(message(1, json.dumps(payload))).event == payload
