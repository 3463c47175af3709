"""What an event asks for: a run's id, its configuration, and its logical date, by templates that the event fills."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import SandboxedEnvironment

from airflow_cwevents.exceptions import InvalidInputError

if TYPE_CHECKING:
    from airflow_cwevents._receive.envelopes import ReceivedEvent

DEFAULT_RUN_ID = "event__{{ event_id }}"
# Airflow's column: https://github.com/apache/airflow/blob/main/airflow-core/src/airflow/models/dagrun.py
MAX_RUN_ID_LENGTH = 250
# Airflow's default of [scheduler] allowed_run_id_pattern. A pattern that allows more characters does not help, as
# Airflow's task SDK puts ids into URLs without encoding them.
_FORBIDDEN = re.compile(r"[^A-Za-z0-9_.~:+-]+|\.\.+")
_EXPRESSION = re.compile(r"\{\{((?:(?!\{\{|\}\}).)*)\}\}", re.DOTALL)
_DIGEST_BYTES = 8

Fill = Callable[[Mapping[str, Any]], Any]


@dataclass(frozen=True, slots=True)
class RunRequest:
    """
    A run to start, without its DAG.

    :param run_id: the run's id, the same each time the event is received.
    :param conf: the run's configuration.
    :param logical_date: the run's logical date; None for a run without.
    """

    run_id: str
    conf: dict[str, Any]
    logical_date: datetime | None = None


class _Environment(SandboxedEnvironment):
    """Jinja, where ``event.detail.items`` is a member of the event rather than a method of dicts."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Return a member, or else an attribute."""
        return obj[attribute] if isinstance(obj, dict) and attribute in obj else super().getattr(obj, attribute)


class RunTemplates:
    """
    Templates in Jinja with the variables ``event``, the payload, and ``event_id``.

    :param run_id: the template of the run's id.
    :param conf: the run's configuration, whose strings are templates; a string that is one expression keeps the
        expression's type. None for the event itself; a payload that is no dict is wrapped as ``{"event": payload}``.
    :param logical_date: the template of the logical date, an ISO 8601 time; None for runs without.
    :raises InvalidInputError: if a template has a syntax error.
    """

    def __init__(self, run_id: str = DEFAULT_RUN_ID, conf: Any = None, logical_date: str | None = None) -> None:
        self._environment = _Environment(undefined=StrictUndefined, autoescape=False)
        self._run_id = self._compiled("run_id_template", run_id)
        self._conf = None if conf is None else self._compiled("conf_template", conf)
        self._logical_date = None if logical_date is None else self._compiled("logical_date", logical_date)

    def request(self, received: ReceivedEvent) -> RunRequest:
        """
        Fill the templates.

        :param received: the event.
        :return: the run to start.
        :raises InvalidInputError: if a template needs what the event lacks, or makes no dict or no time.
        """
        values = {"event": received.event, "event_id": received.id}
        run_id = valid_run_id(str(_filled("run_id_template", self._run_id, values)))
        return RunRequest(run_id, self._conf_of(values), self._logical_date_of(values, run_id, received))

    def _conf_of(self, values: Mapping[str, Any]) -> dict[str, Any]:
        if self._conf is None:
            event = values["event"]
            return event if isinstance(event, dict) else {"event": event}
        conf = _filled("conf_template", self._conf, values)
        if not isinstance(conf, dict):
            reason = f"it makes a {type(conf).__name__} of the event"
            raise InvalidInputError("conf_template", reason, "Use a template that makes a dict")
        try:
            json.dumps(conf, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            reason = "it makes a value of the event that is not JSON"
            raise InvalidInputError("conf_template", reason, "Use strings, numbers, lists and dicts") from error
        return conf

    def _logical_date_of(self, values: Mapping[str, Any], run_id: str, received: ReceivedEvent) -> datetime | None:
        """
        Return the logical date, with microseconds that distinguish the events of a second.

        Airflow allows a DAG one run per logical date, and EventBridge's times are whole seconds. Two events that still
        have the same microsecond differ in it once one of them is received again.
        """
        if self._logical_date is None:
            return None
        value = _filled("logical_date", self._logical_date, values)
        try:
            moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        except ValueError:
            remedy = 'Use a template that makes an ISO 8601 time, such as "{{ event.time }}"'
            raise InvalidInputError("logical_date", "it makes no time of the event", remedy) from None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        if not moment.microsecond:
            moment = moment.replace(microsecond=int(_digest(run_id), 16) % 1_000_000)
        return moment + timedelta(microseconds=received.receive_count - 1)

    def _compiled(self, place: str, template: Any) -> Fill:
        if isinstance(template, Mapping):
            members = {key: self._compiled(f"{place}.{key}", value) for key, value in template.items()}
            return lambda values: {key: fill(values) for key, fill in members.items()}
        if isinstance(template, list | tuple):
            items = [self._compiled(f"{place}[{index}]", value) for index, value in enumerate(template)]
            return lambda values: [fill(values) for fill in items]
        if not isinstance(template, str):
            return lambda values: template
        return self._compiled_string(place, template)

    def _compiled_string(self, place: str, template: str) -> Fill:
        try:
            if expression := _EXPRESSION.fullmatch(template.strip()):
                evaluate = self._environment.compile_expression(expression[1], undefined_to_none=False)
                return lambda values: _defined(evaluate(**values))
            return self._environment.from_string(template).render
        except TemplateError as error:
            raise InvalidInputError(place, f"it is no template: {error}", "Correct its Jinja", template) from error


def valid_run_id(run_id: str) -> str:
    """
    Return an id that Airflow accepts: itself if it does, else one that no other id is turned into.

    :param run_id: any string.
    :return: the id, a maximum of 250 characters.
    """
    if run_id.strip(".") and not _FORBIDDEN.search(run_id) and len(run_id) <= MAX_RUN_ID_LENGTH:
        return run_id
    suffix = f"-{_digest(run_id)}"
    return _FORBIDDEN.sub("_", run_id)[: MAX_RUN_ID_LENGTH - len(suffix)] + suffix


def _digest(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES).hexdigest()


def _filled(place: str, fill: Fill, values: Mapping[str, Any]) -> Any:
    try:
        return fill(values)
    except Exception as error:  # whatever an expression raises: only the kind, as a message may quote the event
        reason = f"it cannot be filled by the event: {_template_message(error)}"
        raise InvalidInputError(place, reason, "Use | default(…) for what may be missing") from error


def _template_message(error: Exception) -> str:
    """Return an undefined name's message; of other errors the class, as their messages may quote the event."""
    return str(error.message) if isinstance(error, TemplateError) and error.message else type(error).__name__


def _defined(value: Any) -> Any:
    if isinstance(value, StrictUndefined):
        str(value)  # raises
    return value
