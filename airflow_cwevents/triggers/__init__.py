"""Triggers: events of a queue become asset events; and what a DAG needs to read them."""

from airflow_cwevents.triggers.event_queue import EventQueueTrigger
from airflow_cwevents.triggers.triggering_events import triggering_events

__all__ = ["EventQueueTrigger", "triggering_events"]
