"""HTTP 200 with ``FailedEntryCount``, and errors of whole requests, of PutTargets and RemoveTargets alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from airflow_cwevents._aws.limits import RETRYABLE_TARGET_CODES
from airflow_cwevents._declare.target_requests import TARGET_ATTEMPTS
from airflow_cwevents.exceptions import (
    EventBusNotFoundError,
    FailedTarget,
    LimitExceededError,
    ManagedRuleError,
    PutTargetsError,
    RemoveTargetsError,
    RuleNotFoundError,
)
from airflow_cwevents.hooks import CloudWatchEventsHook

RULE_ARN = "arn:aws:events:us-east-1:123456789012:rule/r"
TARGET = "arn:aws:events:us-east-1:123456789012:target/stop-instance"
BUSY, DENIED = "ConcurrentModificationException", "AccessDeniedException"


def target(name: str) -> dict[str, Any]:
    return {"Id": name, "Arn": TARGET}


class Operation(NamedTuple):
    """Put or remove targets, scripted."""

    events: Stubber
    method: str
    call: Callable[[Sequence[str]], Any]
    error: type[PutTargetsError | RemoveTargetsError]

    def request(self, names: Sequence[str]) -> dict[str, Any]:
        sent = {"Targets": [target(name) for name in names]} if self.method == "put_targets" else {"Ids": list(names)}
        return {"Rule": "r", **sent}

    def answer(self, names: Sequence[str], **failed: str) -> None:
        """Expect a request with these targets, and answer that some failed, each with its code."""
        entries = [{"TargetId": name, "ErrorCode": code, "ErrorMessage": f"{name}!"} for name, code in failed.items()]
        response = {"FailedEntryCount": len(entries), "FailedEntries": entries}
        self.events.add_response(self.method, response, self.request(names))

    def refuse(self, names: Sequence[str], code: str, message: str = "no") -> None:
        """Expect a request with these targets, and refuse it as a whole."""
        self.events.add_client_error(self.method, code, message, expected_params=self.request(names))


@pytest.fixture
def put(hook: CloudWatchEventsHook, events: Stubber) -> Operation:
    """Put targets on a rule that has none."""

    def call(names: Sequence[str]) -> list[str]:
        return hook.put_targets("r", [target(name) for name in names], max_targets=100)

    events.add_response("list_targets_by_rule", {}, {"Rule": "r"})
    events.add_response("describe_rule", {"Arn": RULE_ARN}, {"Name": "r"})
    return Operation(events, "put_targets", call, PutTargetsError)


@pytest.fixture
def remove(hook: CloudWatchEventsHook, events: Stubber) -> Operation:
    """Remove targets from a rule that has twelve."""
    listed = [target(name) for name in "abcdefghijkl"]
    events.add_response("list_targets_by_rule", {"Targets": listed}, {"Rule": "r"})
    return Operation(events, "remove_targets", lambda names: hook.remove_targets("r", list(names)), RemoveTargetsError)


@pytest.fixture(params=["put", "remove"])
def operation(request: pytest.FixtureRequest) -> Operation:
    """Return both operations in turn."""
    given: Operation = request.getfixturevalue(request.param)
    return given


class TestFailedEntries:
    @pytest.mark.parametrize("code", sorted(RETRYABLE_TARGET_CODES))
    def test_just_those_that_may_pass_are_tried_again(self, operation: Operation, code: str) -> None:
        operation.answer("abc", a=code, c=code)
        operation.answer("ac", c=code)
        operation.answer("c")
        assert operation.call("abc") == ["a", "b", "c"]

    def test_permanent_ones_are_reported(self, operation: Operation) -> None:
        operation.answer("abc", b=DENIED)
        with pytest.raises(operation.error) as caught:
            operation.call("abc")
        assert caught.value.failed == (FailedTarget("b", DENIED, "b!"),)
        assert (caught.value.rule, caught.value.permanent) == ("r", True)

    def test_unknown_code_is_permanent(self, operation: Operation) -> None:
        operation.answer("a", a="NewException")
        with pytest.raises(operation.error) as caught:
            operation.call("a")
        assert [failed.code for failed in caught.value.failed] == ["NewException"]

    def test_mixed(self, operation: Operation) -> None:
        operation.answer("abcd", b=DENIED, c=BUSY, d=BUSY)
        operation.answer("cd", d=DENIED)
        with pytest.raises(operation.error) as caught:
            operation.call("abcd")
        assert [(failed.target_id, failed.code) for failed in caught.value.failed] == [("b", DENIED), ("d", DENIED)]

    def test_those_that_never_succeed(self, operation: Operation) -> None:
        operation.answer("ab", a=BUSY, b=DENIED)
        for _ in range(TARGET_ATTEMPTS - 1):
            operation.answer("a", a=BUSY)
        with pytest.raises(operation.error) as caught:
            operation.call("ab")
        assert {failed.target_id: failed.code for failed in caught.value.failed} == {"a": BUSY, "b": DENIED}
        assert not caught.value.permanent

    def test_last_attempt_counts(self, operation: Operation) -> None:
        for _ in range(TARGET_ATTEMPTS - 1):
            operation.answer("a", a=BUSY)
        operation.answer("a")
        assert operation.call("a") == ["a"]

    def test_other_requests_are_made_all_the_same(self, operation: Operation) -> None:
        operation.answer("abcdefghij", a=DENIED)
        operation.answer("kl", l=BUSY)
        operation.answer("l", l=DENIED)
        with pytest.raises(operation.error) as caught:
            operation.call("abcdefghijkl")
        assert [failed.target_id for failed in caught.value.failed] == ["a", "l"]


class TestRefusedRequests:
    def test_transient_refusal_is_retried(self, operation: Operation) -> None:
        operation.refuse("abc", BUSY)
        operation.answer("abc", b=BUSY)
        operation.refuse("b", BUSY)
        operation.answer("b")
        assert operation.call("abc") == ["a", "b", "c"]

    def test_refusal_until_the_last_attempt(self, operation: Operation) -> None:
        for _ in range(TARGET_ATTEMPTS):
            operation.refuse("ab", BUSY, "busy")
        with pytest.raises(operation.error) as caught:
            operation.call("ab")
        assert caught.value.failed == (FailedTarget("a", BUSY, "busy"), FailedTarget("b", BUSY, "busy"))
        assert not caught.value.permanent

    @pytest.mark.parametrize("code", [*sorted(RETRYABLE_TARGET_CODES - {BUSY}), "ValidationException", DENIED])
    def test_other_errors_are_raised_unchanged(self, operation: Operation, code: str) -> None:
        operation.refuse("a", code)
        with pytest.raises(ClientError) as caught:
            operation.call("a")
        assert caught.value.response["Error"]["Code"] == code

    def test_managed_rule(self, operation: Operation) -> None:
        operation.refuse("a", "ManagedRuleException", "r is a managed rule.")
        with pytest.raises(ManagedRuleError) as caught:
            operation.call("a")
        assert caught.value.rule == "r"

    def test_quota_of_targets(self, put: Operation) -> None:
        put.refuse("a", "LimitExceededException", "The requested resource exceeds the maximum number allowed.")
        with pytest.raises(LimitExceededError) as caught:
            put.call("a")
        assert (caught.value.rule, caught.value.quota) == ("r", "targets per rule")
        assert caught.value.permanent

    def test_rule_deleted_meanwhile(self, operation: Operation) -> None:
        operation.refuse("a", "ResourceNotFoundException", "Rule r does not exist on EventBus default.")
        with pytest.raises(RuleNotFoundError) as caught:
            operation.call("a")
        assert caught.value.rule == "r"


class TestNothingToDoItOn:
    @pytest.mark.parametrize("bus", [None, "orders"])
    def test_missing_rule(self, aws: None, hook: CloudWatchEventsHook, bus: str | None) -> None:
        hook.conn.create_event_bus(Name="orders")
        with pytest.raises(RuleNotFoundError):
            hook.put_targets("r", [target("a")], event_bus_name=bus)
        with pytest.raises(RuleNotFoundError):
            hook.remove_targets("r", event_bus_name=bus)

    def test_missing_bus(self, aws: None, hook: CloudWatchEventsHook) -> None:
        with pytest.raises(EventBusNotFoundError):
            hook.put_targets("r", [target("a")], event_bus_name="orders")
        with pytest.raises(EventBusNotFoundError):
            hook.remove_targets("r", event_bus_name="orders")
