"""Event patterns: validated and matched as AWS does it. Works without Airflow and boto3."""

from airflow_cwevents.patterns.pattern import EventPattern

__all__ = ["EventPattern"]
