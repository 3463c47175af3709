from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from airflow_cwevents.exceptions import EventBusNotFoundError, InvalidEntryError, InvalidInputError
from airflow_cwevents.hooks import CloudWatchEventsHook
from tests.fault_server import FaultServer

ENTRY = {"Source": "com.company.app", "DetailType": "appRequestSubmitted", "Detail": {"key1": "value1"}}


@pytest.fixture
def hook() -> CloudWatchEventsHook:
    return CloudWatchEventsHook(None)


@pytest.fixture
def stub(hook: CloudWatchEventsHook) -> Iterator[Stubber]:
    with Stubber(hook.conn) as stub:
        yield stub
        stub.assert_no_pending_responses()


def answer(*results: dict[str, str]) -> dict[str, Any]:
    return {"FailedEntryCount": sum("ErrorCode" in result for result in results), "Entries": list(results)}


def test_members_are_converted_to_aws_types(hook: CloudWatchEventsHook, stub: Stubber) -> None:
    noon = datetime(2026, 1, 31, 12, tzinfo=UTC)
    stub.add_response(
        "put_events",
        answer({"EventId": "1"}),
        {
            "Entries": [
                {
                    "Source": "com.company.app",
                    "DetailType": "appRequestSubmitted",
                    "Detail": '{"key1":"value1"}',
                    "Time": noon,
                    "Resources": ["arn:aws:s3:::b"],
                    "EventBusName": "default",
                    "TraceHeader": "Root=1-5759e988",
                }
            ]
        },
    )
    entry = {
        **ENTRY,
        "Time": "2026-01-31T12:00:00Z",
        "Resources": ("arn:aws:s3:::b",),
        "TraceHeader": "Root=1-5759e988",
    }
    assert [result.event_id for result in hook.put_events([entry], event_bus_name="default")] == ["1"]


def test_only_transient_failures_are_sent_again(hook: CloudWatchEventsHook, stub: Stubber) -> None:
    wires = [{"Source": "s", "DetailType": "d", "Detail": f'{{"n":{n}}}'} for n in range(3)]
    stub.add_response(
        "put_events",
        answer({"EventId": "0"}, {"ErrorCode": "ThrottlingException"}, {"ErrorCode": "MalformedDetail"}),
        {"Entries": wires},
    )
    stub.add_response("put_events", answer({"EventId": "1"}), {"Entries": wires[1:2]})
    results = list(hook.put_events(wires))
    assert [(result.event_id, result.error_code) for result in results] == [
        ("0", None),
        ("1", None),
        (None, "MalformedDetail"),
    ]


def test_stream_events_sends_nothing_before_the_first_result_is_requested(
    hook: CloudWatchEventsHook, server: FaultServer
) -> None:
    sender = hook.stream_events([{**ENTRY, "Detail": {"n": 1}}])
    time.sleep(0.05)
    assert server.requests == []
    assert next(sender).event_id
    assert len(server.requests) == 1


def test_put_events_sends_before_it_returns(hook: CloudWatchEventsHook, server: FaultServer) -> None:
    results = hook.put_events([{**ENTRY, "Detail": {"n": 1}}])
    assert len(server.requests) == 1
    assert [result.index for result in results] == [0]


def test_invalid_entry_of_a_list_raises_before_anything_is_sent(hook: CloudWatchEventsHook, stub: Stubber) -> None:
    with pytest.raises(InvalidEntryError) as caught:
        hook.put_events([ENTRY] * 20 + [{**ENTRY, "Source": None}])
    assert caught.value.index == 20


@pytest.mark.usefixtures("aws")
def test_invalid_entry_of_a_stream_is_a_failed_result(hook: CloudWatchEventsHook) -> None:
    stream = (dict(ENTRY, Source=source) for source in ("a", None, "b"))
    results = list(hook.put_events(stream))
    assert [result.error_code for result in results] == [None, "InvalidEntry", None]
    assert results[1].error_message is not None
    assert results[1].error_message.startswith("Source: ")
    assert not results[1].retryable


@pytest.mark.usefixtures("aws")
class TestEventBus:
    def test_missing_bus_raises_before_anything_is_sent(self, hook: CloudWatchEventsHook) -> None:
        with pytest.raises(EventBusNotFoundError) as caught:
            hook.put_events([ENTRY], event_bus_name="missing")
        assert caught.value.event_bus_name == "missing"

    def test_missing_bus_of_an_entry_raises(self, hook: CloudWatchEventsHook) -> None:
        with pytest.raises(EventBusNotFoundError) as caught:
            hook.put_events([ENTRY, {**ENTRY, "EventBusName": "missing"}])
        assert caught.value.event_bus_name == "missing"

    def test_missing_bus_in_a_stream_fails_its_entries_only(self, hook: CloudWatchEventsHook) -> None:
        lost = {**ENTRY, "EventBusName": "missing"}
        results = list(hook.put_events(iter([ENTRY, lost, ENTRY, lost])))
        assert [result.error_code for result in results] == [None, "EventBusNotFound", None, "EventBusNotFound"]
        assert "'missing'" in str(results[3].error_message)

    def test_errors_of_a_missing_bus_do_not_accumulate_frames(self, hook: CloudWatchEventsHook) -> None:
        preparation = hook._sending.preparation(None, 1_000, check_event_bus=True)
        frames = []
        for index in range(5):
            with pytest.raises(EventBusNotFoundError) as caught:
                preparation.prepare_one(index, {**ENTRY, "EventBusName": "missing"})
            frames.append(len(caught.traceback))
        assert len(set(frames[1:])) == 1

    def test_each_bus_is_looked_up_once(self, hook: CloudWatchEventsHook) -> None:
        boto3.client("events").create_event_bus(Name="orders")
        looked_up: list[str] = []
        hook.conn.meta.events.register(
            "before-parameter-build.eventbridge.DescribeEventBus", lambda params, **_: looked_up.append(params["Name"])
        )
        entries = [{**ENTRY, "EventBusName": "orders"}] * 30 + [ENTRY, {**ENTRY, "EventBusName": "default"}]
        assert all(result.event_id for result in hook.put_events(entries, event_bus_name="orders"))
        assert looked_up == ["orders"]

    def test_v2_bus_raises(self, hook: CloudWatchEventsHook) -> None:
        with pytest.raises(InvalidInputError) as caught:
            hook.put_events([ENTRY], event_bus_name="arn:aws:events:us-east-1:123456789012:event-busv2/b")
        assert caught.value.place == "event_bus_name"


def test_check_event_bus_false_skips_the_lookup(hook: CloudWatchEventsHook, stub: Stubber) -> None:
    wire = {"Source": "s", "DetailType": "d", "Detail": "{}", "EventBusName": "missing"}
    stub.add_response("put_events", answer({"EventId": "1"}), {"Entries": [wire]})
    sent = hook.put_events([wire], event_bus_name="missing", check_event_bus=False)
    assert [result.event_id for result in sent] == ["1"]


def test_missing_permission_to_look_up_the_bus_does_not_stop_sending(hook: CloudWatchEventsHook, stub: Stubber) -> None:
    wire = {"Source": "s", "DetailType": "d", "Detail": "{}", "EventBusName": "orders"}
    stub.add_client_error("describe_event_bus", "AccessDeniedException")
    stub.add_response("put_events", answer({"EventId": "1"}), {"Entries": [wire]})
    assert [result.event_id for result in hook.put_events([wire], event_bus_name="orders")] == ["1"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("max_bytes", 0), ("max_concurrency", 1000), ("max_attempts", 0), ("max_retry_seconds", -1)],
)
def test_invalid_option_raises_before_anything_is_sent(
    hook: CloudWatchEventsHook, stub: Stubber, name: str, value: int
) -> None:
    with pytest.raises(InvalidInputError) as caught:
        hook.put_events([ENTRY], **{name: value})
    assert caught.value.place == name


def test_global_endpoint_without_its_package_raises(
    hook: CloudWatchEventsHook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InvalidInputError) as caught:
        hook.put_events([ENTRY], endpoint_id="abcde.veo")
    assert caught.value.place == "endpoint_id"
    assert "botocore[crt]" in caught.value.remedy


def test_endpoint_id_is_passed_to_aws(hook: CloudWatchEventsHook, monkeypatch: pytest.MonkeyPatch) -> None:
    """As far as the call: to sign it, botocore needs the package."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    seen: list[str] = []
    hook.conn.meta.events.register(
        "provide-client-params.eventbridge.PutEvents", lambda params, **_: seen.append(params["EndpointId"])
    )
    list(hook.put_events([ENTRY], endpoint_id="abcde.veo"))
    assert seen == ["abcde.veo"]


@pytest.mark.usefixtures("aws")
def test_event_reaches_the_target(hook: CloudWatchEventsHook) -> None:
    sqs = boto3.client("sqs")
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    hook.put_rule("r", event_pattern={"source": ["com.company.app"]})
    hook.put_targets("r", [{"Id": "q", "Arn": "arn:aws:sqs:us-east-1:123456789012:q"}])
    sent = [result.event_id for result in hook.put_events([ENTRY])]
    message = sqs.receive_message(QueueUrl=url)["Messages"][0]
    assert sent[0] is not None
    assert sent[0] in message["Body"]
    assert '"key1": "value1"' in message["Body"]
