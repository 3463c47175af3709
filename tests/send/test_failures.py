from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from airflow_cwevents._send import failures as failures_module
from airflow_cwevents._send.entries import EntryResult, normalise_entry
from airflow_cwevents._send.failures import Failures
from airflow_cwevents.exceptions import FailedEntry
from tests.airflow_versions import ObjectStoragePath

ENTRY = {"Source": "s", "DetailType": "d", "Detail": '{"n":1}'}


def failed(index: int, code: str = "MalformedDetail", *, retryable: bool = False) -> EntryResult:
    return EntryResult(index, None, code, "no", retryable, ENTRY)


def test_error_lists_each_entry() -> None:
    failures = Failures(None, "entry")
    failures.add(failed(3))
    failures.add(failed(8, "InternalFailure"))
    error = failures.error(sent=10)
    assert error.failed == (FailedEntry(3, "MalformedDetail", "no"), FailedEntry(8, "InternalFailure", "no"))
    assert error.sent == 10
    assert error.counts == {"MalformedDetail": 1, "InternalFailure": 1}
    assert "entries[3]" in str(error)


@pytest.mark.parametrize(("retryable", "permanent"), [([False, False], True), ([False, True], False)])
def test_error_is_permanent_if_no_entry_is_retryable(retryable: list[bool], permanent: bool) -> None:
    failures = Failures(None, "entry")
    for index, again in enumerate(retryable):
        failures.add(failed(index, retryable=again))
    assert failures.error(0).permanent is permanent


def test_failed_lines_are_listed_by_number() -> None:
    failures = Failures(None, "line")
    failures.add(failed(3))
    assert "line 4:" in str(failures.error(0))


def test_message_lists_the_first_few_entries() -> None:
    failures = Failures(None, "entry")
    for index in range(100):
        failures.add(failed(index))
    text = str(failures.error(0))
    assert len(text.splitlines()) == 7
    assert "95 more" in text
    assert len(failures.error(0).failed) == 100


def test_file_has_entries_that_can_be_sent_again(tmp_path: Path) -> None:
    path = tmp_path / "new" / "failed.jsonl"
    failures = Failures(ObjectStoragePath(str(path)), "entry")
    entry = normalise_entry({**ENTRY, "Time": datetime(2026, 1, 31, tzinfo=UTC), "Detail": {"a": "é"}}, 0)
    failures.add(EntryResult(0, None, "InternalFailure", "no", True, entry))
    failures.close()
    line = json.loads(path.read_text())
    assert (line["ErrorCode"], line["ErrorMessage"]) == ("InternalFailure", "no")
    assert normalise_entry(line, 0) == entry
    assert str(path) in str(failures.error(0))


def test_file_of_the_previous_attempt_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "failed.jsonl"
    path.write_text("old\n")
    failures = Failures(ObjectStoragePath(str(path)), "entry")
    failures.add(failed(0))
    failures.close()
    assert "old" not in path.read_text()


def test_file_of_the_previous_attempt_is_removed_on_request_only(tmp_path: Path) -> None:
    path = tmp_path / "failed.jsonl"
    path.write_text("old\n")
    failures = Failures(ObjectStoragePath(str(path)), "entry")
    failures.close()
    assert path.exists()
    failures.remove_outdated_file()
    assert not path.exists()
    failures.remove_outdated_file()


def test_file_with_failures_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "failed.jsonl"
    failures = Failures(ObjectStoragePath(str(path)), "entry")
    failures.add(failed(0))
    failures.close()
    failures.remove_outdated_file()
    assert path.exists()


def test_failed_removal_of_the_file_logs_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Path(ObjectStoragePath):
        def unlink(self, missing_ok: bool = False) -> None:
            raise PermissionError("s3:ListBucket")

    Failures(Path(str(tmp_path / "failed.jsonl")), "entry").remove_outdated_file()
    assert "Could not remove" in caplog.text


def test_unwritable_file_does_not_hide_the_failures(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    failures = Failures(ObjectStoragePath(str(tmp_path / "file" / "failed.jsonl")), "entry")
    for index in range(2_000):
        failures.add(failed(index))
    failures.close()
    error = failures.error(0)
    assert len(error.failed) == 2_000
    assert isinstance(error.path_error, OSError)
    assert "could not be written" in str(error)
    assert not error.permanent


def test_file_named_gz_is_compressed(tmp_path: Path) -> None:
    path = tmp_path / "failed.jsonl.gz"
    failures = Failures(ObjectStoragePath(str(path)), "entry")
    failures.add(failed(0))
    failures.close()
    assert json.loads(gzip.decompress(path.read_bytes()))["Detail"] == ENTRY["Detail"]


def test_lone_surrogates_are_written(tmp_path: Path) -> None:
    path = tmp_path / "failed.jsonl"
    failures = Failures(ObjectStoragePath(str(path)), "entry")
    failures.add(EntryResult(0, None, "InvalidEntry", "no", entry={"Detail": {"a": "\ud800"}}))
    failures.close()
    assert failures.file_error is None
    assert json.loads(path.read_bytes())["Detail"] == {"a": "\ud800"}


def test_error_lists_entries_in_input_order() -> None:
    failures = Failures(None, "entry")
    for index in (8, 3, 5):
        failures.add(failed(index))
    assert [entry.index for entry in failures.error(0).failed] == [3, 5, 8]


def test_error_lists_fewer_entries_if_there_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures_module, "MAX_CARRIED_WITH_FILE", 3)
    failures = Failures(ObjectStoragePath(str(tmp_path / "failed.jsonl")), "entry")
    for index in range(10):
        failures.add(failed(index))
    failures.close()
    error = failures.error(0)
    assert [entry.index for entry in error.failed] == [0, 1, 2]
    assert error.counts.total() == failures.total == 10
    assert len((tmp_path / "failed.jsonl").read_text().splitlines()) == 10
