"""``@task.put_events``: send the entries that a function returns or yields."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from inspect import isasyncgenfunction, iscoroutinefunction
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_cwevents._airflow.compat import (
    DecoratedOperator,
    TaskDecorator,
    context_merge,
    determine_kwargs,
    task_decorator_factory,
)
from airflow_cwevents._airflow.failures import no_retry_if_permanent
from airflow_cwevents._airflow.parameters import as_list
from airflow_cwevents._send.detail_mapping import entry_mapping
from airflow_cwevents.exceptions import InvalidInputError
from airflow_cwevents.operators.events import PutEventsOperator
from airflow_cwevents.operators.sending import SendingBaseOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class PutEventsDecoratedOperator(DecoratedOperator, PutEventsOperator):
    """
    Call a function and send the entries that it returns or yields.

    :param python_callable: the function. It returns or yields entries, or details if ``source`` and ``detail_type``
        are set.
    :param op_args: the function's positional arguments.
    :param op_kwargs: the function's keyword arguments.
    :param source: the ``Source`` of all entries, or a JMESPath into the detail that begins with ``@``, such as
        ``@.app``.
    :param detail_type: the ``DetailType``, likewise.
    """

    template_fields: Sequence[str] = (
        *DecoratedOperator.template_fields,
        *(field for field in PutEventsOperator.template_fields if field != "entries"),
        "source",
        "detail_type",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **DecoratedOperator.template_fields_renderers,
        **SendingBaseOperator.template_fields_renderers,
    }
    custom_operator_name: str = "@task.put_events"

    def __init__(
        self,
        *,
        python_callable: Callable[..., Any],
        op_args: Collection[Any] | None = None,
        op_kwargs: Mapping[str, Any] | None = None,
        source: str | None = None,
        detail_type: str | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs["multiple_outputs"] = False  # Airflow infers it from the annotation, but the result is a list of ids
        if iscoroutinefunction(python_callable) or isasyncgenfunction(python_callable):
            raise InvalidInputError("python_callable", "it is asynchronous", "Use a plain function or generator")
        super().__init__(python_callable=python_callable, op_args=op_args, op_kwargs=op_kwargs, entries=[], **kwargs)
        self.source = source
        self.detail_type = detail_type

    @no_retry_if_permanent
    def execute(self, context: Context) -> list[str | None]:
        """
        Call the function and send its entries.

        :param context: the task's context.
        :return: the event ids in the order of the entries.
        """
        mapping = entry_mapping(self.source, self.detail_type)
        context_merge(context, self.op_kwargs)
        result = self.python_callable(*self.op_args, **determine_kwargs(self.python_callable, self.op_args, context))
        values = result if isinstance(result, Iterator) else as_list(result, f"the result of {self.task_id}")
        return self.send_entries(context, _mapped(values, mapping.entry) if mapping else values)


def _mapped(details: Iterable[Any], entry_of: Callable[[Any, int], Mapping[str, Any]]) -> Iterable[Mapping[str, Any]]:
    entries = (entry_of(detail, index) for index, detail in enumerate(details))
    return list(entries) if isinstance(details, list) else entries


def put_events_task(python_callable: Callable[..., Any] | None = None, **kwargs: Any) -> TaskDecorator:
    """
    Turn a function into a task that sends the entries that the function returns or yields.

    :param python_callable: the function.
    :param kwargs: parameters of :class:`PutEventsOperator`, and ``source`` and ``detail_type``.
    :return: the decorator ``@task.put_events``.
    """
    return task_decorator_factory(
        python_callable=python_callable, decorated_operator_class=PutEventsDecoratedOperator, **kwargs
    )
