"""Eight tasks on two workers send to one quota, and one of the workers is killed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.fleet.fleet import SLOTS_PER_WORKER, Fleet
from tests.system.fleet.quota_server import ENTRIES_PER_PART, PARTS, QUOTA, QuotaServer, is_refused

pytestmark = pytest.mark.fleet

DAG_ID = "fleet_send"
DAG_FILE = """
from datetime import timedelta

from airflow.sdk import DAG

from airflow_cwevents.transfers import ObjectStorageToEventsOperator

with DAG("fleet_send", schedule=None):
    ObjectStorageToEventsOperator.partial(
        task_id="send",
        aws_conn_id="quota",
        source="com.company.app",
        detail_type="number",
        failed_entries_path="{folder}/failed/{{{{ ti.map_index }}}}.jsonl",
        max_concurrency={concurrency},
        max_failed=100,
        retries=1,
        retry_delay=timedelta(0),
    ).expand(path=["{folder}/%d.jsonl" % part for part in range({parts})])
"""
CONCURRENCY = 8
# README: what a task killed with SIGKILL may resend
SINCE_THE_LAST_CHECKPOINT = 1_000
IN_FLIGHT = CONCURRENCY * 10


class Scenario:
    """What was sent, and by which tasks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        #: the map indexes of the tasks that were killed with their worker
        self.killed: set[int] = set()

    def write_files(self) -> None:
        for part in range(PARTS):
            numbers = range(part * ENTRIES_PER_PART, (part + 1) * ENTRIES_PER_PART)
            lines = [json.dumps({"n": number, "text": "x" * 200}) + "\n" for number in numbers]
            (self.folder / f"{part}.jsonl").write_text("".join(lines))

    def failed_numbers(self, part: int) -> list[int]:
        lines = (self.folder / "failed" / f"{part}.jsonl").read_text().splitlines()
        return sorted(json.loads(json.loads(line)["Detail"])["n"] for line in lines)


@pytest.fixture(scope="module")
def sent(
    shared_fleet: Fleet, quota_server: QuotaServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scenario]:
    """All parts sent, though one of the workers was killed."""
    fleet, scenario = shared_fleet, Scenario(tmp_path_factory.mktemp("parts"))
    fleet.restart_killed()
    scenario.write_files()
    fleet.add_dag_file(DAG_ID, DAG_FILE.format(folder=scenario.folder, parts=PARTS, concurrency=CONCURRENCY))
    fleet.trigger_run(DAG_ID, "run")
    fleet.wait_for(lambda: quota_server.measured_seconds, dag_id=DAG_ID)
    running = fleet.running_on(DAG_ID)
    fleet.kill("worker-1")
    scenario.killed = {index for index, host in running.items() if host == "worker-1"}
    fleet.wait_for(lambda: fleet.states(DAG_ID) == ["success"], dag_id=DAG_ID)
    yield scenario
    fleet.remove_dags(DAG_ID)


def test_tasks_use_the_quota_together(
    sent: Scenario, quota_server: QuotaServer, request: pytest.FixtureRequest
) -> None:
    share = quota_server.used_share
    request.node.user_properties.append((f"of {QUOTA:,} entries/s", f"{share:.1%} used by {PARTS} tasks"))
    assert share >= 0.9


def test_tasks_of_the_killed_worker_are_retried_on_the_other(sent: Scenario, fleet: Fleet) -> None:
    assert 0 < len(sent.killed) <= SLOTS_PER_WORKER
    rows = fleet.query("select map_index, state, try_number, hostname from task_instance where dag_id = ?", DAG_ID)
    assert {index for index, *_ in rows} == set(range(PARTS))
    assert {row[1] for row in rows} == {"success"}
    assert {(index, attempts) for index, _, attempts, _ in rows} == {
        (index, 2 if index in sent.killed else 1) for index in range(PARTS)
    }
    assert {host for *_, attempts, host in rows if attempts == 2} == {"worker-2"}


def test_every_event_is_delivered(sent: Scenario, quota_server: QuotaServer) -> None:
    expected = {number for number in range(PARTS * ENTRIES_PER_PART) if not is_refused(number)}
    assert set(quota_server.times_delivered) == expected


def test_only_killed_tasks_send_twice(
    sent: Scenario, quota_server: QuotaServer, request: pytest.FixtureRequest
) -> None:
    times = quota_server.times_delivered
    duplicates = dict.fromkeys(range(PARTS), 0)
    for number, count in times.items():
        duplicates[number // ENTRIES_PER_PART] += count - 1
    request.node.user_properties.append(("events sent twice", f"{sum(duplicates.values())} of {len(times):,}"))
    assert {part for part, count in duplicates.items() if count} <= sent.killed
    assert max(duplicates.values()) <= SINCE_THE_LAST_CHECKPOINT + IN_FLIGHT


def test_files_name_exactly_the_refused_entries(sent: Scenario) -> None:
    numbers = range(PARTS * ENTRIES_PER_PART)
    expected = [number for number in numbers if is_refused(number)]
    assert [number for part in range(PARTS) for number in sent.failed_numbers(part)] == expected
