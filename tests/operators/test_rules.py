from __future__ import annotations

import inspect
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from airflow_cwevents.exceptions import (
    CloudWatchEventsError,
    InvalidEventPatternError,
    InvalidInputError,
    InvalidScheduleError,
    ManagedRuleError,
    RoleNotAssumableError,
    RuleNotFoundError,
)
from airflow_cwevents.hooks import CloudWatchEventsHook
from airflow_cwevents.links.console import ConsolePlace
from airflow_cwevents.operators import DeleteRuleOperator, DisableRuleOperator, EnableRuleOperator, PutRuleOperator
from airflow_cwevents.operators.base import CloudWatchEventsBaseOperator
from tests.airflow_versions import DAG, XComArg
from tests.conftest import NO_WAITS
from tests.failures import fails_with

ARN = "arn:aws:events:us-east-1:123456789012:rule/r"
QUEUE = "arn:aws:sqs:us-east-1:123456789012:q"
PATTERN = {"source": ["com.company.app"]}
OPERATORS = [PutRuleOperator, EnableRuleOperator, DisableRuleOperator, DeleteRuleOperator]


@pytest.fixture(autouse=True)
def _aws(aws: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use moto in all tests, without waits."""
    monkeypatch.setattr(CloudWatchEventsHook, "retry_waits", NO_WAITS)


def run(operator: type[CloudWatchEventsBaseOperator], **parameters: Any) -> Any:
    task = operator(**{"task_id": "t", "aws_conn_id": None, **parameters})
    return task.execute({})


def describe(**members: str) -> dict[str, Any]:
    return dict(boto3.client("events").describe_rule(**{"Name": "r", **members}))


class TestPutRule:
    def test_returns_the_arn_of_the_rule(self) -> None:
        assert run(PutRuleOperator, name="r", event_pattern=PATTERN) == ARN
        assert describe()["EventPattern"] == '{"source":["com.company.app"]}'

    def test_every_parameter_arrives(self) -> None:
        run(
            PutRuleOperator,
            name="r",
            schedule_expression="rate(5 minutes)",
            event_pattern=PATTERN,
            description="d",
            state="DISABLED",
            role_arn="arn:aws:iam::123456789012:role/x",
            tags={"team": "data"},
        )
        described = describe()
        members = ("ScheduleExpression", "Description", "State", "RoleArn")
        expected = ("rate(5 minutes)", "d", "DISABLED", "arn:aws:iam::123456789012:role/x")
        assert tuple(described[member] for member in members) == expected
        tags = boto3.client("events").list_tags_for_resource(ResourceARN=ARN)["Tags"]
        assert tags == [{"Key": "team", "Value": "data"}]

    def test_on_a_bus_in_a_region(self) -> None:
        boto3.client("events", region_name="eu-west-1").create_event_bus(Name="orders")
        arn = run(PutRuleOperator, name="r", event_pattern=PATTERN, event_bus_name="orders", region_name="eu-west-1")
        assert arn == "arn:aws:events:eu-west-1:123456789012:rule/orders/r"

    def test_role_that_cannot_be_assumed_fails_without_airflows_retries(self) -> None:
        def refuse(**_: Any) -> None:
            message = "Provided role 'x' cannot be assumed by principal 'events.amazonaws.com'."
            raise ClientError({"Error": {"Code": "ValidationException", "Message": message}}, "PutRule")

        task = PutRuleOperator(task_id="t", aws_conn_id=None, name="r", event_pattern=PATTERN, role_arn="x")
        task.hook.conn.meta.events.register("before-call.eventbridge.PutRule", refuse)
        with fails_with(RoleNotAssumableError) as caught:
            task.execute({})
        assert caught.value.role_arn == "x"

    @pytest.mark.parametrize(
        ("parameters", "place"),
        [
            ({}, "event_pattern"),
            ({"event_pattern": PATTERN, "name": "a b"}, "name"),
            ({"event_pattern": PATTERN, "state": "on"}, "state"),
            ({"schedule_expression": "rate(1 day)", "event_bus_name": "orders"}, "schedule_expression"),
        ],
    )
    def test_bad_input_fails_without_airflows_retries(self, parameters: dict[str, Any], place: str) -> None:
        with fails_with(InvalidInputError) as caught:
            run(PutRuleOperator, **{"name": "r", **parameters})
        assert caught.value.place == place


class TestWhenTheDagFileIsRead:
    @pytest.mark.parametrize(
        ("parameters", "error"),
        [
            ({"event_pattern": {"source": "x"}}, InvalidEventPatternError),
            ({"event_pattern": '{"source": "x"}'}, InvalidEventPatternError),
            ({"event_pattern": '{"source": ["x"]'}, InvalidEventPatternError),
            ({"event_pattern": {"source": [{"prefx": "x"}]}}, InvalidEventPatternError),
            ({"schedule_expression": "rate(1 minutes)"}, InvalidScheduleError),
            ({"schedule_expression": "0 12 * * *"}, InvalidScheduleError),
            ({"schedule_expression": 5}, InvalidScheduleError),
        ],
    )
    def test_mistake_in_a_literal_is_an_error(
        self, parameters: dict[str, Any], error: type[CloudWatchEventsError]
    ) -> None:
        with fails_with(error):
            PutRuleOperator(task_id="t", name="r", **parameters)

    @pytest.mark.parametrize(
        ("field", "good", "bad"),
        [
            ("event_pattern", PATTERN, {"source": "x"}),
            ("schedule_expression", "rate(2 minutes)", "rate(1 minutes)"),
        ],
    )
    def test_mistake_in_a_mapped_operator_fails_without_retries(self, field: str, good: Any, bad: Any) -> None:
        with DAG("d", schedule=None):
            mapped = PutRuleOperator.partial(task_id="t", name="r").expand(**{field: [good, bad]})
        assert getattr(mapped.unmap({field: good}), field) == good
        with fails_with(InvalidInputError) as caught:
            mapped.unmap({field: bad})
        assert caught.value.place

    @pytest.mark.parametrize(
        "parameters",
        [
            {"event_pattern": "{{ params.pattern }}"},
            {"event_pattern": {"source": "{{ params.source }}"}},
            {"event_pattern": {"source": ["a", "{% if x %}b{% endif %}"], "detail": "c"}},
            {"event_pattern": '{"source": {{ params.sources | tojson }}}'},
            {"schedule_expression": "rate({{ params.minutes }} minutes)"},
            {"event_pattern": PATTERN, "state": "{{ params.state }}"},
        ],
    )
    def test_template_is_not_validated_yet(self, parameters: dict[str, Any]) -> None:
        task = PutRuleOperator(task_id="t", name="r", **parameters)
        assert {name: getattr(task, name) for name in parameters} == parameters

    @pytest.mark.parametrize(
        "parameters",
        [
            {"name": "a b"},
            {"state": "ON"},
            {"description": "x" * 513},
            {"tags": {"aws:x": None}},
            {"event_pattern": None},
        ],
    )
    def test_any_mistake_in_a_literal_raises(self, parameters: dict[str, Any]) -> None:
        with fails_with(InvalidInputError):
            PutRuleOperator(**{"task_id": "t", "name": "r", "event_pattern": PATTERN, **parameters})

    @pytest.mark.parametrize("cls", [EnableRuleOperator, DisableRuleOperator, DeleteRuleOperator])
    def test_invalid_name_raises(self, cls: Any) -> None:
        with fails_with(InvalidInputError):
            cls(task_id="t", name="arn:aws:events:us-east-1:123456789012:rule/r")
        assert cls(task_id="t", name="{{ params.rule }}").name == "{{ params.rule }}"

    def test_marks_of_the_dags_own_are_templates(self) -> None:
        with DAG(
            "d", schedule=None, jinja_environment_kwargs={"variable_start_string": "<<", "variable_end_string": ">>"}
        ):
            task = PutRuleOperator(task_id="t", name="<< params.rule >>", event_pattern=PATTERN)
        assert task.name == "<< params.rule >>"

    def test_result_of_another_task_is_not_validated_yet(self) -> None:
        with DAG("d", schedule=None):
            first = PutRuleOperator(task_id="first", name="r", event_pattern=PATTERN)
            whole = PutRuleOperator(task_id="whole", name="r", event_pattern=first.output)  # type: ignore[arg-type]
            part = PutRuleOperator(task_id="part", name="r", event_pattern={"source": first.output})
            schedule = PutRuleOperator(task_id="schedule", name="r", schedule_expression=first.output)  # type: ignore[arg-type]
        assert isinstance(whole.event_pattern, XComArg)
        assert {task.task_id for task in first.downstream_list} == {"whole", "part", "schedule"}
        assert schedule.upstream_task_ids == part.upstream_task_ids == {"first"}

    def test_mapped_tasks(self) -> None:
        with DAG("d", schedule=None):
            mapped = PutRuleOperator.partial(task_id="t", event_pattern=PATTERN).expand(name=["a", "b"])
        assert mapped.operator_class is PutRuleOperator


@pytest.mark.parametrize("operator", OPERATORS)
class TestParameters:
    def test_all_are_templated(self, operator: type[CloudWatchEventsBaseOperator]) -> None:
        given = set(inspect.signature(operator.__init__).parameters) - {"self", "kwargs"}
        own = given | {"name", "event_bus_name"}
        assert set(operator.template_fields) == own | set(CloudWatchEventsBaseOperator.template_fields)

    def test_misspelt_one_is_an_error(self, operator: type[CloudWatchEventsBaseOperator]) -> None:
        with pytest.raises(Exception, match="event_bus"):  # a TypeError, but for Airflow 2
            operator(task_id="t", name="r", event_bus="orders")


class TestTemplates:
    def render(self, task: CloudWatchEventsBaseOperator, **params: Any) -> None:
        task.render_template_fields({"params": params, "ds": "2026-01-31"})

    def test_put_rule(self) -> None:
        with DAG("d", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):
            task = PutRuleOperator(
                task_id="t",
                aws_conn_id=None,
                name="{{ params.name }}",
                event_pattern={"source": ["{{ params.source }}"]},
                schedule_expression="rate({{ params.days }} days)",
                description="since {{ ds }}",
                state="{{ params.state }}",
                tags={"since": "{{ ds }}"},
                region_name="{{ params.region }}",
            )
        self.render(task, name="r", source="é", days=2, state="DISABLED", region="eu-west-1")
        assert task.execute({}) == ARN.replace("us-east-1", "eu-west-1")
        described = boto3.client("events", region_name="eu-west-1").describe_rule(Name="r")
        assert described["EventPattern"] == '{"source":["é"]}'
        assert (described["ScheduleExpression"], described["Description"]) == ("rate(2 days)", "since 2026-01-31")
        assert described["State"] == "DISABLED"

    def test_mistake_in_a_rendered_template_fails_the_task(self) -> None:
        with DAG("d", schedule=None):
            task = PutRuleOperator(task_id="t", aws_conn_id=None, name="r", event_pattern="{{ params.pattern }}")
        self.render(task, pattern='{"source": "x"}')
        with fails_with(InvalidEventPatternError) as caught:
            task.execute({})
        assert caught.value.path == "source"

    @pytest.mark.parametrize(("text", "revoked"), [("True", True), ("false", False)])
    def test_flag(self, text: str, revoked: bool) -> None:
        put_with_queue()
        with DAG("d", schedule=None):
            task = DeleteRuleOperator(
                task_id="t",
                aws_conn_id=None,
                name="{{ params.name }}",
                revoke_permissions="{{ params.revoke }}",  # type: ignore[arg-type]
            )
        self.render(task, name="r", revoke=text)
        task.execute({})
        assert ("Policy" not in queue_attributes()) is revoked

    def test_invalid_flag(self) -> None:
        with fails_with(InvalidInputError) as caught:
            run(DeleteRuleOperator, name="r", force="perhaps")
        assert caught.value.place == "force"


def put_with_queue() -> None:
    """Put a rule with permission to send to a queue."""
    boto3.client("sqs").create_queue(QueueName="q")
    run(PutRuleOperator, name="r", event_pattern=PATTERN)
    hook = CloudWatchEventsHook(None)
    hook.put_targets("r", [{"Id": "q", "Arn": QUEUE}], grant_permissions=True)


def queue_attributes() -> dict[str, str]:
    sqs = boto3.client("sqs")
    url = sqs.get_queue_url(QueueName="q")["QueueUrl"]
    attributes: dict[str, str] = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return attributes


class TestEnableAndDisable:
    def test_switch_the_rule(self) -> None:
        run(PutRuleOperator, name="r", event_pattern=PATTERN)
        assert run(DisableRuleOperator, name="r") is None
        assert describe()["State"] == "DISABLED"
        assert run(EnableRuleOperator, name="r") is None
        assert describe()["State"] == "ENABLED"

    @pytest.mark.parametrize("operator", [EnableRuleOperator, DisableRuleOperator])
    def test_missing_rule_fails_without_airflows_retries(self, operator: type[CloudWatchEventsBaseOperator]) -> None:
        boto3.client("events").create_event_bus(Name="orders")
        with fails_with(RuleNotFoundError) as caught:
            run(operator, name="r", event_bus_name="orders")
        assert (caught.value.rule, caught.value.event_bus_name) == ("r", "orders")


class TestDelete:
    @pytest.mark.parametrize("revoke", [True, False])
    def test_deletes_targets_and_permissions(self, revoke: bool) -> None:
        put_with_queue()
        assert run(DeleteRuleOperator, name="r", revoke_permissions=revoke) is None
        assert boto3.client("events").list_rules()["Rules"] == []
        assert ("Policy" not in queue_attributes()) is revoke

    def test_missing_rule_is_fine(self) -> None:
        assert run(DeleteRuleOperator, name="r") is None

    @pytest.mark.parametrize("force", [False, True])
    def test_managed_rule(self, force: bool) -> None:
        run(PutRuleOperator, name="r", event_pattern=PATTERN)
        task = DeleteRuleOperator(task_id="t", aws_conn_id=None, name="r", force=force)
        sent = []
        task.hook.conn.meta.events.register(
            "after-call.eventbridge.DescribeRule", lambda parsed, **_: parsed.update(ManagedBy="x.amazonaws.com")
        )
        task.hook.conn.meta.events.register(
            "provide-client-params.eventbridge.DeleteRule", lambda params, **_: sent.append(params)
        )
        if force:
            task.execute({})
            assert sent == [{"Name": "r", "Force": True}]
        else:
            with fails_with(ManagedRuleError) as caught:
                task.execute({})
            assert caught.value.managed_by == "x.amazonaws.com"


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize(
    ("bus", "named"),
    [
        (None, "default"),
        ("orders", "orders"),
        ("arn:aws:events:eu-west-1:123456789012:event-bus/orders", "orders"),
    ],
)
def test_links_know_the_place(operator: type[CloudWatchEventsBaseOperator], bus: str | None, named: str) -> None:
    events = boto3.client("events", region_name="eu-west-1")
    events.create_event_bus(Name="orders")
    events.put_rule(Name="r", EventPattern='{"source":["a"]}', EventBusName=named)
    pattern: dict[str, Any] = {"event_pattern": PATTERN} if operator is PutRuleOperator else {}
    task = operator(task_id="t", aws_conn_id=None, name="r", event_bus_name=bus, region_name="eu-west-1", **pattern)
    task.execute({})
    assert task.console_place == ConsolePlace("aws", "eu-west-1", named, "r")
