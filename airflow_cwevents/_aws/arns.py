"""Amazon Resource Names, and the names of event buses that come as one."""

from __future__ import annotations

from typing import NamedTuple

from airflow_cwevents.exceptions import InvalidInputError

DEFAULT_EVENT_BUS = "default"


class Arn(NamedTuple):
    """
    An ARN, by its parts.

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
        Take an ARN apart.

        :return: its parts, or None if the text has not the shape of an ARN.
        """
        parts = text.split(":", 5)
        if len(parts) < 6 or parts[0] != "arn" or not all((parts[1], parts[2], parts[5])):
            return None
        return cls(*parts[1:])

    def __str__(self) -> str:
        return ":".join(("arn", *self))


def check_event_bus_name(event_bus_name: str | None, place: str = "event_bus_name") -> None:
    """
    Refuse what names no bus of this API.

    :param event_bus_name: a bus name or ARN, or None for the default bus.
    :param place: where it stands in the caller's input, for the error.
    :raises InvalidInputError: if it is empty, no text, or the ARN of a V2 bus.
    """
    if event_bus_name is None:
        return
    if not isinstance(event_bus_name, str) or not event_bus_name:
        raise InvalidInputError(
            place, "it is not a name", "Give the bus's name or ARN, or leave it out for the default bus", event_bus_name
        )
    if ":event-busv2/" in event_bus_name:
        raise InvalidInputError(
            place,
            "a V2 event bus belongs to another API, which has no rules, targets or PutEvents",
            "Name a bus whose ARN contains ':event-bus/'",
            event_bus_name,
        )


def is_default_bus(event_bus_name: str | None) -> bool:
    """Return whether a bus name or ARN, or None, stands for the account's default bus."""
    return event_bus_name is None or bus_name_of(event_bus_name) == DEFAULT_EVENT_BUS


def bus_name_of(event_bus_name: str) -> str:
    """Return the name of a bus that is given by its name or its ARN. Names of partner buses contain slashes."""
    arn = Arn.parse(event_bus_name)
    return arn.resource.removeprefix("event-bus/") if arn else event_bus_name


def bus_members(event_bus_name: str | None) -> dict[str, str]:
    """
    Name the bus in a request.

    :param event_bus_name: a bus name or ARN, or None for the default bus.
    :return: the member ``EventBusName``, or nothing.
    :raises InvalidInputError: if it names no bus of this API.
    """
    check_event_bus_name(event_bus_name)
    return {"EventBusName": event_bus_name} if event_bus_name else {}
