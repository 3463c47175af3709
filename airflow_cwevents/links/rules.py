"""The link to a rule."""

from __future__ import annotations

from airflow_cwevents.links.console import ConsoleLink, ConsolePlace


class EventRuleLink(ConsoleLink):
    """Opens the rule in the AWS console."""

    name = "Event Rule"

    def path(self, place: ConsolePlace) -> list[str] | None:
        """Return the path of the rule's page."""
        return ["eventbus", place.event_bus_name, "rules", place.rule] if place.rule else None
