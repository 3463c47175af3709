"""The same events by one task of ours, and by amazon's operator mapped over chunks of ten; see bench_put_events.py."""

from __future__ import annotations

import json
import os
from typing import Any

from airflow.providers.amazon.aws.operators.eventbridge import EventBridgePutEventsOperator
from airflow.sdk import DAG, task

from airflow_cwevents.operators import PutEventsOperator
from tests.benchmarks.events import events

COUNT = int(os.environ.get("BENCH_EVENTS", "1000"))

with DAG("warm_up", schedule=None) as warm_up:
    PutEventsOperator(task_id="send", entries=events(1))

with DAG("ours", schedule=None) as ours:
    PutEventsOperator(task_id="send", entries=events(min(COUNT, 1_000)))

with DAG("decorated", schedule=None) as decorated:

    @task.put_events
    def send() -> list[dict[str, Any]]:
        return events(COUNT)

    send()

with DAG("amazons", schedule=None) as amazons:
    written = [{**event, "Detail": json.dumps(event["Detail"])} for event in events(min(COUNT, 1_000))]
    EventBridgePutEventsOperator.partial(task_id="send").expand(
        entries=[written[start : start + 10] for start in range(0, len(written), 10)]
    )
