"""A queue's messages: received, hidden for longer, put back, and deleted, in batches of ten."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow_cwevents._aws.errors import is_not_found
from airflow_cwevents._aws.limits import MAX_MESSAGES_PER_REQUEST, MAX_WAIT_SECONDS
from airflow_cwevents.exceptions import EventQueueNotFoundError

if TYPE_CHECKING:
    from airflow_cwevents._receive.envelopes import ReceivedEvent


class MessageQueue:
    """
    The messages of one SQS queue.

    :param client: the boto3 client ``sqs``. It is thread-safe, and so is this class.
    :param url: the queue's URL.
    """

    def __init__(self, client: Any, url: str) -> None:
        self._client = client
        self.url = url

    def receive(
        self,
        max_messages: int = MAX_MESSAGES_PER_REQUEST,
        wait_seconds: int = MAX_WAIT_SECONDS,
        visibility_timeout: int | None = None,
    ) -> list[dict[str, Any]]:
        """
        Receive messages; they stay in the queue, hidden from other receivers until the visibility timeout ends.

        :param max_messages: the maximum number of messages, 1 to 10.
        :param wait_seconds: how long to wait for the first, 0 to 20 seconds.
        :param visibility_timeout: how long they are hidden, 0 to 43,200 seconds; None for the queue's own.
        :return: the messages, with all their attributes; empty if none arrived.
        :raises EventQueueNotFoundError: if the queue does not exist.

        .. seealso:: :external+boto3:py:meth:`SQS.Client.receive_message`
        """
        request: dict[str, Any] = {
            "MaxNumberOfMessages": max_messages,
            "WaitTimeSeconds": wait_seconds,
            "MessageSystemAttributeNames": ["All"],
        }
        if visibility_timeout is not None:
            request["VisibilityTimeout"] = visibility_timeout
        messages: list[dict[str, Any]] = self._call("receive_message", request).get("Messages", [])
        return messages

    def delete(self, events: Iterable[ReceivedEvent]) -> dict[str, str]:
        """
        Delete messages.

        :param events: the events whose messages to delete.
        :return: by message id, why a message was not deleted; such a message will be received again.
        :raises EventQueueNotFoundError: if the queue does not exist.

        .. seealso:: :external+boto3:py:meth:`SQS.Client.delete_message_batch`
        """
        return self._in_batches("delete_message_batch", events, {})

    def hide(self, events: Iterable[ReceivedEvent], seconds: int) -> dict[str, str]:
        """
        Hide messages from other receivers, counted from now; 0 seconds puts them back at once.

        :param events: the events whose messages to hide.
        :param seconds: how long, 0 to 43,200 seconds.
        :return: by message id, why a message was not changed.
        :raises EventQueueNotFoundError: if the queue does not exist.

        .. seealso:: :external+boto3:py:meth:`SQS.Client.change_message_visibility_batch`
        """
        return self._in_batches("change_message_visibility_batch", events, {"VisibilityTimeout": seconds})

    def _in_batches(self, method: str, events: Iterable[ReceivedEvent], members: Mapping[str, Any]) -> dict[str, str]:
        failed: dict[str, str] = {}
        remaining = iter(events)
        while batch := list(islice(remaining, MAX_MESSAGES_PER_REQUEST)):
            entries = [
                {"Id": str(index), "ReceiptHandle": event.receipt_handle, **members}
                for index, event in enumerate(batch)
            ]
            for failure in self._call(method, {"Entries": entries}).get("Failed", []):
                reason = failure.get("Message") or failure["Code"]
                failed[batch[int(failure["Id"])].message_id] = reason
        return failed

    def _call(self, method: str, request: Mapping[str, Any]) -> dict[str, Any]:
        try:
            response: dict[str, Any] = getattr(self._client, method)(QueueUrl=self.url, **request)
        except self._client.exceptions.ClientError as error:
            if is_not_found(error):
                raise EventQueueNotFoundError(self.url) from error
            raise
        return response
