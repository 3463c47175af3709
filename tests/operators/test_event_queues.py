from __future__ import annotations

import inspect
from typing import Any

import boto3
import pytest

from airflow_cwevents.exceptions import EventQueueConflictError, InvalidEventPatternError, InvalidInputError
from airflow_cwevents.hooks import CloudWatchEventsHook, EventQueues
from airflow_cwevents.links.console import ConsolePlace
from airflow_cwevents.operators import CreateEventQueueOperator, DeleteEventQueueOperator
from airflow_cwevents.operators.base import CloudWatchEventsBaseOperator
from tests.airflow_versions import DAG, BaseOperator
from tests.conftest import NO_WAITS
from tests.failures import fails_with

PATTERN = {"source": ["com.company.orders"]}
VALID: dict[str, Any] = {"name": "orders", "event_pattern": PATTERN}
OPERATORS = [CreateEventQueueOperator, DeleteEventQueueOperator]


@pytest.fixture(autouse=True)
def _aws(aws: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use moto in all tests, without waits."""
    monkeypatch.setattr(CloudWatchEventsHook, "retry_waits", NO_WAITS)


def create(**parameters: Any) -> CreateEventQueueOperator:
    return CreateEventQueueOperator(**{"task_id": "create", "aws_conn_id": None, **VALID, **parameters})


def delete(**parameters: Any) -> DeleteEventQueueOperator:
    return DeleteEventQueueOperator(**{"task_id": "delete", "aws_conn_id": None, "name": "orders", **parameters})


def queue_names() -> list[str]:
    urls = boto3.client("sqs").list_queues().get("QueueUrls", [])
    return sorted(url.rsplit("/", 1)[-1] for url in urls)


class TestExecute:
    def test_create_and_delete(self) -> None:
        result = create().execute({})
        assert set(result) == {"queue_url", "queue_arn", "rule_arn", "dead_letter_queue_url"}
        assert queue_names() == ["orders", "orders-dlq"]
        delete().execute({})
        assert queue_names() == []
        assert boto3.client("events").list_rules()["Rules"] == []

    def test_every_parameter_arrives(self, monkeypatch: pytest.MonkeyPatch) -> None:
        arguments: dict[str, Any] = {
            "name": "orders",
            "event_pattern": PATTERN,
            "event_bus_name": "sales",
            "max_receive_count": 3,
            "message_retention_seconds": 600,
            "visibility_timeout": 7,
            "kms_key": "alias/mine",
            "tags": {"team": "data"},
            "message_group_id": "g",
        }
        assert set(arguments) == set(inspect.signature(EventQueues.create).parameters) - {"self"}
        received: dict[str, Any] = {}
        monkeypatch.setattr(EventQueues, "create", lambda self, **kwargs: received.update(kwargs))
        create(**arguments).execute({})
        assert received == arguments

    def test_numbers_from_templates(self) -> None:
        task = create(max_receive_count="{{ 3 }}", visibility_timeout="{{ 7 }}", message_retention_seconds="{{ 60 }}")
        task.render_template_fields({})
        url = task.execute({})["queue_url"]
        attributes = boto3.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        assert [attributes["VisibilityTimeout"], attributes["MessageRetentionPeriod"]] == ["7", "60"]

    def test_delete_on_another_bus_leaves_it(self) -> None:
        create().execute({})
        boto3.client("events").create_event_bus(Name="sales")
        delete(event_bus_name="sales").execute({})
        assert queue_names() == ["orders", "orders-dlq"]

    def test_conflict_fails_without_airflows_retries(self) -> None:
        boto3.client("sqs").create_queue(QueueName="orders")
        with fails_with(EventQueueConflictError):
            create().execute({})

    @pytest.mark.parametrize("make", [create, delete])
    def test_bad_name_from_a_template_fails_without_airflows_retries(self, make: Any) -> None:
        task = make(name="{{ 'a b' }}")
        task.render_template_fields({})
        with fails_with(InvalidInputError) as caught:
            task.execute({})
        assert caught.value.place == "name"

    @pytest.mark.parametrize("make", [create, delete])
    def test_console_links_lead_to_the_rule(self, make: Any) -> None:
        task = make()
        task.execute({})
        assert task.console_place == ConsolePlace("aws", "us-east-1", "default", "orders")


class TestWhenTheDagFileIsRead:
    @pytest.mark.parametrize(
        ("parameters", "place"),
        [
            ({"name": "orders.fifo"}, "name"),
            ({"event_pattern": {}}, "event_pattern"),
            ({"event_bus_name": ""}, "event_bus_name"),
            ({"max_receive_count": 0}, "max_receive_count"),
            ({"message_retention_seconds": 1}, "message_retention_seconds"),
            ({"visibility_timeout": "soon"}, "visibility_timeout"),
            ({"kms_key": "alias/aws/sqs"}, "kms_key"),
            ({"tags": "team"}, "tags"),
            ({"message_group_id": "a b"}, "message_group_id"),
        ],
    )
    def test_mistake_in_a_literal_is_an_error(self, parameters: dict[str, Any], place: str) -> None:
        with fails_with(InvalidInputError) as caught:
            create(**parameters)
        assert caught.value.place == place

    def test_mistake_beside_templates_is_an_error(self) -> None:
        with fails_with(InvalidEventPatternError):
            create(name="{{ params.name }}", event_pattern={"source": "a"}, kms_key="{{ params.key }}")

    @pytest.mark.parametrize("parameters", [{"name": "a b"}, {"event_bus_name": ""}])
    def test_mistake_in_a_deletion_is_an_error(self, parameters: dict[str, Any]) -> None:
        with fails_with(InvalidInputError) as caught:
            delete(**parameters)
        assert [caught.value.place] == list(parameters)

    def test_template_is_not_validated_yet(self) -> None:
        create(**dict.fromkeys(("name", "event_pattern", "max_receive_count", "tags", "kms_key"), "{{ params.x }}"))
        delete(name="{{ params.x }}", event_bus_name="{{ params.bus }}")

    def test_mistake_in_a_mapped_operator_fails_without_retries(self) -> None:
        with DAG("d", schedule=None):
            mapped = CreateEventQueueOperator.partial(task_id="t", event_pattern=PATTERN).expand(name=["a", "a b"])
        assert mapped.unmap({"name": "a"}).task_id == "t"
        with fails_with(InvalidInputError):
            mapped.unmap({"name": "a b"})


@pytest.mark.parametrize("operator", OPERATORS)
def test_every_parameter_is_a_template_field(operator: type[CloudWatchEventsBaseOperator]) -> None:
    own = {
        name
        for each in operator.__mro__
        if issubclass(each, CloudWatchEventsBaseOperator) and "__init__" in vars(each)
        for name, parameter in inspect.signature(each.__init__).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }
    assert set(operator.template_fields) == own


def test_setup_and_teardown() -> None:
    with DAG("d", schedule=None):
        created: Any = create()
        created.as_setup()
        work = BaseOperator(task_id="work")
        deleted = delete().as_teardown(setups=created)
        created >> work >> deleted
    assert created.is_setup
    assert deleted.is_teardown
    assert work.upstream_task_ids == {"create"}
    assert deleted.upstream_task_ids == {"create", "work"}
