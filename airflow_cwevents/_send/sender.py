"""Send any number of entries concurrently, in bounded memory."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from math import inf
from typing import TYPE_CHECKING, Any

from airflow_cwevents._aws.errors import is_transient
from airflow_cwevents._aws.limits import MAX_ENTRIES_PER_REQUEST, MAX_REQUEST_BYTES
from airflow_cwevents._send.batching import pack
from airflow_cwevents._send.buffer import Held, ResultBuffer
from airflow_cwevents._send.entries import EntryResult, SizedEntry
from airflow_cwevents._send.outage import OUTAGE_SECONDS, OutageWatch
from airflow_cwevents._send.outcomes import Failure, entry_failure, is_too_large, request_failure
from airflow_cwevents._send.rate_controller import RateController
from airflow_cwevents._send.retry_queue import RetryQueue
from airflow_cwevents._send.source import ReadAhead
from airflow_cwevents._send.transport import Answer, Request, Transport
from airflow_cwevents.exceptions import PutEventsStoppedError

if TYPE_CHECKING:
    from airflow_cwevents._send.options import SendOptions

# The maximum number of invalid entries in a row before their results are yielded.
MAX_BAD_IN_A_ROW = 20
# The maximum time that results wait while entries are read, in seconds.
SUBMIT_SECONDS = 0.02
# The maximum time between two calls of on_tick, in seconds.
TICK_SECONDS = 1.0
# While AWS accepts other entries, the rate does the waiting, and throttled entries wait no longer than these seconds,
# less if entries of the same request were accepted. Results in input order, and the end, wait for each entry.
PARTLY_THROTTLED_WAIT_SECONDS = 0.05
THROTTLED_WAIT_SECONDS = 0.2
# How long after an accepted entry AWS counts as accepting, in seconds.
ACCEPTING_SECONDS = 1.0
# Airflow kills a task 5 seconds after SIGTERM; saving the checkpoint needs some of that time.
STOP_GRACE_SECONDS = 3.0


class EventSender(Iterator[EntryResult]):
    """
    Sends entries while it is iterated over, and yields a result for each. Dropping the iterator stops sending.

    After all known results, it raises :class:`PutEventsStoppedError` if :meth:`stop` was called, or if all requests
    failed for five minutes.

    :param transport: sends requests of up to ten entries.
    :param entries: prepared entries, and failed results of those that cannot be sent. It is read only as far ahead as
        needed to keep requests in flight. Its exceptions are raised after the results of all previous entries.
    :param options: how to send.
    :param wait: returns the seconds before the next attempt, by the number of failures.
    :param in_order: whether to yield the results in input order; otherwise, each as soon as it is known.
    :param on_tick: called at least once a second, between results.
    :param clock: seconds, as :func:`time.monotonic` returns them.
    """

    def __init__(
        self,
        transport: Transport,
        entries: Iterable[SizedEntry | EntryResult],
        options: SendOptions,
        wait: Callable[[int], float],
        *,
        in_order: bool = True,
        on_tick: Callable[[], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sending = _Sending(transport, entries, options, wait, in_order=in_order, on_tick=on_tick, clock=clock)
        self._results = self._sending.results()

    def __next__(self) -> EntryResult:
        return next(self._results)

    @property
    def requests(self) -> int:
        """The number of requests sent so far, excluding botocore's retries."""
        return self._sending.requests

    @property
    def bytes(self) -> int:
        """The size of all entries in these requests, in bytes."""
        return self._sending.bytes

    def stop(self) -> None:
        """Stop sending; safe to call from another thread or a signal handler."""
        self._sending.stop()

    def drain(self) -> Iterator[EntryResult]:
        """Stop sending, and yield the known results that were not yielded yet; also works after an exception."""
        self.stop()
        self._results.close()
        return self._sending.known_when_stopped()


class _Sending:
    """The loop of a sender. It holds no reference to the sender, so that dropping the sender ends it."""

    def __init__(
        self,
        transport: Transport,
        entries: Iterable[SizedEntry | EntryResult],
        options: SendOptions,
        wait: Callable[[int], float],
        *,
        in_order: bool,
        on_tick: Callable[[], None] | None,
        clock: Callable[[], float],
    ) -> None:
        self.requests = 0
        self.bytes = 0
        self._options = options
        self._on_tick = on_tick
        self._clock = clock
        self._source = ReadAhead(entries)
        self._retries = RetryQueue(options, wait, clock)
        self._buffer = ResultBuffer(in_order=in_order)
        self._rate = RateController(options.max_events_per_second, clock)
        self._transport = transport
        self._outage = OutageWatch()
        self._batches: Iterator[list[SizedEntry]] = iter(())
        self._halves: deque[list[SizedEntry]] = deque()
        self._sent = 0
        self._accepted_at = -inf
        self._hurried = False
        self._stop_at: float | None = None
        self._error: BaseException | None = None

    def stop(self) -> None:
        if self._stop_at is None:
            self._stop_at = self._clock() + STOP_GRACE_SECONDS
        self._transport.wake()

    def results(self) -> Generator[EntryResult, None, None]:
        try:
            yield from self._results_until_stopped()
            yield from self.known_when_stopped()
            if error := self._error or self._source.error:
                raise error
            if self._stopped and not self._source.is_settled:
                raise PutEventsStoppedError(self._sent)
        finally:
            self.stop()
            self._transport.close()

    def known_when_stopped(self) -> Iterator[EntryResult]:
        self._settle()
        while self._transport.in_flight and (seconds := (self._stop_at or 0) - self._clock()) > 0:
            self._transport.wait(seconds)
            self._settle()
        yield from map(self._returned, self._buffer.rest())

    def _results_until_stopped(self) -> Iterator[EntryResult]:
        while not self._stopped:
            self._submit()
            if self._hurried:
                self._settle()
            yield from map(self._returned, self._buffer.ready())
            if self._source.is_settled:
                break
            if self._on_tick:
                self._on_tick()
            self._transport.wait(self._seconds_to_wait())
            self._settle()

    @property
    def _stopped(self) -> bool:
        return self._stop_at is not None

    @property
    def _is_full(self) -> bool:
        return self._transport.in_flight >= self._options.max_concurrency

    def _submit(self) -> None:
        """Submit as many requests as allowed; return early if there are answers, as the source may be slow."""
        hurry_at = self._clock() + SUBMIT_SECONDS
        self._hurried = False
        while not self._stopped and not self._is_full and not self._rate.seconds_until_free():
            if not (batch := self._next_batch()):
                return
            self.requests += 1
            self.bytes += sum(item.size for item in batch)
            number = self._rate.on_send(len(batch))
            self._transport.submit(Request(number, [item.entry for item in batch], batch))
            if self._transport.has_answers and self._clock() >= hurry_at:
                self._hurried = True
                return

    def _next_batch(self) -> list[SizedEntry] | None:
        if self._halves:
            return self._halves.popleft()
        batch = next(self._batches, None)
        if batch is None:  # the previous iterator ended with the available entries; there may be more by now
            max_bytes = self._options.max_bytes
            self._batches = pack(self._available(), lambda item: item.size, max_bytes, MAX_ENTRIES_PER_REQUEST)
            batch = next(self._batches, None)
        return batch

    def _available(self) -> Iterator[SizedEntry]:
        """Yield entries that can be sent now: first the retries that are due, then those of the source."""
        bad = 0
        while bad < MAX_BAD_IN_A_ROW:
            if (due := self._retries.pop_due()) is not None:
                yield due
            elif (read := self._source.read()) is None:
                if self._source.error is not None and not isinstance(self._source.error, Exception):
                    self.stop()  # Airflow's timeout, or Ctrl-C: there is no time for retries
                return
            elif isinstance(item := read[1], EntryResult):
                bad += 1
                self._buffer.add(read[0], item, MAX_REQUEST_BYTES)
            else:
                bad = 0
                item.position = read[0]
                yield item
        self._hurried = True

    def _seconds_to_wait(self) -> float | None:
        """Return the maximum time to wait for an answer, in seconds; None if only an answer allows progress."""
        seconds = self._seconds_until_more_can_be_sent()
        if not self._on_tick:
            return seconds
        return TICK_SECONDS if seconds is None else min(seconds, TICK_SECONDS)

    def _seconds_until_more_can_be_sent(self) -> float | None:
        if self._hurried:
            return 0.0
        if self._is_full:
            return None
        if held_back := self._rate.seconds_until_free():
            return held_back
        if (due := self._retries.seconds_until_due()) is not None:
            return due
        return None if self._transport.in_flight else 0.0

    def _settle(self) -> None:
        """Process all available answers; an exception in between loses no more than one of them."""
        while (answer := self._transport.take()) is not None:
            if answer.error is not None:
                self._settle_error(answer, answer.error)
            else:
                self._outage.on_success()
                self._settle_response(answer, answer.response or {})

    def _settle_response(self, answer: Answer, response: Mapping[str, Any]) -> None:
        failed: list[tuple[SizedEntry, Failure]] = []
        results = response.get("Entries") or ()
        for position, item in enumerate(answer.request.batch):
            result = (results[position] if position < len(results) else None) or {}
            if event_id := result.get("EventId"):
                self._sent += 1
                self._source.release(item.size)
                self._buffer.add(item.position, EntryResult(item.index, event_id), 0)
            else:
                failed.append((item, entry_failure(result)))
        throttled = sum(failure.is_throttling for _, failure in failed)
        accepted = len(answer.request.batch) - throttled
        self._rate.on_answer(answer.request.number, accepted, throttled)
        if accepted:
            self._accepted_at = self._clock()
        for item, failure in failed:
            self._retry_or_fail(item, failure, PARTLY_THROTTLED_WAIT_SECONDS if accepted else THROTTLED_WAIT_SECONDS)

    def _settle_error(self, answer: Answer, error: Exception) -> None:
        batch, failure = answer.request.batch, request_failure(error)
        self._rate.on_answer(answer.request.number, 0, len(batch) if failure.is_throttling else 0)
        if is_transient(error) and self._outage.on_failure(answer.answered_at):
            self._give_up(f"{failure.code}: {failure.message}")
        if is_too_large(failure, len(batch)):
            middle = len(batch) // 2
            self._halves += [list(batch[:middle]), list(batch[middle:])]
            return
        for item in batch:
            self._retry_or_fail(item, failure, THROTTLED_WAIT_SECONDS)

    def _give_up(self, reason: str) -> None:
        why = f"no request has succeeded for {OUTAGE_SECONDS:.0f} s; the last failed with {reason}"
        self._error = self._error or self._source.error or PutEventsStoppedError(self._sent, why)
        self.stop()

    def _retry_or_fail(self, item: SizedEntry, failure: Failure, throttled_wait: float) -> None:
        is_accepting = self._clock() - self._accepted_at < ACCEPTING_SECONDS
        max_wait = throttled_wait if failure.is_throttling and is_accepting else inf
        if not (failure.retry and self._retries.add(item, max_wait)):
            result = EntryResult(
                item.index, None, failure.code, failure.message, retryable=failure.transient, entry=item.entry
            )
            self._buffer.add(item.position, result, item.size)

    def _returned(self, held: Held) -> EntryResult:
        result, held_bytes = held
        self._source.release(held_bytes)
        self._source.settle()
        return result
