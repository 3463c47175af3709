from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from airflow_cwevents._aws.limits import DEFAULT_EVENT_PATTERN_LENGTH, MAX_EVENT_PATTERN_LENGTH
from airflow_cwevents._declare.rule_spec import RULE_MEMBERS
from airflow_cwevents._declare.rules import RULE_ATTEMPTS
from airflow_cwevents.exceptions import (
    EventBusNotFoundError,
    InvalidEventPatternError,
    InvalidInputError,
    InvalidScheduleError,
    LimitExceededError,
    ManagedRuleError,
    RoleNotAssumableError,
)
from airflow_cwevents.hooks import CloudWatchEventsHook
from tests.conftest import Logged

ARN = "arn:aws:events:us-east-1:123456789012:rule/r"
ROLE = "arn:aws:iam::123456789012:role/events"
PATTERN = {"source": ["com.company.app"]}
PATTERN_TEXT = '{"source":["com.company.app"]}'
PRESENT = {"Name": "r", "Arn": ARN, "EventPattern": PATTERN_TEXT, "State": "ENABLED"}
REQUEST = {"Name": "r", "EventPattern": PATTERN_TEXT, "State": "ENABLED"}
ROLE_ERROR = ("ValidationException", f"Provided role '{ROLE}' cannot be assumed by principal 'events.amazonaws.com'.")


def script_present(events: Stubber, **members: Any) -> None:
    events.add_response("describe_rule", {**PRESENT, **members}, {"Name": "r"})


def script_missing(events: Stubber) -> None:
    message = "Rule r does not exist on EventBus default."
    events.add_client_error("describe_rule", "ResourceNotFoundException", message, expected_params={"Name": "r"})


def script_put(events: Stubber, **members: Any) -> None:
    """Expect a PutRule with exactly these members, besides the rule's name and pattern; None is none."""
    request = {"Name": "r", "EventPattern": PATTERN_TEXT, **members}
    events.add_response("put_rule", {"RuleArn": ARN}, {name: value for name, value in request.items() if value})


class TestNewRule:
    def test_every_member_reaches_aws(self, hook: CloudWatchEventsHook, events: Stubber) -> None:
        script_missing(events)
        script_put(
            events,
            ScheduleExpression="rate(5 minutes)",
            Description="d",
            State="DISABLED",
            RoleArn=ROLE,
            Tags=[{"Key": "team", "Value": "data"}],
        )
        arn = hook.put_rule(
            "r",
            schedule_expression="rate(5 minutes)",
            event_pattern=PATTERN,
            description="d",
            state="DISABLED",
            role_arn=ROLE,
            tags={"team": "data"},
        )
        assert arn == ARN

    def test_omitted_argument_is_not_sent(self, hook: CloudWatchEventsHook, events: Stubber) -> None:
        script_missing(events)
        script_put(events)
        hook.put_rule("r", event_pattern=PATTERN, tags={})

    def test_rule_exists_afterwards(self, aws: None, hook: CloudWatchEventsHook, logged: Logged) -> None:
        tags = [{"Key": "team", "Value": "data"}]
        arn = hook.put_rule("DEMO_EVENT", schedule_expression="rate(5 minutes)", state="ENABLED", tags=tags)
        assert arn == "arn:aws:events:us-east-1:123456789012:rule/DEMO_EVENT"
        described = hook.describe_rule("DEMO_EVENT")
        assert (described["ScheduleExpression"], described["State"]) == ("rate(5 minutes)", "ENABLED")
        assert hook.conn.list_tags_for_resource(ResourceARN=arn)["Tags"] == tags
        assert logged("INFO")[0].args == ("DEMO_EVENT", arn)
        assert logged("INFO")[0].msg.startswith("Created")

    def test_on_a_bus(self, aws: None, hook: CloudWatchEventsHook) -> None:
        hook.conn.create_event_bus(Name="orders")
        arn = hook.put_rule("r", event_pattern=PATTERN, event_bus_name="orders")
        assert arn == "arn:aws:events:us-east-1:123456789012:rule/orders/r"
        assert hook.find_rule("r") is None
        assert json.loads(hook.describe_rule("r", "orders")["EventPattern"]) == PATTERN

    def test_missing_bus(self, aws: None, hook: CloudWatchEventsHook) -> None:
        with pytest.raises(EventBusNotFoundError) as caught:
            hook.put_rule("r", event_pattern=PATTERN, event_bus_name="orders")
        assert caught.value.event_bus_name == "orders"

    @pytest.mark.parametrize(
        ("arguments", "error", "place"),
        [
            ({}, InvalidInputError, "event_pattern"),
            ({"event_pattern": {}}, InvalidInputError, "event_pattern"),
            ({"event_pattern": {"source": "x"}}, InvalidEventPatternError, "event_pattern.source"),
            ({"schedule_expression": "rate(1 minutes)"}, InvalidScheduleError, "schedule_expression 'rate(1 minutes)'"),
            (
                {"schedule_expression": "rate(5 minutes)", "event_bus_name": "orders"},
                InvalidInputError,
                "schedule_expression",
            ),
            ({"event_pattern": PATTERN, "state": "enabled"}, InvalidInputError, "state"),
            ({"event_pattern": PATTERN, "name": "a/b"}, InvalidInputError, "name"),
            ({"event_pattern": PATTERN, "tags": "team=data"}, InvalidInputError, "tags"),
            ({"event_pattern": PATTERN, "description": "x" * 513}, InvalidInputError, "description"),
            (
                {"event_pattern": PATTERN, "event_bus_name": "arn:aws:events:us-east-1:1:event-busv2/b"},
                InvalidInputError,
                "event_bus_name",
            ),
        ],
    )
    def test_bad_input_is_refused_before_any_request(
        self,
        hook: CloudWatchEventsHook,
        events: Stubber,
        arguments: dict[str, Any],
        error: type[InvalidInputError],
        place: str,
    ) -> None:
        with pytest.raises(error) as caught:
            hook.put_rule(**{"name": "r", **arguments})
        assert caught.value.place == place
        assert caught.value.remedy

    @pytest.mark.parametrize("bus", [None, "default", "arn:aws:events:us-east-1:123456789012:event-bus/default"])
    def test_schedule_is_for_the_default_bus(self, aws: None, hook: CloudWatchEventsHook, bus: str | None) -> None:
        assert hook.put_rule("r", schedule_expression="rate(1 day)", event_bus_name=bus) == ARN


class TestUnchangedRule:
    @pytest.mark.parametrize(
        "pattern",
        [PATTERN, PATTERN_TEXT, '{\n  "source": [ "com.company.app" ]\n}', '{"source":["\\u0063om.company.app"]}'],
    )
    def test_is_not_put_again(
        self, hook: CloudWatchEventsHook, events: Stubber, logged: Logged, pattern: dict[str, Any] | str
    ) -> None:
        script_present(events)  # and no PutRule
        assert hook.put_rule("r", event_pattern=pattern) == ARN
        (record,) = logged("INFO")
        assert record.args == ("r", ARN)

    def test_all_members_compare(self, hook: CloudWatchEventsHook, events: Stubber) -> None:
        script_present(events, ScheduleExpression="rate(1 day)", Description="d", RoleArn=ROLE, State="DISABLED")
        hook.put_rule(
            "r",
            event_pattern=PATTERN,
            schedule_expression="rate(1 day)",
            description="d",
            role_arn=ROLE,
            state="DISABLED",
        )

    def test_empty_string_counts_as_omitted(self, hook: CloudWatchEventsHook, events: Stubber) -> None:
        script_present(events, Description="")
        hook.put_rule("r", event_pattern=PATTERN)


class TestChangedRule:
    @pytest.mark.parametrize(
        ("member", "argument", "old", "new"),
        [
            ("Description", "description", "old", "new"),
            ("Description", "description", None, "new"),
            ("Description", "description", "old", None),
            ("RoleArn", "role_arn", None, ROLE),
            ("ScheduleExpression", "schedule_expression", "rate(1 day)", "rate(2 days)"),
            ("State", "state", "ENABLED", "DISABLED"),
            ("State", "state", "DISABLED", "ENABLED"),
            ("State", "state", "ENABLED", "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"),
        ],
    )
    def test_changes_are_logged_by_member(
        self,
        hook: CloudWatchEventsHook,
        events: Stubber,
        logged: Logged,
        member: str,
        argument: str,
        old: str | None,
        new: str | None,
    ) -> None:
        script_present(events, **({member: old} if old else {}))
        script_put(events, **{"State": "ENABLED", member: new})
        hook.put_rule("r", event_pattern=PATTERN, **({argument: new} if new else {}))  # type: ignore[arg-type]
        told = [record.args for record in logged("INFO") if isinstance(record.args, tuple)]
        assert [args for args in told if args[1] in RULE_MEMBERS] == [("r", member, old, new)]

    def test_failed_change_is_not_logged(self, hook: CloudWatchEventsHook, events: Stubber, logged: Logged) -> None:
        script_present(events)
        events.add_client_error("put_rule", "ValidationException", "no")
        with pytest.raises(ClientError):
            hook.put_rule("r", event_pattern=PATTERN, description="new")
        assert logged("INFO") == []

    def test_another_pattern(self, aws: None, hook: CloudWatchEventsHook, logged: Logged) -> None:
        hook.put_rule("r", event_pattern=PATTERN)
        hook.put_rule("r", event_pattern={"source": ["other"]})
        assert hook.describe_rule("r")["EventPattern"] == '{"source":["other"]}'
        assert ("r", "EventPattern", PATTERN_TEXT, '{"source":["other"]}') in [record.args for record in logged("INFO")]

    @pytest.mark.parametrize(("given", "expected"), [(None, "DISABLED"), ("ENABLED", "ENABLED")])
    def test_disabled_rule_stays_disabled_without_a_state(
        self, aws: None, hook: CloudWatchEventsHook, given: str | None, expected: str
    ) -> None:
        hook.put_rule("r", event_pattern=PATTERN, state="DISABLED")
        hook.put_rule("r", event_pattern=PATTERN, description="new", state=given)
        assert hook.describe_rule("r")["State"] == expected

    def test_targets_survive(self, aws: None, hook: CloudWatchEventsHook) -> None:
        hook.put_rule("r", event_pattern=PATTERN)
        hook.conn.put_targets(Rule="r", Targets=[{"Id": "1", "Arn": "arn:aws:sqs:us-east-1:123456789012:q"}])
        hook.put_rule("r", event_pattern=PATTERN, description="new")
        assert [target["Id"] for target in hook.list_targets("r")] == ["1"]


class TestTags:
    def script_tags(self, events: Stubber, **tags: str) -> None:
        listed = [{"Key": key, "Value": value} for key, value in tags.items()]
        events.add_response("list_tags_for_resource", {"Tags": listed}, {"ResourceARN": ARN})

    def test_existing_rule_gets_them_apart_from_put_rule(
        self, hook: CloudWatchEventsHook, events: Stubber, logged: Logged
    ) -> None:
        script_present(events)
        script_put(events, Description="new", State="ENABLED")
        self.script_tags(events, kept="1", changed="1", dropped="1")
        added = [{"Key": "changed", "Value": "2"}, {"Key": "added", "Value": "3"}]
        events.add_response("tag_resource", {}, {"ResourceARN": ARN, "Tags": added})
        events.add_response("untag_resource", {}, {"ResourceARN": ARN, "TagKeys": ["dropped"]})
        tags = {"kept": "1", "changed": "2", "added": "3"}
        hook.put_rule("r", event_pattern=PATTERN, description="new", tags=tags)
        assert [record.args for record in logged("INFO")[1:]] == [
            ("r", "2 tags", "added, changed"),
            ("r", "1 tag", "dropped"),
        ]

    def test_same_tags_are_left_alone(self, hook: CloudWatchEventsHook, events: Stubber) -> None:
        script_present(events)
        self.script_tags(events, team="data")
        hook.put_rule("r", event_pattern=PATTERN, tags=[{"Key": "team", "Value": "data"}])

    def test_awss_own_tags_stay(self, hook: CloudWatchEventsHook, events: Stubber) -> None:
        script_present(events)
        self.script_tags(events, **{"aws:cloudformation:stack-name": "s", "team": "data"})
        events.add_response("untag_resource", {}, {"ResourceARN": ARN, "TagKeys": ["team"]})
        hook.put_rule("r", event_pattern=PATTERN, tags={})

    def test_none_leaves_them_alone(self, hook: CloudWatchEventsHook, events: Stubber) -> None:
        script_present(events)  # and no request about tags
        hook.put_rule("r", event_pattern=PATTERN, tags=None)

    def test_they_are_the_whole_truth(self, aws: None, hook: CloudWatchEventsHook) -> None:
        hook.put_rule("r", event_pattern=PATTERN, tags={"a": "1", "b": "1"})
        hook.put_rule("r", event_pattern=PATTERN, tags={"b": "2", "c": "3"})
        listed = hook.conn.list_tags_for_resource(ResourceARN=ARN)["Tags"]
        assert {tag["Key"]: tag["Value"] for tag in listed} == {"b": "2", "c": "3"}


class TestNoPermissionToLook:
    def script_denied(self, events: Stubber) -> None:
        events.add_client_error("describe_rule", "AccessDeniedException", "no", expected_params={"Name": "r"})

    @pytest.mark.parametrize("state", [None, "DISABLED"])
    def test_rule_is_put_with_a_warning(
        self, hook: CloudWatchEventsHook, events: Stubber, logged: Logged, state: str | None
    ) -> None:
        self.script_denied(events)
        script_put(events, State=state)
        assert hook.put_rule("r", event_pattern=PATTERN, state=state) == ARN
        warnings = [record.args for record in logged("WARNING")]
        assert warnings == [("r", "no"), ("r",)][: 1 if state else 2]
        assert not logged("INFO")[0].msg.startswith("Created")  # nobody knows

    def test_tags_are_applied_to_an_existing_rule(self, hook: CloudWatchEventsHook, events: Stubber) -> None:
        tags = [{"Key": "team", "Value": "data"}]
        self.script_denied(events)
        script_put(events, Tags=tags)  # which counts if the rule is new
        events.add_response("list_tags_for_resource", {"Tags": []}, {"ResourceARN": ARN})
        events.add_response("tag_resource", {}, {"ResourceARN": ARN, "Tags": tags})
        hook.put_rule("r", event_pattern=PATTERN, tags=tags)

    def test_other_errors_are_errors(self, hook: CloudWatchEventsHook, events: Stubber) -> None:
        events.add_client_error("describe_rule", "InternalException", "no")
        with pytest.raises(ClientError):
            hook.put_rule("r", event_pattern=PATTERN)


class TestManagedRule:
    def test_is_refused_when_described(self, hook: CloudWatchEventsHook, events: Stubber) -> None:
        script_present(events, ManagedBy="autoscaling.amazonaws.com")
        with pytest.raises(ManagedRuleError) as caught:
            hook.put_rule("r", event_pattern=PATTERN, description="new")
        assert (caught.value.rule, caught.value.managed_by) == ("r", "autoscaling.amazonaws.com")
        assert caught.value.permanent

    def test_is_refused_by_aws(self, hook: CloudWatchEventsHook, events: Stubber) -> None:
        script_present(events)
        events.add_client_error("put_rule", "ManagedRuleException", "r is a managed rule.")
        with pytest.raises(ManagedRuleError) as caught:
            hook.put_rule("r", event_pattern=PATTERN, description="new")
        assert (caught.value.rule, caught.value.managed_by) == ("r", None)


class TestPassingErrors:
    def test_new_role_is_retried(self, hook: CloudWatchEventsHook, events: Stubber, logged: Logged) -> None:
        script_missing(events)
        for _ in range(RULE_ATTEMPTS - 1):
            events.add_client_error("put_rule", *ROLE_ERROR)
        script_put(events, RoleArn=ROLE)
        assert hook.put_rule("r", event_pattern=PATTERN, role_arn=ROLE) == ARN
        assert [record.args for record in logged("WARNING")] == [("PutRule", 0, ROLE_ERROR[1])] * (RULE_ATTEMPTS - 1)

    def test_role_that_never_can_be_assumed(self, hook: CloudWatchEventsHook, events: Stubber) -> None:
        script_missing(events)
        for _ in range(RULE_ATTEMPTS):
            events.add_client_error("put_rule", *ROLE_ERROR)
        with pytest.raises(RoleNotAssumableError) as caught:
            hook.put_rule("r", event_pattern=PATTERN, role_arn=ROLE)
        assert caught.value.role_arn == ROLE
        assert ROLE_ERROR[1] in str(caught.value)

    def test_concurrent_modification_is_tried_again(self, hook: CloudWatchEventsHook, events: Stubber) -> None:
        script_present(events)
        events.add_client_error("put_rule", "ConcurrentModificationException", "busy")
        script_put(events, Description="new", State="ENABLED")
        hook.put_rule("r", event_pattern=PATTERN, description="new")

    def test_concurrent_modification_that_never_ends(self, hook: CloudWatchEventsHook, events: Stubber) -> None:
        script_missing(events)
        for _ in range(RULE_ATTEMPTS):
            events.add_client_error("put_rule", "ConcurrentModificationException", "busy")
        with pytest.raises(ClientError) as caught:
            hook.put_rule("r", event_pattern=PATTERN)
        assert caught.value.response["Error"]["Code"] == "ConcurrentModificationException"

    @pytest.mark.parametrize(
        ("code", "message"),
        [
            ("ValidationException", "no"),
            ("ThrottlingException", "no"),
            ("AccessDeniedException", ROLE_ERROR[1]),
        ],
    )
    def test_others_are_not(self, hook: CloudWatchEventsHook, events: Stubber, code: str, message: str) -> None:
        script_missing(events)
        events.add_client_error("put_rule", code, message)
        with pytest.raises(ClientError) as caught:
            hook.put_rule("r", event_pattern=PATTERN)
        assert caught.value.response["Error"]["Code"] == code

    def test_quota_of_rules(self, hook: CloudWatchEventsHook, events: Stubber) -> None:
        script_missing(events)
        events.add_client_error("put_rule", "LimitExceededException", "The requested resource exceeds the maximum.")
        with pytest.raises(LimitExceededError) as caught:
            hook.put_rule("r", event_pattern=PATTERN)
        assert (caught.value.rule, caught.value.permanent) == ("r", True)
        assert "per event bus" in caught.value.quota
        assert "exceeds the maximum" in str(caught.value)

    def test_pattern_that_only_aws_can_evaluate(self, hook: CloudWatchEventsHook, events: Stubber) -> None:
        script_missing(events)
        message = "Event pattern is not valid. Reason: Rule is too complex"
        events.add_client_error("put_rule", "InvalidEventPatternException", message)
        with pytest.raises(InvalidEventPatternError) as caught:
            hook.put_rule("r", event_pattern=PATTERN)
        assert caught.value.reason == "Rule is too complex"
        assert caught.value.permanent


class TestLog:
    def test_next_three_firing_times(self, aws: None, hook: CloudWatchEventsHook, logged: Logged) -> None:
        year = datetime.now(UTC).year + 1
        schedule = f"cron(30 12 1 1 ? {year}-{year + 3})"
        hook.put_rule("r", schedule_expression=schedule)
        times = ", ".join(f"{year + more}-01-01 12:30 UTC" for more in range(3))
        assert logged("INFO")[-1].args == ("r", schedule, f"next fires {times}")

    def test_rate_counts_from_now(self, aws: None, hook: CloudWatchEventsHook, logged: Logged) -> None:
        hook.put_rule("r", schedule_expression="rate(1 day)")
        args = logged("INFO")[-1].args
        assert isinstance(args, tuple)
        assert args[:2] == ("r", "rate(1 day)")
        assert str(args[2]).count("UTC") == 3
        assert "about" in str(args[2])

    def test_expired_schedule(self, aws: None, hook: CloudWatchEventsHook, logged: Logged) -> None:
        hook.put_rule("r", schedule_expression="cron(0 12 * * ? 2020)")
        assert logged("INFO")[-1].args == ("r", "cron(0 12 * * ? 2020)", "never fires again")

    @pytest.mark.parametrize("state", ["DISABLED", None])
    def test_disabled_rule_does_not_fire(
        self, hook: CloudWatchEventsHook, events: Stubber, logged: Logged, state: str | None
    ) -> None:
        script_present(events, ScheduleExpression="rate(1 day)", State="DISABLED")
        hook.put_rule("r", event_pattern=PATTERN, schedule_expression="rate(1 day)", state=state)
        assert [record.args for record in logged("INFO")] == [("r", ARN)]

    @pytest.mark.parametrize(
        ("length", "warnings"),
        [
            (DEFAULT_EVENT_PATTERN_LENGTH, 0),
            (DEFAULT_EVENT_PATTERN_LENGTH + 1, 1),
            (MAX_EVENT_PATTERN_LENGTH, 1),
        ],
    )
    def test_long_pattern_is_warned_about(
        self, aws: None, hook: CloudWatchEventsHook, logged: Logged, length: int, warnings: int
    ) -> None:
        pattern = {"source": ["é" * (length - len('{"source":[""]}'))]}
        hook.put_rule("r", event_pattern=pattern)
        assert json.loads(hook.describe_rule("r")["EventPattern"]) == pattern
        assert [record.args for record in logged("WARNING")] == [(length, DEFAULT_EVENT_PATTERN_LENGTH)] * warnings

    def test_too_long_pattern_is_refused(self, hook: CloudWatchEventsHook, events: Stubber) -> None:
        with pytest.raises(InvalidEventPatternError):
            hook.put_rule("r", event_pattern={"source": ["x" * MAX_EVENT_PATTERN_LENGTH]})
