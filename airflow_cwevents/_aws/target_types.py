"""
The kinds of target that a rule can have: what their ARNs look like, and the permissions that EventBridge needs.

.. seealso::
    - https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-targets.html
    - https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from airflow_cwevents._aws.arns import Arn

RoleRule = Literal["required", "optional", "refused"]


@dataclass(frozen=True, slots=True)
class TargetKind:
    """
    A kind of target.

    :param label: its name in AWS's pages.
    :param service: the service in its ARN.
    :param resource: a regular expression that fully matches the resource in its ARN.
    :param example: such a resource.
    :param role: whether a target of this kind must have a ``RoleArn``.
    :param actions: the actions that the role, or else the resource's policy, must allow.
    :param parameters: the member with the parameters of this kind, if there is one.
    :param parameters_required: whether AWS refuses a target without it.
    :param any_region: whether the target may be in another region than the rule.
    """

    label: str
    service: str
    resource: str
    example: str
    role: RoleRule
    actions: tuple[str, ...]
    parameters: str | None = None
    parameters_required: bool = False
    any_region: bool = False


KINDS: tuple[TargetKind, ...] = (
    TargetKind("Lambda function", "lambda", r"function:.+", "function:NAME", "optional", ("lambda:InvokeFunction",)),
    TargetKind("SQS queue", "sqs", r"[^:/]+", "NAME", "optional", ("sqs:SendMessage",), "SqsParameters"),
    TargetKind("SNS topic", "sns", r"[^:/]+", "NAME", "optional", ("sns:Publish",)),
    TargetKind(
        "CloudWatch log group",
        "logs",
        r"log-group:[^:*]+(:\*)?",
        "log-group:NAME",
        "refused",
        ("logs:CreateLogStream", "logs:PutLogEvents"),
    ),
    TargetKind(
        "Kinesis stream",
        "kinesis",
        r"stream/.+",
        "stream/NAME",
        "required",
        ("kinesis:PutRecord",),
        "KinesisParameters",
    ),
    TargetKind(
        "Firehose stream",
        "firehose",
        r"deliverystream/.+",
        "deliverystream/NAME",
        "required",
        ("firehose:PutRecord", "firehose:PutRecordBatch"),
    ),
    TargetKind(
        "Step Functions state machine",
        "states",
        r"stateMachine:.+",
        "stateMachine:NAME",
        "required",
        ("states:StartExecution",),
    ),
    TargetKind(
        "ECS cluster", "ecs", r"cluster/.+", "cluster/NAME", "required", ("ecs:RunTask",), "EcsParameters", True
    ),
    TargetKind(
        "Batch job queue",
        "batch",
        r"job-queue/.+",
        "job-queue/NAME",
        "required",
        ("batch:SubmitJob",),
        "BatchParameters",
        True,
    ),
    TargetKind("CodeBuild project", "codebuild", r"project/.+", "project/NAME", "required", ("codebuild:StartBuild",)),
    TargetKind(
        "CodePipeline pipeline",
        "codepipeline",
        r"[^:/]+",
        "NAME",
        "required",
        ("codepipeline:StartPipelineExecution",),
    ),
    TargetKind(
        "Systems Manager Run Command",
        "ssm",
        r"document/.+",
        "document/NAME",
        "required",
        ("ssm:SendCommand",),
        "RunCommandParameters",
    ),
    TargetKind(
        "Systems Manager Automation",
        "ssm",
        r"automation-definition/.+",
        "automation-definition/NAME:$DEFAULT",
        "required",
        ("ssm:StartAutomationExecution",),
    ),
    TargetKind("Systems Manager OpsItem", "ssm", r"opsitem", "opsitem", "optional", ("ssm:CreateOpsItem",)),
    TargetKind(
        "Incident Manager response plan",
        "ssm-incidents",
        r"response-plan/.+",
        "response-plan/NAME",
        "required",
        ("ssm-incidents:StartIncident",),
    ),
    TargetKind(
        "SageMaker pipeline",
        "sagemaker",
        r"pipeline/.+",
        "pipeline/NAME",
        "required",
        ("sagemaker:StartPipelineExecution",),
        "SageMakerPipelineParameters",
    ),
    TargetKind(
        "Inspector assessment template",
        "inspector",
        r"target/.+/template/.+",
        "target/ID/template/ID",
        "required",
        ("inspector:StartAssessmentRun",),
    ),
    TargetKind(
        "Image Builder pipeline",
        "imagebuilder",
        r"image-pipeline/.+",
        "image-pipeline/NAME",
        "required",
        ("imagebuilder:StartImagePipelineExecution",),
    ),
    TargetKind("Glue workflow", "glue", r"workflow/.+", "workflow/NAME", "required", ("glue:notifyEvent",)),
    TargetKind(
        "Redshift cluster",
        "redshift",
        r"cluster:.+",
        "cluster:NAME",
        "required",
        ("redshift-data:ExecuteStatement",),
        "RedshiftDataParameters",
    ),
    TargetKind(
        "Redshift Serverless workgroup",
        "redshift-serverless",
        r"workgroup/.+",
        "workgroup/ID",
        "required",
        ("redshift-data:ExecuteStatement",),
        "RedshiftDataParameters",
    ),
    TargetKind(
        "event bus", "events", r"event-bus/.+", "event-bus/NAME", "required", ("events:PutEvents",), any_region=True
    ),
    TargetKind(
        "API destination",
        "events",
        r"api-destination/.+",
        "api-destination/NAME/ID",
        "required",
        ("events:InvokeApiDestination",),
        "HttpParameters",
    ),
    TargetKind(
        "built-in EC2 or EBS target",
        "events",
        r"target/.+",
        "target/create-snapshot",
        "optional",
        (),  # they depend on the target: BUILT_IN_ACTIONS
    ),
    TargetKind(
        "API Gateway stage",
        "execute-api",
        r"[^/]+/.+",
        "API/STAGE/GET/PATH",
        "optional",
        ("execute-api:Invoke",),
        "HttpParameters",
    ),
    TargetKind(
        "AppSync GraphQL API",
        "appsync",
        r"endpoints/graphql-api/.+",
        "endpoints/graphql-api/ID",
        "required",
        ("appsync:GraphQL",),
        "AppSyncParameters",
    ),
)

# Services that PutTargets is known to refuse: "<service> is not a supported service for a target."
REFUSED_SERVICES = frozenset({"iam"})

# The action that a role must allow for a built-in target, and the resources, by the parts of the target's ARN.
_INSTANCES = "arn:{partition}:ec2:{region}:{account}:instance/*"
BUILT_IN_ACTIONS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "target/create-snapshot": (
        "ec2:CreateSnapshot",
        ("arn:{partition}:ec2:{region}:{account}:volume/*", "arn:{partition}:ec2:{region}::snapshot/*"),
    ),
    "target/reboot-instance": ("ec2:RebootInstances", (_INSTANCES,)),
    "target/stop-instance": ("ec2:StopInstances", (_INSTANCES,)),
    "target/terminate-instance": ("ec2:TerminateInstances", (_INSTANCES,)),
}

# AWS accepts SqsParameters on a target of any kind, and ignores it there.
PARAMETER_MEMBERS = frozenset(kind.parameters for kind in KINDS if kind.parameters) - {"SqsParameters"}


def kinds_of_service(service: str) -> list[TargetKind]:
    """Return the kinds of target of a service; none if the service has no known kind."""
    return [kind for kind in KINDS if kind.service == service]


def kind_of(arn: Arn) -> TargetKind | None:
    """Return the kind of target that an ARN names; None if the kind is not known."""
    return next((kind for kind in kinds_of_service(arn.service) if re.fullmatch(kind.resource, arn.resource)), None)


def services_with(parameters: str) -> list[str]:
    """Return the services whose targets take a member with parameters, such as ``EcsParameters``."""
    return sorted({kind.service for kind in KINDS if kind.parameters == parameters})
