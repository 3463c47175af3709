"""Links from Airflow's pages to the AWS console."""

from airflow_cwevents.links.event_buses import EventBusLink
from airflow_cwevents.links.rules import EventRuleLink

__all__ = ["EventBusLink", "EventRuleLink"]
