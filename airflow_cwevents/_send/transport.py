"""The protocol between the sender and a transport of requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from airflow_cwevents._send.entries import SizedEntry


@dataclass(slots=True)
class Request:
    """
    One PutEvents request.

    :ivar number: its number in the order of sending, from 1.
    :ivar entries: its entries, as boto3 takes them: ``Detail`` is a string, ``Time`` an aware datetime.
    :ivar batch: the same entries with the sender's own state; not used by transports.
    """

    number: int
    entries: Sequence[Mapping[str, Any]]
    batch: Sequence[SizedEntry] = ()


@dataclass(slots=True)
class Answer:
    """
    The outcome of a request: a response or an error.

    :ivar answered_at: when the answer arrived, by the sender's clock, :func:`time.monotonic` by default.
    :ivar response: the response, with the members that boto3 returns.
    :ivar error: the exception that boto3 raised, or would have raised.
    """

    request: Request
    answered_at: float
    response: Mapping[str, Any] | None = None
    error: Exception | None = None


class Transport(Protocol):
    """
    Sends requests, many at a time, and keeps each answer until it is taken.

    All methods are called by one thread, except :meth:`wake` and :meth:`close`, which any thread and a signal handler
    may call. An exception raised by a signal handler during any of them loses no answer.
    """

    @property
    def in_flight(self) -> int:
        """How many requests were submitted, and neither taken as an answer nor dropped by :meth:`close`."""

    @property
    def has_answers(self) -> bool:
        """Whether :meth:`take` may return an answer."""

    def submit(self, request: Request) -> None:
        """Send a request as soon as possible, without blocking."""

    def wait(self, timeout: float | None) -> None:
        """
        Wait until there is an answer, or :meth:`wake` is called.

        :param timeout: the maximum time to wait, in seconds; None for no maximum, 0 to return at once.
        """

    def take(self) -> Answer | None:
        """Return an answer that was not returned before; None if there is none yet."""

    def wake(self) -> None:
        """End the current call of :meth:`wait`, or the next one if there is none."""

    def close(self) -> None:
        """Start no further request, and drop those not started yet; the others are still answered."""
