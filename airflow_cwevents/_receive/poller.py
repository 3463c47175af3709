"""Poll a queue: an endless stream of its events, whatever happens to the queue."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any, Protocol

from airflow_cwevents._aws.limits import MAX_MESSAGES_PER_REQUEST
from airflow_cwevents._receive.acknowledgement import Acknowledgement, Queue, Sleep
from airflow_cwevents._receive.outage import Outage
from airflow_cwevents._receive.reader import MessageReader

if TYPE_CHECKING:
    from airflow_cwevents._aws.logger import Logger
    from airflow_cwevents._receive.envelopes import ReceivedEvent


class PolledQueue(Queue, Protocol):
    """The requests that a poller needs."""

    async def receive(self, max_messages: int, wait_seconds: int, visibility_timeout: int) -> list[dict[str, Any]]:
        """Receive messages."""

    def close(self) -> None:
        """Accept no more requests."""


class Poller:
    """
    Stream the events of a queue. A failing or missing queue is polled again after a while; nothing ends the stream.

    :param queue: the queue.
    :param acknowledgement: what is in flight.
    :param log: the logger.
    :param wait_seconds: how long a request waits for messages, in seconds.
    :param visibility_timeout: how long received messages are hidden at a time, in seconds.
    :param sleep: waits a number of seconds.
    """

    def __init__(
        self,
        queue: PolledQueue,
        acknowledgement: Acknowledgement,
        log: Logger,
        *,
        wait_seconds: int,
        visibility_timeout: int,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._queue = queue
        self.acknowledgement = acknowledgement
        self._wait_seconds = wait_seconds
        self._visibility_timeout = visibility_timeout
        self._sleep = sleep
        self._outage = Outage(log, "receive messages", queue.url)
        self._reader = MessageReader(log)
        self._acknowledging: asyncio.Task[None] | None = None

    async def events(self) -> AsyncGenerator[ReceivedEvent, None]:
        """Yield events, each once until its messages are put back."""
        self._acknowledging = asyncio.create_task(self.acknowledgement.run())
        while True:
            messages = await self._receive()
            # all are in flight before the first is yielded, so that close() puts back the others
            for event in [event for event in self._reader.read(messages) if self.acknowledgement.admit(event)]:
                yield event

    async def close(self) -> None:
        """Stop polling: delete the messages of completed events, and put back all others."""
        if self._acknowledging:
            self._acknowledging.cancel()
            await asyncio.gather(self._acknowledging, return_exceptions=True)
        await self.acknowledgement.close()
        self._queue.close()

    async def _receive(self) -> list[dict[str, Any]]:
        count = min(MAX_MESSAGES_PER_REQUEST, await self.acknowledgement.room())
        try:
            messages = await self._queue.receive(count, self._wait_seconds, self._visibility_timeout)
        except Exception as error:
            await self._sleep(self._outage.failed(error))
            return []
        self._outage.ended()
        return messages
