from __future__ import annotations

from typing import Any

import pytest

from airflow_cwevents.iam.documents import Policy
from airflow_cwevents.iam.roles import RoleNeed, role_doubt, role_need, target_role_policy

FUNCTION_ARN = "arn:aws:lambda:us-east-1:123456789012:function:f"
QUEUE_ARN = "arn:aws:sqs:us-east-1:123456789012:q"
TOPIC_ARN = "arn:aws:sns:us-east-1:123456789012:t"
ROLE_ARN = "arn:aws:iam::123456789012:role/r"
ACCOUNT = "us-east-1:123456789012"
TASK_ARN = f"arn:aws:ecs:{ACCOUNT}:task-definition/d"


def allowed(policy: Policy) -> list[tuple[Any, Any]]:
    assert {statement["Effect"] for statement in policy["Statement"]} == {"Allow"}
    return [(statement["Action"], statement["Resource"]) for statement in policy["Statement"]]


class TestTargetRolePolicy:
    @pytest.mark.parametrize(
        ("resource", "actions"),
        [
            (f"kinesis:{ACCOUNT}:stream/s", ["kinesis:PutRecord"]),
            (f"firehose:{ACCOUNT}:deliverystream/s", ["firehose:PutRecord", "firehose:PutRecordBatch"]),
            (f"states:{ACCOUNT}:stateMachine:m", ["states:StartExecution"]),
            (f"codebuild:{ACCOUNT}:project/p", ["codebuild:StartBuild"]),
            (f"codepipeline:{ACCOUNT}:p", ["codepipeline:StartPipelineExecution"]),
            (f"sagemaker:{ACCOUNT}:pipeline/p", ["sagemaker:StartPipelineExecution"]),
            (f"inspector:{ACCOUNT}:target/0-a/template/0-b", ["inspector:StartAssessmentRun"]),
            (f"glue:{ACCOUNT}:workflow/w", ["glue:notifyEvent"]),
            ("ssm-incidents::123456789012:response-plan/p", ["ssm-incidents:StartIncident"]),
            ("ssm:us-east-1::automation-definition/d:$DEFAULT", ["ssm:StartAutomationExecution"]),
            (f"events:{ACCOUNT}:event-bus/b", ["events:PutEvents"]),
            (f"events:{ACCOUNT}:api-destination/d/id", ["events:InvokeApiDestination"]),
        ],
    )
    def test_one_action_on_the_target(self, resource: str, actions: list[str]) -> None:
        arn = f"arn:aws:{resource}"
        assert target_role_policy([{"Id": "t", "Arn": arn, "RoleArn": ROLE_ARN}]) == {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": actions, "Resource": [arn]}],
        }
        assert role_need({"Id": "t", "Arn": arn}) == RoleNeed(actions, [[arn]], {})

    @pytest.mark.parametrize(
        ("arn", "action"),
        [
            (FUNCTION_ARN, "lambda:InvokeFunction"),
            (QUEUE_ARN, "sqs:SendMessage"),
            (TOPIC_ARN, "sns:Publish"),
            (f"arn:aws:execute-api:{ACCOUNT}:a/prod/GET/x", "execute-api:Invoke"),
        ],
    )
    def test_optional_role(self, arn: str, action: str) -> None:
        assert target_role_policy([{"Id": "t", "Arn": arn}])["Statement"] == []
        assert role_need({"Id": "t", "Arn": arn}) is None
        assert allowed(target_role_policy([{"Id": "t", "Arn": arn, "RoleArn": ROLE_ARN}])) == [([action], [arn])]

    @pytest.mark.parametrize("arn", [f"arn:aws:newservice:{ACCOUNT}:x", "not an ARN"])
    def test_kind_that_is_not_known(self, arn: str) -> None:
        assert target_role_policy([{"Arn": arn, "RoleArn": ROLE_ARN}])["Statement"] == []

    @pytest.mark.parametrize(
        ("definition", "resources"),
        [
            ({"TaskDefinitionArn": f"{TASK_ARN}:1"}, [f"{TASK_ARN}:1"]),
            ({"TaskDefinitionArn": TASK_ARN}, [TASK_ARN, f"{TASK_ARN}:*"]),
            ({"TaskDefinitionArn": f"{TASK_ARN}2"}, [f"{TASK_ARN}2", f"{TASK_ARN}2:*"]),
            ({"TaskDefinitionArn": "$.detail.task"}, ["*"]),
            ({}, ["*"]),
            (None, ["*"]),
        ],
    )
    def test_ecs(self, definition: dict[str, str] | None, resources: list[str]) -> None:
        cluster = f"arn:aws:ecs:{ACCOUNT}:cluster/c"
        run, pass_role, tag = target_role_policy([{"Arn": cluster, "EcsParameters": definition}])["Statement"]
        assert run == {
            "Effect": "Allow",
            "Action": ["ecs:RunTask"],
            "Resource": resources,
            "Condition": {"ArnEquals": {"ecs:cluster": cluster}},
        }
        assert pass_role == {
            "Effect": "Allow",
            "Action": "iam:PassRole",
            "Resource": "*",
            "Condition": {"StringLike": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
        }
        assert tag == {
            "Effect": "Allow",
            "Action": "ecs:TagResource",
            "Resource": "*",
            "Condition": {"StringEquals": {"ecs:CreateAction": "RunTask"}},
        }
        need = RoleNeed(["ecs:RunTask"], [resources], {"ecs:cluster": cluster})
        assert role_need({"Arn": cluster, "EcsParameters": definition}) == need

    @pytest.mark.parametrize(
        ("definition", "resource"),
        [
            ("d:7", f"arn:aws:batch:{ACCOUNT}:job-definition/d:7"),
            (f"arn:aws:batch:{ACCOUNT}:job-definition/d", f"arn:aws:batch:{ACCOUNT}:job-definition/d"),
            ("$.detail.definition", f"arn:aws:batch:{ACCOUNT}:job-definition/*"),
            (None, f"arn:aws:batch:{ACCOUNT}:job-definition/*"),
        ],
    )
    def test_batch(self, definition: str | None, resource: str) -> None:
        queue = f"arn:aws:batch:{ACCOUNT}:job-queue/q"
        target = {"Arn": queue, "BatchParameters": {"JobDefinition": definition, "JobName": "n"}}
        assert allowed(target_role_policy([target])) == [(["batch:SubmitJob"], [queue, resource])]

    @pytest.mark.parametrize("parameters", [{}, {"BatchParameters": None}, {"BatchParameters": {}}])
    def test_batch_without_a_definition(self, parameters: dict[str, Any]) -> None:
        queue = f"arn:aws:batch:{ACCOUNT}:job-queue/q"
        resources = [[queue], [f"arn:aws:batch:{ACCOUNT}:job-definition/*"]]
        assert role_need({"Arn": queue, **parameters}) == RoleNeed(["batch:SubmitJob"], resources, {})

    @pytest.mark.parametrize(
        ("document", "instances"),
        [
            ("arn:aws:ssm:us-east-1::document/AWS-RunShellScript", "arn:aws:ec2:us-east-1:*:instance/*"),
            (f"arn:aws-cn:ssm:{ACCOUNT}:document/d", f"arn:aws-cn:ec2:{ACCOUNT}:instance/*"),
        ],
    )
    def test_run_command(self, document: str, instances: str) -> None:
        assert allowed(target_role_policy([{"Arn": document}])) == [(["ssm:SendCommand"], [document, instances])]

    def test_appsync_has_another_id_in_the_role_than_in_the_target(self) -> None:
        # https://docs.aws.amazon.com/eventbridge/latest/userguide/target-appsync.html
        target = {"Arn": f"arn:aws:appsync:{ACCOUNT}:endpoints/graphql-api/endpointid"}
        assert allowed(target_role_policy([target])) == [
            (["appsync:GraphQL"], [f"arn:aws:appsync:{ACCOUNT}:apis/*/types/Mutation/*"])
        ]

    @pytest.mark.parametrize(
        ("arn", "parameters", "more"),
        [
            (
                f"arn:aws:redshift:{ACCOUNT}:cluster:c",
                {"Database": "d", "DbUser": "u"},
                ("redshift:GetClusterCredentials", "*"),
            ),
            (
                f"arn:aws:redshift-serverless:{ACCOUNT}:workgroup/w",
                None,
                ("redshift-serverless:GetCredentials", f"arn:aws:redshift-serverless:{ACCOUNT}:workgroup/w"),
            ),
            (
                f"arn:aws:redshift:{ACCOUNT}:cluster:c",
                {"SecretManagerArn": f"arn:aws:secretsmanager:{ACCOUNT}:secret:s"},
                ("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:{ACCOUNT}:secret:s"),
            ),
            (
                f"arn:aws:redshift-serverless:{ACCOUNT}:workgroup/w",
                {"SecretManagerArn": "$.detail.secret"},
                ("secretsmanager:GetSecretValue", "*"),
            ),
        ],
    )
    def test_redshift(self, arn: str, parameters: dict[str, str] | None, more: tuple[str, str]) -> None:
        target = {"Arn": arn, "RedshiftDataParameters": parameters}
        assert allowed(target_role_policy([target])) == [(["redshift-data:ExecuteStatement"], [arn]), more]
        assert role_need(target) == RoleNeed(["redshift-data:ExecuteStatement"], [[arn]], {})

    @pytest.mark.parametrize(
        ("name", "action", "resources"),
        [
            (
                "create-snapshot",
                "ec2:CreateSnapshot",
                [f"arn:aws:ec2:{ACCOUNT}:volume/*", "arn:aws:ec2:us-east-1::snapshot/*"],
            ),
            ("reboot-instance", "ec2:RebootInstances", [f"arn:aws:ec2:{ACCOUNT}:instance/*"]),
            ("stop-instance", "ec2:StopInstances", [f"arn:aws:ec2:{ACCOUNT}:instance/*"]),
            ("terminate-instance", "ec2:TerminateInstances", [f"arn:aws:ec2:{ACCOUNT}:instance/*"]),
        ],
    )
    def test_built_in(self, name: str, action: str, resources: list[str]) -> None:
        target = {"Arn": f"arn:aws:events:{ACCOUNT}:target/{name}"}
        assert target_role_policy([target])["Statement"] == []
        assert allowed(target_role_policy([{**target, "RoleArn": ROLE_ARN}])) == [([action], resources)]

    def test_built_in_that_is_not_known(self) -> None:
        target = {"Arn": f"arn:aws:events:{ACCOUNT}:target/of-the-future", "RoleArn": ROLE_ARN}
        assert target_role_policy([target])["Statement"] == []
        assert role_need(target) is None

    def test_many_targets_say_everything_once(self) -> None:
        clusters = [f"arn:aws:ecs:{ACCOUNT}:cluster/{name}" for name in "ab"]
        stream = f"arn:aws:kinesis:{ACCOUNT}:stream/s"
        targets = [{"Arn": arn} for arn in [*clusters, stream, clusters[0], stream, QUEUE_ARN]]
        actions = [action for action, _ in allowed(target_role_policy(targets))]
        assert actions == [
            ["ecs:RunTask"],
            "iam:PassRole",
            "ecs:TagResource",
            ["ecs:RunTask"],
            ["kinesis:PutRecord"],
        ]

    def test_no_targets(self) -> None:
        assert target_role_policy([]) == {"Version": "2012-10-17", "Statement": []}


@pytest.mark.parametrize(
    ("arn", "role", "doubtful"),
    [
        (FUNCTION_ARN, {"RoleArn": ROLE_ARN}, True),
        (QUEUE_ARN, {"RoleArn": ROLE_ARN}, True),
        (TOPIC_ARN, {"RoleArn": ROLE_ARN}, True),
        (QUEUE_ARN, {}, False),
        (QUEUE_ARN, {"RoleArn": None}, False),
        (f"arn:aws:kinesis:{ACCOUNT}:stream/s", {"RoleArn": ROLE_ARN}, False),
        (f"arn:aws:execute-api:{ACCOUNT}:a/prod/GET/x", {"RoleArn": ROLE_ARN}, False),
        ("not an ARN", {"RoleArn": ROLE_ARN}, False),
    ],
)
def test_role_doubt(arn: str, role: dict[str, str | None], doubtful: bool) -> None:
    assert bool(role_doubt({"Arn": arn, **role})) is doubtful
