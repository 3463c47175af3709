"""What events ask for: ids that Airflow accepts, conf, logical dates, and the DAGs of routes."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_cwevents._receive.envelopes import ReceivedEvent
from airflow_cwevents._receive.routes import read_routes
from airflow_cwevents._receive.run_requests import MAX_RUN_ID_LENGTH, RunTemplates, valid_run_id
from airflow_cwevents.exceptions import InvalidInputError

README = Path(__file__).parents[2] / "README.md"
EVENT = {"id": "7a", "time": "2026-01-02T03:04:05Z", "detail": {"order": 5, "items": ["a"]}}


def received(event: Any = EVENT, event_id: str = "7a", receive_count: int = 1) -> ReceivedEvent:
    return ReceivedEvent(event, event_id, "m", "handle", receive_count)


@pytest.mark.parametrize("run_id", ["event__7a", "a~b:c+d.e_f-g", "x" * MAX_RUN_ID_LENGTH])
def test_valid_run_id_is_kept(run_id: str) -> None:
    assert valid_run_id(run_id) == run_id


@pytest.mark.parametrize("run_id", ["a/b", "a b", "ä", "a..b", "..", ".", "", "x" * (MAX_RUN_ID_LENGTH + 1)])
def test_other_run_id_becomes_valid(run_id: str) -> None:
    made = valid_run_id(run_id)
    assert re.fullmatch(r"[A-Za-z0-9_.~:+-]{1,250}", made)
    assert ".." not in made
    assert made == valid_run_id(run_id)


@settings(max_examples=50)
@given(st.text(), st.text())
def test_two_run_ids_never_become_one(one: str, other: str) -> None:
    assert (valid_run_id(one) == valid_run_id(other)) == (one == other)


def test_templates_are_filled_by_the_event() -> None:
    conf = {
        "order": "{{ event.detail.order }}",
        "note": "no. {{ event.detail.order }}",
        "n": 1,
        "l": ["{{ event_id }}"],
    }
    request = RunTemplates("order__{{ event.detail.order }}", conf).request(received())
    assert request.run_id == "order__5"
    assert request.conf == {"order": 5, "note": "no. 5", "n": 1, "l": ["7a"]}


def test_replay_has_a_run_of_its_own_by_the_template_of_readme() -> None:
    [template] = re.findall(r'`run_id_template="(.*)"`', README.read_text())
    templates = RunTemplates(template)
    assert templates.request(received()).run_id == RunTemplates().request(received()).run_id == "event__7a"
    assert templates.request(received({**EVENT, "replay-name": "monday"})).run_id == "event__7amonday"


def test_expression_of_a_whole_string_keeps_its_type() -> None:
    conf = {"items": " {{ event.detail.items }} ", "id": "{{ '12' }}", "two": "{{ 1 }}{{ 2 }}"}
    assert RunTemplates(conf=conf).request(received()).conf == {"items": ["a"], "id": "12", "two": "12"}


@pytest.mark.parametrize(
    ("templates", "place"),
    [
        ({"run_id": "{{ event.detail.missing }}"}, "run_id_template"),
        ({"run_id": "x-{{ event.detail.missing }}"}, "run_id_template"),
        ({"conf": {"a": "{{ event.detail.missing }}"}}, "conf_template"),
        ({"conf": {"a": "{{ event.detail.order + 'x' }}"}}, "conf_template"),
        ({"conf": "{{ event.detail.order }}"}, "conf_template"),
        ({"conf": {"a": "{{ event.keys }}"}}, "conf_template"),
        ({"conf": {"a": "{{ event.detail.order * 1e300 * 1e300 }}"}}, "conf_template"),
        ({"logical_date": "{{ event.detail.order }}"}, "logical_date"),
        ({"logical_date": "{{ event.missing }}"}, "logical_date"),
    ],
)
def test_template_that_an_event_does_not_fit_names_its_place(templates: dict[str, Any], place: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        RunTemplates(**templates).request(received())
    assert caught.value.place == place


@pytest.mark.parametrize(
    ("templates", "place"),
    [({"run_id": "{{ event"}, "run_id_template"), ({"conf": {"a": {"b": ["{{ 1 + }}"]}}}, "conf_template.a.b[0]")],
)
def test_syntax_error_in_a_template_names_its_place(templates: dict[str, Any], place: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        RunTemplates(**templates)
    assert caught.value.place == place


class TestLogicalDate:
    def dated(self, event: Any = EVENT, template: str = "{{ event.time }}", **members: Any) -> datetime:
        date = RunTemplates(logical_date=template).request(received(event, **members)).logical_date
        assert date is not None
        return date

    def test_none_by_default(self) -> None:
        assert RunTemplates().request(received()).logical_date is None

    def test_events_of_a_second_differ_in_microseconds(self) -> None:
        dates = [self.dated(event_id=event_id) for event_id in "abc"]
        assert {date.replace(microsecond=0) for date in dates} == {datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)}
        assert len(set(dates)) == 3
        assert dates[0] == self.dated(event_id="a")

    def test_exact_time_is_kept_at_the_first_receive_only(self) -> None:
        template = "2026-01-02T03:04:05.5Z"
        exact = datetime(2026, 1, 2, 3, 4, 5, 500_000, tzinfo=UTC)
        assert self.dated(template=template) == exact
        assert self.dated(template=template, receive_count=3) == exact.replace(microsecond=500_002)


class TestRoutes:
    @pytest.mark.parametrize(
        ("trigger_dag_id", "routes", "match", "place"),
        [
            (None, None, "first", "routes"),
            (None, [], "first", "routes"),
            ("d", [{"trigger_dag_id": "d"}], "first", "routes"),
            ("d", None, "last", "match"),
            (None, ["d"], "first", "routes[0]"),
            (None, [{"trigger_dag_id": "d", "pattern": {}}], "first", "routes[0]"),
            (None, [{"event_pattern": {"source": ["s"]}}], "first", "routes[0].trigger_dag_id"),
            (None, [{"trigger_dag_id": "d", "event_pattern": {"a": "s"}}], "first", "routes[0].event_pattern.a"),
        ],
    )
    def test_invalid_routes_name_their_place(
        self, trigger_dag_id: str | None, routes: Any, match: str, place: str
    ) -> None:
        with pytest.raises(InvalidInputError) as caught:
            read_routes(trigger_dag_id, routes, match)
        assert caught.value.place == place

    def test_route_without_pattern_takes_the_rest(self) -> None:
        routes = read_routes(None, [{"event_pattern": {"id": ["1"]}, "trigger_dag_id": "d"}, {"trigger_dag_id": "e"}])
        assert [routes.dag_ids_for(payload) for payload in ({"id": "1"}, {"id": "2"}, "text")] == [["d"], ["e"], ["e"]]

    def test_dag_of_two_matching_routes_starts_once(self) -> None:
        assert read_routes(None, [{"trigger_dag_id": "d"}] * 2, "all").dag_ids_for({}) == ["d"]
