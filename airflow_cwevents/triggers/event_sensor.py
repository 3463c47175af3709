"""The trigger to which ``EventSensor`` defers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.triggers.base import TriggerEvent

from airflow_cwevents._airflow.event_streams import call_in_thread
from airflow_cwevents._aws.limits import MAX_WAIT_SECONDS
from airflow_cwevents._receive.outage import Outage
from airflow_cwevents.triggers.base import MIN_DEFERRED_SECONDS, QueueTrigger

if TYPE_CHECKING:
    from airflow_cwevents._receive.collection import EventCollector


class CollectedEvents(dict[str, Any]):
    """The payload of the trigger's event. The triggerer logs it, so it does not show what the events carry."""

    def __repr__(self) -> str:
        """Return how many there are."""
        return f"{len(self['events'])} events"


class EventSensorTrigger(QueueTrigger):
    """
    Collect events from a queue, and yield them in one event. It rides out transient failures with back-off.

    boto3 runs in a thread of its own: asyncio's threads are few, and shared by everything in the triggerer.

    :param queue_url: the queue's URL.
    :param event_pattern: the pattern that events must match, as a JSON string; None for all.
    :param min_events: how many events to collect.
    :param poke_interval: how long to wait after receiving nothing but messages of others, in seconds.
    :param aws_conn_id: the Airflow connection with the AWS credentials; None for boto3's own credential chain.
    :param region_name: the AWS region; None for the connection's or boto3's default.
    :param verify: whether to verify TLS certificates, or the path of a CA bundle; None for the connection's setting.
    :param botocore_config: settings of the botocore client.
    """

    #: How long a request waits for messages, in seconds.
    wait_seconds = MAX_WAIT_SECONDS
    own_parameters: ClassVar[tuple[str, ...]] = ("event_pattern", "min_events", "poke_interval")

    def __init__(
        self,
        queue_url: str,
        event_pattern: str | None = None,
        min_events: int = 1,
        poke_interval: float = 5.0,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(queue_url, aws_conn_id, region_name, verify, botocore_config)
        self.event_pattern = event_pattern
        self.min_events = min_events
        self.poke_interval = poke_interval

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event: ``events``, or an ``error`` that the task raises."""
        pool = ThreadPoolExecutor(1, thread_name_prefix="event-sensor")
        began_at = time.monotonic()
        try:
            collector = await call_in_thread(self._collector)
            try:
                outcome = await self._outcome(collector, pool)
            finally:
                # if this coroutine was cancelled, the thread does it after the request that is in flight
                putting_back = pool.submit(collector.put_back)
            await asyncio.wrap_future(putting_back)
            await self.sleep(max(0.0, began_at + MIN_DEFERRED_SECONDS - time.monotonic()))
            yield outcome
        finally:
            pool.shutdown(wait=False)

    async def _outcome(self, collector: EventCollector, pool: ThreadPoolExecutor) -> TriggerEvent:
        outage = Outage(self.log, "receive messages", self.queue_url)
        loop = asyncio.get_running_loop()
        while True:
            try:
                complete = await loop.run_in_executor(pool, collector.collect, self.wait_seconds)
            except Exception as error:
                if not collector.may_continue(error):
                    return TriggerEvent({"error": str(error)})  # type: ignore[no-untyped-call]
                await self.sleep(outage.failed(error))
                continue
            outage.ended()
            if complete:
                return TriggerEvent(CollectedEvents(events=collector.events))  # type: ignore[no-untyped-call]
            if collector.has_unwanted:
                await self.sleep(self.poke_interval)

    def _collector(self) -> EventCollector:
        from airflow_cwevents._receive.collection import EventCollector
        from airflow_cwevents.patterns import EventPattern

        pattern = EventPattern(self.event_pattern) if self.event_pattern else None
        return EventCollector(self._queue(), pattern, self.min_events, self.log)
