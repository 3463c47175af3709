"""
Start a DAG by an asset that the events of a queue update.

Set the environment variable EXAMPLE_CWEVENTS_QUEUE_URL of Airflow's processes to the URL of an SQS queue that a rule
sends its events to, such as CreateEventQueueOperator makes. Without it the DAG has no watcher, and waits for nothing.
A run has all events that arrived until Airflow's scheduler made it; for one run per event see
example_cwevents_dispatch.py.
"""

from __future__ import annotations

import os
from typing import Any

from airflow.sdk import DAG, Asset, AssetWatcher, task

from airflow_cwevents.triggers import EventQueueTrigger, triggering_events

QUEUE_URL = os.environ.get("EXAMPLE_CWEVENTS_QUEUE_URL")

watchers = (
    [AssetWatcher(name="example_cwevents_orders", trigger=EventQueueTrigger(queue_url=QUEUE_URL))] if QUEUE_URL else []
)
orders = Asset("example_cwevents_orders", watchers=watchers)

with DAG(dag_id="example_cwevents_asset", schedule=[orders], catchup=False, tags=["example", "cwevents"]) as dag:

    @task
    def process(**context: Any) -> list[str]:
        """Return the ids of the events that started this run."""
        return [event["id"] for event in triggering_events(context, orders)]

    process()
