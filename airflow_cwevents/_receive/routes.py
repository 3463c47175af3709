"""Routes: which DAGs an event starts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NotRequired, TypedDict

from airflow_cwevents.exceptions import InvalidEventPatternError, InvalidInputError
from airflow_cwevents.patterns import EventPattern

_REMEDY = 'Use {"event_pattern": {…}, "trigger_dag_id": "…"}; without event_pattern, every event matches'


class RouteDict(TypedDict):
    event_pattern: NotRequired[Mapping[str, Any] | str | None]
    trigger_dag_id: str


@dataclass(frozen=True, slots=True)
class Route:
    """
    A DAG, and the events that start it.

    :param dag_id: the DAG's id.
    :param pattern: what the events match; None for all events.
    """

    dag_id: str
    pattern: EventPattern | None = None

    def matches(self, payload: Any) -> bool:
        """Return whether a payload starts the DAG. Only objects match a pattern."""
        return self.pattern is None or (isinstance(payload, Mapping) and self.pattern.matches(payload))


@dataclass(frozen=True, slots=True)
class Routes:
    """
    An ordered list of routes.

    :param routes: the routes.
    :param match: ``first`` for the first route that matches, ``all`` for every route that does.
    """

    routes: tuple[Route, ...]
    match: Literal["first", "all"] = "first"

    @property
    def dag_ids(self) -> list[str]:
        """The ids of all DAGs, each once."""
        return list(dict.fromkeys(route.dag_id for route in self.routes))

    def dag_ids_for(self, payload: Any) -> list[str]:
        """Return the ids of the DAGs that a payload starts, each once; none if no route matches."""
        found = dict.fromkeys(route.dag_id for route in self.routes if route.matches(payload))
        return list(found)[: 1 if self.match == "first" else None]


def read_routes(trigger_dag_id: str | None, routes: Iterable[Mapping[str, Any]] | None, match: str = "first") -> Routes:
    """
    Validate routes.

    :param trigger_dag_id: the DAG that every event starts.
    :param routes: the routes, instead.
    :param match: ``first`` or ``all``.
    :return: the routes.
    :raises InvalidInputError: if one is invalid, or not exactly one of the two is set.
    """
    if match not in ("first", "all"):
        raise InvalidInputError("match", f"{match!r} is not supported", 'Use "first" or "all"', match)
    if bool(trigger_dag_id) == bool(routes):
        raise InvalidInputError("routes", "set either trigger_dag_id or routes", "Remove one, or add one")
    if trigger_dag_id:
        return Routes((Route(trigger_dag_id),))
    read = tuple(_read_route(index, route) for index, route in enumerate(routes or ()))
    return Routes(read, "all" if match == "all" else "first")


def _read_route(index: int, route: Any) -> Route:
    place = f"routes[{index}]"
    if not isinstance(route, Mapping):
        raise InvalidInputError(place, f"it is of type {type(route).__name__}", _REMEDY, route)
    if unknown := set(route) - {"event_pattern", "trigger_dag_id"}:
        raise InvalidInputError(place, f"unknown key {sorted(map(str, unknown))[0]!r}", _REMEDY, route)
    dag_id = route.get("trigger_dag_id")
    if not isinstance(dag_id, str) or not dag_id:
        raise InvalidInputError(f"{place}.trigger_dag_id", "it is missing", _REMEDY, route)
    pattern = route.get("event_pattern")
    if pattern is None:
        return Route(dag_id)
    try:
        return Route(dag_id, EventPattern(pattern))
    except InvalidEventPatternError as error:
        path = f"{place}.event_pattern" + (f".{error.path}" if error.path else "")
        raise InvalidInputError(path, error.reason, error.remedy, pattern) from error
