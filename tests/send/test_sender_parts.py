"""The parts of the sender, each alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from botocore.parsers import ResponseParserError

from airflow_cwevents._aws.limits import MAX_REQUEST_BYTES
from airflow_cwevents._send import source as source_module
from airflow_cwevents._send.buffer import ResultBuffer
from airflow_cwevents._send.entries import EntryResult, SizedEntry
from airflow_cwevents._send.options import SendOptions
from airflow_cwevents._send.outage import OUTAGE_SECONDS, OutageWatch
from airflow_cwevents._send.outcomes import MISSING_RESULT, entry_failure, is_too_large, request_failure
from airflow_cwevents._send.retry_queue import RetryQueue, backoff_seconds
from airflow_cwevents._send.source import ReadAhead


def item(index: int, size: int = 10) -> SizedEntry:
    return SizedEntry(index, {"n": index}, size)


def client_error(code: str, status: int = 400) -> ClientError:
    response = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "PutEvents")  # type: ignore[arg-type]


class TestReadAhead:
    def test_reading_stops_at_the_maximum_number_of_unsettled_entries(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(source_module, "MAX_UNSETTLED_ENTRIES", 2)
        source = ReadAhead([item(0), item(1), item(2)])
        assert [source.read() is None for _ in range(3)] == [False, False, True]
        source.settle()
        assert source.read() == (2, item(2))
        assert not source.is_settled

    @pytest.mark.parametrize("entry", [item(0, MAX_REQUEST_BYTES), EntryResult(0, None, "InvalidEntry")])
    def test_reading_stops_at_the_maximum_of_held_bytes(
        self, entry: SizedEntry | EntryResult, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(source_module, "MAX_HELD_BYTES", MAX_REQUEST_BYTES)
        source = ReadAhead([entry, item(1)])
        source.read()
        assert source.read() is None
        source.release(MAX_REQUEST_BYTES)
        assert source.read() is not None

    def test_source_is_settled_when_all_results_were_returned(self) -> None:
        source = ReadAhead([item(0)])
        source.read()
        assert source.read() is None
        assert not source.is_settled
        source.settle()
        assert source.is_settled

    @pytest.mark.parametrize("error", [ValueError("bad"), KeyboardInterrupt()])
    def test_error_ends_the_source(self, error: BaseException) -> None:
        def entries() -> Iterator[SizedEntry]:
            yield item(0)
            raise error

        source = ReadAhead(entries())
        assert source.read() is not None
        assert source.read() is None
        assert source.error is error


class TestResultBuffer:
    def test_ordered_results_wait_for_earlier_ones(self) -> None:
        buffer = ResultBuffer(in_order=True)
        buffer.add(1, EntryResult(1, "b"), 0)
        assert list(buffer.ready()) == []
        buffer.add(0, EntryResult(0, "a"), 0)
        assert [result.event_id for result, _ in buffer.ready()] == ["a", "b"]

    def test_unordered_results_are_ready_at_once(self) -> None:
        buffer = ResultBuffer(in_order=False)
        buffer.add(1, EntryResult(1, "b"), 5)
        assert list(buffer.ready()) == [(EntryResult(1, "b"), 5)]
        assert list(buffer.ready()) == []

    def test_rest_ignores_gaps(self) -> None:
        buffer = ResultBuffer(in_order=True)
        for position in (3, 1):
            buffer.add(position, EntryResult(position, "x"), 0)
        assert [result.index for result, _ in buffer.rest()] == [1, 3]


class TestRetryQueue:
    def queue(self, **options: float) -> RetryQueue:
        self.now = 1.0
        return RetryQueue(SendOptions(**options), lambda failures: float(failures), lambda: self.now)  # type: ignore[arg-type]

    def test_entry_is_due_after_its_wait(self) -> None:
        queue = self.queue()
        assert queue.add(item(0))
        assert (queue.pop_due(), queue.seconds_until_due()) == (None, 1.0)
        self.now = 2.0
        assert queue.pop_due() is not None
        assert queue.seconds_until_due() is None

    def test_earliest_due_entry_is_returned_first(self) -> None:
        queue, late = self.queue(), item(0)
        late.failures = 1
        queue.add(late)
        queue.add(item(1))
        self.now = 10.0
        due = queue.pop_due()
        assert due is not None
        assert due.index == 1

    def test_attempts_are_limited(self) -> None:
        queue, entry = self.queue(max_attempts=2), item(0)
        assert [queue.add(entry) for _ in range(2)] == [True, False]

    def test_retry_time_is_limited(self) -> None:
        queue, entry = self.queue(max_retry_seconds=2), item(0)
        assert queue.add(entry)
        self.now = 2.0
        assert not queue.add(entry)

    def test_wait_has_a_maximum(self) -> None:
        queue, entry = self.queue(), item(0)
        assert queue.add(entry, max_wait=0.2)
        assert queue.seconds_until_due() == pytest.approx(0.2)

    def test_backoff_is_bounded_and_random(self) -> None:
        for failures, most in ((1, 0.2), (4, 1.6), (20, 20.0), (10_000, 20.0)):
            waits = [backoff_seconds(failures) for _ in range(50)]
            assert 0 <= min(waits) < max(waits) <= most


class TestOutageWatch:
    def test_failures_for_minutes_are_an_outage(self) -> None:
        watch = OutageWatch()
        assert [watch.on_failure(at) for at in (10.0, 10 + OUTAGE_SECONDS, 10.1 + OUTAGE_SECONDS)] == [
            False,
            False,
            True,
        ]

    def test_success_resets_the_outage(self) -> None:
        watch = OutageWatch()
        watch.on_failure(0.0)
        watch.on_success()
        assert not watch.on_failure(OUTAGE_SECONDS + 1)


class TestOutcomes:
    @pytest.mark.parametrize(
        ("code", "retry", "throttling"),
        [
            ("ThrottlingException", True, True),
            ("InternalFailure", True, False),
            ("InternalException", True, False),
            ("MalformedDetail", False, False),
            ("CodeOfTheFuture", False, False),
        ],
    )
    def test_entry_code_decides_whether_to_retry(self, code: str, retry: bool, throttling: bool) -> None:
        failure = entry_failure({"ErrorCode": code, "ErrorMessage": "no"})
        assert (failure.code, failure.retry, failure.transient, failure.is_throttling) == (
            code,
            retry,
            retry,
            throttling,
        )

    def test_entry_without_result_is_retried(self) -> None:
        failure = entry_failure({})
        assert (failure.code, failure.retry) == (MISSING_RESULT, True)

    @pytest.mark.parametrize(
        ("error", "retry", "transient"),
        [
            (client_error("AccessDeniedException"), False, False),
            (client_error("ThrottlingException"), True, True),
            (client_error("InternalFailure", 500), False, True),
            (EndpointConnectionError(endpoint_url="x"), False, True),
            (ResponseParserError("truncated"), True, True),
            (ValueError("bug"), True, True),
        ],
    )
    def test_request_error_decides_whether_to_retry(self, error: Exception, retry: bool, transient: bool) -> None:
        failure = request_failure(error)
        assert (failure.retry, failure.transient) == (retry, transient)

    @pytest.mark.parametrize(("code", "entries", "halves"), [("413", 2, True), ("413", 1, False), ("Other", 2, False)])
    def test_only_too_large_requests_of_several_entries_are_split(self, code: str, entries: int, halves: bool) -> None:
        assert is_too_large(request_failure(client_error(code)), entries) is halves
