"""The fast lane sends what botocore would send, and leaves to botocore what does not succeed at once."""

from __future__ import annotations

import json
import signal
import socket
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials, ReadOnlyCredentials
from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError

from airflow_cwevents._send import fast_lane
from airflow_cwevents._send.codec import encode_entries
from airflow_cwevents._send.curl_requests import CurlRequests
from airflow_cwevents._send.fast_lane import FastLane
from airflow_cwevents._send.lane_settings import lane_settings
from tests.fault_server import Entry, FaultServer, Reply, error
from tests.send.lanes import DirectTransport, answer_of, answering, answers_of, client_of, lane_of, request

TOKEN = "to/ken=="


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


def only(number: int, reply: Reply) -> Any:
    """Misbehave at one request."""
    return lambda current, entries: reply if current == number else None


def signature_of(url: str, headers: dict[str, str], signed: str, body: bytes) -> str:
    """Return the signature that botocore computes of the headers that were signed."""
    lower = {name.lower(): value for name, value in headers.items()}
    expected = AWSRequest("POST", url, {name: lower[name] for name in signed.split(";") if name != "host"}, body)
    expected.context["timestamp"] = lower["x-amz-date"]
    auth = SigV4Auth(Credentials("testing", "testing", TOKEN), "events", "us-east-1")
    return auth.signature(auth.string_to_sign(expected, auth.canonical_request(expected)), expected)


class TestRequest:
    def test_headers_are_botocores(self, server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_SESSION_TOKEN", TOKEN)
        client = client_of(server.url)
        client.put_events(Entries=request().entries)
        lane, _ = lane_of(client)
        assert answer_of(lane).error is None
        theirs, ours = ({name.lower(): value for name, value in head.items()} for _, head in server.heads)
        changing = {"amz-sdk-invocation-id", "authorization", "content-length", "x-amz-date"}
        assert changing < ours.keys()
        assert ours.keys() == theirs.keys()
        assert {name for name in ours if ours[name] != theirs[name]} <= changing
        assert ours["amz-sdk-invocation-id"] != theirs["amz-sdk-invocation-id"]

    def test_signature_is_botocores(self, server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_SESSION_TOKEN", TOKEN)
        lane, _ = lane_of(client_of(f"{server.url}/a/b"))
        sent = request(Resources=["é"])
        answer_of(lane, sent)
        path, headers = server.heads[0]
        scope, signed, signature = (part.split("=", 1)[1] for part in headers["Authorization"].split(", "))
        assert scope.split("/")[2:] == ["us-east-1", "events", "aws4_request"]
        assert {"host", "x-amz-date", "x-amz-security-token", "x-amz-target"} <= set(signed.split(";"))
        assert "user-agent" not in signed  # a proxy may change it
        assert signature == signature_of(server.url + path, headers, signed, encode_entries(sent.entries))

    def test_body_is_botocores(self, server: FaultServer) -> None:
        client = client_of(server.url)
        sent = request(
            Time=datetime(2026, 1, 31, 12, 0, 0, 900_000, UTC),
            Resources=["arn:é€𝄞"],
            EventBusName="b",
            TraceHeader="Root=1",
        )
        client.put_events(Entries=sent.entries)
        lane, _ = lane_of(client)
        answer_of(lane, sent)
        assert server.requests[0] == server.requests[1]

    def test_refreshed_credentials_are_used(self, server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
        now = 0.0
        client = client_of(server.url)
        tokens = iter(["first", "second"])

        class Rotating:
            def get_frozen_credentials(self) -> ReadOnlyCredentials:
                return ReadOnlyCredentials("key", "secret", next(tokens))

        settings = replace(lane_settings(client), credentials=Rotating())
        lane = FastLane(client, settings, DirectTransport(client), clock=lambda: now)
        for now in (10.0, 10.5, 11.0):
            lane.submit(request(int(now * 10)))
            answers_of(lane, 1)
        assert [head["X-Amz-Security-Token"] for _, head in server.heads] == ["first", "first", "second"]

    def test_credentials_that_fail_are_botocores_to_report(self, server: FaultServer) -> None:
        class Broken:
            def get_frozen_credentials(self) -> ReadOnlyCredentials:
                raise OSError("no metadata service")

        client = client_of(server.url)
        fallback = DirectTransport(client)
        lane = FastLane(client, replace(lane_settings(client), credentials=Broken()), fallback)
        answer_of(lane)
        assert len(fallback.requests) == 1


class TestFailures:
    @pytest.mark.parametrize(
        "reply",
        [
            Reply(reset=True, taken=False),
            error(503, "ServiceUnavailable"),
            error(400, "InvalidSignatureException"),
            Reply(body=b"<html>"),
            Reply(body=b"[]"),
            Reply(body=b'{"Entries": 1}'),
            Reply(status=204, body=b""),
        ],
        ids=["reset", "503", "400", "no JSON", "no object", "no entries", "204"],
    )
    def test_failed_attempt_is_repeated_by_botocore(self, server: FaultServer, reply: Reply) -> None:
        server.script = only(1, reply)
        lane, fallback = lane_of(client_of(server.url))
        answer = answer_of(lane)
        assert answer.response is not None
        assert answer.response["Entries"][0]["EventId"]
        assert fallback.requests == [answer.request]
        assert len(server.requests) == 2
        assert lane.in_flight == 0

    def test_lost_answer_is_asked_for_again(self, server: FaultServer) -> None:
        server.script = only(1, Reply(reset=True))
        lane, _ = lane_of(client_of(server.url))
        assert answer_of(lane).response is not None
        assert server.times_delivered == {1: 2}  # as botocore's own retry would

    def test_closed_port_is_botocores_to_report(self) -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        lane, _ = lane_of(client_of(url))
        assert isinstance(answer_of(lane).error, EndpointConnectionError)

    def test_truncated_answer_is_asked_for_again(self) -> None:
        with answering(b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"Entries": []}') as url:
            lane, fallback = lane_of(client_of(url))
            answer_of(lane)
        assert len(fallback.requests) == 1

    def test_silent_server_is_given_up(self, server: FaultServer) -> None:
        release = threading.Event()
        server.script = only(1, Reply(until=release))
        lane, fallback = lane_of(client_of(server.url, connect_timeout=0.1, read_timeout=0.2))
        assert answer_of(lane).response is not None
        assert len(fallback.requests) == 1
        release.set()

    @pytest.mark.parametrize(
        ("reply", "code"),
        [
            (error(400, "ThrottlingException", "slow down"), "ThrottlingException"),
            (error(400, "com.amazonaws#ThrottlingException"), "ThrottlingException"),
            (Reply(status=429, body=b"", taken=False), "429"),
        ],
    )
    def test_throttled_request_is_reported_at_once(self, server: FaultServer, reply: Reply, code: str) -> None:
        server.script = only(1, reply)
        lane, fallback = lane_of(client_of(server.url))
        answer = answer_of(lane)
        assert isinstance(answer.error, ClientError)
        assert answer.error.response["Error"]["Code"] == code
        assert answer.error.response["ResponseMetadata"]["HTTPStatusCode"] == reply.status
        assert not fallback.requests

    def test_too_large_request_is_botocores_to_report(self, server: FaultServer) -> None:
        server.script = lambda number, entries: Reply(status=413, body=b"", taken=False)
        lane, _ = lane_of(client_of(server.url))
        answer = answer_of(lane)
        assert isinstance(answer.error, ClientError)
        assert answer.error.response["Error"]["Code"] == "413"

    def test_lane_that_only_fails_is_switched_off(self, server: FaultServer, caplog: pytest.LogCaptureFixture) -> None:
        lane, fallback = lane_of(client_of(server.url))
        server.script = lambda number, entries: Reply(body=b"?") if number % 2 else None
        for number in range(1, fast_lane.MAX_FAILURES + 1):
            answer_of(lane, request(number))
        server.script = lambda number, entries: None
        caplog.clear()
        answer_of(lane, request(9))
        assert len(fallback.requests) == fast_lane.MAX_FAILURES + 1
        assert not caplog.records  # it was logged once, before

    def test_failures_of_one_moment_count_as_one(self, server: FaultServer) -> None:
        count = fast_lane.MAX_FAILURES * 2
        seen: set[str] = set()

        def fail_first(number: int, entries: Sequence[Entry]) -> Reply | None:
            first = len(seen) < count and entries[0]["Detail"] not in seen
            seen.add(entries[0]["Detail"])
            return Reply(body=b"?") if first else None

        server.script = fail_first
        lane, fallback = lane_of(client_of(server.url))
        for number in range(1, count + 1):
            lane.submit(request(number))
        answers_of(lane, count)
        answer_of(lane, request(99))
        assert len(fallback.requests) == count

    def test_outage_does_not_switch_the_lane_off(self, server: FaultServer) -> None:
        server.script = lambda number, entries: error(503, "ServiceUnavailable")
        lane, fallback = lane_of(client_of(server.url))
        for number in range(1, fast_lane.MAX_FAILURES + 2):
            assert answer_of(lane, request(number)).error is not None
        server.script = lambda number, entries: None
        answer_of(lane, request(99))
        assert 99 not in {sent.number for sent in fallback.requests}


class TestWaiting:
    def test_many_requests_are_in_flight_together(self, server: FaultServer) -> None:
        release = threading.Event()
        server.script = lambda number, entries: release.set() if number == 20 else Reply(until=release)
        lane, _ = lane_of(client_of(server.url))
        for number in range(1, 21):
            lane.submit(request(number))
        assert lane.in_flight == 20
        assert {answer.request.number for answer in answers_of(lane, 20)} == set(range(1, 21))
        assert lane.in_flight == 0

    def test_connections_are_kept(self, server: FaultServer) -> None:
        lane, _ = lane_of(client_of(server.url))
        for number in range(1, 6):
            answer_of(lane, request(number))
        assert len(server.clients) == 1

    def test_requests_go_on_while_the_sender_reads_its_source(self, server: FaultServer) -> None:
        arrived = threading.Event()
        server.script = lambda number, entries: arrived.set()
        lane, _ = lane_of(client_of(server.url))
        lane.submit(request())
        assert arrived.wait(10)  # without any call of the lane

    def test_looking_for_answers_is_safe_while_the_pump_performs(self, server: FaultServer) -> None:
        requests = CurlRequests(lane_settings(client_of(server.url)))
        ended = threading.Event()

        def perform() -> None:
            for _ in range(20_000):
                requests.perform()
            ended.set()

        threading.Thread(target=perform, daemon=True).start()
        while not ended.is_set():
            assert not requests.has_ended

    def test_wait_of_nothing_ends_with_a_wake_from_a_signal_handler(self, server: FaultServer) -> None:
        lane, _ = lane_of(client_of(server.url))
        before = signal.signal(signal.SIGALRM, lambda *_: lane.wake())
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            lane.wait(None)
        finally:
            signal.signal(signal.SIGALRM, before)
        assert lane.take() is None

    def test_wake_before_wait_is_not_lost(self, server: FaultServer) -> None:
        lane, _ = lane_of(client_of(server.url))
        lane.wake()
        lane.wait(None)

    def test_exception_of_a_signal_handler_loses_no_answer(self, server: FaultServer) -> None:
        def interrupt(*_: Any) -> None:
            raise InterruptedError

        release = threading.Event()
        server.script = lambda number, entries: Reply(until=release)
        lane, _ = lane_of(client_of(server.url))
        lane.submit(request())
        before = signal.signal(signal.SIGALRM, interrupt)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            with pytest.raises(InterruptedError):
                lane.wait(None)
        finally:
            signal.signal(signal.SIGALRM, before)
        release.set()
        assert [answer.error for answer in answers_of(lane, 1)] == [None]

    def test_closed_lane_still_answers_and_begins_nothing(self, server: FaultServer) -> None:
        release = threading.Event()
        server.script = lambda number, entries: Reply(until=release, reset=json.loads(entries[0]["Detail"])["n"] == 2)
        lane, fallback = lane_of(client_of(server.url))
        lane.submit(request(1))
        lane.submit(request(2))
        lane.wait(0)
        lane.close()
        release.set()
        answers = {answer.request.number: answer for answer in answers_of(lane, 2)}
        assert answers[1].error is None
        assert isinstance(answers[2].error, ConnectionClosedError)
        assert not fallback.requests
