"""How long throttled entries wait before the next attempt, on a virtual clock."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, repeat
from typing import Any

import pytest
from botocore.exceptions import ClientError

from airflow_cwevents._send.entries import SizedEntry
from airflow_cwevents._send.options import SendOptions
from airflow_cwevents._send.sender import PARTLY_THROTTLED_WAIT_SECONDS, THROTTLED_WAIT_SECONDS, EventSender
from airflow_cwevents._send.transport import Answer, Request
from tests.send.lanes import InstantTransport

BACKOFF = 7.0
REQUEST_THROTTLED = ClientError({"Error": {"Code": "ThrottlingException"}}, "PutEvents")


class ScriptedTransport(InstantTransport):
    """
    Answers each request at once; time passes only while the sender waits.

    :param script: for each request, how many of its first entries are throttled, or the error of the request.
    """

    def __init__(self, script: Sequence[int | Exception]) -> None:
        super().__init__()
        self.now = 0.0
        self.sent_at: list[float] = []
        self._script = chain(script, repeat(0))

    def answer(self, request: Request) -> Answer:
        self.sent_at.append(self.now)
        outcome = next(self._script)
        if isinstance(outcome, Exception):
            return Answer(request, self.now, error=outcome)
        results: list[dict[str, Any]] = [{"EventId": "x"} for _ in request.entries]
        results[:outcome] = [{"ErrorCode": "ThrottlingException"}] * outcome
        return Answer(request, self.now, response={"Entries": results})

    def wait(self, timeout: float | None) -> None:
        if not self.answers:
            assert timeout is not None
            self.now += timeout


def waits(script: Sequence[int | Exception]) -> list[float]:
    """Send ten entries; return how long after the first request the others are sent."""
    transport = ScriptedTransport(script)
    entries = (SizedEntry(n, {}, 10) for n in range(10))
    sender = EventSender(transport, entries, SendOptions(), lambda _: BACKOFF, clock=lambda: transport.now)
    assert all(result.event_id for result in sender)
    return transport.sent_at[1:]


def test_entry_throttled_beside_accepted_ones_is_retried_soon() -> None:
    assert waits([1]) == [pytest.approx(PARTLY_THROTTLED_WAIT_SECONDS)]


def test_entry_throttled_a_short_time_after_others_were_accepted_is_retried_soon() -> None:
    assert waits([1, 1]) == pytest.approx(
        [PARTLY_THROTTLED_WAIT_SECONDS, PARTLY_THROTTLED_WAIT_SECONDS + THROTTLED_WAIT_SECONDS]
    )


@pytest.mark.parametrize("outcome", [10, REQUEST_THROTTLED], ids=["entries", "request"])
def test_backoff_applies_while_nothing_is_accepted(outcome: int | Exception) -> None:
    assert waits([outcome, outcome]) == pytest.approx([BACKOFF, 2 * BACKOFF])
