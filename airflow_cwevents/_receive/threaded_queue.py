"""The requests of a queue as coroutines. boto3 runs in threads of its own: asyncio's are few and shared."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_cwevents._receive.envelopes import ReceivedEvent

if TYPE_CHECKING:
    from airflow_cwevents._receive.queue import MessageQueue

T = TypeVar("T")


class ThreadedQueue:
    """
    The messages of a queue, for asyncio.

    :param open_queue: opens the queue, for the first request and after errors, as its connection may have changed.
    :param url: the queue's URL.
    """

    def __init__(self, open_queue: Callable[[], Awaitable[MessageQueue]], url: str) -> None:
        self.url = url
        self._open_queue = open_queue
        self._queue: MessageQueue | None = None
        self._opening = asyncio.Lock()
        self._is_closed = False

    async def receive(self, max_messages: int, wait_seconds: int, visibility_timeout: int) -> list[dict[str, Any]]:
        """
        Receive messages, as :meth:`MessageQueue.receive` does.

        Messages that arrive after the coroutine was cancelled are put back.
        """
        cancelled = threading.Event()

        def receive(queue: MessageQueue) -> list[dict[str, Any]]:
            messages = queue.receive(max_messages, wait_seconds, visibility_timeout)
            if cancelled.is_set():
                queue.hide([_unread(message) for message in messages], 0)
            return messages

        try:
            return await self._call(receive)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    async def delete(self, events: Sequence[ReceivedEvent]) -> dict[str, str]:
        """Delete messages, as :meth:`MessageQueue.delete` does."""
        return await self._call(lambda queue: queue.delete(events))

    async def hide(self, events: Sequence[ReceivedEvent], seconds: int) -> dict[str, str]:
        """Hide messages or put them back, as :meth:`MessageQueue.hide` does."""
        return await self._call(lambda queue: queue.hide(events, seconds))

    def close(self) -> None:
        """Accept no more requests; those in flight end by themselves."""
        self._is_closed = True

    async def _call(self, function: Callable[[MessageQueue], T]) -> T:
        if self._is_closed:
            raise RuntimeError(f"the requests of {self.url} have ended")
        async with self._opening:
            queue = self._queue = self._queue or await self._open_queue()
        try:
            return await _in_thread(partial(function, queue))
        except Exception:
            self._queue = None
            raise


async def _in_thread(call: Callable[[], T]) -> T:
    """Call a function in a daemon thread of its own: a triggerer that ends does not wait for a long poll."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(result: Any, error: BaseException | None) -> None:
        if future.done():  # cancelled
            return
        if error:
            future.set_exception(error)
        else:
            future.set_result(result)

    def run() -> None:
        outcome: tuple[Any, BaseException | None]
        try:
            outcome = call(), None
        except Exception as error:
            outcome = None, error
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(settle, *outcome)

    threading.Thread(target=run, name="event-queue", daemon=True).start()
    return await future


def _unread(message: dict[str, Any]) -> ReceivedEvent:
    return ReceivedEvent(None, message["MessageId"], message["MessageId"], message["ReceiptHandle"])
