"""What the links share: where in the AWS console they lead."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk.types import RuntimeTaskInstanceProtocol

# https://docs.aws.amazon.com/general/latest/gr/rande.html
_CONSOLES = {
    "aws": "https://console.aws.amazon.com",
    "aws-cn": "https://console.amazonaws.cn",
    "aws-us-gov": "https://console.amazonaws-us-gov.com",
}


@dataclass(frozen=True, slots=True)
class ConsolePlace:
    """
    What a task has to do with.

    :param partition: the partition, such as ``aws`` or ``aws-cn``.
    :param region_name: the region.
    :param event_bus_name: the name of the bus.
    :param rule: the name of the rule; None if the task has to do with none.
    """

    partition: str
    region_name: str
    event_bus_name: str
    rule: str | None = None


class ConsoleLink(BaseOperatorLink):
    """Base of the links: Airflow asks for them when the task has ended, in the same process."""

    def get_link(self, operator: Any, *, ti_key: RuntimeTaskInstanceProtocol | Any) -> str:
        """
        Give the link.

        :param operator: the operator, after it was executed.
        :param ti_key: which of its runs is meant; there is just one by then.
        :return: the link; empty if there is nothing to show, or no console that we know.
        """
        place: ConsolePlace | None = getattr(operator, "console_place", None)
        path = self.path(place) if place else None
        console = _CONSOLES.get(place.partition) if place else None
        if not place or not path or not console:
            return ""
        # the names of partner buses hold slashes
        escaped = "/".join(quote(part, safe="") for part in path)
        return f"{console}/events/home?region={place.region_name}#/{escaped}"

    @abstractmethod
    def path(self, place: ConsolePlace) -> list[str] | None:
        """Return the path within the console, its parts unescaped; None if there is nothing to show."""
