"""
Send many events: a JSON Lines file from object storage, and what a function yields.

The first task writes a file of orders, a line each; the second sends each line as the detail of an event. Where workers
share no disk, trigger the DAG with a path that all of them reach, such as ``s3://aws_default@bucket/orders.jsonl``.
For many files, use ``ObjectStorageToEventsOperator.partial(…).expand(path=[…])``: that spreads them over the workers.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from typing import Any

from airflow.sdk import DAG, ObjectStoragePath, Param, setup, task, teardown

from airflow_cwevents.transfers import ObjectStorageToEventsOperator

with DAG(
    dag_id="example_send_many",
    schedule=None,
    catchup=False,
    doc_md=__doc__,
    tags=["example", "cwevents"],
    default_args={"aws_conn_id": "{{ params.aws_conn_id }}", "region_name": "{{ params.region_name or '' }}"},
    params={
        "path": Param(
            f"{tempfile.gettempdir()}/airflow-cwevents-orders.jsonl",
            title="File",
            description="Written, sent and removed",
            type="string",
        ),
        "count": Param(10_000, title="Events", type="integer", minimum=1),
        "region_name": Param(None, title="Region", description="If none, the connection's", type=["null", "string"]),
        "aws_conn_id": Param("aws_default", title="Connection", type="string"),
    },
) as dag:

    @setup
    def write_file(params: dict[str, Any] | None = None) -> None:
        given = params or {}
        with ObjectStoragePath(given["path"]).open("w") as file:
            for number in range(given["count"]):
                file.write(json.dumps({"type": "orderPlaced", "orderId": number}) + "\n")

    @teardown
    def remove_file(params: dict[str, Any] | None = None) -> None:
        ObjectStoragePath((params or {})["path"]).unlink(missing_ok=True)

    send_file = ObjectStorageToEventsOperator(
        task_id="send_file",
        path="{{ params.path }}",
        source="com.company.orders",
        detail_type="@.type",
        failed_entries_path="{{ params.path }}.failed",
    )

    @task.put_events(source="com.company.orders", detail_type="@.type")
    def send_refunds() -> Iterator[dict[str, Any]]:
        for number in range(100):
            yield {"type": "orderRefunded", "orderId": number}

    written = write_file()
    written >> send_file >> remove_file().as_teardown(setups=written)
    send_file >> send_refunds()
