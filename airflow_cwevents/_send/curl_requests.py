"""
Many HTTP requests at a time through libcurl, in one thread.

.. seealso:: https://curl.se/libcurl/c/libcurl-multi.html
"""

from __future__ import annotations

import math
import select
import time
import uuid
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from io import BytesIO
from itertools import filterfalse
from typing import TYPE_CHECKING, Any

import pycurl

if TYPE_CHECKING:
    from botocore.credentials import ReadOnlyCredentials

    from airflow_cwevents._send.lane_settings import LaneSettings
    from airflow_cwevents._send.transport import Request

# How many connections are kept open between requests.
MAX_IDLE_CONNECTIONS = 256
# A multi handle without a timer of its own is looked at again after this time, in seconds.
MAX_SELECT_SECONDS = 1.0
# How many more messages there are, the handles of attempts that succeeded, and those that failed.
_NO_MESSAGES: tuple[int, list[Any], list[Any]] = (0, [], [])


@dataclass(slots=True)
class Attempt:
    """
    A request that libcurl sends.

    :ivar started_at: when it was handed to libcurl, by the given clock.
    :ivar seconds: how long it took, in seconds.
    :ivar status: the HTTP status of the answer; 0 if none came.
    :ivar problem: why no complete answer came; empty if one did.
    """

    request: Request
    started_at: float
    body: BytesIO = field(default_factory=BytesIO)
    seconds: float = 0.0
    status: int = 0
    problem: str = ""
    header_lines: list[bytes] = field(default_factory=list)


class CurlRequests:
    """
    Sends requests over as many connections as there are requests at a time, and keeps the connections.

    No function of ours is called by libcurl: an exception that a signal handler raises there would be lost.

    :param settings: what to send them to, with and through.
    :param clock: seconds, as :func:`time.monotonic` returns them.
    """

    def __init__(self, settings: LaneSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self.active: dict[Any, Attempt] = {}
        self.settings = settings
        self._clock = clock
        self._idle: list[Any] = []
        self._messages: deque[tuple[int, list[Any], list[tuple[Any, int, str]]]] = deque()
        self._ended: deque[Attempt] = deque()
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_MAXCONNECTS, MAX_IDLE_CONNECTIONS)
        self._performed_at = 0.0

    def begin(self, request: Request, body: bytes, credentials: ReadOnlyCredentials) -> None:
        """Begin to send a request, signed with the credentials."""
        curl = self._idle.pop() if self._idle else self.new_handle()
        attempt = Attempt(request, self._clock())
        curl.setopt(pycurl.USERNAME, credentials.access_key)
        curl.setopt(pycurl.PASSWORD, credentials.secret_key)
        curl.setopt(pycurl.HTTPHEADER, self._headers(credentials.token))
        curl.setopt(pycurl.POSTFIELDS, body)
        curl.setopt(pycurl.TIMEOUT_MS, math.ceil(self.settings.max_seconds(len(body)) * 1000))
        curl.setopt(pycurl.WRITEFUNCTION, attempt.body.write)
        curl.setopt(pycurl.HEADERFUNCTION, attempt.header_lines.append)
        self.active[curl] = attempt
        self._multi.add_handle(curl)

    def perform(self) -> None:
        """Send and receive what can be, without blocking."""
        self._performed_at = self._clock()
        self._multi.perform()
        self._keep_messages()

    @property
    def seconds_since_performed(self) -> float:
        """How long ago :meth:`perform` was called, in seconds."""
        return self._clock() - self._performed_at

    @property
    def in_flight(self) -> int:
        """How many requests were begun, and not returned by :meth:`take`."""
        return len(self.active) + len(self._ended)

    @property
    def has_ended(self) -> bool:
        """Whether :meth:`take` would return an attempt; safe while another thread performs."""
        return bool(self._ended or self._messages)

    def take(self) -> Attempt | None:
        """Return an attempt that ended and was not returned before; None if there is none."""
        while not self._ended and self._messages:
            self._process(*self._messages[0])
            self._messages.popleft()
        return self._ended.popleft() if self._ended else None

    def select(self, wake_fd: int, timeout: float) -> bool:
        """
        Wait until something can be sent or received.

        :param wake_fd: a file descriptor that ends the wait when it can be read.
        :param timeout: the maximum time to wait, in seconds.
        :return: whether that file descriptor can be read.
        """
        reading, writing, failing = self._multi.fdset()
        milliseconds = self._multi.timeout()
        if milliseconds >= 0:
            timeout = min(timeout, milliseconds / 1000)
        elif self.active:
            timeout = min(timeout, MAX_SELECT_SECONDS)
        readable, _, _ = select.select([*reading, wake_fd], writing, failing, timeout)
        return wake_fd in readable

    def _keep_messages(self) -> None:
        """Keep libcurl's messages, by one call in C: an exception between reading and keeping them would lose them."""
        read = map(pycurl.CurlMulti.info_read, (self._multi,))
        self._messages.extend(filterfalse(_NO_MESSAGES.__eq__, read))

    def _process(self, more: int, succeeded: list[Any], failed: list[tuple[Any, int, str]]) -> None:
        """Process a message of libcurl, or what is left of it after an exception; that may lose an attempt."""
        for curl in succeeded:
            self._end(curl, "")
        for curl, number, message in failed:
            self._end(curl, f"{message or 'no message'} (libcurl's error {number})")
        if more:
            self._keep_messages()

    def _end(self, curl: Any, problem: str) -> None:
        if (attempt := self.active.get(curl)) is None:
            return
        attempt.seconds = curl.getinfo(pycurl.TOTAL_TIME)
        attempt.status = curl.getinfo(pycurl.RESPONSE_CODE)
        attempt.problem = problem
        with suppress(pycurl.error):  # it was removed when this is repeated
            self._multi.remove_handle(curl)
        self._ended.append(self.active.pop(curl))
        self._idle.append(curl)

    def _headers(self, token: str | None) -> list[str]:
        own = [f"amz-sdk-invocation-id: {uuid.uuid4()}", "Accept:", "Expect:"]
        if token:
            own.append(f"X-Amz-Security-Token: {token}")
        return [*self.settings.headers, *own]

    def new_handle(self) -> Any:
        """Return a handle with the options that all requests share."""
        settings = self.settings
        curl = pycurl.Curl()
        for option, value in (
            (pycurl.URL, settings.url),
            (pycurl.AWS_SIGV4, f"aws:amz:{settings.region_name}:{settings.signing_name}"),
            (pycurl.USERAGENT, settings.user_agent),
            (pycurl.ACCEPT_ENCODING, "identity"),
            (pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1),
            (pycurl.NOSIGNAL, 1),
            (pycurl.CONNECTTIMEOUT_MS, math.ceil(settings.connect_timeout * 1000)),
            (pycurl.LOW_SPEED_LIMIT, 1),
            (pycurl.LOW_SPEED_TIME, math.ceil(settings.read_timeout)),
            (pycurl.TCP_KEEPALIVE, int(settings.tcp_keepalive)),
            (pycurl.PROXY, settings.proxy),
            (pycurl.NOPROXY, ""),  # botocore has decided on this
            (pycurl.SSLVERSION, pycurl.SSLVERSION_TLSv1_2),
            *_verification(settings),
        ):
            curl.setopt(option, value)
        return curl


def _verification(settings: LaneSettings) -> list[tuple[int, Any]]:
    options: list[tuple[int, Any]] = []
    for bundle, path, peer, host in (
        (settings.ca_bundle, pycurl.CAINFO, pycurl.SSL_VERIFYPEER, pycurl.SSL_VERIFYHOST),
        (settings.proxy_ca_bundle, pycurl.PROXY_CAINFO, pycurl.PROXY_SSL_VERIFYPEER, pycurl.PROXY_SSL_VERIFYHOST),
    ):
        options += [(path, bundle)] if bundle else [(peer, 0), (host, 0)]
    return options
