"""The link to an event bus."""

from __future__ import annotations

from airflow_cwevents.links.console import ConsoleLink, ConsolePlace


class EventBusLink(ConsoleLink):
    """Opens the event bus in the AWS console."""

    name = "Event Bus"

    def path(self, place: ConsolePlace) -> list[str] | None:
        """Return the path of the bus's page."""
        return ["eventbus", place.event_bus_name]
