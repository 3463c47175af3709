"""
Sending events by ours and by what people do today, side by side: python tests/benchmarks/bench_put_events.py

Every row sends to a server on the loopback address, in a process of its own, that answers after 0 or 20 ms. Each
contender runs in a process of its own, whose CPU is shown, without the server's. Rounds are interleaved, medians shown,
and ratios, as machines are noisy.
``--quick`` sends a tenth, to see that it works.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))

from tests.benchmarks.events import event, events  # noqa: E402
from tests.certificates import certificate  # noqa: E402

Certificate = tuple[Path, Path]

ROUNDS = 3


# What is measured: functions that prepare to send so many events, and return what sends them; run in a child process.
def sequential_boto3(count: int) -> Callable[[], object]:
    import boto3

    client = boto3.client("events")
    given = events(count)

    def send() -> int:
        sent = 0
        for start in range(0, count, 10):
            entries = [{**each, "Detail": json.dumps(each["Detail"])} for each in given[start : start + 10]]
            response = client.put_events(Entries=entries)
            sent += len(entries) - response["FailedEntryCount"]
        return sent

    return send


def pool_of_16_threads(count: int) -> Callable[[], object]:
    from concurrent.futures import ThreadPoolExecutor

    import boto3
    from botocore.config import Config

    client = boto3.client("events", config=Config(max_pool_connections=16))
    given = events(count)

    def put(start: int) -> int:
        entries = [{**each, "Detail": json.dumps(each["Detail"])} for each in given[start : start + 10]]
        return len(entries) - int(client.put_events(Entries=entries)["FailedEntryCount"])

    def send() -> int:
        with ThreadPoolExecutor(16) as pool:
            return sum(pool.map(put, range(0, count, 10)))

    return send


def our_hook(count: int) -> Callable[[], object]:
    from airflow_cwevents.hooks import CloudWatchEventsHook

    hook = CloudWatchEventsHook(None)
    hook.conn  # noqa: B018 - the others have their client by now as well
    given = events(count)
    return lambda: sum(result.event_id is not None for result in hook.stream_events(given))


def our_hook_from_a_generator(count: int) -> Callable[[], object]:
    from airflow_cwevents.hooks import CloudWatchEventsHook

    hook = CloudWatchEventsHook(None)
    hook.conn  # noqa: B018
    sum(1 for _ in hook.stream_events(event(number) for number in range(2_000)))
    return lambda: sum(r.event_id is not None for r in hook.stream_events(event(number) for number in range(count)))


def _dag(name: str) -> Callable[[], object]:
    from airflow.utils.db import initdb

    initdb()
    sys.path.insert(0, str(HERE / "dags"))
    import put_events_dags as dags  # type: ignore[import-not-found]

    assert dags.warm_up.test().state == "success"  # the first run in a process sets Airflow up, which takes seconds
    dag = getattr(dags, name)

    def send() -> None:
        run = dag.test()
        assert run.state == "success", run.state

    return send


def our_operator_in_a_task(count: int) -> Callable[[], object]:
    return _dag("ours")


def our_decorator_in_a_task(count: int) -> Callable[[], object]:
    return _dag("decorated")


def amazons_operator_mapped(count: int) -> Callable[[], object]:
    return _dag("amazons")


def our_transfer_of_a_file(count: int) -> Callable[[], object]:
    from airflow_cwevents.transfers import ObjectStorageToEventsOperator

    path = Path(os.environ["AIRFLOW_HOME"]) / "events.jsonl"

    def write(lines: int) -> None:
        with path.open("w") as file:
            for number in range(lines):
                file.write(json.dumps(event(number)) + "\n")

    def send() -> int:
        operator = ObjectStorageToEventsOperator(task_id="send", aws_conn_id=None, path=str(path))
        return int(operator.execute({})["sent"])

    write(2_000)
    send()
    write(count)
    return send


CONTENDERS: dict[str, Callable[[int], Callable[[], object]]] = {
    function.__name__: function
    for function in (
        sequential_boto3,
        pool_of_16_threads,
        our_hook,
        our_hook_from_a_generator,
        our_operator_in_a_task,
        our_decorator_in_a_task,
        amazons_operator_mapped,
        our_transfer_of_a_file,
    )
}


def run_child(name: str, count: int, repeats: int) -> None:
    """Measure a contender in this process, and print what was found as the last line."""
    send = CONTENDERS[name](count)
    found = []
    for _ in range(repeats):
        before = accepted()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        used, wall = time.process_time(), time.perf_counter()
        send()
        found.append(
            {
                "seconds": time.perf_counter() - wall,
                "cpu": time.process_time() - used,
                "growth": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak) / 1024,
            }
        )
        assert accepted() - before == count, "not all events were sent"
    print(json.dumps(found))


def accepted() -> int:
    """Ask the server how many entries it has accepted."""
    bundle = os.environ.get("AWS_CA_BUNDLE")
    context = ssl.create_default_context(cafile=bundle) if bundle else None
    with urlopen(os.environ["AWS_ENDPOINT_URL"], context=context) as response:  # noqa: S310
        return int(response.read())


@contextmanager
def server(seconds: float, tls_files: Certificate | None = None) -> Iterator[str]:
    command = [sys.executable, str(HERE / "put_events_server.py"), str(seconds), *map(str, tls_files or ())]
    scheme = "https" if tls_files else "http"
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield f"{scheme}://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.terminate()


def measure(
    name: str, count: int, url: str, repeats: int = 1, tls_files: Certificate | None = None
) -> list[dict[str, float]]:
    """Run a contender in a process of its own."""
    with tempfile.TemporaryDirectory() as home:
        extra = {"region_name": "us-east-1", "endpoint_url": url}
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "AIRFLOW"))},
            "AIRFLOW_HOME": home,
            "AIRFLOW__CORE__DAGS_FOLDER": str(HERE / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW_CONN_AWS_DEFAULT": json.dumps({"conn_type": "aws", "login": "x", "password": "x", "extra": extra}),
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "x",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CONFIG_FILE": os.devnull,
            "BENCH_EVENTS": str(count),
            **({"AWS_CA_BUNDLE": str(tls_files[0])} if tls_files else {}),
            "PYTHONPATH": str(HERE.parents[1]),
        }
        command = [sys.executable, __file__, "--child", name, "--events", str(count), "--repeats", str(repeats)]
        output = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if output.returncode:
        raise SystemExit(output.stdout[-3000:] + output.stderr[-3000:])
    return json.loads(output.stdout.splitlines()[-1])  # type: ignore[no-any-return]


def medians(
    names: list[str], count: int, seconds: float, repeats: int = 1, tls_files: Certificate | None = None
) -> dict[str, dict[str, float]]:
    """Measure contenders in interleaved rounds."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    with server(seconds, tls_files) as url:
        for _ in range(ROUNDS):
            for name in names:
                found[name] += measure(name, count, url, repeats, tls_files)
    return {
        name: {key: statistics.median(each[key] for each in rounds) for key in rounds[0]}
        for name, rounds in found.items()
    }


def print_rows(title: str, rows: dict[str, dict[str, float]], count: int, key: str = "seconds") -> None:
    """Print a table; the ratios are those to the first row."""
    base = next(iter(rows.values()))
    print(f"\n{title}")
    print(f"{'':28} {'seconds':>9} {'events/s':>9} {'CPU ms/request':>15} {'ratio':>7}")
    for name, row in rows.items():
        ratio = base[key] / row[key] if key == "seconds" else row[key] / base[key]
        rate, cpu = count / row["seconds"], row["cpu"] * 1e4 / count
        print(f"{name:28} {row['seconds']:9.2f} {rate:9.0f} {cpu:15.3f} {ratio:7.2f}")


def latency(scale: int) -> None:
    count = 20_000 // scale
    rows = medians(["sequential_boto3", "pool_of_16_threads", "our_hook", "our_decorator_in_a_task"], count, 0.02)
    print_rows(f"{count:,} events, 20 ms: times as fast as sequential boto3", rows, count)


def cpu(scale: int) -> None:
    count = 20_000 // scale
    rows = medians(["sequential_boto3", "pool_of_16_threads", "our_hook"], count, 0, repeats=3)
    print_rows(f"{count:,} events, 0 ms: CPU to that of sequential boto3", rows, count, "cpu")


def tls(scale: int) -> None:
    count = 20_000 // scale
    with tempfile.TemporaryDirectory() as directory:
        made = certificate(Path(directory), "server")
        names = ["sequential_boto3", "pool_of_16_threads", "our_hook"]
        rows = medians(names, count, 0, repeats=3, tls_files=made)
    print_rows(f"{count:,} events, 0 ms, TLS: CPU to that of sequential boto3", rows, count, "cpu")


def task(scale: int) -> None:
    count = 1_000 // scale
    rows = medians(["amazons_operator_mapped", "our_operator_in_a_task", "our_decorator_in_a_task"], count, 0.02)
    print_rows(f"{count:,} events as a task, 20 ms: times as fast as amazon's", rows, count)


def memory(scale: int) -> None:
    print("\nGrowth of the process, after it has sent 2,000")
    with server(0) as url:
        for name in ("our_hook_from_a_generator", "our_transfer_of_a_file"):
            for count in (1_000_000 // scale, 2_000_000 // scale):
                (row,) = measure(name, count, url)
                print(f"{name:28} {count:>9,} events {row['growth']:7.1f} MB {row['seconds']:8.1f} s")


def linear(scale: int) -> None:
    print("\nCost by volume, from a generator, 0 ms")
    with server(0) as url:
        for count in (10_000 // scale, 100_000 // scale, 1_000_000 // scale):
            (row,) = measure("our_hook_from_a_generator", count, url)
            print(f"{count:>9,} events {row['seconds'] * 1e6 / count:7.1f} µs an event")


SECTIONS = {section.__name__: section for section in (latency, cpu, tls, task, memory, linear)}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", choices=SECTIONS)
    parser.add_argument("--child")
    parser.add_argument("--events", type=int)
    parser.add_argument("--repeats", type=int, default=1)
    options = parser.parse_args()
    if options.child:
        run_child(options.child, options.events, options.repeats)
        return
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    for name, section in SECTIONS.items():
        if options.only in (None, name):
            section(10 if options.quick else 1)


if __name__ == "__main__":
    main()
