"""The description of this package that ``airflow providers`` shows."""

from __future__ import annotations

from typing import Any

INTEGRATION = "Amazon CloudWatch Events / EventBridge"


def get_provider_info() -> dict[str, Any]:
    """
    Describe the provider, in the form of Airflow's ``provider_info.schema.json``.

    :return: the description; Airflow finds this function through the entry point ``apache_airflow_provider``.
    """
    return {
        "package-name": "airflow-provider-cwevents",
        "name": INTEGRATION,
        "description": "Declare, send and receive events of Amazon CloudWatch Events / EventBridge.",
        "integrations": [
            {
                "integration-name": INTEGRATION,
                "external-doc-url": "https://docs.aws.amazon.com/eventbridge/",
                "tags": ["aws"],
            }
        ],
        "hooks": [{"integration-name": INTEGRATION, "python-modules": ["airflow_cwevents.hooks"]}],
        "operators": [{"integration-name": INTEGRATION, "python-modules": ["airflow_cwevents.operators"]}],
        "sensors": [{"integration-name": INTEGRATION, "python-modules": ["airflow_cwevents.sensors"]}],
        "triggers": [{"integration-name": INTEGRATION, "python-modules": ["airflow_cwevents.triggers"]}],
        "queues": ["airflow_cwevents.queues.event_queue.EventQueueProvider"],
        "transfers": [
            {
                "source-integration-name": "Object storage",
                "target-integration-name": INTEGRATION,
                "python-module": "airflow_cwevents.transfers",
            }
        ],
        "task-decorators": [{"name": "put_events", "class-name": "airflow_cwevents.decorators.put_events_task"}],
        # by the modules that define them: the webserver of Airflow 2 compares the names
        "extra-links": [
            "airflow_cwevents.links.event_buses.EventBusLink",
            "airflow_cwevents.links.rules.EventRuleLink",
        ],
    }
