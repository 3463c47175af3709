"""TaskFlow decorators."""

from airflow_cwevents.decorators.put_events import put_events_task

__all__ = ["put_events_task"]
