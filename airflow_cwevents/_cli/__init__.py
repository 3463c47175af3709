"""The command ``airflow-cwevents``."""
