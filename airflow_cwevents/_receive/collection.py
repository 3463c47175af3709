"""Collect events from a queue without deleting any message."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow_cwevents._aws.errors import is_transient
from airflow_cwevents._receive.reader import MessageReader
from airflow_cwevents.exceptions import EventQueueNotFoundError

if TYPE_CHECKING:
    from airflow_cwevents._aws.logger import Logger
    from airflow_cwevents._receive.envelopes import ReceivedEvent
    from airflow_cwevents._receive.queue import MessageQueue
    from airflow_cwevents.patterns import EventPattern

# How long received messages are hidden at a time: a collector that was killed delays the next one by that.
HIDDEN_SECONDS = 60
_EXTEND_AFTER_SECONDS = 20
# SQS may not know a new queue yet, for a second or more:
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html
_MISSING_ATTEMPTS = 5


class EventCollector:
    """
    Collects a number of events from a queue, in memory; their messages stay in the queue.

    The messages of collected events are hidden from other receivers, for longer and longer, until :meth:`put_back`.
    Those that are not wanted are put back at once. A message that is not JSON stays hidden for a while each time, until
    the queue's redrive policy removes it.

    :param queue: the queue.
    :param pattern: the pattern that events must match; None for all payloads.
    :param min_events: the number of events to collect.
    :param log: the logger.
    :param hidden_seconds: how long received messages are hidden at a time, in seconds.
    :param clock: returns the time in seconds.
    """

    def __init__(
        self,
        queue: MessageQueue,
        pattern: EventPattern | None,
        min_events: int,
        log: Logger,
        *,
        hidden_seconds: int = HIDDEN_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._queue = queue
        self._pattern = pattern
        self._min_events = min_events
        self._log = log
        self._reader = MessageReader(log)
        self._hidden_seconds = hidden_seconds
        self._clock = clock
        self._events: dict[str, Any] = {}
        self._messages: dict[str, ReceivedEvent] = {}
        self._hidden_at = 0.0
        self._missing_attempts = 0
        #: Whether the queue had messages that are not wanted, which another request would receive again.
        self.has_unwanted = False

    @property
    def events(self) -> list[Any]:
        """The collected events, in the order of their arrival, duplicates once."""
        return list(self._events.values())

    @property
    def is_complete(self) -> bool:
        """Whether there are as many events as required."""
        return len(self._events) >= self._min_events

    def collect(self, wait_seconds: int) -> bool:
        """
        Receive messages until there are enough events, or no further ones.

        :param wait_seconds: how long each request waits for messages, 0 to 20 seconds.
        :return: whether there are enough.
        :raises EventQueueNotFoundError: if the queue does not exist.
        """
        while not self.is_complete and self._receive(wait_seconds):
            pass
        return self.is_complete

    def put_back(self) -> None:
        """
        Make the messages of the collected events visible to other receivers, and forget them. Best effort.

        What cannot be put back becomes visible by itself, after the time for which it is hidden.
        """
        messages = list(self._messages.values())
        self._messages.clear()
        self._events.clear()
        try:
            self._queue.hide(messages, 0)
        except Exception as error:
            self._log.warning("Messages stay hidden for up to %d s: %s", self._hidden_seconds, error)

    def may_continue(self, error: Exception) -> bool:
        """
        Return whether to collect on after an error.

        :param error: what :meth:`collect` raised.
        :return: True for transient errors, and for a missing queue the first few times.
        """
        if isinstance(error, EventQueueNotFoundError):
            self._missing_attempts += 1
            return self._missing_attempts < _MISSING_ATTEMPTS
        return is_transient(error)

    def _receive(self, wait_seconds: int) -> bool:
        """Make a request; return whether it brought events that are wanted and new."""
        self._extend()
        known = len(self._events)
        messages = self._queue.receive(wait_seconds=wait_seconds, visibility_timeout=self._hidden_seconds)
        self._hidden_at = self._hidden_at if self._messages else self._clock()
        unwanted = [event for event in self._reader.read(messages) if not self._keep(event)]
        self.has_unwanted = bool(unwanted)
        self._queue.hide(unwanted, 0)
        return len(self._events) > known

    def _keep(self, event: ReceivedEvent) -> bool:
        if not event.matches(self._pattern):
            return False
        self._events.setdefault(event.id, event.event)
        self._messages[event.message_id] = event
        return True

    def _extend(self) -> None:
        if self._messages and self._clock() - self._hidden_at >= _EXTEND_AFTER_SECONDS:
            # one that failed is received again, and known by its id
            self._queue.hide(self._messages.values(), self._hidden_seconds)
            self._hidden_at = self._clock()
