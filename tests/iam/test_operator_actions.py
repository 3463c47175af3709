from __future__ import annotations

import re
from contextlib import suppress
from itertools import chain
from typing import Any

import botocore.client
import botocore.session
import pytest

from airflow_cwevents import operators, sensors, transfers
from airflow_cwevents.decorators.put_events import PutEventsDecoratedOperator
from airflow_cwevents.exceptions import TargetCheckError
from airflow_cwevents.hooks import CloudWatchEventsHook
from airflow_cwevents.iam.operator_actions import OPERATOR_NEEDS, RequiredActions, operator_policy
from tests.declare.resources import create_function, create_key, create_log_group, create_queue, create_topic

ARN = "arn:aws:{}:us-east-1:123456789012:{}"
TARGETS = [
    {"Id": "stream", "Arn": ARN.format("kinesis", "stream/s"), "RoleArn": "arn:aws:iam::123456789012:role/events"},
    {"Id": "queue", "Arn": ARN.format("sqs", "q"), "DeadLetterConfig": {"Arn": ARN.format("sqs", "dead")}},
    {"Id": "topic", "Arn": ARN.format("sns", "t")},
    {"Id": "function", "Arn": ARN.format("lambda", "function:f")},
    {"Id": "logs", "Arn": ARN.format("logs", "log-group:/aws/events/g")},
]
ALL_ACTIONS = sorted({action for needs in OPERATOR_NEEDS.values() for need in needs for action in need.actions})
# The parameters of a run of each operator that declares, in an order in which they work.
RUNS: list[tuple[str, dict[str, Any]]] = [
    ("PutRuleOperator", {"name": "r", "event_pattern": {"source": ["a"]}, "tags": {"a": "b"}}),
    ("PutRuleOperator", {"name": "r", "event_pattern": {"source": ["b"]}, "tags": {"c": "d"}}),
    ("DisableRuleOperator", {"name": "r"}),
    ("EnableRuleOperator", {"name": "r"}),
    ("PutTargetsOperator", {"rule": "r", "targets": TARGETS}),
    ("CheckTargetsOperator", {"rule": "r"}),
    ("PutTargetsOperator", {"rule": "r", "targets": TARGETS[1:], "grant_permissions": True, "prune": True}),
    ("RemoveTargetsOperator", {"rule": "r", "target_ids": ["logs"], "revoke_permissions": True}),
    ("DeleteRuleOperator", {"name": "r", "revoke_permissions": True}),
    ("CreateEventQueueOperator", {"name": "e", "event_pattern": {"source": ["a"]}, "kms_key": "alias/events"}),
    (
        "CreateEventQueueOperator",
        {"name": "e", "event_pattern": {"source": ["b"]}, "visibility_timeout": 5, "tags": {"a": "b"}},
    ),
    ("CreateEventQueueOperator", {"name": "e", "event_pattern": {"source": ["b"]}, "tags": {}}),
    ("DeleteEventQueueOperator", {"name": "e"}),
    ("PutEventsOperator", {"entries": [{"Source": "a", "DetailType": "b", "Detail": {}}], "event_bus_name": "orders"}),
]
# A permission without an operation, and an operation that moto does not have.
NOT_CALLED = {"iam:PassRole", "iam:SimulatePrincipalPolicy"}
PASS_ROLE = {
    "Effect": "Allow",
    "Action": "iam:PassRole",
    "Resource": "*",
    "Condition": {"StringEquals": {"iam:PassedToService": "events.amazonaws.com"}},
}


def when(name: str, action: str) -> set[str]:
    """Return when an operator calls an action; an empty string means always."""
    return {need.when for need in OPERATOR_NEEDS[name] if action in need.actions}


def test_every_operator_is_listed() -> None:
    names = {*operators.__all__, *sensors.__all__, *transfers.__all__, PutEventsDecoratedOperator.custom_operator_name}
    assert set(OPERATOR_NEEDS) == names - {"Placeholder"} | {"EventQueueTrigger"}


def test_actions_exist() -> None:
    session = botocore.session.get_session()
    for service, operation in (action.split(":") for action in ALL_ACTIONS if action != "iam:PassRole"):
        assert operation in session.get_service_model(service).operation_names


@pytest.mark.parametrize(
    ("name", "always"),
    [
        ("PutRuleOperator", {"events:PutRule"}),
        ("EnableRuleOperator", {"events:EnableRule"}),
        ("DisableRuleOperator", {"events:DisableRule"}),
        (
            "DeleteRuleOperator",
            {"events:DescribeRule", "events:ListTargetsByRule", "events:DeleteRule", "events:RemoveTargets"},
        ),
        ("PutTargetsOperator", {"events:DescribeRule", "events:ListTargetsByRule", "events:PutTargets"}),
        ("RemoveTargetsOperator", {"events:ListTargetsByRule", "events:RemoveTargets"}),
        ("CheckTargetsOperator", {"events:DescribeRule", "events:ListTargetsByRule"}),
        (
            "CreateEventQueueOperator",
            {
                *(f"events:{name}" for name in ("DescribeRule", "PutRule", "ListTargetsByRule", "PutTargets")),
                *(f"events:{name}" for name in ("ListTagsForResource", "TagResource")),
                *(f"sqs:{name}" for name in ("CreateQueue", "GetQueueUrl", "GetQueueAttributes", "SetQueueAttributes")),
                *(f"sqs:{name}" for name in ("ListQueueTags", "TagQueue")),
            },
        ),
        (
            "DeleteEventQueueOperator",
            {
                *(f"events:{name}" for name in ("DescribeRule", "ListTagsForResource", "ListTargetsByRule")),
                *(f"events:{name}" for name in ("RemoveTargets", "DeleteRule")),
                *(f"sqs:{name}" for name in ("GetQueueUrl", "ListQueueTags", "DeleteQueue")),
            },
        ),
        ("PutEventsOperator", {"events:PutEvents"}),
        ("ObjectStorageToEventsOperator", {"events:PutEvents"}),
        ("EventSensor", {"sqs:ChangeMessageVisibility", "sqs:ReceiveMessage"}),
        ("@task.put_events", {"events:PutEvents"}),
        ("EventQueueTrigger", {"sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:ReceiveMessage"}),
    ],
)
def test_always_needed(name: str, always: set[str]) -> None:
    assert set(chain(*(need.actions for need in OPERATOR_NEEDS[name] if not need.when))) == always


@pytest.mark.parametrize(
    ("name", "action", "condition"),
    [
        ("PutRuleOperator", "events:TagResource", "tags"),
        ("PutRuleOperator", "iam:PassRole", "role_arn"),
        ("PutTargetsOperator", "events:RemoveTargets", "prune"),
        ("PutTargetsOperator", "iam:PassRole", "RoleArn"),
        ("PutTargetsOperator", "lambda:AddPermission", "grant_permissions"),
        ("PutTargetsOperator", "sqs:SetQueueAttributes", "grant_permissions"),
        ("PutTargetsOperator", "sns:SetTopicAttributes", "grant_permissions"),
        ("PutTargetsOperator", "logs:PutResourcePolicy", "grant_permissions"),
        ("DeleteRuleOperator", "lambda:RemovePermission", "revoke_permissions"),
        ("RemoveTargetsOperator", "logs:DeleteResourcePolicy", "revoke_permissions"),
        ("CreateEventQueueOperator", "events:UntagResource", "tags"),
        ("CreateEventQueueOperator", "sqs:UntagQueue", "tags"),
        ("CreateEventQueueOperator", "kms:GetKeyPolicy", "kms_key"),
        ("PutEventsOperator", "events:DescribeEventBus", "check_event_bus"),
    ],
)
def test_needed_for_a_parameter(name: str, action: str, condition: str) -> None:
    assert any(condition in text for text in when(name, action))
    assert "" not in when(name, action)


@pytest.mark.parametrize("name", ["DeleteRuleOperator", "RemoveTargetsOperator"])
def test_revoking_needs_no_permission_to_grant(name: str) -> None:
    assert not when(name, "lambda:AddPermission")


def test_optional() -> None:
    assert RequiredActions(("events:DescribeRule",), "always", optional=True) in OPERATOR_NEEDS["PutRuleOperator"]
    optional = {
        name: set(chain(*(need.actions for need in needs if need.optional))) for name, needs in OPERATOR_NEEDS.items()
    }
    assert optional["PutEventsOperator"] == {"events:DescribeEventBus"}
    assert "kms:GetKeyPolicy" in optional["PutTargetsOperator"]
    assert optional["EnableRuleOperator"] == optional["DisableRuleOperator"] == {"events:DescribeRule"}
    assert not optional["DeleteRuleOperator"]


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Return the set of actions that are called from now on."""
    actions: set[str] = set()
    make_api_call = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]

    def recorded(self: Any, operation_name: str, parameters: Any) -> Any:
        actions.add(f"{self.meta.service_model.endpoint_prefix}:{operation_name}")
        return make_api_call(self, operation_name, parameters)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", recorded)
    return actions


def test_every_call_is_listed(aws: None, hook: CloudWatchEventsHook, called: set[str]) -> None:
    create_queue(hook, KmsMasterKeyId=create_key(hook))
    key = create_key(hook, {"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"})
    hook.client("kms").create_alias(AliasName="alias/events", TargetKeyId=key)
    create_queue(hook, "dead")
    create_topic(hook)
    create_function(hook)
    create_log_group(hook)
    hook.conn.create_event_bus(Name="orders")
    calls: dict[str, set[str]] = {}
    for name, parameters in RUNS:
        called.clear()
        task = getattr(operators, name)(task_id="t", aws_conn_id=None, **parameters)
        with suppress(TargetCheckError):
            task.execute({})
        calls.setdefault(name, set()).update(called)
    listed = {name: {action for required in OPERATOR_NEEDS[name] for action in required.actions} for name in calls}
    assert {name: called - listed[name] for name, called in calls.items()} == {name: set() for name in calls}
    assert set().union(*listed.values()) - set().union(*calls.values()) == NOT_CALLED


class TestOperatorPolicy:
    def test_one_operator(self) -> None:
        actions = ["events:DescribeRule", "events:EnableRule"]
        assert operator_policy(["EnableRuleOperator"]) == {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}],
        }

    def test_several_say_every_action_once_in_order(self) -> None:
        first, *others = operator_policy(["RemoveTargetsOperator", "DisableRuleOperator", "EnableRuleOperator"])[
            "Statement"
        ]
        assert first["Action"] == sorted(set(first["Action"]))
        assert {"events:DisableRule", "events:EnableRule", "events:RemoveTargets"} <= set(first["Action"])
        assert others == []

    @pytest.mark.parametrize("name", ["PutRuleOperator", "PutTargetsOperator"])
    def test_role_is_passed_to_eventbridge_only(self, name: str) -> None:
        plain, pass_role = operator_policy([name])["Statement"]
        assert "iam:PassRole" not in plain["Action"]
        assert pass_role == PASS_ROLE

    def test_all_operators_get_all_actions(self) -> None:
        plain, pass_role = operator_policy(OPERATOR_NEEDS)["Statement"]
        assert sorted([*plain["Action"], pass_role["Action"]]) == ALL_ACTIONS
        assert all(re.fullmatch(r"[a-z]+:[A-Z][A-Za-z]+", action) for action in plain["Action"])

    def test_unknown_operator(self) -> None:
        with pytest.raises(KeyError) as caught:
            operator_policy(["PutRuleOperator", "PutRulesOperator"])
        assert caught.value.args == ("PutRulesOperator",)
