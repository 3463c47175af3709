from __future__ import annotations

import subprocess
import sys

import pytest

from airflow_cwevents._airflow.compat import BaseEventTrigger
from airflow_cwevents.get_provider_info import get_provider_info
from airflow_cwevents.triggers import EventQueueTrigger
from tests.receive.queues import URL


def needs_messaging() -> None:
    """Skip the test without the provider, which needs Airflow 3.0."""
    pytest.importorskip(
        "airflow.providers.common.messaging", reason="apache-airflow-providers-common-messaging is not installed"
    )


def test_message_queue_trigger_becomes_an_event_queue_trigger() -> None:
    needs_messaging()
    from airflow.providers.common.messaging.triggers.msg_queue import MessageQueueTrigger

    pattern = {"source": ["shop"]}
    trigger = MessageQueueTrigger(scheme="eventbridge", queue_url=URL, event_pattern=pattern)
    expected = EventQueueTrigger(queue_url=URL, event_pattern=pattern)
    assert trigger.serialize() == expected.serialize()
    assert BaseEventTrigger.hash(*trigger.serialize()) == BaseEventTrigger.hash(*expected.serialize())


def test_no_queue_uri_belongs_to_the_scheme() -> None:
    needs_messaging()
    from airflow_cwevents.queues.event_queue import EventQueueProvider

    provider = EventQueueProvider()
    assert not provider.queue_matches(URL)
    assert provider.scheme_matches("eventbridge")


def test_without_the_messaging_provider_the_class_is_an_optional_feature() -> None:
    (path,) = get_provider_info()["queues"]
    module = path.rpartition(".")[0]
    code = (
        "import sys; sys.modules['airflow.providers.common.messaging.providers.base_provider'] = None\n"
        "from airflow_cwevents._airflow.compat import AirflowOptionalProviderFeatureException\n"
        f"try: import {module}\n"
        "except AirflowOptionalProviderFeatureException as error: print(error)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "airflow-provider-cwevents[messaging]" in result.stdout
