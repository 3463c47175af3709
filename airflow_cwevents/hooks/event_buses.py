"""Event buses."""

from __future__ import annotations

from botocore.exceptions import ClientError

from airflow_cwevents.arns import check_event_bus_name, is_default_bus
from airflow_cwevents.hooks.base import EventsClientHook
from airflow_cwevents.hooks.errors import bus_errors, message_of


class EventBusesHook(EventsClientHook):
    """The part of the hook that handles event buses."""

    def check_event_bus(self, event_bus_name: str | None) -> None:
        """
        Make sure that a bus exists, as far as we are allowed to look.

        AWS accepts events for a bus that does not exist, and drops them.

        :param event_bus_name: the bus's name or ARN. The default bus always exists, and is not looked up.
        :raises InvalidInputError: if it names no bus of this API.
        :raises EventBusNotFoundError: if the bus does not exist.

        .. seealso:: :external+boto3:py:meth:`EventBridge.Client.describe_event_bus`
        """
        check_event_bus_name(event_bus_name)
        if is_default_bus(event_bus_name):
            return
        try:
            with bus_errors(event_bus_name):
                self.conn.describe_event_bus(Name=event_bus_name)
        except ClientError as error:
            self.log.warning(
                "Whether event bus %s exists is not known, as events:DescribeEventBus failed: %s. AWS drops events for "
                "a bus that does not exist.",
                event_bus_name,
                message_of(error),
            )
