"""The scheme ``eventbridge`` of ``MessageQueueTrigger``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_cwevents._airflow.compat import AirflowOptionalProviderFeatureException

try:
    from airflow.providers.common.messaging.providers.base_provider import BaseMessageQueueProvider
except ImportError:
    raise AirflowOptionalProviderFeatureException(
        "MessageQueueTrigger needs apache-airflow-providers-common-messaging: "
        "pip install 'airflow-provider-cwevents[messaging]'"
    ) from None

if TYPE_CHECKING:
    from airflow.triggers.base import BaseEventTrigger


class EventQueueProvider(BaseMessageQueueProvider):
    """Let ``MessageQueueTrigger(scheme="eventbridge", …)`` take the arguments of an ``EventQueueTrigger``."""

    scheme = "eventbridge"

    def queue_matches(self, queue: str) -> bool:
        """Return False: the URL of an SQS queue belongs to the scheme ``sqs``."""
        return False

    def trigger_class(self) -> type[BaseEventTrigger]:
        """Return the trigger."""
        from airflow_cwevents.triggers import EventQueueTrigger

        return EventQueueTrigger

    def trigger_kwargs(self, queue: str, **kwargs: object) -> dict[str, object]:
        """Return nothing: no queue URI leads here."""
        return {}
