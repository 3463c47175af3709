"""A proxy that counts the requests to SQS."""

from __future__ import annotations

import re
import socket
import threading
from collections import Counter
from collections.abc import Callable


class CountingProxy:
    """Relays connections to the local AWS, and counts the requests to SQS by their operation."""

    def __init__(self, port: int) -> None:
        self.requests: Counter[str] = Counter()
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            server = socket.create_connection(("127.0.0.1", self._port))
            for source, sink, watch in ((client, server, self._count), (server, client, None)):
                threading.Thread(target=self._relay, args=(source, sink, watch), daemon=True).start()

    def _relay(self, source: socket.socket, sink: socket.socket, watch: Callable[[bytes], None] | None) -> None:
        try:
            while data := source.recv(1 << 16):
                if watch:
                    watch(data)
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            source.close()
            sink.close()

    def _count(self, data: bytes) -> None:
        found = re.findall(rb"(?i)x-amz-target: *AmazonSQS\.(\w+)", data)
        self.requests.update(name.decode() for name in found)
