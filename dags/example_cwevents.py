"""
Send an event to a Lambda function: AWS's tutorial "Sending events to CloudWatch Events", as a DAG.

It puts a rule, puts a Lambda function on it as a target, and sends an event that the rule matches. A rule with a
schedule only would never match a sent event, so this one has a pattern as well: it fires every five minutes, and for
each event of the application.

The function and the role are those of the tutorial's first part; trigger the DAG with their ARNs.

The rule stays, and fires every five minutes. Remove it with ``DeleteRuleOperator(task_id="delete_rule",
name="DEMO_EVENT", revoke_permissions=True)``.

AWS takes up to a minute until a new rule matches, and drops what none matches: trigger the DAG once more after the
first time.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param

from airflow_cwevents.operators import PutEventsOperator, PutRuleOperator, PutTargetsOperator

RULE = "DEMO_EVENT"

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
            description="The IAM role of the rule, which trusts events.amazonaws.com",
            type="string",
            pattern=r"^arn:aws[\w-]*:iam::\d{12}:role/.+$",
        ),
        "function_arn": Param(
            title="Function ARN",
            description="The Lambda function that is to receive the event",
            type="string",
            pattern=r"^arn:aws[\w-]*:lambda:[\w-]+:\d{12}:function:.+$",
        ),
        "resource_arn": Param(
            "arn:aws:s3:::company-app",
            title="Resource ARN",
            description="What the event is about",
            type="string",
            pattern=r"^arn:.+$",
        ),
        "region_name": Param(None, title="Region", description="If none, the function's", type=["null", "string"]),
        "aws_conn_id": Param(
            "aws_default", title="Connection", description="The Airflow connection to AWS", type="string"
        ),
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
