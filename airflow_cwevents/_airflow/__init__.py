"""Differences between Airflow versions, and helpers that all operators share."""
