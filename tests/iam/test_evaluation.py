from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_cwevents.iam.documents import trust_policy
from airflow_cwevents.iam.evaluation import Invocation, evaluate

RULE_ARN = "arn:aws:events:us-east-1:123456789012:rule/r"
QUEUE_ARN = "arn:aws:sqs:us-east-1:123456789012:q"
INVOCATION = Invocation("sqs:SendMessage", QUEUE_ARN, RULE_ARN)
# The request carries the account of the rule, or is known not to.
WITH_ACCOUNT = Invocation("sqs:SendMessage", QUEUE_ARN, RULE_ARN, source_account_known=True)
WITHOUT_ACCOUNT = Invocation("sqs:SendMessage", QUEUE_ARN, RULE_ARN, source_account_known=False)
WITHOUT_CONTEXT = Invocation("sqs:SendMessage", QUEUE_ARN, None, source_account_known=False)


def statement(**elements: Any) -> dict[str, Any]:
    """Return a statement that allows EventBridge, with some elements replaced; None omits one."""
    allow = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": QUEUE_ARN,
    }
    return {name: value for name, value in {**allow, **elements}.items() if value is not None}


def verdict(*statements: dict[str, Any], invocation: Invocation = INVOCATION) -> str:
    return evaluate({"Version": "2012-10-17", "Statement": list(statements)}, invocation)


def under(operator: str, key: str, value: Any, invocation: Invocation = INVOCATION) -> str:
    """Evaluate a statement that allows under a condition."""
    return verdict(statement(Condition={operator: {key: value}}), invocation=invocation)


class TestPolicy:
    @pytest.mark.parametrize("policy", [None, {}, {"Statement": []}])
    def test_nothing_allows_nothing(self, policy: dict[str, Any] | None) -> None:
        assert evaluate(policy, INVOCATION) == "denied"

    def test_single_statement_without_a_list(self) -> None:
        assert evaluate({"Statement": statement()}, INVOCATION) == "allowed"
        assert evaluate({"Statement": statement(Effect="Deny")}, INVOCATION) == "denied"


MAYBE = {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}
NO = {"ArnEquals": {"aws:SourceArn": f"{RULE_ARN}-other"}}


class TestEffect:
    @pytest.mark.parametrize(
        ("allow", "deny", "expected"),
        [
            ({}, None, "allowed"),
            (MAYBE, None, "unknown"),
            (NO, None, "denied"),
            (None, {}, "denied"),
            (None, MAYBE, "unknown"),
            (None, NO, "denied"),
            ({}, {}, "denied"),
            ({}, MAYBE, "unknown"),
            ({}, NO, "allowed"),
            (MAYBE, {}, "denied"),
            (MAYBE, MAYBE, "unknown"),
            (MAYBE, NO, "unknown"),
            (NO, {}, "denied"),
            (NO, NO, "denied"),
        ],
    )
    @pytest.mark.parametrize("turned", [False, True])
    def test_deny_wins_in_any_order(
        self, allow: dict[str, Any] | None, deny: dict[str, Any] | None, expected: str, turned: bool
    ) -> None:
        statements = [
            statement(Effect=effect, Condition=condition)
            for effect, condition in (("Allow", allow), ("Deny", deny))
            if condition is not None
        ]
        assert verdict(*(reversed(statements) if turned else statements)) == expected

    def test_one_that_allows_is_enough(self) -> None:
        assert verdict(statement(Condition=NO), statement(Condition=MAYBE), statement()) == "allowed"
        assert verdict(statement(Condition=NO), statement(Condition=MAYBE)) == "unknown"


class TestOddEffect:
    """AWS refuses such a statement, as far as is known."""

    @pytest.mark.parametrize("effect", ["allow", "DENY", "", None, ["Allow"]])
    @pytest.mark.parametrize("others", [[], [statement()]])
    def test_only_aws_can_evaluate(self, effect: Any, others: list[dict[str, Any]]) -> None:
        assert verdict(statement(Effect=effect), *others) == "unknown"

    def test_does_not_matter_if_something_else_does_not_match(self) -> None:
        assert verdict(statement(Effect="allow", Condition=NO), statement()) == "allowed"
        assert verdict(statement(), statement(Effect="Deny"), statement(Effect="allow")) == "denied"


class TestPrincipal:
    @pytest.mark.parametrize(
        ("principal", "expected"),
        [
            ({"Service": "events.amazonaws.com"}, "allowed"),
            ({"Service": ["sns.amazonaws.com", "events.amazonaws.com"]}, "allowed"),
            ("*", "allowed"),
            ({"AWS": "*"}, "allowed"),
            ({"AWS": ["*"]}, "allowed"),
            ({"Service": "*"}, "allowed"),
            ({"Service": "sns.amazonaws.com"}, "denied"),
            ({"Service": "scheduler.amazonaws.com"}, "denied"),
            ({"AWS": "arn:aws:iam::123456789012:root"}, "denied"),
            ({"AWS": "123456789012"}, "denied"),
            ({"Federated": "events.amazonaws.com"}, "denied"),
            ({}, "denied"),
            (None, "denied"),
        ],
    )
    def test_principal(self, principal: Any, expected: str) -> None:
        assert verdict(statement(Principal=principal)) == expected

    @pytest.mark.parametrize(
        ("not_principal", "expected"),
        [
            ({"AWS": "arn:aws:iam::123456789012:role/r"}, "denied"),
            ({"Service": "sns.amazonaws.com"}, "denied"),
            ({"Service": "events.amazonaws.com"}, "allowed"),
            ({"Service": ["sns.amazonaws.com", "events.amazonaws.com"]}, "allowed"),
        ],
    )
    def test_deny_to_all_but_some(self, not_principal: Any, expected: str) -> None:
        deny = statement(Effect="Deny", Principal=None, NotPrincipal=not_principal)
        assert verdict(statement(), deny) == expected


class TestAction:
    @pytest.mark.parametrize(
        ("action", "expected"),
        [
            ("sqs:SendMessage", "allowed"),
            ("SQS:sendmessage", "allowed"),
            ("sqs:*", "allowed"),
            ("sqs:Send*", "allowed"),
            ("sqs:Send?essage", "allowed"),
            ("*", "allowed"),
            (["sqs:ReceiveMessage", "sqs:SendMessage"], "allowed"),
            ("sqs:Send?Message", "denied"),
            ("sqs:Send", "denied"),
            ("sqs:SendMessageBatch", "denied"),
            ("sns:*", "denied"),
            ("sqs.SendMessage", "denied"),
            ([], "denied"),
        ],
    )
    def test_action(self, action: Any, expected: str) -> None:
        assert verdict(statement(Action=action)) == expected

    @pytest.mark.parametrize(
        ("not_action", "expected"),
        [
            ("sqs:ReceiveMessage", "allowed"),
            (["sqs:Receive*", "sns:*"], "allowed"),
            ("sqs:sendmessage", "denied"),
            (["sns:*", "sqs:Send*"], "denied"),
            ("*", "denied"),
        ],
    )
    def test_not_action(self, not_action: Any, expected: str) -> None:
        assert verdict(statement(Action=None, NotAction=not_action)) == expected

    def test_dot_is_no_wildcard(self) -> None:
        assert verdict(statement(Resource="arn.aws.sqs.us-east-1.123456789012.q")) == "denied"


class TestResource:
    @pytest.mark.parametrize(
        ("resource", "expected"),
        [
            (QUEUE_ARN, "allowed"),
            ("*", "allowed"),
            ("arn:aws:sqs:*:123456789012:*", "allowed"),
            ([f"{QUEUE_ARN}-other", QUEUE_ARN], "allowed"),
            (f"{QUEUE_ARN}?", "denied"),
            (QUEUE_ARN.replace(":q", ":Q"), "denied"),
            (f"{QUEUE_ARN}-other", "denied"),
            ([], "denied"),
            (None, "allowed"),
        ],
    )
    def test_resource(self, resource: Any, expected: str) -> None:
        assert verdict(statement(Resource=resource)) == expected

    @pytest.mark.parametrize(
        ("not_resource", "expected"),
        [(f"{QUEUE_ARN}-other", "allowed"), (QUEUE_ARN, "denied"), (["x", "arn:aws:sqs:*"], "denied")],
    )
    def test_not_resource(self, not_resource: Any, expected: str) -> None:
        assert verdict(statement(Resource=None, NotResource=not_resource)) == expected


class TestSourceArn:
    @pytest.mark.parametrize(
        ("operator", "value", "expected"),
        [
            ("ArnEquals", RULE_ARN, "allowed"),
            ("ArnLike", RULE_ARN, "allowed"),
            ("StringEquals", RULE_ARN, "allowed"),
            ("StringLike", RULE_ARN, "allowed"),
            ("ArnEqualsIfExists", RULE_ARN, "allowed"),
            ("ArnEquals", ["other", RULE_ARN], "allowed"),
            ("ArnEquals", "arn:aws:events:*:123456789012:rule/*", "allowed"),
            ("ArnLike", "arn:aws:events:us-east-?:*:rule/r", "allowed"),
            ("StringLike", "*rule/r", "allowed"),
            ("StringLike", "*", "allowed"),
            ("StringLike", "arn:*:rule/r", "allowed"),
            ("ArnLike", "*:*:*:*:*:*", "allowed"),
            ("ArnLike", "arn:aws:events:*:*:*", "allowed"),
            ("ArnEquals", ["*", RULE_ARN], "allowed"),
            ("ArnLike", "*", "unknown"),
            ("ArnEquals", ["other", "*"], "unknown"),
            ("ArnLike", "arn:aws:events:*", "denied"),
            ("ArnLike", "arn:*:rule/r", "denied"),
            ("ArnLike", "arn:aws:events:*:rule/r", "denied"),
            ("ArnEquals", "arn:aws:*:123456789012:rule/r:", "denied"),
            ("ArnLike", "arn:aws:events:us-east-1:12*", "denied"),
            ("StringEquals", "arn:aws:events:*:123456789012:rule/*", "denied"),
            ("ArnEquals", f"{RULE_ARN}-other", "denied"),
            ("ArnLike", "arn:aws:events:*:123456789012:rule/orders/*", "denied"),
            ("StringEquals", RULE_ARN.upper(), "denied"),
            ("ArnLike", RULE_ARN.upper(), "denied"),
            ("StringEquals", RULE_ARN[:-1], "denied"),
            ("ArnEqualsIfExists", "other", "denied"),
            ("ArnLike", [], "denied"),
        ],
    )
    def test_arn_of_the_rule(self, operator: str, value: Any, expected: str) -> None:
        assert under(operator, "aws:SourceArn", value) == expected

    @pytest.mark.parametrize("key", ["AWS:SourceArn", "aws:sourcearn"])
    def test_case_of_the_key_does_not_matter(self, key: str) -> None:
        assert under("ArnEquals", key, RULE_ARN) == "allowed"
        assert under("ArnEquals", key, "other") == "denied"

    @pytest.mark.parametrize(
        ("operator", "expected"),
        [("ArnEquals", "denied"), ("StringLike", "denied"), ("ArnEqualsIfExists", "allowed")],
    )
    def test_request_without_it(self, operator: str, expected: str) -> None:
        assert under(operator, "aws:SourceArn", RULE_ARN, WITHOUT_CONTEXT) == expected

    def test_deny_for_another_rule_only(self) -> None:
        assert verdict(statement(), statement(Effect="Deny", Condition=NO)) == "allowed"


class TestSourceAccount:
    @pytest.mark.parametrize(
        ("operator", "value", "expected"),
        [
            ("StringEquals", "123456789012", "allowed"),
            ("StringEquals", ["210987654321", "123456789012"], "allowed"),
            ("StringLike", "1234*", "allowed"),
            ("StringEquals", "1234*", "denied"),
            ("StringEquals", "210987654321", "denied"),
        ],
    )
    def test_request_with_it(self, operator: str, value: Any, expected: str) -> None:
        assert under(operator, "aws:SourceAccount", value, WITH_ACCOUNT) == expected

    @pytest.mark.parametrize("invocation", [WITHOUT_ACCOUNT, WITHOUT_CONTEXT])
    @pytest.mark.parametrize(
        ("operator", "expected"), [("StringEquals", "denied"), ("StringEqualsIfExists", "allowed")]
    )
    def test_request_without_it(self, operator: str, expected: str, invocation: Invocation) -> None:
        assert under(operator, "AWS:SourceAccount", "123456789012", invocation) == expected

    @pytest.mark.parametrize("value", ["123456789012", "210987654321"])
    def test_not_known_whether_the_request_has_it(self, value: str) -> None:
        assert under("StringEquals", "aws:SourceAccount", value) == "unknown"


class TestOtherConditions:
    @pytest.mark.parametrize(
        ("operator", "value", "met"),
        [
            ("Bool", "true", True),
            ("Bool", True, True),
            ("Bool", ["TRUE"], True),
            ("BoolIfExists", "true", True),
            ("StringEquals", "true", True),
            ("Bool", ["true", "false"], True),
            ("Bool", "false", False),
            ("Bool", False, False),
            ("BoolIfExists", ["false"], False),
        ],
    )
    @pytest.mark.parametrize("key", ["aws:SecureTransport", "AWS:securetransport"])
    def test_transport_is_secure(self, operator: str, value: Any, met: bool, key: str) -> None:
        condition = {operator: {key: value}}
        assert verdict(statement(Condition=condition)) == ("allowed" if met else "denied")
        assert verdict(statement(), statement(Effect="Deny", Condition=condition)) == ("denied" if met else "allowed")

    @pytest.mark.parametrize(("operator", "expected"), [("StringEquals", "denied"), ("StringLikeIfExists", "allowed")])
    def test_request_has_no_source_owner(self, operator: str, expected: str) -> None:
        # the default policy of a topic: the most usual reason why EventBridge cannot publish to it
        assert under(operator, "AWS:SourceOwner", "123456789012", WITH_ACCOUNT) == expected

    @pytest.mark.parametrize(
        ("operator", "key", "value"),
        [
            ("StringEquals", "aws:PrincipalOrgID", "o-1"),
            ("IpAddress", "aws:SourceIp", "10.0.0.0/8"),
            ("DateLessThan", "aws:CurrentTime", "2030-01-01T00:00:00Z"),
            ("StringNotEquals", "aws:SourceArn", RULE_ARN),
            ("ArnNotLike", "aws:SourceArn", "other"),
            ("ForAnyValue:StringEquals", "aws:SourceArn", RULE_ARN),
            ("Null", "aws:SecureTransport", "true"),
            ("Null", "aws:SourceArn", "false"),
        ],
    )
    def test_only_aws_can_evaluate(self, operator: str, key: str, value: str) -> None:
        assert under(operator, key, value) == "unknown"
        deny = statement(Effect="Deny", Condition={operator: {key: value}})
        assert verdict(statement(), deny) == "unknown"

    @pytest.mark.parametrize(
        ("condition", "expected"),
        [
            ({}, "allowed"),
            ({"ArnEquals": {"aws:SourceArn": RULE_ARN}, "Bool": {"aws:SecureTransport": "true"}}, "allowed"),
            ({"ArnEquals": {"aws:SourceArn": "other"}, "Bool": {"aws:SecureTransport": "true"}}, "denied"),
            ({"StringEquals": {"aws:SourceArn": RULE_ARN, "aws:PrincipalOrgID": "o-1"}}, "unknown"),
            ({"StringEquals": {"aws:SourceArn": "other", "aws:PrincipalOrgID": "o-1"}}, "denied"),
        ],
    )
    def test_all_conditions_must_be_met(self, condition: dict[str, Any], expected: str) -> None:
        assert verdict(statement(Condition=condition)) == expected

    @pytest.mark.parametrize(
        "element", [{"Principal": {"AWS": "1"}}, {"Action": "sqs:DeleteQueue"}, {"Resource": f"{QUEUE_ARN}-other"}]
    )
    def test_do_not_matter_if_something_else_does_not_match(self, element: dict[str, Any]) -> None:
        assert verdict(statement(**element, Condition=MAYBE)) == "denied"
        assert verdict(statement(), statement(Effect="Deny", **element, Condition=MAYBE)) == "allowed"


class TestTrust:
    ASSUME = Invocation("sts:AssumeRole", "", RULE_ARN, source_account_known=True)

    @pytest.mark.parametrize(
        ("condition", "expected"),
        [
            (None, "allowed"),
            ({"StringEquals": {"aws:SourceAccount": "123456789012"}}, "allowed"),
            ({"ArnLike": {"aws:SourceArn": "arn:aws:events:*:123456789012:rule/*"}}, "allowed"),
            ({"StringEquals": {"aws:SourceAccount": "210987654321"}}, "denied"),
            ({"StringEquals": {"sts:ExternalId": "x"}}, "unknown"),
        ],
    )
    def test_condition(self, condition: dict[str, Any] | None, expected: str) -> None:
        trust = {**trust_policy()["Statement"][0], **({"Condition": condition} if condition else {})}
        assert evaluate({"Statement": trust}, self.ASSUME) == expected

    def test_other_service(self) -> None:
        trust = {**trust_policy()["Statement"][0], "Principal": {"Service": "lambda.amazonaws.com"}}
        assert evaluate({"Statement": trust}, self.ASSUME) == "denied"


@given(st.text(max_size=8), st.text(max_size=8))
def test_string_without_wildcards_matches_itself_only(pattern: str, resource: str) -> None:
    pattern = pattern.replace("*", "+").replace("?", "+")
    invocation = Invocation("a:b", resource, None)
    found = verdict(statement(Action="a:b", Resource=pattern), invocation=invocation)
    assert (found == "allowed") is (pattern == resource)
    own = verdict(statement(Action="a:b", Resource=pattern), invocation=Invocation("a:b", pattern, None))
    assert own == "allowed"
