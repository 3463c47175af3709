"""What the links share: the place in the AWS console that they open."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from airflow_cwevents._airflow.compat import BaseOperatorLink, stored_link

if TYPE_CHECKING:
    from airflow.sdk.types import RuntimeTaskInstanceProtocol

# https://docs.aws.amazon.com/general/latest/gr/rande.html
_CONSOLES = {
    "aws": "https://console.aws.amazon.com",
    "aws-cn": "https://console.amazonaws.cn",
    "aws-us-gov": "https://console.amazonaws-us-gov.com",
}
# https://docs.aws.amazon.com/general/latest/gr/rande.html and, for dual-stack endpoints,
# https://docs.aws.amazon.com/general/latest/gr/ev.html; those of VPC endpoints end with vpce.amazonaws.com
_AWS_DOMAINS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws", ".api.amazonwebservices.com.cn")


@dataclass(frozen=True, slots=True)
class ConsolePlace:
    """
    What a task works on.

    :param partition: the partition, such as ``aws`` or ``aws-cn``.
    :param region_name: the region.
    :param event_bus_name: the name of the bus.
    :param rule: the name of the rule; None if the task concerns no rule.
    """

    partition: str
    region_name: str
    event_bus_name: str
    rule: str | None = None


def has_console(endpoint_url: str) -> bool:
    """
    Return whether the AWS console shows what is behind an endpoint.

    :param endpoint_url: the URL that the client calls.
    :return: False for an endpoint that is not AWS's own, such as that of a local AWS.
    """
    return (urlsplit(endpoint_url).hostname or "").endswith(_AWS_DOMAINS)


class ConsoleLink(BaseOperatorLink):
    """Base of the links: Airflow 3 asks for them when the task has ended, in the same process; Airflow 2 elsewhere."""

    def get_link(self, operator: Any, *, ti_key: RuntimeTaskInstanceProtocol | Any) -> str:
        """
        Return the link.

        :param operator: the operator, after it was executed.
        :param ti_key: the key of the task instance, needed on Airflow 2 only.
        :return: the link; empty if there is nothing to show, or if the console of the partition is unknown.
        """
        place: ConsolePlace | None = getattr(operator, "console_place", None)
        return self._url(place) if place else stored_link(self, ti_key)

    def _url(self, place: ConsolePlace) -> str:
        path = self.path(place)
        console = _CONSOLES.get(place.partition)
        if not path or not console:
            return ""
        # the names of partner buses hold slashes
        escaped = "/".join(quote(part, safe="") for part in path)
        return f"{console}/events/home?region={place.region_name}#/{escaped}"

    @abstractmethod
    def path(self, place: ConsolePlace) -> list[str] | None:
        """Return the path within the console, its parts unescaped; None if there is nothing to show."""
