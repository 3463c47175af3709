"""The SQS queues of event queues: found, created, updated and deleted, if their tag marks them as ours."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import ClientError

from airflow_cwevents._aws.errors import code_of, is_not_found, message_of
from airflow_cwevents._aws.logger import counted
from airflow_cwevents._aws.retries import call_with_retries
from airflow_cwevents._declare.event_queue_spec import FIFO_SUFFIX, OWNER_TAG, changed_attributes
from airflow_cwevents._declare.rule_spec import tag_changes
from airflow_cwevents.exceptions import EventQueueConflictError

if TYPE_CHECKING:
    from tenacity.wait import wait_base

    from airflow_cwevents._aws.logger import Logger

# With the waits between them 75 to 90 s: SQS keeps the name of a deleted queue for 60 s, and somewhat longer.
QUEUE_ATTEMPTS = 16
_DELETED_RECENTLY_CODES = frozenset({"AWS.SimpleQueueService.QueueDeletedRecently", "QueueDeletedRecently"})
_MISSING_TARGET = "Dead letter target does not exist"
_EXISTS_CODES = frozenset({"QueueAlreadyExists", "QueueNameExists"})


class Queue(NamedTuple):
    """A queue, with its attributes as GetQueueAttributes returns them."""

    name: str
    url: str
    attributes: Mapping[str, str]

    @property
    def arn(self) -> str:
        """The queue's ARN."""
        return self.attributes["QueueArn"]


class FoundQueue(NamedTuple):
    """A queue that exists, or was deleted less than a minute ago: SQS does not distinguish."""

    url: str
    tags: Mapping[str, str]


class OwnedQueues:
    """
    The SQS queues of one event queue.

    :param client: the boto3 client ``sqs``.
    :param owner: the value of the tag that marks its queues.
    :param log: where to log to.
    :param wait: how long to wait before a queue is created again, or a new queue is read again, in seconds.
    """

    def __init__(self, client: Any, owner: str, log: Logger, wait: wait_base) -> None:
        self._client = client
        self._owner = owner
        self._log = log
        self._wait = wait

    def check(self, name: str) -> None:
        """
        Make sure that a name is free, or its queue ours.

        :param name: the queue's name.
        :raises EventQueueConflictError: if the queue exists, and is not ours.
        """
        self._find_own(name)

    def put(self, name: str, attributes: Mapping[str, str], tags: Mapping[str, str] | None) -> Queue:
        """
        Create a queue, or update an existing one.

        :param name: the queue's name.
        :param attributes: the attributes that it should have; an empty string stands for none.
        :param tags: the complete set of its tags, besides our own; None leaves them unchanged.
        :return: the queue.
        :raises EventQueueConflictError: if the queue exists, and is not ours.
        """
        present = self._find_own(name)
        wanted_tags = {**(tags or {}), OWNER_TAG: self._owner}
        url = self._create(name, attributes, wanted_tags)
        queue = Queue(name, url, self._attributes(name, url))
        changed = self.update(queue, attributes)
        if present is None:
            self._log.info("Created queue %s: %s", name, url)
            return queue
        if tags is not None:
            changed = self._update_tags(queue, present.tags, wanted_tags) or changed
        if not changed:
            self._log.info("Queue %s is already up to date: %s", name, url)
        return queue

    def update(self, queue: Queue, attributes: Mapping[str, str]) -> bool:
        """
        Update the attributes of a queue that differ.

        :param queue: the queue.
        :param attributes: the attributes that it should have; an empty string stands for none.
        :return: whether some differed.
        """
        changed = changed_attributes(queue.attributes, attributes)
        # SQS refuses two kinds of encryption at the same time: remove one, then enable the other
        enabled = {name: changed.pop(name) for name in ("SqsManagedSseEnabled",) if name in changed}
        for request in (changed, enabled):
            if request:
                self._retried("set_queue_attributes", queue.name, QueueUrl=queue.url, Attributes=request)
        for name, value in {**changed, **enabled}.items():
            old = queue.attributes.get(name)
            self._log.info("Queue %s: %s changed from %s to %s", queue.name, name, old, value or None)
        return bool(changed or enabled)

    def delete(self, name: str) -> None:
        """
        Delete a queue; do nothing if it does not exist, or is not ours.

        :param name: the queue's name.
        """
        found = self._find(name)
        if found is None:
            return
        if found.tags.get(OWNER_TAG) != self._owner:
            self._log.warning("Left queue %s, as its tag %s is not %s", name, OWNER_TAG, self._owner)
            return
        try:
            self._client.delete_queue(QueueUrl=found.url)
        except ClientError as error:
            if not is_not_found(error):
                raise
        self._log.info("Deleted queue %s: %s", name, found.url)

    def _find(self, name: str) -> FoundQueue | None:
        try:
            url = str(self._client.get_queue_url(QueueName=name)["QueueUrl"])
            return FoundQueue(url, self._client.list_queue_tags(QueueUrl=url).get("Tags") or {})
        except ClientError as error:
            if not is_not_found(error):
                raise
            return None

    def _find_own(self, name: str) -> FoundQueue | None:
        found = self._find(name)
        owner = found.tags.get(OWNER_TAG) if found else self._owner
        if owner != self._owner:
            raise EventQueueConflictError(f"queue {name!r}", owner, (OWNER_TAG, self._owner))
        return found

    def _create(self, name: str, attributes: Mapping[str, str], tags: Mapping[str, str]) -> str:
        """
        Create a queue with its attributes, and return its URL, also if it exists.

        Only CreateQueue reports that a queue was just deleted: GetQueueUrl and others still succeed for a minute.
        """
        initial = {attribute: value for attribute, value in attributes.items() if value}
        fifo = {"FifoQueue": "true"} if name.endswith(FIFO_SUFFIX) else {}
        try:
            attributes = {**initial, **fifo}
            response = self._retried("create_queue", name, QueueName=name, Attributes=attributes, tags=dict(tags))
        except ClientError as error:
            if code_of(error) not in _EXISTS_CODES:  # with other attributes or tags
                raise
            if (found := self._find_own(name)) is None:
                raise
            return found.url
        return str(response["QueueUrl"])

    def _attributes(self, name: str, url: str) -> dict[str, str]:
        """Return the attributes of a queue, which may be so new that SQS does not find it yet."""
        response = self._retried("get_queue_attributes", name, QueueUrl=url, AttributeNames=["All"])
        return dict(response["Attributes"])

    def _update_tags(self, queue: Queue, present: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
        added, removed = tag_changes(present, wanted)
        if added:
            self._client.tag_queue(QueueUrl=queue.url, Tags=added)
            self._log.info("Queue %s: set %s: %s", queue.name, counted(added, "tag"), ", ".join(sorted(added)))
        if removed:
            self._client.untag_queue(QueueUrl=queue.url, TagKeys=removed)
            self._log.info("Queue %s: removed %s: %s", queue.name, counted(removed, "tag"), ", ".join(sorted(removed)))
        return bool(added or removed)

    def _retried(self, method: str, name: str, **request: Any) -> dict[str, Any]:
        """Make a request, and retry it while SQS keeps the name of a deleted queue, or does not find a new one yet."""
        response: dict[str, Any] = call_with_retries(
            partial(getattr(self._client, method), **request),
            wait=self._wait,
            attempts=QUEUE_ATTEMPTS,
            is_transient=_is_transient,
            on_retry=partial(self._log_retry, name),
        )
        return response

    def _log_retry(self, name: str, error: BaseException | None, seconds: float) -> None:
        if isinstance(error, ClientError):
            text = "Queue %s: retrying %s in %.0f s: %s"
            self._log.info(text, name, error.operation_name, seconds, message_of(error))


def _is_transient(error: BaseException) -> bool:
    return code_of(error) in _DELETED_RECENTLY_CODES or is_not_found(error) or _MISSING_TARGET in message_of(error)
