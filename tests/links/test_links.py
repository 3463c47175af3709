from __future__ import annotations

import json
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest

from airflow_cwevents.links import EventBusLink, EventRuleLink
from airflow_cwevents.links.console import ConsolePlace
from airflow_cwevents.operators import EnableRuleOperator, PutEventsOperator, PutRuleOperator, PutTargetsOperator
from airflow_cwevents.operators.base import CloudWatchEventsBaseOperator
from tests.airflow_versions import BaseOperatorLink

HOME = "https://console.aws.amazon.com/events/home?region=us-east-1#"
PARTNER_BUS = "aws.partner/example.com/acct 1/orders"


@pytest.fixture(autouse=True)
def _no_stored_links(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let links of Airflow 2 do without a database."""
    monkeypatch.setattr("airflow_cwevents.links.console.stored_link", lambda link, ti_key: "")


def link(of: BaseOperatorLink, place: ConsolePlace | None) -> str:
    return of.get_link(SimpleNamespace(console_place=place), ti_key=None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("place", "rule_link", "bus_link"),
    [
        (
            ConsolePlace("aws", "us-east-1", "default", "DEMO_EVENT"),
            f"{HOME}/eventbus/default/rules/DEMO_EVENT",
            f"{HOME}/eventbus/default",
        ),
        (
            ConsolePlace("aws", "us-east-1", "orders", "a.b-c_d"),
            f"{HOME}/eventbus/orders/rules/a.b-c_d",
            f"{HOME}/eventbus/orders",
        ),
        (
            ConsolePlace("aws", "us-east-1", PARTNER_BUS, "r"),
            f"{HOME}/eventbus/aws.partner%2Fexample.com%2Facct%201%2Forders/rules/r",
            f"{HOME}/eventbus/aws.partner%2Fexample.com%2Facct%201%2Forders",
        ),
        (ConsolePlace("aws", "us-east-1", "orders"), "", f"{HOME}/eventbus/orders"),
        (
            ConsolePlace("aws-cn", "cn-north-1", "default", "r"),
            "https://console.amazonaws.cn/events/home?region=cn-north-1#/eventbus/default/rules/r",
            "https://console.amazonaws.cn/events/home?region=cn-north-1#/eventbus/default",
        ),
        (
            ConsolePlace("aws-us-gov", "us-gov-west-1", "default", "r"),
            "https://console.amazonaws-us-gov.com/events/home?region=us-gov-west-1#/eventbus/default/rules/r",
            "https://console.amazonaws-us-gov.com/events/home?region=us-gov-west-1#/eventbus/default",
        ),
        (ConsolePlace("aws-iso", "us-iso-east-1", "default", "r"), "", ""),
        (None, "", ""),
    ],
)
def test_links_open_the_rule_and_the_bus(place: ConsolePlace | None, rule_link: str, bus_link: str) -> None:
    assert link(EventRuleLink(), place) == rule_link
    assert link(EventBusLink(), place) == bus_link


def test_task_that_has_not_run_has_no_link() -> None:
    operator = EnableRuleOperator(task_id="t", name="r")
    assert EventRuleLink().get_link(operator, ti_key=None) == ""
    assert EventBusLink().get_link(SimpleNamespace(), ti_key=None) == ""


@pytest.mark.parametrize(
    ("event_bus_name", "bus"),
    [
        (None, "default"),
        ("orders", "orders"),
        ("arn:aws:events:us-east-1:123456789012:event-bus/orders", "orders"),
        (
            "arn:aws:events:us-east-1:123456789012:event-bus/aws.partner/example.com/orders",
            "aws.partner%2Fexample.com%2Forders",
        ),
    ],
)
def test_operator_sets_the_place(event_bus_name: str | None, bus: str) -> None:
    operator = CloudWatchEventsBaseOperator(task_id="t", aws_conn_id=None, region_name="eu-central-1")
    operator.show_in_console(event_bus_name, "r")
    url = urlsplit(EventRuleLink().get_link(operator, ti_key=None))
    assert url.hostname == "console.aws.amazon.com"
    assert url.query == "region=eu-central-1"
    assert url.fragment == f"/eventbus/{bus}/rules/r"


@pytest.mark.parametrize(
    ("endpoint_url", "shown"),
    [
        ("https://events.eu-central-1.amazonaws.com", True),
        ("https://vpce-1a2b-3c.events.eu-central-1.vpce.amazonaws.com", True),
        ("https://events.eu-central-1.api.aws", True),
        ("https://events.cn-north-1.amazonaws.com.cn", True),
        ("http://127.0.0.1:4566", False),
        ("https://events.amazonaws.com.example.com", False),
        ("https://fakeamazonaws.com", False),
    ],
)
def test_links_are_hidden_for_an_endpoint_that_is_not_of_aws(
    monkeypatch: pytest.MonkeyPatch, endpoint_url: str, shown: bool
) -> None:
    extra = {"region_name": "eu-central-1", "endpoint_url": endpoint_url}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps({"conn_type": "aws", "extra": extra}))
    operator = CloudWatchEventsBaseOperator(task_id="t")
    operator.show_in_console("orders", "r")
    for each in (EventRuleLink(), EventBusLink()):
        assert bool(each.get_link(operator, ti_key=None)) is shown


def test_operators_have_the_links_that_apply() -> None:
    for operator in (PutRuleOperator, PutTargetsOperator, EnableRuleOperator):
        assert [type(each) for each in operator.operator_extra_links] == [EventRuleLink, EventBusLink]
    assert [type(each) for each in PutEventsOperator.operator_extra_links] == [EventBusLink]
    assert EventRuleLink().name != EventBusLink().name
