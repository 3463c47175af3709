from __future__ import annotations

from typing import Any

import pytest

from airflow_cwevents.exceptions import InvalidTargetError
from airflow_cwevents.iam.documents import Policy
from airflow_cwevents.iam.roles import RoleRequirement, role_requirements, target_role_policy

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
            (f"imagebuilder:{ACCOUNT}:image-pipeline/p", ["imagebuilder:StartImagePipelineExecution"]),
            (f"inspector:{ACCOUNT}:target/0-a/template/0-b", ["inspector:StartAssessmentRun"]),
            (f"glue:{ACCOUNT}:workflow/w", ["glue:notifyEvent"]),
            ("ssm-incidents::123456789012:response-plan/p", ["ssm-incidents:StartIncident"]),
            (f"ssm:{ACCOUNT}:automation-definition/d:$DEFAULT", ["ssm:StartAutomationExecution"]),
            ("ssm:us-east-1::automation-definition/AWS-X:$DEFAULT", ["ssm:StartAutomationExecution"]),
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
        assert role_requirements({"Id": "t", "Arn": arn}) == [RoleRequirement(tuple(actions), ((arn,),))]

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
        assert role_requirements({"Id": "t", "Arn": arn}) == []
        assert allowed(target_role_policy([{"Id": "t", "Arn": arn, "RoleArn": ROLE_ARN}])) == [([action], [arn])]

    @pytest.mark.parametrize(
        "arn",
        [f"arn:aws:newservice:{ACCOUNT}:x", f"arn:aws:events:{ACCOUNT}:target/of-the-future", "not an ARN"],
    )
    @pytest.mark.parametrize("role", [{}, {"RoleArn": ROLE_ARN}])
    def test_unknown_kind_raises(self, arn: str, role: dict[str, str]) -> None:
        known = {"Id": "t", "Arn": QUEUE_ARN}
        with pytest.raises(InvalidTargetError) as caught:
            target_role_policy([known, {"Id": "u", "Arn": arn, **role}])
        assert (caught.value.place, caught.value.target_id) == ("targets[1].Arn", "u")
        assert role_requirements({"Arn": arn, **role}) is None

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
            "Action": ["iam:PassRole"],
            "Resource": ["*"],
            "Condition": {"StringLike": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
        }
        assert tag == {
            "Effect": "Allow",
            "Action": ["ecs:TagResource"],
            "Resource": ["*"],
            "Condition": {"StringEquals": {"ecs:CreateAction": "RunTask"}},
        }
        requirements = role_requirements({"Arn": cluster, "EcsParameters": definition}) or []
        assert [requirement.needed for requirement in requirements] == ["always", "downstream", "downstream"]
        assert requirements[0].resources == (tuple(resources),)
        assert requirements[0].context == {"ecs:cluster": cluster}

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
        resources = ((queue,), (f"arn:aws:batch:{ACCOUNT}:job-definition/*",))
        assert role_requirements({"Arn": queue, **parameters}) == [RoleRequirement(("batch:SubmitJob",), resources)]

    @pytest.mark.parametrize(
        ("document", "resource", "instances"),
        [
            # AWS's own documents have no account to IAM, whatever the target's ARN says
            ("ssm:us-east-1::document/AWS-RunShellScript", None, "ec2:us-east-1:*:instance/*"),
            (
                f"ssm:{ACCOUNT}:document/AWS-RunShellScript",
                "ssm:us-east-1::document/AWS-RunShellScript",
                f"ec2:{ACCOUNT}:instance/*",
            ),
            (
                f"ssm:{ACCOUNT}:document/AmazonCloudWatch-ManageAgent",
                "ssm:us-east-1::document/AmazonCloudWatch-ManageAgent",
                f"ec2:{ACCOUNT}:instance/*",
            ),
            (f"ssm:{ACCOUNT}:document/my-AWS-script", None, f"ec2:{ACCOUNT}:instance/*"),
        ],
    )
    def test_run_command(self, document: str, resource: str | None, instances: str) -> None:
        resources = [f"arn:aws:{resource or document}", f"arn:aws:{instances}"]
        policy = target_role_policy([{"Arn": f"arn:aws:{document}"}])
        assert allowed(policy) == [(["ssm:SendCommand"], resources)]

    @pytest.mark.parametrize(
        ("members", "needed"),
        [
            ({"Input": '{"buildType": "BATCH"}'}, "always"),
            ({"Input": {"buildType": "BATCH"}}, "always"),
            ({"InputTransformer": {"InputTemplate": '{"sourceVersion": <v>, "buildType": "BATCH"}'}}, "always"),
            ({"InputTransformer": {"InputTemplate": {"buildType": "<type>"}}}, "by_event"),
            ({"InputPath": "$.detail"}, "by_event"),
            ({"InputPath": "$"}, None),
            ({"Input": '{"buildType": "OTHER"}'}, None),
            ({"Input": "BATCH"}, None),
            ({"InputTransformer": {"InputTemplate": '{"sourceVersion": <v>}'}}, None),
            ({}, None),
        ],
    )
    def test_codebuild_batch(self, members: dict[str, Any], needed: str | None) -> None:
        project = f"arn:aws:codebuild:{ACCOUNT}:project/p"
        first, *others = role_requirements({"Arn": project, **members}) or []
        assert (first.actions, first.needed) == (("codebuild:StartBuild",), "always")
        batch = [(each.actions, each.resources, each.needed) for each in others]
        assert batch == ([(("codebuild:StartBuildBatch",), ((project,),), needed)] if needed else [])

    def test_appsync_role_names_the_api_by_another_id(self) -> None:
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
                (["redshift:GetClusterCredentials"], ["*"]),
            ),
            (
                f"arn:aws:redshift-serverless:{ACCOUNT}:workgroup/w",
                None,
                (
                    ["redshift-serverless:GetCredentials"],
                    [f"arn:aws:redshift-serverless:{ACCOUNT}:workgroup/w"],
                ),
            ),
            (
                f"arn:aws:redshift:{ACCOUNT}:cluster:c",
                {"SecretManagerArn": f"arn:aws:secretsmanager:{ACCOUNT}:secret:s"},
                (["secretsmanager:GetSecretValue"], [f"arn:aws:secretsmanager:{ACCOUNT}:secret:s"]),
            ),
            (
                f"arn:aws:redshift-serverless:{ACCOUNT}:workgroup/w",
                {"SecretManagerArn": "$.detail.secret"},
                (["secretsmanager:GetSecretValue"], ["*"]),
            ),
        ],
    )
    def test_redshift(self, arn: str, parameters: dict[str, str] | None, more: tuple[Any, Any]) -> None:
        target = {"Arn": arn, "RedshiftDataParameters": parameters}
        assert allowed(target_role_policy([target])) == [(["redshift-data:ExecuteStatement"], [arn]), more]
        assert [requirement.needed for requirement in role_requirements(target) or []] == ["always", "downstream"]

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

    def test_many_targets_repeat_no_statement(self) -> None:
        clusters = [f"arn:aws:ecs:{ACCOUNT}:cluster/{name}" for name in "ab"]
        stream = f"arn:aws:kinesis:{ACCOUNT}:stream/s"
        targets = [{"Arn": arn} for arn in [*clusters, stream, clusters[0], stream, QUEUE_ARN]]
        actions = [action for action, _ in allowed(target_role_policy(targets))]
        assert actions == [
            ["ecs:RunTask"],
            ["iam:PassRole"],
            ["ecs:TagResource"],
            ["ecs:RunTask"],
            ["kinesis:PutRecord"],
        ]

    def test_no_targets(self) -> None:
        assert target_role_policy([]) == {"Version": "2012-10-17", "Statement": []}
