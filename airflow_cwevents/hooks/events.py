"""Events: sent, from one to millions."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any
from weakref import WeakSet

from tenacity import wait_random_exponential

from airflow_cwevents.arns import check_event_bus_name
from airflow_cwevents.entries import Entry, EntryResult, check_size, normalise_entry
from airflow_cwevents.exceptions import EventBusNotFoundError, InvalidEntryError, InvalidInputError
from airflow_cwevents.hooks.codec import CheckedEntries
from airflow_cwevents.hooks.event_buses import EventBusesHook
from airflow_cwevents.hooks.send_options import SendOptions
from airflow_cwevents.hooks.sender import EventSender, SizedEntry
from airflow_cwevents.limits import MAX_REQUEST_BYTES

INVALID_ENTRY = "InvalidEntry"
BUS_NOT_FOUND = "EventBusNotFound"


class EventsHook(EventBusesHook):
    """The part of the hook that sends events."""

    #: How long to wait before entries are sent again, in seconds.
    entry_retry_wait = wait_random_exponential(multiplier=0.2, max=20)

    def put_events(
        self,
        entries: Iterable[Entry | Mapping[str, Any]],
        *,
        event_bus_name: str | None = None,
        endpoint_id: str | None = None,
        check_event_bus: bool = True,
        max_bytes: int = MAX_REQUEST_BYTES,
        max_concurrency: int = 16,
        max_attempts: int = 10,
        max_retry_seconds: float = 300.0,
        max_events_per_second: float | None = None,
    ) -> EventSender:
        """
        Send events: concurrently, in bounded memory, those that AWS throttled again, none forgotten.

        Nothing is sent before the first result is asked for. A list or tuple is checked whole before that; of any
        other iterable each entry is checked when its turn comes, and a bad one becomes a failed result, so that
        nothing is unknown of those that are on their way by then.

        :param entries: the entries, with AWS's member names; ``Detail`` as dict or JSON text, ``Time`` as datetime or
            ISO 8601 text. Any iterable: a generator is read only as far ahead as the requests need.
        :param event_bus_name: name or ARN of the bus for entries that name none; None for the default bus.
        :param endpoint_id: the id of a global endpoint, such as ``abcde.veo``; needs ``botocore[crt]``.
        :param check_event_bus: whether to make sure that each named bus exists, as AWS drops events for one that does
            not. Without the permission events:DescribeEventBus there is a warning.
        :param max_bytes: the most that a request may hold, in bytes; some regions still have 262,144.
        :param max_concurrency: the most requests under way at a time, 1 to 256; fewer while AWS throttles.
        :param max_attempts: how often an entry is sent at most, the first time included.
        :param max_retry_seconds: how long after its first failure an entry is sent again at most, in seconds.
        :param max_events_per_second: the most events a second; None for as many as AWS takes.
        :return: an iterator of :class:`~airflow_cwevents.entries.EntryResult`, one an entry, in input order. It raises
            :class:`~airflow_cwevents.exceptions.PutEventsStoppedError` at the end if sending was stopped, or requests
            have only failed for five minutes.
        :raises InvalidInputError: if a parameter, or an entry of a list or tuple, is bad; nothing was sent then.
        :raises EventBusNotFoundError: if a bus does not exist.

        .. seealso:: :external+boto3:py:meth:`EventBridge.Client.put_events`
        """
        options = SendOptions(
            max_bytes=max_bytes,
            max_concurrency=max_concurrency,
            max_attempts=max_attempts,
            max_retry_seconds=max_retry_seconds,
            max_events_per_second=max_events_per_second,
        )
        preparation = self.preparation(event_bus_name, max_bytes, check_event_bus=check_event_bus)
        return self.send_prepared(preparation.prepare(entries), options, endpoint_id)

    def preparation(self, event_bus_name: str | None, max_bytes: int, *, check_event_bus: bool) -> Preparation:
        """
        Begin to make entries ready for :meth:`send_prepared`, where an entry's index is not its place in the stream.

        :param event_bus_name: name or ARN of the bus for entries that name none; None for the default bus.
        :param max_bytes: the most that a request may hold, in bytes.
        :param check_event_bus: whether to make sure that each named bus exists.
        :return: what makes them ready.
        :raises InvalidInputError: if the bus is none of this API.
        :raises EventBusNotFoundError: if the bus does not exist.
        """
        check_event_bus_name(event_bus_name)
        members = frozenset(self.conn.meta.service_model.shape_for("PutEventsRequestEntry").members)
        return Preparation(event_bus_name, max_bytes, members, self.check_event_bus if check_event_bus else None)

    def send_prepared(
        self,
        entries: Iterable[SizedEntry | EntryResult],
        options: SendOptions,
        endpoint_id: str | None = None,
        *,
        in_order: bool = True,
        on_tick: Callable[[], None] | None = None,
    ) -> EventSender:
        """
        Send entries that are ready; :meth:`put_events` is the same for those that are not.

        :param entries: the entries; those that cannot be sent, as their results.
        :param options: how to send.
        :param endpoint_id: the id of a global endpoint.
        :param in_order: whether to give the results in input order; if not, each as soon as it is known.
        :param on_tick: called every second or more often, between the results.
        :return: an iterator of :class:`~airflow_cwevents.entries.EntryResult`, one an entry.
        :raises InvalidInputError: if the endpoint needs a package that is missing.
        """
        sender = EventSender(
            self._request_function(endpoint_id),
            entries,
            options,
            self.entry_retry_wait,
            in_order=in_order,
            on_tick=on_tick,
        )
        self._senders.add(sender)
        return sender

    def stop_sending(self) -> None:
        """
        Let every iterator that :meth:`put_events` gave come to its end at once; safe in a signal handler.

        Each gives the results that it has by then, and raises
        :class:`~airflow_cwevents.exceptions.PutEventsStoppedError`.
        """
        for sender in list(self._senders):
            sender.stop()

    @cached_property
    def _senders(self) -> WeakSet[EventSender]:
        return WeakSet()

    def _request_function(self, endpoint_id: str | None) -> Callable[[list[Mapping[str, Any]]], Mapping[str, Any]]:
        put_events = self.conn.put_events
        if not endpoint_id:
            return lambda entries: put_events(Entries=CheckedEntries(entries))
        if importlib.util.find_spec("awscrt") is None:
            raise InvalidInputError(
                "endpoint_id",
                "a global endpoint needs SigV4A signatures, and those the package awscrt, which is missing",
                "Install 'botocore[crt]' where the task runs",
                endpoint_id,
            )
        return lambda entries: put_events(Entries=CheckedEntries(entries), EndpointId=endpoint_id)


class Preparation:
    """
    Makes entries ready to be sent: normalised, measured, and each bus looked up once.

    :param event_bus_name: the bus for entries that name none.
    :param max_bytes: the most that a request may hold, in bytes.
    :param members: the members that an entry can have.
    :param check_event_bus: raises if a bus does not exist; None to let every bus pass.
    """

    def __init__(
        self,
        event_bus_name: str | None,
        max_bytes: int,
        members: frozenset[str],
        check_event_bus: Callable[[str | None], None] | None,
    ) -> None:
        self._event_bus_name = event_bus_name
        self._max_bytes = max_bytes
        self._members = members
        self._check_event_bus = check_event_bus
        self._known_buses: set[str | None] = {None}
        self._missing_buses: set[str] = set()
        self._check_bus_once(event_bus_name)

    def prepare(self, entries: Iterable[Entry | Mapping[str, Any]]) -> Iterable[SizedEntry | EntryResult]:
        """
        Make entries ready.

        :param entries: the entries.
        :return: those of a list or tuple at once; of any other iterable one by one, bad ones as failed results.
        :raises InvalidEntryError: at a bad entry of a list or tuple.
        """
        if isinstance(entries, list | tuple):
            return self._prepare_all(entries)
        return (self.prepare_or_fail(index, entry) for index, entry in enumerate(entries))

    def prepare_or_fail(self, index: int, entry: Entry | Mapping[str, Any]) -> SizedEntry | EntryResult:
        """
        Make one entry ready.

        :param index: its index in the input.
        :param entry: the entry.
        :return: the entry, or its failed result if it is bad.
        """
        try:
            return self.prepare_one(index, entry)
        except InvalidEntryError as error:
            return EntryResult(index, None, INVALID_ENTRY, error.without_index, entry=entry)
        except EventBusNotFoundError as error:
            return EntryResult(index, None, BUS_NOT_FOUND, str(error), entry=entry)

    def prepare_one(self, index: int, entry: Entry | Mapping[str, Any]) -> SizedEntry:
        """
        Make one entry ready.

        :param index: its index in the input.
        :param entry: the entry.
        :return: the entry.
        :raises InvalidEntryError: if it is bad.
        :raises EventBusNotFoundError: if it names a bus that does not exist.
        """
        wire = normalise_entry(entry, index, self._event_bus_name, self._members)
        size = check_size(wire, index, self._max_bytes)
        self._check_bus_once(wire.get("EventBusName"))
        return SizedEntry(index, wire, size)

    def _prepare_all(self, entries: Sequence[Entry | Mapping[str, Any]]) -> Iterator[SizedEntry]:
        """Make entries ready at once; kept apart from their sizes, they are less work for the garbage collector."""
        wires: list[Mapping[str, Any]] = []
        sizes: list[int] = []
        for index, entry in enumerate(entries):
            ready = self.prepare_one(index, entry)
            wires.append(ready.entry)
            sizes.append(ready.size)
        return map(SizedEntry, range(len(wires)), wires, sizes)

    def _check_bus_once(self, event_bus_name: str | None) -> None:
        if event_bus_name in self._known_buses:
            return
        if event_bus_name in self._missing_buses:  # each entry its own error: one raised again keeps every frame
            raise EventBusNotFoundError(event_bus_name)
        try:
            if self._check_event_bus:
                self._check_event_bus(event_bus_name)
        except EventBusNotFoundError as error:
            self._missing_buses.add(error.event_bus_name)
            raise
        self._known_buses.add(event_bus_name)
