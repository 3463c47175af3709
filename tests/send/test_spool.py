from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from airflow_cwevents._send.entries import SizedEntry, normalise_entry
from airflow_cwevents._send.spool import Spool


def ready(count: int, text: str = "é") -> Iterator[SizedEntry]:
    for n in range(count):
        entry = {
            "Source": "s",
            "DetailType": "d",
            "Detail": {"n": n, "t": text},
            "Time": datetime(2026, 1, 31, tzinfo=UTC),
        }
        yield SizedEntry(n, normalise_entry(entry, n), 20 + n)


def test_entries_are_read_as_written() -> None:
    with Spool() as spool:
        spool.write(ready(100))
        assert spool.count == 100
        assert list(spool.read()) == [(item.index, item.size, item.entry) for item in ready(100)]


def test_fingerprint_differs_between_inputs() -> None:
    fingerprints = []
    for entries in (ready(10), ready(10), ready(11), ready(10, "x")):
        with Spool() as spool:
            spool.write(entries)
            fingerprints.append(spool.fingerprint)
    assert fingerprints[0] == fingerprints[1]
    assert len(set(fingerprints)) == 3
