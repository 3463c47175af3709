"""The dispatcher: one event, one run, whatever happens."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from airflow_cwevents._receive.envelopes import ReceivedEvent
from airflow_cwevents._receive.in_flight import InFlight
from airflow_cwevents._receive.receivers import ReceiveOptions
from airflow_cwevents._receive.run_requests import RunTemplates
from airflow_cwevents._receive.settlement import MAX_LOOKUPS
from airflow_cwevents.exceptions import DagRunNotStartedError, EventQueueNotFoundError
from tests.receive.dispatching import LOGGER, KilledError, Setting, event_of

ORDERS = {"event_pattern": {"source": ["orders"]}, "trigger_dag_id": "orders"}
STOCK = {"event_pattern": {"source": ["stock", "orders"]}, "trigger_dag_id": "stock"}


def counts(**numbers: int) -> dict[str, int]:
    return {"started": 0, "already_started": 0, "unmatched": 0, "kept": 0} | numbers


@pytest.fixture
def setting(aws: None) -> Setting:
    return Setting()


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    caplog.set_level("INFO", LOGGER.name)

    class Warnings(list[str]):
        def __iter__(self) -> Iterator[str]:
            return (record.getMessage() for record in caplog.records if record.levelname == "WARNING")

    return Warnings()  # type: ignore[return-value]


class TestOneEventOneRun:
    def test_run_has_the_events_id_and_the_event_as_conf(self, setting: Setting) -> None:
        setting.send(event_of("a"), event_of("b"))
        assert setting.dispatch() == counts(started=2)
        assert setting.runs.confs == {("handler", f"event__{name}"): event_of(name) for name in "ab"}
        assert setting.remaining == 0

    def test_duplicates_start_one_run(self, setting: Setting) -> None:
        setting.send(event_of("a"), event_of("a"))
        assert setting.dispatch() == counts(started=1, already_started=1)
        assert setting.runs.started.total() == 1
        assert setting.remaining == 0

    def test_payload_that_is_no_dict_is_wrapped(self, setting: Setting) -> None:
        setting.send('"text"')
        setting.dispatch()
        assert list(setting.runs.confs.values()) == [{"event": "text"}]

    def test_message_received_by_the_trigger_comes_first(self, setting: Setting) -> None:
        setting.send(event_of("a"), event_of("b"))
        messages = setting.queue.receive(1, 0)
        assert setting.dispatcher().run(messages) == counts(started=2)
        assert setting.queue.hidden[0] == ("a", 60)
        assert setting.remaining == 0

    def test_backlog_is_dispatched_by_several_receivers(
        self, setting: Setting, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        setting.send(*(event_of(str(number)) for number in range(120)))
        threads: set[int] = set()
        receive = setting.queue.receive

        def recording(*args: Any) -> Any:
            threads.add(threading.get_ident())
            return receive(*args)

        monkeypatch.setattr(setting.queue, "receive", recording)
        assert setting.dispatch() == counts(started=120)
        assert 1 < len(threads) <= 4
        assert setting.remaining == 0

    def test_max_events_leaves_the_rest_in_the_queue(self, setting: Setting) -> None:
        setting.send(*(event_of(str(number)) for number in range(30)))
        options = ReceiveOptions(max_events=15, first_wait=0, linger=0)
        assert setting.dispatch(options=options) == counts(started=15)
        assert setting.remaining == 15

    @pytest.mark.parametrize("steps_between", [1, 2])
    def test_killed_at_each_step_starts_each_run_once(self, setting: Setting, steps_between: int) -> None:
        """The second process is killed as well, later or earlier than the first."""
        steps = 0
        while True:
            ids = [f"{steps}-{number}" for number in range(4)]
            setting.send(*(event_of(event_id) for event_id in [*ids, ids[0]]))
            setting.kill_at(steps)
            try:
                setting.dispatch()
            except KilledError:
                killed = True
            else:
                killed = False
            setting.lapse()
            setting.kill_at(steps_between)
            with suppress(KilledError):
                setting.dispatch()
            setting.lapse()
            setting.kill_at(None)
            setting.dispatch()
            assert {event_id for event_id in setting.runs.event_ids if event_id in ids} == set(ids)
            assert set(setting.runs.started.values()) == {1}
            assert setting.remaining == 0
            if not killed:
                break
            steps += 1
        assert steps > 12


class TestWhatStaysInTheQueue:
    def test_unavailable_dag_holds_up_no_other(self, setting: Setting, warnings: list[str]) -> None:
        setting.runs.unavailable = {"orders"}
        setting.send(*(event_of(str(number), source="orders") for number in range(3)), event_of("s", source="stock"))
        assert setting.dispatch([ORDERS, STOCK]) == counts(started=1, kept=3)
        assert list(warnings) == ["DAG orders: it is paused. Unpause it; events for it stay in the queue"]
        assert setting.runs.requests == ["stock"]
        assert setting.remaining == 3

    def test_missing_dag_is_requested_once(self, setting: Setting) -> None:
        error = DagRunNotStartedError("handler", "it does not exist", "Deploy it", concerns_dag=True)
        setting.runs.refusals = {"event__a": error, "event__b": error}
        setting.send(event_of("a"), event_of("b"))
        assert setting.dispatch() == counts(kept=2)
        assert setting.runs.requests == ["handler"]

    def test_refused_event_holds_up_no_other(self, setting: Setting, warnings: list[str]) -> None:
        error = DagRunNotStartedError("handler", "its param x has no value", "Change it")
        setting.runs.refusals = {"event__a": error, "event__c": error}
        setting.send(event_of("a"), event_of("b"), event_of("c"))
        assert setting.dispatch() == counts(started=1, kept=2)
        assert list(warnings) == [
            "Events such as a stay in the queue: DAG handler: its param x has no value. Change it"
        ]

    def test_dag_is_left_alone_after_several_server_errors(self, setting: Setting) -> None:
        error = DagRunNotStartedError("handler", "status 500", "See the log", is_server_error=True)
        setting.runs.refusals = {f"event__{number}": error for number in range(5)}
        setting.send(*(event_of(str(number)) for number in range(5)))
        assert setting.dispatch() == counts(kept=5)
        assert len(setting.runs.requests) == 3

    def test_message_that_is_not_json_is_named_without_its_body(self, setting: Setting, warnings: list[str]) -> None:
        setting.send("secret", event_of("a"))
        assert setting.dispatch() == counts(started=1, kept=1)
        [warning] = warnings
        assert "is not JSON" in warning
        assert "secret" not in warning
        assert setting.remaining == 1

    def test_message_that_is_nested_too_deeply_holds_up_no_other(self, setting: Setting) -> None:
        setting.send("[" * 5000 + "]" * 5000, event_of("a"))
        assert setting.dispatch() == counts(started=1, kept=1)

    def test_kept_message_is_hidden_longer_each_time(self, setting: Setting) -> None:
        setting.runs.unavailable = {"handler"}
        setting.send(event_of("a"))
        for _ in range(6):
            setting.dispatch()
            setting.lapse()
        assert [seconds for _, seconds in setting.queue.hidden] == [60, 120, 240, 480, 900, 900]

    def test_event_that_a_template_does_not_fit_is_kept(self, setting: Setting, warnings: list[str]) -> None:
        setting.send(event_of("a"), event_of("b", detail={"order": 5}))
        templates = RunTemplates(conf={"order": "{{ event.detail.order }}"})
        assert setting.dispatch(templates=templates) == counts(started=1, kept=1)
        assert setting.runs.confs == {("handler", "event__b"): {"order": 5}}
        assert "conf_template" in next(iter(warnings))

    def test_run_that_is_not_committed_yet_is_looked_up_again(self, setting: Setting) -> None:
        setting.runs.uncommitted = {"event__a": 4}
        setting.send(event_of("a"), event_of("b"))
        assert setting.dispatch() == counts(started=2)
        assert setting.naps
        assert setting.remaining == 0

    def test_message_stays_if_its_run_never_appears(self, setting: Setting) -> None:
        setting.runs.uncommitted = {"event__a": 1000}
        setting.send(event_of("a"), event_of("b"))
        assert setting.dispatch() == counts(started=1, kept=1)
        assert len(setting.naps) < MAX_LOOKUPS
        assert setting.remaining == 1

    def test_conflict_of_logical_dates_resolves_at_the_next_receive(self, setting: Setting) -> None:
        templates = RunTemplates(logical_date="2026-01-01T00:00:00.5Z")
        setting.send(event_of("a"), event_of("b"))
        assert setting.dispatch(templates=templates) == counts(started=1, kept=1)
        setting.lapse()
        assert setting.dispatch(templates=templates) == counts(started=1)
        assert sorted(setting.runs.event_ids) == ["a", "b"]


class TestRoutes:
    EVENTS = (event_of("o", source="orders"), event_of("s", source="stock"))

    def test_first_route_that_matches_takes_an_event(self, setting: Setting) -> None:
        setting.send(*self.EVENTS)
        assert setting.dispatch([ORDERS, STOCK]) == counts(started=2)
        assert set(setting.runs.confs) == {("orders", "event__o"), ("stock", "event__s")}

    def test_every_route_that_matches_takes_an_event(self, setting: Setting) -> None:
        setting.send(*self.EVENTS)
        assert setting.dispatch([ORDERS, STOCK], match="all") == counts(started=2)
        assert set(setting.runs.confs) == {("orders", "event__o"), ("stock", "event__o"), ("stock", "event__s")}

    def test_message_stays_until_all_its_runs_are_there(self, setting: Setting) -> None:
        setting.runs.unavailable = {"orders"}
        setting.send(self.EVENTS[0])
        assert setting.dispatch([ORDERS, STOCK], match="all") == counts(kept=1)
        setting.runs.unavailable = set()
        setting.lapse()
        assert setting.dispatch([ORDERS, STOCK], match="all") == counts(started=1)
        assert setting.runs.started == {("stock", "event__o"): 1, ("orders", "event__o"): 1}
        assert setting.remaining == 0

    @pytest.mark.parametrize(("unmatched", "remaining"), [("keep", 1), ("delete", 0)])
    def test_unmatched_event_is_counted(self, setting: Setting, unmatched: str, remaining: int) -> None:
        setting.send(self.EVENTS[0], event_of("x", source="other"))
        assert setting.dispatch([ORDERS], unmatched=unmatched) == counts(started=1, unmatched=1)
        assert setting.remaining == remaining


class TestFailures:
    def test_partial_delete_failure_is_made_up_for_later(self, setting: Setting, warnings: list[str]) -> None:
        setting.queue.undeletable = {"b"}
        setting.send(event_of("a"), event_of("b"))
        assert setting.dispatch() == counts(started=2)
        assert list(warnings) == ["1 message not deleted, to be received again: InternalError"]
        setting.queue.undeletable = set()
        setting.lapse()
        assert setting.dispatch() == counts(already_started=1)
        assert setting.remaining == 0

    def test_failed_delete_does_not_end_dispatching(self, setting: Setting) -> None:
        setting.queue.delete_error = EventQueueNotFoundError(setting.url)
        setting.send(*(event_of(str(number)) for number in range(25)))
        assert setting.dispatch() == counts(started=25)

    def test_failing_receive_ends_dispatching_and_is_reported(self, setting: Setting) -> None:
        setting.queue.receive_error = error = EventQueueNotFoundError(setting.url)
        dispatcher = setting.dispatcher()
        assert dispatcher.run() == counts()
        assert dispatcher.error is error

    def test_unreachable_airflow_raises_and_puts_messages_back(
        self, setting: Setting, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*args: Any) -> bool:
            raise ConnectionError

        monkeypatch.setattr(setting.runs, "start", fail)
        setting.send(event_of("a"), event_of("b"))
        with pytest.raises(ConnectionError):
            setting.dispatch()
        setting.wait_for_threads()
        assert len(setting.client.receive_message(QueueUrl=setting.url, MaxNumberOfMessages=10)["Messages"]) == 2

    def test_stopped_dispatcher_puts_back_what_it_did_not_start(
        self, setting: Setting, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        dispatcher = setting.dispatcher()
        start = setting.runs.start

        def stopping(*args: Any) -> bool:
            dispatcher.stop()
            return start(*args)

        monkeypatch.setattr(setting.runs, "start", stopping)
        setting.send(*(event_of(str(number)) for number in range(12)))
        assert dispatcher.run() == counts(started=1)
        setting.wait_for_threads()
        assert setting.remaining == 11
        assert setting.dispatch() == counts(started=11)


class TestVisibility:
    def test_timeouts_are_extended_until_messages_are_removed(self, setting: Setting) -> None:
        events = [ReceivedEvent({}, name, name, f"handle-{name}") for name in "ab"]
        extended = threading.Event()
        hidden: list[tuple[list[str], int]] = []

        class Queue:
            def hide(self, events: list[ReceivedEvent], seconds: int) -> dict[str, str]:
                hidden.append(([event.id for event in events], seconds))
                extended.set()
                return {}

        in_flight = InFlight(Queue(), 0, LOGGER)  # type: ignore[arg-type]
        in_flight.add(events)
        in_flight.remove(events[:1])
        with in_flight:
            assert extended.wait(10)
        assert hidden[0] == (["b"], 0)

    def test_message_that_cannot_be_hidden_harms_nothing(
        self, setting: Setting, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("INFO", LOGGER.name)
        setting.send(event_of("a"))
        [message] = setting.queue.receive(1, 0)
        setting.client.delete_message(QueueUrl=setting.url, ReceiptHandle=message["ReceiptHandle"])
        assert setting.dispatcher().run([message]) == counts(started=1)
