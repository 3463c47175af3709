"""Receive messages in several threads, until a queue stays empty."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, Full, Queue
from typing import TYPE_CHECKING, Any, Self

from airflow_cwevents._aws.limits import MAX_MESSAGES_PER_REQUEST, MAX_WAIT_SECONDS
from airflow_cwevents._receive.envelopes import ReceivedEvent, read_message
from airflow_cwevents.exceptions import InvalidMessageError

if TYPE_CHECKING:
    from airflow_cwevents._receive.in_flight import InFlight
    from airflow_cwevents._receive.queue import MessageQueue

# How long the consumer waits for the next batch before it may do something else, in seconds.
_IDLE_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class ReceiveOptions:
    """
    How to receive.

    :param receivers: the maximum number of threads.
    :param max_events: the maximum number of messages.
    :param first_wait: how long to wait for the first message, in seconds; at least one request is made.
    :param linger: how long to wait for another message after the last, in seconds.
    :param visibility_timeout: how long a received message is hidden, in seconds.
    """

    receivers: int = 4
    max_events: int = 1000
    first_wait: float = 1
    linger: float = 5
    visibility_timeout: int = 60


class Receivers:
    """
    Threads that receive messages ahead of their consumer, which iterates over this object.

    One thread polls. While batches are full, which means that there is a backlog, more threads do; each ends at its
    first batch that is not.

    :param queue: the queue.
    :param in_flight: what keeps received messages hidden.
    :param options: how to receive.
    :param received: how many messages were received before.
    :param clock: seconds, as :func:`time.monotonic` returns them.
    """

    def __init__(
        self,
        queue: MessageQueue,
        in_flight: InFlight,
        options: ReceiveOptions,
        received: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._queue = queue
        self._in_flight = in_flight
        self._options = options
        self._clock = clock
        self._lock = threading.Lock()
        self._batches: Queue[list[ReceivedEvent]] = Queue(maxsize=options.receivers)
        self._budget = options.max_events - received
        self._deadline = clock() + (options.linger if received else options.first_wait)
        self._threads = 0
        self._stopped = threading.Event()
        #: The error that ended receiving; messages received before are still iterated over.
        self.error: Exception | None = None

    def __enter__(self) -> Self:
        self._start_thread(helps=False)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def __iter__(self) -> Iterator[list[ReceivedEvent]]:
        """Yield batches of messages, and an empty list whenever there is none at the moment."""
        while True:
            ended = not self._threads  # read first: a thread's last batch precedes its end
            try:
                yield self._batches.get(timeout=0 if ended else _IDLE_SECONDS)
            except Empty:
                if ended:
                    return
                yield []

    def stop(self) -> None:
        """Receive no more. A request in flight may still receive messages; they are put back."""
        self._stopped.set()

    def _start_thread(self, *, helps: bool) -> None:
        with self._lock:
            if self._threads >= self._options.receivers:
                return
            self._threads += 1
        threading.Thread(target=self._run, args=(helps,), name="receive-messages", daemon=True).start()

    def _run(self, helps: bool) -> None:
        try:
            while not self._stopped.is_set() and self._receive(helps):
                pass
        except Exception as error:
            self.error = error
            self.stop()
        finally:
            with self._lock:
                self._threads -= 1
            with suppress(Full):  # wake up the consumer
                self._batches.put_nowait([])

    def _receive(self, helps: bool) -> bool:
        """Receive a batch; return whether to go on."""
        size = self._take_budget()
        wait = 0 if helps else math.ceil(max(1, min(MAX_WAIT_SECONDS, self._deadline - self._clock())))
        messages: list[dict[str, Any]] = []
        try:
            if size:
                messages = self._queue.receive(size, wait, self._options.visibility_timeout)
        finally:
            self._return_budget(size - len(messages))
        if messages:
            self._deadline = self._clock() + self._options.linger
            self._pass_on([read_or_invalid(message) for message in messages])
        is_full = len(messages) == MAX_MESSAGES_PER_REQUEST
        if is_full:
            self._start_thread(helps=True)
        return bool(size) and (is_full if helps else bool(messages) or self._clock() < self._deadline)

    def _pass_on(self, events: list[ReceivedEvent]) -> None:
        self._in_flight.add(events)
        while not self._stopped.is_set():
            with suppress(Full):
                self._batches.put(events, timeout=_IDLE_SECONDS)
                return
        self._in_flight.remove(events)
        self._in_flight.hide(events, 0)

    def _take_budget(self) -> int:
        with self._lock:
            size = max(0, min(MAX_MESSAGES_PER_REQUEST, self._budget))
            self._budget -= size
            return size

    def _return_budget(self, size: int) -> None:
        with self._lock:
            self._budget += size


def read_or_invalid(message: Mapping[str, Any]) -> ReceivedEvent:
    """Read the event in a message; one that is not JSON becomes an event of :class:`InvalidMessageError`."""
    try:
        return read_message(message)
    except InvalidMessageError as error:
        count = int(message.get("Attributes", {}).get("ApproximateReceiveCount", 1))
        return ReceivedEvent(error, error.message_id, error.message_id, message["ReceiptHandle"], count)
