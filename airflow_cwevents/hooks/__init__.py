"""The hook: all that talks to AWS."""

from airflow_cwevents.hooks.cloudwatch_events import CloudWatchEventsHook

__all__ = ["CloudWatchEventsHook"]
