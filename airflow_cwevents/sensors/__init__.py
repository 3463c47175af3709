"""Sensors: wait in the middle of a DAG for events."""

from airflow_cwevents.sensors.event import EventSensor

__all__ = ["EventSensor"]
