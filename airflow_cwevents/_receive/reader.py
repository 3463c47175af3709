"""Read the messages of a queue that is polled again and again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from airflow_cwevents._receive.envelopes import ReceivedEvent, read_message
from airflow_cwevents.exceptions import InvalidMessageError

if TYPE_CHECKING:
    from airflow_cwevents._aws.logger import Logger

# Of how many invalid messages the ids are known, so that each is logged once.
_KNOWN_INVALID = 1_000


class MessageReader:
    """
    Reads messages. An invalid one is logged the first time, and left out; it is received until redrive.

    :param log: the logger.
    """

    def __init__(self, log: Logger) -> None:
        self._log = log
        self._invalid: dict[str, None] = {}

    def read(self, messages: Iterable[Mapping[str, Any]]) -> list[ReceivedEvent]:
        """
        Read messages.

        :param messages: messages of ReceiveMessage's response.
        :return: the events of the valid ones, in order.
        """
        return [event for message in messages if (event := self._read(message))]

    def _read(self, message: Mapping[str, Any]) -> ReceivedEvent | None:
        try:
            return read_message(message)
        except InvalidMessageError as error:
            self._report_once(error)
            return None

    def _report_once(self, error: InvalidMessageError) -> None:
        if error.message_id in self._invalid:
            return
        self._invalid[error.message_id] = None
        if len(self._invalid) > _KNOWN_INVALID:
            del self._invalid[next(iter(self._invalid))]
        self._log.warning("%s", error)
