from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Callable, Iterable
from types import MappingProxyType
from typing import Any

import pytest

from airflow_cwevents import operators, sensors, transfers
from airflow_cwevents._airflow.compat import AirflowFailException, with_imports_of_this_version
from airflow_cwevents._airflow.failures import no_retry_if_permanent
from airflow_cwevents._airflow.parameters import as_bool, as_list, as_number, is_literal
from airflow_cwevents.decorators import put_events_task
from airflow_cwevents.decorators.put_events import PutEventsDecoratedOperator
from airflow_cwevents.exceptions import (
    CloudWatchEventsError,
    FailedTarget,
    GrantPermissionsError,
    InvalidInputError,
    PutTargetsError,
    RuleNotFoundError,
)
from airflow_cwevents.operators.base import CloudWatchEventsBaseOperator
from tests.airflow_versions import DAG, BaseOperator
from tests.failures import fails_with

LAMBDA = {"Id": "t", "Arn": "arn:aws:lambda:us-east-1:123456789012:function:f"}
ENTRY = {"Source": "s", "DetailType": "d", "Detail": {}}
# Every operator class, and its required arguments.
OPERATORS: dict[type[CloudWatchEventsBaseOperator], dict[str, Any]] = {
    operators.PutRuleOperator: {"name": "r", "event_pattern": {"source": ["s"]}},
    operators.EnableRuleOperator: {"name": "r"},
    operators.DisableRuleOperator: {"name": "r"},
    operators.DeleteRuleOperator: {"name": "r"},
    operators.PutTargetsOperator: {"rule": "r", "targets": [LAMBDA]},
    operators.RemoveTargetsOperator: {"rule": "r"},
    operators.CheckTargetsOperator: {"rule": "r"},
    operators.PutEventsOperator: {"entries": [ENTRY]},
    operators.CreateEventQueueOperator: {"name": "q", "event_pattern": {"source": ["s"]}},
    operators.DeleteEventQueueOperator: {"name": "q"},
    operators.DispatchEventsOperator: {
        "queue_url": "https://sqs.us-east-1.amazonaws.com/1/q",
        "trigger_dag_id": "d",
        "deferrable": False,
    },
    sensors.EventSensor: {"queue_url": "https://sqs.us-east-1.amazonaws.com/1/q"},
    transfers.ObjectStorageToEventsOperator: {"path": __file__},
    PutEventsDecoratedOperator: {"python_callable": lambda: [ENTRY]},
}
# Values to map over for parameters whose literals are validated.
MAPPED = {
    "event_pattern": {"source": ["s"]},
    "max_receive_count": 5,
    "message_retention_seconds": 3_600,
    "min_events": 2,
    "visibility_timeout": 40,
    "schedule_expression": "rate(2 days)",
    "state": "ENABLED",
    "tags": {"team": "data"},
    "routes": None,  # there is a trigger_dag_id already
    "match": "all",
}
# Parameters that users cannot template.
NOT_TEMPLATED = {"python_callable", "run_id_template", "conf_template", "logical_date", "deferrable", "poke_interval"}
INSTEAD_OF_ENTRIES: dict[type, set[str]] = {PutEventsDecoratedOperator: {"entries"}}


def own_parameters(cls: type) -> dict[str, inspect.Parameter]:
    """Return the parameters that classes of this package define."""
    return {
        name: parameter
        for base in reversed(cls.__mro__)
        if base.__module__.startswith("airflow_cwevents") and "__init__" in vars(base)
        for name, parameter in inspect.signature(vars(base)["__init__"]).parameters.items()
        if name not in ("self", "kwargs")
    }


def templated_parameters(cls: type) -> set[str]:
    return set(own_parameters(cls)) - NOT_TEMPLATED - INSTEAD_OF_ENTRIES.get(cls, set())


def each_of(classes: Iterable[type]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("cls", list(classes), ids=lambda cls: cls.__name__)


each_operator = each_of(OPERATORS)


class TestEveryOperator:
    def test_every_operator_is_tested(self) -> None:
        exported = {getattr(folder, name) for folder in (operators, sensors, transfers) for name in folder.__all__}
        assert exported | {PutEventsDecoratedOperator} == {*OPERATORS, operators.Placeholder}

    @each_operator
    def test_every_parameter_is_templated(self, cls: type[CloudWatchEventsBaseOperator]) -> None:
        assert set(cls.template_fields) == templated_parameters(cls)
        assert len(set(cls.template_fields)) == len(cls.template_fields)
        assert {"aws_conn_id", "region_name", "verify", "botocore_config"} <= set(cls.template_fields)

    @each_operator
    def test_template_fields_are_attributes_with_the_arguments(self, cls: type[CloudWatchEventsBaseOperator]) -> None:
        given: dict[str, Any] = {name: object() for name in templated_parameters(cls) - {"op_args", "op_kwargs"}}
        operator = cls(task_id="t", **{**OPERATORS[cls], **given})
        assert {name: getattr(operator, name) for name in given} == given
        assert all(hasattr(operator, name) for name in cls.template_fields)

    @each_operator
    def test_renderers_belong_to_template_fields(self, cls: type[CloudWatchEventsBaseOperator]) -> None:
        assert cls.template_fields_renderers.keys() <= set(cls.template_fields) | INSTEAD_OF_ENTRIES.get(cls, set())
        assert cls.template_fields_renderers["botocore_config"] == "json"

    @pytest.mark.parametrize(
        ("cls", "fields"),
        [
            (operators.PutRuleOperator, {"event_pattern", "tags"}),
            (operators.PutTargetsOperator, {"targets"}),
            (operators.PutEventsOperator, {"entries"}),
            (operators.CheckTargetsOperator, {"sample_event"}),
        ],
    )
    def test_json_parameters_are_rendered_as_json(
        self, cls: type[CloudWatchEventsBaseOperator], fields: set[str]
    ) -> None:
        renderers = cls.template_fields_renderers
        assert {field for field in renderers if renderers[field] == "json"} == {"botocore_config", *fields}

    @each_operator
    def test_parameters_are_keyword_only(self, cls: type[CloudWatchEventsBaseOperator]) -> None:
        assert {parameter.kind for parameter in own_parameters(cls).values()} == {inspect.Parameter.KEYWORD_ONLY}

    @each_operator
    def test_misspelt_argument_raises(self, cls: type[CloudWatchEventsBaseOperator]) -> None:
        with pytest.raises(Exception, match="region_nam"):  # a TypeError, but for Airflow 2
            cls(task_id="t", **OPERATORS[cls], region_nam="us-east-1")

    @each_of(cls for cls in OPERATORS if "event_bus_name" in cls.template_fields)
    def test_invalid_literal_bus_name_raises_when_the_dag_file_is_parsed(
        self, cls: type[CloudWatchEventsBaseOperator]
    ) -> None:
        with fails_with(InvalidInputError) as caught:
            cls(task_id="t", **OPERATORS[cls], event_bus_name="arn:aws:events:us-east-1:123456789012:event-busv2/b")
        assert caught.value.place == "event_bus_name"
        assert cls(task_id="t", **OPERATORS[cls], event_bus_name="{{ params.bus }}")

    @each_operator
    def test_other_parameters_are_optional(self, cls: type[CloudWatchEventsBaseOperator]) -> None:
        optional = {
            name: parameter.default
            for name, parameter in own_parameters(cls).items()
            if parameter.default is not inspect.Parameter.empty and name not in OPERATORS[cls]
        }
        operator = cls(task_id="t", **OPERATORS[cls])
        for name in optional.keys() - {"op_args", "op_kwargs"}:
            assert getattr(operator, name) == optional[name]

    @each_of(cls for cls in OPERATORS if cls is not PutEventsDecoratedOperator)
    def test_every_template_field_can_be_mapped_over(self, cls: type[CloudWatchEventsBaseOperator]) -> None:
        for field in cls.template_fields:
            value = MAPPED.get(field, "some")
            fixed = {"region_name": "eu-west-1", **OPERATORS[cls]}
            fixed.pop(field, None)
            with DAG("d", schedule=None):
                mapped = cls.partial(task_id="t", **fixed).expand(**{field: [value, value]})
            task = mapped.unmap({field: value})
            assert isinstance(task, cls)
            assert {name: getattr(task, name) for name in [*fixed, field]} == {**fixed, field: value}

    def test_decorated_function_can_be_mapped_over(self) -> None:
        with DAG("d", schedule=None):

            @put_events_task(source="s", detail_type="d", event_bus_name="orders")
            def send(x: int, y: int) -> list[dict[str, int]]:
                return [{"x": x, "y": y}]

            task: Any = send.partial(y=1).expand(x=[1, 2])
        unmapped = task.operator.unmap({"op_kwargs": {"x": 2, "y": 1}})
        assert isinstance(unmapped, PutEventsDecoratedOperator)
        assert (unmapped.source, unmapped.event_bus_name, unmapped.op_kwargs) == ("s", "orders", {"x": 2, "y": 1})


class Failing:
    """A hook on which everything fails."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __getattr__(self, name: str) -> Any:
        raise self._error


def failing_operator(cls: type[CloudWatchEventsBaseOperator], error: Exception) -> CloudWatchEventsBaseOperator:
    operator = cls(task_id="t", **OPERATORS[cls])
    vars(operator)["hook"] = Failing(error)
    return operator


class TestExecute:
    @each_operator
    def test_permanent_error_fails_without_retries(self, cls: type[CloudWatchEventsBaseOperator]) -> None:
        error = RuleNotFoundError("r", "orders")
        with fails_with(RuleNotFoundError) as caught:
            failing_operator(cls, error).execute({})
        assert (caught.value.rule, caught.value.event_bus_name) == ("r", "orders")
        assert str(caught.value) == str(error)

    @each_operator
    @pytest.mark.parametrize("error", [GrantPermissionsError("t", "arn", "busy"), ConnectionError("no route")])
    def test_other_errors_pass_through(self, cls: type[CloudWatchEventsBaseOperator], error: Exception) -> None:
        with pytest.raises(type(error)) as caught:
            failing_operator(cls, error).execute({})
        assert caught.value is error
        assert not isinstance(caught.value, AirflowFailException)

    def test_invalid_input_fails_without_retries(self) -> None:
        wrong: Any = "perhaps"
        operator = operators.PutTargetsOperator(
            task_id="t", rule="r", targets=[], prune=wrong, region_name="us-east-1", aws_conn_id=None
        )
        with fails_with(InvalidInputError) as caught:
            operator.execute({})
        assert caught.value.place == "prune"


def raised_by(error: Exception) -> BaseException:
    class Operator(BaseOperator):
        @no_retry_if_permanent
        def execute(self, context: Any) -> None:
            """Describe itself."""
            raise error

    assert inspect.unwrap(Operator.execute).__doc__ == "Describe itself."
    with pytest.raises((type(error), AirflowFailException)) as caught:
        Operator(task_id="t").execute({})
    return caught.value


class TestNoRetryIfPermanent:
    def test_result_is_returned(self) -> None:
        context: Any = {"ti": 8}
        assert no_retry_if_permanent(lambda self, context: (self, context))(7, context) == (7, context)

    @pytest.mark.parametrize("permanent", [True, False])
    def test_permanent_error_is_the_cause_of_a_failure(self, permanent: bool) -> None:
        error = PutTargetsError("r", [FailedTarget("t", "c", "m")], permanent=permanent)
        raised = raised_by(error)
        assert (type(raised) is AirflowFailException) is permanent
        assert (raised.__cause__ if permanent else raised) is error
        assert str(raised) == str(error)

    @pytest.mark.parametrize("error", [ValueError("x"), CloudWatchEventsError("x"), AirflowFailException("x")])
    def test_errors_that_are_not_permanent_pass_through(self, error: Exception) -> None:
        assert raised_by(error) is error


class TestHook:
    def test_aws_parameters_are_passed_on(self) -> None:
        operator = CloudWatchEventsBaseOperator(
            task_id="t",
            aws_conn_id=None,
            region_name="eu-central-1",
            verify=False,
            botocore_config={"read_timeout": 7},
        )
        meta = operator.hook.conn.meta
        assert (meta.region_name, meta.config.read_timeout) == ("eu-central-1", 7)
        assert operator.hook.verify is False
        assert operator.hook is operator.hook

    @pytest.mark.parametrize("region", [None, ""])
    def test_region_defaults_to_the_environment(self, region: str | None) -> None:
        operator = CloudWatchEventsBaseOperator(task_id="t", aws_conn_id=None, region_name=region)
        assert operator.hook.conn.meta.region_name == "us-east-1"


class TestIsLiteral:
    @pytest.mark.parametrize(
        "value",
        [
            None,
            "",
            "text",
            "{",
            "{ {",
            "$.detail",
            '{"source": ["my.app"]}',
            7,
            1.5,
            True,
            {},
            [],
            ("a", 1),
            {"a": ["b", {"c": None}]},
            MappingProxyType({"a": 1}),
        ],
    )
    def test_literals(self, value: object) -> None:
        assert is_literal(value)

    @pytest.mark.parametrize(
        "value",
        [
            "{{ params.rule }}",
            "rule-{{ ds }}",
            "{%if x%}a{%endif%}",
            "{# comment #}",
            ["a", "{{ b }}"],
            {"a": [{"b": "{{ c }}"}]},
            {"{{ a }}": 1},
            ("{{ a }}",),
            object(),
            {"a": object()},
            {1, 2},
        ],
    )
    def test_templates_and_other_objects_are_not(self, value: object) -> None:
        assert not is_literal(value)

    def test_result_of_another_task_is_not(self) -> None:
        with DAG("d", schedule=None):
            output = operators.EnableRuleOperator(task_id="t", name="r").output
        assert not is_literal(output)
        assert not is_literal([output])


class TestAsBool:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [(True, True), (False, False), ("True", True), ("true", True), ("FALSE", False), ("false", False)],
    )
    def test_boolean_or_string(self, value: object, expected: bool) -> None:
        assert as_bool(value, "prune") is expected

    @pytest.mark.parametrize("value", [None, "", "yes", "None", 0, 1, "1", [], "{{ x }}"])
    def test_other_values_raise(self, value: object) -> None:
        with pytest.raises(ValueError, match="neither true nor false") as caught:
            as_bool(value, "prune")
        assert (caught.value.place, caught.value.value) == ("prune", value)  # type: ignore[attr-defined]


class TestAsNumber:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [(7, 7), ("7", 7), (" 7 ", 7), (7.0, 7), ("7.0", 7), (1.5, 1.5), ("1.5", 1.5), ("-1", -1), (0, 0)],
    )
    def test_number(self, value: object, expected: float) -> None:
        number = as_number(value, "max_bytes")
        assert number == expected
        assert type(number) is type(expected)

    @pytest.mark.parametrize("value", [None, "", "many", "None", [], {}])
    def test_other_values_raise(self, value: object) -> None:
        with pytest.raises(ValueError, match="is not a number") as caught:
            as_number(value, "max_bytes")
        assert (caught.value.place, caught.value.value) == ("max_bytes", value)  # type: ignore[attr-defined]


class TestAsList:
    @pytest.mark.parametrize(
        "make", [list, tuple, iter, lambda items: (item for item in items), lambda items: dict.fromkeys(items).keys()]
    )
    def test_list(self, make: Callable[[list[int]], object]) -> None:
        found = as_list(make([1, 2]), "targets")
        assert found == [1, 2]
        assert type(found) is list

    @pytest.mark.parametrize("value", [None, "[1, 2]", b"x", {"Id": "t"}, MappingProxyType({}), 7])
    def test_other_values_raise(self, value: object) -> None:
        with pytest.raises(ValueError, match="it is of type") as caught:
            as_list(value, "targets")
        assert (caught.value.place, caught.value.value) == ("targets", value)  # type: ignore[attr-defined]
        assert type(value).__name__ in caught.value.reason  # type: ignore[attr-defined]


def loaded_by(code: str, modules: set[str]) -> set[str]:
    """Return which of these modules are loaded in a new process after running code in it."""
    report = f"\nimport sys; print(*({modules!r} & sys.modules.keys()))"
    done = subprocess.run(
        [sys.executable, "-c", code + report], capture_output=True, text=True, check=True, timeout=120
    )
    return set(done.stdout.split())


class TestImports:
    def test_reading_a_dag_imports_no_boto3(self) -> None:
        code = (
            "from airflow.sdk import DAG\n"
            "import airflow_cwevents.decorators, airflow_cwevents.links, airflow_cwevents.transfers\n"
            "from airflow_cwevents.operators import *\n"
            "with DAG('d', schedule=None):\n"
            "    PutRuleOperator(task_id='a', name='r', event_pattern={'source': ['s']})\n"
            "    PutRuleOperator(task_id='b', name='r', schedule_expression='rate(1 day)')\n"
            f"    PutTargetsOperator(task_id='c', rule='r', targets=[{LAMBDA}])\n"
            f"    PutEventsOperator(task_id='d', entries=[{ENTRY}])\n"
        )
        assert loaded_by(with_imports_of_this_version(code), {"airflow", "boto3", "botocore"}) == {"airflow"}
