"""Grants of resource policies. Their expected form comes from AWS's page on resource-based policies."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_cwevents.iam.documents import with_statements
from airflow_cwevents.iam.evaluation import evaluate, invocation_of
from airflow_cwevents.iam.grants import dead_letter_statements, resource_statements, statement_id

RULE_ARN = "arn:aws:events:us-east-1:123456789012:rule/r"
OTHER_RULE_ARN = "arn:aws:events:us-east-1:123456789012:rule/orders/r"
FUNCTION_ARN = "arn:aws:lambda:us-east-1:123456789012:function:f"
QUEUE_ARN = "arn:aws:sqs:us-east-1:123456789012:q"
TOPIC_ARN = "arn:aws:sns:us-east-1:123456789012:t"
GROUP_ARN = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/events/g"
ROLE_ARN = "arn:aws:iam::123456789012:role/r"
ACCOUNT = "us-east-1:123456789012"


ARN_TEXTS = st.text("abé:/*", max_size=6).map(lambda text: f"arn:aws:x:{text}")


class TestStatementId:
    @given(st.lists(st.tuples(ARN_TEXTS, ARN_TEXTS), unique=True, max_size=20))
    def test_differs_for_each_pair(self, pairs: list[tuple[str, str]]) -> None:
        assert len({statement_id(*pair) for pair in pairs}) == len(pairs)

    @given(ARN_TEXTS, ARN_TEXTS)
    def test_is_valid_for_lambda_sqs_and_sns(self, rule_arn: str, resource_arn: str) -> None:
        assert re.fullmatch(r"[A-Za-z0-9]{1,64}", statement_id(rule_arn, resource_arn))

    def test_is_stable(self) -> None:
        # a newer version of this package must find what an older one granted
        assert statement_id(RULE_ARN, QUEUE_ARN) == "CwEvents3c452185799cf57f82a6d72f"

    def test_log_group_has_two(self) -> None:
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
            (f"arn:aws:execute-api:{ACCOUNT}:a1b2/prod/POST/orders/*", "execute-api:Invoke"),
            ("arn:aws-cn:sqs:cn-north-1:123456789012:q", "sqs:SendMessage"),
        ],
    )
    def test_restricted_to_the_rule(self, arn: str, action: str) -> None:
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

    def test_topic_has_no_condition(self) -> None:
        # "You can't use of Condition blocks in Amazon SNS topic policies for EventBridge."
        # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html#eb-sns-permissions
        assert resource_statements({"Id": "t", "Arn": TOPIC_ARN}, RULE_ARN) == [
            {
                "Sid": statement_id(RULE_ARN, TOPIC_ARN),
                "Effect": "Allow",
                "Principal": {"Service": "events.amazonaws.com"},
                "Action": "sns:Publish",
                "Resource": TOPIC_ARN,
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
    def test_no_statement(self, target: dict[str, str]) -> None:
        assert resource_statements({"Id": "t", **target}, RULE_ARN) == []

    @pytest.mark.parametrize("arn", [FUNCTION_ARN, QUEUE_ARN, TOPIC_ARN, GROUP_ARN])
    def test_allow_the_rule(self, arn: str) -> None:
        service, statement = arn.split(":")[2], resource_statements({"Arn": arn}, RULE_ARN)[-1]
        policy = with_statements(None, [statement])
        asked = (service, statement["Action"], statement["Resource"])
        assert evaluate(policy, invocation_of(*asked, RULE_ARN)) == "allowed"
        others = "allowed" if service == "sns" else "denied"  # a topic's policy cannot name a rule
        assert evaluate(policy, invocation_of(*asked, OTHER_RULE_ARN)) == others
        assert evaluate(policy, invocation_of(service, "x:Other", statement["Resource"], RULE_ARN)) == "denied"
        assert evaluate(policy, invocation_of(service, statement["Action"], f"{arn}-other", RULE_ARN)) == "denied"


class TestDeadLetterStatements:
    @pytest.mark.parametrize("role", [{}, {"RoleArn": ROLE_ARN}])
    def test_queue(self, role: dict[str, str]) -> None:
        target = {"Id": "t", "Arn": FUNCTION_ARN, "DeadLetterConfig": {"Arn": QUEUE_ARN}, **role}
        assert dead_letter_statements(target, RULE_ARN) == resource_statements({"Arn": QUEUE_ARN}, RULE_ARN)

    @pytest.mark.parametrize("config", [{}, {"DeadLetterConfig": None}, {"DeadLetterConfig": {}}])
    def test_no_queue(self, config: dict[str, Any]) -> None:
        assert dead_letter_statements({"Id": "t", "Arn": QUEUE_ARN, **config}, RULE_ARN) == []
