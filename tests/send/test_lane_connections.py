"""TLS, proxies and endpoints, by both lanes: what botocore connects to, and refuses, the fast lane does as well."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, SSLError

from tests.certificates import certificate
from tests.fault_server import FaultServer
from tests.send.lanes import answer_of, lane_of, request

Send = Callable[[Any], str]


def by_botocore(client: Any) -> str:
    """Send an event by botocore, and return its id."""
    return str(client.put_events(Entries=request().entries)["Entries"][0]["EventId"])


def by_fast_lane(client: Any) -> str:
    """Send an event by the fast lane alone, and return its id."""
    lane, fallback = lane_of(client)
    answer = answer_of(lane)
    if fallback.requests:
        assert answer.error, "only botocore could send it"
        raise answer.error
    assert answer.response
    return str(answer.response["Entries"][0]["EventId"])


both = pytest.mark.parametrize("send", [by_botocore, by_fast_lane])


def client_of(url: str, verify: bool | str | None = None, **config: Any) -> Any:
    return boto3.Session().client(
        "events",
        endpoint_url=url,
        verify=verify,
        config=Config(retries={"mode": "legacy", "total_max_attempts": 1}, **config),
    )


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ssl.SSLContext, str]:
    """Return the path of the server's certificate, the server's context, and the path of another certificate."""
    directory = tmp_path_factory.mktemp("certificates")
    path, key = certificate(directory, "server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, key)
    return str(path), context, str(certificate(directory, "other")[0])


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


@pytest.fixture
def tls_server(bundles: tuple[str, ssl.SSLContext, str]) -> Iterator[FaultServer]:
    with FaultServer(context=bundles[1]) as server:
        yield server


class Proxy:
    """A proxy that connects through CONNECT, and forwards requests with an absolute URL."""

    def __init__(self, listener: socket.socket) -> None:
        self.heads: list[bytes] = []
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self._listener = listener
        self._open: list[socket.socket] = []

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._handle, args=[connection], daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _handle(self, client: socket.socket) -> None:
        self._open.append(client)
        with client, suppress(OSError):
            received = b""
            while b"\r\n\r\n" not in received:
                if not (data := client.recv(65536)):
                    return
                received += data
            self._forward(client, received)

    def _forward(self, client: socket.socket, received: bytes) -> None:
        head = received.split(b"\r\n\r\n")[0]
        self.heads.append(head)
        method, target = head.split()[:2]
        address = target if method == b"CONNECT" else target.split(b"/")[2]
        host, port = address.decode().split(":")
        with socket.create_connection((host, int(port))) as upstream:
            self._open.append(upstream)
            if method == b"CONNECT":
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                upstream.sendall(received.replace(b"http://" + address, b"", 1))
            answers = threading.Thread(target=_pipe, args=[upstream, client], daemon=True)
            answers.start()
            _pipe(client, upstream)
            answers.join()


def _pipe(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


@contextmanager
def proxy() -> Iterator[Proxy]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        made = Proxy(listener)
        threading.Thread(target=made.serve, daemon=True).start()
        yield made
        made.close()


@both
def test_endpoint_may_have_a_path(server: FaultServer, send: Send) -> None:
    assert send(client_of(f"{server.url}/gate-way/v1"))
    assert server.heads[0][0] == "/gate-way/v1"


@both
def test_ca_bundle_verifies_the_server(
    tls_server: FaultServer, bundles: tuple[str, ssl.SSLContext, str], send: Send
) -> None:
    assert send(client_of(tls_server.url, verify=bundles[0]))


@both
def test_ca_bundle_of_the_environment_verifies_the_server(
    tls_server: FaultServer, bundles: tuple[str, ssl.SSLContext, str], send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", bundles[0])
    assert send(client_of(tls_server.url))


@both
def test_other_authority_is_refused(
    tls_server: FaultServer, bundles: tuple[str, ssl.SSLContext, str], send: Send
) -> None:
    with pytest.raises(SSLError):
        send(client_of(tls_server.url, verify=bundles[2]))
    assert not tls_server.requests


@both
def test_other_host_name_is_refused(
    tls_server: FaultServer, bundles: tuple[str, ssl.SSLContext, str], send: Send
) -> None:
    with pytest.raises(SSLError):
        send(client_of(tls_server.url.replace("127.0.0.1", "localhost"), verify=bundles[0]))
    assert not tls_server.requests


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
@both
def test_verify_false_verifies_nothing(tls_server: FaultServer, send: Send) -> None:
    assert send(client_of(tls_server.url, verify=False))


@both
def test_proxy_forwards_http(server: FaultServer, send: Send) -> None:
    with proxy() as through:
        assert send(client_of(server.url, proxies={"http": through.url}))
    assert through.heads[0].startswith(f"POST {server.url}/ ".encode())


@both
def test_proxy_connects_https(tls_server: FaultServer, bundles: tuple[str, ssl.SSLContext, str], send: Send) -> None:
    with proxy() as through:
        url = through.url.replace("//", "//user:p%40ss@")
        assert send(client_of(tls_server.url, verify=bundles[0], proxies={"https": url}))
    assert through.heads[0].startswith(b"CONNECT 127.0.0.1:")
    assert b"Proxy-Authorization: Basic dXNlcjpwQHNz" in through.heads[0]


@both
def test_proxy_of_the_environment_is_used_but_for_no_proxy(
    server: FaultServer, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    with proxy() as through:
        monkeypatch.setenv("http_proxy", through.url)
        assert send(client_of(server.url))
        assert not through.heads
        monkeypatch.setenv("NO_PROXY", "")
        assert send(client_of(server.url))
        assert len(through.heads) == 1


@both
def test_proxy_that_is_down_is_reported(server: FaultServer, send: Send) -> None:
    with proxy() as through:
        pass
    with pytest.raises(BotoCoreError):
        send(client_of(server.url, proxies={"http": through.url}))
    assert not server.requests
