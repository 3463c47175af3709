"""RemoveTargets and DeleteRule."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from airflow_cwevents._declare.target_requests import TARGET_ATTEMPTS
from airflow_cwevents.exceptions import (
    EventBusNotFoundError,
    InvalidInputError,
    ManagedRuleError,
    RemoveTargetsError,
    RuleHasTargetsError,
)
from airflow_cwevents.hooks import CloudWatchEventsHook
from tests.conftest import Logged

RULE_ARN = "arn:aws:events:us-east-1:123456789012:rule/r"
TARGET = "arn:aws:events:us-east-1:123456789012:target/stop-instance"
NO_RULE = ("ResourceNotFoundException", "Rule r does not exist on EventBus default.")
HAS_TARGETS = ("ValidationException", "Rule can't be deleted since it has targets.")


def target(number: int) -> dict[str, Any]:
    return {"Id": f"t{number}", "Arn": TARGET}


def names(*numbers: int) -> list[str]:
    return [f"t{number}" for number in numbers]


@pytest.fixture
def rule(aws: None, hook: CloudWatchEventsHook) -> str:
    """Create a rule with four targets on moto."""
    hook.put_rule("r", event_pattern={"source": ["com.company.app"]})
    hook.put_targets("r", [target(number) for number in range(4)])
    return "r"


def script_list(events: Stubber, *numbers: int, **members: str) -> None:
    listed = {"Targets": [target(number) for number in numbers]} if numbers else {}
    events.add_response("list_targets_by_rule", listed, {"Rule": "r", **members})


def script_remove(events: Stubber, *numbers: int, **members: Any) -> None:
    response: dict[str, Any] = {"FailedEntryCount": 0, "FailedEntries": []}
    events.add_response("remove_targets", response, {"Rule": "r", "Ids": names(*numbers), **members})


class TestRemoveTargets:
    def test_by_id(self, rule: str, hook: CloudWatchEventsHook, logged: Logged) -> None:
        assert hook.remove_targets(rule, ["t2", "t0"]) == names(0, 2)
        assert logged("INFO")[-1].getMessage() == "Rule r: removed 2 targets (t0, t2), 2 left"
        assert [each["Id"] for each in hook.list_targets(rule)] == names(1, 3)

    def test_all(self, rule: str, hook: CloudWatchEventsHook) -> None:
        assert hook.remove_targets(rule) == names(0, 1, 2, 3)
        assert list(hook.list_targets(rule)) == []

    def test_unknown_ids_are_ignored(self, rule: str, hook: CloudWatchEventsHook) -> None:
        assert hook.remove_targets(rule, ["t9", "t1"]) == names(1)
        assert len(list(hook.list_targets(rule))) == 3

    @pytest.mark.parametrize("target_ids", [[], ["t9"]])
    def test_only_unknown_ids_make_no_request(
        self, hook: CloudWatchEventsHook, events: Stubber, target_ids: list[str]
    ) -> None:
        script_list(events, 0, 1)
        assert hook.remove_targets("r", target_ids, revoke_permissions=True) == []

    def test_ids_can_be_read_once_only(self, rule: str, hook: CloudWatchEventsHook) -> None:
        assert hook.remove_targets(rule, iter(["t1", "t0"])) == names(0, 1)

    def test_string_is_not_a_list_of_ids(self, hook: CloudWatchEventsHook, events: Stubber) -> None:
        with pytest.raises(InvalidInputError) as caught:
            hook.remove_targets("r", "t10")  # which has t1 in it
        assert caught.value.place == "target_ids"

    def test_all_pages_in_tens(self, hook: CloudWatchEventsHook, events: Stubber) -> None:
        first = {"Targets": [target(number) for number in range(15)], "NextToken": "t"}
        events.add_response("list_targets_by_rule", first, {"Rule": "r"})
        script_list(events, *range(15, 25), NextToken="t")
        for start in (0, 10, 20):
            script_remove(events, *range(start, min(start + 10, 25)))
        assert hook.remove_targets("r") == names(*range(25))

    def test_force_and_bus_reach_aws(self, hook: CloudWatchEventsHook, events: Stubber) -> None:
        script_list(events, 0, EventBusName="orders")
        script_remove(events, 0, EventBusName="orders", Force=True)
        hook.remove_targets("r", event_bus_name="orders", force=True)


class TestDeleteRule:
    def test_deletes_its_targets(self, rule: str, hook: CloudWatchEventsHook) -> None:
        hook.delete_rule(rule)
        assert hook.find_rule(rule) is None

    def test_without_targets_nothing_is_removed(self, hook: CloudWatchEventsHook, events: Stubber) -> None:
        events.add_response("describe_rule", {"Name": "r", "Arn": RULE_ARN}, {"Name": "r", "EventBusName": "orders"})
        script_list(events, EventBusName="orders")
        events.add_response("delete_rule", {}, {"Name": "r", "EventBusName": "orders"})
        hook.delete_rule("r", "orders")

    def test_more_targets_than_a_request_holds(self, hook: CloudWatchEventsHook, events: Stubber) -> None:
        events.add_response("describe_rule", {"Name": "r", "Arn": RULE_ARN}, {"Name": "r"})
        script_list(events, *range(11))
        script_remove(events, *range(10))
        script_remove(events, 10)
        events.add_response("delete_rule", {}, {"Name": "r"})
        hook.delete_rule("r")

    def test_missing_rule_is_fine(self, aws: None, hook: CloudWatchEventsHook, logged: Logged) -> None:
        hook.delete_rule("r")
        assert [record.args for record in logged("INFO")] == [("r",)]

    @pytest.mark.parametrize("late", [False, True])
    def test_rule_that_another_task_deletes_meanwhile_is_fine(
        self, hook: CloudWatchEventsHook, events: Stubber, logged: Logged, late: bool
    ) -> None:
        events.add_response("describe_rule", {"Name": "r", "Arn": RULE_ARN}, {"Name": "r"})
        if late:
            script_list(events, 0)
        events.add_client_error("remove_targets" if late else "list_targets_by_rule", *NO_RULE)
        hook.delete_rule("r")
        assert [record.args for record in logged("INFO")] == [("r",)]

    def test_missing_bus_is_an_error(self, aws: None, hook: CloudWatchEventsHook) -> None:
        with pytest.raises(EventBusNotFoundError):
            hook.delete_rule("r", "orders")

    @pytest.mark.parametrize(
        "error", [HAS_TARGETS, ("ConcurrentModificationException", "busy")], ids=["targets", "busy"]
    )
    def test_targets_that_linger(
        self, hook: CloudWatchEventsHook, events: Stubber, error: tuple[str, str], logged: Logged
    ) -> None:
        events.add_response("describe_rule", {"Name": "r", "Arn": RULE_ARN, "State": "ENABLED"}, {"Name": "r"})
        script_list(events, 0)
        script_remove(events, 0)
        events.add_client_error("delete_rule", *error, expected_params={"Name": "r"})
        script_list(events)  # not to be seen any more, and AWS refuses once more all the same
        events.add_client_error("delete_rule", *error, expected_params={"Name": "r"})
        script_list(events)
        events.add_response("delete_rule", {}, {"Name": "r"})
        hook.delete_rule("r")
        assert logged("INFO")[-1].args == ("r", "ENABLED", RULE_ARN)

    def test_targets_that_linger_too_long(self, hook: CloudWatchEventsHook, events: Stubber) -> None:
        events.add_response("describe_rule", {"Name": "r", "Arn": RULE_ARN}, {"Name": "r"})
        for _ in range(TARGET_ATTEMPTS):
            script_list(events)
            events.add_client_error("delete_rule", *HAS_TARGETS)
        with pytest.raises(RuleHasTargetsError) as caught:
            hook.delete_rule("r")
        assert caught.value.rule == "r"
        assert not caught.value.permanent

    def test_other_errors_are_awss_own(self, hook: CloudWatchEventsHook, events: Stubber) -> None:
        events.add_response("describe_rule", {"Name": "r", "Arn": RULE_ARN}, {"Name": "r"})
        script_list(events)
        events.add_client_error("delete_rule", "AccessDeniedException", "no")
        with pytest.raises(ClientError):
            hook.delete_rule("r")

    def test_target_that_cannot_be_removed(self, hook: CloudWatchEventsHook, events: Stubber) -> None:
        events.add_response("describe_rule", {"Name": "r", "Arn": RULE_ARN}, {"Name": "r"})
        script_list(events, 0)
        failed = [{"TargetId": "t0", "ErrorCode": "AccessDeniedException", "ErrorMessage": "no"}]
        events.add_response("remove_targets", {"FailedEntryCount": 1, "FailedEntries": failed})
        with pytest.raises(RemoveTargetsError) as caught:
            hook.delete_rule("r")
        assert [each.target_id for each in caught.value.failed] == ["t0"]

    def test_managed_rule_is_refused(self, hook: CloudWatchEventsHook, events: Stubber) -> None:
        events.add_response("describe_rule", {"Name": "r", "Arn": RULE_ARN, "ManagedBy": "x.amazonaws.com"})
        with pytest.raises(ManagedRuleError) as caught:
            hook.delete_rule("r")
        assert (caught.value.rule, caught.value.managed_by) == ("r", "x.amazonaws.com")

    def test_managed_rule_is_refused_by_aws(self, hook: CloudWatchEventsHook, events: Stubber) -> None:
        events.add_response("describe_rule", {"Name": "r", "Arn": RULE_ARN})
        script_list(events)
        events.add_client_error("delete_rule", "ManagedRuleException", "r is a managed rule.")
        with pytest.raises(ManagedRuleError):
            hook.delete_rule("r")

    def test_managed_rule_goes_by_force(self, hook: CloudWatchEventsHook, events: Stubber) -> None:
        events.add_response("describe_rule", {"Name": "r", "Arn": RULE_ARN, "ManagedBy": "x.amazonaws.com"})
        script_list(events, 0)
        script_remove(events, 0, Force=True)
        events.add_response("delete_rule", {}, {"Name": "r", "Force": True})
        hook.delete_rule("r", force=True)
