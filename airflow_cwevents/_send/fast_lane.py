"""A transport that sends through libcurl in the sender's own thread, at a tenth of what botocore costs."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError, ConnectionClosedError
from botocore.parsers import create_parser

from airflow_cwevents._aws.limits import THROTTLING_CODES
from airflow_cwevents._send.codec import encode_entries
from airflow_cwevents._send.curl_requests import Attempt, CurlRequests
from airflow_cwevents._send.lane_settings import LaneSettings, foreign_handler
from airflow_cwevents._send.transport import Answer, Request, Transport

if TYPE_CHECKING:
    from botocore.credentials import ReadOnlyCredentials

# How often credentials are asked for, and handlers looked for, in seconds.
REFRESH_SECONDS = 1.0
# How long submitted requests may wait for their turn while more are submitted, in seconds.
SUBMIT_SECONDS = 0.002
# How long requests may wait for their turn while the sender is busy with its source, in seconds.
AWAY_SECONDS = 0.02
# How often to look for answers of the fallback while both are sending, in seconds.
FALLBACK_SECONDS = 0.01
# After so many failures in a row, of requests that then succeeded through the fallback, the lane is switched off.
MAX_FAILURES = 5
TOO_MANY_REQUESTS = 429

_LOG = logging.getLogger(__name__)


class FastLane:
    """
    Sends the first attempt of each request itself, and through the fallback whatever does not succeed at once.

    The fallback is botocore's way, with its retries, its correction of the clock, and its errors. Only throttled
    requests are answered with their error at once, as the sender slows down then.

    :param client: the boto3 client ``events``.
    :param settings: how that client sends.
    :param fallback: sends through the client.
    :param clock: seconds, as :func:`time.monotonic` returns them.
    """

    def __init__(
        self, client: Any, settings: LaneSettings, fallback: Transport, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._settings = settings
        self._fallback = fallback
        self._clock = clock
        self._requests = CurlRequests(settings, clock)
        self._answers: dict[int, Answer] = {}
        self._lock = threading.Lock()
        self._waiting = False
        self._closed = False
        self._pump: threading.Thread | None = None
        self._wake_receiver, self._wake_sender = socket.socketpair()
        self._wake_receiver.setblocking(False)
        self._wake_sender.setblocking(False)
        weakref.finalize(self, _close, self._wake_receiver, self._wake_sender)
        self._credentials: ReadOnlyCredentials | None = None
        self._refreshed_at = -REFRESH_SECONDS
        self._off = ""
        self._failed: dict[int, Attempt] = {}
        self._failures = 0
        self._last_failure_at = 0.0

    @property
    def in_flight(self) -> int:
        """How many requests were submitted, and not taken as an answer yet."""
        return self._requests.in_flight + len(self._answers) + self._fallback.in_flight

    @property
    def has_answers(self) -> bool:
        """Whether :meth:`take` may return an answer."""
        return bool(self._answers) or self._requests.has_ended or self._fallback.has_answers

    def submit(self, request: Request) -> None:
        """Send a request as soon as possible, without blocking."""
        if (credentials := self._refreshed()) is None or self._off:
            self._fallback.submit(request)
            return
        body = encode_entries(request.entries)
        with self._lock:
            self._requests.begin(request, body, credentials)
            if self._requests.seconds_since_performed >= SUBMIT_SECONDS:
                self._requests.perform()
        if self._pump is None:
            self._pump = threading.Thread(target=_pump, args=[weakref.ref(self)], name="put-events-pump", daemon=True)
            self._pump.start()

    def wait(self, timeout: float | None) -> None:
        """
        Wait until there is an answer, or :meth:`wake` is called; requests are sent and answers received meanwhile.

        :param timeout: the maximum time to wait, in seconds; None for no maximum, 0 to look only.
        """
        if not self._requests.in_flight and not self._answers and self._fallback.in_flight:
            self._fallback.wait(timeout)
            return
        with self._lock:  # the pump has finished, and stays away
            self._waiting = True
        try:
            self._wait(None if timeout is None else self._clock() + timeout)
        finally:
            self._waiting = False

    def take(self) -> Answer | None:
        """Return an answer that was not returned before; None if there is none yet."""
        if self._requests.has_ended:
            with self._lock:
                self._settle_ended()
        if self._fallback.has_answers:
            self._take_from_fallback()
        number = next(iter(self._answers), None)
        return None if number is None else self._answers.pop(number)

    def wake(self) -> None:
        """End the current call of :meth:`wait`, or the next one; safe in a signal handler."""
        self._fallback.wake()
        with suppress(OSError):  # full, or closed: the garbage collector may end the lane before its sender
            self._wake_sender.send(b"\0")

    def close(self) -> None:
        """Begin no further request; those in flight are still answered."""
        self._closed = True
        self._fallback.close()

    def _wait(self, deadline: float | None) -> None:
        while True:
            self._progress()
            remaining = 60.0 if deadline is None else deadline - self._clock()
            if self._answers or remaining <= 0:
                return
            timeout = min(remaining, FALLBACK_SECONDS) if self._fallback.in_flight else remaining
            if self._requests.select(self._wake_receiver.fileno(), timeout):
                with suppress(BlockingIOError):
                    while self._wake_receiver.recv(4096):
                        pass
                return

    def pump(self) -> bool:
        """Send and receive if the sender's thread has not for a while; return whether there may be more to do."""
        with self._lock:
            if not self._waiting and self._requests.seconds_since_performed >= AWAY_SECONDS:
                self._requests.perform()
        return bool(self._requests.active) or not self._closed

    def _progress(self) -> None:
        """Send and receive what can be, and settle what has ended."""
        if self._requests.active:
            self._requests.perform()
        self._settle_ended()
        if self._fallback.in_flight:
            self._take_from_fallback()

    def _settle_ended(self) -> None:
        """Settle all attempts that ended; an exception of a signal handler loses no more than one of them."""
        while (attempt := self._requests.take()) is not None:
            self._settle(attempt)

    def _settle(self, attempt: Attempt) -> None:
        response = _response(attempt)
        error = None if response else self._error_to_report(attempt)
        if response is None and error is None:
            self._failed[attempt.request.number] = attempt
            self._fallback.submit(attempt.request)
            return
        self._failures = 0
        answered_at = attempt.started_at + attempt.seconds
        self._answers[attempt.request.number] = Answer(attempt.request, answered_at, response, error)

    def _error_to_report(self, attempt: Attempt) -> Exception | None:
        """Return the error of an attempt that is not to be repeated by botocore; None if it is."""
        if not attempt.problem and 400 <= attempt.status < 500:
            shape = self._client.meta.service_model.operation_model("PutEvents").output_shape
            parsed = create_parser("json").parse(_response_dict(attempt), shape)
            if attempt.status == TOO_MANY_REQUESTS or parsed["Error"]["Code"] in THROTTLING_CODES:
                return ClientError(parsed, "PutEvents")
        return ConnectionClosedError(endpoint_url=self._settings.url, error=_problem(attempt)) if self._closed else None

    def _take_from_fallback(self) -> None:
        while answer := self._fallback.take():
            self._answers[answer.request.number] = answer
            if attempt := self._failed.pop(answer.request.number, None):
                self._count_failure(attempt, answer)

    def _count_failure(self, attempt: Attempt, answer: Answer) -> None:
        """Switch the lane off if only its own attempts fail; those that were in flight together fail together."""
        retried = (answer.response or {}).get("ResponseMetadata", {}).get("RetryAttempts", 0)
        if answer.error or retried or attempt.started_at < self._last_failure_at:
            return
        self._last_failure_at = self._clock()
        self._failures += 1
        if self._failures >= MAX_FAILURES and not self._off:
            self._switch_off(f"{self._failures} requests in a row failed, the last with {_problem(attempt)}")

    def _switch_off(self, reason: str) -> None:
        self._off = reason
        _LOG.warning("Sending through botocore from now on, which is slower: %s", reason)

    def _refreshed(self) -> ReadOnlyCredentials | None:
        """Return the current credentials; None if botocore has to report what is wrong with them."""
        now = self._clock()
        if now - self._refreshed_at >= REFRESH_SECONDS:
            self._refreshed_at = now
            try:
                self._credentials = self._settings.credentials.get_frozen_credentials()
            except Exception:
                self._credentials = None
            if not self._off and (reason := foreign_handler(self._client)):
                self._switch_off(reason)
        return self._credentials


def _pump(lane: weakref.ref[FastLane]) -> None:
    """Keep requests going, in a thread, while the sender's own is busy with its source."""
    while (current := lane()) is not None and current.pump():
        del current
        time.sleep(AWAY_SECONDS)


def _close(*sockets: socket.socket) -> None:
    for each in sockets:
        each.close()


def _response(attempt: Attempt) -> Mapping[str, Any] | None:
    """Return the response if it is as it should be."""
    if attempt.problem or attempt.status != 200:
        return None
    try:
        response = json.loads(attempt.body.getvalue())
    except ValueError:
        return None
    return response if isinstance(response, dict) and isinstance(response.get("Entries"), list) else None


def _response_dict(attempt: Attempt) -> dict[str, Any]:
    """Return an answer as botocore's parsers take it."""
    pairs = (line.decode("latin-1").partition(":") for line in attempt.header_lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs if value}
    return {"headers": headers, "status_code": attempt.status, "body": attempt.body.getvalue()}


def _problem(attempt: Attempt) -> str:
    return attempt.problem or f"HTTP status {attempt.status}"
