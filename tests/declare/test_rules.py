from __future__ import annotations

from itertools import islice
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from airflow_cwevents.exceptions import (
    EventBusNotFoundError,
    InvalidEventPatternError,
    InvalidInputError,
    ManagedRuleError,
    RuleNotFoundError,
)
from airflow_cwevents.hooks import CloudWatchEventsHook
from tests.conftest import Logged

ARN = "arn:aws:events:us-east-1:123456789012:rule/r"
PATTERN = {"source": ["com.company.app"]}
EVENT = {"id": "1", "source": "com.company.app", "detail": {"state": "é"}}
EVENT_TEXT = '{"id":"1","source":"com.company.app","detail":{"state":"é"}}'
NO_BUS = ("ResourceNotFoundException", "Event bus orders does not exist.")


def on_bus(name: str | None) -> dict[str, str]:
    return {"EventBusName": name} if name else {}


class TestDescribeRule:
    def test_returns_the_members_of_the_response(self, aws: None, hook: CloudWatchEventsHook) -> None:
        hook.conn.put_rule(Name="r", ScheduleExpression="rate(1 day)", Description="d", State="DISABLED")
        described = hook.describe_rule("r")
        assert described == {**described, "Arn": ARN, "ScheduleExpression": "rate(1 day)", "State": "DISABLED"}
        assert "ResponseMetadata" not in described

    @pytest.mark.parametrize(("bus", "named"), [(None, "default"), ("orders", "orders")])
    def test_missing_rule(self, aws: None, hook: CloudWatchEventsHook, bus: str | None, named: str) -> None:
        hook.conn.create_event_bus(Name="orders")
        with pytest.raises(RuleNotFoundError) as caught:
            hook.describe_rule("r", bus)
        assert (caught.value.rule, caught.value.event_bus_name) == ("r", named)
        assert caught.value.permanent
        assert isinstance(caught.value.__cause__, ClientError)

    def test_missing_bus(self, aws: None, hook: CloudWatchEventsHook) -> None:
        with pytest.raises(EventBusNotFoundError) as caught:
            hook.describe_rule("r", "orders")
        assert caught.value.event_bus_name == "orders"

    def test_other_errors_are_awss_own(self, hook: CloudWatchEventsHook, events: Stubber) -> None:
        events.add_client_error("describe_rule", "AccessDeniedException", "no")
        with pytest.raises(ClientError) as caught:
            hook.describe_rule("r")
        assert caught.value.response["Error"]["Code"] == "AccessDeniedException"

    @pytest.mark.parametrize("name", ["", "a b", "x" * 65, ARN])
    def test_bad_name_is_refused_before_any_request(
        self, hook: CloudWatchEventsHook, events: Stubber, name: str
    ) -> None:
        with pytest.raises(InvalidInputError) as caught:
            hook.describe_rule(name)
        assert caught.value.place == "name"


class TestFindRule:
    def test_returns_an_existing_rule(self, aws: None, hook: CloudWatchEventsHook) -> None:
        hook.conn.put_rule(Name="r", ScheduleExpression="rate(1 day)")
        assert (hook.find_rule("r") or {})["Arn"] == ARN

    def test_returns_none_for_a_missing_rule(self, aws: None, hook: CloudWatchEventsHook) -> None:
        assert hook.find_rule("r") is None

    def test_missing_bus_is_an_error(self, aws: None, hook: CloudWatchEventsHook) -> None:
        with pytest.raises(EventBusNotFoundError):
            hook.find_rule("r", "orders")


class TestListRules:
    def test_all_rules_of_a_bus(self, aws: None, hook: CloudWatchEventsHook) -> None:
        hook.conn.create_event_bus(Name="orders")
        for name, bus in (("a-1", "default"), ("a-2", "default"), ("b", "default"), ("c", "orders")):
            hook.conn.put_rule(Name=name, EventPattern='{"source":["x"]}', EventBusName=bus)
        assert [rule["Name"] for rule in hook.list_rules()] == ["a-1", "a-2", "b"]
        assert [rule["Name"] for rule in hook.list_rules(name_prefix="a-")] == ["a-1", "a-2"]
        assert [rule["Name"] for rule in hook.list_rules(event_bus_name="orders")] == ["c"]

    def test_more_rules_than_a_page_holds(self, hook: CloudWatchEventsHook, events: Stubber) -> None:
        names = [f"rule-{number:03}" for number in range(230)]
        pages = [names[start : start + 100] for start in range(0, 230, 100)]
        for number, page in enumerate(pages):
            asked = {"EventBusName": "orders", "NamePrefix": "rule"} | ({"NextToken": f"t{number}"} if number else {})
            more = {"NextToken": f"t{number + 1}"} if number < 2 else {}
            events.add_response("list_rules", {"Rules": [{"Name": name} for name in page], **more}, asked)
        listed = hook.list_rules(event_bus_name="orders", name_prefix="rule")
        assert [rule["Name"] for rule in listed] == names

    def test_empty_pages_amid_others(self, hook: CloudWatchEventsHook, events: Stubber) -> None:
        events.add_response("list_rules", {"Rules": [], "NextToken": "t"}, {})
        events.add_response("list_rules", {"NextToken": "u"}, {"NextToken": "t"})
        events.add_response("list_rules", {"Rules": [{"Name": "r"}]}, {"NextToken": "u"})
        assert [rule["Name"] for rule in hook.list_rules()] == ["r"]

    def test_page_is_not_requested_before_it_is_needed(self, hook: CloudWatchEventsHook, events: Stubber) -> None:
        listed = hook.list_rules()  # nothing is scripted yet: a request would fail
        events.add_response("list_rules", {"Rules": [{"Name": "a"}, {"Name": "b"}], "NextToken": "t"}, {})
        assert [rule["Name"] for rule in islice(listed, 2)] == ["a", "b"]
        events.add_response("list_rules", {"Rules": [{"Name": "c"}]}, {"NextToken": "t"})
        assert [rule["Name"] for rule in listed] == ["c"]

    def test_missing_bus(self, aws: None, hook: CloudWatchEventsHook) -> None:
        with pytest.raises(EventBusNotFoundError) as caught:
            list(hook.list_rules(event_bus_name="orders"))
        assert caught.value.event_bus_name == "orders"


@pytest.fixture(params=["enable_rule", "disable_rule"])
def switch(request: pytest.FixtureRequest) -> str:
    """Return the name of each method that enables or disables a rule."""
    return str(request.param)


class TestSwitch:
    def test_disable_and_enable(self, aws: None, hook: CloudWatchEventsHook) -> None:
        hook.put_rule("r", event_pattern=PATTERN)
        hook.disable_rule("r")
        assert hook.describe_rule("r")["State"] == "DISABLED"
        hook.enable_rule("r")
        assert hook.describe_rule("r")["State"] == "ENABLED"

    @pytest.mark.parametrize("bus", [None, "orders"])
    def test_names_the_bus(self, hook: CloudWatchEventsHook, events: Stubber, switch: str, bus: str | None) -> None:
        events.add_response("describe_rule", {"Arn": ARN}, {"Name": "r", **on_bus(bus)})
        events.add_response(switch, {}, {"Name": "r", **on_bus(bus)})
        getattr(hook, switch)("r", bus)

    def test_logs_the_state_before(self, aws: None, hook: CloudWatchEventsHook, logged: Logged) -> None:
        hook.put_rule("r", event_pattern=PATTERN)
        for switch in (hook.enable_rule, hook.disable_rule, hook.disable_rule, hook.enable_rule):
            switch("r")
        assert [record.getMessage() for record in logged("INFO")[1:]] == [
            "Rule r was already ENABLED",
            "Disabled rule r (was ENABLED)",
            "Rule r was already DISABLED",
            "Enabled rule r (was DISABLED)",
        ]

    def test_describe_rule_is_optional(
        self, hook: CloudWatchEventsHook, events: Stubber, logged: Logged, switch: str
    ) -> None:
        events.add_client_error("describe_rule", "AccessDeniedException", "no")
        events.add_response(switch, {})
        getattr(hook, switch)("r")
        assert logged("INFO")[-1].args == (f"{switch.split('_')[0].capitalize()}d", "r", "")

    def test_missing_rule(self, aws: None, hook: CloudWatchEventsHook, switch: str) -> None:
        with pytest.raises(RuleNotFoundError) as caught:
            getattr(hook, switch)("r")
        assert caught.value.rule == "r"

    def test_missing_bus(self, hook: CloudWatchEventsHook, events: Stubber, switch: str) -> None:
        events.add_client_error("describe_rule", *NO_BUS)
        with pytest.raises(EventBusNotFoundError):
            getattr(hook, switch)("r", "orders")

    def test_managed_rule(self, hook: CloudWatchEventsHook, events: Stubber, switch: str) -> None:
        events.add_response("describe_rule", {"Arn": ARN})
        events.add_client_error(switch, "ManagedRuleException", "r is a managed rule.")
        with pytest.raises(ManagedRuleError) as caught:
            getattr(hook, switch)("r")
        assert caught.value.rule == "r"
        assert caught.value.permanent

    def test_arn_is_refused_before_any_request(self, hook: CloudWatchEventsHook, events: Stubber, switch: str) -> None:
        with pytest.raises(InvalidInputError):
            getattr(hook, switch)(ARN)


class TestTestEventPattern:
    @pytest.mark.parametrize("result", [True, False])
    @pytest.mark.parametrize("pattern", [PATTERN, '{ "source": ["com.company.app"] }'])
    @pytest.mark.parametrize("event", [EVENT, EVENT_TEXT])
    def test_requests_aws(
        self, hook: CloudWatchEventsHook, events: Stubber, pattern: Any, event: Any, result: bool
    ) -> None:
        expected = {"EventPattern": '{"source":["com.company.app"]}', "Event": EVENT_TEXT}
        events.add_response("test_event_pattern", {"Result": result}, expected)
        assert hook.test_event_pattern(pattern, event) is result

    def test_bad_pattern_is_refused_before_any_request(self, hook: CloudWatchEventsHook, events: Stubber) -> None:
        with pytest.raises(InvalidEventPatternError) as caught:
            hook.test_event_pattern({"source": "com.company.app"}, EVENT)
        assert caught.value.path == "source"

    def test_pattern_that_only_aws_can_evaluate(self, hook: CloudWatchEventsHook, events: Stubber) -> None:
        message = "Event pattern is not valid. Reason: Rule is too complex"
        events.add_client_error("test_event_pattern", "InvalidEventPatternException", message)
        with pytest.raises(InvalidEventPatternError) as caught:
            hook.test_event_pattern(PATTERN, EVENT)
        assert caught.value.reason == "Rule is too complex"

    def test_bad_event_is_left_to_aws(self, hook: CloudWatchEventsHook, events: Stubber) -> None:
        events.add_client_error("test_event_pattern", "ValidationException", "Parameter Event is not valid.")
        with pytest.raises(ClientError):
            hook.test_event_pattern(PATTERN, {})
