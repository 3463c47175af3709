"""Serialize PutEvents requests with Python's JSON encoder instead of botocore's shape serializer."""

from __future__ import annotations

import json
from collections.abc import Mapping, MutableMapping, Sequence
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from airflow_cwevents._aws.client_config import protocol_of
from airflow_cwevents._aws.errors import is_throttling

_ENTRIES = "airflow_cwevents_entries"
# Passed to botocore's serializer and validator instead: valid, and next to no work.
_PLACEHOLDER: list[dict[str, Any]] = [{}]


class CheckedEntries(list[Mapping[str, Any]]):
    """Validated entries, which botocore need not validate again."""


def speed_up_put_events(client: Any) -> None:
    """
    Reduce the cost of ``client.put_events`` with :class:`CheckedEntries` by about a tenth, using botocore's events.

    botocore validates a placeholder. Everything else (signing, endpoints, retries,
    :class:`botocore.stub.Stubber`, moto) works as usual, as does a call with a plain list.

    :param client: the boto3 client ``events``.

    .. seealso:: https://boto3.amazonaws.com/v1/documentation/api/latest/guide/events.html
    """
    if protocol_of(client) != "json":
        return
    # last: a Stubber compares the real entries with those it expects
    client.meta.events.register_last("before-parameter-build.eventbridge.PutEvents", _set_entries_aside)
    client.meta.events.register_first("before-call.eventbridge.PutEvents", _write_body)


def report_throttling_at_once(client: Any) -> None:
    """
    Make ``client.put_events`` raise at once when AWS throttles a request of :class:`CheckedEntries`.

    botocore would sleep and retry in each thread, while the others go on as fast as before. The sender repeats such a
    request itself, at a lower rate. Everything else is still botocore's to retry, and so are other calls.

    :param client: a boto3 client ``events``.
    """
    client.meta.events.register_first("needs-retry.eventbridge.PutEvents", _raise_throttling)


def _raise_throttling(
    response: tuple[Any, Any] | None, operation: Any, request_dict: Mapping[str, Any], **_: Any
) -> None:
    if response is not None and _ENTRIES in request_dict["context"]:
        error = ClientError(response[1], operation.name)
        if is_throttling(error):
            raise error


def _set_entries_aside(params: MutableMapping[str, Any], context: MutableMapping[str, Any], **_: Any) -> None:
    if isinstance(params.get("Entries"), CheckedEntries):
        context[_ENTRIES] = params["Entries"]
        params["Entries"] = _PLACEHOLDER


def _write_body(params: MutableMapping[str, Any], context: MutableMapping[str, Any], **_: Any) -> None:
    if _ENTRIES in context:
        body = json.loads(params["body"])
        body["Entries"] = context[_ENTRIES]
        params["body"] = _encode(body).encode()


def encode_entries(entries: Sequence[Mapping[str, Any]]) -> bytes:
    """
    Write the body of a request.

    :param entries: its entries, normalised.
    :return: the JSON that botocore would write.
    """
    return _encode({"Entries": entries}).encode()


def _to_timestamp(value: object) -> float:
    if not isinstance(value, datetime):
        raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")
    seconds = value.timestamp()
    return int(seconds) if seconds.is_integer() else seconds


_encode = json.JSONEncoder(separators=(",", ":"), default=_to_timestamp).encode
