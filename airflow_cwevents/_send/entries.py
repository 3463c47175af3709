"""
Validate an entry of PutEvents, convert it to the form that AWS accepts, and measure it.

.. seealso:: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsRequestEntry.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any, TypedDict

from airflow_cwevents._aws.arns import check_event_bus_name
from airflow_cwevents._aws.json_text import JSON_TYPE_NAMES, parse_json_text, to_json_text
from airflow_cwevents._aws.limits import (
    ENTRY_MEMBERS,
    ENTRY_TIME_BYTES,
    MAX_DETAIL_TYPE_LENGTH,
    MAX_REQUEST_BYTES,
    MAX_TRACE_HEADER_LENGTH,
)
from airflow_cwevents.exceptions import EntryTooLargeError, InvalidEntryError, InvalidInputError

# The members that a file of failed entries adds to each entry; omitted when the entry is sent again.
FAILURE_MEMBERS = frozenset({"ErrorCode", "ErrorMessage"})
# A dict is recognized at once; checking for other mappings is slower.
_MAPPING = (dict, Mapping)


class Entry(TypedDict, total=False):
    """An entry as users write it: AWS's member names; Source, DetailType and Detail are required."""

    Source: str
    DetailType: str
    Detail: Mapping[str, Any] | str
    Time: datetime | str
    Resources: list[str]
    EventBusName: str
    TraceHeader: str


@dataclass(slots=True)
class EntryResult:
    """
    The outcome of an entry: an event id, or an error code and message.

    :ivar index: the entry's index in the input, from 0.
    :ivar event_id: the id under which the event is delivered; None if it was not accepted.
    :ivar error_code: AWS's error code, or the name of the error, if it was not accepted.
    :ivar error_message: the error message.
    :ivar retryable: whether another attempt with the same entry may succeed.
    :ivar entry: the entry, if it was not accepted.
    """

    index: int
    event_id: str | None
    error_code: str | None = None
    error_message: str | None = None
    retryable: bool = False
    entry: Mapping[str, Any] | None = None


@dataclass(slots=True)
class SizedEntry:
    """
    A validated entry, with its state while it is sent.

    :ivar index: the entry's index in the input, from 0.
    :ivar entry: the entry as boto3 accepts it.
    :ivar size: its size in bytes.
    :ivar position: its position among the entries to send, from 0; those that a previous attempt sent are not counted.
    :ivar failures: how many attempts have failed.
    :ivar failed_since: when it first failed, by the sender's clock, in seconds.
    """

    index: int
    entry: Mapping[str, Any]
    size: int
    position: int = 0
    failures: int = 0
    failed_since: float = 0.0


def normalise_entry(
    entry: Entry | Mapping[str, Any],
    index: int,
    event_bus_name: str | None = None,
    members: frozenset[str] = ENTRY_MEMBERS,
) -> dict[str, Any]:
    """
    Validate an entry, and convert it to the form that boto3 accepts.

    ``Detail`` becomes a JSON string, ``Time`` an aware datetime (UTC by default), and the default bus is filled in.

    :param entry: the entry, with AWS's member names. Members that are None are omitted.
    :param index: its index in the input, for errors.
    :param event_bus_name: the bus for an entry that names none.
    :param members: the members that an entry may have.
    :return: a new dict.
    :raises InvalidEntryError: if AWS would reject the entry, or accept and drop it.
    """
    if not isinstance(entry, _MAPPING):
        raise InvalidEntryError(index, "", f"it is of type {type(entry).__name__}", "Pass a dict", entry)
    if not entry.keys() <= members:
        _check_members(entry, index, members)
        entry = {name: value for name, value in entry.items() if name in members}
    wire = {name: value for name, value in entry.items() if value is not None}
    _check_source(wire, index)
    _check_detail_type(wire, index)
    wire["Detail"] = _detail_text(wire.get("Detail"), index)
    if "Time" in wire:
        wire["Time"] = _aware_time(wire["Time"], index)
    if "Resources" in wire:
        wire["Resources"] = _resources(wire["Resources"], index)
    if "TraceHeader" in wire:
        _check_trace_header(wire["TraceHeader"], index)
    if event_bus_name is not None:
        wire.setdefault("EventBusName", event_bus_name)
    if "EventBusName" in wire:
        _check_bus(wire["EventBusName"], index)
    return wire


def entry_size_bytes(entry: Entry | Mapping[str, Any]) -> int:
    """
    Measure an entry as AWS does.

    ``TraceHeader`` is counted too: AWS's page does not mention it, but AWS's Kafka connector counts it.

    :param entry: the entry; a ``Detail`` that is not a string counts as its compact JSON.
    :return: its size in bytes.
    :raises UnicodeEncodeError: if a string contains a lone surrogate.

    .. seealso:: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html
    """
    detail = entry["Detail"]
    text = detail if isinstance(detail, str) else to_json_text(detail)
    text += entry["Source"] + entry["DetailType"] + "".join(entry.get("Resources") or ())
    if trace_header := entry.get("TraceHeader"):
        text += trace_header
    size = len(text) if text.isascii() else len(text.encode())
    return size + ENTRY_TIME_BYTES if entry.get("Time") is not None else size


def check_size(entry: Mapping[str, Any], index: int, max_bytes: int = MAX_REQUEST_BYTES) -> int:
    """
    Measure an entry, and check that it fits into a request.

    :param entry: the entry, normalised.
    :param index: its index in the input, for errors.
    :param max_bytes: the maximum size of a request, in bytes.
    :return: the entry's size in bytes.
    :raises EntryTooLargeError: if it exceeds the maximum.
    :raises InvalidEntryError: if it contains a string that UTF-8 cannot encode.
    """
    try:
        size = entry_size_bytes(entry)
    except UnicodeEncodeError as error:
        reason = f"it contains the lone surrogate {error.object[error.start]!r}"
        raise InvalidEntryError(index, "", reason, "Remove it; UTF-8 cannot encode it") from None
    if size > max_bytes:
        raise EntryTooLargeError(index, size, max_bytes)
    return size


def _check_members(entry: Mapping[str, Any], index: int, members: frozenset[str]) -> None:
    for name in entry:
        if name not in members and name not in FAILURE_MEMBERS:
            close = get_close_matches(str(name), members, n=1)
            remedy = f"Did you mean {close[0]!r}?" if close else f"AWS's members are {', '.join(sorted(members))}"
            raise InvalidEntryError(index, str(name), "AWS has no such member", remedy, entry[name])


def _check_source(wire: Mapping[str, Any], index: int) -> None:
    source = _required_text(wire, "Source", "com.company.app", index)
    if source.startswith("aws."):
        raise InvalidEntryError(
            index,
            "Source",
            "only AWS's own services may use a source that begins with 'aws.'",
            "Use another source",
            source,
        )


def _check_detail_type(wire: Mapping[str, Any], index: int) -> None:
    detail_type = _required_text(wire, "DetailType", "appRequestSubmitted", index)
    if len(detail_type) > MAX_DETAIL_TYPE_LENGTH:
        reason = f"it has {len(detail_type)} characters, and AWS drops events with more than {MAX_DETAIL_TYPE_LENGTH}"
        raise InvalidEntryError(index, "DetailType", reason, "Shorten it", detail_type)


def _required_text(wire: Mapping[str, Any], member: str, example: str, index: int) -> str:
    value = wire.get(member)
    if isinstance(value, str) and value:
        return value
    reason = "it is missing" if value is None or value == "" else f"it is of type {type(value).__name__}"
    raise InvalidEntryError(index, member, reason, f"Use a string such as {example!r}", value)


def _detail_text(detail: object, index: int) -> str:
    if isinstance(detail, str):
        _check_detail_text(detail, index)
        return detail
    if isinstance(detail, _MAPPING):
        return _detail_from_mapping(detail, index)
    reason = "it is missing" if detail is None else f"it is of type {type(detail).__name__}, not a JSON object"
    raise InvalidEntryError(index, "Detail", reason, "Pass a dict; {} if it is empty", detail)


def _detail_from_mapping(detail: Mapping[str, Any], index: int) -> str:
    try:
        return to_json_text(detail)
    except ValueError as error:
        remedy = "Use only strings, numbers, booleans, None, lists and dicts; convert datetimes with .isoformat()"
        raise InvalidEntryError(index, "Detail", str(error), remedy, detail) from None


def _check_detail_text(detail: str, index: int) -> None:
    try:
        value = parse_json_text(detail)
    except RecursionError:
        return
    except ValueError as error:
        remedy = "Pass a dict, or a JSON object as a string"
        raise InvalidEntryError(index, "Detail", str(error), remedy, detail) from None
    if not isinstance(value, dict):
        reason = f"it is a JSON {JSON_TYPE_NAMES[type(value)]}, and AWS accepts only JSON objects"
        raise InvalidEntryError(index, "Detail", reason, 'Wrap it, such as {"value": …}', detail)


def _aware_time(value: object, index: int) -> datetime:
    time = _parsed_time(value)
    if not isinstance(time, datetime):
        remedy = "Use a datetime, or an ISO 8601 string such as '2026-01-31T12:00:00Z'"
        raise InvalidEntryError(index, "Time", f"{value!r} is not a time", remedy, value)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _parsed_time(value: object) -> object:
    try:
        if isinstance(value, str):
            return datetime.fromisoformat(value)
        if isinstance(value, int | float) and not isinstance(value, bool):  # boto3 also accepts seconds since 1970
            return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return value


def _resources(value: object, index: int) -> list[str]:
    if isinstance(value, list | tuple) and all(isinstance(resource, str) for resource in value):
        return list(value)
    raise InvalidEntryError(index, "Resources", "it is not a list of strings", "Pass a list of ARNs", value)


def _check_trace_header(value: object, index: int) -> None:
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_TRACE_HEADER_LENGTH:
        reason = f"it is not a string of 1 to {MAX_TRACE_HEADER_LENGTH} characters"
        raise InvalidEntryError(index, "TraceHeader", reason, "Use an X-Ray trace header, or omit it", value)


def _check_bus(event_bus_name: Any, index: int) -> None:
    try:
        check_event_bus_name(event_bus_name)
    except InvalidInputError as error:
        raise InvalidEntryError(index, "EventBusName", error.reason, error.remedy, event_bus_name) from None
