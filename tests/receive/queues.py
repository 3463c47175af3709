"""A queue in memory, whose requests can be scripted to fail; and messages for it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence
from typing import Any

from airflow_cwevents._receive.envelopes import ReceivedEvent, read_message

URL = "https://sqs.us-east-1.amazonaws.com/123456789012/orders"


def event(number: int = 1, **members: Any) -> dict[str, Any]:
    """Return an event as EventBridge delivers it."""
    return {
        "version": "0",
        "id": f"event-{number}",
        "detail-type": "order",
        "source": "shop",
        "account": "123456789012",
        "time": "2026-11-25T10:00:00Z",
        "region": "us-east-1",
        "resources": [],
        "detail": {"number": number},
        **members,
    }


def message(number: int = 1, body: Any = None, *, receipt: int = 1, group: str | None = None) -> dict[str, Any]:
    """Return a message as ReceiveMessage does: by default with an event; the receipt tells deliveries apart."""
    text = body if isinstance(body, str) else json.dumps(event(number) if body is None else body)
    attributes = {"ApproximateReceiveCount": str(receipt)} | ({"MessageGroupId": group} if group else {})
    return {
        "MessageId": f"message-{number}",
        "ReceiptHandle": f"handle-{number}-{receipt}",
        "Body": text,
        "Attributes": attributes,
    }


def received(number: int = 1, **arguments: Any) -> ReceivedEvent:
    """Return the event of a message."""
    return read_message(message(number, **arguments))


class FakeQueue:
    """
    A queue in memory.

    :param answers: what each ReceiveMessage returns or raises, in order; after them it waits for ever.
    """

    url = URL

    def __init__(self, answers: Iterable[list[dict[str, Any]] | Exception] = ()) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[int, int, int]] = []
        self.deleted: list[str] = []
        self.hidden: list[tuple[str, int]] = []
        self.requests: list[tuple[str, int]] = []
        self.failing: Exception | None = None
        self.failing_request = ""
        self.refused: dict[str, str] = {}
        self.is_closed = False

    async def receive(self, max_messages: int, wait_seconds: int, visibility_timeout: int) -> list[dict[str, Any]]:
        self.asked.append((max_messages, wait_seconds, visibility_timeout))
        await asyncio.sleep(0)
        if not self.answers:
            await asyncio.Event().wait()
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def delete(self, events: Sequence[ReceivedEvent]) -> dict[str, str]:
        await self._called("delete", events)
        self.deleted += [event.receipt_handle for event in events if event.message_id not in self.refused]
        return self._refusals(events)

    async def hide(self, events: Sequence[ReceivedEvent], seconds: int) -> dict[str, str]:
        await self._called("hide", events)
        self.hidden += [(event.receipt_handle, seconds) for event in events if event.message_id not in self.refused]
        return self._refusals(events)

    def close(self) -> None:
        self.is_closed = True

    async def _called(self, name: str, events: Sequence[ReceivedEvent]) -> None:
        self.requests.append((name, len(events)))
        await asyncio.sleep(0)
        if self.failing and self.failing_request in name:
            raise self.failing

    def _refusals(self, events: Sequence[ReceivedEvent]) -> dict[str, str]:
        return {
            event.message_id: self.refused[event.message_id] for event in events if event.message_id in self.refused
        }


class Sleeps:
    """Waits that take no time, but let other tasks go on; ``waited`` lists them."""

    def __init__(self) -> None:
        self.waited: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.waited.append(seconds)
        await asyncio.sleep(0)


async def until(condition: Any) -> None:
    """Let other tasks go on until a condition holds."""
    for _ in range(10_000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("the condition never came true")
