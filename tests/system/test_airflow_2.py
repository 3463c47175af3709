"""What only Airflow 2 needs: links that its webserver reads, and examples with imports that it has."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from airflow_cwevents._airflow.airflow_2 import HOMES, with_imports_of_airflow_2
from airflow_cwevents._airflow.compat import AirflowOptionalProviderFeatureException
from airflow_cwevents.links import EventBusLink, EventRuleLink
from airflow_cwevents.operators.base import CloudWatchEventsBaseOperator
from airflow_cwevents.triggers import EventQueueTrigger
from tests.airflow_versions import DAG, only_airflow_2

HOME = "https://console.aws.amazon.com/events/home?region=eu-central-1#/eventbus/orders"


class ShowRule(CloudWatchEventsBaseOperator):
    operator_extra_links = (EventRuleLink(), EventBusLink())

    def execute(self, context: Any) -> None:
        self.show_in_console("orders", self.task_id)


@only_airflow_2
def test_asset_watcher_says_what_it_needs() -> None:
    with pytest.raises(AirflowOptionalProviderFeatureException, match=r"EventQueueTrigger needs Airflow 3\.0"):
        EventQueueTrigger(queue_url="https://sqs.us-east-1.amazonaws.com/123456789012/q")


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


def test_imports_are_replaced_where_airflow_2_has_the_names() -> None:
    source = "import os\nfrom airflow.sdk import DAG, AssetWatcher, task\n\nfrom a import b\n"
    imports = "from airflow import DAG\nfrom airflow.sdk import AssetWatcher\nfrom airflow.decorators import task\n"
    assert with_imports_of_airflow_2(source) == f"import os\n{imports}\nfrom a import b\n"


@pytest.mark.parametrize("path", sorted((Path(__file__).parents[2] / "dags").glob("*.py")), ids=lambda path: path.stem)
def test_airflow_2_has_what_each_example_imports_but_for_asset_watchers(path: Path) -> None:
    (names,) = re.findall(r"^from airflow\.sdk import (.+)$", path.read_text(), re.MULTILINE)
    missing = {"Asset", "AssetWatcher"} if path.stem == "example_cwevents_asset" else set()
    assert set(names.split(", ")) - HOMES.keys() == missing
