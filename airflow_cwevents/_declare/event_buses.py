"""Event buses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from airflow_cwevents._aws.arns import check_event_bus_name, is_default_bus
from airflow_cwevents._aws.errors import bus_errors, message_of

if TYPE_CHECKING:
    from airflow_cwevents._aws.logger import Logger


class EventBuses:
    """
    Event buses of the account.

    :param client: the boto3 client ``events``.
    :param log: where to log to.
    """

    def __init__(self, client: Any, log: Logger) -> None:
        self._client = client
        self._log = log

    def check(self, event_bus_name: str | None) -> None:
        """
        Make sure that a bus exists, as far as the credentials allow.

        AWS accepts events for a missing bus, and drops them.

        :param event_bus_name: the bus's name or ARN. The default bus always exists, and is not described.
        :raises InvalidInputError: if the bus belongs to another API.
        :raises EventBusNotFoundError: if the bus does not exist.

        .. seealso:: :external+boto3:py:meth:`EventBridge.Client.describe_event_bus`
        """
        check_event_bus_name(event_bus_name)
        if is_default_bus(event_bus_name):
            return
        try:
            with bus_errors(event_bus_name):
                self._client.describe_event_bus(Name=event_bus_name)
        except ClientError as error:
            self._log.warning(
                "Cannot check event bus %s, and AWS drops events for a missing bus: events:DescribeEventBus failed: %s",
                event_bus_name,
                message_of(error),
            )
