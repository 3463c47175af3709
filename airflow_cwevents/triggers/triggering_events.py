"""The events of EventBridge that started a DAG run through its assets."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from airflow_cwevents._receive.acknowledgement import event_key
from airflow_cwevents._receive.envelopes import is_event

if TYPE_CHECKING:
    from airflow.sdk import Asset


def triggering_events(context: Mapping[str, Any], asset: Asset | None = None) -> list[Any]:
    """
    Return the events of EventBridge that started a DAG run: each once, in order of time.

    An event becomes an asset event at least once, so one run may see it twice; and a run has as many events as arrived
    by the time that Airflow's scheduler made it. Asset events of other origin are left out.

    :param context: the context of the task.
    :param asset: an asset that the DAG is scheduled by; None for all of them.
    :return: the events as EventBridge delivered them, by their ``time``. A payload that a target's input transformer
        made has no id, so duplicates remain, and takes the time of its asset event.
    """
    found: dict[Hashable, tuple[datetime, Any]] = {}
    for number, asset_event in enumerate(_asset_events(context, asset)):
        extra = asset_event.extra or {}
        if not extra.get("from_trigger"):
            continue
        payload = extra.get("payload")
        found.setdefault(event_key(payload, f"no id {number}"), (_time_of(payload, asset_event.timestamp), payload))
    return [payload for _, payload in sorted(found.values(), key=lambda item: item[0])]


def _asset_events(context: Mapping[str, Any], asset: Asset | None) -> list[Any]:
    by_asset = context["triggering_asset_events"]
    events = by_asset[asset] if asset is not None else [event for events in by_asset.values() for event in events]
    return sorted(events, key=lambda event: cast("datetime", event.timestamp))


def _time_of(payload: object, default: datetime) -> datetime:
    if isinstance(payload, dict) and is_event(payload) and isinstance(payload.get("time"), str):
        try:
            time = datetime.fromisoformat(payload["time"])
        except ValueError:
            return default
        return time if time.tzinfo else time.replace(tzinfo=UTC)
    return default
