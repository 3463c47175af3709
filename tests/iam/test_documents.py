from __future__ import annotations

import copy
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_cwevents.iam.documents import (
    Policy,
    Statement,
    dead_letter_statements,
    holds_statements,
    resource_statements,
    statement_id,
    statements_of,
    trust_policy,
    tutorial_role_policy,
    with_statements,
    without_statements,
)
from airflow_cwevents.iam.evaluation import Invocation, evaluate

RULE_ARN = "arn:aws:events:us-east-1:123456789012:rule/r"
OTHER_RULE_ARN = "arn:aws:events:us-east-1:123456789012:rule/orders/r"
FUNCTION_ARN = "arn:aws:lambda:us-east-1:123456789012:function:f"
QUEUE_ARN = "arn:aws:sqs:us-east-1:123456789012:q"
TOPIC_ARN = "arn:aws:sns:us-east-1:123456789012:t"
GROUP_ARN = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/events/g"
ROLE_ARN = "arn:aws:iam::123456789012:role/r"
ACCOUNT = "us-east-1:123456789012"


def granted(*arns: str, rule_arn: str = RULE_ARN) -> list[Statement]:
    """Give what is granted on queues for one rule."""
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
    """Make a policy, as AWS gives it, and its statements as a list."""
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
    def test_what_was_there_stays(self, given_policy: tuple[Policy, list[Statement]], added: list[Statement]) -> None:
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
    def test_twice_is_once(self, given_policy: tuple[Policy, list[Statement]], added: list[Statement]) -> None:
        once = with_statements(given_policy[0], added)
        assert with_statements(once, added) == once

    def test_what_was_tampered_with_is_put_right(self) -> None:
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
    def test_gives_back_what_was_there(
        self, given_policy: tuple[Policy, list[Statement]], added: list[Statement]
    ) -> None:
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

    def test_those_of_another_rule_stay(self) -> None:
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

    def test_not_if_the_condition_is_gone(self) -> None:
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


ARN_TEXTS = st.text("abé:/*", max_size=6).map(lambda text: f"arn:aws:x:{text}")


class TestStatementId:
    @given(st.lists(st.tuples(ARN_TEXTS, ARN_TEXTS), unique=True, max_size=20))
    def test_is_another_for_each_pair(self, pairs: list[tuple[str, str]]) -> None:
        assert len({statement_id(*pair) for pair in pairs}) == len(pairs)

    @given(ARN_TEXTS, ARN_TEXTS)
    def test_is_what_lambda_sqs_and_sns_take(self, rule_arn: str, resource_arn: str) -> None:
        assert re.fullmatch(r"[A-Za-z0-9]{1,64}", statement_id(rule_arn, resource_arn))

    def test_never_changes(self) -> None:
        # what an older version of this package granted, a newer one has to find
        assert statement_id(RULE_ARN, QUEUE_ARN) == "CwEvents3c452185799cf57f82a6d72f"

    def test_of_a_log_group_are_two(self) -> None:
        sids = [statement["Sid"] for statement in resource_statements({"Arn": GROUP_ARN}, RULE_ARN)]
        assert len(set(sids)) == 2


class TestResourceStatements:
    @pytest.mark.parametrize(
        ("arn", "action"),
        [
            (FUNCTION_ARN, "lambda:InvokeFunction"),
            (f"{FUNCTION_ARN}:live", "lambda:InvokeFunction"),
            (f"{FUNCTION_ARN}:7", "lambda:InvokeFunction"),
            (QUEUE_ARN, "sqs:SendMessage"),
            (f"{QUEUE_ARN}.fifo", "sqs:SendMessage"),
            (TOPIC_ARN, "sns:Publish"),
            (f"arn:aws:execute-api:{ACCOUNT}:a1b2/prod/POST/orders/*", "execute-api:Invoke"),
            ("arn:aws-cn:sqs:cn-north-1:123456789012:q", "sqs:SendMessage"),
        ],
    )
    def test_for_this_rule_only(self, arn: str, action: str) -> None:
        assert resource_statements({"Id": "t", "Arn": arn}, RULE_ARN) == [
            {
                "Sid": statement_id(RULE_ARN, arn),
                "Effect": "Allow",
                "Principal": {"Service": "events.amazonaws.com"},
                "Action": action,
                "Resource": arn,
                "Condition": {"ArnEquals": {"aws:SourceArn": RULE_ARN}},
            }
        ]

    @pytest.mark.parametrize("suffix", ["", ":*"])
    def test_log_group(self, suffix: str) -> None:
        create, put = resource_statements({"Id": "t", "Arn": GROUP_ARN + suffix}, RULE_ARN)
        both = {
            "Effect": "Allow",
            "Principal": {"Service": ["events.amazonaws.com", "delivery.logs.amazonaws.com"]},
            "Resource": f"{GROUP_ARN}:*",
        }
        assert create == {**both, "Sid": create["Sid"], "Action": "logs:CreateLogStream"}
        assert put == {
            **both,
            "Sid": put["Sid"],
            "Action": "logs:PutLogEvents",
            "Condition": {"ArnEquals": {"aws:SourceArn": RULE_ARN}},
        }

    @pytest.mark.parametrize(
        "target",
        [
            {"Arn": QUEUE_ARN, "RoleArn": ROLE_ARN},
            {"Arn": f"arn:aws:kinesis:{ACCOUNT}:stream/s", "RoleArn": ROLE_ARN},
            {"Arn": f"arn:aws:kinesis:{ACCOUNT}:stream/s"},
            {"Arn": f"arn:aws:execute-api:{ACCOUNT}:a1b2/prod/POST/orders", "RoleArn": ROLE_ARN},
            {"Arn": f"arn:aws:events:{ACCOUNT}:event-bus/b"},
            {"Arn": f"arn:aws:newservice:{ACCOUNT}:x"},
            {"Arn": f"arn:aws:lambda:{ACCOUNT}:layer:x"},
            {"Arn": "not an ARN"},
        ],
    )
    def test_none(self, target: dict[str, str]) -> None:
        assert resource_statements({"Id": "t", **target}, RULE_ARN) == []

    @pytest.mark.parametrize("arn", [FUNCTION_ARN, QUEUE_ARN, TOPIC_ARN, GROUP_ARN])
    def test_let_the_rule_in_and_no_other(self, arn: str) -> None:
        statements = resource_statements({"Arn": arn}, RULE_ARN)
        policy = with_statements(None, statements)
        last = statements[-1]
        assert evaluate(policy, Invocation(last["Action"], last["Resource"], RULE_ARN)) == "allowed"
        assert evaluate(policy, Invocation(last["Action"], last["Resource"], OTHER_RULE_ARN)) == "denied"
        assert evaluate(policy, Invocation("x:Other", last["Resource"], RULE_ARN)) == "denied"
        assert evaluate(policy, Invocation(last["Action"], f"{arn}-other", RULE_ARN)) == "denied"


class TestDeadLetterStatements:
    @pytest.mark.parametrize("role", [{}, {"RoleArn": ROLE_ARN}])
    def test_queue(self, role: dict[str, str]) -> None:
        target = {"Id": "t", "Arn": FUNCTION_ARN, "DeadLetterConfig": {"Arn": QUEUE_ARN}, **role}
        assert dead_letter_statements(target, RULE_ARN) == granted(QUEUE_ARN)

    @pytest.mark.parametrize("config", [{}, {"DeadLetterConfig": None}, {"DeadLetterConfig": {}}])
    def test_no_queue(self, config: dict[str, Any]) -> None:
        assert dead_letter_statements({"Id": "t", "Arn": QUEUE_ARN, **config}, RULE_ARN) == []


def test_trust_policy_lets_eventbridge_assume_the_role() -> None:
    assert trust_policy() == {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    assert evaluate(trust_policy(), Invocation("sts:AssumeRole", "", RULE_ARN)) == "allowed"


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
