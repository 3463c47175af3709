"""The trigger that turns the events of a queue into asset events."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from typing import TYPE_CHECKING, Any, Literal

from airflow.triggers.base import TriggerEvent

from airflow_cwevents._airflow.compat import BaseEventTrigger, SharedStreamProducer, reject_shared_stream_event
from airflow_cwevents._airflow.event_streams import StoredEvents, call_in_thread
from airflow_cwevents._airflow.parameters import is_literal
from airflow_cwevents._aws.limits import MAX_VISIBILITY_SECONDS, MAX_WAIT_SECONDS
from airflow_cwevents._receive.acknowledgement import Acknowledgement
from airflow_cwevents._receive.poller import Poller
from airflow_cwevents._receive.threaded_queue import ThreadedQueue
from airflow_cwevents.exceptions import InvalidInputError
from airflow_cwevents.patterns import EventPattern

if TYPE_CHECKING:
    from airflow.triggers.shared_stream import AdvanceItem

    from airflow_cwevents._receive.envelopes import ReceivedEvent
    from airflow_cwevents._receive.queue import MessageQueue

log = logging.getLogger(__name__)

_MIN_VISIBILITY_SECONDS = 5
#: By queue, the patterns of the triggers that read it in this process, and how many triggers have each.
_PATTERNS: dict[str, Counter[str]] = {}


class EventQueueTrigger(BaseEventTrigger):
    """
    Turn the events of an event queue into asset events, for an ``AssetWatcher``.

    Each event becomes an asset event at least once: a message is deleted only after Airflow has stored its event. The
    payload of the asset event is the event itself; :func:`~airflow_cwevents.triggers.triggering_events` returns those
    of a run. Airflow starts as many runs as its scheduler happens to; for one run per event use
    ``DispatchEventsOperator``. Asset watchers need Airflow 3.0.

    Use one queue per asset, filtered by its rule. Triggers with different patterns may share a queue; an event that
    matches several of them may then reach only some, as each message goes to one triggerer.

    :param queue_url: the URL of the SQS queue.
    :param event_pattern: take only events that match this pattern, as a dict or a JSON string; None takes all.
    :param unmatched: what happens to messages that do not match. ``keep`` puts them back, for other triggers; after the
        queue's maximum of receives they go to its dead-letter queue. ``delete`` deletes them, and is only for a queue
        that no other trigger reads. It is refused, with a warning, where it is known to lose events: while a trigger
        with another pattern reads the same queue in the same triggerer, and for payloads that an input transformer
        made, which no pattern can match. A trigger in another triggerer cannot be seen.
    :param wait_seconds: how long a request waits for messages, 0 to 20 seconds; 0 makes many more requests.
    :param visibility_timeout: how long a received message is hidden from other receivers, 5 to 43,200 seconds; it is
        extended until the event is stored. After a crash the message is received again by then.
    :param retry_delay: after how long a message that was put back is received again, 0 to 43,200 seconds.
    :param aws_conn_id: the Airflow connection with the AWS credentials; None for boto3's own credential chain.
    :param region_name: the AWS region; None for the connection's or boto3's default.
    :param verify: whether to verify TLS certificates, or the path of a CA bundle; None for the connection's setting.
    :param botocore_config: settings of the botocore client, a dict or a JSON string.
    :raises InvalidInputError: if an argument is invalid.
    """

    #: After a restart, triggers that share a queue come one by one; the first waits for the others, in seconds.
    start_delay: float = 2.0

    def __init__(
        self,
        *,
        queue_url: str,
        event_pattern: Mapping[str, Any] | str | None = None,
        unmatched: Literal["keep", "delete"] = "keep",
        wait_seconds: int = MAX_WAIT_SECONDS,
        visibility_timeout: int = 60,
        retry_delay: int = 5,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: Mapping[str, Any] | str | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        if not isinstance(queue_url, str) or not queue_url:
            remedy = "Pass the queue's URL, such as https://sqs.us-east-1.amazonaws.com/123456789012/orders"
            raise InvalidInputError("queue_url", f"{queue_url!r} is no URL", remedy, queue_url)
        if not is_literal(queue_url):
            remedy = "Pass the URL itself, or read it from an environment variable"
            raise InvalidInputError("queue_url", "Airflow does not render templates of triggers", remedy, queue_url)
        if unmatched not in ("keep", "delete"):
            raise InvalidInputError("unmatched", f"{unmatched!r} is unknown", "Use 'keep' or 'delete'", unmatched)
        _check_seconds("wait_seconds", wait_seconds, 0, MAX_WAIT_SECONDS)
        _check_seconds("visibility_timeout", visibility_timeout, _MIN_VISIBILITY_SECONDS, MAX_VISIBILITY_SECONDS)
        _check_seconds("retry_delay", retry_delay, 0, MAX_VISIBILITY_SECONDS)
        self.queue_url = queue_url
        self.event_pattern = None if event_pattern is None else EventPattern(event_pattern)
        self.unmatched = unmatched
        self.wait_seconds = wait_seconds
        self.visibility_timeout = visibility_timeout
        self.retry_delay = retry_delay
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.verify = verify
        self.botocore_config = json.loads(botocore_config) if isinstance(botocore_config, str) else botocore_config
        self._reported: set[str] = set()

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return class and arguments. Nested ones are strings, as Airflow's versions encode dicts differently."""
        pattern = None if self.event_pattern is None else _canonical(self.event_pattern.pattern)
        kwargs = {**self._polling(), "event_pattern": pattern, "unmatched": self.unmatched}
        return "airflow_cwevents.triggers.event_queue.EventQueueTrigger", kwargs

    def shared_stream_key(self) -> Hashable:
        """Return all that polling depends on; triggers that differ in their pattern only share a stream."""
        return ("airflow_cwevents.EventQueueTrigger", *self._polling().items())

    @classmethod
    def create_shared_stream_producer(cls, kwargs: dict[str, Any]) -> SharedStreamProducer:
        """Return what polls the queue and acknowledges, for all triggers of one key."""
        return EventQueueProducer(cls(**kwargs).poller(), cls.start_delay)

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Any]) -> AsyncIterator[TriggerEvent]:
        """Yield those events of the shared stream that this trigger takes."""
        with self._reading():
            async for received in shared_stream:
                if received.matches(self.event_pattern):
                    yield _trigger_event(received)
                elif self._keeps(received):
                    reject_shared_stream_event()

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll the queue for this trigger alone: in Airflow before 3.3, and in ``dag.test()``."""
        poller, stored = self.poller(), StoredEvents()
        acknowledging = asyncio.create_task(stored.run())
        acknowledging.add_done_callback(self._report_failure)
        try:
            with self._reading():
                async with aclosing(poller.events()) as events:
                    async for received in events:
                        if received.matches(self.event_pattern):
                            event = _trigger_event(received)
                            yield event
                            stored.add(event, _completion(poller, received))
                        elif self._keeps(received):
                            poller.acknowledgement.put_back(received)
                        else:
                            poller.acknowledgement.complete(received)
        finally:
            acknowledging.cancel()
            await poller.close()

    def poller(self) -> Poller:
        """Return a stream of the queue's events."""
        queue = ThreadedQueue(lambda: call_in_thread(self._message_queue), self.queue_url)
        acknowledgement = Acknowledgement(
            queue, log, visibility_timeout=self.visibility_timeout, retry_delay=self.retry_delay
        )
        return Poller(
            queue,
            acknowledgement,
            log,
            wait_seconds=self.wait_seconds,
            visibility_timeout=self.visibility_timeout,
        )

    def _message_queue(self) -> MessageQueue:
        from airflow_cwevents.hooks import CloudWatchEventsHook

        config = None if self.botocore_config is None else dict(self.botocore_config)
        hook = CloudWatchEventsHook(self.aws_conn_id, region_name=self.region_name, verify=self.verify, config=config)
        return hook.message_queue(self.queue_url)

    def _polling(self) -> dict[str, Any]:
        return {
            "queue_url": self.queue_url,
            "wait_seconds": self.wait_seconds,
            "visibility_timeout": self.visibility_timeout,
            "retry_delay": self.retry_delay,
            "aws_conn_id": self.aws_conn_id,
            "region_name": self.region_name,
            "verify": self.verify,
            "botocore_config": None if self.botocore_config is None else _canonical(self.botocore_config),
        }

    def _keeps(self, received: ReceivedEvent) -> bool:
        """Return whether an unmatched message stays in the queue."""
        if self.unmatched == "keep":
            return True
        if not received.is_enveloped:
            self._warn_once("unmatched='delete' refused: no pattern can match transformed payloads, so they are kept")
            return True
        if len(_PATTERNS[self.queue_url]) > 1:
            self._warn_once("unmatched='delete' refused: a trigger with another pattern reads the queue too")
            return True
        return False

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Let triggers with other patterns know that this one reads the queue."""
        pattern = str(self.serialize()[1]["event_pattern"])
        patterns = _PATTERNS.setdefault(self.queue_url, Counter())
        patterns[pattern] += 1
        try:
            yield
        finally:
            patterns[pattern] -= 1
            if not patterns[pattern]:
                del patterns[pattern]
            if not patterns:
                _PATTERNS.pop(self.queue_url, None)

    def _warn_once(self, reason: str) -> None:
        if reason not in self._reported:
            self._reported.add(reason)
            log.warning("%s: %s", reason, self.queue_url)

    def _report_failure(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()):
            log.error("Messages are no longer deleted, and so no longer received: %s: %s", error, self.queue_url)


class EventQueueProducer(SharedStreamProducer):
    """
    Poll a queue for all triggers that share it, and delete a message when all of them are done with it.

    :param poller: the stream of the queue's events.
    :param start_delay: how long to wait for other triggers first, in seconds.
    """

    def __init__(self, poller: Poller, start_delay: float) -> None:
        self._poller = poller
        self._start_delay = start_delay

    async def open_stream(self) -> AsyncIterator[tuple[ReceivedEvent, ReceivedEvent]]:
        """Yield each event, for the triggers and for its acknowledgement; never end, and never raise."""
        await asyncio.sleep(self._start_delay)
        async with aclosing(self._poller.events()) as events:
            async for event in events:
                yield event, event

    async def advance(self, batch: Sequence[AdvanceItem]) -> None:
        """Take note of what becomes of messages; never raise, as that would end the stream of every trigger."""
        acknowledgement = self._poller.acknowledgement
        for event, outcome in batch:
            # Nobody saw it, somebody failed, or nobody took it: it is for others, or for later.
            if outcome.failed or not outcome.acked:
                acknowledgement.put_back(event)
            else:
                acknowledgement.complete(event)

    def get_advance_lane(self, broker_payload: ReceivedEvent) -> Hashable:
        """Return a lane of its own for each message, and one for each message group of a FIFO queue."""
        if broker_payload.group_id is not None:
            return "group", broker_payload.group_id
        return "message", broker_payload.message_id

    async def aclose(self) -> None:
        """Put back what is in flight."""
        await self._poller.close()


def _trigger_event(received: ReceivedEvent) -> TriggerEvent:
    return TriggerEvent(received.event)  # type: ignore[no-untyped-call]


def _completion(poller: Poller, received: ReceivedEvent) -> Callable[[], None]:
    return lambda: poller.acknowledgement.complete(received)


def _canonical(value: Mapping[str, Any]) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _check_seconds(place: str, value: object, minimum: int, maximum: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not minimum <= value <= maximum:
        remedy = f"Use a whole number of seconds, {minimum:,} to {maximum:,}"
        raise InvalidInputError(place, f"{value!r} is not possible", remedy, value)
