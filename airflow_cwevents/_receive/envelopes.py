"""What a message of an SQS queue carries: an event of EventBridge, directly or by way of SNS, or a transformed one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_cwevents.exceptions import InvalidMessageError

if TYPE_CHECKING:
    from airflow_cwevents.patterns import EventPattern

# Members that each event of EventBridge has: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events.html
_EVENT_MEMBERS = frozenset({"id", "source", "detail-type", "detail"})
# What Airflow's processes cannot exchange ends the process that tries, each time that the message is received: integers
# beyond 64 bits, halves of surrogate pairs, NaN and infinity (in PostgreSQL), and payloads nested this deeply.
_MAX_DEPTH = 200


@dataclass(frozen=True, slots=True)
class ReceivedEvent:
    """
    An event, and the message that carries it.

    :param event: EventBridge's event as a dict, or any JSON value if the rule's target transforms it.
    :param id: the event's id, the same each time it is delivered; the message's id if the event has none.
    :param message_id: the id that SQS gave the message, the same each time it is received.
    :param receipt_handle: what SQS requires to delete the message, another one each time it is received.
    :param receive_count: how many times the message was received, this time included.
    :param group_id: the message group of a FIFO queue; None in other queues.
    """

    event: Any
    id: str
    message_id: str
    receipt_handle: str
    receive_count: int = 1
    group_id: str | None = None

    @property
    def is_enveloped(self) -> bool:
        """Whether the event is EventBridge's own, which patterns can match, and not transformed."""
        return is_event(self.event)

    def matches(self, pattern: EventPattern | None) -> bool:
        """Return whether the event is wanted: any if there is no pattern, else an event of EventBridge that matches."""
        return pattern is None or (self.is_enveloped and pattern.matches(self.event))


def is_event(payload: object) -> bool:
    """Return whether a payload is an event of EventBridge, which a target without transformer delivers."""
    return isinstance(payload, dict) and payload.keys() >= _EVENT_MEMBERS and isinstance(payload["id"], str)


def read_message(message: Mapping[str, Any]) -> ReceivedEvent:
    """
    Read the event in a message.

    :param message: a message of ReceiveMessage's response, with all its attributes.
    :return: the event with the message's ids.
    :raises InvalidMessageError: if the body is not JSON, or not JSON that Airflow can store.

    .. seealso:: :external+boto3:py:meth:`SQS.Client.receive_message`
    """
    attributes = message.get("Attributes", {})
    event = _unwrapped(_parsed(message["Body"], message["MessageId"]), message["MessageId"])
    return ReceivedEvent(
        event=event,
        id=event["id"] if is_event(event) else message["MessageId"],
        message_id=message["MessageId"],
        receipt_handle=message["ReceiptHandle"],
        receive_count=int(attributes.get("ApproximateReceiveCount", 1)),
        group_id=attributes.get("MessageGroupId"),
    )


def _unwrapped(payload: Any, message_id: str) -> Any:
    """Return what a notification of SNS carries; any other payload as it is."""
    is_notification = (
        isinstance(payload, dict)
        and payload.get("Type") == "Notification"
        and isinstance(payload.get("Message"), str)
        and "TopicArn" in payload
    )
    return _parsed(payload["Message"], message_id) if is_notification else payload


def _parsed(text: str, message_id: str) -> Any:
    try:
        payload = json.loads(text, parse_int=_integer, parse_constant=_refuse)
        # fails for halves of surrogate pairs, and for 1e999, which Python reads as infinity
        json.dumps(payload, ensure_ascii=False, allow_nan=False).encode()
        _check_depth(payload)
    except (ValueError, RecursionError):
        raise InvalidMessageError(message_id) from None
    return payload


def _integer(text: str) -> int:
    number = int(text)
    return number if -(2**63) <= number < 2**64 else _refuse(text)


def _refuse(text: str) -> Any:
    raise ValueError(text)


def _check_depth(payload: Any) -> None:
    level = [payload]
    for _ in range(_MAX_DEPTH):
        level = [
            child
            for value in level
            if isinstance(value, dict | list)
            for child in (value.values() if isinstance(value, dict) else value)
        ]
        if not level:
            return
    raise ValueError("it is nested too deeply")
