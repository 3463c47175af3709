"""The hook, which does everything that talks to AWS."""

from airflow_cwevents._declare.event_queues import EventQueues
from airflow_cwevents._send.entries import EntryResult
from airflow_cwevents.hooks.cloudwatch_events import CloudWatchEventsHook

__all__ = ["CloudWatchEventsHook", "EntryResult", "EventQueues"]
