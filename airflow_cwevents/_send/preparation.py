"""Entries validated and measured before they are sent, and their buses looked up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from airflow_cwevents._send.entries import Entry, EntryResult, SizedEntry, check_size, normalise_entry
from airflow_cwevents.exceptions import EventBusNotFoundError, InvalidEntryError

INVALID_ENTRY = "InvalidEntry"
# So many invalid entries are reported at a time.
MAX_REPORTED_ERRORS = 10
BUS_NOT_FOUND = "EventBusNotFound"


class Preparation:
    """
    Makes entries ready to be sent: normalised, measured, and each bus looked up once.

    :param event_bus_name: the bus for entries that name none.
    :param max_bytes: the maximum size of a request, in bytes.
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

    def validated(self, entries: Iterable[Entry | Mapping[str, Any]]) -> Iterator[SizedEntry]:
        """
        Validate and measure entries, all of which must be valid.

        :param entries: the entries; after an invalid one they are read on to report the first ten.
        :return: the entries, as long as all are valid.
        :raises InvalidEntryError: if some are invalid; its message lists the first ten.
        :raises EventBusNotFoundError: if one names a bus that does not exist.
        """
        errors: list[InvalidEntryError] = []
        for index, entry in enumerate(entries):
            try:
                ready = self.prepare_one(index, entry)
            except InvalidEntryError as error:
                errors.append(error)
                if len(errors) == MAX_REPORTED_ERRORS:
                    break
            else:
                if not errors:
                    yield ready
        if errors:
            raise errors[0].and_others(errors[1:])

    def _prepare_all(self, entries: Sequence[Entry | Mapping[str, Any]]) -> Iterator[SizedEntry]:
        """Make entries ready at once; kept apart from their sizes, they are less work for the garbage collector."""
        wires: list[Mapping[str, Any]] = []
        sizes: list[int] = []
        for ready in self.validated(entries):
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
