"""Targets without AWS and Airflow: what they receive, and placeholders for their templates."""

from airflow_cwevents._declare.input_templates import Placeholder
from airflow_cwevents._declare.target_preview import preview_target_input
from airflow_cwevents._declare.target_spec import Target

__all__ = ["Placeholder", "Target", "preview_target_input"]
