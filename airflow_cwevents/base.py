"""The base of all operators: the AWS parameters, the hook, and errors that Airflow need not retry."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property, wraps
from math import isfinite, nan
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from airflow.sdk import BaseOperator

from airflow_cwevents.arns import DEFAULT_EVENT_BUS, bus_name_of
from airflow_cwevents.compat import AirflowFailException
from airflow_cwevents.exceptions import CloudWatchEventsError, InvalidInputError
from airflow_cwevents.links import EventBusLink
from airflow_cwevents.links.console import ConsolePlace

if TYPE_CHECKING:
    from airflow.sdk import BaseOperatorLink, Context

    from airflow_cwevents.hooks import CloudWatchEventsHook

Result = TypeVar("Result")
Operator = TypeVar("Operator", bound="CloudWatchEventsBaseOperator")

_TEMPLATE_MARKS = ("{{", "{%", "{#")
_LITERAL_TYPES = (str, int, float, type(None))


class CloudWatchEventsBaseOperator(BaseOperator):
    """
    Base of the operators of this provider. Importing it imports no boto3: that happens when a task runs.

    :param aws_conn_id: the Airflow connection with the AWS credentials; None for boto3's own credential chain.
    :param region_name: the AWS region; None for the connection's, or boto3's own.
    :param verify: whether to verify TLS certificates, or the path of a CA bundle; None for the connection's setting.
    :param botocore_config: settings of the botocore client, see
        https://botocore.amazonaws.com/v1/documentation/api/latest/reference/config.html
    """

    template_fields: Sequence[str] = ("aws_conn_id", "region_name", "verify", "botocore_config")
    template_fields_renderers: ClassVar[dict[str, str]] = {"botocore_config": "json"}
    operator_extra_links: Collection[BaseOperatorLink] = (EventBusLink(),)
    console_place: ConsolePlace | None = None

    def __init__(
        self,
        *,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.verify = verify
        self.botocore_config = botocore_config

    @cached_property
    def hook(self) -> CloudWatchEventsHook:
        """The hook that does the work."""
        from airflow_cwevents.hooks import CloudWatchEventsHook

        return CloudWatchEventsHook(
            self.aws_conn_id, region_name=self.region_name or None, verify=self.verify, config=self.botocore_config
        )

    def show_in_console(self, event_bus_name: str | None, rule: str | None = None) -> None:
        """
        Say where the links of this task lead.

        :param event_bus_name: name or ARN of the bus; None for the default bus.
        :param rule: the rule's name, if the task has to do with one.
        """
        self.console_place = ConsolePlace(
            partition=self.hook.conn_partition,
            region_name=self.hook.conn_region_name,
            event_bus_name=bus_name_of(event_bus_name or DEFAULT_EVENT_BUS),
            rule=rule,
        )


def no_retry_if_permanent(execute: Callable[[Operator, Context], Result]) -> Callable[[Operator, Context], Result]:
    """Decorate ``execute``: an error that would come again fails the task as :func:`permanent_errors_fail` says."""

    @wraps(execute)
    def wrapper(self: Operator, context: Context) -> Result:
        with permanent_errors_fail():
            return execute(self, context)

    return wrapper


@contextmanager
def permanent_errors_fail() -> Iterator[None]:
    """
    Have errors that would come again fail the task without Airflow's retries.

    The error that leaves the task is of its own class, with its attributes, and an ``AirflowFailException`` as well.
    The errors themselves cannot be: they belong to the part of the package that works without Airflow.
    """
    try:
        yield
    except CloudWatchEventsError as error:
        if not error.permanent:
            raise
        raise _failing(error).with_traceback(error.__traceback__) from error.__cause__


def _failing(error: CloudWatchEventsError) -> BaseException:
    cls = type(error)
    failing_class = type(cls.__name__, (cls, AirflowFailException), {"__module__": cls.__module__})
    failing: BaseException = failing_class.__new__(failing_class, *error.args)
    vars(failing).update(vars(error))
    return failing


def is_literal(value: object) -> bool:
    """
    Tell whether a value can be judged when the DAG file is read.

    :param value: an operator's argument.
    :return: False if it holds a Jinja template, or anything that another task has yet to give.
    """
    if isinstance(value, str):
        return not any(mark in value for mark in _TEMPLATE_MARKS)
    if isinstance(value, Mapping):
        return all(is_literal(key) and is_literal(item) for key, item in value.items())
    if isinstance(value, list | tuple):
        return all(is_literal(item) for item in value)
    return isinstance(value, _LITERAL_TYPES)


def as_bool(value: object, place: str) -> bool:
    """
    Read a switch, which is text where it came out of a template.

    :param value: a boolean, or a text such as ``True`` or ``false``.
    :param place: the parameter's name, for the error.
    :return: the boolean.
    :raises InvalidInputError: if it is neither.
    """
    if isinstance(value, bool):
        return value
    if str(value).lower() in ("true", "false"):
        return str(value).lower() == "true"
    raise InvalidInputError(place, f"{value!r} is neither true nor false", "Give True or False", value)


def as_number(value: object, place: str) -> float:
    """
    Read a number, which is text where it came out of a template.

    :param value: a number, or a text that says one.
    :param place: the parameter's name, for the error.
    :return: the number, an int if it is whole.
    :raises InvalidInputError: if it is no number.
    """
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = nan
    if not isfinite(number):
        raise InvalidInputError(place, f"{value!r} is no number", "Give a number", value)
    return int(number) if number.is_integer() else number


def as_integer(value: object, place: str) -> int:
    """
    Read a whole number, which is text where it came out of a template.

    :param value: a number, or a text that says one.
    :param place: the parameter's name, for the error.
    :return: the number.
    :raises InvalidInputError: if it is no whole number.
    """
    number = as_number(value, place)
    if not isinstance(number, int):
        raise InvalidInputError(place, f"{value!r} is not whole", "Give a whole number", value)
    return number


def as_list(value: object, place: str, items: str = "dicts") -> list[Any]:
    """
    Read a list, which is something lazy where it came out of mapped tasks.

    :param value: a list, or any other iterable that is neither text nor dict.
    :param place: the parameter's name, for the error.
    :param items: what it is a list of, likewise.
    :return: a list.
    :raises InvalidInputError: if it is none.
    """
    if isinstance(value, Iterable) and not isinstance(value, Mapping | str | bytes):
        return list(value)
    remedy = f"Give a list of {items}; the result of another task as its .output, as a template would make text of it"
    raise InvalidInputError(place, f"it is of type {type(value).__name__}", remedy, value)
