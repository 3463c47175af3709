"""Triggers: wait in Airflow's triggerer for messages of an event queue."""

from airflow_cwevents.triggers.messages import MessagesTrigger

__all__ = ["MessagesTrigger"]
