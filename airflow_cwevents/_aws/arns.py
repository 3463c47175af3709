"""Amazon Resource Names (ARNs), and event buses named by one."""

from __future__ import annotations

from typing import NamedTuple

from airflow_cwevents.exceptions import InvalidInputError

DEFAULT_EVENT_BUS = "default"


class Arn(NamedTuple):
    """
    The parts of an ARN.

    .. seealso:: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
    """

    partition: str
    service: str
    region: str
    account: str
    resource: str

    @classmethod
    def parse(cls, text: str) -> Arn | None:
        """
        Split an ARN into its parts.

        :param text: the string.
        :return: the parts, or None if the string does not have the form of an ARN.
        """
        parts = text.split(":", 5)
        if len(parts) < 6 or parts[0] != "arn" or not all((parts[1], parts[2], parts[5])):
            return None
        return cls(*parts[1:])

    def __str__(self) -> str:
        return ":".join(("arn", *self))


def check_event_bus_name(event_bus_name: str | None, place: str = "event_bus_name") -> None:
    """
    Validate a bus name or ARN.

    :param event_bus_name: a bus name or ARN, or None for the default bus.
    :param place: its place in the caller's input, for the error.
    :raises InvalidInputError: if it is empty, not a string, or the ARN of a V2 bus.
    """
    if event_bus_name is None:
        return
    if not isinstance(event_bus_name, str) or not event_bus_name:
        raise InvalidInputError(
            place, "it is not a name", "Pass the bus's name or ARN, or omit it for the default bus", event_bus_name
        )
    if ":event-busv2/" in event_bus_name:
        raise InvalidInputError(
            place,
            "a V2 event bus belongs to another API, without rules, targets and PutEvents",
            "Use a bus whose ARN contains ':event-bus/'",
            event_bus_name,
        )


def is_default_bus(event_bus_name: str | None) -> bool:
    """Return whether a bus name or ARN, or None, means the account's default bus."""
    return event_bus_name is None or bus_name_of(event_bus_name) == DEFAULT_EVENT_BUS


def bus_name_of(event_bus_name: str) -> str:
    """Return the name of a bus from its name or ARN. Names of partner buses contain slashes."""
    arn = Arn.parse(event_bus_name)
    return arn.resource.removeprefix("event-bus/") if arn else event_bus_name


def bus_members(event_bus_name: str | None) -> dict[str, str]:
    """
    Return the request member that names the bus.

    :param event_bus_name: a bus name or ARN, or None for the default bus.
    :return: the member ``EventBusName``, or nothing for the default bus.
    :raises InvalidInputError: if it is not a name or ARN of a bus of this API.
    """
    check_event_bus_name(event_bus_name)
    return {"EventBusName": event_bus_name} if event_bus_name else {}
