"""Create the senders of one client, and stop them together."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from airflow_cwevents._aws.arns import check_event_bus_name
from airflow_cwevents._send.codec import CheckedEntries
from airflow_cwevents._send.lane_settings import UnsuitableClientError, lane_settings
from airflow_cwevents._send.preparation import Preparation
from airflow_cwevents._send.retry_queue import backoff_seconds
from airflow_cwevents._send.sender import EventSender
from airflow_cwevents._send.workers import ThreadTransport
from airflow_cwevents.exceptions import InvalidInputError

if TYPE_CHECKING:
    from airflow_cwevents._send.entries import EntryResult, SizedEntry
    from airflow_cwevents._send.options import SendOptions
    from airflow_cwevents._send.transport import Transport

_LOG = logging.getLogger(__name__)


class EventSending:
    """
    Sends events through one client.

    :param client: the boto3 client ``events``.
    :param check_event_bus: raises if a bus does not exist.
    """

    def __init__(self, client: Any, check_event_bus: Callable[[str | None], None]) -> None:
        self._client = client
        self._check_event_bus = check_event_bus
        self._senders: WeakSet[EventSender] = WeakSet()

    def preparation(self, event_bus_name: str | None, max_bytes: int, *, check_event_bus: bool) -> Preparation:
        """
        Return an object that validates and measures entries.

        :param event_bus_name: name or ARN of the bus for entries that name none; None for the default bus.
        :param max_bytes: the maximum size of a request, in bytes.
        :param check_event_bus: whether to check that each named bus exists.
        :raises InvalidInputError: if the bus belongs to another API.
        :raises EventBusNotFoundError: if the bus does not exist.
        """
        check_event_bus_name(event_bus_name)
        members = frozenset(self._client.meta.service_model.shape_for("PutEventsRequestEntry").members)
        return Preparation(event_bus_name, max_bytes, members, self._check_event_bus if check_event_bus else None)

    def start(
        self,
        entries: Iterable[SizedEntry | EntryResult],
        options: SendOptions,
        endpoint_id: str | None = None,
        *,
        in_order: bool = True,
        on_tick: Callable[[], None] | None = None,
    ) -> EventSender:
        """
        Return a sender of prepared entries.

        :param entries: prepared entries, and failed results of those that cannot be sent.
        :param options: how to send.
        :param endpoint_id: the id of a global endpoint.
        :param in_order: whether to yield the results in input order; otherwise, each as soon as it is known.
        :param on_tick: called at least once a second, between results.
        :return: an iterator of :class:`~airflow_cwevents._send.entries.EntryResult`, one for each entry.
        :raises InvalidInputError: if the endpoint requires a package that is not installed.
        """
        transport = self._transport(endpoint_id)
        sender = EventSender(transport, entries, options, backoff_seconds, in_order=in_order, on_tick=on_tick)
        self._senders.add(sender)
        return sender

    def stop(self) -> None:
        """Stop all senders; safe in a signal handler."""
        for sender in list(self._senders):
            sender.stop()

    def _transport(self, endpoint_id: str | None) -> Transport:
        put_events = self._client.put_events
        if endpoint_id:
            check_signer(endpoint_id)
            return ThreadTransport(lambda entries: put_events(Entries=CheckedEntries(entries), EndpointId=endpoint_id))
        threads = ThreadTransport(lambda entries: put_events(Entries=CheckedEntries(entries)))
        try:
            settings = lane_settings(self._client)
        except UnsuitableClientError as error:
            _LOG.debug("Sending through botocore: %s", error)
            return threads
        from airflow_cwevents._send.fast_lane import FastLane  # it imports pycurl, which may be missing

        return FastLane(self._client, settings, threads)


def check_signer(endpoint_id: str) -> None:
    """
    Check that requests to a global endpoint can be signed.

    :param endpoint_id: the id of the endpoint.
    :raises InvalidInputError: if the package that signs them is not installed.
    """
    if importlib.util.find_spec("awscrt") is None:
        raise InvalidInputError(
            "endpoint_id",
            "a global endpoint requires SigV4A signatures, and the package awscrt is not installed",
            "Install 'botocore[crt]' where the task runs",
            endpoint_id,
        )
