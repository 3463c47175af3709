"""Quotas that are used up, which botocore takes for throttling and would retry for the best part of a minute."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from airflow_cwevents.limits import QUOTA_CODE

# By operation, the quota that its error is about, and how to do without a higher one.
QUOTAS: Final = {
    "PutRule": ("rules, or of rules with wildcards, per event bus", "Delete rules that are no longer needed"),
    "PutTargets": ("targets per rule", "Put some on a second rule with the same pattern"),
}


def stop_at_quotas(client: Any) -> None:
    """
    Have requests fail at once if a quota is used up, through botocore's event system.

    :param client: a boto3 client ``events``.

    .. seealso:: https://boto3.amazonaws.com/v1/documentation/api/latest/guide/retries.html
    """
    for operation in QUOTAS:
        # first: what decides about retries spends from botocore's allowance of them
        event = f"needs-retry.eventbridge.{operation}"
        client.meta.events.register_first(event, partial(_stop_at_quota, client.exceptions))


def _stop_at_quota(exceptions: Any, response: tuple[Any, dict[str, Any]] | None, operation: Any, **_: Any) -> None:
    answer = response[1] if response else {}
    if answer.get("Error", {}).get("Code") == QUOTA_CODE:
        raise exceptions.from_code(QUOTA_CODE)(answer, operation.name)
