"""Triggers: wait in Airflow's triggerer for messages of an event queue; and what a DAG needs to read asset events."""

from airflow_cwevents.triggers.event_queue import EventQueueTrigger
from airflow_cwevents.triggers.event_sensor import EventSensorTrigger
from airflow_cwevents.triggers.messages import MessagesTrigger
from airflow_cwevents.triggers.triggering_events import triggering_events

__all__ = ["EventQueueTrigger", "EventSensorTrigger", "MessagesTrigger", "triggering_events"]
