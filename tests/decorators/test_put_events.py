from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_cwevents.decorators import put_events_task
from airflow_cwevents.exceptions import InvalidEntryError, InvalidInputError, PutEventsError, PutEventsStoppedError
from tests.airflow_versions import DAG
from tests.dict_store import DictStore
from tests.failures import fails_with
from tests.fault_server import FaultServer, Reply


def run(function: Callable[..., Any], context: dict[str, Any] | None = None, *args: Any, **parameters: Any) -> Any:
    with DAG("d", schedule=None):
        result: Any = put_events_task(**{"task_id": "send", "aws_conn_id": None, **parameters})(function)(*args)
    return result.operator.execute(context or {})


def entry(n: int) -> dict[str, Any]:
    return {"Source": "com.company.app", "DetailType": "t", "Detail": {"n": n}}


def test_function_returns_entries(server: FaultServer) -> None:
    ids = run(lambda: [entry(n) for n in range(25)])
    assert len(set(ids)) == 25
    assert server.times_delivered == dict.fromkeys(range(25), 1)


def test_function_yields_entries(server: FaultServer) -> None:
    def orders() -> Iterator[dict[str, Any]]:
        for n in range(1234):
            yield entry(n)

    ids = run(orders)
    assert len(set(ids)) == 1234
    assert set(server.times_delivered) == set(range(1234))


def test_function_gives_details(server: FaultServer) -> None:
    def orders() -> Iterator[dict[str, Any]]:
        yield {"n": 0, "kind": "a"}
        yield {"n": 1, "kind": "b"}

    run(orders, source="com.company.orders", detail_type="@.kind")
    assert [(sent["Source"], sent["DetailType"]) for sent in server.delivered] == [
        ("com.company.orders", "a"),
        ("com.company.orders", "b"),
    ]


def test_function_gets_arguments_and_context(server: FaultServer) -> None:
    def orders(first: int, run_id: str) -> list[dict[str, Any]]:
        return [{**entry(first), "Source": run_id}]

    run(orders, {"run_id": "manual__1"}, 7)
    assert (server.delivered[0]["Source"], server.delivered[0]["Detail"]) == ("manual__1", '{"n":7}')


@pytest.mark.parametrize("nothing", [[], (), iter([])])
def test_function_that_gives_nothing(server: FaultServer, nothing: Any) -> None:
    assert run(lambda: nothing) == []
    assert server.requests == []


@pytest.mark.parametrize("bad", [None, {"Source": "s"}, "text", 7])
def test_function_that_gives_no_entries(server: FaultServer, bad: object) -> None:
    with fails_with(InvalidInputError):
        run(lambda: bad)


def test_bad_entry_is_an_error_before_anything_is_sent(server: FaultServer) -> None:
    def orders() -> Iterator[dict[str, Any]]:
        for n in range(100):
            yield entry(n) if n != 60 else {**entry(n), "Detail": "[]"}

    with fails_with(InvalidEntryError) as caught:
        run(orders)
    assert caught.value.index == 60
    assert server.requests == []


def test_annotation_of_a_dict_makes_no_several_outputs(server: FaultServer) -> None:
    """Airflow infers them, and fails the task when everything was sent."""

    def orders() -> dict[str, Any]:
        return [entry(0)]  # type: ignore[return-value]

    with DAG("d", schedule=None):
        result: Any = put_events_task(task_id="send", aws_conn_id=None)(orders)()
    assert result.operator.multiple_outputs is False
    assert len(run(orders, multiple_outputs=True)) == 1


def test_asynchronous_function_is_refused() -> None:
    async def orders() -> list[dict[str, Any]]:
        return []

    with pytest.raises(InvalidInputError, match="asynchronous"):
        run(orders)


def test_killed_while_the_function_yields(server: FaultServer) -> None:
    def orders(operator: Any = None) -> Iterator[dict[str, Any]]:
        for n in range(100):
            if n == 10:
                operator.on_kill()
            yield entry(n)

    with DAG("d", schedule=None):
        result: Any = put_events_task(task_id="send", aws_conn_id=None)(orders)()
    with pytest.raises(PutEventsStoppedError):
        result.operator.execute({"operator": result.operator})
    assert server.requests == []


@pytest.mark.parametrize("source", [5, ["a"]])
def test_source_that_is_no_text(source: object) -> None:
    def orders() -> list[dict[str, Any]]:
        return []

    with fails_with(InvalidInputError) as caught:
        run(orders, source=source, detail_type="t")
    assert caught.value.place == "source"


def test_retry_sends_only_what_is_unsent(server: FaultServer) -> None:
    store = DictStore()

    def orders() -> Iterator[dict[str, Any]]:
        return (entry(n) for n in range(1500))

    server.script = lambda number, sent: Reply(
        codes={p: "InternalFailure" for p, each in enumerate(sent) if each["Detail"] == '{"n":777}'}
    )
    with pytest.raises(PutEventsError):
        run(orders, {"task_state_store": store}, max_attempts=1)
    server.script = lambda number, sent: None
    ids = run(orders, {"task_state_store": store})
    assert server.times_delivered == dict.fromkeys(range(1500), 1)
    assert len(set(ids)) == 1500
