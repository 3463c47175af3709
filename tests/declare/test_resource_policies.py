from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tenacity import wait_none

from airflow_cwevents._aws.arns import Arn
from airflow_cwevents._declare.document_policies import CHANGE_ATTEMPTS, PolicyOverwrittenError, ResourcePolicy
from airflow_cwevents._declare.resource_policies import (
    LOGS_POLICY_NAME,
    MAX_LOGS_POLICY_LENGTH,
    FunctionPolicy,
    LogsPolicy,
    resource_policy,
)
from airflow_cwevents.hooks import CloudWatchEventsHook
from airflow_cwevents.iam.documents import Policy, Statement, statements_of
from airflow_cwevents.iam.grants import Grant, target_grants
from tests.conftest import Stub
from tests.declare.resources import OTHER_RULE_ARN, RULE_ARN, create_log_group, create_topic

QUEUE = "arn:aws:sqs:us-east-1:123456789012:q"
TOPIC = "arn:aws:sns:us-east-1:123456789012:t"
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:f"
GROUP = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/events/g"
NEW_TOPICS_POLICY = {
    "Version": "2008-10-17",
    "Id": "__default_policy_ID",
    "Statement": [
        {
            "Sid": "__default_statement_ID",
            "Effect": "Allow",
            "Principal": {"AWS": "*"},
            "Action": [
                "SNS:GetTopicAttributes",
                "SNS:SetTopicAttributes",
                "SNS:AddPermission",
                "SNS:RemovePermission",
                "SNS:DeleteTopic",
                "SNS:Subscribe",
                "SNS:ListSubscriptionsByTopic",
                "SNS:Publish",
            ],
            "Resource": TOPIC,
            "Condition": {"StringEquals": {"AWS:SourceOwner": "123456789012"}},
        }
    ],
}
THEIRS = {"Sid": "theirs", "Effect": "Allow", "Principal": "*", "Action": "sqs:*"}


def policy_of(hook: CloudWatchEventsHook, arn: str) -> ResourcePolicy:
    parsed = Arn.parse(arn)
    assert parsed is not None
    return resource_policy(hook.client, parsed, wait_none())


def grants(arn: str, rule_arn: str = RULE_ARN) -> list[Grant]:
    return target_grants({"Id": "t", "Arn": arn}, rule_arn)


def statements(arn: str, rule_arn: str = RULE_ARN) -> list[Statement]:
    return [grant.statement for grant in grants(arn, rule_arn)]


def document(*given: Statement) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(given)})


class TestQueue:
    @staticmethod
    def script_read(stub: Stub, text: str | None) -> None:
        named = {"QueueName": "q", "QueueOwnerAWSAccountId": "123456789012"}
        stub("sqs").add_response("get_queue_url", {"QueueUrl": "https://q"}, named)
        attributes = {"Attributes": {"Policy": text}} if text is not None else {}
        asked = {"QueueUrl": "https://q", "AttributeNames": ["All"]}
        stub("sqs").add_response("get_queue_attributes", attributes, asked)

    @staticmethod
    def script_write(stub: Stub, text: str) -> None:
        stub("sqs").add_response("get_queue_url", {"QueueUrl": "https://q"})
        stub("sqs").add_response("set_queue_attributes", {}, {"QueueUrl": "https://q", "Attributes": {"Policy": text}})

    @pytest.mark.parametrize("nothing", [None, ""])
    def test_first_statement(self, hook: CloudWatchEventsHook, stub: Stub, nothing: str | None) -> None:
        self.script_read(stub, nothing)
        self.script_write(stub, document(*statements(QUEUE)))
        self.script_read(stub, document(*statements(QUEUE)))
        policy_of(hook, QUEUE).add(grants(QUEUE))

    def test_further_statement(self, hook: CloudWatchEventsHook, stub: Stub) -> None:
        self.script_read(stub, document(THEIRS))
        self.script_write(stub, document(THEIRS, *statements(QUEUE)))
        self.script_read(stub, document(THEIRS, *statements(QUEUE)))
        policy_of(hook, QUEUE).add(grants(QUEUE))

    def test_single_statement_without_a_list_and_other_members(self, hook: CloudWatchEventsHook, stub: Stub) -> None:
        self.script_read(stub, json.dumps({"Version": "2008-10-17", "Id": "i", "Statement": THEIRS}))
        after = json.dumps({"Version": "2008-10-17", "Id": "i", "Statement": [THEIRS, *statements(QUEUE)]})
        self.script_write(stub, after)
        self.script_read(stub, after)
        policy_of(hook, QUEUE).add(grants(QUEUE))

    def test_present_statement_is_not_written_again(self, hook: CloudWatchEventsHook, stub: Stub) -> None:
        self.script_read(stub, document(*statements(QUEUE)))
        policy_of(hook, QUEUE).add(grants(QUEUE))

    def test_changed_statement_is_replaced(self, hook: CloudWatchEventsHook, stub: Stub) -> None:
        (ours,) = statements(QUEUE)
        self.script_read(stub, document({**ours, "Effect": "Deny"}, THEIRS))
        self.script_write(stub, document(THEIRS, ours))
        self.script_read(stub, document(THEIRS, ours))
        policy_of(hook, QUEUE).add(grants(QUEUE))

    def test_overwritten_change_is_made_again(self, hook: CloudWatchEventsHook, stub: Stub) -> None:
        others = statements(QUEUE, OTHER_RULE_ARN)
        self.script_read(stub, None)
        self.script_write(stub, document(*statements(QUEUE)))
        self.script_read(stub, document(*others))  # which another task wrote over ours
        self.script_write(stub, document(*others, *statements(QUEUE)))
        self.script_read(stub, document(*others, *statements(QUEUE)))
        policy_of(hook, QUEUE).add(grants(QUEUE))

    def test_overwritten_removal_is_made_again(self, hook: CloudWatchEventsHook, stub: Stub) -> None:
        others = statements(QUEUE, OTHER_RULE_ARN)
        self.script_read(stub, document(*statements(QUEUE)))
        self.script_write(stub, "")
        self.script_read(stub, document(*statements(QUEUE), *others))  # by one who had read before that
        self.script_write(stub, document(*others))
        self.script_read(stub, document(*others))
        policy_of(hook, QUEUE).remove(grants(QUEUE))

    def test_attempts_are_limited(self, hook: CloudWatchEventsHook, stub: Stub) -> None:
        for _ in range(CHANGE_ATTEMPTS):
            self.script_read(stub, document(THEIRS))
            self.script_write(stub, document(THEIRS, *statements(QUEUE)))
        with pytest.raises(PolicyOverwrittenError):
            policy_of(hook, QUEUE).add(grants(QUEUE))

    def test_errors_are_not_retried(self, hook: CloudWatchEventsHook, stub: Stub) -> None:
        stub("sqs").add_client_error("get_queue_url", "AccessDenied", "no")
        with pytest.raises(ClientError):
            policy_of(hook, QUEUE).add(grants(QUEUE))


class TestTopic:
    def test_reads_and_writes_all_of_it(self, hook: CloudWatchEventsHook, stub: Stub) -> None:
        sns = stub("sns")
        before, after = document(THEIRS), document(THEIRS, *statements(TOPIC))
        written = {"TopicArn": TOPIC, "AttributeName": "Policy", "AttributeValue": after}
        sns.add_response("get_topic_attributes", {"Attributes": {"Policy": before}}, {"TopicArn": TOPIC})
        sns.add_response("set_topic_attributes", {}, written)
        sns.add_response("get_topic_attributes", {"Attributes": {"Policy": after}}, {"TopicArn": TOPIC})
        policy_of(hook, TOPIC).add(grants(TOPIC))

    def test_default_policy_replaces_the_last_statement(self, hook: CloudWatchEventsHook, stub: Stub) -> None:
        sns = stub("sns")
        default = json.dumps(NEW_TOPICS_POLICY)
        written = {"TopicArn": TOPIC, "AttributeName": "Policy", "AttributeValue": default}
        sns.add_response("get_topic_attributes", {"Attributes": {"Policy": document(*statements(TOPIC))}})
        sns.add_response("set_topic_attributes", {}, written)
        sns.add_response("get_topic_attributes", {"Attributes": {"Policy": default}})
        policy_of(hook, TOPIC).remove(grants(TOPIC))

    def test_new_topic_has_the_default_policy(self, aws: None, hook: CloudWatchEventsHook) -> None:
        assert policy_of(hook, create_topic(hook)).read() == NEW_TOPICS_POLICY


class TestFunction:
    NAMED = {"FunctionName": FUNCTION}  # noqa: RUF012

    def script_read(self, stub: Stub, *given: Statement) -> None:
        if given:
            stub("lambda").add_response("get_policy", {"Policy": document(*given)}, self.NAMED)
            return
        stub("lambda").add_client_error("get_policy", "ResourceNotFoundException", "no", expected_params=self.NAMED)
        stub("lambda").add_response("get_function_configuration", {}, self.NAMED)

    def added(self) -> dict[str, Any]:
        (ours,) = statements(FUNCTION)
        return {
            **self.NAMED,
            "StatementId": ours["Sid"],
            "Action": "lambda:InvokeFunction",
            "Principal": "events.amazonaws.com",
            "SourceArn": RULE_ARN,
        }

    def as_aws_returns_it(self) -> Statement:
        (ours,) = statements(FUNCTION)
        return {**ours, "Condition": {"ArnLike": {"AWS:SourceArn": RULE_ARN}}}

    def test_no_policy_yet(self, hook: CloudWatchEventsHook, stub: Stub) -> None:
        self.script_read(stub)
        stub("lambda").add_response("add_permission", {}, self.added())
        policy_of(hook, FUNCTION).add(grants(FUNCTION))

    def test_present_statement_is_not_added_again(self, hook: CloudWatchEventsHook, stub: Stub) -> None:
        self.script_read(stub, self.as_aws_returns_it())
        policy_of(hook, FUNCTION).add(grants(FUNCTION))

    @pytest.mark.parametrize(
        "condition",
        [
            {"ArnLike": {"AWS:SourceArn": OTHER_RULE_ARN}},
            {"ArnLike": {"AWS:SourceArn": f"{RULE_ARN}-other"}},
            # with which EventBridge's events do not arrive
            {"ArnLike": {"AWS:SourceArn": RULE_ARN}, "StringEquals": {"AWS:SourceAccount": "123456789012"}},
        ],
    )
    def test_changed_statement_is_replaced(
        self, hook: CloudWatchEventsHook, stub: Stub, condition: dict[str, Any]
    ) -> None:
        self.script_read(stub, {**self.as_aws_returns_it(), "Condition": condition})
        removed = {**self.NAMED, "StatementId": statements(FUNCTION)[0]["Sid"]}
        stub("lambda").add_response("remove_permission", {}, removed)
        stub("lambda").add_response("add_permission", {}, self.added())
        policy_of(hook, FUNCTION).add(grants(FUNCTION))

    def test_another_task_that_adds_the_same_at_the_same_time(self, hook: CloudWatchEventsHook, stub: Stub) -> None:
        self.script_read(stub)
        message = "The statement id provided already exists. Please provide a new statement id, or remove it."
        stub("lambda").add_client_error("add_permission", "ResourceConflictException", message)
        self.script_read(stub, self.as_aws_returns_it())
        policy_of(hook, FUNCTION).add(grants(FUNCTION))

    def test_only_ours_is_removed(self, hook: CloudWatchEventsHook, stub: Stub) -> None:
        self.script_read(stub, {**THEIRS, "Action": "lambda:*"}, self.as_aws_returns_it())
        removed = {**self.NAMED, "StatementId": statements(FUNCTION)[0]["Sid"]}
        stub("lambda").add_response("remove_permission", {}, removed)
        policy_of(hook, FUNCTION).remove(grants(FUNCTION))

    def test_missing_function(self, aws: None, hook: CloudWatchEventsHook) -> None:
        with pytest.raises(ClientError) as caught:
            policy_of(hook, FUNCTION).read()
        assert caught.value.response["Error"]["Code"] == "ResourceNotFoundException"

    @pytest.mark.parametrize(
        ("arn", "expected"),
        [
            (FUNCTION, NAMED),
            (f"{FUNCTION}:live", {**NAMED, "Qualifier": "live"}),
            (f"{FUNCTION}:3", {**NAMED, "Qualifier": "3"}),
        ],
    )
    def test_version_or_alias_is_the_qualifier(
        self, hook: CloudWatchEventsHook, stub: Stub, arn: str, expected: dict[str, str]
    ) -> None:
        stub("lambda").add_response("get_policy", {"Policy": document(THEIRS)}, expected)
        policy = policy_of(hook, arn)
        assert isinstance(policy, FunctionPolicy)
        assert statements_of(policy.read()) == [THEIRS]


class TestLogs:
    @staticmethod
    def present(hook: CloudWatchEventsHook) -> dict[str, Policy]:
        listed = hook.client("logs").describe_resource_policies()["resourcePolicies"]
        return {policy["policyName"]: json.loads(policy["policyDocument"]) for policy in listed}

    @staticmethod
    def padded(sid: str, length: int, beside: int = 0) -> Grant:
        """Return a grant that makes a policy of a length, next to that many characters of other statements."""
        statement = Grant(sid, "", GROUP, None).statement
        alone = json.dumps({"Version": "2012-10-17", "Statement": [statement]}, separators=(",", ":"))
        return Grant(sid, "x" * (length - len(alone) - beside), GROUP, None)

    def test_rules_share_a_policy(self, aws: None, hook: CloudWatchEventsHook) -> None:
        theirs = document(THEIRS)
        hook.client("logs").put_resource_policy(policyName="theirs", policyDocument=theirs)
        group = create_log_group(hook)
        policy_of(hook, group).add(grants(group))
        policy_of(hook, group).add(grants(group, OTHER_RULE_ARN))
        present = self.present(hook)
        assert present.keys() == {"theirs", LOGS_POLICY_NAME}
        assert present["theirs"] == json.loads(theirs)
        assert present[LOGS_POLICY_NAME]["Statement"] == [*statements(group), *statements(group, OTHER_RULE_ARN)]

    @pytest.mark.parametrize(
        ("length", "names"),
        [
            (MAX_LOGS_POLICY_LENGTH, [LOGS_POLICY_NAME]),
            (MAX_LOGS_POLICY_LENGTH + 1, [LOGS_POLICY_NAME, f"{LOGS_POLICY_NAME}-2"]),
        ],
    )
    def test_second_policy_begins_when_the_first_is_full(
        self, aws: None, hook: CloudWatchEventsHook, length: int, names: list[str]
    ) -> None:
        first = self.padded("a", 1000)
        comma_and_first = len(json.dumps(first.statement, separators=(",", ":"))) + 1
        policy = policy_of(hook, GROUP)
        policy.add([first])
        policy.add([self.padded("b", length, beside=comma_and_first)])
        assert sorted(self.present(hook)) == names

    def test_many_rules(self, aws: None, hook: CloudWatchEventsHook) -> None:
        rules = [f"{RULE_ARN}-{'x' * 50}-{number:03}" for number in range(20)]
        group = create_log_group(hook)
        hook.client("logs").put_resource_policy(policyName="theirs", policyDocument=document(THEIRS))
        for rule in rules:
            policy_of(hook, group).add(grants(group, rule))
        listed = hook.client("logs").describe_resource_policies()["resourcePolicies"]
        assert len(listed) > 2
        assert max(len(policy["policyDocument"]) for policy in listed) <= MAX_LOGS_POLICY_LENGTH
        wanted = [statement["Sid"] for rule in rules for statement in statements(group, rule)]
        assert sorted(each["Sid"] for each in statements_of(policy_of(hook, group).read())) == sorted(
            ["theirs", *wanted]
        )
        for rule in rules:
            policy_of(hook, group).remove(grants(group, rule))
        assert self.present(hook) == {"theirs": json.loads(document(THEIRS))}

    def test_freed_room_is_used_again(self, aws: None, hook: CloudWatchEventsHook) -> None:
        policy = policy_of(hook, GROUP)
        policy.add([self.padded("a", MAX_LOGS_POLICY_LENGTH)])
        policy.add([self.padded("b", 1000)])
        policy.remove([self.padded("a", MAX_LOGS_POLICY_LENGTH)])
        policy.add([self.padded("c", 1000)])
        assert self.present(hook).keys() == {LOGS_POLICY_NAME, f"{LOGS_POLICY_NAME}-2"}

    def test_all_pages_are_read(self, hook: CloudWatchEventsHook, stub: Stub) -> None:
        first = {"resourcePolicies": [{"policyName": "a", "policyDocument": document(THEIRS)}], "nextToken": "t"}
        second = {
            "resourcePolicies": [{"policyName": LOGS_POLICY_NAME, "policyDocument": document(*statements(GROUP))}]
        }
        stub("logs").add_response("describe_resource_policies", first, {})
        stub("logs").add_response("describe_resource_policies", second, {"nextToken": "t"})
        policy_of(hook, GROUP).add(grants(GROUP))  # there already, on the second page

    def test_conflict_is_retried(self, hook: CloudWatchEventsHook, stub: Stub) -> None:
        logs = stub("logs")
        none: dict[str, Any] = {"resourcePolicies": []}
        text = json.dumps(json.loads(document(*statements(GROUP))), separators=(",", ":"))
        written = {"policyName": LOGS_POLICY_NAME, "policyDocument": text}
        logs.add_response("describe_resource_policies", none)
        logs.add_client_error("put_resource_policy", "OperationAbortedException", "conflict", expected_params=written)
        logs.add_response("describe_resource_policies", none)
        logs.add_response("put_resource_policy", {}, written)
        logs.add_response("describe_resource_policies", {"resourcePolicies": [written]})
        policy_of(hook, GROUP).add(grants(GROUP))

    def test_account_that_has_ten_policies_already(self, hook: CloudWatchEventsHook, stub: Stub) -> None:
        stub("logs").add_response("describe_resource_policies", {"resourcePolicies": []})
        stub("logs").add_client_error("put_resource_policy", "LimitExceededException", "Resource limit exceeded.")
        with pytest.raises(ClientError) as caught:
            policy_of(hook, GROUP).add(grants(GROUP))
        assert caught.value.response["Error"]["Code"] == "LimitExceededException"

    def test_no_policies_at_all(self, aws: None, hook: CloudWatchEventsHook) -> None:
        arn = Arn.parse(GROUP)
        assert arn is not None
        assert LogsPolicy(hook.client("logs"), arn, wait_none()).read() is None
