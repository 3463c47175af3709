from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from airflow_cwevents._send.transport import Answer, Request
from airflow_cwevents._send.workers import ThreadTransport


def request(number: int) -> Request:
    return Request(number, [{"n": number}])


def echo(entries: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    return {"n": entries[0]["n"]}


def collect(transport: ThreadTransport, count: int) -> list[Answer]:
    found: list[Answer] = []
    while len(found) < count:
        transport.wait(5)
        while (answer := transport.take()) is not None:
            found.append(answer)
    return found


def until(condition: Callable[[], bool]) -> None:
    while not condition():
        time.sleep(0.001)


def test_requests_are_concurrent() -> None:
    together = threading.Barrier(4, timeout=60)

    def put(entries: list[Mapping[str, Any]]) -> Mapping[str, Any]:
        together.wait()
        return echo(entries)

    transport = ThreadTransport(put)
    for number in range(4):
        transport.submit(request(number))
    assert transport.in_flight == 4
    answers = collect(transport, 4)
    assert sorted((answer.request.number, (answer.response or {})["n"]) for answer in answers) == [
        (number, number) for number in range(4)
    ]
    assert transport.in_flight == 0
    transport.close()


def test_threads_are_reused() -> None:
    seen: set[int] = set()

    def put(entries: list[Mapping[str, Any]]) -> Mapping[str, Any]:
        seen.add(threading.get_ident())
        return {}

    transport = ThreadTransport(put)
    for number in range(50):
        transport.submit(request(number))
        collect(transport, 1)
    assert len(seen) == 1
    transport.close()


def test_error_is_returned_as_an_answer() -> None:
    failure = ValueError("no")

    def put(entries: list[Mapping[str, Any]]) -> Mapping[str, Any]:
        raise failure

    transport = ThreadTransport(put, clock=lambda: 7.0)
    transport.submit(request(1))
    (answer,) = collect(transport, 1)
    assert (answer.error, answer.response, answer.answered_at) == (failure, None, 7.0)
    transport.close()


def test_wait_returns_at_its_timeout() -> None:
    transport = ThreadTransport(echo)
    transport.wait(0)
    transport.wait(0.01)
    assert transport.take() is None


def test_answer_is_kept_until_it_is_taken() -> None:
    transport = ThreadTransport(echo)
    transport.submit(request(7))
    until(lambda: transport.has_answers)
    transport.wait(0)
    assert transport.in_flight == 1
    assert transport.take() is not None
    assert not transport.has_answers
    assert transport.in_flight == 0
    transport.close()


def test_wake_ends_a_wait() -> None:
    transport = ThreadTransport(echo)
    threading.Timer(0.05, transport.wake).start()
    transport.wait(None)
    assert transport.take() is None


def test_close_drops_requests_that_have_not_begun() -> None:
    release, begun = threading.Event(), threading.Event()

    def put(entries: list[Mapping[str, Any]]) -> Mapping[str, Any]:
        begun.set()
        release.wait(60)
        return echo(entries)

    transport = ThreadTransport(put)
    transport.submit(request(1))
    begun.wait(60)
    transport._threads = 2  # the second request waits for the first one's thread
    transport.submit(request(2))
    transport.close()
    release.set()
    (answer,) = collect(transport, 1)
    assert answer.request.number == 1
    until(lambda: transport.take() is None and transport.in_flight == 0)


def test_close_ends_the_threads() -> None:
    before = threading.active_count()
    transport = ThreadTransport(echo)
    transport.submit(request(1))
    collect(transport, 1)
    assert threading.active_count() == before + 1
    transport.close()
    until(lambda: threading.active_count() == before)
