"""
One event, one DAG run: orders arrive on the default event bus, and each starts a run that receives it as its conf.

- ``example_cwevents_dispatch`` creates the event queue of orders, waits for events in the triggerer, and starts runs.
  Unpause it, and it goes on for ever.
- ``example_cwevents_dispatch_order`` is what it starts, once for each order.
- ``example_cwevents_dispatch_send`` sends three orders, to try it.
- ``example_cwevents_dispatch_cleanup`` deletes queue and rule. Pause the first one before.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow.sdk import DAG, task

from airflow_cwevents.operators import (
    CreateEventQueueOperator,
    DeleteEventQueueOperator,
    DispatchEventsOperator,
    PutEventsOperator,
)

QUEUE = "airflow-cwevents-orders"
TAGS = ["example", "cwevents"]

with DAG(
    dag_id="example_cwevents_dispatch",
    schedule="@continuous",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    doc_md=__doc__,
    tags=TAGS,
) as dag:
    create_queue = CreateEventQueueOperator(  # does nothing once it is there
        task_id="create_queue",
        name=QUEUE,
        event_pattern={"source": ["com.company.shop"], "detail-type": ["order"]},
    )
    dispatch = DispatchEventsOperator(
        task_id="dispatch",
        queue_url="{{ ti.xcom_pull('create_queue')['queue_url'] }}",
        trigger_dag_id="example_cwevents_dispatch_order",
    )
    create_queue >> dispatch

with DAG(
    dag_id="example_cwevents_dispatch_order", schedule=None, catchup=False, doc_md=__doc__, tags=TAGS
) as order_dag:

    @task
    def process(dag_run: Any = None) -> str:
        order = dag_run.conf["detail"]
        return f"order {order['number']} of {order['amount']} EUR"

    process()

with DAG(dag_id="example_cwevents_dispatch_send", schedule=None, catchup=False, doc_md=__doc__, tags=TAGS) as send_dag:
    PutEventsOperator(
        task_id="send",
        entries=[
            {
                "Source": "com.company.shop",
                "DetailType": "order",
                "Detail": {"number": number, "amount": 100 * number},
            }
            for number in (1, 2, 3)
        ],
    )

with DAG(
    dag_id="example_cwevents_dispatch_cleanup", schedule=None, catchup=False, doc_md=__doc__, tags=TAGS
) as cleanup_dag:
    DeleteEventQueueOperator(task_id="delete_queue", name=QUEUE)
