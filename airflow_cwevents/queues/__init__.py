"""Queues for ``MessageQueueTrigger`` of apache-airflow-providers-common-messaging."""
