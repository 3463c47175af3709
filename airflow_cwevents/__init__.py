"""Airflow provider for Amazon CloudWatch Events / EventBridge: declare, send and receive events."""

__version__ = "0.1.0"
