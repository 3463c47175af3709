"""What the tests of the fast lane share: a client, a lane over it, and a fallback that works at once."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config

from airflow_cwevents._send.fast_lane import FastLane
from airflow_cwevents._send.lane_settings import lane_settings
from airflow_cwevents._send.transport import Answer, Request


class InstantTransport:
    """A transport that has the answer of each request when it is submitted; subclasses make it."""

    def __init__(self) -> None:
        self.answers: deque[Answer] = deque()

    @property
    def in_flight(self) -> int:
        return len(self.answers)

    @property
    def has_answers(self) -> bool:
        return bool(self.answers)

    def submit(self, request: Request) -> None:
        self.answers.append(self.answer(request))

    def answer(self, request: Request) -> Answer:
        raise NotImplementedError

    def wait(self, timeout: float | None) -> None:
        pass

    def take(self) -> Answer | None:
        return self.answers.popleft() if self.answers else None

    def wake(self) -> None:
        pass

    def close(self) -> None:
        pass


class DirectTransport(InstantTransport):
    """Sends each request through a client when it is submitted."""

    def __init__(self, client: Any) -> None:
        super().__init__()
        self.client = client
        self.requests: list[Request] = []

    def answer(self, request: Request) -> Answer:
        self.requests.append(request)
        answer = Answer(request, time.monotonic())
        try:
            answer.response = self.client.put_events(Entries=request.entries)
        except Exception as error:
            answer.error = error
        return answer


def client_of(url: str | None, **config: Any) -> Any:
    """Return a client that sends to a URL."""
    verify = config.pop("verify", None)
    retries: Any = {"mode": "legacy", "total_max_attempts": config.pop("attempts", 1)}
    return boto3.Session().client("events", endpoint_url=url, verify=verify, config=Config(retries=retries, **config))


def lane_of(client: Any) -> tuple[FastLane, DirectTransport]:
    """Return a lane over a client, and its fallback."""
    fallback = DirectTransport(client)
    return FastLane(client, lane_settings(client), fallback), fallback


def request(number: int = 1, **members: Any) -> Request:
    """Return a request of one entry."""
    entry = {"Source": "s", "DetailType": "d", "Detail": json.dumps({"n": number}), **members}
    return Request(number, [entry])


def answer_of(lane: FastLane, sent: Request | None = None) -> Answer:
    """Send a request, and wait for its answer."""
    lane.submit(sent or request())
    (answer,) = answers_of(lane, 1)
    return answer


def answers_of(lane: FastLane, count: int) -> list[Answer]:
    """Wait for answers."""
    answers: list[Answer] = []
    give_up = time.monotonic() + 30
    while len(answers) < count:
        assert time.monotonic() < give_up, "the lane does not answer"
        lane.wait(10)
        while answer := lane.take():
            answers.append(answer)
    return answers


@contextmanager
def answering(answer: bytes) -> Iterator[str]:
    """Serve the same bytes to each connection, and close it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:  # the end of the test
                    return
                with connection:
                    connection.recv(65536)
                    connection.sendall(answer)
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(65536):
                        pass

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
