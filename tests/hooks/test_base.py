from __future__ import annotations

from typing import Any

import pytest
from botocore.config import Config
from botocore.httpsession import URLLib3Session

from airflow_cwevents._aws.client_config import REQUEST_ATTEMPTS
from airflow_cwevents._send.options import MAX_CONCURRENCY
from airflow_cwevents.exceptions import InvalidInputError
from airflow_cwevents.hooks import CloudWatchEventsHook


def hook_with(**arguments: Any) -> CloudWatchEventsHook:
    return CloudWatchEventsHook(None, **{"region_name": "us-east-1", **arguments})


class TestRegion:
    def test_from_parameter(self) -> None:
        assert hook_with(region_name="eu-west-1").conn.meta.region_name == "eu-west-1"

    def test_from_connection(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_AWS_OTHER", '{"conn_type": "aws", "extra": {"region_name": "eu-west-2"}}')
        hook = CloudWatchEventsHook("aws_other")
        assert hook.conn.meta.region_name == "eu-west-2"
        assert hook.client("sqs").meta.region_name == "eu-west-2"

    def test_from_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-3")
        assert hook_with(region_name=None).conn.meta.region_name == "eu-west-3"

    @pytest.mark.parametrize("region_name", [None, ""])
    def test_missing_region_raises_before_any_request(
        self, monkeypatch: pytest.MonkeyPatch, region_name: str | None
    ) -> None:
        monkeypatch.delenv("AWS_DEFAULT_REGION")
        with pytest.raises(InvalidInputError) as caught:
            hook_with(region_name=region_name).put_rule("r", schedule_expression="rate(1 day)")
        assert caught.value.place == "region_name"
        assert caught.value.permanent


class TestClient:
    def test_client_is_created_once(self) -> None:
        hook = hook_with()
        assert hook.conn is hook.conn
        assert hook.conn.meta.service_model.service_name == "events"

    def test_clients_of_other_services_share_region_and_settings(self) -> None:
        hook = hook_with(region_name="eu-west-1", config={"read_timeout": 7}, verify=False)
        sqs = hook.client("sqs")
        assert sqs is hook.client("sqs")
        assert sqs is not hook.client("sns")
        assert (sqs.meta.region_name, sqs.meta.config.read_timeout) == ("eu-west-1", 7)
        assert [client._endpoint.http_session._verify for client in (sqs, hook.conn)] == [False, False]

    def test_endpoint_of_the_connection_is_used(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(
            "AIRFLOW_CONN_LOCAL",
            '{"conn_type": "aws", "extra": {"region_name": "us-east-1", "endpoint_url": "http://127.0.0.1:4566"}}',
        )
        hook = CloudWatchEventsHook("local")
        assert {hook.conn.meta.endpoint_url, hook.client("lambda").meta.endpoint_url} == {"http://127.0.0.1:4566"}


class TestTuning:
    @pytest.mark.parametrize("config", [None, {"max_pool_connections": 1}, Config(max_pool_connections=1)])
    def test_connection_pool_fits_maximum_concurrency(self, config: Config | dict[str, Any] | None) -> None:
        session = hook_with(config=config).conn._endpoint.http_session
        assert isinstance(session, URLLib3Session)
        assert vars(session)["_max_pool_connections"] == MAX_CONCURRENCY

    def test_larger_pool_is_kept(self) -> None:
        size = MAX_CONCURRENCY + 1
        assert hook_with(config={"max_pool_connections": size}).conn.meta.config.max_pool_connections == size

    def test_settings_of_the_user_take_precedence(self) -> None:
        config = hook_with(
            config={"read_timeout": 7, "retries": {"mode": "adaptive", "total_max_attempts": 3}}
        ).conn.meta.config
        assert config.read_timeout == 7
        assert config.retries == {"mode": "adaptive", "total_max_attempts": 3}

    def test_requests_have_more_attempts_than_by_default(self) -> None:
        assert hook_with().conn.meta.config.retries == {"mode": "legacy", "total_max_attempts": REQUEST_ATTEMPTS}

    @pytest.mark.parametrize(
        ("variable", "value", "expected"),
        [("AWS_MAX_ATTEMPTS", "2", "total_max_attempts"), ("AWS_RETRY_MODE", "adaptive", "mode")],
    )
    def test_retry_settings_of_the_environment_take_precedence(
        self, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, expected: str
    ) -> None:
        monkeypatch.setenv(variable, value)
        assert str(hook_with().conn.meta.config.retries[expected]) == value

    def test_settings_of_the_connection_are_kept(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(
            "AIRFLOW_CONN_TUNED",
            '{"conn_type": "aws", "extra": {"region_name": "us-east-1", "config_kwargs": {"connect_timeout": 3}}}',
        )
        assert CloudWatchEventsHook("tuned").conn.meta.config.connect_timeout == 3

    @pytest.mark.parametrize(
        ("config", "own"),
        [(None, "Botocore/"), ({"user_agent": "mine/1"}, "mine/1"), ({"user_agent_extra": "team/data"}, "team/data")],
    )
    def test_user_agent_contains_airflow_and_the_user_setting(
        self, aws: None, config: dict[str, Any] | None, own: str
    ) -> None:
        agents: list[str] = []
        hook = hook_with(config=config)
        hook.conn.meta.events.register(
            "before-send.eventbridge.*", lambda request, **_: agents.append(request.headers["User-Agent"].decode())
        )
        hook.find_rule("r")
        assert len(agents) == 1
        assert own in agents[0]
        assert "Airflow/" in agents[0]
        assert "AmPP/" in agents[0]
