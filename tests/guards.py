"""Guards that fail a test even when the code under test handles the exception that they raise."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import BotoCoreError, StubResponseError

from airflow_cwevents._send.curl_requests import CurlRequests

LOOPBACK = ("127.0.0.1", "::1")
LOCAL_NAMES = (*LOOPBACK, "localhost", "0.0.0.0", "", None, socket.gethostname())  # noqa: S104 - nobody listens on it


@contextmanager
def loopback_only() -> Iterator[None]:
    """
    Refuse connections to other machines, and the resolution of their names.

    :raises AssertionError: at the attempt, which botocore turns into an error of its own, and again at the end.
    """
    violations: list[str] = []
    connect, connect_ex, getaddrinfo = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def refuse(attempt: str) -> None:
        violations.append(attempt)
        raise AssertionError(f"the test tried to {attempt}")

    def check(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in LOOPBACK:
            refuse(f"connect to {address}")

    def guarded_connect(self: socket.socket, address: Any) -> None:
        check(self, address)
        connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        check(self, address)
        return connect_ex(self, address)

    def guarded_getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name not in LOCAL_NAMES:
            refuse(f"resolve {name!r}")
        return getaddrinfo(host, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        guard_libcurl(patch, refuse)
        patch.setattr(socket.socket, "connect", guarded_connect)
        patch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
        patch.setattr(socket, "getaddrinfo", guarded_getaddrinfo)
        yield
    assert not violations, f"the test tried to leave this machine: {violations}"


def guard_libcurl(patch: pytest.MonkeyPatch, refuse: Callable[[str], None]) -> None:
    """Refuse connections to other machines by libcurl, which uses sockets of its own."""
    new_handle = CurlRequests.new_handle

    def guarded_handle(self: CurlRequests) -> Any:
        host = urlsplit(self.settings.proxy or self.settings.url).hostname
        if host not in LOCAL_NAMES:
            refuse(f"connect to {host} with libcurl")
        return new_handle(self)

    patch.setattr(CurlRequests, "new_handle", guarded_handle)


@contextmanager
def no_unexpected_requests() -> Iterator[None]:
    """
    Notice each request that no Stubber expects, or not with these parameters.

    :raises AssertionError: at the end, if there was one.
    """
    violations: list[str] = []

    def recording(self: BotoCoreError, **kwargs: Any) -> None:
        BotoCoreError.__init__(self, **kwargs)
        violations.append(str(self))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StubResponseError, "__init__", recording)
        yield
    assert not violations, f"a Stubber got requests that it did not expect: {violations}"
