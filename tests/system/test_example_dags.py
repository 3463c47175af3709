"""Every example DAG in a real Airflow, against a local AWS; and what they leave behind, which is nothing."""

from __future__ import annotations

import tomllib
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_cwevents._cli.demo.local_aws import LocalAws
from airflow_cwevents._cli.demo.run import create_prerequisites, example_dags_folder, received_event
from airflow_cwevents._send.run import EventSending
from tests.system.conftest import RunDag

ROOT = Path(__file__).parents[2]
TESTED = {"example_cwevents", "example_setup_teardown", "example_rule_lifecycle", "example_send_many"}
# those that create what they need and remove it, and which of their tasks sends
OWN_RESOURCES = {"example_setup_teardown": "put_events", "example_rule_lifecycle": "send"}


def states(run: Any) -> dict[str, str]:
    return {instance.task_id: str(instance.state) for instance in run.get_task_instances()}


def result(run: Any, task_id: str) -> Any:
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    with create_session() as session:
        row = session.scalars(XComModel.get_many(run_id=run.run_id, task_ids=task_id, key="return_value")).first()
        return XComModel.deserialize_value(row)


def left_behind(aws: LocalAws) -> dict[str, list[str]]:
    events, sqs = aws.client("events"), aws.client("sqs")
    buses = [bus["Name"] for bus in events.list_event_buses()["EventBuses"] if bus["Name"] != "default"]
    return {
        "rules": [rule["Name"] for rule in events.list_rules()["Rules"]],
        "buses": buses,
        "queues": sqs.list_queues().get("QueueUrls", []),
    }


NOTHING: dict[str, list[str]] = {"rules": [], "buses": [], "queues": []}


def test_every_example_is_tested() -> None:
    assert {path.stem for path in example_dags_folder().glob("*.py")} == TESTED


def test_every_example_goes_into_the_wheel_where_airflow_looks_for_it() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    module = settings["project"]["name"].replace("-", "_")
    expected = {f"dags/{path.name}": f"{module}/example_dags/{path.name}" for path in (ROOT / "dags").glob("*.py")}
    assert settings["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"] == expected


def test_every_example_is_read_without_an_error(airflow_database: None) -> None:
    try:
        from airflow.dag_processing.dagbag import DagBag
    except ImportError:  # Airflow 3.1
        from airflow.models.dagbag import DagBag

    bag = DagBag(example_dags_folder())
    assert bag.import_errors == {}
    assert set(bag.dags) == TESTED


def test_tutorial_with_a_lambda_function(aws_default: LocalAws, run_dag: RunDag) -> None:
    conf = create_prerequisites(aws_default)
    run = run_dag("example_cwevents", **conf, resource_arn="arn:aws:s3:::mine")
    assert states(run) == dict.fromkeys(["put_rule", "put_targets", "put_events"], "success")

    events = aws_default.client("events")
    assert events.describe_rule(Name="DEMO_EVENT")["RoleArn"] == conf["role_arn"]
    (target,) = events.list_targets_by_rule(Rule="DEMO_EVENT")["Targets"]
    assert target == {"Id": "myCloudWatchEventsTarget", "Arn": conf["function_arn"]}
    (event_id,) = result(run, "put_events")
    event = received_event(aws_default, event_id)
    assert event["detail"] == {"key1": "value1", "key2": "value2"}
    assert event["resources"] == ["arn:aws:s3:::mine"]
    events.remove_targets(Rule="DEMO_EVENT", Ids=["myCloudWatchEventsTarget"])
    events.delete_rule(Name="DEMO_EVENT")


@pytest.mark.parametrize("name", OWN_RESOURCES)
def test_own_resources_are_used_and_removed(
    aws_default: LocalAws, run_dag: RunDag, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    slept: list[int] = []
    monkeypatch.setattr(import_module(name), "time", SimpleNamespace(sleep=slept.append))
    runs = [run_dag(name, settle_seconds=seconds) for seconds in (1, 2)]
    assert {state for run in runs for state in states(run).values()} == {"success"}
    assert left_behind(aws_default) == NOTHING
    assert slept == [1, 2]
    first, second = (result(run, "create_queue") for run in runs)
    assert first != second  # SQS wants 60 s between the deletion of a queue and another of that name


@pytest.mark.parametrize(("name", "send"), OWN_RESOURCES.items())
def test_a_new_rule_gets_time_until_it_matches(run_dag: RunDag, name: str, send: str) -> None:
    settle = import_module(name).dag.get_task("settle")
    assert "put_targets" in settle.get_flat_relative_ids(upstream=True)
    assert send in settle.get_flat_relative_ids()


@pytest.mark.parametrize(
    ("name", "region_of_the_form", "expected"),
    [
        ("example_setup_teardown", None, "eu-west-1"),
        ("example_setup_teardown", "us-west-2", "us-west-2"),
        ("example_rule_lifecycle", None, "eu-west-1"),
    ],
)
def test_region_is_the_connections_unless_the_form_has_one(
    local_aws: LocalAws,
    run_dag: RunDag,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    region_of_the_form: str | None,
    expected: str,
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", local_aws.connection.replace(local_aws.region, "eu-west-1"))
    run = run_dag(name, settle_seconds=0, region_name=region_of_the_form)
    assert set(states(run).values()) == {"success"}
    assert result(run, "create_queue").split(":")[3] == expected
    assert result(run, "put_rule").split(":")[3] == expected


@pytest.mark.parametrize(
    ("region_of_the_form", "expected"), [(None, "eu-west-1"), ("", "eu-west-1"), ("us-west-2",) * 2]
)
def test_region_is_the_functions_unless_the_form_has_one(
    run_dag: RunDag, region_of_the_form: str | None, expected: str
) -> None:
    params = {"function_arn": "arn:aws:lambda:eu-west-1:123456789012:function:f", "region_name": region_of_the_form}
    task = import_module("example_cwevents").dag.get_task("put_rule")
    assert task.render_template(task.region_name, {"params": params}) == expected


def test_own_resources_are_removed_after_a_failure(
    aws_default: LocalAws, run_dag: RunDag, monkeypatch: pytest.MonkeyPatch
) -> None:

    def fail(*_: Any) -> None:
        raise RuntimeError("on purpose")

    monkeypatch.setattr(EventSending, "start", fail)
    run = run_dag("example_setup_teardown", settle_seconds=0)
    assert states(run)["put_events"] == "failed"
    assert left_behind(aws_default) == NOTHING


def test_many_events(aws_default: LocalAws, run_dag: RunDag, tmp_path: Path) -> None:
    run = run_dag("example_send_many", path=str(tmp_path / "orders.jsonl"), count=10_000)
    assert set(states(run).values()) == {"success"}
    summary = result(run, "send_file")
    assert (summary["sent"], summary["failed"], summary["requests"]) == (10_000, 0, 1_000)
    assert len(set(result(run, "send_refunds"))) == 100
    assert list(tmp_path.iterdir()) == []
