"""
A request by event, and a task that waits for the reply: it goes on as soon as that arrives, and no other DAG does.

A setup task creates a queue that receives only the replies to this run, which its correlation id identifies. Then the
request is sent. The sensor waits in the triggerer until the reply is in the queue. A teardown task deletes queue and
rule, even if a task fails. In place of the system that replies, a task of this DAG does, so that it runs anywhere.
"""

from __future__ import annotations

import time
from typing import Any

from airflow.sdk import DAG, Param, task

from airflow_cwevents.operators import CreateEventQueueOperator, DeleteEventQueueOperator, PutEventsOperator
from airflow_cwevents.sensors import EventSensor

# The same whenever a task of the run is retried or cleared.
CORRELATION_ID = "{{ macros.uuid.uuid5(macros.uuid.NAMESPACE_URL, run_id) }}"
QUEUE = f"airflow-cwevents-reply-{CORRELATION_ID}"

with DAG(
    dag_id="example_cwevents_request_reply",
    schedule=None,
    catchup=False,
    doc_md=__doc__,
    tags=["example", "cwevents"],
    default_args={"aws_conn_id": "{{ params.aws_conn_id }}", "region_name": "{{ params.region_name or '' }}"},
    params={
        "settle_seconds": Param(
            60,
            title="Settle (seconds)",
            description="How long to wait for a new rule to match: 60 on AWS, 0 on a local AWS",
            type="integer",
            minimum=0,
        ),
        "region_name": Param(
            None,
            title="Region",
            description="An AWS region such as us-east-1; if empty, that of the connection",
            type=["null", "string"],
        ),
        "aws_conn_id": Param(
            "aws_default",
            title="Connection",
            description="The id of the Airflow connection to AWS, such as aws_default",
            type="string",
        ),
    },
) as dag:

    @task
    def settle(params: dict[str, Any] | None = None) -> None:
        """Wait: AWS drops events that a new rule does not match yet."""
        time.sleep((params or {})["settle_seconds"])

    @task
    def read_reply(events: list[dict[str, Any]]) -> str:
        return str(events[0]["detail"]["answer"])

    create_queue = CreateEventQueueOperator(
        task_id="create_queue",
        name=QUEUE,
        event_pattern={
            "source": ["com.company.worker"],
            "detail-type": ["reply"],
            "detail": {"correlation_id": [CORRELATION_ID]},
        },
    ).as_setup()
    send_request = PutEventsOperator(
        task_id="send_request",
        entries=[
            {
                "Source": "com.company.app",
                "DetailType": "request",
                "Detail": {"correlation_id": CORRELATION_ID, "question": "6 * 7"},
            }
        ],
    )
    wait_for_reply = EventSensor(
        task_id="wait_for_reply",
        queue_url="{{ ti.xcom_pull('create_queue')['queue_url'] }}",
        timeout=600,
        deferrable=True,
    )
    reply = PutEventsOperator(
        task_id="reply",
        entries=[
            {
                "Source": "com.company.worker",
                "DetailType": "reply",
                "Detail": {"correlation_id": CORRELATION_ID, "answer": "forty-two"},
            }
        ],
    )
    delete_queue = DeleteEventQueueOperator(task_id="delete_queue", name=QUEUE).as_teardown(setups=create_queue)

    create_queue >> settle() >> send_request >> [wait_for_reply, reply]
    read_reply(wait_for_reply.output) >> delete_queue
    reply >> delete_queue
