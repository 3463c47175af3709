"""A server on the loopback address that answers PutEvents and can be scripted to fail."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

Entry = Mapping[str, Any]


@dataclass(slots=True)
class Reply:
    """The answer to a request; by default, all entries are accepted."""

    status: int = 200
    body: bytes | None = None
    #: by position in the request: the error code of an entry that is rejected
    codes: dict[int, str] = field(default_factory=dict)
    #: whether the entries count as delivered
    taken: bool = True
    #: the number of result entries to omit at the end
    omitted: int = 0
    #: reset the connection instead of answering
    reset: bool = False
    #: wait for this before answering
    until: threading.Event | None = None


def error(status: int, code: str, message: str = "no") -> Reply:
    """Return an error for the whole request."""
    body = json.dumps({"__type": code, "message": message}).encode()
    return Reply(status=status, body=body, taken=False)


Script = Callable[[int, Sequence[Entry]], Reply | None]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # a connection that does not fit is only tried again after a second

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a client that disconnects, such as one that does not trust the certificate."""


class FaultServer:
    """
    The server, as a context manager.

    :param script: returns the answer to a request from its number, from 1, and its entries; None to accept them.
    :param context: the TLS settings; None for plain HTTP.
    """

    def __init__(self, script: Script | None = None, context: ssl.SSLContext | None = None) -> None:
        self.script = script or (lambda number, entries: None)
        self.requests: list[list[Entry]] = []
        #: the path and the headers of each request
        self.heads: list[tuple[str, dict[str, str]]] = []
        #: the addresses of the connections
        self.clients: set[tuple[str, int]] = set()
        self.delivered: list[Entry] = []
        #: by event id, the number in the detail of its entry
        self.number_of: dict[str, int] = {}
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), self._handler())
        if context:  # the handler does the handshake, as it may fail
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.url = f"{'https' if context else 'http'}://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=[0.01], daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def times_delivered(self) -> Counter[int]:
        """The number of deliveries of each event, by the number in its detail."""
        return Counter(json.loads(entry["Detail"])["n"] for entry in self.delivered)

    def answer(self, entries: Sequence[Entry]) -> tuple[Reply, bytes]:
        """Return the answer to a request, and record its accepted entries."""
        with self._lock:
            self.requests.append(list(entries))
            number = len(self.requests)
        reply = self.script(number, entries) or Reply()
        results: list[dict[str, str]] = []
        for position, entry in enumerate(entries):
            if code := reply.codes.get(position):
                results.append({"ErrorCode": code, "ErrorMessage": f"{code} it is"})
                continue
            results.append({"EventId": (event_id := str(uuid.uuid4()))})
            self.number_of[event_id] = json.loads(entry["Detail"])["n"]
            if reply.taken:
                with self._lock:
                    self.delivered.append(entry)
        results = results[: len(results) - reply.omitted]
        failed = sum("ErrorCode" in result for result in results)
        body = json.dumps({"FailedEntryCount": failed, "Entries": results}).encode()
        return reply, body if reply.body is None else reply.body

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # otherwise the second of two small writes waits for the acknowledgement of the first
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if not self.headers["X-Amz-Target"].endswith(".PutEvents"):
                    self._write(200, b"{}")
                    return
                server.heads.append((self.path, dict(self.headers)))
                server.clients.add(self.client_address)
                reply, body = server.answer(request["Entries"])
                if reply.until:
                    reply.until.wait(10)
                if reply.reset:
                    linger = struct.pack("ii", 1, 0)
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    self.close_connection = True
                    self.connection.close()
                    return
                with suppress(OSError):  # the client may have disconnected
                    self._write(reply.status, body)

            def _write(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "application/x-amz-json-1.1")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                pass

            def finish(self) -> None:
                with suppress(OSError):
                    super().finish()

        return Handler
