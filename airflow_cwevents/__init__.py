"""Airflow provider for Amazon CloudWatch Events / EventBridge: declare rules and targets, send events."""

__version__ = "0.1.0"
