"""What goes over the wire is what botocore itself would have written."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ParamValidationError

from airflow_cwevents._send.codec import CheckedEntries, report_throttling_at_once, speed_up_put_events
from tests.fault_server import FaultServer, error


class CapturedError(Exception):
    """The request has been seen."""


def body_of(client: Any, **parameters: Any) -> Any:
    """Return the body of the request that a call makes."""
    bodies = []

    def capture(request: Any, **_: Any) -> None:
        bodies.append(request.body)
        raise CapturedError

    client.meta.events.register("before-send.eventbridge.PutEvents", capture)
    with pytest.raises(CapturedError):
        client.put_events(**parameters)
    return json.loads(bodies[0])


@pytest.mark.parametrize(
    "entry",
    [
        {"Source": "s", "DetailType": "d", "Detail": '{"a": "é€𝄞\\n\\""}'},
        {"Source": "s", "DetailType": "d", "Detail": "{}", "Resources": ["arn:1", "arn:2"], "EventBusName": "b"},
        {"Source": "s", "DetailType": "d", "Detail": "{}", "Time": datetime(2026, 1, 31, 12, 0, 0, 900_000, UTC)},
        {"Source": "s", "DetailType": "d", "Detail": "{}", "TraceHeader": "Root=1"},
    ],
)
def test_body_equals_botocores(entry: dict[str, Any]) -> None:
    plain, ours = boto3.client("events"), boto3.client("events")
    speed_up_put_events(ours)
    entries = [entry, {**entry, "Source": "other"}]
    expected = body_of(plain, Entries=entries)
    if "Time" in entry:  # botocore up to 1.40.45 cuts off fractions of a second
        for sent in expected["Entries"]:
            sent["Time"] = entry["Time"].timestamp()
    assert body_of(ours, Entries=CheckedEntries(entries)) == expected


def test_plain_list_is_validated_by_botocore() -> None:
    client = boto3.client("events")
    speed_up_put_events(client)
    with pytest.raises(ParamValidationError, match="Sourc"):
        client.put_events(Entries=[{"Sourc": "s"}])
    assert body_of(client, Entries=[{"Source": "s", "Time": "2026-01-31T12:00:00Z"}]) == {
        "Entries": [{"Source": "s", "Time": 1769860800}]
    }


def test_callers_entries_are_not_modified() -> None:
    client = boto3.client("events")
    speed_up_put_events(client)
    entries = [{"Source": "s", "DetailType": "d", "Detail": "{}"}]
    body_of(client, Entries=CheckedEntries(entries))
    assert entries == [{"Source": "s", "DetailType": "d", "Detail": "{}"}]


def test_response_is_parsed_by_botocore(monkeypatch: pytest.MonkeyPatch) -> None:
    with FaultServer() as server:
        client = boto3.client("events", endpoint_url=server.url)
        speed_up_put_events(client)
        entries = CheckedEntries([{"Source": "s", "DetailType": "d", "Detail": '{"n": 1}'}])
        response = client.put_events(Entries=entries)
    assert response["FailedEntryCount"] == 0
    assert len(response["Entries"][0]["EventId"]) == 36
    assert server.delivered == [{"Source": "s", "DetailType": "d", "Detail": '{"n": 1}'}]


@pytest.mark.parametrize(
    ("status", "code", "checked", "requests"),
    [
        (400, "ThrottlingException", True, 1),
        (400, "ThrottlingException", False, 2),
        (503, "ServiceUnavailable", True, 2),
    ],
)
def test_only_throttled_requests_of_ours_are_not_retried(
    monkeypatch: pytest.MonkeyPatch, status: int, code: str, checked: bool, requests: int
) -> None:
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda seconds: None))
    with FaultServer(lambda number, entries: error(status, code)) as server:
        client = boto3.client("events", endpoint_url=server.url, config=Config(retries={"total_max_attempts": 2}))
        speed_up_put_events(client)
        report_throttling_at_once(client)
        entries = [{"Source": "s", "DetailType": "d", "Detail": '{"n": 1}'}]
        with pytest.raises(ClientError) as caught:
            client.put_events(Entries=CheckedEntries(entries) if checked else entries)
    assert caught.value.response["Error"]["Code"] == code
    assert len(server.requests) == requests
