from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import islice
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from airflow_cwevents._aws.target_types import KINDS, TargetKind
from airflow_cwevents.exceptions import (
    EventBusNotFoundError,
    InvalidInputError,
    InvalidTargetError,
    RuleNotFoundError,
)
from airflow_cwevents.hooks import CloudWatchEventsHook
from tests.conftest import Logged, Stub

RULE_ARN = "arn:aws:events:us-east-1:123456789012:rule/r"
TARGET = "arn:aws:events:us-east-1:123456789012:target/stop-instance"
ROLE = "arn:aws:iam::123456789012:role/events"
PARAMETERS: dict[str, dict[str, Any]] = {
    "SqsParameters": {"MessageGroupId": "g"},
    "KinesisParameters": {"PartitionKeyPath": "$.detail.id"},
    "EcsParameters": {"TaskDefinitionArn": "arn:aws:ecs:us-east-1:123456789012:task-definition/t:1"},
    "BatchParameters": {"JobDefinition": "d", "JobName": "n"},
    "RunCommandParameters": {"RunCommandTargets": [{"Key": "tag:a", "Values": ["b"]}]},
    "SageMakerPipelineParameters": {"PipelineParameterList": [{"Name": "n", "Value": "v"}]},
    "RedshiftDataParameters": {"Database": "d", "Sql": "select 1"},
    "HttpParameters": {"PathParameterValues": ["p"], "HeaderParameters": {"h": "v"}},
    "AppSyncParameters": {"GraphQLOperation": "mutation {}"},
}


def target(number: int, **members: Any) -> dict[str, Any]:
    return {"Id": f"t{number}", "Arn": TARGET, **members}


def targets(count: int, first: int = 0) -> list[dict[str, Any]]:
    return [target(number) for number in range(first, first + count)]


def ids(listed: Any) -> list[str]:
    return [each["Id"] for each in listed]


def page_of(present: Sequence[dict[str, Any]], **more: str) -> dict[str, Any]:
    """Return a page of targets; AWS's model of the response knows no empty list."""
    return {**({"Targets": list(present)} if present else {}), **more}


def script_list(events: Stubber, *present: dict[str, Any]) -> None:
    events.add_response("list_targets_by_rule", page_of(present), {"Rule": "r"})


def script_describe(events: Stubber) -> None:
    events.add_response("describe_rule", {"Name": "r", "Arn": RULE_ARN}, {"Name": "r"})


def script_put(events: Stubber, *put: dict[str, Any]) -> None:
    response: dict[str, Any] = {"FailedEntryCount": 0, "FailedEntries": []}
    events.add_response("put_targets", response, {"Rule": "r", "Targets": list(put)})


def script_remove(events: Stubber, present: Sequence[dict[str, Any]], removed: Sequence[dict[str, Any]]) -> None:
    """Expect these targets to be removed, of those that the rule has; no request if there are none to remove."""
    if removed:
        script_list(events, *present)
        response: dict[str, Any] = {"FailedEntryCount": 0, "FailedEntries": []}
        events.add_response("remove_targets", response, {"Rule": "r", "Ids": ids(removed)})


@pytest.fixture
def rule(aws: None, hook: CloudWatchEventsHook) -> str:
    """Create a rule on moto."""
    hook.put_rule("r", event_pattern={"source": ["com.company.app"]})
    return "r"


class TestListTargets:
    def test_more_targets_than_a_page_holds(self, hook: CloudWatchEventsHook, events: Stubber) -> None:
        pages = [targets(100), [], targets(42, first=100)]
        for number, page in enumerate(pages):
            asked = {"Rule": "r", "EventBusName": "orders", **({"NextToken": f"t{number}"} if number else {})}
            more = {"NextToken": f"t{number + 1}"} if number < 2 else {}
            events.add_response("list_targets_by_rule", page_of(page, **more), asked)
        assert list(hook.list_targets("r", "orders")) == targets(142)

    def test_page_is_not_requested_before_it_is_needed(self, hook: CloudWatchEventsHook, events: Stubber) -> None:
        listed = hook.list_targets("r")  # nothing is scripted yet: a request would fail
        events.add_response("list_targets_by_rule", {"Targets": targets(2), "NextToken": "t"}, {"Rule": "r"})
        assert list(islice(listed, 2)) == targets(2)
        events.add_response("list_targets_by_rule", {"Targets": targets(1, first=2)}, {"Rule": "r", "NextToken": "t"})
        assert list(listed) == targets(1, first=2)

    def test_bad_rule_is_refused_before_any_request(self, hook: CloudWatchEventsHook, events: Stubber) -> None:
        with pytest.raises(InvalidInputError) as caught:
            list(hook.list_targets(RULE_ARN))
        assert caught.value.place == "rule"

    def test_missing_rule(self, aws: None, hook: CloudWatchEventsHook) -> None:
        with pytest.raises(RuleNotFoundError) as caught:
            list(hook.list_targets("r"))
        assert caught.value.rule == "r"

    def test_missing_bus(self, aws: None, hook: CloudWatchEventsHook) -> None:
        with pytest.raises(EventBusNotFoundError):
            list(hook.list_targets("r", "orders"))


class TestHowMany:
    def test_no_targets_make_no_request(self, hook: CloudWatchEventsHook, events: Stubber, logged: Logged) -> None:
        assert hook.put_targets("r", []) == []
        (said,) = logged("INFO")
        assert said.args == ("r",)

    @pytest.mark.parametrize("count", [1, 5])
    def test_up_to_the_quota(self, rule: str, hook: CloudWatchEventsHook, count: int) -> None:
        assert hook.put_targets(rule, targets(count)) == ids(targets(count))
        assert list(hook.list_targets(rule)) == targets(count)

    @pytest.mark.parametrize(("present", "put"), [(0, 6), (5, 1), (3, 3)])
    def test_one_more_is_refused_before_it_is_put(
        self, hook: CloudWatchEventsHook, events: Stubber, present: int, put: int
    ) -> None:
        script_list(events, *targets(present))
        with pytest.raises(InvalidInputError) as caught:
            hook.put_targets("r", targets(put, first=present))
        assert caught.value.place == "targets"

    def test_present_targets_count_once(self, rule: str, hook: CloudWatchEventsHook) -> None:
        hook.put_targets(rule, targets(4))
        assert hook.put_targets(rule, targets(4, first=1)) == ids(targets(4, first=1))
        assert ids(hook.list_targets(rule)) == ids(targets(5))

    def test_raised_limit(self, rule: str, hook: CloudWatchEventsHook) -> None:
        hook.put_targets(rule, targets(6), max_targets=6)
        assert len(list(hook.list_targets(rule))) == 6
        with pytest.raises(InvalidInputError):
            hook.put_targets(rule, targets(1, first=6), max_targets=6)

    def test_rule_above_the_quota_can_change_targets(self, hook: CloudWatchEventsHook, events: Stubber) -> None:
        there, changed = targets(7), target(3, Input="{}")
        script_list(events, *there)
        script_describe(events)
        script_put(events, changed)
        assert hook.put_targets("r", [*targets(3), changed]) == ids(targets(4))

    def test_rule_above_the_quota_refuses_one_more(self, hook: CloudWatchEventsHook, events: Stubber) -> None:
        script_list(events, *targets(7))
        with pytest.raises(InvalidInputError) as caught:
            hook.put_targets("r", targets(1, first=7))
        assert "8 targets; the maximum is 7" in caught.value.reason

    def test_rule_above_the_quota_can_replace_targets(self, hook: CloudWatchEventsHook, events: Stubber) -> None:
        there = targets(7)
        script_list(events, *there)
        script_describe(events)
        script_remove(events, there, there[:2])
        script_put(events, *targets(2, first=7))
        assert len(hook.put_targets("r", targets(7, first=2), prune=True)) == 7

    @pytest.mark.parametrize(("count", "sizes"), [(10, [10]), (11, [10, 1]), (25, [10, 10, 5])])
    def test_requests_of_ten_at_most_and_in_order(
        self, hook: CloudWatchEventsHook, events: Stubber, count: int, sizes: list[int]
    ) -> None:
        script_list(events)
        script_describe(events)
        for number, size in enumerate(sizes):
            script_put(events, *targets(size, first=10 * number))
        assert hook.put_targets("r", targets(count), max_targets=count) == ids(targets(count))

    def test_any_iterable_does(self, rule: str, hook: CloudWatchEventsHook) -> None:
        assert hook.put_targets(rule, (each for each in targets(2))) == ["t0", "t1"]


class TestWhatIsThere:
    def test_unchanged_targets_are_not_sent_again(
        self, hook: CloudWatchEventsHook, events: Stubber, logged: Logged
    ) -> None:
        same, other_text = target(0, InputPath="$.detail"), target(1, Input='{"b": 1, "a": [2]}')
        script_list(events, same, other_text, target(2, Input='{"b":1}'))
        script_describe(events)
        script_put(events, target(2, Input='{"b":2}'), target(3))
        wanted = [same, target(1, Input={"a": [2], "b": 1}), target(2, Input={"b": 2}), target(3)]
        assert hook.put_targets("r", wanted) == ["t0", "t1", "t2", "t3"]
        assert logged("INFO")[-1].getMessage() == "Rule r: put 2 targets (t2, t3), 2 unchanged"

    def test_nothing_new_puts_nothing(self, hook: CloudWatchEventsHook, events: Stubber) -> None:
        script_list(events, *targets(3))
        script_describe(events)
        assert hook.put_targets("r", targets(2)) == ["t0", "t1"]

    def test_others_stay(self, rule: str, hook: CloudWatchEventsHook) -> None:
        hook.put_targets(rule, targets(2))
        hook.put_targets(rule, targets(1, first=2))
        assert ids(hook.list_targets(rule)) == ["t0", "t1", "t2"]

    def test_prune_removes_others(self, rule: str, hook: CloudWatchEventsHook) -> None:
        hook.put_targets(rule, targets(5))
        assert hook.put_targets(rule, targets(5, first=3), prune=True) == ids(targets(5, first=3))
        assert ids(hook.list_targets(rule)) == ids(targets(5, first=3))

    def test_prune_to_nothing_removes_all(self, rule: str, hook: CloudWatchEventsHook) -> None:
        hook.put_targets(rule, targets(2))
        assert hook.put_targets(rule, [], prune=True) == []
        assert list(hook.list_targets(rule)) == []

    @pytest.mark.parametrize(
        ("present", "put", "before"),
        [
            (5, 5, 5),  # a rule that has all the targets it may have would refuse more
            (5, 2, 2),
            (4, 2, 1),
            (3, 2, 0),
            (1, 1, 0),
        ],
    )
    def test_prune_first_removes_only_as_many_as_necessary(
        self, hook: CloudWatchEventsHook, events: Stubber, present: int, put: int, before: int
    ) -> None:
        there = targets(present)
        script_list(events, *there)
        script_describe(events)
        script_remove(events, there, there[:before])
        script_put(events, *targets(put, first=5))
        script_remove(events, there[before:], there[before:])
        hook.put_targets("r", targets(put, first=5), prune=True)

    def test_prune_removes_nothing_if_putting_is_denied(self, hook: CloudWatchEventsHook, events: Stubber) -> None:
        script_list(events, *targets(2))
        script_describe(events)
        events.add_client_error("put_targets", "AccessDeniedException")  # and no RemoveTargets
        with pytest.raises(ClientError):
            hook.put_targets("r", targets(2, first=2), prune=True)

    def test_prune_with_nothing_to_remove_makes_no_request(self, hook: CloudWatchEventsHook, events: Stubber) -> None:
        script_list(events, *targets(1))
        script_describe(events)
        assert hook.put_targets("r", targets(1), prune=True) == ["t0"]

    def test_second_page_counts(self, hook: CloudWatchEventsHook, events: Stubber) -> None:
        events.add_response("list_targets_by_rule", {"Targets": targets(3), "NextToken": "t"}, {"Rule": "r"})
        more = {"Targets": targets(2, first=3)}
        events.add_response("list_targets_by_rule", more, {"Rule": "r", "NextToken": "t"})
        with pytest.raises(InvalidInputError):
            hook.put_targets("r", targets(1, first=5))


READS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "sqs": [("get_queue_url", {"QueueUrl": "https://q"}), ("get_queue_attributes", {})],
    "sns": [("get_topic_attributes", {"Attributes": {}})],
}


class TestForm:
    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ({"Input": {"a": "é"}}, {"Input": '{"a":"é"}'}),
            ({"Input": '{ "a": 1 }'}, {"Input": '{ "a": 1 }'}),
            ({"Input": [1, None]}, {"Input": "[1,null]"}),
            (
                {"InputTransformer": {"InputPathsMap": {"s": "$.detail.s"}, "InputTemplate": {"state": "<s>"}}},
                {"InputTransformer": {"InputPathsMap": {"s": "$.detail.s"}, "InputTemplate": '{"state":"<s>"}'}},
            ),
            (
                {"InputTransformer": {"InputTemplate": '"<aws.events.rule-name>"'}},
                {"InputTransformer": {"InputTemplate": '"<aws.events.rule-name>"'}},
            ),
            (
                {"RoleArn": None, "RetryPolicy": {"MaximumRetryAttempts": 0}},
                {"RetryPolicy": {"MaximumRetryAttempts": 0}},
            ),
        ],
    )
    def test_json_members_are_values_or_strings(
        self, hook: CloudWatchEventsHook, events: Stubber, given: dict[str, Any], expected: dict[str, Any]
    ) -> None:
        script_list(events)
        script_describe(events)
        script_put(events, target(0, **expected))
        hook.put_targets("r", [target(0, **given)])

    @pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.label)
    def test_every_kind_of_target(
        self, hook: CloudWatchEventsHook, events: Stubber, stub: Stub, kind: TargetKind
    ) -> None:
        arn = f"arn:aws:{kind.service}:us-east-1:123456789012:{kind.example}"
        role = {"RoleArn": ROLE} if kind.role == "required" else {}
        parameters = {kind.parameters: PARAMETERS[kind.parameters]} if kind.parameters else {}
        wanted = target(0, Arn=arn, **role, **parameters)
        script_list(events)
        script_describe(events)
        script_put(events, wanted)
        if kind.service in READS:
            for operation, response in 2 * READS[kind.service]:  # its policy, and its encryption
                stub(kind.service).add_response(operation, response)
        if kind.service == "lambda":
            stub("lambda").add_response("get_policy", {"Policy": "{}"})
        if kind.service == "logs":
            stub("logs").add_response("describe_resource_policies", {"resourcePolicies": []})
        assert hook.put_targets("r", [wanted]) == ["t0"]

    def test_fifo_queue(self, rule: str, hook: CloudWatchEventsHook) -> None:
        arn = "arn:aws:sqs:us-east-1:123456789012:q.fifo"
        hook.client("sqs").create_queue(
            QueueName="q.fifo", Attributes={"FifoQueue": "true", "ContentBasedDeduplication": "true"}
        )
        hook.put_targets(rule, [target(0, Arn=arn, SqsParameters={"MessageGroupId": "g"})])
        assert list(hook.list_targets(rule)) == [target(0, Arn=arn, SqsParameters={"MessageGroupId": "g"})]

    @pytest.mark.parametrize(
        ("bad", "place"),
        [
            ({"Arn": "f"}, "targets[1].Arn"),
            ({"Arn": "arn:aws:iam::123456789012:role/r"}, "targets[1].Arn"),
            ({"Arn": TARGET.replace("us-east-1", "eu-west-1")}, "targets[1].Arn"),
            ({"Arn": "arn:aws:kinesis:us-east-1:123456789012:stream/s"}, "targets[1].RoleArn"),
            ({"Id": "t0"}, "targets[1].Id"),
            ({"Input": "text"}, "targets[1].Input"),
            ({"Input": {}, "InputPath": "$.detail"}, "targets[1].Input"),
            ({"Imput": {}}, "targets[1].Imput"),
            ({"RetryPolicy": {"MaximumRetryAttempts": 186}}, "targets[1].RetryPolicy.MaximumRetryAttempts"),
            ({"RetryPolicy": {"MaximumAttempts": 1}}, "targets[1]"),
            ({"DeadLetterConfig": {"Arn": TARGET}}, "targets[1].DeadLetterConfig.Arn"),
            (
                {"InputTransformer": {"InputTemplate": '"<s>"', "InputPathsMaps": {"s": "$.s"}}},
                "targets[1].InputTransformer.InputTemplate",
            ),
        ],
    )
    def test_bad_target_is_named_before_any_request(
        self, hook: CloudWatchEventsHook, events: Stubber, bad: dict[str, Any], place: str
    ) -> None:
        with pytest.raises(InvalidTargetError) as caught:
            hook.put_targets("r", [target(0), target(1, **bad)], prune=True, grant_permissions=True)
        assert (caught.value.place, caught.value.index) == (place, 1)
        assert caught.value.target_id == bad.get("Id", "t1")
        assert caught.value.permanent

    @pytest.mark.parametrize(
        "nested",
        [
            {"SqsParameters": {"MessageGroup": "g"}},
            {"SqsParameters": {"MessageGroupId": 7}},
            {"InputTransformer": {"InputTemplate": '"x"', "Typo": "x"}},
            {"RetryPolicy": {"MaximumRetryAttempts": 1, "Typo": 1}},
            {"DeadLetterConfig": {"Arn": "arn:aws:sqs:us-east-1:123456789012:q", "Typo": 1}},
        ],
    )
    def test_unknown_nested_member_of_the_last_of_many(
        self, hook: CloudWatchEventsHook, events: Stubber, nested: dict[str, Any]
    ) -> None:
        with pytest.raises(InvalidTargetError) as caught:
            hook.put_targets("r", [*targets(11), target(11, **nested)], max_targets=12)
        assert (caught.value.index, caught.value.target_id) == (11, "t11")

    @pytest.mark.parametrize(("size", "hint"), [("3", True), ([3], False)])
    def test_number_that_a_template_made_a_string(
        self, hook: CloudWatchEventsHook, events: Stubber, size: object, hint: bool
    ) -> None:
        arn, members = "arn:aws:batch:us-east-1:123456789012:job-queue/q", {"ArrayProperties": {"Size": size}}
        wanted = target(0, Arn=arn, RoleArn=ROLE, BatchParameters={**PARAMETERS["BatchParameters"], **members})
        with pytest.raises(InvalidTargetError) as caught:
            hook.put_targets("r", [wanted])
        assert "BatchParameters.ArrayProperties.Size" in caught.value.reason
        assert ("render_template_as_native_obj" in caught.value.remedy) is hint

    @pytest.mark.parametrize("count", [0, 1])
    @pytest.mark.parametrize("rule", ["", "a/b", RULE_ARN])
    def test_bad_rule_is_refused_before_any_request(
        self, hook: CloudWatchEventsHook, events: Stubber, rule: str, count: int
    ) -> None:
        with pytest.raises(InvalidInputError) as caught:
            hook.put_targets(rule, targets(count))
        assert caught.value.place == "rule"

    def test_bus(self, aws: None, hook: CloudWatchEventsHook) -> None:
        hook.conn.create_event_bus(Name="orders")
        hook.put_rule("r", event_pattern={"source": ["a"]}, event_bus_name="orders")
        hook.put_targets("r", [target(0, Input={"n": 1})], event_bus_name="orders")
        (put,) = hook.list_targets("r", "orders")
        assert json.loads(put["Input"]) == {"n": 1}
