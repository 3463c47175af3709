from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_cwevents.iam.documents import (
    Policy,
    Statement,
    holds_statements,
    statements_of,
    trust_policy,
    tutorial_role_policy,
    with_statements,
    without_statements,
)
from airflow_cwevents.iam.evaluation import Invocation, evaluate
from airflow_cwevents.iam.grants import resource_statements

RULE_ARN = "arn:aws:events:us-east-1:123456789012:rule/r"
OTHER_RULE_ARN = "arn:aws:events:us-east-1:123456789012:rule/orders/r"
QUEUE_ARN = "arn:aws:sqs:us-east-1:123456789012:q"
TOPIC_ARN = "arn:aws:sns:us-east-1:123456789012:t"
GROUP_ARN = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/events/g"


def granted(*arns: str, rule_arn: str = RULE_ARN) -> list[Statement]:
    """Return the statements for one rule."""
    return [statement for arn in arns for statement in resource_statements({"Id": "t", "Arn": arn}, rule_arn)]


VALUES = st.text(max_size=3) | st.lists(st.text(max_size=3), max_size=3)
# Any statement of anybody else: with no Sid, with one that others have too, with elements that we never use.
OTHERS = st.fixed_dictionaries(
    {"Effect": st.sampled_from(["Allow", "Deny"]), "Action": VALUES},
    optional={
        "Sid": st.sampled_from(["", "a", "b", "__default_statement_ID"]),
        "Principal": st.just("*") | st.fixed_dictionaries({"AWS": VALUES}),
        "NotResource": VALUES,
        "Condition": st.dictionaries(st.text(max_size=3), st.dictionaries(st.text(max_size=3), VALUES, max_size=2)),
    },
)
OURS = st.lists(
    st.sampled_from("abcd").map(lambda name: granted(f"{QUEUE_ARN}-{name}")[0]), unique_by=lambda s: s["Sid"]
)
HEADS = st.fixed_dictionaries({}, optional={"Version": st.sampled_from(["2008-10-17", "2012-10-17"]), "Id": st.text()})


@st.composite
def policies(draw: st.DrawFn, statements: st.SearchStrategy[Any] = OTHERS) -> tuple[Policy, list[Statement]]:
    """Return a policy, as AWS returns it, and its statements as a list."""
    present = draw(st.lists(statements, max_size=5))
    written = present[0] if len(present) == 1 and draw(st.booleans()) else present
    return {**draw(HEADS), "Statement": written}, present


class TestStatementsOf:
    @pytest.mark.parametrize("policy", [None, {}, {"Statement": []}, {"Statement": None}, {"Version": "2012-10-17"}])
    def test_none(self, policy: Policy | None) -> None:
        assert statements_of(policy) == []

    @given(policies())
    def test_all_in_order(self, given_policy: tuple[Policy, list[Statement]]) -> None:
        policy, present = given_policy
        assert statements_of(policy) == present


class TestWithStatements:
    def test_no_policy_yet(self) -> None:
        added = granted(QUEUE_ARN)
        assert with_statements(None, added) == {"Version": "2012-10-17", "Statement": added}

    @given(policies(), OURS)
    def test_other_statements_stay(self, given_policy: tuple[Policy, list[Statement]], added: list[Statement]) -> None:
        policy, present = given_policy
        before = copy.deepcopy(policy)
        assert with_statements(policy, added) == {**policy, "Statement": [*present, *added]}
        assert policy == before

    @given(policies(OTHERS | st.sampled_from(granted(f"{QUEUE_ARN}-a", f"{QUEUE_ARN}-b"))), OURS)
    def test_only_the_same_sid_is_replaced(
        self, given_policy: tuple[Policy, list[Statement]], added: list[Statement]
    ) -> None:
        policy, present = given_policy
        sids = [statement["Sid"] for statement in added]
        kept = [statement for statement in present if "Sid" not in statement or statement["Sid"] not in sids]
        assert with_statements(policy, added)["Statement"] == [*kept, *added]

    @given(policies(), OURS)
    def test_adding_twice_changes_nothing(
        self, given_policy: tuple[Policy, list[Statement]], added: list[Statement]
    ) -> None:
        once = with_statements(given_policy[0], added)
        assert with_statements(once, added) == once

    def test_changed_statement_is_replaced(self) -> None:
        added = granted(QUEUE_ARN)
        tampered = {**added[0], "Condition": {}}
        other = {"Sid": "a", "Effect": "Deny", "Action": "*"}
        policy = {"Version": "2008-10-17", "Id": "i", "Statement": [tampered, other]}
        assert with_statements(policy, added) == {
            "Version": "2008-10-17",
            "Id": "i",
            "Statement": [other, *added],
        }


class TestWithoutStatements:
    @given(policies(), OURS)
    def test_undoes_the_addition(self, given_policy: tuple[Policy, list[Statement]], added: list[Statement]) -> None:
        policy, present = given_policy
        left = without_statements(with_statements(policy, added), added)
        assert left == ({**policy, "Statement": present} if present else None)

    @given(policies(), OURS)
    def test_removes_nothing_else(self, given_policy: tuple[Policy, list[Statement]], removed: list[Statement]) -> None:
        policy, present = given_policy
        before = copy.deepcopy(policy)
        left = without_statements(policy, removed)
        assert left == ({**policy, "Statement": present} if present else None)
        assert policy == before

    def test_statements_of_another_rule_stay(self) -> None:
        mine, theirs = granted(QUEUE_ARN), granted(QUEUE_ARN, rule_arn=OTHER_RULE_ARN)
        assert without_statements({"Statement": [*mine, *theirs]}, mine) == {"Statement": theirs}

    @pytest.mark.parametrize("as_list", [True, False])
    def test_none_left(self, as_list: bool) -> None:
        ours = granted(QUEUE_ARN)
        policy = {"Version": "2012-10-17", "Id": "i", "Statement": ours if as_list else ours[0]}
        assert without_statements(policy, ours) is None


class TestHoldsStatements:
    @given(policies(), OURS)
    def test_after_they_were_added(self, given_policy: tuple[Policy, list[Statement]], added: list[Statement]) -> None:
        assert holds_statements(with_statements(given_policy[0], added), added)

    @given(policies(), OURS)
    def test_not_before(self, given_policy: tuple[Policy, list[Statement]], added: list[Statement]) -> None:
        assert holds_statements(given_policy[0], added) is (not added)
        assert holds_statements(None, added) is (not added)

    @given(policies(), OURS.filter(bool), st.data())
    def test_not_if_one_is_missing(
        self, given_policy: tuple[Policy, list[Statement]], added: list[Statement], data: st.DataObject
    ) -> None:
        missing = data.draw(st.sampled_from(added))
        left = without_statements(with_statements(given_policy[0], added), [missing])
        assert not holds_statements(left, added)

    @pytest.mark.parametrize(
        "change",
        [
            {"Effect": "Deny"},
            {"Action": "sqs:ReceiveMessage"},
            {"Action": ["sqs:SendMessage", "sqs:ReceiveMessage"]},
            {"Resource": "*"},
            {"Principal": "*"},
            {"Condition": {"ArnEquals": {"aws:SourceArn": OTHER_RULE_ARN}}},
            {"Condition": {"ArnLike": {"aws:SourceArn": RULE_ARN}}},
            {"NotAction": "sqs:ReceiveMessage"},
        ],
    )
    def test_not_if_one_differs(self, change: dict[str, Any]) -> None:
        ours = granted(QUEUE_ARN)
        assert not holds_statements({"Statement": [{**ours[0], **change}]}, ours)

    def test_not_without_the_condition(self) -> None:
        ours = granted(QUEUE_ARN)
        bare = {key: value for key, value in ours[0].items() if key != "Condition"}
        assert not holds_statements({"Statement": [bare]}, ours)

    @pytest.mark.parametrize(
        "change",
        [
            {"Action": ["sqs:SendMessage"]},
            {"Resource": [QUEUE_ARN]},
            {"Principal": {"Service": ["events.amazonaws.com"]}},
            {"Condition": {"ArnEquals": {"aws:SourceArn": [RULE_ARN]}}},
        ],
    )
    def test_list_of_one_is_the_one(self, change: dict[str, Any]) -> None:
        ours = granted(QUEUE_ARN)
        assert holds_statements({"Statement": {**ours[0], **change}}, ours)

    def test_order_of_a_list_does_not_matter(self) -> None:
        ours = resource_statements({"Arn": GROUP_ARN}, RULE_ARN)
        service = list(reversed(ours[0]["Principal"]["Service"]))
        turned = [{**statement, "Principal": {"Service": service}} for statement in reversed(ours)]
        assert holds_statements({"Statement": turned}, ours)


class TestTrustPolicy:
    def test_any_rule_may_use_the_role(self) -> None:
        allowed = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sts:AssumeRole"}
        assert trust_policy() == {"Version": "2012-10-17", "Statement": [allowed]}
        assert evaluate(trust_policy(), Invocation("sts:AssumeRole", "", RULE_ARN)) == "allowed"

    def test_one_rule_may_use_the_role(self) -> None:
        # https://docs.aws.amazon.com/eventbridge/latest/userguide/cross-service-confused-deputy-prevention.html
        trust = trust_policy(RULE_ARN)
        assert trust["Statement"][0]["Condition"] == {
            "ArnLike": {"aws:SourceArn": RULE_ARN},
            "StringEquals": {"aws:SourceAccount": "123456789012"},
        }
        for rule_arn, verdict in ((RULE_ARN, "allowed"), (OTHER_RULE_ARN, "denied")):
            assumed = Invocation("sts:AssumeRole", "", rule_arn, source_account_known=True)
            assert evaluate(trust, assumed) == verdict


@pytest.mark.parametrize(("arguments", "role"), [((), "AWS_Events_Invoke_Targets"), (("mine",), "mine")])
def test_tutorial_role_policy_is_the_tutorials(arguments: tuple[str, ...], role: str) -> None:
    assert tutorial_role_policy(*arguments) == {
        "Version": "2012-10-17",
        "Statement": [
            {"Sid": "CloudWatchEventsFullAccess", "Effect": "Allow", "Resource": "*", "Action": "events:*"},
            {
                "Sid": "IAMPassRoleForCloudWatchEvents",
                "Effect": "Allow",
                "Resource": f"arn:aws:iam::*:role/{role}",
                "Action": "iam:PassRole",
            },
        ],
    }


def test_documents_are_json() -> None:
    policy = with_statements(None, granted(QUEUE_ARN, TOPIC_ARN, GROUP_ARN))
    assert json.loads(json.dumps(policy)) == policy
