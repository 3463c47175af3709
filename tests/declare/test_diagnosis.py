from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError
from botocore.stub import Stubber

from airflow_cwevents._declare.diagnosis_report import RuleReport, TargetReport
from airflow_cwevents.exceptions import EventBusNotFoundError, InvalidInputError, RuleNotFoundError
from airflow_cwevents.hooks import CloudWatchEventsHook
from airflow_cwevents.iam.documents import Policy, trust_policy
from tests.conftest import Stub
from tests.declare.resources import (
    OTHER_RULE_ARN,
    RULE_ARN,
    create_function,
    create_key,
    create_log_group,
    create_queue,
    create_topic,
    set_queue_policy,
)

PATTERN = {"source": ["com.company.app"], "detail": {"n": [{"numeric": [">", 1]}]}}
EVENT = {"source": "com.company.app", "detail-type": "t", "detail": {"n": 2}}
QUEUE = "arn:aws:sqs:us-east-1:123456789012:q"
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:f"
STREAM = "arn:aws:kinesis:us-east-1:123456789012:stream/s"
INSTANCES = "arn:aws:ec2:us-east-1:123456789012:instance/*"
ROLE = "arn:aws:iam::123456789012:role/events"


@pytest.fixture
def rule(aws: None, hook: CloudWatchEventsHook) -> str:
    """Create a rule on moto."""
    hook.put_rule("r", event_pattern=PATTERN)
    return "r"


def put(hook: CloudWatchEventsHook, arn: str, *, grant: bool = True, **members: Any) -> None:
    hook.put_targets("r", [{"Id": "t", "Arn": arn, **members}], grant_permissions=grant)


def check(hook: CloudWatchEventsHook) -> TargetReport:
    """Check a rule that has no finding of its own and one target."""
    report = hook.check_targets("r")
    assert report.findings == ()
    (target,) = report.targets
    return target


def found(target: TargetReport, severity: str = "problem") -> list[str]:
    """Return the texts of the findings, which must all have a severity."""
    assert {finding.severity for finding in target.findings} == {severity}
    assert target.verdict == severity
    return [finding.text for finding in target.findings]


def rule_problems(report: RuleReport) -> list[str]:
    assert {finding.severity for finding in report.findings} <= {"problem"}
    return [finding.text for finding in report.findings]


class TestRule:
    def test_nothing_wrong(self, rule: str, hook: CloudWatchEventsHook) -> None:
        put(hook, create_function(hook))
        report = hook.check_targets(rule)
        assert report == RuleReport(RULE_ARN, (), (TargetReport("t", FUNCTION, ()),))
        assert report.as_dict()["ok"] is True

    def test_what_the_target_receives(self, rule: str, hook: CloudWatchEventsHook) -> None:
        template = {"InputPathsMap": {"source": "$.source"}, "InputTemplate": '"from <source>"'}
        put(hook, create_function(hook), InputTransformer=template)
        (target,) = hook.check_targets(rule, sample_event=EVENT).targets
        assert (target.verdict, target.delivers) == ("ok", '"from com.company.app"')

    def test_target_that_receives_nothing(self, rule: str, hook: CloudWatchEventsHook) -> None:
        template = {"InputPathsMap": {"x": "$.detail.x"}, "InputTemplate": '{"x": "<x>"}'}
        put(hook, create_function(hook), InputTransformer=template)
        (target,) = hook.check_targets(rule, sample_event={**EVENT, "detail": {"x": {}}}).targets
        (text,) = found(target)
        assert "delivers nothing" in text
        assert target.delivers is None

    def test_disabled(self, rule: str, hook: CloudWatchEventsHook) -> None:
        put(hook, create_function(hook))
        hook.disable_rule(rule)
        (text,) = rule_problems(hook.check_targets(rule))
        assert "disabled" in text

    def test_no_targets(self, rule: str, hook: CloudWatchEventsHook) -> None:
        report = hook.check_targets(rule)
        (text,) = rule_problems(report)
        assert "no targets" in text
        assert report.problems == [text]

    @pytest.mark.parametrize("sample", [{**EVENT, "source": "other"}, json.dumps({**EVENT, "detail": {"n": 1}})])
    def test_pattern_that_does_not_match(
        self, rule: str, hook: CloudWatchEventsHook, sample: dict[str, Any] | str
    ) -> None:
        put(hook, create_function(hook))
        report = hook.check_targets(rule, sample_event=sample)
        (text,) = rule_problems(report)
        assert "com.company.app" in text
        assert [target.verdict for target in report.targets] == ["ok"]

    @pytest.mark.parametrize("sample", [EVENT, json.dumps(EVENT)])
    def test_pattern_that_matches(self, rule: str, hook: CloudWatchEventsHook, sample: dict[str, Any] | str) -> None:
        put(hook, create_function(hook))
        assert hook.check_targets(rule, sample_event=sample).problems == []

    @pytest.mark.parametrize(("sample", "count"), [(EVENT, 1), (None, 0)])
    def test_schedule_never_matches_an_event(
        self, aws: None, hook: CloudWatchEventsHook, sample: dict[str, Any] | None, count: int
    ) -> None:
        hook.put_rule("r", schedule_expression="rate(1 day)")
        put(hook, create_function(hook))
        assert len(rule_problems(hook.check_targets("r", sample_event=sample))) == count

    def test_pattern_that_only_aws_can_evaluate(self, hook: CloudWatchEventsHook, events: Stubber) -> None:
        pattern = '{"source":[{"operator-of-the-future":1}]}'
        events.add_response("describe_rule", {"Arn": RULE_ARN, "EventPattern": pattern, "State": "ENABLED"})
        target = {"Id": "t", "Arn": "arn:aws:events:us-east-1:123456789012:target/reboot-instance"}
        events.add_response("list_targets_by_rule", {"Targets": [target]})
        report = hook.check_targets("r", sample_event=EVENT)
        assert [finding.severity for finding in report.findings] == ["unknown"]
        assert report.problems == []

    @pytest.mark.parametrize("sample", ["{", "[]", '"text"', "NaN"])
    def test_invalid_sample_event_is_refused_before_any_request(
        self, hook: CloudWatchEventsHook, events: Stubber, sample: str
    ) -> None:
        with pytest.raises(InvalidInputError) as caught:
            hook.check_targets("r", sample_event=sample)
        assert caught.value.place == "sample_event"

    def test_missing_rule(self, aws: None, hook: CloudWatchEventsHook) -> None:
        with pytest.raises(RuleNotFoundError):
            hook.check_targets("r")

    def test_missing_bus(self, aws: None, hook: CloudWatchEventsHook) -> None:
        with pytest.raises(EventBusNotFoundError):
            hook.check_targets("r", "orders")

    def test_all_targets_are_checked(self, rule: str, hook: CloudWatchEventsHook) -> None:
        targets: list[dict[str, Any]] = [
            {"Id": "good", "Arn": create_function(hook), "DeadLetterConfig": {"Arn": create_queue(hook, "dead")}},
            {"Id": "bad", "Arn": create_queue(hook)},
        ]
        hook.put_targets(rule, targets)
        hook.grant_permissions(RULE_ARN, targets[:1])
        report = hook.check_targets(rule)
        assert {target.target_id: target.verdict for target in report.targets} == {"good": "ok", "bad": "problem"}
        assert [text.partition(":")[0] for text in report.problems] == ["bad"]


class TestFunction:
    @pytest.mark.parametrize("qualifier", ["", ":live", ":1", ":$LATEST"])
    def test_granted(self, rule: str, hook: CloudWatchEventsHook, qualifier: str) -> None:
        put(hook, create_function(hook) + qualifier)
        assert check(hook).verdict == "ok"

    def test_without_permission(self, rule: str, hook: CloudWatchEventsHook) -> None:
        put(hook, create_function(hook), grant=False)
        (text,) = found(check(hook))
        assert "lambda:InvokeFunction" in text

    def test_permission_for_another_rule(self, rule: str, hook: CloudWatchEventsHook) -> None:
        put(hook, create_function(hook), grant=False)
        hook.grant_permissions(OTHER_RULE_ARN, [{"Id": "t", "Arn": FUNCTION}])
        assert len(found(check(hook))) == 1

    def test_permission_with_the_account_as_condition(self, rule: str, hook: CloudWatchEventsHook) -> None:
        put(hook, create_function(hook), grant=False)
        hook.client("lambda").add_permission(
            FunctionName="f",
            StatementId="s",
            Action="lambda:InvokeFunction",
            Principal="events.amazonaws.com",
            SourceArn=RULE_ARN,
            SourceAccount="123456789012",
        )
        assert len(found(check(hook))) == 1

    @pytest.mark.parametrize("role", [{}, {"RoleArn": ROLE}])
    def test_missing(self, rule: str, hook: CloudWatchEventsHook, stub: Stub, role: dict[str, str]) -> None:
        if role:
            script_role(stub)
            script_simulation(stub, "lambda:InvokeFunction", FUNCTION)
        put(hook, FUNCTION, grant=False, **role)
        assert found(check(hook)) == ["the target does not exist"]


class TestQueue:
    def test_granted(self, rule: str, hook: CloudWatchEventsHook) -> None:
        put(hook, create_queue(hook))
        assert check(hook).verdict == "ok"

    def test_no_policy(self, rule: str, hook: CloudWatchEventsHook) -> None:
        put(hook, create_queue(hook), grant=False)
        (text,) = found(check(hook))
        assert "sqs:SendMessage" in text

    def test_missing_queue_is_reported_once(self, rule: str, hook: CloudWatchEventsHook) -> None:
        put(hook, QUEUE, grant=False)
        assert found(check(hook)) == ["the target does not exist"]

    def test_missing_fifo_queue_is_reported_once(self, rule: str, hook: CloudWatchEventsHook) -> None:
        put(hook, f"{QUEUE}.fifo", grant=False, SqsParameters={"MessageGroupId": "g"})
        assert len(found(check(hook))) == 1

    def test_policy_for_another_rule(self, rule: str, hook: CloudWatchEventsHook) -> None:
        put(hook, create_queue(hook), grant=False)
        hook.grant_permissions(OTHER_RULE_ARN, [{"Id": "t", "Arn": QUEUE}])
        assert len(found(check(hook))) == 1

    def test_condition_that_only_aws_can_evaluate(self, rule: str, hook: CloudWatchEventsHook) -> None:
        put(hook, create_queue(hook), grant=False)
        condition = {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}
        set_queue_policy(hook, {"Effect": "Allow", "Principal": "*", "Action": "sqs:*", "Condition": condition})
        assert len(found(check(hook), "unknown")) == 1
        assert hook.check_targets("r").problems == []

    @pytest.mark.parametrize(("deduplication", "verdict"), [("true", "ok"), ("false", "problem")])
    def test_fifo(self, rule: str, hook: CloudWatchEventsHook, deduplication: str, verdict: str) -> None:
        arn = create_queue(hook, "q.fifo", FifoQueue="true", ContentBasedDeduplication=deduplication)
        put(hook, arn, SqsParameters={"MessageGroupId": "g"})
        assert check(hook).verdict == verdict

    def test_encrypted_without_a_grant(self, rule: str, hook: CloudWatchEventsHook) -> None:
        key = create_key(hook)
        put(hook, create_queue(hook, KmsMasterKeyId=key))
        (text,) = found(check(hook))
        assert key in text

    def test_no_permission_to_read(self, rule: str, hook: CloudWatchEventsHook, stub: Stub) -> None:
        put(hook, create_queue(hook))
        sqs = stub("sqs")
        for _ in range(2):  # at the policy, and at the encryption
            sqs.add_client_error("get_queue_url", "AccessDenied", "no")
        (text,) = found(check(hook), "unknown")
        assert "GetQueueUrl" in text

    def test_unreachable_service(self, rule: str, hook: CloudWatchEventsHook) -> None:
        def fail(**_: Any) -> None:
            raise ConnectTimeoutError(endpoint_url="https://sqs.us-east-1.amazonaws.com")

        put(hook, create_queue(hook))
        hook.client("sqs").meta.events.register("before-call.sqs.*", fail)
        assert len(found(check(hook), "unknown")) == 1


class TestDeadLetterQueue:
    def test_granted(self, rule: str, hook: CloudWatchEventsHook) -> None:
        put(hook, create_function(hook), DeadLetterConfig={"Arn": create_queue(hook)})
        assert check(hook).verdict == "ok"

    def test_not_granted(self, rule: str, hook: CloudWatchEventsHook) -> None:
        put(hook, create_function(hook), grant=False, DeadLetterConfig={"Arn": create_queue(hook)})
        hook.grant_permissions(RULE_ARN, [{"Id": "t", "Arn": FUNCTION}])
        (text,) = found(check(hook))
        assert "dead-letter queue" in text

    def test_missing(self, rule: str, hook: CloudWatchEventsHook) -> None:
        put(hook, create_function(hook), grant=False, DeadLetterConfig={"Arn": QUEUE})
        hook.grant_permissions(RULE_ARN, [{"Id": "t", "Arn": FUNCTION}])
        (text,) = found(check(hook))
        assert "dead-letter queue" in text

    def test_encrypted_without_a_grant(self, rule: str, hook: CloudWatchEventsHook) -> None:
        dead = create_queue(hook, KmsMasterKeyId="alias/aws/sqs")
        put(hook, create_function(hook), DeadLetterConfig={"Arn": dead})
        (text,) = found(check(hook))
        assert "dead-letter queue" in text


class TestTopic:
    def test_granted(self, rule: str, hook: CloudWatchEventsHook) -> None:
        put(hook, create_topic(hook))
        assert check(hook).verdict == "ok"

    def test_default_policy_does_not_allow_it(self, rule: str, hook: CloudWatchEventsHook) -> None:
        put(hook, create_topic(hook), grant=False)
        assert len(found(check(hook))) == 1

    def test_policy_without_the_rule(self, rule: str, hook: CloudWatchEventsHook) -> None:
        topic = create_topic(hook)
        put(hook, topic, grant=False)
        allowed = {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sns:Publish"}
        hook.client("sns").set_topic_attributes(
            TopicArn=topic, AttributeName="Policy", AttributeValue=json.dumps({"Statement": [allowed]})
        )
        (text,) = found(check(hook))
        assert "sns:Publish" in text
        assert "Condition" not in text

    @pytest.mark.parametrize(
        ("condition", "verdict"),
        [
            (None, "ok"),
            ({"ArnEquals": {"aws:SourceArn": RULE_ARN}}, "problem"),
            ({"ArnEqualsIfExists": {"aws:SourceArn": RULE_ARN}}, "problem"),
            ({"StringEquals": {"aws:SourceAccount": "123456789012"}}, "problem"),
            ({"Bool": {"aws:SecureTransport": "true"}}, "problem"),
            ({"StringEquals": {"aws:PrincipalOrgID": "o-1"}}, "problem"),
        ],
    )
    def test_condition_makes_sns_drop_all_events(
        self, rule: str, hook: CloudWatchEventsHook, condition: dict[str, Any] | None, verdict: str
    ) -> None:
        """
        AWS: "You can't use of Condition blocks in Amazon SNS topic policies for EventBridge."

        https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html#eb-sns-permissions
        """
        topic = create_topic(hook)
        put(hook, topic, grant=False)
        allowed = {
            "Sid": "PublishEventsToMyTopic",
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sns:Publish",
            "Resource": topic,
            **({"Condition": condition} if condition else {}),
        }
        hook.client("sns").set_topic_attributes(
            TopicArn=topic, AttributeName="Policy", AttributeValue=json.dumps({"Statement": [allowed]})
        )
        report = check(hook)
        assert report.verdict == verdict
        assert ["Condition" in finding.text for finding in report.findings] == [True] * (verdict == "problem")
        assert all("RoleArn" in finding.fix for finding in report.findings)

    def test_missing(self, rule: str, hook: CloudWatchEventsHook) -> None:
        put(hook, "arn:aws:sns:us-east-1:123456789012:t", grant=False)
        assert found(check(hook)) == ["the target does not exist"]


class TestLogGroup:
    @pytest.mark.parametrize("ending", ["", ":*"])
    def test_granted(self, rule: str, hook: CloudWatchEventsHook, ending: str) -> None:
        put(hook, create_log_group(hook) + ending)
        assert check(hook).verdict == "ok"

    def test_no_policy(self, rule: str, hook: CloudWatchEventsHook) -> None:
        put(hook, create_log_group(hook), grant=False)
        assert len(found(check(hook))) == 2  # creating a stream, and writing to it

    def test_policy_that_the_console_makes(self, rule: str, hook: CloudWatchEventsHook) -> None:
        principal = {"Service": ["events.amazonaws.com", "delivery.logs.amazonaws.com"]}
        allowed = {
            "Sid": "TrustEventsToStoreLogEvent",
            "Effect": "Allow",
            "Principal": principal,
            "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": "arn:aws:logs:us-east-1:123456789012:log-group:/aws/events/*:*",
        }
        put(hook, create_log_group(hook), grant=False)
        hook.client("logs").put_resource_policy(policyName="p", policyDocument=json.dumps({"Statement": [allowed]}))
        assert check(hook).verdict == "ok"

    def test_missing(self, rule: str, hook: CloudWatchEventsHook) -> None:
        create_log_group(hook, "/aws/events/g-other")
        put(hook, "arn:aws:logs:us-east-1:123456789012:log-group:/aws/events/g")
        assert found(check(hook)) == ["the target does not exist"]


class TestNotChecked:
    """What was not checked is not ok."""

    @pytest.mark.parametrize(
        "arn",
        [
            "arn:aws:nova:us-east-1:123456789012:thing/t",
            "arn:aws:ssm:us-east-1:123456789012:opsitem",
            "arn:aws:events:us-east-1:123456789012:target/stop-instance",
        ],
    )
    def test_permission_without_a_role(self, rule: str, hook: CloudWatchEventsHook, arn: str) -> None:
        put(hook, arn)
        assert len(found(check(hook), "unknown")) == 1
        assert hook.check_targets(rule).problems == []

    @pytest.mark.parametrize(
        "arn",
        [
            "arn:aws:nova:us-east-1:123456789012:thing/t",
            "arn:aws:events:us-east-1:123456789012:target/of-the-future",
        ],
    )
    def test_permission_of_an_unknown_kind(self, rule: str, hook: CloudWatchEventsHook, stub: Stub, arn: str) -> None:
        put(hook, arn, RoleArn=ROLE)
        script_role(stub)  # and no simulation
        assert len(found(check(hook), "unknown")) == 1

    def test_role_of_a_built_in_target(self, rule: str, hook: CloudWatchEventsHook, stub: Stub) -> None:
        put(hook, "arn:aws:events:us-east-1:123456789012:target/stop-instance", RoleArn=ROLE)
        script_role(stub)
        script_simulation(stub, "ec2:StopInstances", INSTANCES)
        assert check(hook).verdict == "ok"

    def test_policy_of_api_gateway(self, rule: str, hook: CloudWatchEventsHook) -> None:
        api = "arn:aws:execute-api:us-east-1:123456789012:a1b2/prod/POST/orders"
        put(hook, api)
        (text,) = found(check(hook), "unknown")
        assert "policy" in text


def script_role(stub: Stub, trust: Policy | None = None) -> None:
    role = {"RoleName": "events", "Arn": ROLE, "Path": "/", "RoleId": "A" * 16, "CreateDate": "2026-01-01"}
    document = json.dumps(trust or trust_policy())
    stub("iam").add_response(
        "get_role", {"Role": {**role, "AssumeRolePolicyDocument": document}}, {"RoleName": "events"}
    )


def script_simulation(
    stub: Stub,
    action: str,
    resource: str,
    decision: str = "allowed",
    context: dict[str, str] | None = None,
    **members: Any,
) -> None:
    entries = [
        {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"}
        for key, value in (context or {}).items()
    ]
    asked = {
        "PolicySourceArn": ROLE,
        "ActionNames": [action],
        "ResourceArns": [resource],
        "ContextEntries": entries,
    }
    result = {"EvalActionName": action, "EvalResourceName": resource, "EvalDecision": decision, **members}
    stub("iam").add_response("simulate_principal_policy", {"EvaluationResults": [result]}, asked)


class TestRole:
    """moto cannot simulate policies, so IAM is scripted."""

    @pytest.fixture(autouse=True)
    def _target(self, rule: str, hook: CloudWatchEventsHook) -> None:
        put(hook, STREAM, RoleArn=ROLE)

    def test_sufficient_role(self, hook: CloudWatchEventsHook, stub: Stub) -> None:
        script_role(stub)
        script_simulation(stub, "kinesis:PutRecord", STREAM)
        assert check(hook).verdict == "ok"

    def test_missing(self, hook: CloudWatchEventsHook, stub: Stub) -> None:
        stub("iam").add_client_error("get_role", "NoSuchEntity", "no", expected_params={"RoleName": "events"})
        (text,) = found(check(hook))
        assert ROLE in text

    def test_missing_role_on_moto(self, hook: CloudWatchEventsHook) -> None:
        assert len(found(check(hook))) == 1

    @pytest.mark.parametrize(
        "trust",
        [
            {"Statement": []},
            {"Statement": {**trust_policy()["Statement"][0], "Principal": {"Service": "lambda.amazonaws.com"}}},
            {"Statement": {**trust_policy()["Statement"][0], "Effect": "Deny"}},
            {
                "Statement": {
                    **trust_policy()["Statement"][0],
                    "Condition": {"ArnLike": {"aws:SourceArn": OTHER_RULE_ARN}},
                }
            },
        ],
    )
    def test_that_does_not_trust(self, hook: CloudWatchEventsHook, stub: Stub, trust: Policy) -> None:
        script_role(stub, trust)
        script_simulation(stub, "kinesis:PutRecord", STREAM)
        (text,) = found(check(hook))
        assert "trust" in text

    @pytest.mark.parametrize(
        "condition",
        [
            {"ArnLike": {"aws:SourceArn": "arn:aws:events:*:123456789012:rule/r"}},
            {"StringEquals": {"aws:SourceAccount": "123456789012"}},
        ],
    )
    def test_trust_with_conditions_against_confused_deputies(
        self, hook: CloudWatchEventsHook, stub: Stub, condition: dict[str, Any]
    ) -> None:
        """As AWS recommends: https://docs.aws.amazon.com/eventbridge/latest/userguide/cross-service-confused-deputy-prevention.html"""
        script_role(stub, {"Statement": [{**trust_policy()["Statement"][0], "Condition": condition}]})
        script_simulation(stub, "kinesis:PutRecord", STREAM)
        assert check(hook).verdict == "ok"

    def test_trust_that_depends_on_a_condition(self, hook: CloudWatchEventsHook, stub: Stub) -> None:
        condition = {"DateLessThan": {"aws:CurrentTime": "2030-01-01T00:00:00Z"}}
        script_role(stub, {"Statement": [{**trust_policy()["Statement"][0], "Condition": condition}]})
        script_simulation(stub, "kinesis:PutRecord", STREAM)
        assert len(found(check(hook), "unknown")) == 1

    @pytest.mark.parametrize("decision", ["implicitDeny", "explicitDeny"])
    def test_that_does_not_allow(self, hook: CloudWatchEventsHook, stub: Stub, decision: str) -> None:
        script_role(stub)
        script_simulation(stub, "kinesis:PutRecord", STREAM, decision)
        (text,) = found(check(hook))
        assert "kinesis:PutRecord" in text

    @pytest.mark.parametrize("for_the_resource", [False, True])
    def test_that_allows_on_a_condition(self, hook: CloudWatchEventsHook, stub: Stub, for_the_resource: bool) -> None:
        script_role(stub)
        missing: dict[str, Any] = {"MissingContextValues": ["aws:sourcevpce"]}
        if for_the_resource:
            on_stream = {"EvalResourceName": STREAM, "EvalResourceDecision": "implicitDeny", **missing}
            missing = {"MissingContextValues": [], "ResourceSpecificResults": [on_stream]}
        script_simulation(stub, "kinesis:PutRecord", STREAM, "implicitDeny", **missing)
        assert len(found(check(hook), "unknown")) == 1

    @pytest.mark.parametrize(
        ("by_name", "by_revision", "severities"),
        [
            ("allowed", "implicitDeny", []),
            ("implicitDeny", "allowed", []),
            ("implicitDeny", "implicitDeny", ["problem"]),
        ],
    )
    def test_of_a_task_without_a_revision(
        self, hook: CloudWatchEventsHook, stub: Stub, by_name: str, by_revision: str, severities: list[str]
    ) -> None:
        cluster = "arn:aws:ecs:us-east-1:123456789012:cluster/c"
        task = "arn:aws:ecs:us-east-1:123456789012:task-definition/d"
        put(hook, cluster, RoleArn=ROLE, EcsParameters={"TaskDefinitionArn": task})
        script_role(stub)
        context = {"ecs:cluster": cluster}
        script_simulation(stub, "ecs:RunTask", task, by_name, context)
        script_simulation(stub, "ecs:RunTask", f"{task}:*", by_revision, context)
        assert [finding.severity for finding in check(hook).findings] == severities

    def test_role_that_may_allow_some_instances(self, hook: CloudWatchEventsHook, stub: Stub) -> None:
        document = "arn:aws:ssm:us-east-1:123456789012:document/d"
        put(hook, document, RoleArn=ROLE)
        script_role(stub)
        script_simulation(stub, "ssm:SendCommand", document)
        script_simulation(stub, "ssm:SendCommand", INSTANCES, "implicitDeny")
        (text,) = found(check(hook), "unknown")
        assert INSTANCES in text

    def test_that_allows_one_of_two(self, hook: CloudWatchEventsHook, stub: Stub) -> None:
        document = "arn:aws:ssm:us-east-1:123456789012:document/d"
        put(hook, document, RoleArn=ROLE)
        script_role(stub)
        script_simulation(stub, "ssm:SendCommand", document, "implicitDeny")
        script_simulation(stub, "ssm:SendCommand", INSTANCES)
        (text,) = found(check(hook))
        assert "on the target" in text

    @pytest.mark.parametrize("operation", ["get_role", "simulate_principal_policy"])
    def test_role_that_may_not_be_read(self, hook: CloudWatchEventsHook, stub: Stub, operation: str) -> None:
        if operation != "get_role":
            script_role(stub)
        stub("iam").add_client_error(operation, "AccessDenied", "no")
        assert len(found(check(hook), "unknown")) == 1

    def test_in_a_path(self, hook: CloudWatchEventsHook, stub: Stub) -> None:
        put(hook, STREAM, RoleArn=ROLE.replace("role/", "role/team/data/"))
        stub("iam").add_client_error("get_role", "NoSuchEntity", "no", expected_params={"RoleName": "events"})
        assert len(found(check(hook))) == 1

    def test_of_a_queue_needs_no_queue_policy(self, hook: CloudWatchEventsHook, stub: Stub) -> None:
        # "EventBridge uses the role" for queues, topics and functions as well:
        # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-targets.html
        put(hook, create_queue(hook), RoleArn=ROLE, grant=False)
        script_role(stub)
        script_simulation(stub, "sqs:SendMessage", QUEUE)
        assert check(hook).verdict == "ok"

    def test_of_a_queue_that_does_not_allow(self, hook: CloudWatchEventsHook, stub: Stub) -> None:
        put(hook, create_queue(hook), RoleArn=ROLE)
        script_role(stub)
        script_simulation(stub, "sqs:SendMessage", QUEUE, "implicitDeny")
        (text,) = found(check(hook))
        assert "sqs:SendMessage on the target" in text

    @pytest.mark.parametrize(
        ("members", "severities"),
        [({"Input": '{"buildType":"BATCH"}'}, ["problem"]), ({"InputPath": "$.detail"}, ["unknown"])],
    )
    def test_of_a_batch_build(
        self, hook: CloudWatchEventsHook, stub: Stub, members: dict[str, Any], severities: list[str]
    ) -> None:
        project = "arn:aws:codebuild:us-east-1:123456789012:project/p"
        put(hook, project, RoleArn=ROLE, **members)
        script_role(stub)
        script_simulation(stub, "codebuild:StartBuild", project)
        script_simulation(stub, "codebuild:StartBuildBatch", project, "implicitDeny")
        assert [finding.severity for finding in check(hook).findings] == severities

    def test_of_a_document_of_aws(self, hook: CloudWatchEventsHook, stub: Stub) -> None:
        put(hook, "arn:aws:ssm:us-east-1:123456789012:document/AWS-RunShellScript", RoleArn=ROLE)
        script_role(stub)
        script_simulation(stub, "ssm:SendCommand", "arn:aws:ssm:us-east-1::document/AWS-RunShellScript")
        script_simulation(stub, "ssm:SendCommand", INSTANCES)
        assert check(hook).verdict == "ok"

    def test_of_an_encrypted_queue_may_allow_the_key(self, hook: CloudWatchEventsHook, stub: Stub) -> None:
        put(hook, create_queue(hook, KmsMasterKeyId="alias/aws/sqs"), RoleArn=ROLE, grant=False)
        script_role(stub)
        script_simulation(stub, "sqs:SendMessage", QUEUE)
        (text,) = found(check(hook), "unknown")
        assert "alias/aws/sqs" in text


class TestForm:
    @pytest.mark.parametrize(
        ("target", "place"),
        [
            ({"Arn": STREAM}, "RoleArn"),
            ({"Arn": FUNCTION.replace("us-east-1", "eu-west-1"), "RoleArn": ROLE}, "Arn"),
            ({"Arn": "arn:aws:states:us-east-1:123456789012:execution:x", "RoleArn": ROLE}, "Arn"),
        ],
    )
    def test_target_that_aws_accepted_and_cannot_invoke(
        self, rule: str, hook: CloudWatchEventsHook, stub: Stub, target: dict[str, str], place: str
    ) -> None:
        hook.conn.put_targets(Rule=rule, Targets=[{"Id": "t", **target}])
        if "RoleArn" in target:
            stub("iam").add_client_error("get_role", "AccessDenied", "no")
        if "lambda" in target["Arn"]:
            stub("lambda").add_client_error("get_policy", "AccessDenied", "no")
        problems = [finding.text for finding in check(hook).findings if finding.severity == "problem"]
        assert [text.partition(":")[0] for text in problems] == [place]

    @pytest.mark.parametrize(
        "target",
        [
            # "cross-account event bus targets that were created before March 2, 2023 don't need a role":
            # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cross-account.html
            {"Arn": "arn:aws:events:us-east-1:210987654321:event-bus/theirs"},
            {"Arn": "arn:aws:events:us-east-1:123456789012:target/stop-instance", "InputPath": "x"},
            {"Arn": STREAM, "RoleArn": ROLE, "RetryPolicy": {"MaximumRetryAttempts": 999}},
        ],
    )
    def test_rule_for_creating_a_target_is_no_problem(
        self, rule: str, hook: CloudWatchEventsHook, events: Stubber, stub: Stub, target: dict[str, str]
    ) -> None:
        events.add_response("describe_rule", {"Arn": RULE_ARN, "EventPattern": "{}", "State": "ENABLED"})
        events.add_response("list_targets_by_rule", {"Targets": [{"Id": "t", **target}]})
        if "RoleArn" in target:
            stub("iam").add_client_error("get_role", "AccessDenied", "no")
        assert {finding.severity for finding in check(hook).findings} == {"unknown"}


def test_lines_repeat_no_arn(rule: str, hook: CloudWatchEventsHook) -> None:
    hook.put_targets(rule, [{"Id": "first", "Arn": create_function(hook)}, {"Id": "2", "Arn": create_queue(hook)}])
    hook.grant_permissions(RULE_ARN, [{"Id": "first", "Arn": FUNCTION}])
    lines = hook.check_targets(rule).as_lines()
    assert [line.split() for line in lines[:3]] == [
        ["rule", "ok", RULE_ARN],
        ["first", "ok", FUNCTION],
        ["2", "problem", QUEUE],
    ]
    assert [line.split(":")[0].strip() for line in lines[3:]] == ["problem", "fix"]
    assert [sum(arn in line for line in lines) for arn in (RULE_ARN, FUNCTION, QUEUE)] == [1, 1, 1]
