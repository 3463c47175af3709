from __future__ import annotations

import json
import logging
import os
import signal
import socket
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook

from airflow_cwevents._airflow.compat import AirflowFailException
from airflow_cwevents._send.checkpoint import KEY
from airflow_cwevents.exceptions import InvalidEntryError, InvalidInputError, PutEventsError, PutEventsStoppedError
from airflow_cwevents.operators import PutEventsOperator
from tests.airflow_versions import DAG
from tests.dict_store import DictStore
from tests.failures import fails_with
from tests.fault_server import Entry, FaultServer, Reply


def entries(count: int) -> list[dict[str, Any]]:
    return [{"Source": "com.company.app", "DetailType": "t", "Detail": {"n": n}} for n in range(count)]


def operator(count: int = 30, **parameters: Any) -> PutEventsOperator:
    return PutEventsOperator(**{"task_id": "send", "aws_conn_id": None, "entries": entries(count), **parameters})


def run(
    given: PutEventsOperator, store: DictStore | None = None, *, max_tries: int = 0, try_number: int = 1
) -> list[str | None]:
    context: Any = {"ti": SimpleNamespace(max_tries=max_tries, try_number=try_number, xcom_push=lambda **_: None)}
    return given.execute(context | ({"task_state_store": store} if store is not None else {}))


def refuse(*numbers: int, code: str = "MalformedDetail") -> Any:
    details = [f'{{"n":{number}}}' for number in numbers]
    return lambda number, sent: Reply(codes={p: code for p, entry in enumerate(sent) if entry["Detail"] in details})


@pytest.mark.parametrize("count", [1, 10, 11, 1234])
def test_returns_the_ids_in_input_order(server: FaultServer, count: int) -> None:
    ids = run(operator(count))
    assert len(set(ids)) == count
    assert None not in ids
    assert set(server.times_delivered) == set(range(count))


def test_no_entries_are_a_success_that_sends_nothing(server: FaultServer) -> None:
    assert run(operator(0)) == []
    assert server.requests == []


def test_mapped_upstream_gives_no_list(server: FaultServer) -> None:
    given = operator(entries=(entry for entry in entries(3)))
    assert len(run(given)) == 3


@pytest.mark.parametrize(
    ("retries", "resumes", "warnings"),
    [(1, False, 1), (0, False, 0), (1, True, 0)],
    ids=["warns", "no retry", "resumes"],
)
def test_warns_that_a_retry_sends_everything_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, retries: int, resumes: bool, warnings: int
) -> None:
    monkeypatch.setattr(PutEventsOperator, "log", logging.getLogger("tests.operator"))
    monkeypatch.setattr("airflow_cwevents.operators.sending.HAS_TASK_STATE_STORE", resumes)
    operator(1, retries=retries)
    assert [record.name for record in caplog.records].count("tests.operator") == warnings


@pytest.mark.parametrize("bad", ["[{}]", {"Source": "s"}, 7, None])
def test_entries_that_are_none(server: FaultServer, bad: object) -> None:
    with fails_with(InvalidInputError) as caught:
        run(operator(entries=bad))
    assert caught.value.place == "entries"


def test_bad_entry_is_an_error_before_anything_is_sent(server: FaultServer, store: DictStore) -> None:
    bad = [*entries(25), {"Source": "s", "DetailType": "d", "Detail": "[]"}]
    with fails_with(InvalidEntryError) as caught:
        run(operator(entries=bad), store)
    assert caught.value.place == "entries[25].Detail"
    assert server.requests == []


def test_parameters_reach_the_sender(server: FaultServer) -> None:
    run(operator(20, max_bytes=60, event_bus_name="orders", check_event_bus=False))
    assert all(len(request) <= 2 for request in server.requests)
    assert {entry["EventBusName"] for entry in server.delivered} == {"orders"}


def test_parameters_may_be_text_as_templates_make_them(server: FaultServer) -> None:
    given = operator(20, max_bytes="60", max_concurrency="2", max_failed="0", check_event_bus="False")
    assert None not in run(given)
    with fails_with(InvalidInputError) as caught:
        run(operator(check_event_bus="maybe"))
    assert caught.value.place == "check_event_bus"
    with fails_with(InvalidInputError) as caught:
        run(operator(max_failed="few"))
    assert caught.value.place == "max_failed"


class TestWhenTheDagFileIsParsed:
    def test_invalid_literal_entries_are_reported_together(self) -> None:
        entries = [{"Source": "{{ params.source }}"}, {"Source": "s"}, {"DetailType": "d"}]
        with fails_with(InvalidEntryError) as caught:
            PutEventsOperator(task_id="t", entries=entries)
        assert [error.index for error in (caught.value, *caught.value.others)] == [1, 2]

    def test_entries_after_the_first_hundred_are_left_to_the_task(self) -> None:
        entry = {"Source": "s", "DetailType": "d", "Detail": {}}
        assert PutEventsOperator(task_id="t", entries=[*[entry] * 100, {}])
        with fails_with(InvalidEntryError):
            PutEventsOperator(task_id="t", entries=[*[entry] * 99, {}])

    def test_member_of_a_newer_api_is_left_to_the_task(self) -> None:
        given = [{"Source": "s", "DetailType": "d", "Detail": {}, "Future": 1}]
        assert PutEventsOperator(task_id="t", entries=given).entries == given

    def test_all_invalid_entries_are_reported_up_to_ten(self, server: FaultServer) -> None:
        given: Any = operator(0)
        given.entries = [{"Source": "aws.x" if n % 2 else "x", "DetailType": "d", "Detail": {}} for n in range(200)]
        with fails_with(InvalidEntryError) as caught:
            given.execute({})
        assert [error.index for error in (caught.value, *caught.value.others)] == list(range(1, 21, 2))
        assert str(caught.value).count("\n") == 9
        assert server.requests == []


class TestTemplates:
    @staticmethod
    def rendered(text: str, **environment: Any) -> str:
        with DAG("d", schedule=None, jinja_environment_kwargs=environment):
            given: Any = PutEventsOperator(
                task_id="send", entries=[{"Source": "s", "DetailType": "d", "Detail": {"a": [text]}}]
            )
        given.render_template_fields({"run_id": "manual__1"})
        return str(given.entries[0]["Detail"]["a"][0])

    def test_templates_are_rendered_wherever_they_are(self) -> None:
        assert self.rendered("{{ run_id }}") == "manual__1"
        assert self.rendered("{% if run_id %}yes{% endif %}") == "yes"
        assert self.rendered("a{# comment #}b") == "ab"

    def test_marks_of_the_dags_own(self) -> None:
        assert self.rendered("<< run_id >> {{ run_id }}", variable_start_string="<<", variable_end_string=">>") == (
            "manual__1 {{ run_id }}"
        )
        assert self.rendered("x\n% if run_id\nyes\n% endif", line_statement_prefix="%") == "x\nyes\n"

    def test_other_text_stays_as_it_is(self) -> None:
        assert self.rendered("{ not a template }\n") == "{ not a template }\n"


class TestFailures:
    def test_all_others_are_sent_and_each_failed_one_is_named(self, server: FaultServer) -> None:
        server.script = refuse(3, 17)
        with fails_with(PutEventsError) as caught:
            run(operator(30))
        assert [(entry.index, entry.code) for entry in caught.value.failed] == [
            (3, "MalformedDetail"),
            (17, "MalformedDetail"),
        ]
        assert caught.value.sent == 28
        assert caught.value.permanent
        assert len(server.delivered) == 28

    def test_those_that_could_pass_let_airflow_retry(self, server: FaultServer) -> None:
        server.script = refuse(3, code="InternalFailure")
        with pytest.raises(PutEventsError) as caught:
            run(operator(30, max_attempts=2))
        assert not caught.value.permanent

    @pytest.mark.parametrize(("failing", "tolerated"), [(1, 1), (2, 2), (2, 3)])
    def test_as_many_as_are_tolerated(self, server: FaultServer, failing: int, tolerated: int) -> None:
        server.script = refuse(*range(failing))
        ids = run(operator(30, max_failed=tolerated))
        assert ids[:failing] == [None] * failing
        assert None not in ids[failing:]

    def test_one_more_than_is_tolerated(self, server: FaultServer) -> None:
        server.script = refuse(0, 1)
        with fails_with(PutEventsError):
            run(operator(30, max_failed=1))

    def test_file_of_failed_entries_can_be_sent_as_it_is(self, server: FaultServer, tmp_path: Path) -> None:
        path = tmp_path / "failed.jsonl"
        server.script = refuse(3, 17)
        with fails_with(PutEventsError) as caught:
            run(operator(30, failed_entries_path=str(path)))
        assert caught.value.path == str(path)
        server.script = lambda number, sent: None
        again = [json.loads(line) for line in path.read_text().splitlines()]
        assert len(run(operator(entries=again))) == 2
        assert server.times_delivered == dict.fromkeys(range(30), 1)


class TestRetry:
    def test_sends_only_what_is_unsent_and_returns_all_ids(self, server: FaultServer, store: DictStore) -> None:
        server.script = refuse(3, 1500, code="InternalFailure")
        with pytest.raises(PutEventsError):
            run(operator(2000, max_attempts=1), store)
        server.script = lambda number, sent: None
        before = len(server.requests)
        ids = run(operator(2000), store)
        assert [entry["Detail"] for request in server.requests[before:] for entry in request] == [
            '{"n":3}',
            '{"n":1500}',
        ]
        assert len(set(ids)) == 2000
        assert None not in ids
        assert server.times_delivered == dict.fromkeys(range(2000), 1)

    def test_retry_after_all_was_sent_sends_nothing(self, server: FaultServer, store: DictStore) -> None:
        """Airflow fails a task whose result it cannot keep."""
        first = run(operator(1200), store, max_tries=1)
        assert run(operator(1200), store, max_tries=1) == first
        assert server.times_delivered == dict.fromkeys(range(1200), 1)

    def test_task_that_succeeded_and_is_cleared_sends_again(self, server: FaultServer, store: DictStore) -> None:
        run(operator(5), store, max_tries=1)
        run(operator(5), store, max_tries=2)
        assert server.times_delivered == dict.fromkeys(range(5), 2)

    def test_entry_that_keeps_failing_holds_no_progress_back(self, server: FaultServer, store: DictStore) -> None:
        recorded = []

        def script(number: int, sent: Sequence[Entry]) -> Reply | None:
            if number == 180:
                recorded.append(store.get(KEY)["done"])
            return refuse(0, code="InternalFailure")(number, sent) if number < 200 else None

        server.script = script
        run(operator(2000, max_attempts=1000, max_concurrency=1), store)
        assert recorded[0] >= 1000
        assert server.times_delivered == dict.fromkeys(range(2000), 1)

    def test_timeout_of_airflow_costs_few_duplicates(self, server: FaultServer, store: DictStore) -> None:
        """As Airflow does it: raised by a signal handler, wherever execute is."""

        class TaskTimeout(BaseException):
            pass

        def raise_timeout(number: int, frame: object) -> None:
            raise TaskTimeout

        def script(number: int, sent: Sequence[Entry]) -> None:
            if number == 50:
                os.kill(os.getpid(), signal.SIGALRM)

        server.script = script
        before = signal.signal(signal.SIGALRM, raise_timeout)
        try:
            with pytest.raises(TaskTimeout):
                run(operator(5_000), store)
        finally:
            signal.signal(signal.SIGALRM, before)
        assert len(server.delivered) < 5_000
        server.script = lambda number, sent: None
        run(operator(5_000), store)
        assert server.times_delivered.keys() == set(range(5_000))
        # the request that was just being recorded when the exception came
        assert server.times_delivered.total() <= 5_010

    @pytest.mark.parametrize(
        "change",
        [
            {"entries": [*entries(29), {"Source": "other", "DetailType": "t", "Detail": {"n": 29}}]},
            {"entries": entries(31)},
            {"region_name": "eu-west-1"},
            {"event_bus_name": "orders", "check_event_bus": False},
        ],
        ids=["an entry", "one more", "the region", "the bus"],
    )
    def test_changed_input_starts_afresh(self, server: FaultServer, store: DictStore, change: dict[str, Any]) -> None:
        server.script = refuse(3, code="InternalFailure")
        with pytest.raises(PutEventsError):
            run(operator(30, max_attempts=1), store)
        server.script = lambda number, sent: None
        server.delivered.clear()
        ids = run(operator(**{"count": 30, **change}), store)
        assert len(server.delivered) == len(ids) >= 30

    def test_killed_task_sends_again_at_most_what_was_under_way(self, server: FaultServer, store: DictStore) -> None:
        """As Airflow does it: on_kill is called in a signal handler, while execute goes on."""
        given = operator(5000, max_concurrency=2)

        def script(number: int, sent: Sequence[Entry]) -> None:
            if number == 100:
                given.on_kill()

        server.script = script
        with pytest.raises(PutEventsStoppedError) as caught:
            run(given, store)
        stopped_after = len(server.delivered)
        assert stopped_after < 2000
        assert caught.value.sent <= stopped_after
        server.script = lambda number, sent: None
        ids = run(operator(5000), store)
        assert set(server.times_delivered) == set(range(5000))
        assert server.times_delivered.total() == 5000 + stopped_after - caught.value.sent
        assert len(set(ids)) == 5000

    def test_without_a_store_everything_is_sent_again(self, server: FaultServer) -> None:
        server.script = refuse(3, code="InternalFailure")
        with pytest.raises(PutEventsError):
            run(operator(10, max_attempts=1))
        server.script = lambda number, sent: None
        assert None not in run(operator(10))
        assert server.times_delivered[0] == 2


def test_kill_before_anything_is_sent(server: FaultServer, store: DictStore) -> None:
    given = operator(50)
    given.on_kill()
    with pytest.raises(PutEventsStoppedError):
        run(given, store)
    assert server.requests == []


def test_network_that_is_down_is_worth_a_retry_of_airflows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda seconds: None))
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL_EVENTBRIDGE", f"http://127.0.0.1:{closed.getsockname()[1]}")
        with pytest.raises(PutEventsError) as caught:
            run(operator(20))
    assert caught.value.counts == {"EndpointConnectionError": 20}
    assert not caught.value.permanent
    assert not isinstance(caught.value, AirflowFailException)


@pytest.mark.parametrize("value", [-1, "inf", "nan", 0.5, "many"])
def test_bad_max_failed_is_told_before_anything_is_sent(server: FaultServer, value: object) -> None:
    with fails_with(InvalidInputError) as caught:
        run(operator(max_failed=value))
    assert caught.value.place == "max_failed"
    assert server.requests == []


def test_file_of_failed_entries_that_cannot_be_written_fails_the_task_when_all_others_are_sent(
    server: FaultServer, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    server.script = refuse(3)
    with pytest.raises(PutEventsError) as caught:
        run(operator(30, failed_entries_path=str(tmp_path / "file" / "failed.jsonl"), max_failed=5))
    assert "could not be written" in str(caught.value)
    assert set(server.times_delivered) == set(range(30)) - {3}


@pytest.mark.parametrize(("try_number", "kept"), [(1, True), (2, False)])
def test_file_of_failed_entries_is_removed_by_a_retry_only(
    server: FaultServer, tmp_path: Path, try_number: int, kept: bool
) -> None:
    """Mapped tasks may share a path, and what is not ours stays."""
    path = tmp_path / "failed.jsonl"
    path.write_text("{}")
    run(operator(failed_entries_path=str(path)), try_number=try_number)
    assert path.exists() is kept


def test_kill_before_anything_was_begun_makes_no_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AwsBaseHook, "get_client_type", lambda *_, **__: pytest.fail("made a client"))
    given = operator()
    given.on_kill()
    assert "hook" not in vars(given)


def test_links_lead_to_the_bus() -> None:
    given = operator(0, event_bus_name="orders", check_event_bus=False)
    run(given)
    link = next(iter(given.operator_extra_links))
    expected = "https://console.aws.amazon.com/events/home?region=us-east-1#/eventbus/orders"
    assert link.get_link(given, ti_key=None) == expected  # type: ignore[arg-type]
