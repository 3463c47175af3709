"""Placeholders in an operator's targets: they stay as they are on their way from the DAG file to AWS."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import boto3
import pytest
from airflow.serialization.helpers import serialize_template_field

from airflow_cwevents.exceptions import InvalidTargetError
from airflow_cwevents.operators import Placeholder, PutTargetsOperator
from tests.airflow_versions import DAG, needs_airflow
from tests.failures import fails_with

PLACEHOLDER = Placeholder("detail")


def operator(**template: object) -> PutTargetsOperator:
    transformer = {"InputPathsMap": {"detail": "$.detail"}, "InputTemplate": template}
    arn = "arn:aws:lambda:us-east-1:123456789012:function:f"
    target: dict[str, Any] = {"Id": "t", "Arn": arn, "InputTransformer": transformer}
    with DAG("d", schedule=None):
        return PutTargetsOperator(task_id="t", aws_conn_id=None, rule="r", targets=[target])


@pytest.mark.usefixtures("aws")
def test_placeholder_survives_rendering() -> None:
    boto3.client("events").put_rule(Name="r", EventPattern='{"source":["a"]}')
    task = copy.deepcopy(operator(detail=PLACEHOLDER, text="{{ params.text }}"))
    task.render_template_fields({"params": {"text": "new"}})
    task.execute({})
    (target,) = boto3.client("events").list_targets_by_rule(Rule="r")["Targets"]
    assert target["InputTransformer"]["InputTemplate"] == '{"detail":<detail>,"text":"new"}'


def test_placeholder_survives_pickle_and_copy() -> None:
    unpickled = pickle.loads(pickle.dumps(PLACEHOLDER))  # noqa: S301 (made here)
    assert [copy.copy(PLACEHOLDER), copy.deepcopy(PLACEHOLDER), unpickled] == [PLACEHOLDER] * 3


@needs_airflow("3.1", "A placeholder's own form in the user interface")
def test_user_interface_shows_the_placeholder() -> None:
    shown = serialize_template_field(operator(detail=PLACEHOLDER).targets, "targets")
    assert "<detail>" in json.dumps(shown)


def test_targets_with_placeholders_are_validated_when_the_dag_file_is_parsed() -> None:
    with fails_with(InvalidTargetError) as caught:
        operator(order=Placeholder("order"))
    assert caught.value.place == "targets[0].InputTransformer.InputTemplate"
