"""How answers of Airflow's supervisor become results; ``system/test_dispatch.py`` asks a real Airflow."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_cwevents._airflow import dag_runs
from airflow_cwevents._airflow.compat import TASKS_SEE_DAGS
from airflow_cwevents._airflow.dag_runs import DagRuns
from airflow_cwevents.exceptions import DagRunNotStartedError
from tests.airflow_versions import module_of_airflow_3

WHAT = "Tasks that ask a supervisor"
comms = module_of_airflow_3("airflow.sdk.execution_time.comms", WHAT)
msgspec = module_of_airflow_3("msgspec", WHAT)
exceptions = module_of_airflow_3("airflow.sdk.exceptions", WHAT)
task_runner = module_of_airflow_3("airflow.sdk.execution_time.task_runner", WHAT)

Answers = Callable[..., list[Any]]


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    """Return a function that sets the supervisor's answers, and returns the messages that it gets."""

    def answers(*outcomes: Any) -> list[Any]:
        sent: list[Any] = []
        remaining = list(outcomes)

        def send(message: Any) -> Any:
            sent.append(message)
            outcome = remaining.pop(0)
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", SimpleNamespace(send=send), raising=False)
        return sent

    return answers


def supervisor_error(status: int | None, body: Any = None) -> Exception:
    detail = {"status_code": status, "message": "Server returned error", "detail": body}
    answer = comms.ErrorResponse(error=exceptions.ErrorType.API_SERVER_ERROR, detail=detail)
    error: Exception = exceptions.AirflowRuntimeError(answer)
    return error


def server_error(status: int, **detail: str) -> Exception:
    return supervisor_error(status, {"detail": detail})


def test_run_is_started(answers: Answers) -> None:
    sent = answers(comms.OKResponse(ok=True))
    assert DagRuns().start("d", "r", {"a": 1})
    [message] = sent
    assert (message.dag_id, message.run_id, message.conf, message.logical_date) == ("d", "r", {"a": 1}, None)
    assert not message.reset_dag_run


def test_existing_run_is_not_started(answers: Answers) -> None:
    answers(comms.ErrorResponse(error=exceptions.ErrorType.DAGRUN_ALREADY_EXISTS))
    assert not DagRuns().start("d", "r", {})


def test_unknown_answer_is_no_run(answers: Answers) -> None:
    answers(comms.ErrorResponse(error=exceptions.ErrorType.GENERIC_ERROR))
    with pytest.raises(DagRunNotStartedError):
        DagRuns().start("d", "r", {})


PARAM_MESSAGE = "Invalid input for param amount: 'secret' is not of type 'integer'\n\nOn instance:\n 'secret'"


@pytest.mark.parametrize(
    ("error", "reason", "concerns_dag", "is_server_error"),
    [
        (server_error(404, reason="not_found", message="m"), "it does not exist", True, False),
        (server_error(400, reason="import_errors", message="m"), "its file has import errors", True, False),
        (server_error(400, reason="denied_run_type", message="m"), "its allowed_run_types exclude", True, False),
        (server_error(400, reason="value_error", message=PARAM_MESSAGE), "its param amount refuses", False, False),
        (supervisor_error(422, {"detail": [{"msg": "m"}]}), "it refuses the run", False, False),
        (supervisor_error(500, {"message": "Internal server error"}), "failed with status 500", False, True),
    ],
)
def test_refusal_has_its_reason_without_values(
    answers: Answers, error: Exception, reason: str, concerns_dag: bool, is_server_error: bool
) -> None:
    answers(error)
    with pytest.raises(DagRunNotStartedError) as caught:
        DagRuns().start("d", "r", {})
    assert caught.value.dag_id == "d"
    assert caught.value.reason.startswith(("the API server", reason))
    assert "secret" not in str(caught.value)
    assert (caught.value.concerns_dag, caught.value.is_server_error) == (concerns_dag, is_server_error)


@pytest.mark.parametrize(("value", "is_server_error"), [("\0", False), (r"\u0000", True)])
def test_nul_is_named_and_other_events_of_the_dag_go_on(answers: Answers, value: str, is_server_error: bool) -> None:
    """PostgreSQL cannot store it, other databases can."""
    answers(supervisor_error(500, {"message": "Internal server error"}))
    with pytest.raises(DagRunNotStartedError) as caught:
        DagRuns().start("d", "r", {"a": [value]})
    assert ("NUL" in str(caught.value), caught.value.is_server_error) == (not is_server_error, is_server_error)


@pytest.mark.parametrize("error", [supervisor_error(None), supervisor_error(401, {"detail": "m"}), EOFError()])
def test_unreachable_server_is_no_refusal(answers: Answers, error: Exception) -> None:
    answers(error)
    with pytest.raises(type(error)) as caught:
        DagRuns().start("d", "r", {})
    assert caught.value is error


@pytest.mark.parametrize("value", [2**70, "\ud800"])
def test_conf_that_cannot_be_sent_is_refused(monkeypatch: pytest.MonkeyPatch, value: Any) -> None:
    def send(message: Any) -> None:
        msgspec.msgpack.encode(message.model_dump())

    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", SimpleNamespace(send=send), raising=False)
    with pytest.raises(DagRunNotStartedError) as caught:
        DagRuns().start("d", "r", {"a": value})
    assert not caught.value.concerns_dag


def test_runs_are_counted(answers: Answers) -> None:
    sent = answers(comms.DRCount(count=2))
    assert DagRuns().count("d", {"a", "b"}) == 2
    assert (sent[0].dag_id, sorted(sent[0].run_ids)) == ("d", ["a", "b"])


@pytest.mark.skipif(not TASKS_SEE_DAGS, reason="Airflow before 3.2 tells tasks nothing about DAGs")
class TestCheckDag:
    def test_active_dag_passes(self, answers: Answers) -> None:
        sent = answers(SimpleNamespace(is_paused=False))
        DagRuns().check_dag("d")
        assert sent[0].dag_id == "d"

    @pytest.mark.parametrize(
        "answer", [SimpleNamespace(is_paused=True), server_error(404, reason="not_found", message="m")]
    )
    def test_paused_or_missing_dag_raises(self, answers: Answers, answer: Any) -> None:
        answers(answer)
        with pytest.raises(DagRunNotStartedError) as caught:
            DagRuns().check_dag("d")
        assert caught.value.concerns_dag

    def test_server_that_does_not_know_the_request_is_ignored(self, answers: Answers) -> None:
        answers(supervisor_error(404, {"detail": "Not Found"}))
        DagRuns().check_dag("d")


def test_dag_cannot_be_checked_before_airflow_3_2(answers: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dag_runs, "TASKS_SEE_DAGS", False)
    sent = answers()
    DagRuns().check_dag("d")
    assert sent == []
