"""What targets receive, by the user guide and by what LocalStack's tests recorded on AWS."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_cwevents.exceptions import InvalidInputError
from airflow_cwevents.targets import Placeholder, preview_target_input

EVENT: dict[str, Any] = {
    "version": "0",
    "id": "7bf73129",
    "detail-type": "EC2 Instance State-change Notification",
    "source": "aws.ec2",
    "time": "2026-11-25T08:00:00Z",
    "resources": ["arn:aws:ec2:us-east-1:123456789012:instance/i-1"],
    "detail": {"instance-id": "i-1", "state": 'stopped "now"', "count": 3, "tags": {"team": "data"}, "none": None},
}
RULE_ARN = "arn:aws:events:us-east-1:123456789012:rule/orders"


def preview(**target: Any) -> str | None:
    at = datetime(2026, 11, 25, 8, tzinfo=UTC)
    return preview_target_input(target, EVENT, rule_arn=RULE_ARN, ingestion_time=at)


def transformed(template: object, **paths: str) -> str | None:
    return preview(InputTransformer={"InputTemplate": template, "InputPathsMap": paths})


def test_no_input_is_the_whole_event() -> None:
    assert json.loads(str(preview(Id="t"))) == EVENT


@pytest.mark.parametrize("constant", [{"a": 1}, '{"a":1}'])
def test_constant_input(constant: object) -> None:
    assert preview(Input=constant) == '{"a":1}'


@pytest.mark.parametrize(
    ("path", "received"),
    [
        ("$.detail.state", '"stopped \\"now\\""'),
        ("$['detail']['count']", "3"),
        ("$.detail.tags", '{"team":"data"}'),
        ("$.resources[0]", '"arn:aws:ec2:us-east-1:123456789012:instance/i-1"'),
        ("$.detail.missing", '""'),
        ("$.resources[1]", '""'),
    ],
)
def test_input_path(path: str, received: str) -> None:
    assert preview(InputPath=path) == received


def test_values_in_a_json_template() -> None:
    template = '{"instance": <i>, "count": <n>, "tags": <t>, "text": "<i> is <s>, <n> times", "missing": <m>}'
    received = transformed(
        template, i="$.detail.instance-id", n="$.detail.count", t="$.detail.tags", s="$.detail.state", m="$.detail.x"
    )
    assert json.loads(str(received)) == {
        "instance": "i-1",
        "count": 3,
        "tags": {"team": "data"},
        "text": 'i-1 is stopped "now", 3 times',
        "missing": "",
    }


def test_lines_of_strings_keep_their_quotes() -> None:
    received = transformed('"<i> is down"\n"since <t>"', i="$.detail.instance-id", t="$.time")
    assert received == '"i-1 is down"\n"since 2026-11-25T08:00:00Z"'


def test_text_without_quotes() -> None:
    assert transformed("<i> is down", i="$.detail.instance-id") == "i-1 is down"


def test_escaped_bracket_is_no_placeholder() -> None:
    assert transformed(r'{"html": "\<b> <i>"}', i="$.detail.instance-id") == '{"html": "<b> i-1"}'


def test_object_in_quotes_delivers_nothing() -> None:
    assert transformed('{"tags": "<t>"}', t="$.detail.tags") is None
    assert transformed({"tags": Placeholder("t")}, t="$.detail.tags") == '{"tags":{"team":"data"}}'


def test_predefined_variables() -> None:
    received = transformed(
        '{"rule": "<aws.events.rule-name>", "arn": <aws.events.rule-arn>, "at": <aws.events.event.ingestion-time>, '
        '"event": <aws.events.event.json>, "envelope": <aws.events.event>}'
    )
    assert json.loads(str(received)) == {
        "rule": "orders",
        "arn": RULE_ARN,
        "at": "2026-11-25T08:00:00Z",
        "event": EVENT,
        "envelope": {name: value for name, value in EVENT.items() if name != "detail"},
    }


def test_invalid_input_raises() -> None:
    with pytest.raises(InvalidInputError) as caught:
        preview(Input="{}", InputPath="$")
    assert caught.value.place == "Input"


def test_event_that_is_no_object_raises() -> None:
    with pytest.raises(InvalidInputError) as caught:
        preview_target_input({}, [])  # type: ignore[arg-type]
    assert caught.value.place == "event"
