from __future__ import annotations

import json
from types import MappingProxyType
from typing import Any

import pytest

from airflow_cwevents._declare.rule_spec import Change, aws_tags, changes, check_name, normalise_tags, rule_request
from airflow_cwevents.exceptions import InvalidEventPatternError, InvalidInputError, InvalidScheduleError

PATTERN = {"source": ["com.company.app"]}
PATTERN_TEXT = '{"source":["com.company.app"]}'
BUS_ARN = "arn:aws:events:us-east-1:123456789012:event-bus"
ROLE_ARN = "arn:aws:iam::123456789012:role/r"


def refusal(name: Any = "r", **arguments: Any) -> InvalidInputError:
    with pytest.raises(InvalidInputError) as caught:
        rule_request(name, **{"event_pattern": PATTERN, **arguments})
    return caught.value


class TestRuleRequest:
    def test_all_arguments(self) -> None:
        request = rule_request(
            "DEMO_EVENT",
            schedule_expression="rate(5 minutes)",
            event_pattern=PATTERN,
            description="why",
            state="DISABLED",
            role_arn=ROLE_ARN,
            event_bus_name="default",
        )
        assert request == {
            "Name": "DEMO_EVENT",
            "ScheduleExpression": "rate(5 minutes)",
            "EventPattern": PATTERN_TEXT,
            "Description": "why",
            "State": "DISABLED",
            "RoleArn": ROLE_ARN,
            "EventBusName": "default",
        }

    def test_omitted_argument_is_not_sent(self) -> None:
        assert rule_request("r", schedule_expression="rate(1 day)") == {
            "Name": "r",
            "ScheduleExpression": "rate(1 day)",
        }
        assert rule_request("r", event_pattern=PATTERN, description="", state="", role_arn="") == {
            "Name": "r",
            "EventPattern": PATTERN_TEXT,
        }

    @pytest.mark.parametrize("pattern", [PATTERN, json.dumps(PATTERN), MappingProxyType(PATTERN)])
    def test_pattern_becomes_compact_json(self, pattern: Any) -> None:
        assert rule_request("r", event_pattern=pattern)["EventPattern"] == PATTERN_TEXT

    @pytest.mark.parametrize("name", ["a", "x" * 64, "A-Z_a.z0-9", "-", "."])
    def test_good_name(self, name: str) -> None:
        assert rule_request(name, event_pattern=PATTERN)["Name"] == name

    @pytest.mark.parametrize("name", ["", "x" * 65, "a b", "a/b", "é", "a\n", "bus|rule", None, 7])
    def test_bad_name(self, name: object) -> None:
        error = refusal(name)
        assert error.place == "name"
        assert error.value == name
        assert repr(name) in error.reason
        assert error.remedy == "Choose another name"

    def test_arn_for_a_name(self) -> None:
        error = refusal("arn:aws:events:us-east-1:123456789012:rule/r")
        assert error.place == "name"
        assert "not the ARN" in error.remedy

    @pytest.mark.parametrize("pattern", [None, {}, ""])
    def test_neither_pattern_nor_schedule(self, pattern: Any) -> None:
        error = refusal(event_pattern=pattern)
        assert error.place == "event_pattern"
        assert "neither" in error.reason
        assert "schedule_expression" in error.remedy

    @pytest.mark.parametrize("state", ["ENABLED", "DISABLED", "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS", None])
    def test_good_state(self, state: str | None) -> None:
        assert rule_request("r", event_pattern=PATTERN, state=state).get("State") == state

    @pytest.mark.parametrize("state", ["enabled", "ON", " ENABLED", True, 1])
    def test_bad_state(self, state: object) -> None:
        error = refusal(state=state)
        assert (error.place, error.value) == ("state", state)
        assert "DISABLED" in error.remedy

    @pytest.mark.parametrize(
        ("argument", "member", "limit"), [("description", "Description", 512), ("role_arn", "RoleArn", 1600)]
    )
    def test_length(self, argument: str, member: str, limit: int) -> None:
        for length in (limit - 1, limit):
            request = rule_request("r", event_pattern=PATTERN, **{argument: "é" * length})
            assert request[member] == "é" * length
        error = refusal(**{argument: "é" * (limit + 1)})
        assert error.place == argument
        assert f"{limit + 1} characters; the maximum is {limit}" in error.reason

    @pytest.mark.parametrize("argument", ["description", "role_arn"])
    def test_value_must_be_a_string(self, argument: str) -> None:
        error = refusal(**{argument: 7})
        assert (error.place, error.value) == (argument, 7)
        assert "int" in error.reason

    @pytest.mark.parametrize("length", [4095, 4096, 4097])
    def test_pattern_length(self, length: int) -> None:
        pattern = {"source": ["x" * (length - len('{"source":[""]}'))]}
        if length <= 4096:
            assert len(rule_request("r", event_pattern=pattern)["EventPattern"]) == length
        else:
            error = refusal(event_pattern=pattern)
            assert error.place == "event_pattern"
            assert "4096" in error.reason

    @pytest.mark.parametrize("bus", [None, "default", f"{BUS_ARN}/default"])
    def test_schedule_on_the_default_bus(self, bus: str | None) -> None:
        request = rule_request("r", schedule_expression="rate(5 minutes)", event_bus_name=bus)
        assert request["ScheduleExpression"] == "rate(5 minutes)"
        assert request.get("EventBusName") == bus

    @pytest.mark.parametrize("bus", ["orders", f"{BUS_ARN}/orders", "aws.partner/example.com/default"])
    @pytest.mark.parametrize("pattern", [None, PATTERN])
    def test_schedule_on_another_bus(self, bus: str, pattern: Any) -> None:
        error = refusal(schedule_expression="rate(5 minutes)", event_pattern=pattern, event_bus_name=bus)
        assert error.place == "schedule_expression"
        assert repr(bus) in error.reason
        assert "event_bus_name" in error.remedy

    @pytest.mark.parametrize("bus", ["orders", f"{BUS_ARN}/orders", "aws.partner/example.com/orders"])
    def test_pattern_on_another_bus(self, bus: str) -> None:
        assert rule_request("r", event_pattern=PATTERN, event_bus_name=bus)["EventBusName"] == bus

    @pytest.mark.parametrize("bus", ["", "arn:aws:events:us-east-1:123456789012:event-busv2/orders"])
    def test_bad_bus(self, bus: str) -> None:
        assert refusal(event_bus_name=bus).place == "event_bus_name"

    @pytest.mark.parametrize("schedule", ["rate(1 minutes)", "rate(0 days)", "cron(0 8 * * *)", "every day"])
    def test_bad_schedule(self, schedule: str) -> None:
        error = refusal(schedule_expression=schedule)
        assert isinstance(error, InvalidScheduleError)
        assert error.expression == schedule

    def test_bad_pattern(self) -> None:
        error = refusal(event_pattern={"detail": {"state": "running"}})
        assert isinstance(error, InvalidEventPatternError)
        assert error.path == "detail.state"
        assert error.place == "event_pattern.detail.state"

    @pytest.mark.parametrize("pattern", ["{}", "[]", "text", '{"source": ["a"]'])
    def test_invalid_pattern_string(self, pattern: str) -> None:
        error = refusal(event_pattern=pattern)
        assert isinstance(error, InvalidEventPatternError)
        assert error.path == ""


class TestCheckName:
    def test_place_is_the_callers(self) -> None:
        with pytest.raises(InvalidInputError) as caught:
            check_name("a/b", "rule")
        assert caught.value.place == "rule"

    @pytest.mark.parametrize("length", [63, 64, 65])
    def test_length(self, length: int) -> None:
        if length <= 64:
            check_name("x" * length, "rule")
            return
        with pytest.raises(InvalidInputError) as caught:
            check_name("x" * length, "rule")
        assert "1 to 64 characters" in caught.value.reason


class TestChanges:
    RULE = MappingProxyType(
        {
            "Name": "r",
            "Arn": "arn:aws:events:us-east-1:123456789012:rule/r",
            "EventBusName": "default",
            "EventPattern": PATTERN_TEXT,
            "State": "ENABLED",
            "Description": "old",
        }
    )
    REQUEST = MappingProxyType({"Name": "r", "EventPattern": PATTERN_TEXT, "State": "ENABLED", "Description": "old"})

    def test_none(self) -> None:
        assert changes(self.RULE, self.REQUEST) == []

    @pytest.mark.parametrize(
        ("request_", "expected"),
        [
            ({"Description": "new"}, Change("Description", "old", "new")),
            ({"Description": None}, Change("Description", "old", None)),
            ({"State": "DISABLED"}, Change("State", "ENABLED", "DISABLED")),
            ({"RoleArn": ROLE_ARN}, Change("RoleArn", None, ROLE_ARN)),
            ({"ScheduleExpression": "rate(1 day)"}, Change("ScheduleExpression", None, "rate(1 day)")),
            ({"EventPattern": '{"source":["b"]}'}, Change("EventPattern", PATTERN_TEXT, '{"source":["b"]}')),
            ({"EventPattern": None}, Change("EventPattern", PATTERN_TEXT, None)),
        ],
    )
    def test_one(self, request_: dict[str, str | None], expected: Change) -> None:
        request = {key: value for key, value in {**self.REQUEST, **request_}.items() if value is not None}
        assert changes(self.RULE, request) == [expected]

    def test_several_come_in_one_order(self) -> None:
        request = {"Name": "r", "RoleArn": ROLE_ARN, "State": "DISABLED", "EventPattern": PATTERN_TEXT}
        assert [change.member for change in changes(self.RULE, request)] == ["State", "Description", "RoleArn"]

    @pytest.mark.parametrize("member", ["Description", "RoleArn", "ScheduleExpression", "EventPattern"])
    def test_empty_is_as_good_as_none(self, member: str) -> None:
        request = {key: value for key, value in self.REQUEST.items() if key != member}
        assert changes({**self.RULE, member: ""}, request) == []

    def test_equal_json_is_no_change(self) -> None:
        present = {**self.RULE, "EventPattern": '{ "detail": {"b": [1], "a": ["x"]},\n "source": ["s"] }'}
        request = {**self.REQUEST, "EventPattern": '{"source":["s"],"detail":{"a":["x"],"b":[1]}}'}
        assert changes(present, request) == []

    @pytest.mark.parametrize("member", ["Description", "RoleArn"])
    def test_different_string_is_a_change(self, member: str) -> None:
        present = {**self.RULE, member: '{"a": 1}'}
        request = {**self.REQUEST, member: '{"a":1}'}
        assert changes(present, request) == [Change(member, '{"a": 1}', '{"a":1}')]

    @pytest.mark.parametrize(("old", "new"), [("1", "true"), ("0", "false"), ('"1"', "1"), ("null", '"null"')])
    def test_pattern_with_a_value_of_another_type_is_a_change(self, old: str, new: str) -> None:
        present = {**self.RULE, "EventPattern": f'{{"detail":{{"a":[{old}]}}}}'}
        request = {**self.REQUEST, "EventPattern": f'{{"detail":{{"a":[{new}]}}}}'}
        assert [change.member for change in changes(present, request)] == ["EventPattern"]


class TestTags:
    @pytest.mark.parametrize(
        ("tags", "expected"),
        [
            (None, None),
            ({}, {}),
            ([], {}),
            ({"team": "data"}, {"team": "data"}),
            ({"count": 7}, {"count": "7"}),
            ([{"Key": "team", "Value": "data"}, {"Key": "b", "Value": ""}], {"team": "data", "b": ""}),
            (({"Key": key, "Value": "v"} for key in "ab"), {"a": "v", "b": "v"}),
        ],
    )
    def test_both_forms(self, tags: Any, expected: dict[str, str] | None) -> None:
        assert normalise_tags(tags) == expected

    @pytest.mark.parametrize(
        "tags",
        [
            "team=data",
            7,
            True,
            ["team"],
            [("team", "data")],
            [{"Key": "team"}],
            [{"key": "team", "value": "x"}],
            [None],
        ],
    )
    def test_neither_dict_nor_list(self, tags: Any) -> None:
        with pytest.raises(InvalidInputError) as caught:
            normalise_tags(tags)
        assert (caught.value.place, caught.value.value) == ("tags", tags)
        assert '"Key"' in caught.value.remedy

    @pytest.mark.parametrize("tags", [{"a": "1", "b": None}, [{"Key": "a", "Value": ""}, {"Key": "b", "Value": None}]])
    def test_none_value_is_refused(self, tags: Any) -> None:
        with pytest.raises(InvalidInputError) as caught:
            normalise_tags(tags)
        assert (caught.value.place, caught.value.value) == ("tags.b", None)

    def test_aws_form(self) -> None:
        tags = {"b": "2", "a": "1"}
        assert aws_tags(tags) == [{"Key": "b", "Value": "2"}, {"Key": "a", "Value": "1"}]
        assert normalise_tags(aws_tags(tags)) == tags
