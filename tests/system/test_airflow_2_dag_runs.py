"""How the dispatcher starts DAG runs on Airflow 2, in its database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_cwevents._airflow.airflow_2_dag_runs import DagRuns
from airflow_cwevents.exceptions import DagRunNotStartedError
from tests.airflow_versions import only_airflow_2

pytestmark = [only_airflow_2, pytest.mark.usefixtures("airflow_database")]

DAG_ID = "example_cwevents_dispatch_order"
WITH_PARAMS = "example_cwevents_request_reply"
MOMENT = datetime(2026, 11, 25, 10, tzinfo=UTC)

Session = Any
Change = Callable[..., None]


@pytest.fixture
def session(airflow_database: None) -> Iterator[Session]:
    """A session of Airflow's database, without runs of the DAGs before and afterwards."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session

    with create_session() as session:
        yield session
        session.query(DagRun).filter(DagRun.dag_id.in_([DAG_ID, WITH_PARAMS])).delete()


@pytest.fixture
def change(session: Session) -> Iterator[Change]:
    """A function that changes the row of the DAG, which is active until then and afterwards."""
    from airflow.models.dag import DagModel

    def change(**values: bool) -> None:
        session.query(DagModel).filter(DagModel.dag_id == DAG_ID).update(values)
        session.commit()

    usual = {"is_paused": False, "is_active": True, "has_import_errors": False}
    change(**usual)
    yield change
    change(**usual)


def runs(session: Session, dag_id: str = DAG_ID) -> list[Any]:
    from airflow.models.dagrun import DagRun

    session.expire_all()
    return list(session.query(DagRun).filter(DagRun.dag_id == dag_id).order_by(DagRun.id))


def test_run_is_started_once(session: Session) -> None:
    assert DagRuns().start(DAG_ID, "event__a", {"detail": {"number": 2**70}})
    assert not DagRuns().start(DAG_ID, "event__a", {})
    (run,) = runs(session)
    assert (run.run_id, run.conf, run.state) == ("event__a", {"detail": {"number": 2**70}}, "queued")
    assert DagRuns().count(DAG_ID, {"event__a", "event__b"}) == 1


def test_logical_dates_are_distinguished_by_microseconds(session: Session) -> None:
    for run_id in ("event__a", "event__b", "event__c"):
        assert DagRuns().start(DAG_ID, run_id, {}, MOMENT)
    assert [run.execution_date for run in runs(session)] == [MOMENT.replace(microsecond=number) for number in range(3)]


def test_events_of_a_burst_have_runs_of_their_own(session: Session) -> None:
    assert all(DagRuns().start(DAG_ID, f"event__{number}", {}) for number in range(20))
    assert len({run.execution_date for run in runs(session)}) == 20


def test_run_that_params_refuse_is_not_started(session: Session) -> None:
    with pytest.raises(DagRunNotStartedError) as caught:
        DagRuns().start(WITH_PARAMS, "event__a", {"settle_seconds": "secret"})
    assert caught.value.reason == "its param settle_seconds refuses the event's value"
    assert not caught.value.concerns_dag
    assert "secret" not in str(caught.value)
    assert runs(session, WITH_PARAMS) == []


def test_missing_dag_is_refused() -> None:
    for call in (lambda: DagRuns().start("missing", "r", {}), lambda: DagRuns().check_dag("missing")):
        with pytest.raises(DagRunNotStartedError) as caught:
            call()
        assert caught.value.concerns_dag


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ({"is_paused": True}, "it is paused"),
        ({"is_active": False}, "it does not exist"),
        ({"has_import_errors": True}, "its file has import errors"),
    ],
)
def test_dag_that_cannot_run_is_refused(change: Change, state: dict[str, bool], reason: str) -> None:
    DagRuns().check_dag(DAG_ID)
    change(**state)
    with pytest.raises(DagRunNotStartedError) as caught:
        DagRuns().check_dag(DAG_ID)
    assert (caught.value.reason, caught.value.concerns_dag) == (reason, True)
