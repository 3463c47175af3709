"""Every example DAG in a real Airflow, against a local AWS; and what they leave behind, which is nothing."""

from __future__ import annotations

import json
import re
import tomllib
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import airflow
import airflow.providers
import boto3
import pytest

from airflow_cwevents._cli.demo.tutorial import create_prerequisites, received_event
from airflow_cwevents._cli.local_aws import LocalAws
from airflow_cwevents._send.run import EventSending
from tests.airflow_versions import EXAMPLES_FOR_LATER
from tests.system.conftest import RunDag

ROOT = Path(__file__).parents[2]
DAG_IDS = {
    "example_cwevents",
    "example_cwevents_asset",
    "example_cwevents_cleanup",
    "example_cwevents_dispatch",
    "example_cwevents_dispatch_cleanup",
    "example_cwevents_dispatch_order",
    "example_cwevents_dispatch_send",
    "example_cwevents_quickstart",
    "example_cwevents_request_reply",
    "example_cwevents_rule_lifecycle",
    "example_cwevents_send_many",
    "example_cwevents_setup_teardown",
}
NOTHING: dict[str, list[str]] = {"rules": [], "buses": [], "queues": []}


def states(run: Any) -> dict[str, str]:
    return {instance.task_id: str(instance.state) for instance in run.get_task_instances()}


def result(run: Any, task_id: str) -> Any:
    return run.get_task_instance(task_id).xcom_pull(task_ids=task_id)


def left_behind(aws: LocalAws, region_name: str | None = None) -> dict[str, list[str]]:
    events, sqs = (
        boto3.client(service, endpoint_url=aws.url, region_name=region_name or aws.region)
        for service in ("events", "sqs")
    )
    buses = [bus["Name"] for bus in events.list_event_buses()["EventBuses"] if bus["Name"] != "default"]
    return {
        "rules": [rule["Name"] for rule in events.list_rules()["Rules"]],
        "buses": buses,
        "queues": sqs.list_queues().get("QueueUrls", []),
    }


def test_airflow_reads_every_example(airflow_database: None, dags_folder: Path, example_dags: dict[str, Any]) -> None:
    try:
        from airflow.dag_processing.dagbag import DagBag
    except ImportError:  # Airflow 3.1
        from airflow.models.dagbag import DagBag  # type: ignore[no-redef]

    bag = DagBag(dags_folder)
    assert bag.import_errors == {}
    assert set(bag.dags) == set(example_dags) == DAG_IDS - EXAMPLES_FOR_LATER


def test_dag_ids_do_not_collide_with_those_of_airflow() -> None:
    """Two DAGs of one id overwrite each other."""
    parents = [*airflow.__path__, *airflow.providers.__path__]
    files = [path for parent in parents for path in Path(parent).glob("**/example_dags/**/*.py")]
    others = {name for path in files for name in re.findall(r"\bexample_\w+", path.read_text())}
    assert "example_setup_teardown" in others
    assert DAG_IDS.isdisjoint(others)
    assert all(dag_id.startswith("example_cwevents") for dag_id in DAG_IDS)


def test_every_field_of_a_trigger_form_has_a_title_and_an_example(example_dags: dict[str, Any]) -> None:
    for dag in example_dags.values():
        for name in dag.params:
            param = dag.params.get_param(name)
            assert param.schema["title"], (dag.dag_id, name)
            assert "such as" in param.description or "60 on AWS" in param.description, (dag.dag_id, name)


def test_wheel_has_every_example_where_airflow_looks_for_it() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    module = settings["project"]["name"].replace("-", "_")
    expected = {f"dags/{path.name}": f"{module}/example_dags/{path.name}" for path in (ROOT / "dags").glob("*.py")}
    assert settings["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"] == expected


def test_tutorial_invokes_the_function_and_cleans_up(aws_default: LocalAws, run_dag: RunDag) -> None:
    conf = create_prerequisites(aws_default.client)
    run = run_dag("example_cwevents", **conf, resource_arn="arn:aws:s3:::mine")
    assert states(run) == dict.fromkeys(["put_rule", "put_targets", "put_events"], "success")

    events, functions = aws_default.client("events"), aws_default.client("lambda")
    assert events.describe_rule(Name="DEMO_EVENT")["RoleArn"] == conf["role_arn"]
    (target,) = events.list_targets_by_rule(Rule="DEMO_EVENT")["Targets"]
    assert target == {"Id": "myCloudWatchEventsTarget", "Arn": conf["function_arn"]}
    assert json.loads(functions.get_policy(FunctionName=conf["function_arn"])["Policy"])["Statement"]
    (event_id,) = result(run, "put_events")
    event = received_event(aws_default.client, event_id)
    assert event["detail"] == {"key1": "value1", "key2": "value2"}
    assert event["resources"] == ["arn:aws:s3:::mine"]

    assert states(run_dag("example_cwevents_cleanup")) == {"delete_rule": "success"}
    assert left_behind(aws_default) == NOTHING
    assert json.loads(functions.get_policy(FunctionName=conf["function_arn"])["Policy"])["Statement"] == []


@pytest.mark.parametrize(
    ("region_of_the_form", "expected"), [(None, "eu-west-1"), ("", "eu-west-1"), ("us-west-2",) * 2]
)
def test_tutorial_uses_the_region_of_the_function_unless_the_form_has_one(
    example_dags: dict[str, Any], region_of_the_form: str | None, expected: str
) -> None:
    params = {"function_arn": "arn:aws:lambda:eu-west-1:123456789012:function:f", "region_name": region_of_the_form}
    task = example_dags["example_cwevents"].get_task("put_rule")
    assert task.render_template(task.region_name, {"params": params}) == expected


def test_quickstart_delivers_to_the_queue(aws_default: LocalAws, run_dag: RunDag) -> None:
    run = run_dag("example_cwevents_quickstart")
    assert set(states(run).values()) == {"success"}
    sqs, events = aws_default.client("sqs"), aws_default.client("events")
    url = sqs.get_queue_url(QueueName="large-orders")["QueueUrl"]
    (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]
    assert json.loads(message["Body"])["id"] == result(run, "put_events")[0]
    events.remove_targets(Rule="large-orders", Ids=["queue"])
    events.delete_rule(Name="large-orders")
    sqs.delete_queue(QueueUrl=url)


@pytest.mark.parametrize(
    ("dag_id", "send", "region_of_the_form", "expected_region"),
    [
        ("example_cwevents_rule_lifecycle", "send", None, "eu-west-1"),
        ("example_cwevents_setup_teardown", "put_events", "us-west-2", "us-west-2"),
    ],
)
def test_own_resources_are_used_and_removed(
    local_aws: LocalAws,
    example_dags: dict[str, Any],
    run_dag: RunDag,
    monkeypatch: pytest.MonkeyPatch,
    dag_id: str,
    send: str,
    region_of_the_form: str | None,
    expected_region: str,
) -> None:
    slept: list[int] = []
    monkeypatch.setattr(import_module(dag_id), "time", SimpleNamespace(sleep=slept.append))
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", local_aws.connection.replace(local_aws.region, "eu-west-1"))
    run = run_dag(dag_id, settle_seconds=7, region_name=region_of_the_form)
    assert set(states(run).values()) == {"success"}
    assert result(run, "create_queue").split(":")[3] == expected_region
    assert result(run, "put_rule").split(":")[3] == expected_region
    assert left_behind(local_aws, expected_region) == NOTHING

    settle = example_dags[dag_id].get_task("settle")
    assert slept == [7]
    assert "put_targets" in settle.get_flat_relative_ids(upstream=True)
    assert send in settle.get_flat_relative_ids()


def test_own_resources_are_removed_after_a_failure(
    aws_default: LocalAws, run_dag: RunDag, monkeypatch: pytest.MonkeyPatch
) -> None:

    def fail(*_: Any) -> None:
        raise RuntimeError("on purpose")

    monkeypatch.setattr(EventSending, "start", fail)
    run = run_dag("example_cwevents_setup_teardown", settle_seconds=0)
    assert states(run)["put_events"] == "failed"
    assert left_behind(aws_default) == NOTHING


@pytest.mark.parametrize("dag_id", ["example_cwevents_rule_lifecycle", "example_cwevents_setup_teardown"])
def test_every_run_has_a_queue_of_its_own(aws_default: LocalAws, example_dags: dict[str, Any], dag_id: str) -> None:
    """SQS refuses to create a queue of the same name within 60 seconds after it was deleted."""
    create_queue = example_dags[dag_id].get_task("create_queue").python_callable
    params = {"aws_conn_id": "aws_default", "region_name": None}
    names = [create_queue(params).split(":")[-1] for _ in range(2)]
    assert names[0] != names[1]
    sqs = aws_default.client("sqs")
    for name in names:
        sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=name)["QueueUrl"])


def test_many_events_are_sent_from_a_new_file(aws_default: LocalAws, run_dag: RunDag, tmp_path: Path) -> None:
    (tmp_path / "airflow-cwevents-orders.jsonl").write_text("not ours")
    run = run_dag("example_cwevents_send_many", folder=str(tmp_path), count=10_000)
    assert set(states(run).values()) == {"success"}
    summary = result(run, "send_file")
    assert (summary["sent"], summary["failed"], summary["requests"]) == (10_000, 0, 1_000)
    assert len(set(result(run, "send_refunds"))) == 100
    (file,) = tmp_path.iterdir()
    assert file.read_text() == "not ours"
    assert result(run, "write_file") != str(file)
