"""The base of the operators that send events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from airflow_cwevents._airflow.compat import HAS_TASK_STATE_STORE, object_storage_path_class
from airflow_cwevents._airflow.parameters import as_bool, as_integer, as_number
from airflow_cwevents._aws.limits import MAX_REQUEST_BYTES
from airflow_cwevents._aws.logger import counted
from airflow_cwevents._send.checkpoint import Checkpoint
from airflow_cwevents._send.failures import Failures
from airflow_cwevents._send.progress import ProgressLog
from airflow_cwevents._send.recorder import RunRecorder, SendSummary
from airflow_cwevents.exceptions import InvalidInputError, PutEventsStoppedError
from airflow_cwevents.operators.base import CloudWatchEventsBaseOperator

if TYPE_CHECKING:
    from airflow.sdk import Context, ObjectStoragePath

    from airflow_cwevents._send.entries import EntryResult, SizedEntry
    from airflow_cwevents._send.options import SendOptions
    from airflow_cwevents._send.preparation import Preparation
    from airflow_cwevents._send.run import EventSending
    from airflow_cwevents._send.sender import EventSender

T = TypeVar("T")


class SendingBaseOperator(CloudWatchEventsBaseOperator):
    """
    Base of the operators that send events.

    :param event_bus_name: name or ARN of the bus for entries that name none; None for the default bus.
    :param endpoint_id: the id of a global endpoint, such as ``abcde.veo``; needs ``botocore[crt]``.
    :param check_event_bus: whether to check that each named bus exists, as AWS drops events for a missing bus.
    :param max_bytes: the maximum size of a request, in bytes; some regions still have 262,144.
    :param max_concurrency: the maximum number of requests in flight, 1 to 256.
    :param max_attempts: the maximum number of attempts for an entry.
    :param max_retry_seconds: how long after its first failure an entry is still retried, in seconds.
    :param max_events_per_second: the maximum rate, in events per second; None for as fast as AWS accepts.
    :param failed_entries_path: a file to write failed entries to, as JSON Lines that can be sent again: a local path,
        or a URL that Airflow's ``ObjectStoragePath`` accepts. Each attempt replaces it.
    :param max_failed: the maximum number of entries that may fail without failing the task.
    """

    template_fields: Sequence[str] = (
        *CloudWatchEventsBaseOperator.template_fields,
        "event_bus_name",
        "endpoint_id",
        "check_event_bus",
        "max_bytes",
        "max_concurrency",
        "max_attempts",
        "max_retry_seconds",
        "max_events_per_second",
        "failed_entries_path",
        "max_failed",
    )
    _killed = False

    def __init__(
        self,
        *,
        event_bus_name: str | None = None,
        endpoint_id: str | None = None,
        check_event_bus: bool = True,
        max_bytes: int = MAX_REQUEST_BYTES,
        max_concurrency: int = 128,
        max_attempts: int = 20,
        max_retry_seconds: float = 300.0,
        max_events_per_second: float | None = None,
        failed_entries_path: str | ObjectStoragePath | None = None,
        max_failed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.event_bus_name = event_bus_name
        self.endpoint_id = endpoint_id
        self.check_event_bus = check_event_bus
        self.max_bytes = max_bytes
        self.max_concurrency = max_concurrency
        self.max_attempts = max_attempts
        self.max_retry_seconds = max_retry_seconds
        self.max_events_per_second = max_events_per_second
        self.failed_entries_path = failed_entries_path
        self.max_failed = max_failed
        self.validate_names(event_bus_name)
        if self.retries and not HAS_TASK_STATE_STORE:
            self.log.warning("A retry sends everything again; with Airflow 3.3 and later it sends the rest")

    @cached_property
    def _sending(self) -> EventSending:
        from airflow_cwevents._send.run import EventSending

        return EventSending(self.hook.conn, self.hook.check_event_bus)

    def on_kill(self) -> None:
        """Stop sending, or do not start; sent entries are recorded, and a retry sends the rest."""
        self._killed = True
        if "_sending" in vars(self):  # do not create one in a signal handler
            self._sending.stop()

    def until_killed(self, entries: Iterable[T]) -> Iterator[T]:
        """
        Yield entries, which may take long to compute, until the task is killed.

        :param entries: the entries.
        :raises PutEventsStoppedError: when the task is killed.
        """
        for entry in entries:
            if self._killed:
                raise PutEventsStoppedError(0)
            yield entry

    def preparation(self) -> Preparation:
        """Return an object that validates and measures entries."""
        self.show_in_console(self.event_bus_name)
        self._max_failed()
        return self._sending.preparation(
            self.event_bus_name,
            self._send_options().max_bytes,
            check_event_bus=as_bool(self.check_event_bus, "check_event_bus"),
        )

    def checkpoint(self, context: Context, fingerprint: str, *, keep_ids: bool) -> Checkpoint:
        """
        Load the checkpoint of a previous attempt.

        :param context: the task's context.
        :param fingerprint: identifies the input.
        :param keep_ids: whether to keep the event ids for the result.
        :return: the checkpoint, which records the entries that were and will be sent.
        """
        # the destination is part of the fingerprint: events sent to another account do not count as sent
        destination = f"{self.aws_conn_id} {self.region_name} {self.endpoint_id}"
        store: Any = context.get("task_state_store")
        max_tries = getattr(context.get("ti"), "max_tries", None)
        checkpoint = Checkpoint(store, f"{fingerprint} {destination}", keep_ids=keep_ids, max_tries=max_tries)
        if checkpoint.sent:
            self.log.info("A previous attempt sent %s; sending the rest", counted(checkpoint.sent, "event"))
        return checkpoint

    def send(
        self,
        context: Context,
        entries: Iterable[SizedEntry | EntryResult],
        checkpoint: Checkpoint,
        total: int | None,
        noun: Literal["entry", "line"] = "entry",
    ) -> SendSummary:
        """
        Send the entries that the checkpoint does not list as sent.

        :param context: the task's context.
        :param entries: the prepared entries, without those already sent.
        :param checkpoint: the checkpoint, to which sent entries are added.
        :param total: the number of entries of the input; None if unknown.
        :param noun: what to call the entries in an error.
        :return: the summary.
        :raises PutEventsError: if more entries failed than are tolerated; all others were sent.
        :raises PutEventsStoppedError: if the task was killed.
        """
        recorder = RunRecorder(
            checkpoint, Failures(self._failed_entries_path(), noun), ProgressLog(self.log, total, checkpoint.sent)
        )
        sender = self._sending.start(
            entries, self._send_options(), self.endpoint_id, in_order=False, on_tick=recorder.tick
        )
        try:
            if self._killed:  # killed before there was a sender to stop
                sender.stop()
            recorder.record(sender)
        except BaseException:  # including Airflow's timeout
            recorder.record(sender.drain())
            raise
        finally:
            recorder.close()
        if getattr(context.get("ti"), "try_number", 1) > 1:
            recorder.failures.remove_outdated_file()
        return self._summary(sender, recorder)

    def _summary(self, sender: EventSender, recorder: RunRecorder) -> SendSummary:
        checkpoint, failures, progress = recorder.checkpoint, recorder.failures, recorder.progress
        sent = checkpoint.sent
        if failures.total > self._max_failed() or failures.file_error:
            raise failures.error(sent)
        if failures.total:
            self.log.warning("%s. Tolerated by max_failed", failures.error(sent))
        checkpoint.finish()
        self.log.info(
            "Sent %s in %s, %s, in %.1f s",
            counted(progress.seen - failures.total, "event"),
            counted(sender.requests, "request"),
            counted(sender.bytes, "byte"),
            progress.seconds,
        )
        return SendSummary(sent, failures.total, sender.requests, sender.bytes, round(progress.seconds, 3))

    def _max_failed(self) -> int:
        value = as_integer(self.max_failed, "max_failed")
        if value < 0:
            raise InvalidInputError("max_failed", f"{value} is out of range", "Use 0 or more", value)
        return value

    def _send_options(self) -> SendOptions:
        from airflow_cwevents._send.options import SendOptions

        rate = self.max_events_per_second
        return SendOptions(
            max_bytes=as_integer(self.max_bytes, "max_bytes"),
            max_concurrency=as_integer(self.max_concurrency, "max_concurrency"),
            max_attempts=as_integer(self.max_attempts, "max_attempts"),
            max_retry_seconds=as_number(self.max_retry_seconds, "max_retry_seconds"),
            max_events_per_second=None if rate is None else as_number(rate, "max_events_per_second"),
        )

    def _failed_entries_path(self) -> ObjectStoragePath | None:
        return as_object_storage_path(self.failed_entries_path, "failed_entries_path")


def as_object_storage_path(path: str | ObjectStoragePath | None, place: str) -> ObjectStoragePath | None:
    """
    Return a path that can be read and written, on any supported storage.

    :param path: a local path, a URL such as ``s3://aws_default@bucket/key``, or an ``ObjectStoragePath``.
    :param place: the parameter's name, for the error.
    :return: the path; None if none was passed.
    :raises InvalidInputError: if Airflow does not support this kind of storage.
    """
    if path is None:
        return None
    path_class = object_storage_path_class()
    try:
        opened = path if isinstance(path, path_class) else path_class(path)
        _ = opened.fs  # raises if the file system is not installed
    except (ImportError, ValueError) as error:
        remedy = "Use a local path, or install the package for it, such as apache-airflow-providers-amazon[s3fs]"
        raise InvalidInputError(place, f"{str(path)!r} cannot be reached: {error}", remedy, path) from error
    return opened
