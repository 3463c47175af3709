"""Messages as rules deliver them to a queue."""

from __future__ import annotations

import json
from typing import Any

from airflow_cwevents.hooks import CloudWatchEventsHook


def event_of(number: int, source: str = "shop") -> dict[str, Any]:
    """Return an event, as EventBridge delivers it."""
    return {
        "version": "0",
        "id": f"{number:08}-0000-4000-8000-000000000000",
        "detail-type": "order",
        "source": source,
        "account": "123456789012",
        "time": "2026-01-01T00:00:00Z",
        "region": "us-east-1",
        "resources": [],
        "detail": {"number": number},
    }


def send(hook: CloudWatchEventsHook, queue_url: str, *payloads: Any) -> None:
    """Send messages to a queue: strings as they are, everything else as JSON."""
    for payload in payloads:
        body = payload if isinstance(payload, str) else json.dumps(payload)
        hook.client("sqs").send_message(QueueUrl=queue_url, MessageBody=body)


def visible(hook: CloudWatchEventsHook, queue_url: str) -> int:
    """Return how many messages another receiver would receive."""
    attributes = hook.client("sqs").get_queue_attributes(
        QueueUrl=queue_url, AttributeNames=["ApproximateNumberOfMessages"]
    )["Attributes"]
    return int(attributes["ApproximateNumberOfMessages"])


def message(number: int, payload: Any, receipt_handle: str | None = None) -> dict[str, Any]:
    """Return a message, as ReceiveMessage returns it."""
    return {
        "MessageId": f"message-{number}",
        "ReceiptHandle": receipt_handle or f"handle-{number}",
        "Body": json.dumps(payload),
    }
