"""
What AWS takes and refuses, as its model and its reference of PutTargets say it, and as it was measured in us-east-1 in
2026-09 by https://github.com/badmintoncryer/cdk-preflight.
"""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import pytest

from airflow_cwevents._aws.arns import Arn
from airflow_cwevents._aws.limits import TARGET_MEMBERS
from airflow_cwevents._aws.target_types import KINDS, PARAMETER_MEMBERS, kind_of, kinds_of_service
from airflow_cwevents._declare.target_spec import is_same_target, normalise_target, normalise_targets
from airflow_cwevents.exceptions import InvalidTargetError

REGION = "us-east-1"
LAMBDA = {"Id": "t", "Arn": "arn:aws:lambda:us-east-1:123456789012:function:f"}
QUEUE_ARN = "arn:aws:sqs:us-east-1:123456789012:q"
ROLE_ARN = "arn:aws:iam::123456789012:role/r"
FUNCTION_ARN = "arn:aws:lambda:us-east-1:123456789012:function:f"

# An ARN of each kind of target, as AWS's pages show it.
ARNS = {
    "Lambda function": FUNCTION_ARN,
    "SQS queue": QUEUE_ARN,
    "SNS topic": "arn:aws:sns:us-east-1:123456789012:topic",
    "CloudWatch log group": "arn:aws:logs:us-east-1:123456789012:log-group:/aws/events/g",
    "Kinesis stream": "arn:aws:kinesis:us-east-1:123456789012:stream/s",
    "Firehose stream": "arn:aws:firehose:us-east-1:123456789012:deliverystream/s",
    "Step Functions state machine": "arn:aws:states:us-east-1:123456789012:stateMachine:m",
    "ECS cluster": "arn:aws:ecs:us-east-1:123456789012:cluster/c",
    "Batch job queue": "arn:aws:batch:us-east-1:123456789012:job-queue/q",
    "CodeBuild project": "arn:aws:codebuild:us-east-1:123456789012:project/p",
    "CodePipeline pipeline": "arn:aws:codepipeline:us-east-1:123456789012:p",
    "Systems Manager Run Command": "arn:aws:ssm:us-east-1::document/AWS-RunShellScript",
    "Systems Manager Automation": "arn:aws:ssm:us-east-1::automation-definition/AWS-StopEC2Instance:$DEFAULT",
    "Systems Manager OpsItem": "arn:aws:ssm:us-east-1:123456789012:opsitem",
    "Incident Manager response plan": "arn:aws:ssm-incidents::123456789012:response-plan/p",
    "SageMaker pipeline": "arn:aws:sagemaker:us-east-1:123456789012:pipeline/p",
    "Inspector assessment template": "arn:aws:inspector:us-east-1:123456789012:target/0-a/template/0-b",
    "Image Builder pipeline": "arn:aws:imagebuilder:us-east-1:123456789012:image-pipeline/p",
    "Glue workflow": "arn:aws:glue:us-east-1:123456789012:workflow/w",
    "Redshift cluster": "arn:aws:redshift:us-east-1:123456789012:cluster:c",
    "Redshift Serverless workgroup": "arn:aws:redshift-serverless:us-east-1:123456789012:workgroup/1234-abcd",
    "event bus": "arn:aws:events:us-east-1:123456789012:event-bus/orders",
    "API destination": "arn:aws:events:us-east-1:123456789012:api-destination/d/1234-abcd",
    "built-in EC2 or EBS target": "arn:aws:events:us-east-1:123456789012:target/create-snapshot",
    "API Gateway stage": "arn:aws:execute-api:us-east-1:123456789012:a1b2c3/prod/POST/orders",
    "AppSync GraphQL API": "arn:aws:appsync:us-east-1:123456789012:endpoints/graphql-api/abcdef",
}
# Those that AWS invokes only through a role.
NEED_A_ROLE = {
    "Kinesis stream",
    "Firehose stream",
    "Step Functions state machine",
    "ECS cluster",
    "Batch job queue",
    "CodeBuild project",
    "CodePipeline pipeline",
    "Systems Manager Run Command",
    "Systems Manager Automation",
    "Incident Manager response plan",
    "SageMaker pipeline",
    "Inspector assessment template",
    "Image Builder pipeline",
    "Glue workflow",
    "Redshift cluster",
    "Redshift Serverless workgroup",
    "event bus",
    "API destination",
    "AppSync GraphQL API",
}
ECS = {"TaskDefinitionArn": "arn:aws:ecs:us-east-1:123456789012:task-definition/d:1"}
BATCH = {"JobDefinition": "d", "JobName": "n"}
# What AWS refuses these kinds without.
REQUIRED = {"ECS cluster": {"EcsParameters": ECS}, "Batch job queue": {"BatchParameters": BATCH}}
# The services on whose targets AWS takes a member.
PARAMETER_SERVICES = {
    "EcsParameters": {"ecs"},
    "KinesisParameters": {"kinesis"},
    "BatchParameters": {"batch"},
    "HttpParameters": {"events", "execute-api"},
    "RedshiftDataParameters": {"redshift", "redshift-serverless"},
    "RunCommandParameters": {"ssm"},
    "SageMakerPipelineParameters": {"sagemaker"},
    "AppSyncParameters": {"appsync"},
}


def target(label: str, **members: Any) -> dict[str, Any]:
    """Make a target of a kind that AWS takes."""
    role = {"RoleArn": ROLE_ARN} if label in NEED_A_ROLE else {}
    return {"Id": "t", "Arn": ARNS[label], **role, **REQUIRED.get(label, {}), **members}


def refusal(bad: Any, region: str | None = REGION, **options: Any) -> InvalidTargetError:
    with pytest.raises(InvalidTargetError) as caught:
        normalise_target(bad, 3, region, **options)
    error = caught.value
    assert error.index == 3
    assert error.place == "targets[3]" or error.place.startswith("targets[3].")
    assert error.remedy
    assert error.permanent
    return error


class TestKinds:
    def test_every_kind_has_an_example(self) -> None:
        assert {kind.label for kind in KINDS} == ARNS.keys()

    def test_arn_determines_the_kind(self) -> None:
        for label, text in ARNS.items():
            arn = Arn.parse(text)
            assert arn is not None, label
            kind = kind_of(arn)
            assert kind is not None, label
            assert kind.label == label
            assert kind in kinds_of_service(arn.service)

    def test_example_of_each_kind_belongs_to_it(self) -> None:
        for kind in KINDS:
            assert kind_of(Arn("aws", kind.service, REGION, "123456789012", kind.example)) is kind, kind.label

    @pytest.mark.parametrize(
        ("service", "resource", "label"),
        [
            ("lambda", "function:f:live", "Lambda function"),
            ("lambda", "function:f:7", "Lambda function"),
            ("sqs", "q.fifo", "SQS queue"),
            ("sns", "topic.fifo", "SNS topic"),
            ("logs", "log-group:/aws/events/g:*", "CloudWatch log group"),
            ("logs", "log-group:g#1._-/x", "CloudWatch log group"),
            ("states", "stateMachine:m:live", "Step Functions state machine"),
            ("events", "event-bus/aws.partner/example.com/orders", "event bus"),
            ("execute-api", "a1b2c3/*/POST/*", "API Gateway stage"),
            ("s3", "bucket", None),
            ("events", "event-busv2/orders", None),
            ("events", "rule/r", None),
            ("logs", "log-group:g:log-stream:s", None),
            ("sqs", "q:extra", None),
        ],
    )
    def test_other_forms(self, service: str, resource: str, label: str | None) -> None:
        kind = kind_of(Arn("aws", service, REGION, "123456789012", resource))
        assert (kind and kind.label) == label

    def test_parameter_members_are_all_checked(self) -> None:
        parameters = {member for member in TARGET_MEMBERS if member.endswith("Parameters")}
        assert set(PARAMETER_SERVICES) == PARAMETER_MEMBERS == parameters - {"SqsParameters"}


class TestNormaliseTarget:
    @pytest.mark.parametrize("region", [None, REGION])
    def test_every_kind_is_accepted(self, region: str | None) -> None:
        for good in map(target, ARNS):
            assert normalise_target(good, 0, region) == good

    def test_every_member_passes(self) -> None:
        good = target(
            "ECS cluster",
            Input='{"a": 1}',
            DeadLetterConfig={"Arn": QUEUE_ARN},
            RetryPolicy={"MaximumRetryAttempts": 3, "MaximumEventAgeInSeconds": 3600},
        )
        assert normalise_target(good, 0, REGION) == good

    def test_caller_keeps_the_target_as_it_was(self) -> None:
        given = {**LAMBDA, "Input": {"a": 1}, "InputPath": None}
        before = dict(given)
        normalise_target(given, 0)
        assert given == before

    def test_members_that_are_none_are_left_out(self) -> None:
        assert normalise_target({**LAMBDA, "Input": None, "InputPath": None, "RoleArn": None}, 0) == LAMBDA

    @pytest.mark.parametrize(
        ("label", "given", "sent"),
        [
            ("Lambda function", {"RetryPolicy": {"MaximumRetryAttempts": None}}, {"RetryPolicy": {}}),
            (
                "Lambda function",
                {"RetryPolicy": {"MaximumRetryAttempts": 3, "MaximumEventAgeInSeconds": None}},
                {"RetryPolicy": {"MaximumRetryAttempts": 3}},
            ),
            ("Lambda function", {"DeadLetterConfig": {"Arn": None}}, {"DeadLetterConfig": {}}),
            (
                "ECS cluster",
                {
                    "EcsParameters": {
                        **ECS,
                        "TaskCount": None,
                        "Tags": [{"Key": "a", "Value": None}],
                        "NetworkConfiguration": {"awsvpcConfiguration": {"Subnets": ["s"], "AssignPublicIp": None}},
                    }
                },
                {
                    "EcsParameters": {
                        **ECS,
                        "Tags": [{"Key": "a"}],
                        "NetworkConfiguration": {"awsvpcConfiguration": {"Subnets": ["s"]}},
                    }
                },
            ),
            (
                "Lambda function",
                {"InputTransformer": {"InputTemplate": {"a": None}, "InputPathsMap": None}},
                {"InputTransformer": {"InputTemplate": '{"a":null}'}},
            ),
            ("Lambda function", {"Input": {"a": None}}, {"Input": '{"a":null}'}),
        ],
    )
    def test_nested_members_that_are_none_are_left_out_but_not_of_json(
        self, label: str, given: dict[str, Any], sent: dict[str, Any]
    ) -> None:
        assert normalise_target(target(label, **given), 0, REGION) == target(label, **sent)

    def test_any_mapping_passes(self) -> None:
        assert normalise_target(MappingProxyType(LAMBDA), 0) == LAMBDA

    @pytest.mark.parametrize("bad", ["text", 7, None, [("Id", "t")]])
    def test_what_is_no_dict(self, bad: object) -> None:
        error = refusal(bad)
        assert error.place == "targets[3]"
        assert error.target_id is None
        assert type(bad).__name__ in error.reason

    def test_typo_gets_the_right_name(self) -> None:
        error = refusal({**LAMBDA, "Inputpath": "$.detail"})
        assert error.place == "targets[3].Inputpath"
        assert error.target_id == "t"
        assert error.value == "$.detail"
        assert "'InputPath'" in error.remedy

    def test_unknown_member_gets_all_names(self) -> None:
        error = refusal({**LAMBDA, "xyz": None})
        assert error.place == "targets[3].xyz"
        assert all(member in error.remedy for member in TARGET_MEMBERS)

    def test_member_of_a_newer_api_passes(self) -> None:
        members = frozenset({*TARGET_MEMBERS, "Priority"})
        assert normalise_target({**LAMBDA, "Priority": 1}, 0, members=members)["Priority"] == 1


class TestId:
    @pytest.mark.parametrize("target_id", ["a", "x" * 63, "x" * 64, "A-Z_a.z0-9"])
    def test_good(self, target_id: str) -> None:
        assert normalise_target({**LAMBDA, "Id": target_id}, 0)["Id"] == target_id

    @pytest.mark.parametrize(
        ("bad", "target_id"), [("x" * 65, "x" * 65), ("a b", "a b"), ("a/b", "a/b"), ("", None), (None, None), (7, "7")]
    )
    def test_bad(self, bad: object, target_id: str | None) -> None:
        error = refusal({**LAMBDA, "Id": bad})
        assert error.place == "targets[3].Id"
        assert error.target_id == target_id
        assert error.value == bad

    def test_missing(self) -> None:
        error = refusal({"Arn": FUNCTION_ARN})
        assert (error.place, error.target_id) == ("targets[3].Id", None)


class TestArn:
    @pytest.mark.parametrize(
        "bad", [None, "", "q", 7, "https://sqs.us-east-1.amazonaws.com/123456789012/q", "arn:aws:sqs:us-east-1:1"]
    )
    def test_what_is_none(self, bad: object) -> None:
        error = refusal({"Id": "t", "Arn": bad})
        assert (error.place, error.target_id, error.value) == ("targets[3].Arn", "t", bad)
        assert "is not an ARN" in error.reason

    @pytest.mark.parametrize(
        ("resource", "example"),
        [
            ("lambda:us-east-1:123456789012:f", "function:NAME"),
            ("states:us-east-1:123456789012:execution:m:x", "stateMachine:NAME"),
            ("events:us-east-1:123456789012:event-busv2/orders", "event-bus/NAME"),
            ("events:us-east-1:123456789012:rule/r", "api-destination/NAME/ID"),
            ("ecs:us-east-1:123456789012:task-definition/d:1", "cluster/NAME"),
            ("logs:us-east-1:123456789012:g", "log-group:NAME"),
            ("sqs:us-east-1:123456789012:a/b", "NAME"),
            ("appsync:us-east-1:123456789012:apis/abc", "endpoints/graphql-api/ID"),
        ],
    )
    def test_resource_that_is_no_target(self, resource: str, example: str) -> None:
        error = refusal({"Id": "t", "Arn": f"arn:aws:{resource}"})
        assert error.place == "targets[3].Arn"
        assert example in error.remedy

    def test_service_that_is_not_known_is_left_to_aws(self) -> None:
        good = {
            "Id": "t",
            "Arn": "arn:aws:newservice:eu-west-1:123456789012:thing/x",
            "RoleArn": ROLE_ARN,
            "EcsParameters": {"TaskCount": 2},
        }
        assert normalise_target(good, 0, REGION) == good

    @pytest.mark.parametrize("partition", ["aws-cn", "aws-us-gov", "aws-iso"])
    def test_other_partitions(self, partition: str) -> None:
        good = {"Id": "t", "Arn": f"arn:{partition}:sqs:x-north-1:123456789012:q"}
        assert normalise_target(good, 0, "x-north-1") == good


class TestRegion:
    def test_other_region_than_the_rule_raises(self) -> None:
        for label in ARNS.keys() - {"event bus", "Incident Manager response plan"}:
            error = refusal(target(label), "eu-west-1")
            assert error.place == "targets[3].Arn", label
            assert "'us-east-1'" in error.reason
            assert "'eu-west-1'" in error.reason

    def test_event_bus_may_be_anywhere(self) -> None:
        good = target("event bus")
        assert normalise_target(good, 0, "eu-west-1") == good

    def test_arn_without_a_region(self) -> None:
        good = target("Incident Manager response plan")
        assert normalise_target(good, 0, "eu-west-1") == good


class TestRole:
    @pytest.mark.parametrize("empty", [None, ""])
    def test_missing_role_raises(self, empty: str | None) -> None:
        for label in NEED_A_ROLE:
            error = refusal(target(label, RoleArn=empty))
            assert error.place == "targets[3].RoleArn"
            assert label in error.reason
            assert "policy role" in error.remedy

    @pytest.mark.parametrize("label", ["Lambda function", "SQS queue", "SNS topic", "API Gateway stage"])
    def test_may_be_given(self, label: str) -> None:
        good = target(label, RoleArn=ROLE_ARN)
        assert normalise_target(good, 0, REGION) == good

    @pytest.mark.parametrize("suffix", ["", ":*"])
    def test_must_not_be_given_for_logs(self, suffix: str) -> None:
        error = refusal({"Id": "t", "Arn": ARNS["CloudWatch log group"] + suffix, "RoleArn": ROLE_ARN})
        assert (error.place, error.value) == ("targets[3].RoleArn", ROLE_ARN)
        assert "grant_permissions" in error.remedy


class TestParameterBlocks:
    @pytest.mark.parametrize(("member", "services"), PARAMETER_SERVICES.items())
    def test_belong_to_their_services(self, member: str, services: set[str]) -> None:
        block = ECS if member == "EcsParameters" else BATCH if member == "BatchParameters" else {"some": "thing"}
        for label, arn in ARNS.items():
            passed = target(label, **{member: block})
            if arn.split(":")[2] in services:
                assert normalise_target(passed, 0, REGION)[member] == block
            else:
                error = refusal(passed)
                assert (error.place, error.value) == (f"targets[3].{member}", block)
                assert label in error.reason
                assert all(service in error.reason for service in services)

    def test_sqs_parameters_are_ignored_by_aws_elsewhere(self) -> None:
        for label in ARNS:
            good = target(label, SqsParameters={"MessageGroupId": "g"})
            assert normalise_target(good, 0, REGION) == good

    @pytest.mark.parametrize(("label", "member"), [(label, *blocks) for label, blocks in REQUIRED.items()])
    @pytest.mark.parametrize("empty", [None, {}])
    def test_are_missing(self, label: str, member: str, empty: object) -> None:
        error = refusal(target(label, **{member: empty}))
        assert error.place == f"targets[3].{member}"
        assert label in error.reason

    @pytest.mark.parametrize(
        ("label", "member"),
        [
            ("ECS cluster", "EcsParameters"),
            ("Batch job queue", "BatchParameters"),
            ("Kinesis stream", "KinesisParameters"),
            ("SQS queue", "SqsParameters"),
            ("Lambda function", "RetryPolicy"),
            ("Lambda function", "DeadLetterConfig"),
        ],
    )
    def test_other_types_than_a_dict_raise(self, label: str, member: str) -> None:
        wrong: tuple[object, ...] = ("text", 7, [])
        for bad in wrong:
            error = refusal(target(label, **{member: bad}))
            assert (error.place, error.value) == (f"targets[3].{member}", bad)
            assert type(bad).__name__ in error.reason


class TestFifoQueue:
    ARN = f"{QUEUE_ARN}.fifo"

    @pytest.mark.parametrize("parameters", [None, {}, {"MessageGroupId": ""}, {"MessageGroupId": None}])
    def test_needs_a_message_group(self, parameters: object) -> None:
        error = refusal({"Id": "t", "Arn": self.ARN, "SqsParameters": parameters})
        assert error.place == "targets[3].SqsParameters.MessageGroupId"

    def test_with_a_message_group(self) -> None:
        good = {"Id": "t", "Arn": self.ARN, "SqsParameters": {"MessageGroupId": "g"}}
        assert normalise_target(good, 0, REGION) == good

    def test_topic_needs_none(self) -> None:
        good = {"Id": "t", "Arn": ARNS["SNS topic"] + ".fifo"}
        assert normalise_target(good, 0, REGION) == good


class TestEcs:
    @pytest.mark.parametrize("count", [1, 2, 10, 11, 1000])
    def test_good_task_count(self, count: int) -> None:
        good = target("ECS cluster", EcsParameters={**ECS, "TaskCount": count})
        assert normalise_target(good, 0, REGION) == good

    @pytest.mark.parametrize("count", [-1, 0, "2", 1.5, True])
    def test_bad_task_count(self, count: object) -> None:
        error = refusal(target("ECS cluster", EcsParameters={**ECS, "TaskCount": count}))
        assert (error.place, error.value) == ("targets[3].EcsParameters.TaskCount", count)
        assert "1 or more" in error.reason

    def test_fargate_needs_a_network(self) -> None:
        error = refusal(target("ECS cluster", EcsParameters={**ECS, "LaunchType": "FARGATE"}))
        assert error.place == "targets[3].EcsParameters.NetworkConfiguration"

    @pytest.mark.parametrize(
        "more",
        [
            {"LaunchType": "FARGATE", "NetworkConfiguration": {"awsvpcConfiguration": {"Subnets": ["s"]}}},
            {"LaunchType": "EC2"},
            {"LaunchType": "EXTERNAL"},
            {"CapacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT"}]},
        ],
    )
    def test_other_launch_types(self, more: dict[str, Any]) -> None:
        good = target("ECS cluster", EcsParameters={**ECS, **more})
        assert normalise_target(good, 0, REGION) == good


class TestDeadLetterConfig:
    @pytest.mark.parametrize(
        ("arn", "region"), [(QUEUE_ARN, REGION), (QUEUE_ARN, None), ("arn:aws-cn:sqs:cn-north-1:1:q", "cn-north-1")]
    )
    def test_good(self, arn: str, region: str | None) -> None:
        good = {"Id": "t", "Arn": arn, "DeadLetterConfig": {"Arn": arn}}
        assert normalise_target(good, 0, region) == good

    def test_empty_one_is_left_to_aws(self) -> None:
        assert normalise_target({**LAMBDA, "DeadLetterConfig": {}}, 0, REGION) == {**LAMBDA, "DeadLetterConfig": {}}

    @pytest.mark.parametrize(
        ("arn", "why"),
        [
            ("q", "is not an ARN"),
            (ARNS["SNS topic"], "standard SQS queue"),
            (FUNCTION_ARN, "standard SQS queue"),
            (f"{QUEUE_ARN}.fifo", "standard SQS queue"),
            ("arn:aws:sqs:eu-west-1:123456789012:q", "'eu-west-1'"),
        ],
    )
    def test_bad(self, arn: str, why: str) -> None:
        error = refusal({**LAMBDA, "DeadLetterConfig": {"Arn": arn}})
        assert (error.place, error.value) == ("targets[3].DeadLetterConfig.Arn", arn)
        assert why in error.reason

    def test_region_counts_for_event_buses_as_well(self) -> None:
        error = refusal(target("event bus", DeadLetterConfig={"Arn": QUEUE_ARN}), "eu-west-1")
        assert error.place == "targets[3].DeadLetterConfig.Arn"


class TestRetryPolicy:
    @pytest.mark.parametrize(
        "policy",
        [
            {},
            {"MaximumRetryAttempts": 0},
            {"MaximumRetryAttempts": 1},
            {"MaximumRetryAttempts": 184},
            {"MaximumRetryAttempts": 185},
            {"MaximumEventAgeInSeconds": 60},
            {"MaximumEventAgeInSeconds": 61},
            {"MaximumEventAgeInSeconds": 86_399},
            {"MaximumEventAgeInSeconds": 86_400},
            {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60},
        ],
    )
    def test_good(self, policy: dict[str, int]) -> None:
        assert normalise_target({**LAMBDA, "RetryPolicy": policy}, 0) == {**LAMBDA, "RetryPolicy": policy}

    @pytest.mark.parametrize(
        ("member", "bad", "limits"),
        [
            ("MaximumRetryAttempts", -1, "0 to 185"),
            ("MaximumRetryAttempts", 186, "0 to 185"),
            ("MaximumRetryAttempts", "3", "0 to 185"),
            ("MaximumRetryAttempts", True, "0 to 185"),
            ("MaximumEventAgeInSeconds", 0, "60 to 86400"),
            ("MaximumEventAgeInSeconds", 59, "60 to 86400"),
            ("MaximumEventAgeInSeconds", 86_401, "60 to 86400"),
            ("MaximumEventAgeInSeconds", 90.5, "60 to 86400"),
        ],
    )
    def test_bad(self, member: str, bad: object, limits: str) -> None:
        error = refusal({**LAMBDA, "RetryPolicy": {member: bad}})
        assert (error.place, error.value) == (f"targets[3].RetryPolicy.{member}", bad)
        assert limits in error.reason
        assert ("render_template_as_native_obj" in error.remedy) is isinstance(bad, str)


class TestInput:
    @pytest.mark.parametrize(
        ("given", "sent"),
        [
            ({"a": [1, None], "b": "é"}, '{"a":[1,null],"b":"é"}'),
            ('{ "a": 1 }', '{ "a": 1 }'),
            ('"word"', '"word"'),
            ("7", "7"),
            ([], "[]"),
            ({}, "{}"),
            (0, "0"),
            (False, "false"),
            ("null", "null"),
        ],
    )
    def test_becomes_text(self, given: object, sent: str) -> None:
        assert normalise_target({**LAMBDA, "Input": given}, 0)["Input"] == sent

    @pytest.mark.parametrize(
        "bad", ["word", "", "{'a': 1}", '{"a": NaN}', {"a": math.nan}, {"a": datetime(2026, 1, 1, tzinfo=UTC)}, {1, 2}]
    )
    def test_what_is_no_json(self, bad: object) -> None:
        error = refusal({**LAMBDA, "Input": bad})
        assert error.place == "targets[3].Input"
        assert error.value is bad
        assert "JSON" in error.reason

    @pytest.mark.parametrize("length", [8191, 8192, 8193])
    @pytest.mark.parametrize("as_text", [False, True])
    def test_length(self, length: int, as_text: bool) -> None:
        word = "é" * (length - 2)
        given = {**LAMBDA, "Input": json.dumps(word, ensure_ascii=False) if as_text else [word[2:]]}
        if length <= 8192:
            assert len(normalise_target(given, 0)["Input"]) == length
        else:
            error = refusal(given)
            assert error.place == "targets[3].Input"
            assert "8193 characters" in error.reason

    def test_more_nesting_than_python_reads_is_left_to_aws(self) -> None:
        text = "[" * 4000 + "]" * 4000
        assert normalise_target({**LAMBDA, "Input": text}, 0)["Input"] == text

    @pytest.mark.parametrize(
        "members",
        [
            {"Input": "{}", "InputPath": "$"},
            {"Input": {}, "InputTransformer": {"InputTemplate": "{}"}},
            {"InputPath": "$.detail", "InputTransformer": {"InputTemplate": "{}"}},
            {"Input": "{}", "InputPath": "$", "InputTransformer": {"InputTemplate": "{}"}},
        ],
    )
    def test_only_one_of_three(self, members: dict[str, Any]) -> None:
        error = refusal({**LAMBDA, **members})
        member, value = next(iter(members.items()))
        assert (error.place, error.value) == (f"targets[3].{member}", value)
        assert all(member in error.reason for member in members)

    @pytest.mark.parametrize("member", ["Input", "InputPath", "InputTransformer"])
    def test_one_of_three(self, member: str) -> None:
        three: dict[str, Any] = {"Input": "{}", "InputPath": "$", "InputTransformer": {"InputTemplate": "{}"}}
        given = {**LAMBDA, **dict.fromkeys(three), member: three[member]}
        assert normalise_target(given, 0) == {**LAMBDA, member: three[member]}

    @pytest.mark.parametrize(
        ("members", "place"),
        [
            ({"InputPath": "detail"}, "InputPath"),
            ({"InputPath": "x" * 300}, "InputPath"),
            ({"InputTransformer": "text"}, "InputTransformer"),
            ({"InputTransformer": {}}, "InputTransformer.InputTemplate"),
            ({"InputTransformer": {"InputTemplate": "<a>"}}, "InputTransformer.InputTemplate"),
            (
                {"InputTransformer": {"InputTemplate": "<a>", "InputPathsMap": {"a": "detail"}}},
                "InputTransformer.InputPathsMap.a",
            ),
        ],
    )
    def test_bad_path_or_transformer_is_named(self, members: dict[str, Any], place: str) -> None:
        error = refusal({**LAMBDA, **members})
        assert error.place == f"targets[3].{place}"
        assert error.target_id == "t"


class TestInputOfLogs:
    PATHS = MappingProxyType({"time": "$.time", "message": "$.detail-type"})

    @pytest.mark.parametrize(
        "template",
        [
            '{"timestamp": <time>, "message": <message>}',
            '{"message":"<message> at <time>","timestamp":"<time>"}',
            ' {\n  "timestamp": <aws.events.event.ingestion-time>,\n  "message": "text"\n}',
            '{"timestamp": <time>, "message": <aws.events.event.json>}',
        ],
    )
    def test_good(self, template: str) -> None:
        given = {"InputPathsMap": self.PATHS, "InputTemplate": template}
        good = target("CloudWatch log group", InputTransformer=given)
        assert normalise_target(good, 0, REGION) == good

    def test_template_as_a_dict(self) -> None:
        given = {"InputPathsMap": self.PATHS, "InputTemplate": {"timestamp": "<time>", "message": "<message>"}}
        sent = normalise_target(target("CloudWatch log group", InputTransformer=given), 0, REGION)
        assert sent["InputTransformer"]["InputTemplate"] == '{"timestamp":"<time>","message":"<message>"}'

    @pytest.mark.parametrize(
        "template",
        [
            "<message>",
            '"<message>"',
            '["timestamp", "message"]',
            "{}",
            '{"message": <message>}',
            '{"timestamp": <time>}',
            '{"Timestamp": <time>, "message": <message>}',
            '{"timestamp": <time>, "message": <message>, "more": 1}',
            "[" * 4000 + "]" * 4000,
        ],
    )
    @pytest.mark.parametrize("suffix", ["", ":*"])
    def test_other_templates(self, template: str, suffix: str) -> None:
        bad = target("CloudWatch log group", InputTransformer={"InputPathsMap": self.PATHS, "InputTemplate": template})
        error = refusal({**bad, "Arn": bad["Arn"] + suffix})
        assert (error.place, error.value) == ("targets[3].InputTransformer.InputTemplate", template)
        assert '{"timestamp": <time>, "message": <message>}' in error.remedy

    @pytest.mark.parametrize(("member", "value"), [("Input", '{"a":1}'), ("InputPath", "$.detail")])
    def test_neither_input_nor_path(self, member: str, value: str) -> None:
        error = refusal(target("CloudWatch log group", **{member: value}))
        assert (error.place, error.value) == (f"targets[3].{member}", value)
        assert "InputTransformer" in error.remedy

    def test_other_kinds_take_any(self) -> None:
        given = {"InputPathsMap": self.PATHS, "InputTemplate": '"<message>"'}
        assert normalise_target({**LAMBDA, "InputTransformer": given}, 0)["InputTransformer"] == given


class TestNormaliseTargets:
    def test_all_invalid_targets_are_reported(self) -> None:
        with pytest.raises(InvalidTargetError) as caught:
            normalise_targets([{"Id": "a"}, LAMBDA, {"Id": "b", "Arn": "no"}])
        assert [error.index for error in (caught.value, *caught.value.others)] == [0, 2]  # type: ignore[attr-defined]

    def test_empty(self) -> None:
        assert normalise_targets([]) == []

    @pytest.mark.parametrize("count", [1, 5, 10, 11, 100])
    def test_any_number_in_order(self, count: int) -> None:
        targets = ({**LAMBDA, "Id": f"t{number}"} for number in range(count))
        assert [each["Id"] for each in normalise_targets(targets)] == [f"t{number}" for number in range(count)]

    def test_same_arn_twice(self) -> None:
        targets = [{**LAMBDA, "Id": "a"}, {**LAMBDA, "Id": "b"}]
        assert normalise_targets(targets) == targets

    def test_ids_differ_by_case(self) -> None:
        targets = [{**LAMBDA, "Id": "a"}, {**LAMBDA, "Id": "A"}]
        assert normalise_targets(targets) == targets

    def test_duplicate_id(self) -> None:
        with pytest.raises(InvalidTargetError) as caught:
            normalise_targets([{**LAMBDA, "Id": target_id} for target_id in "abcbd"])
        error = caught.value
        assert (error.place, error.index, error.target_id) == ("targets[3].Id", 3, "b")
        assert "targets[1]" in error.reason

    def test_bad_one_is_named(self) -> None:
        with pytest.raises(InvalidTargetError) as caught:
            normalise_targets([LAMBDA, {"Id": "u", "Arn": FUNCTION_ARN, "InputPath": "x"}], REGION)
        assert (caught.value.place, caught.value.index, caught.value.target_id) == ("targets[1].InputPath", 1, "u")

    def test_region_is_that_of_the_rule(self) -> None:
        with pytest.raises(InvalidTargetError) as caught:
            normalise_targets([LAMBDA], "eu-west-1")
        assert caught.value.place == "targets[0].Arn"


class TestIsSameTarget:
    def test_no_target_is_none(self) -> None:
        assert not is_same_target(LAMBDA, None)

    @pytest.mark.parametrize(
        ("wanted", "present", "same"),
        [
            ({}, {}, True),
            ({"Input": '{"a":1,"b":2}'}, {"Input": '{ "b": 2, "a": 1 }'}, True),
            ({"Input": '{"a":1}'}, {"Input": '{"a":2}'}, False),
            ({"Input": '{"a":1}'}, {"Input": '{"a":true}'}, False),
            ({"Input": "[0]"}, {"Input": "[false]"}, False),
            ({"Input": "{}"}, {}, False),
            ({}, {"Input": "{}"}, False),
            ({"Input": "{}"}, {"Input": "not JSON"}, False),
            ({"Input": "[" * 4000 + "]" * 4000}, {"Input": "[" * 4000 + "]" * 4000}, True),
            ({"InputPath": "$.a"}, {"InputPath": "$.b"}, False),
            ({"RoleArn": ROLE_ARN}, {}, False),
            ({}, {"RetryPolicy": {"MaximumRetryAttempts": 1}}, False),
            ({"RetryPolicy": {"MaximumRetryAttempts": 1}}, {"RetryPolicy": {"MaximumRetryAttempts": 1}}, True),
        ],
    )
    def test_compares_what_they_say(self, wanted: dict[str, Any], present: dict[str, Any], same: bool) -> None:
        assert is_same_target({**LAMBDA, **wanted}, {**LAMBDA, **present}) is same
