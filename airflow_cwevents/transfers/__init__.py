"""Transfers from other storage to an event bus."""

from airflow_cwevents.transfers.object_storage_to_events import ObjectStorageToEventsOperator

__all__ = ["ObjectStorageToEventsOperator"]
