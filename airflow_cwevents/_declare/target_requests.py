"""Requests about many targets, in batches, with retries of transient failures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import ClientError
from botocore.validate import ParamValidator

from airflow_cwevents._aws.errors import code_of, is_conflict, message_of
from airflow_cwevents._aws.limits import MAX_TARGETS_PER_REQUEST, RETRYABLE_TARGET_CODES
from airflow_cwevents._aws.retries import call_with_retries
from airflow_cwevents._declare.target_ranges import excesses
from airflow_cwevents._declare.target_spec import TEMPLATE_HINT
from airflow_cwevents.exceptions import FailedTarget, InvalidTargetError

if TYPE_CHECKING:
    from botocore.model import Shape
    from tenacity.wait import wait_base

T = TypeVar("T")

TARGET_ATTEMPTS = 8


def check_shapes(targets: Iterable[Mapping[str, Any]], shape: Shape) -> None:
    """
    Validate targets against botocore's model of a target, nested members included.

    :param targets: the targets, normalised.
    :param shape: botocore's model of a target.
    :raises InvalidTargetError: if botocore would refuse to send one of them, or AWS as a value is too large.
    """
    for index, target in enumerate(targets):
        report = ParamValidator().validate(target, shape)
        if report.has_errors():
            reason = report.generate_report()
            hint = f": {TEMPLATE_HINT}" if "<class 'str'>, valid" in reason else ""
            remedy = f"Correct it by AWS's API reference{hint}"
            raise InvalidTargetError(index, "", reason, remedy, target, target["Id"])
        for excess in excesses(target, shape):
            raise InvalidTargetError(index, excess.place, excess.reason, "Reduce it", excess.value, target["Id"])


def call_in_batches(
    items: Sequence[T],
    id_of: Callable[[T], str],
    call: Callable[[list[T]], Mapping[str, Any]],
    wait: wait_base,
) -> list[FailedTarget]:
    """
    Make requests about targets, each with as many as a request may hold, and retry transient failures.

    :param items: the targets, or their ids.
    :param id_of: returns an item's target id.
    :param call: makes a request with some of the items.
    :param wait: how long to wait before an item is retried, in seconds.
    :return: the targets that still failed after the retries.
    """
    failed: list[FailedTarget] = []
    for start in range(0, len(items), MAX_TARGETS_PER_REQUEST):
        failed += _call_with_batch(items[start : start + MAX_TARGETS_PER_REQUEST], id_of, call, wait)
    return failed


def _call_with_batch(
    batch: Sequence[T], id_of: Callable[[T], str], call: Callable[[list[T]], Mapping[str, Any]], wait: wait_base
) -> list[FailedTarget]:
    failed: dict[str, FailedTarget] = {}
    pending = {id_of(item): item for item in batch}

    def attempt() -> bool:
        """Make a request with the pending items; return whether none is left to retry."""
        answered = {failure.target_id: failure for failure in _failures(list(pending), list(pending.values()), call)}
        for target_id in pending:
            failed.pop(target_id, None)
        failed.update(answered)
        retried = {name for name, failure in answered.items() if failure.code in RETRYABLE_TARGET_CODES}
        for target_id in pending.keys() - retried:
            del pending[target_id]
        return not pending

    call_with_retries(attempt, wait=wait, attempts=TARGET_ATTEMPTS, is_done=bool)
    return list(failed.values())


def _failures(ids: list[str], items: list[T], call: Callable[[list[T]], Mapping[str, Any]]) -> list[FailedTarget]:
    try:
        response = call(items)
    except ClientError as error:
        # botocore has already retried all other transient errors
        if not is_conflict(error):
            raise
        return [FailedTarget(target_id, str(code_of(error)), message_of(error)) for target_id in ids]
    return [
        FailedTarget(entry["TargetId"], entry.get("ErrorCode", "Unknown"), entry.get("ErrorMessage", ""))
        for entry in response.get("FailedEntries") or ()
    ]


def are_permanent(failed: Iterable[FailedTarget]) -> bool:
    """Return whether all of the targets would fail again."""
    return all(failure.code not in RETRYABLE_TARGET_CODES for failure in failed)
