"""A server with a quota, which the tasks of a fleet share."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence

from tests.fault_server import Entry, FaultServer, Reply

#: entries a second
QUOTA = 1_000
#: how many seconds of the quota the token bucket holds
BURST_SECONDS = 1.0
#: how many entries use the quota before it is read how much of it they used
MEASURED = 16_000
PARTS = 8
ENTRIES_PER_PART = 4_000
#: one in so many entries is refused for good
REFUSED_EVERY = 500


def is_refused(number: int) -> bool:
    return number % REFUSED_EVERY == 7


class QuotaServer(FaultServer):
    """
    A server that throttles by a token bucket, and refuses some entries for good.

    It accepts nothing until all parts are being sent, so that no task has ended before the last one has started.
    """

    def __init__(self) -> None:
        super().__init__(self._reply)
        self._guard = threading.Lock()
        self._parts: set[int] = set()
        self._began_at = self._filled_at = 0.0
        self._tokens = 0.0
        self._used = 0
        #: how long it took to accept as many entries as are measured; 0 until then
        self.measured_seconds = 0.0

    @property
    def used_share(self) -> float:
        """The share of the quota that was used while it was measured."""
        return MEASURED / (QUOTA * self.measured_seconds)

    def _reply(self, number: int, entries: Sequence[Entry]) -> Reply:
        numbers = [json.loads(entry["Detail"])["n"] for entry in entries]
        with self._guard:
            accepted = self._take(numbers)
        refused = {position: "MalformedDetail" for position, each in enumerate(numbers) if is_refused(each)}
        throttled = dict.fromkeys(range(accepted, len(numbers)), "ThrottlingException")
        return Reply(codes=refused | throttled)

    def _take(self, numbers: Sequence[int]) -> int:
        """Take tokens out of the bucket, and return how many there were."""
        now = time.monotonic()
        if len(self._parts) < PARTS:
            self._parts.update(number // ENTRIES_PER_PART for number in numbers)
            self._began_at = self._filled_at = now
        self._tokens = min(QUOTA * BURST_SECONDS, self._tokens + QUOTA * (now - self._filled_at))
        self._filled_at = now
        taken = min(len(numbers), int(self._tokens))
        self._tokens -= taken
        self._used += taken
        if self._used >= MEASURED and not self.measured_seconds:
            self.measured_seconds = now - self._began_at
        return taken
