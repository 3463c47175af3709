"""Which clients the fast lane can send for: whatever it does not know is sent by botocore."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.stub import Stubber

from airflow_cwevents._send import lane_settings as module
from airflow_cwevents._send.codec import speed_up_put_events
from airflow_cwevents._send.lane_settings import UnsuitableClientError, lane_settings, unsuitable


def client_with(**config: Any) -> Any:
    return boto3.Session().client("events", config=Config(**config))


def test_plain_client_is_suitable() -> None:
    client = client_with(connect_timeout=5, read_timeout=7, tcp_keepalive=True, retries={"mode": "legacy"})
    speed_up_put_events(client)
    settings = lane_settings(client)
    assert settings.url == "https://events.us-east-1.amazonaws.com/"
    assert (settings.region_name, settings.signing_name) == ("us-east-1", "events")
    assert set(settings.headers) == {
        "X-Amz-Target: AWSEvents.PutEvents",
        "Content-Type: application/x-amz-json-1.1",
        "amz-sdk-request: attempt=1",
    }
    assert (settings.connect_timeout, settings.read_timeout, settings.tcp_keepalive) == (5, 7, True)
    assert settings.proxy == ""


def test_endpoint_is_the_one_of_botocores_rules() -> None:
    client = boto3.Session().client("events", region_name="us-gov-west-1", config=Config(use_fips_endpoint=True))
    settings = lane_settings(client)
    assert settings.url == "https://events.us-gov-west-1.amazonaws.com/"
    assert settings.region_name == "us-gov-west-1"


@pytest.mark.parametrize(
    ("no_proxy", "proxy"), [("", "http://user:pass@127.0.0.1:3128"), ("amazonaws.com", "")], ids=["proxy", "NO_PROXY"]
)
def test_proxies_of_the_environment_are_used(monkeypatch: pytest.MonkeyPatch, no_proxy: str, proxy: str) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "user:pass@127.0.0.1:3128")
    monkeypatch.setenv("NO_PROXY", no_proxy)
    assert lane_settings(client_with()).proxy == proxy


def test_capture_leaves_no_handler_behind() -> None:
    client = client_with()
    lane_settings(client)
    with Stubber(client) as stub:
        stub.add_response("put_events", {"FailedEntryCount": 0, "Entries": []}, {"Entries": [{"Source": "s"}]})
        client.put_events(Entries=[{"Source": "s"}])


@pytest.mark.parametrize("event", module._EVENTS)
def test_foreign_handler_is_respected(event: str) -> None:
    client = client_with()
    client.meta.events.register(f"{event}.events.*", lambda **_: None)
    assert event in (unsuitable(client) or "")


def test_handler_of_another_operation_does_not_matter() -> None:
    client = client_with()
    client.meta.events.register("before-send.events.PutRule", lambda **_: None)
    assert unsuitable(client) is None


def test_stubbed_client_is_left_to_botocore() -> None:
    client = client_with()
    with Stubber(client):
        assert "botocore.stub" in (unsuitable(client) or "")
    assert unsuitable(client) is None


def test_mock_that_starts_after_the_client_is_made_is_respected() -> None:
    from moto import mock_aws

    client = client_with()
    assert unsuitable(client) is None
    with mock_aws():
        assert "moto" in (unsuitable(client) or "")


def test_replaced_call_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    client = client_with()
    monkeypatch.setattr("botocore.client.BaseClient._make_api_call", lambda self, name, parameters: {})
    assert unsuitable(client)


def test_replaced_method_is_respected() -> None:
    client = client_with()
    client.put_events = lambda **_: {}
    assert unsuitable(client)


@pytest.mark.parametrize(
    "config",
    [
        {"client_cert": "/a/certificate"},
        {"retries": {"mode": "adaptive"}},
        {"proxies": {"https": "p"}, "proxies_config": {"proxy_client_cert": "/a/certificate"}},
        {"proxies": {"https": "p"}, "proxies_config": {"proxy_use_forwarding_for_https": True}},
    ],
    ids=lambda config: next(reversed(config)),
)
def test_setting_that_libcurl_does_not_get_is_left_to_botocore(config: dict[str, Any]) -> None:
    assert unsuitable(client_with(**config))


def test_endpoint_to_be_quoted_is_left_to_botocore() -> None:
    client = boto3.Session().client("events", endpoint_url="http://127.0.0.1/gate way")
    with pytest.raises(UnsuitableClientError, match="characters"):
        lane_settings(client)


def test_missing_ca_bundle_is_botocores_to_report() -> None:
    client = boto3.Session().client("events", verify="/no/such/bundle")
    assert "/no/such/bundle" in (unsuitable(client) or "")


@pytest.mark.parametrize("signature_version", [UNSIGNED, "v4a"], ids=["unsigned", "SigV4A"])
def test_other_signatures_are_left_to_botocore(signature_version: Any) -> None:
    with pytest.raises(UnsuitableClientError):
        lane_settings(client_with(signature_version=signature_version))


def test_missing_credentials_are_botocores_to_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(UnsuitableClientError, match="credentials"):
        lane_settings(client_with())


def test_old_libcurl_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pycurl.version_info", lambda: (11, "8.5.0-DEV"))
    assert "8.5.0" in (unsuitable(client_with()) or "")


def test_many_open_files_are_too_many_for_select(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_OPEN_FILES", 2)
    assert "files" in (unsuitable(client_with()) or "")
