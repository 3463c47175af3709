from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from airflow_cwevents._receive.queue import MessageQueue
from airflow_cwevents._receive.threaded_queue import ThreadedQueue
from airflow_cwevents.exceptions import EventQueueNotFoundError
from tests.receive.queues import URL, message, received


class BlockingQueue(MessageQueue):
    """A queue whose requests return or raise what is set, in the thread that calls."""

    def __init__(self) -> None:
        super().__init__(None, URL)
        self.answer: Any = []
        self.threads: set[str] = set()
        self.daemons: list[bool] = []
        self.started, self.may_end, self.ended = threading.Event(), threading.Event(), threading.Event()
        self.may_end.set()
        self.hidden: list[tuple[str, int]] = []

    def receive(self, *_: Any) -> list[dict[str, Any]]:
        self.threads.add(threading.current_thread().name)
        self.daemons.append(threading.current_thread().daemon)
        self.started.set()
        self.may_end.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return list(self.answer)

    def delete(self, events: Any) -> dict[str, str]:
        return {event.message_id: "on purpose" for event in events}

    def hide(self, events: Any, seconds: int) -> dict[str, str]:
        self.hidden += [(event.receipt_handle, seconds) for event in events]
        self.ended.set()
        return {}


def opened(queue: MessageQueue) -> tuple[ThreadedQueue, list[None]]:
    opening: list[None] = []

    async def open_queue() -> MessageQueue:
        opening.append(None)
        await asyncio.sleep(0)
        return queue

    return ThreadedQueue(open_queue, URL), opening


def test_requests_run_in_own_threads_on_a_queue_that_is_opened_once() -> None:
    async def scenario() -> None:
        blocking = BlockingQueue()
        queue, opening = opened(blocking)
        blocking.answer = [message(1)]
        answers = await asyncio.gather(queue.receive(10, 0, 60), queue.delete([received(1)]), queue.hide([], 5))
        assert answers == [[message(1)], {"message-1": "on purpose"}, {}]
        assert len(opening) == 1
        assert all(name.startswith("event-queue") for name in blocking.threads)
        assert blocking.daemons == [True]
        queue.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("error", [ConnectionError("no route"), EventQueueNotFoundError(URL)])
def test_queue_is_opened_again_after_an_error(error: Exception) -> None:
    async def scenario() -> None:
        blocking = BlockingQueue()
        queue, opening = opened(blocking)
        blocking.answer = error
        with pytest.raises(type(error)):
            await queue.receive(10, 0, 60)
        blocking.answer = []
        assert await queue.receive(10, 0, 60) == []
        assert len(opening) == 2
        queue.close()

    asyncio.run(scenario())


def test_messages_that_arrive_after_the_end_are_put_back() -> None:
    async def scenario() -> None:
        blocking = BlockingQueue()
        queue, _ = opened(blocking)
        blocking.answer = [message(1), message(2, "no JSON")]
        blocking.may_end.clear()
        receiving = asyncio.create_task(queue.receive(10, 20, 60))
        while not blocking.started.is_set():
            await asyncio.sleep(0)
        receiving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await receiving
        queue.close()
        blocking.may_end.set()
        assert blocking.ended.wait(timeout=60)
        assert blocking.hidden == [("handle-1-1", 0), ("handle-2-1", 0)]

    asyncio.run(scenario())
