"""Any number of entries sent concurrently, in bounded memory."""

from __future__ import annotations

import heapq
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from airflow_cwevents._aws.errors import error_code, error_message, is_throttling, is_transient, shortened
from airflow_cwevents._aws.limits import (
    MAX_ENTRIES_PER_REQUEST,
    MAX_REQUEST_BYTES,
    RETRYABLE_ENTRY_CODES,
    THROTTLING_CODES,
)
from airflow_cwevents._send.batching import pack
from airflow_cwevents._send.entries import EntryResult, SizedEntry
from airflow_cwevents._send.throttle import Throttle, wait_seconds
from airflow_cwevents._send.transport import Answer, Request, Transport
from airflow_cwevents.exceptions import PutEventsStoppedError

if TYPE_CHECKING:
    from tenacity.wait import wait_base

    from airflow_cwevents._send.options import SendOptions

# What bounds the memory: how many entries may be on their way at a time, and how many bytes they may have.
MAX_UNSETTLED_ENTRIES = 10_000
MAX_HELD_BYTES = 64 * 1024 * 1024
# So many bad entries in a row are told of before more are read.
MAX_BAD_IN_A_ROW = 20
# So long after requests began to fail, without one that succeeded since, no more are sent.
OUTAGE_SECONDS = 300.0
# How long results may wait while entries are read, in seconds.
SUBMIT_SECONDS = 0.02
# How long to wait at most before on_tick is called again, in seconds.
TICK_SECONDS = 1.0
# Airflow kills a task 5 seconds after it asked it to end; the checkpoint needs some of them.
STOP_GRACE_SECONDS = 3.0
MISSING_RESULT = "MissingResult"


class EventSender(Iterator[EntryResult]):
    """
    Sends entries through a transport; iterating over it does the sending.

    It raises :class:`PutEventsStoppedError` after :meth:`stop`, or when requests have only failed for five minutes, and
    it has given the results that are known. Who lets go of it before its end ends the sending.

    :param transport: sends requests of up to ten entries.
    :param entries: the entries; those that cannot be sent, as their results. It is read as far ahead as is needed to
        keep the requests going. What it raises is raised after the results of all before.
    :param options: how to send.
    :param wait: how long to wait before an entry is sent again, and before anything is after AWS throttled.
    :param in_order: whether to give the results in input order; if not, each as soon as it is known.
    :param on_tick: called every second or more often, between the results.
    :param clock: seconds, as :func:`time.monotonic` gives them.
    """

    def __init__(
        self,
        transport: Transport,
        entries: Iterable[SizedEntry | EntryResult],
        options: SendOptions,
        wait: wait_base,
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
        """How many requests were sent so far, those of botocore's own retries not counted."""
        return self._sending.requests

    @property
    def bytes(self) -> int:
        """How much the entries in them measured together, in bytes."""
        return self._sending.bytes

    def stop(self) -> None:
        """Send nothing more; safe to call from another thread or a signal handler."""
        self._sending.stop()

    def drain(self) -> Iterator[EntryResult]:
        """Send nothing more, and give the results that are known and were not given, also after an exception."""
        self.stop()
        self._results.close()
        return self._sending.known_when_stopped()


class _Sending:
    """The state of a sender. It does not know the sender, which ends it when nobody has it any more."""

    def __init__(
        self,
        transport: Transport,
        entries: Iterable[SizedEntry | EntryResult],
        options: SendOptions,
        wait: wait_base,
        *,
        in_order: bool,
        on_tick: Callable[[], None] | None,
        clock: Callable[[], float],
    ) -> None:
        self.requests = 0
        self.bytes = 0
        self._transport = transport
        self._source = iter(entries)
        self._source_error: BaseException | None = None
        self._exhausted = False
        self._options = options
        self._wait = wait
        self._in_order = in_order
        self._on_tick = on_tick
        self._clock = clock
        self._throttle = Throttle(options.max_concurrency, options.max_events_per_second, wait, clock)
        self._batches: Iterator[list[SizedEntry]] = iter(())
        self._halves: deque[Sequence[SizedEntry]] = deque()
        self._retries: list[tuple[float, int, SizedEntry]] = []
        self._results: dict[int, tuple[EntryResult, int]] = {}
        self._held_bytes = 0
        self._read = 0
        self._given = 0
        self._sent = 0
        self._hurried = False
        self._failing_since: float | None = None
        self._stop_at: float | None = None

    def stop(self) -> None:
        if self._stop_at is None:
            self._stop_at = self._clock() + STOP_GRACE_SECONDS
            self._transport.close()
        self._transport.wake()

    def results(self) -> Generator[EntryResult, None, None]:
        try:
            yield from self._results_until_stopped()
            yield from self.known_when_stopped()
            if self._source_error:
                raise self._source_error
            if self._stopped and self._unfinished:
                raise PutEventsStoppedError(self._sent)
        finally:  # what is not begun by now is not sent
            self.stop()

    def known_when_stopped(self) -> Iterator[EntryResult]:
        self._settle()
        while self._transport.in_flight and (seconds := (self._stop_at or 0) - self._clock()) > 0:
            self._transport.wait(seconds)
            self._settle()
        for position in sorted(self._results):
            yield self._give(position)

    def _results_until_stopped(self) -> Iterator[EntryResult]:
        while not self._stopped:
            self._submit()
            if self._hurried:
                self._settle()
            yield from self._known()
            if not self._unfinished:
                break
            if self._on_tick:
                self._on_tick()
            self._transport.wait(self._seconds_to_wait())
            self._settle()

    @property
    def _stopped(self) -> bool:
        return self._stop_at is not None

    @property
    def _unfinished(self) -> bool:
        return not self._exhausted or self._given < self._read

    def _submit(self) -> None:
        """Send as much as may be sent; hurry back if there are results, as the source may be slow."""
        hurry_at = self._clock() + SUBMIT_SECONDS
        self._hurried = False
        while not self._stopped and self._throttle.admits(self._transport.in_flight):
            if not (batch := self._next_batch()):
                return
            self.requests += 1
            self.bytes += sum(item.size for item in batch)
            number = self._throttle.on_send(len(batch))
            self._transport.submit(Request(number, [item.entry for item in batch], batch))
            if self._clock() >= hurry_at:
                self._hurried = True
                return

    def _next_batch(self) -> Sequence[SizedEntry] | None:
        if self._halves:
            return self._halves.popleft()
        batch: Sequence[SizedEntry] | None = next(self._batches, None)
        if batch is None:  # the last one was cut short by what was there; there may be more by now
            options = self._options
            self._batches = pack(self._available(), lambda item: item.size, options.max_bytes, MAX_ENTRIES_PER_REQUEST)
            batch = next(self._batches, None)
        return batch

    def _available(self) -> Iterator[SizedEntry]:
        """Give what can be sent now: first what is to be sent again, then what the source has."""
        bad = 0
        while bad < MAX_BAD_IN_A_ROW:
            if self._retries and self._retries[0][0] <= self._clock():
                yield heapq.heappop(self._retries)[2]
            elif (item := self._read_one()) is None:
                return
            elif isinstance(item, EntryResult):
                bad += 1
                self._finish(self._read - 1, item, MAX_REQUEST_BYTES)
            else:
                bad = 0
                yield item
        self._hurried = True

    @property
    def _may_read(self) -> bool:
        return (
            not self._exhausted
            and self._read - self._given < MAX_UNSETTLED_ENTRIES
            and self._held_bytes < MAX_HELD_BYTES
        )

    def _read_one(self) -> SizedEntry | EntryResult | None:
        if not self._may_read:
            return None
        try:
            item = next(self._source)
        except StopIteration:
            self._exhausted = True
            return None
        except BaseException as error:  # the results of what is under way come first
            self._source_error = error
            self._exhausted = True
            if not isinstance(error, Exception):  # Airflow's timeout, or Ctrl-C: no time for retries
                self.stop()
            return None
        if isinstance(item, SizedEntry):
            item.position = self._read
            self._held_bytes += item.size
        else:
            self._held_bytes += MAX_REQUEST_BYTES
        self._read += 1
        return item

    def _seconds_to_wait(self) -> float | None:
        """Return when to look again if no result comes before, in seconds; None if only a result lets us go on."""
        seconds = self._seconds_until_more_can_be_sent()
        if not self._on_tick:
            return seconds
        return TICK_SECONDS if seconds is None else min(seconds, TICK_SECONDS)

    def _seconds_until_more_can_be_sent(self) -> float | None:
        if self._hurried:
            return 0.0
        if self._transport.in_flight >= int(self._throttle.limit):
            return None
        if held_back := self._throttle.seconds_until_free():
            return held_back
        if self._retries:
            return max(0.0, self._retries[0][0] - self._clock())
        return None if self._transport.in_flight else 0.0

    def _settle(self) -> None:
        """Take note of all answers that have come; an exception in between loses one of them at most."""
        while answer := self._transport.take():
            self._settle_answer(answer)

    def _settle_answer(self, answer: Answer) -> None:
        self._throttle.on_answer(answer.seconds)
        if answer.error is not None:
            self._settle_error(answer, answer.error)
        else:
            self._failing_since = None
            self._settle_response(answer, answer.response or {})

    def _settle_response(self, answer: Answer, response: Mapping[str, Any]) -> None:
        throttled = response.get("ResponseMetadata", {}).get("RetryAttempts", 0) > 0
        entries = response.get("Entries") or ()
        for position, item in enumerate(answer.request.batch):
            entry = (entries[position] if position < len(entries) else None) or {}
            if event_id := entry.get("EventId"):
                self._sent += 1
                self._held_bytes -= item.size
                self._finish(item.position, EntryResult(item.index, event_id), 0)
            else:
                code = entry.get("ErrorCode") or MISSING_RESULT
                message = shortened(entry.get("ErrorMessage") or "AWS's response says nothing of this entry")
                throttled = throttled or code in THROTTLING_CODES
                self._fail(item, code, message, again=code in RETRYABLE_ENTRY_CODES or code == MISSING_RESULT)
        if throttled:
            self._throttle.on_throttled(answer.request.number)
        else:
            self._throttle.on_success()

    def _settle_error(self, answer: Answer, error: Exception) -> None:
        code, message = error_code(error), error_message(error)
        if is_transient(error):
            self._throttle.on_throttled(answer.request.number)
            self._give_up_after_a_while(answer.answered_at, f"{code}: {message}")
        if code in {"ValidationException", "413"} and len(answer.request.batch) > 1:
            # One entry must not cost the others their place, nor a region with a lower limit all of them.
            middle = len(answer.request.batch) // 2
            self._halves += [answer.request.batch[:middle], answer.request.batch[middle:]]
            return
        # what botocore retries is not retried again here; an answer that it stumbles over it does not retry
        again = not isinstance(error, BotoCoreError | ClientError) or isinstance(error, ResponseParserError)
        again = again or is_throttling(error)  # which the fast lane reports at once
        for item in answer.request.batch:
            self._fail(item, code, message, again=again, transient=is_transient(error))

    def _give_up_after_a_while(self, failed_at: float, reason: str) -> None:
        """Stop if requests have only failed for long: each of millions would otherwise be waited for."""
        if self._failing_since is None:
            self._failing_since = failed_at
        elif failed_at - self._failing_since > OUTAGE_SECONDS and self._source_error is None:
            why = f"for {OUTAGE_SECONDS:.0f} s no request has succeeded, the last with {reason}"
            self._source_error = PutEventsStoppedError(self._sent, why)
            self.stop()

    def _fail(self, item: SizedEntry, code: str, message: str, *, again: bool, transient: bool = False) -> None:
        now = self._clock()
        item.failed_since = item.failed_since or now
        item.failures += 1
        due = now + wait_seconds(self._wait, item.failures) if again else now
        in_time = due - item.failed_since <= self._options.max_retry_seconds
        if again and in_time and item.failures < self._options.max_attempts:
            heapq.heappush(self._retries, (due, item.position, item))
        else:
            result = EntryResult(item.index, None, code, message, retryable=again or transient, entry=item.entry)
            self._finish(item.position, result, item.size)

    def _finish(self, position: int, result: EntryResult, held_bytes: int) -> None:
        self._results[position] = result, held_bytes

    def _known(self) -> Iterator[EntryResult]:
        if self._in_order:
            while self._given in self._results:
                yield self._give(self._given)
        else:
            while self._results:
                yield self._give(next(iter(self._results)))

    def _give(self, position: int) -> EntryResult:
        result, held_bytes = self._results.pop(position)
        self._held_bytes -= held_bytes
        self._given += 1
        return result
