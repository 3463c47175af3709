"""
Send an event to a Lambda function: AWS's tutorial "Sending events to CloudWatch Events", as a DAG.

It puts a rule, puts a Lambda function on it as a target, and sends an event that the rule matches. A rule that only has
a schedule never matches a sent event, so this one has a pattern as well: it fires every five minutes and for each event
of the application.

The function and the role are those of the first part of the tutorial; trigger the DAG with their ARNs.

A new rule takes up to a minute on AWS until it matches, and AWS drops events that no rule matches: trigger the DAG
again a minute after the first run.

The rule stays and fires every five minutes until you run the DAG ``example_cwevents_cleanup``.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param

from airflow_cwevents.operators import DeleteRuleOperator, PutEventsOperator, PutRuleOperator, PutTargetsOperator

RULE = "DEMO_EVENT"

CONNECTION = Param(
    "aws_default",
    title="Connection",
    description="The id of the Airflow connection to AWS, such as aws_default",
    type="string",
)

with DAG(
    dag_id="example_cwevents",
    schedule=None,
    catchup=False,
    doc_md=__doc__,
    tags=["example", "cwevents"],
    default_args={
        "aws_conn_id": "{{ params.aws_conn_id }}",
        "region_name": "{{ params.region_name or params.function_arn.split(':')[3] }}",
    },
    params={
        "role_arn": Param(
            title="Role ARN",
            description="The IAM role of the rule, which trusts events.amazonaws.com, such as "
            "arn:aws:iam::123456789012:role/AWS_Events_Invoke_Targets",
            type="string",
            pattern=r"^arn:aws[\w-]*:iam::\d{12}:role/.+$",
        ),
        "function_arn": Param(
            title="Function ARN",
            description="The Lambda function that receives the event, such as "
            "arn:aws:lambda:us-east-1:123456789012:function:hello-world",
            type="string",
            pattern=r"^arn:aws[\w-]*:lambda:[\w-]+:\d{12}:function:.+$",
        ),
        "resource_arn": Param(
            "arn:aws:s3:::company-app",
            title="Resource ARN",
            description="What the event is about, such as arn:aws:s3:::company-app",
            type="string",
            pattern=r"^arn:.+$",
        ),
        "region_name": Param(
            None,
            title="Region",
            description="An AWS region such as us-east-1; if empty, that of the function",
            type=["null", "string"],
        ),
        "aws_conn_id": CONNECTION,
    },
) as dag:
    put_rule = PutRuleOperator(
        task_id="put_rule",
        name=RULE,
        schedule_expression="rate(5 minutes)",
        event_pattern={"source": ["com.company.app"], "detail-type": ["appRequestSubmitted"]},
        state="ENABLED",
        role_arn="{{ params.role_arn }}",
    )
    put_targets = PutTargetsOperator(
        task_id="put_targets",
        rule=RULE,
        targets=[{"Id": "myCloudWatchEventsTarget", "Arn": "{{ params.function_arn }}"}],
        grant_permissions=True,
    )
    put_events = PutEventsOperator(
        task_id="put_events",
        entries=[
            {
                "Source": "com.company.app",
                "DetailType": "appRequestSubmitted",
                "Detail": {"key1": "value1", "key2": "value2"},
                "Resources": ["{{ params.resource_arn }}"],
            }
        ],
    )
    put_rule >> put_targets >> put_events

with DAG(
    dag_id="example_cwevents_cleanup",
    schedule=None,
    catchup=False,
    doc_md="Delete the rule of ``example_cwevents``, its target and its permission to invoke the function.",
    tags=["example", "cwevents"],
    params={
        "region_name": Param(
            None,
            title="Region",
            description="The AWS region of the function, such as us-east-1; if empty, that of the connection",
            type=["null", "string"],
        ),
        "aws_conn_id": CONNECTION,
    },
) as cleanup:
    DeleteRuleOperator(
        task_id="delete_rule",
        name=RULE,
        revoke_permissions=True,
        aws_conn_id="{{ params.aws_conn_id }}",
        region_name="{{ params.region_name or '' }}",
    )
