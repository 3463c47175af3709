"""
A server that answers as PutEvents does, after a set time; as a process: ``python put_events_server.py 0.02``.

With the paths of a certificate and its key as further arguments, it speaks TLS.

GET tells how many entries it has accepted.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import uuid

_RESULTS = [{"EventId": str(uuid.uuid4())} for _ in range(10)]


def response_of(content: object, status: str = "200 OK") -> bytes:
    body = json.dumps(content).encode()
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: application/x-amz-json-1.1\r\n"
        f"x-amzn-RequestId: {uuid.uuid4()}\r\nDate: Mon, 23 Nov 2026 11:48:33 GMT\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


_RESPONSES = [response_of({"FailedEntryCount": 0, "Entries": _RESULTS[:count]}) for count in range(11)]


class PutEvents(asyncio.Protocol):
    """One connection. It counts entries by their sources rather than parse them, so as not to be what is measured."""

    latency = 0.0
    accepted = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._received = b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = self._received[:end].lower()
            if head.startswith(b"get"):
                self._received = self._received[end + 4 :]
                self._transport.write(response_of(PutEvents.accepted))  # type: ignore[attr-defined]
                continue
            at = head.index(b"content-length:") + len(b"content-length:")
            length = int(head[at:].split(b"\r\n", 1)[0])
            if len(self._received) < end + 4 + length:
                return
            body = self._received[end + 4 : end + 4 + length]
            self._received = self._received[end + 4 + length :]
            count = body.count(b'"Source"')
            response = self.response(count)
            if self.latency:
                asyncio.get_running_loop().call_later(self.latency, self._transport.write, response)  # type: ignore[attr-defined]
            else:
                self._transport.write(response)  # type: ignore[attr-defined]

    def response(self, count: int) -> bytes:
        """Answer a request of some entries."""
        PutEvents.accepted += count
        return _RESPONSES[count]


async def serve(latency: float, *certificate: str, protocol: type[PutEvents] = PutEvents) -> None:
    PutEvents.latency = latency
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0, ssl=context, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1]), *sys.argv[2:]))
