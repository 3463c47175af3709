from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_cwevents.triggers import triggering_events
from tests.airflow_versions import module_of_airflow_3
from tests.receive.queues import event

Asset = module_of_airflow_3("airflow.sdk", "Asset events").Asset
comms = module_of_airflow_3("airflow.sdk.execution_time.comms", "Asset events")
context_module = module_of_airflow_3("airflow.sdk.execution_time.context", "Asset events")

ORDERS, REFUNDS = Asset("orders"), Asset("refunds")
START = datetime(2026, 11, 25, 10, tzinfo=UTC)


def asset_event(second: int, payload: Any, alias: str | None = None, **extra: Any) -> dict[str, Any]:
    return {
        "extra": {"from_trigger": True, "payload": payload} | extra,
        "source_aliases": [{"name": alias}] if alias else [],
        "timestamp": START + timedelta(seconds=second),
    }


def at(second: int, number: int, **members: Any) -> dict[str, Any]:
    return event(number, time=f"2026-11-25T10:00:{second:02}Z", **members)


def context(orders: list[dict[str, Any]], refunds: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """Return what a task's context has of a run."""
    nobody = dict.fromkeys(("source_task_id", "source_dag_id", "source_run_id", "source_map_index"))
    asset_events = [
        comms.AssetEventDagRunReferenceResult.model_validate(
            {"asset": {"name": asset.name, "uri": asset.uri, "extra": {}}, **nobody, **asset_event}
        )
        for asset, of_asset in ((ORDERS, orders), (REFUNDS, refunds or []))
        for asset_event in of_asset
    ]
    return {"triggering_asset_events": context_module.TriggeringAssetEventsAccessor.build(asset_events)}


def test_events_are_returned_once_and_in_order_of_time() -> None:
    late, early, middle = at(30, 1), at(10, 2), at(20, 3)
    orders = [asset_event(40, late), asset_event(41, early), asset_event(43, late)]
    run = context(orders, [asset_event(42, middle), asset_event(44, early)])
    assert triggering_events(run) == [early, middle, late]
    assert triggering_events(run, ORDERS) == [early, late]


def test_events_of_the_same_second_stay_in_order_of_arrival() -> None:
    events = [at(10, number) for number in (5, 3, 4)]
    orders = [asset_event(20 + place, item) for place, item in enumerate(events)]
    assert triggering_events(context(orders[::-1])) == events


def test_asset_events_of_other_origin_are_left_out() -> None:
    orders = [asset_event(1, None, from_trigger=False), asset_event(1, None) | {"extra": {}}]
    assert triggering_events(context([*orders, asset_event(2, at(1, 1))])) == [at(1, 1)]


def test_alias_does_not_repeat_events() -> None:
    assert triggering_events(context([asset_event(1, {"order": 1}, alias="mine")])) == [{"order": 1}]


def test_asset_without_events_has_none() -> None:
    assert triggering_events(context([asset_event(1, at(1, 1))]), REFUNDS) == []


def test_transformed_payloads_all_stay_and_take_the_time_of_their_asset_event() -> None:
    orders = [asset_event(30, {"order": 1}), asset_event(10, {"order": 1}), asset_event(40, at(20, 1))]
    assert triggering_events(context(orders)) == [{"order": 1}, at(20, 1), {"order": 1}]


def test_replay_is_an_event_of_its_own() -> None:
    replay = at(10, 1, **{"replay-name": "monday"})
    assert triggering_events(context([asset_event(1, at(10, 1)), asset_event(2, replay)])) == [at(10, 1), replay]


def test_odd_time_counts_as_that_of_the_asset_event() -> None:
    for time in ("soon", None, 5):
        orders = [asset_event(30, event(1, time=time)), asset_event(40, at(20, 2)), asset_event(50, at(31, 3))]
        assert [item["id"] for item in triggering_events(context(orders))] == ["event-2", "event-1", "event-3"]
    assert triggering_events(context([asset_event(1, event(1, time="2026-11-25T10:00:00"))]))


def test_run_without_events_has_none() -> None:
    assert triggering_events(context([])) == []
