"""
Sending to quotas, by the hook: python tests/benchmarks/bench_throttling.py

A server on the loopback address, in a process of its own, answers after 20 ms. It throttles by a token bucket that
holds what comes in a tenth of a second, or a share of all entries at random.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
if __name__ == "__main__":
    sys.path.insert(0, str(HERE.parents[1]))

from tests.benchmarks.events import events  # noqa: E402
from tests.benchmarks.put_events_server import PutEvents, response_of, serve  # noqa: E402

LATENCY = 0.02
SECONDS = 20
ACCEPTED = {"EventId": "11111111-1111-1111-1111-111111111111"}
THROTTLED = {"ErrorCode": "ThrottlingException", "ErrorMessage": "Rate exceeded"}
TOO_MANY = response_of({"__type": "ThrottlingException", "message": "Rate exceeded"}, "400 Bad Request")


class Throttling(PutEvents):
    """A server that throttles, by the kind of quota and its value."""

    kind, value = "entries", 0.0
    tokens, filled_at = 0.0, 0.0

    def response(self, count: int) -> bytes:
        """Answer a request of some entries."""
        if self.kind == "share":
            results = [THROTTLED if random.random() < self.value else ACCEPTED for _ in range(count)]  # noqa: S311
        elif self.kind == "entries":
            taken = self._take(count)
            results = [ACCEPTED] * taken + [THROTTLED] * (count - taken)
        elif self._take(1):
            results = [ACCEPTED] * count
        else:
            return TOO_MANY
        accepted = results.count(ACCEPTED)
        PutEvents.accepted += accepted
        return response_of({"FailedEntryCount": count - accepted, "Entries": results})

    def _take(self, wanted: int) -> int:
        now = time.monotonic()
        Throttling.tokens = min(self.value / 10, self.tokens + (now - self.filled_at) * self.value)
        Throttling.filled_at = now
        taken = min(wanted, int(self.tokens))
        Throttling.tokens -= taken
        return taken


@contextmanager
def server(kind: str, value: float) -> Iterator[str]:
    command = [sys.executable, __file__, "serve", kind, str(value)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.terminate()


def send(url: str, seconds: float) -> None:
    """Send for some seconds, and print how many events were sent in the last three quarters of the time."""
    os.environ |= {"AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
    os.environ |= {"AWS_DEFAULT_REGION": "us-east-1", "AWS_CONFIG_FILE": os.devnull}
    from airflow_cwevents._aws.limits import MAX_REQUEST_BYTES
    from airflow_cwevents._send.options import SendOptions
    from airflow_cwevents.hooks import CloudWatchEventsHook

    hook = CloudWatchEventsHook(None)
    hook.conn  # noqa: B018 - made before the time begins
    sample = events(1_000)
    begin = time.monotonic()
    endless = (sample[0] for _ in iter(lambda: time.monotonic() - begin < seconds, False))
    sent = counted = failed = 0
    prepared = hook._sending.preparation(None, MAX_REQUEST_BYTES, check_event_bus=False).prepare(endless)
    in_order = os.environ.get("IN_ORDER") == "1"
    sender = hook._sending.start(prepared, SendOptions(max_retry_seconds=3_600), in_order=in_order)
    for result in sender:
        sent += result.event_id is not None
        failed += result.event_id is None
        counted += result.event_id is not None and seconds / 4 <= time.monotonic() - begin < seconds
    attempted = sender.requests * 10
    print(json.dumps({"sent": sent, "counted": counted, "failed": failed, "throttled": 1 - sent / attempted}))


def run(kind: str, value: float, senders: int = 1, seconds: float = SECONDS) -> list[dict[str, float]]:
    """Let processes send, started a second after one another."""
    with server(kind, value) as url:
        processes = []
        for _ in range(senders):
            command = [sys.executable, __file__, "send", url, str(seconds)]
            processes.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True))
            time.sleep(1)
        return [json.loads(process.communicate()[0].splitlines()[-1]) for process in processes]


def main() -> None:
    free = run("share", 0)[0]["counted"] / (0.75 * SECONDS)
    print(f"unthrottled: {free:,.0f} events/s")
    for kind, value, unit in (("entries", 500, 1), ("entries", 2_000, 1), ("requests", 100, 10)):
        (row,) = run(kind, value)
        used = row["counted"] / (0.75 * SECONDS) / value / unit
        print(f"{value:,} {kind}/s: {used:.0%} used, {row['throttled']:.0%} throttled, {row['failed']} failed")
    for share in (0.05, 0.1, 0.2, 0.3):
        (row,) = run("share", share)
        rate = row["counted"] / (0.75 * SECONDS)
        print(f"{share:.0%} throttled at random: {rate:,.0f} events/s, {rate / free / (1 - share):.0%} of what is left")
    rows = run("entries", 2_000, senders=4, seconds=2 * SECONDS)
    total = sum(row["counted"] for row in rows)
    shares = ", ".join(f"{row['counted'] / total:.0%}" for row in rows)
    throttled = sum(row["throttled"] for row in rows) / len(rows)
    used = total / (1.5 * SECONDS) / 2_000
    print(f"four senders, 2,000 entries/s: {used:.0%} used, {throttled:.0%} throttled: {shares}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        Throttling.kind, Throttling.value = sys.argv[2], float(sys.argv[3])
        asyncio.run(serve(LATENCY, protocol=Throttling))
    elif sys.argv[1:2] == ["send"]:
        send(sys.argv[2], float(sys.argv[3]))
    else:
        main()
