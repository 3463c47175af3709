"""Keep received messages hidden from other receivers until they are handled."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from airflow_cwevents._aws.logger import Logger
    from airflow_cwevents._receive.envelopes import ReceivedEvent
    from airflow_cwevents._receive.queue import MessageQueue


class InFlight:
    """
    Messages that were received and not yet handled; a thread extends their visibility timeout.

    A message whose timeout cannot be extended is received again, which costs a request and starts no second run.

    :param queue: the queue.
    :param seconds: the visibility timeout.
    :param log: the logger.
    """

    def __init__(self, queue: MessageQueue, seconds: int, log: Logger) -> None:
        self._queue = queue
        self._seconds = seconds
        self._log = log
        self._events: dict[str, ReceivedEvent] = {}
        self._lock = threading.Lock()
        self._ended = threading.Event()

    def __enter__(self) -> Self:
        threading.Thread(target=self._run, name="extend-visibility", daemon=True).start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._ended.set()

    def add(self, events: Iterable[ReceivedEvent]) -> None:
        """Keep messages hidden from now on."""
        with self._lock:
            self._events.update((event.receipt_handle, event) for event in events)

    def remove(self, events: Iterable[ReceivedEvent]) -> None:
        """Do not keep messages hidden any longer."""
        with self._lock:
            for event in events:
                self._events.pop(event.receipt_handle, None)

    def remaining(self) -> list[ReceivedEvent]:
        """Return the messages that are kept hidden."""
        with self._lock:
            return list(self._events.values())

    def extend(self) -> None:
        """Extend the visibility timeouts of all messages. Best effort."""
        if events := self.remaining():
            self.hide(events, self._seconds)

    def hide(self, events: Iterable[ReceivedEvent], seconds: int) -> None:
        """
        Hide messages from now on, and log what SQS refuses, which may be because they were received again.

        :param events: the messages.
        :param seconds: how long; 0 puts them back at once.
        """
        failed: dict[str, Any] = {}
        try:
            failed = self._queue.hide(events, seconds)
        except Exception as error:  # the queue or SQS is unavailable: the next receive fails as well, and is reported
            self._log.warning("Could not hide messages for %d s: %s", seconds, error)
        for message_id, reason in failed.items():
            self._log.info("Could not hide message %s for %d s: %s", message_id, seconds, reason)

    def _run(self) -> None:
        while not self._ended.wait(self._seconds / 3):
            self.extend()
