"""The trigger that the dispatcher waits with."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async

from airflow_cwevents._aws.limits import MAX_WAIT_SECONDS
from airflow_cwevents.triggers.event_sensor import MIN_DEFERRED_SECONDS

if TYPE_CHECKING:
    from airflow_cwevents._receive.queue import MessageQueue

T = TypeVar("T")

# Waits after errors, in seconds: the first, and the longest.
_MIN_BACK_OFF = 1.0
_MAX_BACK_OFF = 60.0


class ReceivedMessages(dict[str, Any]):
    """The payload of the trigger's event. The triggerer logs events; this one does not show what the messages carry."""

    def __repr__(self) -> str:
        """Return the ids of the messages."""
        return f"messages {', '.join(message['MessageId'] for message in self['messages'])}"


class MessagesTrigger(BaseTrigger):
    """
    Wait until a queue has a message, and pass it on.

    It receives one message, by long polling, and its event carries that message with its receipt handle; the task then
    receives the others itself. To receive a message, put it back, and let the task receive it again would use up two of
    the receives that the queue's redrive policy allows, and a queue that allows only one would lose the message to its
    dead-letter queue. The queue's approximate number of messages costs no receive, but may lag by a minute. If the
    event does not reach the task, the message is received again after the visibility timeout.

    It does not receive in the first seconds, as Airflow may fail a task that resumes so soon; until then, messages stay
    in the queue for other receivers.

    It never fails: if the queue is missing, or SQS cannot be reached, it logs that and retries, with back-off.

    :param queue_url: the queue's URL.
    :param visibility_timeout: how long the message is hidden, in seconds; the task extends it.
    :param aws_conn_id: the Airflow connection with the AWS credentials; None for boto3's own credential chain.
    :param region_name: the AWS region; None for the connection's or boto3's default.
    :param verify: whether to verify TLS certificates, or the path of a CA bundle; None for the connection's setting.
    :param botocore_config: settings of the botocore client.
    """

    #: Waits, in seconds.
    sleep: Callable[[float], Awaitable[None]] = staticmethod(asyncio.sleep)

    def __init__(
        self,
        queue_url: str,
        visibility_timeout: int = 60,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.queue_url = queue_url
        self.visibility_timeout = visibility_timeout
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.verify = verify
        self.botocore_config = botocore_config

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class and its arguments, for Airflow's database."""
        names = ("queue_url", "visibility_timeout", "aws_conn_id", "region_name", "verify", "botocore_config")
        path = f"{MessagesTrigger.__module__}.{MessagesTrigger.__qualname__}"
        return path, {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event, with the first message that arrives."""
        queue: MessageQueue | None = None
        back_off = _MIN_BACK_OFF
        await self.sleep(MIN_DEFERRED_SECONDS)
        while True:
            try:
                # the triggerer's connections are to be looked up in this thread of its own on Airflow 3.1
                queue = queue or await sync_to_async(self._queue)()
                messages = await self._receive(queue)
            except Exception as error:
                wait = back_off * random.uniform(0.5, 1)  # noqa: S311 - no secret
                self.log.warning("Cannot receive messages, next attempt in %.0f s: %s", wait, error)
                queue = None  # so that changed credentials are used
                back_off = min(2 * back_off, _MAX_BACK_OFF)
                await self.sleep(wait)
                continue
            back_off = _MIN_BACK_OFF
            if messages:
                yield TriggerEvent(ReceivedMessages(messages=messages))  # type: ignore[no-untyped-call]
                return

    def _queue(self) -> MessageQueue:
        from airflow_cwevents.hooks import CloudWatchEventsHook

        hook = CloudWatchEventsHook(
            self.aws_conn_id, region_name=self.region_name, verify=self.verify, config=self.botocore_config
        )
        return hook.message_queue(self.queue_url)

    async def _receive(self, queue: MessageQueue) -> list[dict[str, Any]]:
        """Receive one message, which is put back if the trigger is cancelled in the meantime."""
        cancelled = threading.Event()

        def receive() -> list[dict[str, Any]]:
            messages = queue.receive(1, MAX_WAIT_SECONDS, self.visibility_timeout)
            if cancelled.is_set():
                put_back(queue, messages)
            return messages

        try:
            return await in_thread(receive)
        except asyncio.CancelledError:
            cancelled.set()
            raise


def put_back(queue: MessageQueue, messages: list[dict[str, Any]]) -> None:
    """
    Make messages visible to other receivers at once, if SQS can be reached.

    :param queue: the queue.
    :param messages: the messages, as received.
    """
    from airflow_cwevents._receive.receivers import read_or_invalid

    with suppress(Exception):
        queue.hide([read_or_invalid(message) for message in messages], 0)


async def in_thread(call: Callable[[], T]) -> T:
    """
    Call a function in a thread of its own.

    asyncio's threads are few, and shared with everything in the triggerer; long polls would fill them. This thread is
    a daemon: a triggerer that ends does not wait for a poll.

    :param call: the function.
    :return: its result.
    """
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

    threading.Thread(target=run, name="receive-messages", daemon=True).start()
    return await future
