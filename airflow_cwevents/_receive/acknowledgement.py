"""Which messages are in flight, and which of them are to be deleted, put back, or hidden for longer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

from airflow_cwevents._receive.envelopes import ReceivedEvent, is_event
from airflow_cwevents._receive.outage import Outage

if TYPE_CHECKING:
    from airflow_cwevents._aws.logger import Logger

MAX_IN_FLIGHT = 200
#: How many ids of completed events are known, so that their redeliveries are deleted at once.
REMEMBERED_EVENTS = 10_000
#: How long to collect messages for a batch.
BATCH_SECONDS = 0.2
#: How long closing may take; Airflow kills a triggerer that does not stop.
CLOSE_SECONDS = 5

Sleep = Callable[[float], Awaitable[None]]


class Queue(Protocol):
    """The requests that an acknowledgement needs."""

    url: str

    async def delete(self, events: Sequence[ReceivedEvent]) -> dict[str, str]:
        """Delete messages; return why some were not, by message id."""

    async def hide(self, events: Sequence[ReceivedEvent], seconds: int) -> dict[str, str]:
        """Hide messages; return why some were not, by message id."""


@dataclass(slots=True)
class _InFlight:
    """An event in flight: usually one message, more if the same event was delivered again."""

    messages: dict[str, ReceivedEvent]
    extend_at: float


class Acknowledgement:
    """
    The messages in flight: received, and neither deleted nor put back.

    Methods that are no coroutines only take notes, and never fail; :meth:`run` sends the requests, in batches. While
    requests fail, the messages stay in flight, so no more than the maximum is received.

    :param queue: the queue.
    :param log: the logger.
    :param visibility_timeout: how long a message is hidden at a time, in seconds; extended while it is in flight.
    :param retry_delay: how long a message that is put back stays hidden, in seconds.
    :param max_in_flight: the maximum number of messages in flight.
    :param remembered: how many ids of completed events to remember.
    :param clock: returns the time in seconds.
    :param sleep: waits a number of seconds.
    """

    def __init__(
        self,
        queue: Queue,
        log: Logger,
        *,
        visibility_timeout: int,
        retry_delay: int,
        max_in_flight: int = MAX_IN_FLIGHT,
        remembered: int = REMEMBERED_EVENTS,
        clock: Callable[[], float] = time.monotonic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._queue = queue
        self._log = log
        self._visibility_timeout = visibility_timeout
        self._retry_delay = retry_delay
        self._max_in_flight = max_in_flight
        self._remembered = remembered
        self._clock = clock
        self._sleep = sleep
        self._outage = Outage(log, "delete or hide messages", queue.url)
        self._in_flight: dict[Hashable, _InFlight] = {}
        self._to_delete: dict[str, ReceivedEvent] = {}
        self._to_put_back: dict[str, ReceivedEvent] = {}
        self._completed: dict[Hashable, None] = {}
        self._noted = asyncio.Event()
        self._freed = asyncio.Event()

    def admit(self, event: ReceivedEvent) -> bool:
        """
        Register a received message.

        :param event: the event in it.
        :return: whether to deliver the event; False if it was completed before, or is in flight already.
        """
        key = event_key(event.event, event.id)
        self._noted.set()
        self._to_put_back.pop(event.message_id, None)  # that request would now hit this delivery
        if key in self._completed:
            self._log.info("Message %s repeats an event that is stored already, deleting it", event.message_id)
            self._to_delete[event.message_id] = event
            return False
        extend_at = self._clock() + self._visibility_timeout / 2
        if entry := self._in_flight.get(key):
            entry.messages[event.message_id] = event  # only the newest receipt handle is sure to work
            entry.extend_at = min(entry.extend_at, extend_at)
            return False
        self._in_flight[key] = _InFlight({event.message_id: event}, extend_at)
        return True

    def complete(self, event: ReceivedEvent) -> None:
        """Delete an event's messages, as Airflow has stored the event; delete redeliveries too."""
        key = event_key(event.event, event.id)
        self._completed[key] = None
        while len(self._completed) > self._remembered:
            del self._completed[next(iter(self._completed))]
        self._to_delete |= self._taken_out(key)

    def put_back(self, event: ReceivedEvent) -> None:
        """Put an event's messages back into the queue, to be received again after the retry delay."""
        self._to_put_back |= self._taken_out(event_key(event.event, event.id))

    async def room(self) -> int:
        """Return how many more messages may be received, at least 1; wait until there is room."""
        while (room := self._max_in_flight - len(self)) <= 0:
            self._freed.clear()
            await self._freed.wait()
        return room

    def __len__(self) -> int:
        return len(self._in_flight) + len(self._to_delete) + len(self._to_put_back)

    async def run(self) -> None:
        """Send the requests, until cancelled."""
        while True:
            await self._noted.wait()
            self._noted.clear()
            wait = BATCH_SECONDS
            while len(self):
                await self._sleep(wait)
                wait = await self._attempt()

    async def flush(self) -> None:
        """
        Send all requests that are due.

        :raises Exception: if some failed, after all of them were sent; the messages concerned stay in flight.
        """
        await _call_all(self._delete, partial(self._put_back, self._retry_delay), self._extend)

    async def close(self) -> None:
        """Delete what is completed, and put back all else at once; log what fails."""
        for key in list(self._in_flight):
            self._to_put_back |= self._taken_out(key)
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await _call_all(self._delete, partial(self._put_back, 0))
        except Exception as error:
            self._outage.failed(error)

    async def _attempt(self) -> float:
        try:
            await self.flush()
        except Exception as error:
            return self._outage.failed(error)
        self._outage.ended()
        return BATCH_SECONDS

    async def _delete(self) -> None:
        if batch := dict(self._to_delete):
            failed = await self._queue.delete(list(batch.values()))
            self._forget(self._to_delete, batch)
            # the event is complete, so the message is deleted when it is received again
            self._warn("was not deleted, and will be when it is received again", failed)

    async def _put_back(self, seconds: int) -> None:
        if batch := dict(self._to_put_back):
            failed = await self._queue.hide(list(batch.values()), seconds)
            self._forget(self._to_put_back, batch)
            self._warn("was not put back, and stays hidden until its visibility timeout", failed)

    async def _extend(self) -> None:
        now = self._clock()
        due = [entry for entry in self._in_flight.values() if entry.extend_at <= now]
        if not due:
            return
        messages = [message for entry in due for message in entry.messages.values()]
        failed = await self._queue.hide(messages, self._visibility_timeout)
        for entry in due:
            entry.extend_at = now + self._visibility_timeout / 2
        self._warn("cannot be hidden for longer, and may be received again", failed)

    def _taken_out(self, key: Hashable) -> dict[str, ReceivedEvent]:
        self._noted.set()
        entry = self._in_flight.pop(key, None)
        return entry.messages if entry else {}

    def _forget(self, noted: dict[str, ReceivedEvent], done: Mapping[str, ReceivedEvent]) -> None:
        """Remove messages whose request was sent, unless they were received again in the meantime."""
        for message_id, event in done.items():
            if noted.get(message_id) is event:
                del noted[message_id]
        self._freed.set()

    def _warn(self, consequence: str, failed: Mapping[str, str]) -> None:
        for message_id, reason in failed.items():
            self._log.warning("Message %s %s: %s", message_id, consequence, reason)


async def _call_all(*steps: Callable[[], Awaitable[None]]) -> None:
    """Call functions one after the other, also if one fails; then raise the first error."""
    errors = [error for step in steps if (error := await _error_of(step))]
    if errors:
        raise errors[0]


async def _error_of(step: Callable[[], Awaitable[None]]) -> Exception | None:
    try:
        await step()
    except Exception as error:
        return error
    return None


def event_key(payload: object, default: str) -> Hashable:
    """
    Return what is the same for each delivery of an event.

    :param payload: the event.
    :param default: the key of a payload that has no id.
    :return: the event's id. A replay of an archive is another event, though it has the same id.
    """
    if isinstance(payload, dict) and is_event(payload):
        return payload["id"], str(payload.get("replay-name"))
    return default
