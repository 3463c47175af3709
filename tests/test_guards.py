"""The guards fail a test although the code under test handled their exception."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, HTTPClientError
from botocore.stub import Stubber

from airflow_cwevents.hooks import CloudWatchEventsHook
from tests.guards import loopback_only, no_unexpected_requests

OUTSIDE = "192.0.2.1"  # a documentation address, https://www.rfc-editor.org/rfc/rfc5737


def test_every_test_is_guarded(request: pytest.FixtureRequest) -> None:
    assert "_guarded" in request.fixturenames


class TestLoopbackOnly:
    @pytest.mark.parametrize("host", [OUTSIDE, "events.us-east-1.amazonaws.com"])
    def test_botocore_wraps_the_refusal_and_the_test_fails_at_its_end(
        self, monkeypatch: pytest.MonkeyPatch, host: str
    ) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"https://{host}")
        hook = CloudWatchEventsHook(None, region_name="us-east-1", config={"retries": {"total_max_attempts": 1}})
        with (
            pytest.raises(AssertionError, match="leave this machine"),
            loopback_only(),
            pytest.raises(HTTPClientError, match="the test tried to"),
        ):
            hook.find_rule("r")

    def test_other_ways_to_connect(self) -> None:
        with (
            pytest.raises(AssertionError, match="leave this machine"),
            loopback_only(),
            socket.socket() as client,
            suppress(AssertionError),
        ):
            client.connect_ex((OUTSIDE, 443))

    def test_libcurl_does_not_connect(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"https://{OUTSIDE}")
        hook = CloudWatchEventsHook(None, region_name="us-east-1")
        entry = {"Source": "s", "DetailType": "d", "Detail": "{}"}
        with pytest.raises(AssertionError, match="libcurl"), loopback_only():
            hook.put_events([entry], check_event_bus=False)

    def test_loopback_is_allowed(self) -> None:
        with loopback_only(), socket.create_server(("127.0.0.1", 0)) as server:
            socket.create_connection(("localhost", server.getsockname()[1])).close()


class TestNoUnexpectedRequests:
    def call(self, *expected: dict[str, Any]) -> None:
        client = CloudWatchEventsHook(None, region_name="us-east-1").conn
        with Stubber(client) as stub:
            for parameters in expected:
                stub.add_response("delete_rule", {}, parameters)
            with suppress(BotoCoreError):
                client.delete_rule(Name="r")

    @pytest.mark.parametrize("expected", [[], [{"Name": "other"}]], ids=["no more responses", "other parameters"])
    def test_handled_error_fails_the_test_at_its_end(self, expected: list[dict[str, Any]]) -> None:
        with pytest.raises(AssertionError, match="did not expect"), no_unexpected_requests():
            self.call(*expected)

    def test_expected_request_is_allowed(self) -> None:
        with no_unexpected_requests():
            self.call({"Name": "r"})
