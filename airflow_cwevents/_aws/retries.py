"""The one retry helper, and the waits between attempts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    retry_if_result,
    stop_after_attempt,
    wait_fixed,
    wait_random,
    wait_random_exponential,
)

if TYPE_CHECKING:
    from tenacity.wait import wait_base

T = TypeVar("T")


@dataclass(frozen=True)
class RetryWaits:
    """
    The waits before another attempt, each a tenacity strategy in seconds.

    :param rule: before a rule is changed again.
    :param target: before targets are put or removed again, and a rule with lingering targets is deleted again.
    :param policy: before a changed resource policy is read again.
    :param queue: before a queue is created again whose name SQS keeps for 60 s, or a new queue is read again.
    """

    rule: wait_base = wait_random_exponential(multiplier=1, min=1, max=8)  # noqa: RUF009
    target: wait_base = wait_random_exponential(multiplier=0.5, max=10)  # noqa: RUF009
    policy: wait_base = wait_fixed(2) + wait_random(0, 1)
    queue: wait_base = wait_fixed(5) + wait_random(0, 1)


def call_with_retries(
    call: Callable[[], T],
    *,
    wait: wait_base,
    attempts: int,
    is_transient: Callable[[BaseException], bool] = lambda error: False,
    is_done: Callable[[T], bool] = lambda result: True,
    on_retry: Callable[[BaseException | None, float], None] | None = None,
) -> T:
    """
    Call a function until it succeeds or all attempts are used.

    :param call: the function.
    :param wait: the wait between attempts, in seconds.
    :param attempts: the maximum number of calls.
    :param is_transient: returns whether another attempt may succeed after an error.
    :param is_done: returns whether a result is final.
    :param on_retry: called before each wait, with the error, or None after a result, and the wait in seconds.
    :return: the last result.
    :raises Exception: the error of the last attempt.
    """

    def before_sleep(state: RetryCallState) -> None:
        if on_retry:
            on_retry(state.outcome.exception() if state.outcome else None, state.upcoming_sleep)

    def outcome(state: RetryCallState) -> T:
        assert state.outcome is not None  # noqa: S101 - tenacity sets it before it calls this
        result: T = state.outcome.result()
        return result

    retrying = Retrying(
        retry=retry_if_exception(is_transient) | retry_if_result(lambda result: not is_done(result)),
        wait=wait,
        stop=stop_after_attempt(attempts),
        before_sleep=before_sleep,
        retry_error_callback=outcome,
    )
    return retrying(call)
