"""
Receiving events by ours and by amazon's trigger, side by side: python tests/benchmarks/bench_receive.py

Each contender runs in a real Airflow of its own (scheduler, dag-processor, api-server, triggerer) against a local AWS:
PutEvents, a rule, an SQS queue, and the contender, which starts runs or makes asset events. A delay is the time from
before the PutEvents request to the creation of the event's run, or of its asset event, as Airflow's database says.
SQS requests are counted by a proxy. Machines are noisy, so the load is shown.

``--amazon PYTHON`` measures amazon's trigger too, by the Python of another environment, as its aiobotocore and the
local AWS need different versions of botocore. That environment needs pytest, apache-airflow, its providers standard and
amazon[aiobotocore], and for ``--database postgresql`` psycopg2-binary and asyncpg.
``--quick`` sends a burst of 20 and does nothing else, to see that it works.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))

from airflow_cwevents._cli.local_aws import LocalAws, clean_environment, connection_to  # noqa: E402
from tests.benchmarks.counting_proxy import CountingProxy  # noqa: E402
from tests.system.airflow_processes import RealAirflow, server_with_template  # noqa: E402

BURSTS = (100, 200)
SINGLE_EVENTS = 6
STEADY_EVENTS = 40
IDLE_SECONDS = 60
# Airflow up to 3.3.2 may fail a task that resumes sooner: https://github.com/apache/airflow/issues/72716
DEFERRED_SECONDS = 10
DISPATCHER = """
from datetime import datetime
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG
from airflow_cwevents.operators import DispatchEventsOperator

with DAG("handler", schedule=None, max_active_runs=1000):
    EmptyOperator(task_id="nothing")
with DAG("bench", schedule="@continuous", start_date=datetime(2026, 1, 1), max_active_runs=1):
    DispatchEventsOperator(task_id="dispatch", queue_url={url!r}, trigger_dag_id="handler")
"""
ASSET = """
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Asset, AssetWatcher

{trigger_import}

asset = Asset("bench", watchers=[AssetWatcher(name="bench", trigger={trigger})])
with DAG("bench", schedule=[asset]):
    EmptyOperator(task_id="nothing")
"""
OURS = {
    "trigger_import": "from airflow_cwevents.triggers import EventQueueTrigger",
    "trigger": "EventQueueTrigger(queue_url={url!r})",
}
AMAZONS = {"trigger_import": "from airflow.providers.amazon.aws.triggers.sqs import SqsSensorTrigger"}
# what MessageQueueTrigger(scheme="sqs") makes
AMAZONS_DEFAULTS = {**AMAZONS, "trigger": "SqsSensorTrigger({url!r})"}
AMAZONS_FASTEST = {
    **AMAZONS,
    "trigger": "SqsSensorTrigger({url!r}, max_messages=10, wait_time_seconds=20, waiter_delay=0)",
}
DAG_FILES = {
    "dispatcher": DISPATCHER,
    "event_queue_trigger": ASSET.format(**OURS),
    "amazons_trigger_at_its_fastest": ASSET.format(**AMAZONS_FASTEST),
    "amazons_trigger_by_default": ASSET.format(**AMAZONS_DEFAULTS),
}


class Contender:
    """An Airflow that receives from a queue, which a rule fills."""

    def __init__(self, name: str, airflow: RealAirflow, aws: Any, proxy: CountingProxy) -> None:
        self.name, self._airflow, self._proxy = name, airflow, proxy
        self._events, sqs = aws("events"), aws("sqs")
        queue = name.replace("_", "-")
        url = sqs.create_queue(QueueName=queue)["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        self._source = queue
        self._events.put_rule(Name=queue, EventPattern=json.dumps({"source": [queue]}))
        self._events.put_targets(Rule=queue, Targets=[{"Id": "queue", "Arn": arn}])
        airflow.add_dag_file("bench", DAG_FILES[name].format(url=url))
        airflow.start_all()

    def send(self, count: int) -> dict[str, float]:
        """Send events; return the time of each one's request by the event's id."""
        sent: dict[str, float] = {}
        for first in range(0, count, 10):
            entry = {"Source": self._source, "DetailType": "order", "Detail": json.dumps({"text": "x" * 190})}
            now = time.time()
            results = self._events.put_events(Entries=[entry] * min(10, count - first))["Entries"]
            sent |= {result["EventId"]: now for result in results}
        return sent

    def delays(self, sent: dict[str, float]) -> list[float]:
        """Wait until all events have arrived; return their delays in seconds."""
        while not (arrived := self._arrived()).keys() >= sent.keys():
            time.sleep(0.5)  # the database has the times, and must not be busy with this query
        return [arrived[event_id] - at for event_id, at in sent.items()]

    def _arrived(self) -> dict[str, float]:
        if self.name == "dispatcher":
            rows = self._airflow.query("select run_id, queued_at from dag_run where dag_id = 'handler'")
            return {run_id.removeprefix("event__"): _seconds(at) for run_id, at in rows}
        arrived: dict[str, float] = {}
        for extra, at in self._airflow.query("select extra, timestamp from asset_event order by id"):
            payload = (json.loads(extra) if isinstance(extra, str) else extra)["payload"]
            for event_id in _ids(payload):
                arrived.setdefault(event_id, _seconds(at))
        return arrived

    def wait_until_waiting(self) -> None:
        """Wait until nothing is left to do."""
        if self.name == "dispatcher":
            sql = "select 1 from task_instance where dag_id = 'bench' and state = 'deferred'"
            while not self._airflow.query(sql):
                time.sleep(0.5)
            time.sleep(DEFERRED_SECONDS)
        time.sleep(2)

    def burst(self, count: int) -> dict[str, float]:
        self.wait_until_waiting()
        began = time.time()
        sent = self.send(count)
        delays = self.delays(sent)
        arrivals = [sent_at + delay - began for sent_at, delay in zip(sent.values(), delays, strict=True)]
        return {"all": max(arrivals), "between": max(arrivals) - min(arrivals), **_summary(delays)}

    def single(self) -> dict[str, float]:
        delays = []
        for _ in range(SINGLE_EVENTS):
            self.wait_until_waiting()
            delays += self.delays(self.send(1))
        return _summary(delays)

    def steady(self) -> dict[str, float]:
        sent: dict[str, float] = {}
        for _ in range(STEADY_EVENTS):
            sent |= self.send(1)
            time.sleep(1)
        return _summary(self.delays(sent))

    def idle(self) -> dict[str, float]:
        self.wait_until_waiting()
        self._proxy.requests.clear()
        time.sleep(IDLE_SECONDS)
        return {name: number * 60 / IDLE_SECONDS for name, number in self._proxy.requests.items()}


def _ids(payload: dict[str, Any]) -> list[str]:
    """Return the ids of the events of an asset event; amazon's has several messages, bodies and all."""
    if "message_batch" in payload:
        return [json.loads(message["Body"])["id"] for message in payload["message_batch"]]
    return [payload["id"]]


def _seconds(moment: datetime | str) -> float:
    moment = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _summary(delays: list[float]) -> dict[str, float]:
    ordered = sorted(delays)
    return {"median": statistics.median(ordered), "p99": ordered[max(0, -(-99 * len(ordered) // 100) - 1)]}


def run_child(options: argparse.Namespace) -> None:
    """Measure a contender, and print what was found, each as it comes."""
    import boto3

    port = int(options.url.rpartition(":")[2])
    create_client: Any = boto3.client

    def client(service: str) -> Any:
        return create_client(service, endpoint_url=options.url)

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="airflow-cwevents-bench-")))
        (folder / "template").mkdir()
        server = server_with_template(stack, options.database, folder / "template")
        (folder / "airflow").mkdir()
        proxy = CountingProxy(port)
        connections = {"aws_default": connection_to(proxy.url)}
        airflow = RealAirflow(folder / "airflow", server.create(folder / "airflow"), connections)
        contender = Contender(options.child, stack.enter_context(airflow), client, proxy)
        contender.delays(contender.send(1))
        for title, section in _sections(contender, options):
            load = os.getloadavg()[0]
            print(json.dumps({"title": title, "load": load, **section()}), flush=True)


def _sections(contender: Contender, options: argparse.Namespace) -> list[tuple[str, Callable[[], dict[str, float]]]]:
    bursts: list[tuple[str, Callable[[], dict[str, float]]]] = [
        (f"burst of {count}", partial(contender.burst, count))
        for count in ((20,) if options.quick else BURSTS)
        for _ in range(1 if options.quick else options.repeats)
    ]
    others = [("one event while it waits", contender.single), ("an event a second", contender.steady)]
    idle = [("requests an idle minute", contender.idle)]
    return bursts if options.quick else [*bursts, *others, *idle]


def measure(name: str, python: str, url: str, options: argparse.Namespace) -> None:
    """Run a contender in a process of its own, and print a row for each measurement."""
    print(f"\n{name}", flush=True)
    command = [python, __file__, "--child", name, "--url", url, "--database", options.database]
    command += ["--repeats", str(options.repeats), *(["--quick"] if options.quick else [])]
    with tempfile.TemporaryDirectory() as home:
        environment = {
            **clean_environment(Path(home)),
            "TMPDIR": tempfile.gettempdir(),  # PostgreSQL's user may not enter a temporary folder of ours
            "AIRFLOW_HOME": home,
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "x",
            "AWS_DEFAULT_REGION": "us-east-1",
            "PYTHONPATH": str(HERE.parents[1]),
        }
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
        ) as process:
            try:
                for line in process.stdout or ():
                    print_row(line)
            except BaseException:
                process.terminate()  # once only, as it ends its Airflow then
                raise
    if process.returncode:
        raise SystemExit(f"{name} failed")


def print_row(line: str) -> None:
    """Print what a child measured; Airflow writes to its standard output, too."""
    if line.startswith('{"title"'):
        row = json.loads(line)
        title, load = row.pop("title"), row.pop("load")
        values = "  ".join(f"{key} {value:.2f}" for key, value in row.items())
        print(f"  {title:26} {values}  (load {load:.1f})", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", choices=DAG_FILES)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--repeats", type=int, default=3, help="how often a burst is sent")
    parser.add_argument("--amazon", metavar="PYTHON")
    parser.add_argument("--child")
    parser.add_argument("--url")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if options.child:
        run_child(options)
        return
    version = platform.python_version()
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {version}, {options.database}; seconds")
    with tempfile.TemporaryDirectory(prefix="airflow-cwevents-bench-aws-") as folder:
        aws = LocalAws(Path(folder))
        with aws.process() as process:
            aws.wait_until_ready(process)
            for name in DAG_FILES:
                python = options.amazon if name.startswith("amazons") else sys.executable
                if python and options.only in (None, name):
                    measure(name, python, aws.url, options)


if __name__ == "__main__":
    main()
