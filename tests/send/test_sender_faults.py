"""What is delivered, and what is told, when a server on the loopback address misbehaves."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_cwevents._aws.client_config import REQUEST_ATTEMPTS
from airflow_cwevents._send.entries import EntryResult
from airflow_cwevents.hooks import CloudWatchEventsHook
from tests.fault_server import Entry, FaultServer, Reply, Script, error

StartServer = Callable[[Script | None], FaultServer]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[StartServer]:
    """Give a function that starts a server that follows a script; botocore does not sleep between its tries."""
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda seconds: None))
    monkeypatch.setattr("airflow_cwevents._send.retry_queue.MAX_WAIT_SECONDS", 0.0)
    servers: list[FaultServer] = []

    def start_server(script: Script | None = None) -> FaultServer:
        server = FaultServer(script)
        servers.append(server.__enter__())
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        return server

    yield start_server
    for server in servers:
        server.__exit__(None, None, None)


def entries(count: int) -> list[dict[str, Any]]:
    return [{"Source": "com.company.app", "DetailType": "t", "Detail": {"n": n}} for n in range(count)]


def send(count: int, **options: Any) -> list[EntryResult]:
    config = options.pop("config", None)
    hook = CloudWatchEventsHook(None, config=config)
    return list(hook.put_events(entries(count), **options))


def numbers(sent: Sequence[Entry]) -> list[str]:
    return [entry["Detail"] for entry in sent]


def failed(results: Sequence[EntryResult]) -> dict[int, str | None]:
    return {result.index: result.error_code for result in results if result.event_id is None}


def each_once(count: int, but: Sequence[int] = ()) -> Counter[int]:
    return Counter(n for n in range(count) if n not in but)


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 100, 1001])
def test_every_entry_is_delivered_once(start: StartServer, count: int) -> None:
    server = start(None)
    results = send(count)
    assert [result.index for result in results] == list(range(count))
    assert failed(results) == {}
    assert len({result.event_id for result in results}) == count
    assert server.times_delivered == each_once(count)
    assert len(server.requests) == -(-count // 10)


def test_only_throttled_entries_are_sent_again(start: StartServer) -> None:
    throttled = {3: 2, 7: 1, 25: 3}
    seen: Counter[str] = Counter()

    def script(number: int, sent: Sequence[Entry]) -> Reply:
        codes = {}
        for position, entry in enumerate(sent):
            seen[entry["Detail"]] += 1
            for n, rounds in throttled.items():
                if entry["Detail"] == f'{{"n":{n}}}' and seen[entry["Detail"]] <= rounds:
                    codes[position] = "ThrottlingException"
        return Reply(codes=codes)

    server = start(script)
    results = send(40)
    assert failed(results) == {}
    assert server.times_delivered == each_once(40)
    sent_times = Counter(entry["Detail"] for request in server.requests for entry in request)
    assert {n: sent_times[f'{{"n":{n}}}'] for n in throttled} == {3: 3, 7: 2, 25: 4}
    assert sent_times.total() == 40 + sum(throttled.values())


@pytest.mark.parametrize("code", ["InternalFailure", "InternalException", "ThrottlingException"])
def test_entry_fails_after_max_attempts(start: StartServer, code: str) -> None:
    def script(number: int, sent: Sequence[Entry]) -> Reply:
        return Reply(codes={p: code for p, entry in enumerate(sent) if entry["Detail"] == '{"n":5}'})

    server = start(script)
    results = send(12, max_attempts=4)
    assert failed(results) == {5: code}
    assert results[5].retryable
    assert results[5].error_message == f"{code} it is"
    assert server.times_delivered == each_once(12, but=[5])
    assert sum(numbers(request).count('{"n":5}') for request in server.requests) == 4


@pytest.mark.parametrize("code", ["AccessDeniedException", "MalformedDetail", "NotAuthorizedForSourceException", "New"])
def test_permanent_code_is_not_retried(start: StartServer, code: str) -> None:
    def script(number: int, sent: Sequence[Entry]) -> Reply:
        return Reply(codes={p: code for p, entry in enumerate(sent) if entry["Detail"] in ('{"n":0}', '{"n":11}')})

    server = start(script)
    results = send(25)
    assert failed(results) == {0: code, 11: code}
    assert not results[0].retryable
    assert results[11].entry is not None
    assert results[11].entry["Detail"] == '{"n":11}'
    assert server.times_delivered == each_once(25, but=[0, 11])
    assert sum(len(request) for request in server.requests) == 25


def test_only_transient_failures_of_a_request_are_sent_again(start: StartServer) -> None:
    def script(number: int, sent: Sequence[Entry]) -> Reply | None:
        return (
            Reply(codes={0: "MalformedDetail", 1: "ThrottlingException", 2: "InternalFailure"}) if number == 1 else None
        )

    server = start(script)
    results = send(10)
    assert failed(results) == {0: "MalformedDetail"}
    assert server.times_delivered == each_once(10, but=[0])
    assert [numbers(request) for request in server.requests[1:]] == [['{"n":1}', '{"n":2}']]


@pytest.mark.parametrize(
    "fault",
    [
        error(400, "ThrottlingException", "Rate exceeded"),
        error(429, "TooManyRequestsException"),
        error(500, "InternalException"),
        error(503, "ServiceUnavailable"),
        Reply(reset=True, taken=False),
    ],
    ids=["throttled", "429", "500", "503", "reset before it was taken"],
)
def test_request_that_fails_once_is_retried(start: StartServer, fault: Reply) -> None:
    server = start(lambda number, sent: fault if number == 2 else None)
    assert failed(send(50)) == {}
    assert server.times_delivered == each_once(50)
    assert len(server.requests) == 6


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (error(500, "InternalException"), "InternalException"),
        (error(503, "ServiceUnavailable"), "ServiceUnavailable"),
        (Reply(reset=True, taken=False), "ConnectionClosedError"),
    ],
    ids=["500", "503", "reset"],
)
def test_request_that_keeps_failing_fails_only_its_entries(start: StartServer, fault: Reply, code: str) -> None:
    server = start(lambda number, sent: fault if '{"n":12}' in numbers(sent) else None)
    results = send(30)
    assert failed(results) == dict.fromkeys(range(10, 20), code)
    assert all(result.retryable for result in results[10:20])
    assert server.times_delivered == each_once(30, but=range(10, 20))
    # the fast lane's attempt, which libcurl repeats on a connection that it used before, and botocore's
    assert len(server.requests) - 2 - REQUEST_ATTEMPTS in (1, 2)


def test_throttled_request_uses_up_an_attempt(start: StartServer) -> None:
    server = start(lambda number, sent: error(400, "ThrottlingException") if '{"n":12}' in numbers(sent) else None)
    results = send(30, max_attempts=3)
    # those of the same request may have been sent again with others
    assert {12} <= failed(results).keys() <= set(range(10, 20))
    assert set(failed(results).values()) == {"ThrottlingException"}
    assert results[12].retryable
    assert server.times_delivered == each_once(30, but=list(failed(results)))


def test_permanent_request_error_is_not_retried(start: StartServer) -> None:
    server = start(lambda number, sent: error(400, "AccessDeniedException", "not allowed"))
    results = send(20)
    assert failed(results) == dict.fromkeys(range(20), "AccessDeniedException")
    assert not any(result.retryable for result in results)
    assert results[0].error_message == "not allowed"
    assert len(server.requests) == 2 * 2  # by the fast lane, and by botocore


def test_lost_response_causes_duplicates_only(start: StartServer) -> None:
    server = start(lambda number, sent: Reply(reset=True) if number == 1 else None)
    assert failed(send(10)) == {}
    assert server.times_delivered == Counter(dict.fromkeys(range(10), 2))


def test_read_timeout_is_retried(start: StartServer) -> None:
    never = threading.Event()
    server = start(lambda number, sent: Reply(until=never) if number == 1 else None)
    assert failed(send(10, config={"connect_timeout": 0.2, "read_timeout": 0.2})) == {}
    never.set()
    assert server.times_delivered == Counter(dict.fromkeys(range(10), 2))


@pytest.mark.parametrize("body", [b'{"FailedEntryCount": 0, "Entr', b"", b"<html>", b"[]"])
def test_unreadable_response_is_retried(start: StartServer, body: bytes) -> None:
    server = start(lambda number, sent: Reply(body=body) if number == 1 else None)
    assert failed(send(10)) == {}
    assert server.times_delivered == Counter(dict.fromkeys(range(10), 2))


def test_unreadable_responses_fail_the_entries_after_max_attempts(start: StartServer) -> None:
    server = start(lambda number, sent: Reply(body=b"{"))
    results = send(10, max_attempts=3)
    assert failed(results).keys() == set(range(10))
    assert all(result.retryable for result in results)
    assert len(server.requests) == 3 * 2  # by the fast lane, and by botocore


def test_entries_without_a_result_are_sent_again(start: StartServer) -> None:
    server = start(lambda number, sent: Reply(omitted=3) if number == 1 else None)
    assert failed(send(10)) == {}
    assert server.times_delivered == Counter({**dict.fromkeys(range(7), 1), **dict.fromkeys(range(7, 10), 2)})
    assert len(server.requests[1]) == 3


def test_requests_over_a_lower_size_limit_are_split(start: StartServer) -> None:
    def script(number: int, sent: Sequence[Entry]) -> Reply | None:
        return (
            error(400, "ValidationException", "Total size of the entries in the request is over the limit.")
            if len(sent) > 3
            else None
        )

    server = start(script)
    assert failed(send(20)) == {}
    assert server.times_delivered == each_once(20)


def test_entry_that_invalidates_its_request_fails_alone(start: StartServer) -> None:
    def script(number: int, sent: Sequence[Entry]) -> Reply | None:
        return error(400, "ValidationException", "bad one") if '{"n":6}' in numbers(sent) else None

    server = start(script)
    results = send(10)
    assert failed(results) == {6: "ValidationException"}
    assert not results[6].retryable
    assert server.times_delivered == each_once(10, but=[6])


def test_requests_rejected_with_413_are_split(start: StartServer) -> None:
    server = start(lambda number, sent: Reply(status=413, body=b"", taken=False) if len(sent) > 5 else None)
    assert failed(send(10)) == {}
    assert server.times_delivered == each_once(10)


@pytest.mark.parametrize(
    "fault", [error(503, "ServiceUnavailable"), Reply(reset=True, taken=False)], ids=["503", "reset"]
)
def test_short_outage_loses_no_entry(start: StartServer, fault: Reply, monkeypatch: pytest.MonkeyPatch) -> None:
    """All requests fail at once: what is common to the threads, such as a quota of retries, must not run out."""
    monkeypatch.setattr("botocore.endpoint.time", time)
    begins_at = time.monotonic() + 0.7

    def script(number: int, sent: Sequence[Entry]) -> Reply | None:
        time.sleep(0.05)  # so that many requests are under way when it begins
        return fault if begins_at < time.monotonic() < begins_at + 1 else None

    server = start(script)
    assert failed(send(5_000, max_concurrency=64)) == {}
    assert server.times_delivered == each_once(5_000)
