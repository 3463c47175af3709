from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from airflow_cwevents.exceptions import InvalidInputError, PutEventsError
from airflow_cwevents.transfers import ObjectStorageToEventsOperator
from tests.airflow_versions import ObjectStoragePath, attach
from tests.dict_store import DictStore
from tests.failures import fails_with
from tests.fault_server import FaultServer, Reply


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


def write(path: Path, lines: list[Any]) -> None:
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))


def entry(n: int) -> dict[str, Any]:
    return {"Source": "com.company.app", "DetailType": "t", "Detail": {"n": n}}


def run(path: Any, store: DictStore | None = None, **parameters: Any) -> dict[str, Any]:
    given = ObjectStorageToEventsOperator(**{"task_id": "send", "aws_conn_id": None, "path": path, **parameters})
    return given.execute({"task_state_store": store} if store else {})  # type: ignore[typeddict-item]


@pytest.mark.parametrize("count", [0, 1, 11, 2500])
def test_each_line_is_sent_as_an_entry(server: FaultServer, path: Path, count: int) -> None:
    write(path, [entry(n) for n in range(count)])
    summary = run(path)
    assert server.times_delivered == dict.fromkeys(range(count), 1)
    assert (summary["sent"], summary["failed"]) == (count, 0)
    assert summary["requests"] == len(server.requests)
    assert summary["bytes"] == sum(
        len(sent["Source"] + sent["DetailType"] + sent["Detail"]) for sent in server.delivered
    )
    assert summary["seconds"] >= 0


def test_each_line_is_sent_as_a_detail_with_source_and_detail_type(server: FaultServer, path: Path) -> None:
    write(path, [{"n": n, "kind": f"kind-{n}"} for n in range(3)])
    run(path, source="com.company.orders", detail_type="@.kind")
    assert [(sent["Source"], sent["DetailType"], sent["Detail"]) for sent in server.delivered] == [
        ("com.company.orders", f"kind-{n}", f'{{"n":{n},"kind":"kind-{n}"}}') for n in range(3)
    ]


def test_gzip_is_decompressed(server: FaultServer, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl.gz"
    path.write_bytes(gzip.compress("".join(json.dumps(entry(n)) + "\n" for n in range(25)).encode()))
    assert run(path)["sent"] == 25
    assert set(server.times_delivered) == set(range(25))


def test_invalid_lines_fail_by_number_and_all_others_are_sent(server: FaultServer, path: Path) -> None:
    write(path, [entry(0), "not json", "", entry(1), {**entry(2), "Source": None}, "[]", entry(3)])
    with fails_with(PutEventsError) as caught:
        run(path)
    assert [(failed.index + 1, failed.code) for failed in caught.value.failed] == [
        (2, "BadLine"),
        (5, "InvalidEntry"),
        (6, "InvalidEntry"),
    ]
    assert "line 2" in str(caught.value)
    assert caught.value.permanent
    assert set(server.times_delivered) == {0, 1, 3}


def test_invalid_lines_are_written_to_the_failed_entries_path(server: FaultServer, path: Path, tmp_path: Path) -> None:
    failed_path = tmp_path / "failed.jsonl"
    write(path, [entry(0), "not json", {**entry(2), "Detailtype": "x"}])
    summary = run(path, failed_entries_path=str(failed_path), max_failed=2)
    assert (summary["sent"], summary["failed"]) == (1, 2)
    lines = [json.loads(line) for line in failed_path.read_text().splitlines()]
    assert lines[0]["Text"] == "not json"
    assert lines[0]["ErrorCode"] == "BadLine"
    assert lines[1]["Detail"] == {"n": 2}


def test_line_without_the_value_of_the_path_fails(server: FaultServer, path: Path) -> None:
    write(path, [{"n": 0, "kind": "a"}, {"n": 1}, "7"])
    with fails_with(PutEventsError) as caught:
        run(path, source="s", detail_type="@.kind")
    assert [failed.index for failed in caught.value.failed] == [1, 2]
    assert caught.value.failed[0].message.startswith("DetailType: ")


def test_failed_entries_can_be_sent_from_their_file(server: FaultServer, path: Path, tmp_path: Path) -> None:
    failed_path = tmp_path / "failed.jsonl"
    write(path, [entry(n) for n in range(50)])
    server.script = lambda number, sent: Reply(codes={0: "AccessDeniedException"})
    with fails_with(PutEventsError):
        run(path, failed_entries_path=str(failed_path))
    server.script = lambda number, sent: None
    assert run(failed_path)["sent"] == 5
    assert server.times_delivered == dict.fromkeys(range(50), 1)


def test_unusual_invalid_lines_do_not_stop_the_others(server: FaultServer, path: Path, tmp_path: Path) -> None:
    bad = [
        '{"Source": "s", "DetailType": "t", "Detail": {"a": "\\ud800"}}',
        {**entry(0), "Time": 1_700_000_000_000_000_000},
        {**entry(0), "Time": True},
    ]
    write(path, [line for number, each in enumerate(bad, 1) for line in (entry(number), each)])
    failed_path = tmp_path / "failed.jsonl"
    summary = run(path, max_failed=3, failed_entries_path=str(failed_path))
    assert (summary["sent"], summary["failed"]) == (3, 3)
    assert set(server.times_delivered) == {1, 2, 3}
    assert len(failed_path.read_text().splitlines()) == 3


def test_line_that_the_path_cannot_evaluate_fails(server: FaultServer, path: Path) -> None:
    write(path, [{"n": 0, "kinds": ["a", "b"]}, {"n": 1, "kinds": None}, {"n": 2, "kinds": ["c"]}])
    with fails_with(PutEventsError) as caught:
        run(path, source="s", detail_type="@.join('.', kinds)")
    assert [failed.index for failed in caught.value.failed] == [1]
    assert set(server.times_delivered) == {0, 2}


def test_byte_order_mark_is_skipped(server: FaultServer, path: Path) -> None:
    path.write_text(json.dumps(entry(0)), encoding="utf-8-sig")
    assert run(path)["sent"] == 1


@pytest.mark.parametrize("other", ["file://{}", "{}/../{name}"])
def test_other_spelling_of_the_input_as_failed_entries_path_raises(server: FaultServer, path: Path, other: str) -> None:
    write(path, [entry(0), "bad"])
    folder = str(path.parent) if "name" in other else path
    with fails_with(InvalidInputError) as caught:
        run(path, failed_entries_path=other.format(folder, name=f"{path.parent.name}/{path.name}"))
    assert caught.value.place == "failed_entries_path"


class TestRetry:
    def test_retry_sends_only_the_unsent_lines(self, server: FaultServer, path: Path) -> None:
        store = DictStore()
        write(path, [entry(n) for n in range(3000)])
        server.script = lambda number, sent: Reply(
            codes={p: "InternalFailure" for p, each in enumerate(sent) if each["Detail"] in ('{"n":5}', '{"n":2999}')}
        )
        with pytest.raises(PutEventsError):
            run(path, store, max_attempts=1)
        server.script = lambda number, sent: None
        summary = run(path, store)
        assert server.times_delivered == dict.fromkeys(range(3000), 1)
        assert (summary["sent"], summary["failed"], summary["requests"]) == (3000, 0, 1)

    def test_changed_file_is_sent_from_the_start(self, server: FaultServer, path: Path) -> None:
        store = DictStore()
        write(path, [entry(n) for n in range(10)])
        server.script = lambda number, sent: Reply(codes={3: "InternalFailure"})
        with pytest.raises(PutEventsError):
            run(path, store, max_attempts=1)
        write(path, [entry(n) for n in range(20)])
        server.script = lambda number, sent: None
        server.delivered.clear()
        run(path, store)
        assert set(server.times_delivered) == set(range(20))


@pytest.mark.parametrize(
    ("parameters", "place"),
    [
        ({"path": "/nowhere/events.jsonl"}, "path"),
        ({"path": "nosuchscheme://bucket/key"}, "path"),
        ({"failed_entries_path": "nosuchscheme://bucket/key"}, "failed_entries_path"),
        ({"source": "s"}, "detail_type"),
        ({"detail_type": "@.["}, "source"),
        ({"event_bus_name": ""}, "event_bus_name"),
    ],
)
def test_invalid_parameter_raises(server: FaultServer, path: Path, parameters: dict[str, Any], place: str) -> None:
    write(path, [entry(0)])
    with fails_with(InvalidInputError) as caught:
        run(**{"path": path, **parameters})
    assert caught.value.place == place
    assert server.requests == []


def test_input_as_failed_entries_path_raises(server: FaultServer, path: Path) -> None:
    write(path, [entry(0)])
    with fails_with(InvalidInputError) as caught:
        run(path, failed_entries_path=str(path))
    assert caught.value.place == "failed_entries_path"
    assert path.read_text() == json.dumps(entry(0)) + "\n"


def test_other_storage_is_supported(server: FaultServer) -> None:
    """Not a file of this machine, but what fsspec calls memory."""
    attach("memory", fs=MemoryFileSystem())
    path = ObjectStoragePath("memory://bucket/events.jsonl")
    failed_path = ObjectStoragePath("memory://bucket/failed.jsonl")
    path.write_text("".join(json.dumps(entry(n)) + "\n" for n in range(25)))
    server.script = lambda number, sent: Reply(codes={0: "MalformedDetail"} if number == 1 else {})
    summary = run(path, failed_entries_path=failed_path, max_failed=1)
    assert (summary["sent"], summary["failed"]) == (24, 1)
    assert json.loads(failed_path.read_text())["ErrorCode"] == "MalformedDetail"
