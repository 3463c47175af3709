"""The trigger that the dispatcher waits with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, ClassVar

from airflow.triggers.base import TriggerEvent

from airflow_cwevents._airflow.event_streams import call_in_thread
from airflow_cwevents._aws.limits import MAX_WAIT_SECONDS
from airflow_cwevents._receive.outage import Outage
from airflow_cwevents._receive.threaded_queue import ThreadedQueue
from airflow_cwevents.triggers.base import MIN_DEFERRED_SECONDS, QueueTrigger

# The longest wait after errors, in seconds: the dispatcher's queue may be missing for long.
_MAX_BACK_OFF = 60.0


class ReceivedMessages(dict[str, Any]):
    """The payload of the trigger's event. The triggerer logs events; this one does not show what the messages carry."""

    def __repr__(self) -> str:
        """Return the ids of the messages."""
        return f"messages {', '.join(message['MessageId'] for message in self['messages'])}"


class MessagesTrigger(QueueTrigger):
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

    own_parameters: ClassVar[tuple[str, ...]] = ("visibility_timeout",)

    def __init__(
        self,
        queue_url: str,
        visibility_timeout: int = 60,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(queue_url, aws_conn_id, region_name, verify, botocore_config)
        self.visibility_timeout = visibility_timeout

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event, with the first message that arrives."""
        queue = ThreadedQueue(lambda: call_in_thread(self._queue), self.queue_url)
        outage = Outage(self.log, "receive messages", self.queue_url, _MAX_BACK_OFF)
        await self.sleep(MIN_DEFERRED_SECONDS)
        while True:
            try:
                messages = await queue.receive(1, MAX_WAIT_SECONDS, self.visibility_timeout)
            except Exception as error:
                await self.sleep(outage.failed(error))
                continue
            outage.ended()
            if messages:
                yield TriggerEvent(ReceivedMessages(messages=messages))  # type: ignore[no-untyped-call]
                return
