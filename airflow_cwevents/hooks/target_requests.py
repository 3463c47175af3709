"""Requests about many targets: ten at a time, and again for those that failed for a passing reason."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from botocore.validate import ParamValidator
from tenacity import Retrying, retry_if_result, stop_after_attempt

from airflow_cwevents.exceptions import FailedTarget, InvalidTargetError
from airflow_cwevents.hooks.errors import code_of, is_conflict, message_of
from airflow_cwevents.limits import MAX_TARGETS_PER_REQUEST, RETRYABLE_TARGET_CODES
from airflow_cwevents.targets import TEMPLATE_HINT

if TYPE_CHECKING:
    from botocore.model import Shape
    from tenacity.wait import wait_base

TARGET_ATTEMPTS = 8


def check_shapes(targets: Iterable[Mapping[str, Any]], shape: Shape) -> None:
    """
    Check targets against AWS's own description of a target, down to the last nested member.

    :param targets: the targets, normalised.
    :param shape: what botocore knows of a target.
    :raises InvalidTargetError: if botocore would refuse to send one of them.
    """
    for index, target in enumerate(targets):
        report = ParamValidator().validate(target, shape)
        if report.has_errors():
            reason = report.generate_report()
            hint = f": {TEMPLATE_HINT}" if "<class 'str'>, valid" in reason else ""
            remedy = f"Correct it as AWS's reference says{hint}"
            raise InvalidTargetError(index, "", reason, remedy, target, target["Id"])


def in_tens(
    items: Sequence[Any],
    id_of: Callable[[Any], str],
    call: Callable[[list[Any]], Mapping[str, Any]],
    wait: wait_base,
) -> list[FailedTarget]:
    """
    Do something with targets, as many at a time as a request may hold.

    :param items: the targets, or their ids.
    :param id_of: gives an item's target id.
    :param call: makes a request with some of the items.
    :param wait: how long to wait before an item is tried again.
    :return: the targets that failed for good.
    """
    failed: list[FailedTarget] = []
    for start in range(0, len(items), MAX_TARGETS_PER_REQUEST):
        attempt = _Attempt(list(items[start : start + MAX_TARGETS_PER_REQUEST]), id_of, call)
        retrying = Retrying(
            retry=retry_if_result(lambda done: not done),
            wait=wait,
            stop=stop_after_attempt(TARGET_ATTEMPTS),
            retry_error_callback=lambda _: False,
        )
        retrying(attempt.make)
        failed += attempt.failed.values()
    return failed


def are_permanent(failed: Iterable[FailedTarget]) -> bool:
    """Return whether all of the targets would fail again."""
    return all(failure.code not in RETRYABLE_TARGET_CODES for failure in failed)


class _Attempt:
    """Something done with up to ten targets, and again with those of them that failed for a passing reason."""

    def __init__(
        self, pending: list[Any], id_of: Callable[[Any], str], call: Callable[[list[Any]], Mapping[str, Any]]
    ) -> None:
        self.failed: dict[str, FailedTarget] = {}
        self._pending = pending
        self._id_of = id_of
        self._call = call

    def make(self) -> bool:
        """Make an attempt with what is still to do; return whether another could do no more."""
        answered = self._answer()
        for target in self._pending:
            self.failed.pop(self._id_of(target), None)
        self.failed.update({failure.target_id: failure for failure in answered})
        again = {failure.target_id for failure in answered if failure.code in RETRYABLE_TARGET_CODES}
        self._pending = [target for target in self._pending if self._id_of(target) in again]
        return not self._pending

    def _answer(self) -> list[FailedTarget]:
        try:
            response = self._call(self._pending)
        except ClientError as error:
            # what else may pass botocore has retried already
            if not is_conflict(error):
                raise
            return [
                FailedTarget(self._id_of(target), str(code_of(error)), message_of(error)) for target in self._pending
            ]
        return [
            FailedTarget(entry["TargetId"], entry.get("ErrorCode", "Unknown"), entry.get("ErrorMessage", ""))
            for entry in response.get("FailedEntries") or ()
        ]
