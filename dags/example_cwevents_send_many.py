"""
Send many events: a JSON Lines file from object storage, and the items that a function yields.

The first task writes a new file of orders, one per line; the second sends each line as the detail of an event; the last
one removes the file. Entries that fail are written to a file beside it, which stays. Workers that share no disk need a
folder that all of them can reach, such as ``s3://aws_default@bucket/orders``.
For many files, use ``ObjectStorageToEventsOperator.partial(…).expand(path=[…])``: that spreads them over the workers.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from airflow.sdk import DAG, ObjectStoragePath, Param, setup, task, teardown

from airflow_cwevents.transfers import ObjectStorageToEventsOperator

with DAG(
    dag_id="example_cwevents_send_many",
    schedule=None,
    catchup=False,
    doc_md=__doc__,
    tags=["example", "cwevents"],
    default_args={"aws_conn_id": "{{ params.aws_conn_id }}", "region_name": "{{ params.region_name or '' }}"},
    params={
        "folder": Param(
            tempfile.gettempdir(),
            title="Folder",
            description="Where a new file is written and removed: a local path, or a URL such as s3://bucket/orders",
            type="string",
            minLength=1,
        ),
        "count": Param(
            10_000,
            title="Events",
            description="How many events to send from the file, such as 10000",
            type="integer",
            minimum=1,
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

    @setup
    def write_file(params: dict[str, Any] | None = None) -> str:
        values = params or {}
        path = ObjectStoragePath(values["folder"]) / f"airflow-cwevents-orders-{uuid4()}.jsonl"
        with path.open("w") as file:
            for number in range(values["count"]):
                file.write(json.dumps({"type": "orderPlaced", "orderId": number}) + "\n")
        return str(path)

    @teardown
    def remove_file(path: str) -> None:
        ObjectStoragePath(path).unlink(missing_ok=True)

    path = write_file()
    send_file = ObjectStorageToEventsOperator(
        task_id="send_file",
        path=path,
        source="com.company.orders",
        detail_type="@.type",
        failed_entries_path="{{ ti.xcom_pull(task_ids='write_file') }}.failed",
    )

    @task.put_events(source="com.company.orders", detail_type="@.type")
    def send_refunds() -> Iterator[dict[str, Any]]:
        for number in range(100):
            yield {"type": "orderRefunded", "orderId": number}

    send_file >> [remove_file(path), send_refunds()]
