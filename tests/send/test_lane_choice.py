"""Which lane a hook sends through; nothing that is mocked leaves the process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.stub import Stubber
from moto import mock_aws

from airflow_cwevents._send import curl_requests
from airflow_cwevents.hooks import CloudWatchEventsHook
from tests.fault_server import FaultServer

ENTRY = {"Source": "s", "DetailType": "d", "Detail": {"n": 1}}


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return the requests that the fast lane begins to send."""
    requests: list[Any] = []
    begin = curl_requests.CurlRequests.begin

    def noted(self: Any, request: Any, *arguments: Any) -> None:
        requests.append(request)
        begin(self, request, *arguments)

    monkeypatch.setattr(curl_requests.CurlRequests, "begin", noted)
    return requests


def test_plain_client_sends_through_the_fast_lane(server: FaultServer, begun: list[Any]) -> None:
    assert len(CloudWatchEventsHook(None).put_events([ENTRY] * 25)) == 25
    assert len(begun) == len(server.requests) == 3


def test_mock_that_starts_after_the_client_is_made_gets_the_events(begun: list[Any]) -> None:
    hook = CloudWatchEventsHook(None, region_name="us-east-1")
    assert hook.conn
    with mock_aws():
        (result,) = hook.put_events([ENTRY])
    assert result.event_id
    assert not begun


def test_stubbed_client_gets_the_events(begun: list[Any]) -> None:
    hook = CloudWatchEventsHook(None, region_name="us-east-1")
    with Stubber(hook.conn) as stub:
        stub.add_response("put_events", {"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]})
        (result,) = hook.put_events([ENTRY])
    assert result.event_id == "1"
    assert not begun


def test_handler_before_send_may_answer(server: FaultServer, begun: list[Any]) -> None:
    class Raw:
        def stream(self, **_: Any) -> Iterator[bytes]:
            yield b'{"FailedEntryCount": 0, "Entries": [{"EventId": "of the handler"}]}'

    hook = CloudWatchEventsHook(None)
    hook.conn.meta.events.register(
        "before-send.events.PutEvents", lambda request, **_: AWSResponse(request.url, 200, HTTPHeaders(), Raw())
    )
    (result,) = hook.put_events([ENTRY])
    assert result.event_id == "of the handler"
    assert not begun
    assert not server.requests
