"""An exception of a signal handler, as Airflow's timeout raises it, may come between any two instructions."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from botocore.credentials import ReadOnlyCredentials

from airflow_cwevents._send import curl_requests
from airflow_cwevents._send.codec import encode_entries
from airflow_cwevents._send.curl_requests import CurlRequests
from airflow_cwevents._send.lane_settings import lane_settings
from tests.fault_server import FaultServer
from tests.send.lanes import client_of, request

CREDENTIALS = ReadOnlyCredentials("key", "secret", None)


class SignalHandlerError(BaseException):
    """What the signal handler raises."""


@contextmanager
def raising_before(instruction: int) -> Iterator[None]:
    """Raise before an instruction of curl_requests, by its number; 0 is the first that is executed."""
    numbers = itertools.count()

    def trace(frame: FrameType, event: str, arg: Any) -> Any:
        if frame.f_code.co_filename != curl_requests.__file__:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode" and next(numbers) == instruction:
            raise SignalHandlerError
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)


def take_all(requests: CurlRequests, numbers: list[int]) -> None:
    while attempt := requests.take():
        numbers.append(attempt.request.number)


def test_exception_anywhere_loses_one_attempt_at_most() -> None:
    with FaultServer() as server:
        settings = lane_settings(client_of(server.url))
        for instruction in itertools.count():
            requests = CurlRequests(settings)
            for number in (1, 2):
                requests.begin(request(number), encode_entries(request(number).entries), CREDENTIALS)
            while not requests.has_ended:
                requests.perform()
            numbers: list[int] = []
            interrupted = False
            try:
                with raising_before(instruction):
                    take_all(requests, numbers)
            except SignalHandlerError:
                interrupted = True
            while requests.in_flight:
                requests.perform()
                take_all(requests, numbers)
            assert numbers in ([1], [2], [1, 2], [2, 1]), instruction
            if not interrupted:
                break
    assert instruction > 50
    assert len(numbers) == 2
