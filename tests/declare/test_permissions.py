from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError
from botocore.stub import Stubber

from airflow_cwevents._declare.document_policies import CHANGE_ATTEMPTS
from airflow_cwevents.exceptions import (
    GrantPermissionsError,
    ManagedRuleError,
    PutTargetsError,
    RemoveTargetsError,
    RevokePermissionsError,
)
from airflow_cwevents.hooks import CloudWatchEventsHook
from airflow_cwevents.iam.grants import statement_id
from tests.conftest import Logged, Stub
from tests.declare.resources import (
    OTHER_RULE_ARN,
    RULE_ARN,
    create_function,
    create_log_group,
    create_queue,
    create_role,
    create_topic,
    read_policy,
    set_queue_policy,
    source_arns,
)

QUEUE = "arn:aws:sqs:us-east-1:123456789012:q"
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:f"
TOPIC = "arn:aws:sns:us-east-1:123456789012:t"
API = "arn:aws:execute-api:us-east-1:123456789012:a1b2/prod/POST/orders"
RULE = {"Name": "r", "Arn": RULE_ARN}
OTHERS = [
    {"Sid": "a", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "sqs:*"},
    {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sqs:SendMessage",
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    },
]


def target(arn: str, target_id: str = "t", **members: Any) -> dict[str, Any]:
    return {"Id": target_id, "Arn": arn, **members}


def create(hook: CloudWatchEventsHook, kind: str) -> str:
    """Create a resource of some kind; return its ARN as a target names it."""
    creators = {"queue": create_queue, "topic": create_topic, "log group": create_log_group}
    if creator := creators.get(kind):
        return creator(hook)
    return create_function(hook) + {"function": "", "alias": ":live", "version": ":1"}[kind]


@pytest.fixture(params=["function", "alias", "version", "queue", "topic", "log group"])
def resource(request: pytest.FixtureRequest, aws: None, hook: CloudWatchEventsHook) -> str:
    """Return the ARN of a resource of each kind that has a policy, on moto."""
    return create(hook, request.param)


class TestGrant:
    def test_allows_the_rule_only(self, hook: CloudWatchEventsHook, resource: str) -> None:
        hook.grant_permissions(RULE_ARN, [target(resource)])
        assert set(source_arns(hook, resource)) == (set() if resource == TOPIC else {RULE_ARN})
        added = [statement for statement in read_policy(hook, resource) if statement["Sid"].startswith("CwEvents")]
        assert {statement["Effect"] for statement in added} == {"Allow"}
        for statement in added:
            assert "events.amazonaws.com" in statement["Principal"]["Service"]
            assert statement["Resource"].removesuffix(":*") == resource

    def test_repeated_grant_changes_nothing(self, hook: CloudWatchEventsHook, resource: str, logged: Logged) -> None:
        hook.grant_permissions(RULE_ARN, [target(resource)])
        before = read_policy(hook, resource)
        hook.grant_permissions(RULE_ARN, [target(resource), target(resource, "again")])
        assert read_policy(hook, resource) == before

    def test_other_rules_keep_theirs(self, hook: CloudWatchEventsHook, resource: str) -> None:
        hook.grant_permissions(OTHER_RULE_ARN, [target(resource)])
        before = read_policy(hook, resource)
        hook.grant_permissions(RULE_ARN, [target(resource)])
        after = read_policy(hook, resource)
        assert after[: len(before)] == before
        assert len(after) > len(before)
        hook.revoke_permissions(RULE_ARN, [target(resource)])
        assert read_policy(hook, resource) == before

    def test_actions(self, aws: None, hook: CloudWatchEventsHook) -> None:
        expected = {
            "queue": ["sqs:SendMessage"],
            "topic": ["sns:Publish"],
            "function": ["lambda:InvokeFunction"],
            "log group": ["logs:CreateLogStream", "logs:PutLogEvents"],
        }
        for kind, actions in expected.items():
            arn = create(hook, kind)
            hook.grant_permissions(RULE_ARN, [target(arn)])
            statements = [each for each in read_policy(hook, arn) if each["Sid"].startswith("CwEvents")]
            assert [statement["Action"] for statement in statements] == actions

    @pytest.mark.parametrize(
        ("function", "named"),
        [
            (FUNCTION, {"FunctionName": FUNCTION}),
            (f"{FUNCTION}:live", {"FunctionName": FUNCTION, "Qualifier": "live"}),
            (f"{FUNCTION}:7", {"FunctionName": FUNCTION, "Qualifier": "7"}),
            (f"{FUNCTION}:$LATEST", {"FunctionName": FUNCTION}),
        ],
    )
    def test_function_version_and_alias_have_policies_of_their_own(
        self, hook: CloudWatchEventsHook, stub: Stub, function: str, named: dict[str, str]
    ) -> None:
        functions = stub("lambda")
        for _ in range(2):
            functions.add_client_error("get_policy", "ResourceNotFoundException", "no policy", expected_params=named)
            functions.add_response("get_function_configuration", {}, named)
        functions.add_response("add_permission", {}, {**self.permission(function), **named})
        hook.grant_permissions(RULE_ARN, [target(function)])

    def test_latest_version_shares_the_policy_of_the_function(
        self, aws: None, hook: CloudWatchEventsHook, logged: Logged
    ) -> None:
        latest = target(f"{create_function(hook)}:$LATEST")
        hook.grant_permissions(RULE_ARN, [latest])
        before = read_policy(hook, FUNCTION)
        assert [statement["Sid"] for statement in before] == [statement_id(RULE_ARN, FUNCTION)]
        hook.grant_permissions(RULE_ARN, [latest, target(FUNCTION)])
        assert logged("INFO")[-1].args == ("Target t", "r")
        hook.revoke_permissions(RULE_ARN, [latest], [target(FUNCTION)])
        assert read_policy(hook, FUNCTION) == before
        hook.revoke_permissions(RULE_ARN, [latest])
        assert read_policy(hook, FUNCTION) == []

    @staticmethod
    def permission(function: str) -> dict[str, str]:
        return {
            "StatementId": statement_id(RULE_ARN, function.removesuffix(":$LATEST")),
            "Action": "lambda:InvokeFunction",
            "Principal": "events.amazonaws.com",
            "SourceArn": RULE_ARN,
        }

    def test_statements_of_others_stay_in_place(self, aws: None, hook: CloudWatchEventsHook) -> None:
        create_queue(hook)
        set_queue_policy(hook, *OTHERS)
        hook.grant_permissions(RULE_ARN, [target(QUEUE)])
        assert read_policy(hook, QUEUE)[:2] == OTHERS
        assert len(read_policy(hook, QUEUE)) == 3
        hook.revoke_permissions(RULE_ARN, [target(QUEUE)])
        assert read_policy(hook, QUEUE) == OTHERS

    @pytest.mark.parametrize(
        "statement",
        [
            {"Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": QUEUE},
            {
                "Principal": "*",
                "Action": "sqs:*",
                "Resource": "*",
                "Condition": {"ArnLike": {"aws:SourceArn": f"{RULE_ARN}*"}},
            },
            {
                "Principal": {"Service": ["s3.amazonaws.com", "events.amazonaws.com"]},
                "Action": ["SQS:SendMessage"],
                "Condition": {"ArnLike": {"AWS:SourceArn": "arn:aws:events:*:123456789012:rule/*"}},
            },
        ],
    )
    def test_policy_that_already_allows_it_stays(
        self, aws: None, hook: CloudWatchEventsHook, statement: dict[str, Any]
    ) -> None:
        create_queue(hook)
        set_queue_policy(hook, {"Sid": "theirs", "Effect": "Allow", **statement})
        before = read_policy(hook, QUEUE)
        hook.grant_permissions(RULE_ARN, [target(QUEUE)])
        assert read_policy(hook, QUEUE) == before
        hook.revoke_permissions(RULE_ARN, [target(QUEUE)])
        assert read_policy(hook, QUEUE) == before

    def test_condition_on_the_account_does_not_count_for_a_function(
        self, aws: None, hook: CloudWatchEventsHook
    ) -> None:
        create_function(hook)
        hook.client("lambda").add_permission(
            FunctionName="f",
            StatementId="theirs",
            Action="lambda:InvokeFunction",
            Principal="events.amazonaws.com",
            SourceArn=RULE_ARN,
            SourceAccount="123456789012",
        )
        hook.grant_permissions(RULE_ARN, [target(FUNCTION)])
        theirs, ours = read_policy(hook, FUNCTION)
        assert theirs["Sid"] == "theirs"
        assert "SourceAccount" not in json.dumps(ours)

    def test_dead_letter_queue(self, aws: None, hook: CloudWatchEventsHook) -> None:
        function, queue = create_function(hook), create_queue(hook)
        hook.grant_permissions(RULE_ARN, [target(function, DeadLetterConfig={"Arn": queue})])
        assert source_arns(hook, function) == source_arns(hook, queue) == [RULE_ARN]

    def test_with_a_role_only_the_dead_letter_queue_needs_a_grant(self, aws: None, hook: CloudWatchEventsHook) -> None:
        queue, dead = create_queue(hook), create_queue(hook, "dead")
        role = create_role(hook)
        hook.grant_permissions(RULE_ARN, [target(queue, RoleArn=role, DeadLetterConfig={"Arn": dead})])
        assert read_policy(hook, queue) == []
        assert source_arns(hook, dead) == [RULE_ARN]

    def test_kinds_without_a_policy_are_ignored(self, hook: CloudWatchEventsHook, stub: Stub) -> None:
        for service in ("lambda", "sqs", "sns", "logs"):
            stub(service)  # and no request
        role = {"RoleArn": "arn:aws:iam::123456789012:role/x"}
        stream = target("arn:aws:kinesis:us-east-1:123456789012:stream/s", **role)
        unknown = target("arn:aws:nova:us-east-1:123456789012:thing/t")
        hook.grant_permissions(RULE_ARN, [stream, unknown])

    @pytest.mark.parametrize(
        ("deny", "warnings"),
        [
            ({}, 1),
            ({"Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:events:*:*:rule/*"}}}, 1),
            ({"Condition": {"Bool": {"aws:SecureTransport": "false"}}}, 0),
            ({"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}, 0),  # only AWS can evaluate it
            ({"Action": "sqs:ReceiveMessage"}, 0),
        ],
    )
    def test_deny_gets_a_warning(
        self, aws: None, hook: CloudWatchEventsHook, logged: Logged, deny: dict[str, Any], warnings: int
    ) -> None:
        create_queue(hook)
        set_queue_policy(hook, {"Sid": "no", "Effect": "Deny", "Principal": "*", "Action": "sqs:*", **deny})
        hook.grant_permissions(RULE_ARN, [target(QUEUE)])
        assert source_arns(hook, QUEUE)[-1] == RULE_ARN
        assert len(logged("WARNING")) == warnings

    def test_policy_of_api_gateway_is_logged_only(self, hook: CloudWatchEventsHook, logged: Logged, stub: Stub) -> None:
        stub("lambda").add_client_error("get_policy", "AccessDenied", "no")
        with pytest.raises(GrantPermissionsError):  # the next target was attempted
            hook.grant_permissions(RULE_ARN, [target(API), target(FUNCTION)])
        hook.revoke_permissions(RULE_ARN, [target(API)])
        (warning,) = logged("WARNING")
        assert warning.args == ("Target t",)

    def test_failure_names_target_and_resource(self, aws: None, hook: CloudWatchEventsHook) -> None:
        with pytest.raises(GrantPermissionsError) as caught:
            hook.grant_permissions(RULE_ARN, [target(create_queue(hook)), target(f"{QUEUE}-gone", "u")])
        assert (caught.value.target_id, caught.value.resource_arn) == ("u", f"{QUEUE}-gone")
        assert isinstance(caught.value.__cause__, ClientError)

    def test_failure_names_the_dead_letter_queue(self, aws: None, hook: CloudWatchEventsHook) -> None:
        with pytest.raises(GrantPermissionsError) as caught:
            hook.grant_permissions(RULE_ARN, [target(create_function(hook), DeadLetterConfig={"Arn": QUEUE})])
        assert (caught.value.target_id, caught.value.resource_arn) == ("t", QUEUE)

    def test_missing_function(self, aws: None, hook: CloudWatchEventsHook) -> None:
        with pytest.raises(GrantPermissionsError) as caught:
            hook.grant_permissions(RULE_ARN, [target(FUNCTION)])
        assert caught.value.resource_arn == FUNCTION

    def test_policy_that_others_overwrite_again_and_again(self, hook: CloudWatchEventsHook, stub: Stub) -> None:
        sqs = stub("sqs")
        for attempt in range(CHANGE_ATTEMPTS + 1):
            sqs.add_response("get_queue_url", {"QueueUrl": "https://q"})
            sqs.add_response("get_queue_attributes", {})  # others overwrote it
            if attempt:
                sqs.add_response("get_queue_url", {"QueueUrl": "https://q"})
                sqs.add_response("set_queue_attributes", {})
        with pytest.raises(GrantPermissionsError) as caught:
            hook.grant_permissions(RULE_ARN, [target(QUEUE)])
        assert caught.value.resource_arn == QUEUE
        assert not caught.value.permanent


class TestGrantTopic:
    """
    AWS: "You can't use of Condition blocks in Amazon SNS topic policies for EventBridge."

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html#eb-sns-permissions
    """

    @pytest.fixture(autouse=True)
    def _topic(self, aws: None, hook: CloudWatchEventsHook) -> None:
        create_topic(hook)

    @staticmethod
    def set_policy(hook: CloudWatchEventsHook, *statements: dict[str, Any]) -> None:
        text = json.dumps({"Version": "2012-10-17", "Statement": statements})
        hook.client("sns").set_topic_attributes(TopicArn=TOPIC, AttributeName="Policy", AttributeValue=text)

    @staticmethod
    def allow(sid: str, **members: Any) -> dict[str, Any]:
        principal = {"Service": "events.amazonaws.com"}
        allowed = {"Effect": "Allow", "Principal": principal, "Action": "sns:Publish", "Resource": TOPIC}
        return {"Sid": sid, **allowed, **members}

    @staticmethod
    def sids(hook: CloudWatchEventsHook) -> list[str]:
        assert not any("Condition" in each for each in read_policy(hook, TOPIC) if each["Sid"].startswith("CwEvents"))
        return [statement["Sid"] for statement in read_policy(hook, TOPIC)]

    def test_restriction_by_a_role_is_logged_once(self, hook: CloudWatchEventsHook, logged: Logged) -> None:
        topics = [target(TOPIC), target(create_topic(hook, "u"), "u")]
        hook.grant_permissions(RULE_ARN, topics)
        hook.grant_permissions(RULE_ARN, topics)
        assert len([record for record in logged("INFO") if "RoleArn" in record.getMessage()]) == 1

    def test_statement_with_a_condition_is_replaced(self, hook: CloudWatchEventsHook) -> None:
        ours = statement_id(RULE_ARN, TOPIC)
        self.set_policy(hook, self.allow(ours, Condition={"ArnEquals": {"aws:SourceArn": RULE_ARN}}))
        hook.grant_permissions(RULE_ARN, [target(TOPIC)])
        assert self.sids(hook) == [ours]

    @pytest.mark.parametrize(
        "condition",
        [
            {"ArnEquals": {"aws:SourceArn": RULE_ARN}},
            {"StringEquals": {"aws:SourceAccount": "123456789012"}},
            {"Bool": {"aws:SecureTransport": "true"}},
        ],
    )
    def test_condition_of_others_does_not_count(self, hook: CloudWatchEventsHook, condition: dict[str, Any]) -> None:
        self.set_policy(hook, self.allow("theirs", Condition=condition))
        hook.grant_permissions(RULE_ARN, [target(TOPIC)])
        assert self.sids(hook) == ["theirs", statement_id(RULE_ARN, TOPIC)]

    def test_statement_of_others_without_a_condition_is_enough(self, hook: CloudWatchEventsHook) -> None:
        # the statement that AWS's page gives
        self.set_policy(hook, self.allow("PublishEventsToMyTopic"))
        hook.grant_permissions(RULE_ARN, [target(TOPIC)])
        assert self.sids(hook) == ["PublishEventsToMyTopic"]

    def test_each_rule_has_a_statement_of_its_own(self, hook: CloudWatchEventsHook) -> None:
        hook.grant_permissions(RULE_ARN, [target(TOPIC)])
        hook.grant_permissions(OTHER_RULE_ARN, [target(TOPIC)])
        hook.revoke_permissions(RULE_ARN, [target(TOPIC)])
        assert self.sids(hook)[1:] == [statement_id(OTHER_RULE_ARN, TOPIC)]

    @pytest.mark.parametrize(("condition", "warnings"), [({}, 1), ({"Bool": {"aws:SecureTransport": "false"}}, 0)])
    def test_deny_gets_a_warning(
        self, hook: CloudWatchEventsHook, logged: Logged, condition: dict[str, Any], warnings: int
    ) -> None:
        self.set_policy(hook, self.allow("no", Effect="Deny", Condition=condition))
        hook.grant_permissions(RULE_ARN, [target(TOPIC)])
        assert len(logged("WARNING")) == warnings


class TestRevoke:
    def test_revokes_what_was_granted(self, hook: CloudWatchEventsHook, resource: str) -> None:
        before = read_policy(hook, resource)
        hook.grant_permissions(RULE_ARN, [target(resource)])
        hook.revoke_permissions(RULE_ARN, [target(resource)])
        assert read_policy(hook, resource) == before

    def test_nothing_granted_changes_nothing(self, hook: CloudWatchEventsHook, resource: str) -> None:
        before = read_policy(hook, resource)
        hook.revoke_permissions(RULE_ARN, [target(resource)])
        assert read_policy(hook, resource) == before

    def test_dead_letter_queue(self, aws: None, hook: CloudWatchEventsHook) -> None:
        targets = [target(create_function(hook), DeadLetterConfig={"Arn": create_queue(hook)})]
        hook.grant_permissions(RULE_ARN, targets)
        hook.revoke_permissions(RULE_ARN, targets)
        assert read_policy(hook, FUNCTION) == read_policy(hook, QUEUE) == []

    def test_kept_target_keeps_its_permission(self, aws: None, hook: CloudWatchEventsHook) -> None:
        targets = [target(create_function(hook), DeadLetterConfig={"Arn": create_queue(hook)})]
        hook.grant_permissions(RULE_ARN, targets)
        hook.revoke_permissions(RULE_ARN, targets, [target(QUEUE, "kept")])
        assert read_policy(hook, FUNCTION) == []
        assert source_arns(hook, QUEUE) == [RULE_ARN]

    @pytest.mark.parametrize("endings", [("", ":*"), (":*", "")])
    def test_log_group_by_its_other_arn_is_kept(
        self, aws: None, hook: CloudWatchEventsHook, endings: tuple[str, str]
    ) -> None:
        group = create_log_group(hook)
        going, kept = (target(group + ending) for ending in endings)
        hook.grant_permissions(RULE_ARN, [going, kept])
        before = read_policy(hook, group)
        hook.revoke_permissions(RULE_ARN, [going], [kept])
        assert read_policy(hook, group) == before

    def test_missing_resource_is_ignored(self, aws: None, hook: CloudWatchEventsHook) -> None:
        present = create_queue(hook, "present")
        hook.grant_permissions(RULE_ARN, [target(present)])
        gone = [QUEUE, FUNCTION, "arn:aws:sns:us-east-1:123456789012:t"]
        hook.revoke_permissions(RULE_ARN, [*(target(arn) for arn in gone), target(present)])
        assert read_policy(hook, present) == []

    def test_failure_names_target_and_resource(self, hook: CloudWatchEventsHook, stub: Stub) -> None:
        stub("sqs").add_client_error("get_queue_url", "AccessDenied", "no")
        with pytest.raises(RevokePermissionsError) as caught:
            hook.revoke_permissions(RULE_ARN, [target(QUEUE)])
        assert [(error.target_id, error.resource_arn) for error in caught.value.failed] == [("t", QUEUE)]


class TestWithTargets:
    """Granted and revoked as part of putting and removing targets."""

    @pytest.fixture(autouse=True)
    def _rule(self, aws: None, hook: CloudWatchEventsHook) -> None:
        hook.put_rule("r", event_pattern={"source": ["com.company.app"]})

    def test_put_grants(self, hook: CloudWatchEventsHook) -> None:
        hook.put_targets("r", [target(create_queue(hook))], grant_permissions=True)
        assert source_arns(hook, QUEUE) == [RULE_ARN]

    def test_put_grants_for_unchanged_targets(self, hook: CloudWatchEventsHook) -> None:
        hook.put_targets("r", [target(create_queue(hook))])
        assert read_policy(hook, QUEUE) == []
        hook.put_targets("r", [target(QUEUE)], grant_permissions=True)
        assert source_arns(hook, QUEUE) == [RULE_ARN]

    def test_no_target_is_put_if_granting_fails(self, hook: CloudWatchEventsHook) -> None:
        with pytest.raises(GrantPermissionsError):
            hook.put_targets("r", [target(create_queue(hook)), target(FUNCTION, "f")], grant_permissions=True)
        assert list(hook.list_targets("r")) == []

    def test_put_warns_of_a_missing_permission(self, hook: CloudWatchEventsHook, logged: Logged) -> None:
        dead = {"Arn": create_queue(hook)}
        hook.put_targets("r", [target(create_function(hook), DeadLetterConfig=dead)])
        assert [record.args for record in logged("WARNING")] == [("Target t",), ("Dead-letter queue of target t",)]
        hook.grant_permissions(RULE_ARN, [target(FUNCTION, DeadLetterConfig=dead)])
        hook.put_targets("r", [target(FUNCTION, DeadLetterConfig=dead)])
        assert len(logged("WARNING")) == 2

    def test_put_warns_of_a_missing_resource(self, hook: CloudWatchEventsHook, logged: Logged) -> None:
        hook.put_targets("r", [target(FUNCTION)])
        (warning,) = logged("WARNING")
        assert warning.getMessage() == f"Target t does not exist: {FUNCTION}"

    @pytest.mark.parametrize("arn", [FUNCTION, API])
    def test_put_goes_on_if_the_policy_cannot_be_read(
        self, hook: CloudWatchEventsHook, stub: Stub, logged: Logged, arn: str
    ) -> None:
        if arn == FUNCTION:
            stub("lambda").add_client_error("get_policy", "AccessDeniedException", "no")
        assert hook.put_targets("r", [target(arn)]) == ["t"]
        assert len(logged("WARNING")) == (arn == API)  # whose policy only those who deploy the API can change
        unchecked = [record.args for record in logged("INFO") if "not checked" in record.getMessage()]
        assert unchecked == ([("Target t", "lambda:GetPolicy failed: no")] if arn == FUNCTION else [])

    def test_unreachable_service_is_attempted_once(self, hook: CloudWatchEventsHook, logged: Logged) -> None:
        attempts = []

        def fail(**_: Any) -> None:
            attempts.append(1)
            raise ConnectTimeoutError(endpoint_url="https://lambda.us-east-1.amazonaws.com")

        hook.client("lambda").meta.events.register("before-call.lambda.*", fail)
        assert hook.put_targets("r", [target(FUNCTION, name) for name in "abc"]) == ["a", "b", "c"]
        assert len(attempts) == 1
        assert len([record for record in logged("INFO") if "not checked" in record.getMessage()]) == 3

    @pytest.mark.parametrize("whole_rule", [False, True])
    def test_removal_revokes(self, hook: CloudWatchEventsHook, whole_rule: bool) -> None:
        dead = {"Arn": create_queue(hook, "dead")}
        targets = [target(create_queue(hook)), target(create_function(hook), "f", DeadLetterConfig=dead)]
        hook.put_targets("r", targets, grant_permissions=True)
        if whole_rule:
            hook.delete_rule("r", revoke_permissions=True)
        else:
            hook.remove_targets("r", revoke_permissions=True)
        assert [read_policy(hook, arn) for arn in (QUEUE, FUNCTION, dead["Arn"])] == [[], [], []]

    def test_removal_leaves_permissions_by_default(self, hook: CloudWatchEventsHook) -> None:
        hook.put_targets("r", [target(create_queue(hook))], grant_permissions=True)
        hook.delete_rule("r")
        assert source_arns(hook, QUEUE) == [RULE_ARN]

    def test_removal_keeps_permissions_of_other_targets(self, hook: CloudWatchEventsHook) -> None:
        dead = {"DeadLetterConfig": {"Arn": create_queue(hook, "dead")}}
        targets = [
            target(create_queue(hook), "a", **dead),
            target(QUEUE, "b", Input={"n": 1}),
            target(create_function(hook), "c", **dead),
        ]
        hook.put_targets("r", targets, grant_permissions=True)
        hook.remove_targets("r", ["a", "c"], revoke_permissions=True)
        assert read_policy(hook, FUNCTION) == read_policy(hook, dead["DeadLetterConfig"]["Arn"]) == []
        assert source_arns(hook, QUEUE) == [RULE_ARN]

    def test_missing_queue_does_not_hinder_removal(self, hook: CloudWatchEventsHook) -> None:
        hook.put_targets("r", [target(create_queue(hook))], grant_permissions=True)
        hook.client("sqs").delete_queue(QueueUrl=hook.client("sqs").get_queue_url(QueueName="q")["QueueUrl"])
        hook.delete_rule("r", revoke_permissions=True)
        assert hook.find_rule("r") is None


def script_revoke(stub: Stub, name: str, code: str | None = None) -> None:
    """Expect a read of a queue's policy, and answer that there is none, or with an error."""
    named = {"QueueName": name, "QueueOwnerAWSAccountId": "123456789012"}
    if code:
        stub("sqs").add_client_error("get_queue_url", code, f"{name}!", expected_params=named)
        return
    stub("sqs").add_response("get_queue_url", {"QueueUrl": "https://q"}, named)
    stub("sqs").add_response("get_queue_attributes", {})


class TestRemovalWithTargets:
    """A target whose permission was not revoked stays on the rule, where the next attempt finds it."""

    TARGETS = [target(f"{QUEUE}-{name}", name) for name in "abc"]  # noqa: RUF012

    @pytest.mark.parametrize("whole_rule", [False, True])
    def test_failure_leaves_all_targets(
        self, hook: CloudWatchEventsHook, events: Stubber, stub: Stub, whole_rule: bool
    ) -> None:
        if whole_rule:
            events.add_response("describe_rule", RULE)
        events.add_response("list_targets_by_rule", {"Targets": self.TARGETS})
        events.add_response("describe_rule", RULE)
        script_revoke(stub, "q-a", "AccessDenied")
        script_revoke(stub, "q-b")
        script_revoke(stub, "q-c", "AccessDenied")
        remove = hook.delete_rule if whole_rule else hook.remove_targets
        with pytest.raises(RevokePermissionsError) as caught:
            remove("r", revoke_permissions=True)
        failed = [(error.target_id, error.resource_arn) for error in caught.value.failed]
        assert failed == [("a", f"{QUEUE}-a"), ("c", f"{QUEUE}-c")]
        assert ["q-a!" in str(caught.value), "q-c!" in str(caught.value)] == [True, True]
        assert not caught.value.permanent

    def test_next_attempt_revokes_the_rest(self, aws: None, hook: CloudWatchEventsHook) -> None:
        hook.put_rule("r", event_pattern={"source": ["com.company.app"]})
        targets = [target(create_queue(hook)), target(create_topic(hook), "topic")]
        hook.put_targets("r", targets, grant_permissions=True)
        with Stubber(hook.client("sqs")) as sqs:
            sqs.add_client_error("get_queue_url", "AccessDenied", "no")
            with pytest.raises(RevokePermissionsError):
                hook.delete_rule("r", revoke_permissions=True)
        assert len(list(hook.list_targets("r"))) == 2
        hook.delete_rule("r", revoke_permissions=True)
        assert read_policy(hook, QUEUE) == []
        assert hook.find_rule("r") is None

    def test_unreachable_service_does_not_hinder_others(self, hook: CloudWatchEventsHook, stub: Stub) -> None:
        def fail(**_: Any) -> None:
            raise ConnectTimeoutError(endpoint_url="https://lambda.us-east-1.amazonaws.com")

        hook.client("lambda").meta.events.register("before-call.lambda.*", fail)
        script_revoke(stub, "q")
        with pytest.raises(RevokePermissionsError) as caught:
            hook.revoke_permissions(RULE_ARN, [target(FUNCTION), target(QUEUE)])
        assert [error.resource_arn for error in caught.value.failed] == [FUNCTION]

    def test_rule_of_an_aws_service_keeps_its_permissions(self, hook: CloudWatchEventsHook, events: Stubber) -> None:
        events.add_response("list_targets_by_rule", {"Targets": self.TARGETS})
        events.add_response("describe_rule", {**RULE, "ManagedBy": "x.amazonaws.com"})
        with pytest.raises(ManagedRuleError):
            hook.remove_targets("r", revoke_permissions=True)

    def test_target_that_aws_keeps_has_lost_its_permission(
        self, hook: CloudWatchEventsHook, events: Stubber, stub: Stub
    ) -> None:
        events.add_response("list_targets_by_rule", {"Targets": self.TARGETS[:1]})
        events.add_response("describe_rule", RULE)
        failed = [{"TargetId": "a", "ErrorCode": "AccessDeniedException", "ErrorMessage": "no"}]
        events.add_response("remove_targets", {"FailedEntryCount": 1, "FailedEntries": failed})
        script_revoke(stub, "q-a")
        with pytest.raises(RemoveTargetsError):
            hook.remove_targets("r", revoke_permissions=True)


def test_permissions_stay_if_a_target_is_not_accepted(hook: CloudWatchEventsHook, events: Stubber, stub: Stub) -> None:
    """They harm nobody, and the next attempt needs them."""
    events.add_response("list_targets_by_rule", {})
    events.add_response("describe_rule", {"Arn": RULE_ARN})
    failed = [{"TargetId": "t", "ErrorCode": "AccessDeniedException", "ErrorMessage": "no"}]
    events.add_response("put_targets", {"FailedEntryCount": 1, "FailedEntries": failed})
    allowed = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "lambda:InvokeFunction"}
    stub("lambda").add_response("get_policy", {"Policy": json.dumps({"Statement": [allowed]})})
    with pytest.raises(PutTargetsError):
        hook.put_targets("r", [target(FUNCTION)], grant_permissions=True)
