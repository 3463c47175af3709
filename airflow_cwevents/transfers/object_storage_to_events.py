"""Send the lines of a file as events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from os.path import abspath
from typing import TYPE_CHECKING, Any

from airflow_cwevents._airflow.failures import no_retry_if_permanent
from airflow_cwevents._send.detail_mapping import EntryMapping, entry_mapping
from airflow_cwevents._send.entries import EntryResult
from airflow_cwevents._send.json_lines import BadLineError, open_lines, parse_line
from airflow_cwevents.exceptions import InvalidEntryError, InvalidInputError
from airflow_cwevents.operators.sending import SendingBaseOperator, as_object_storage_path

if TYPE_CHECKING:
    from airflow.sdk import Context, ObjectStoragePath

    from airflow_cwevents._send.checkpoint import Checkpoint
    from airflow_cwevents._send.entries import SizedEntry
    from airflow_cwevents._send.preparation import Preparation

BAD_LINE = "BadLine"


class ObjectStorageToEventsOperator(SendingBaseOperator):
    """
    Send the lines of a JSON Lines file as events, in flat memory, from wherever ``ObjectStoragePath`` reaches.

    Each line is an entry, or, given ``source`` and ``detail_type``, the ``Detail`` of one. Lines that are neither are
    reported with their number, all others are sent. A retry goes on behind the last line that is known to be sent
    (Airflow 3.3 and up). ``.partial(…).expand(path=[…])`` spreads files over workers.

    :param path: the file: a local path, a URL such as ``s3://aws_default@bucket/key``, or an ``ObjectStoragePath``;
        decompressed if its name ends in ``.gz``.
    :param source: the ``Source`` of all entries, or a JMESPath into the line that begins with ``@``, such as ``@.app``.
    :param detail_type: the ``DetailType``, likewise.
    :return: the summary: ``sent``, ``failed``, ``requests``, ``bytes``, ``seconds``.

    .. seealso:: :external+boto3:py:meth:`EventBridge.Client.put_events`
    """

    template_fields: Sequence[str] = (*SendingBaseOperator.template_fields, "path", "source", "detail_type")

    def __init__(
        self,
        *,
        path: str | ObjectStoragePath,
        source: str | None = None,
        detail_type: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.path = path
        self.source = source
        self.detail_type = detail_type

    @no_retry_if_permanent
    def execute(self, context: Context) -> dict[str, Any]:
        """
        Send the lines.

        :param context: the task's context.
        :return: the summary.
        :raises PutEventsError: if more lines failed than are tolerated; all others were sent.
        """
        mapping = entry_mapping(self.source, self.detail_type)
        path = self._input_path()
        fingerprint = f"{path} {path.checksum()} {self.source} {self.detail_type} {self.event_bus_name}"
        preparation = self.preparation()
        checkpoint = self.checkpoint(context, fingerprint, keep_ids=False)
        with open_lines(path) as lines:
            unsent = _unsent(lines, checkpoint, mapping, preparation)
            summary = self.send(context, unsent, checkpoint, total=None, noun="line")
        return asdict(summary)

    def _input_path(self) -> ObjectStoragePath:
        path = as_object_storage_path(self.path, "path")
        if path is None or not path.exists():
            raise InvalidInputError("path", f"there is no file {str(path)!r}", "Correct the path", self.path)
        if _is_same_file(path, as_object_storage_path(self.failed_entries_path, "failed_entries_path")):
            remedy = "Name another, as the one would be written over while it is read"
            raise InvalidInputError("failed_entries_path", "it is the file that is sent", remedy, self.path)
        return path


def _is_same_file(path: ObjectStoragePath, other: ObjectStoragePath | None) -> bool:
    """Return whether two paths lead to one file, however they are written."""
    return other is not None and type(path.fs) is type(other.fs) and abspath(path.path) == abspath(other.path)


def _unsent(
    lines: Iterator[tuple[int, bytes]], checkpoint: Checkpoint, mapping: EntryMapping | None, preparation: Preparation
) -> Iterator[SizedEntry | EntryResult]:
    for index, line in lines:
        if checkpoint.is_sent(index):
            continue
        try:
            value = parse_line(line)
            entry = mapping.entry(value, index) if mapping else value
        except BadLineError as error:
            yield EntryResult(index, None, BAD_LINE, str(error), entry={"Text": error.text})
        except InvalidEntryError as error:
            yield EntryResult(index, None, BAD_LINE, error.without_index, entry={"Detail": value})
        else:
            yield preparation.prepare_or_fail(index, entry)
