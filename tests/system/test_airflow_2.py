"""What only Airflow 2 needs: links that its webserver reads, and examples with imports that it has."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from airflow_cwevents._airflow.airflow_2 import HOMES, with_imports_of_airflow_2
from airflow_cwevents.links import EventBusLink, EventRuleLink
from airflow_cwevents.operators.base import CloudWatchEventsBaseOperator
from tests.airflow_versions import DAG, only_airflow_2

HOME = "https://console.aws.amazon.com/events/home?region=eu-central-1#/eventbus/orders"


class ShowRule(CloudWatchEventsBaseOperator):
    operator_extra_links = (EventRuleLink(), EventBusLink())

    def execute(self, context: Any) -> None:
        self.show_in_console("orders", self.task_id)


@only_airflow_2
def test_webserver_shows_the_links_that_a_task_has_stored(airflow_database: None) -> None:
    from airflow.serialization import serialized_objects

    serialized_dag: Any = serialized_objects.SerializedDAG  # type: ignore[attr-defined]
    with DAG("show_rule", schedule=None) as dag:
        ShowRule(task_id="r", aws_conn_id=None, region_name="eu-central-1")
    (instance,) = dag.test().get_task_instances()
    task = serialized_dag.from_dict(serialized_dag.to_dict(dag)).get_task("r")
    assert set(task.extra_links) == {"Event Rule", "Event Bus"}
    assert task.get_extra_links(instance, "Event Rule") == f"{HOME}/rules/r"
    assert task.get_extra_links(instance, "Event Bus") == HOME


@only_airflow_2
def test_task_without_links_in_the_webserver(airflow_database: None) -> None:
    dag: Any = DAG("show_nothing", schedule=None)
    CloudWatchEventsBaseOperator(task_id="r", dag=dag)
    (instance,) = dag.create_dagrun(state="queued", run_id="r", run_type="manual").get_task_instances()
    assert EventBusLink().get_link(object(), ti_key=instance.key) == ""


def test_imports_are_replaced_or_left_out() -> None:
    source = "import os\nfrom airflow.sdk import DAG, AssetWatcher, task\n\nfrom a import b\n"
    expected = "import os\nfrom airflow import DAG\nfrom airflow.decorators import task\n\nfrom a import b\n"
    assert with_imports_of_airflow_2(source) == expected


@pytest.mark.parametrize("path", sorted((Path(__file__).parents[2] / "dags").glob("*.py")), ids=lambda path: path.stem)
def test_airflow_2_has_what_each_example_imports_but_for_asset_watchers(path: Path) -> None:
    (names,) = re.findall(r"^from airflow\.sdk import (.+)$", path.read_text(), re.MULTILINE)
    missing = {"Asset", "AssetWatcher"} if path.stem == "example_cwevents_asset" else set()
    assert set(names.split(", ")) - HOMES.keys() == missing
