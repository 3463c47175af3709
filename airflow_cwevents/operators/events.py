"""Send events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_cwevents._airflow.failures import no_retry_if_permanent, permanent_errors_fail
from airflow_cwevents._airflow.parameters import as_list
from airflow_cwevents._aws.validation import all_valid
from airflow_cwevents._send.entries import check_size, normalise_entry
from airflow_cwevents._send.spool import Spool
from airflow_cwevents.operators.sending import SendingBaseOperator

if TYPE_CHECKING:
    import jinja2
    from airflow.sdk import Context

    from airflow_cwevents._send.entries import Entry, SizedEntry


# Validating more would slow down parsing; all entries are validated before they are sent.
MAX_PARSED_ENTRIES = 100


class PutEventsOperator(SendingBaseOperator):
    """
    Send any number of events concurrently, and retry transient failures.

    All entries are validated before the first is sent; literals among the first 100 already when the DAG file is
    parsed. If some fail permanently, all others are still sent, and the task fails with an error that lists the failed
    ones. A retry sends only the unsent entries (Airflow 3.3 and up).

    :param entries: the entries, with AWS's member names: ``Source``, ``DetailType``, ``Detail`` (a dict or a JSON
        string), and optionally ``Time`` (a datetime or an ISO 8601 string), ``Resources``, ``EventBusName`` and
        ``TraceHeader``.
    :return: the event ids in input order, None for an entry that failed and is tolerated.

    .. seealso:: :external+boto3:py:meth:`EventBridge.Client.put_events`
    """

    template_fields: Sequence[str] = (*SendingBaseOperator.template_fields, "entries")
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **SendingBaseOperator.template_fields_renderers,
        "entries": "json",
    }

    def __init__(self, *, entries: Sequence[Entry | Mapping[str, Any]], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.entries = entries
        # a mapped operator is instantiated when its task runs
        with permanent_errors_fail():
            self._validate_literals()

    def _validate_literals(self) -> None:
        """Validate the first entries without templates, so that mistakes are reported when the DAG file is parsed."""
        if isinstance(self.entries, list | tuple):
            for _ in all_valid(self._validate_literal, self.entries[:MAX_PARSED_ENTRIES]):
                pass

    def _validate_literal(self, index: int, entry: Entry | Mapping[str, Any]) -> None:
        if isinstance(entry, Mapping) and self.is_literal(entry):
            # only botocore's model, which is not loaded here, knows all members
            check_size(normalise_entry(entry, index, members=frozenset(entry)), index)

    def render_template(
        self,
        content: Any,
        context: Context,
        jinja_env: jinja2.Environment | None = None,
        seen_oids: set[int] | None = None,
    ) -> Any:
        """
        Render templates; skip strings without any, as Jinja would take about a second per thousand entries.

        :param content: the value to render.
        :param context: the task's context.
        :param jinja_env: the environment that defines the delimiters of templates.
        :param seen_oids: ids of objects already rendered.
        :return: the rendered value.
        """
        if isinstance(content, str) and jinja_env and not _has_template(content, jinja_env):
            return content
        return super().render_template(content, context, jinja_env, seen_oids)

    @no_retry_if_permanent
    def execute(self, context: Context) -> list[str | None]:
        """
        Send the entries.

        :param context: the task's context.
        :return: the event ids in input order.
        """
        return self.send_entries(context, as_list(self.entries, "entries"))

    def send_entries(self, context: Context, entries: Iterable[Mapping[str, Any]]) -> list[str | None]:
        """
        Validate all entries, then send them.

        :param context: the task's context.
        :param entries: the entries. Iterables other than lists are spooled to disk while they are validated.
        :return: the event ids in input order.
        :raises InvalidEntryError: if an entry is invalid; nothing was sent.
        :raises PutEventsError: if more entries failed than are tolerated; all others were sent.
        """
        ready = self.preparation().validated(self.until_killed(entries))
        if isinstance(entries, list):
            kept = list(ready)
            return self._send_kept(context, kept, len(kept), _fingerprint(kept))
        with Spool() as spool:
            spool.write(ready)
            return self._send_kept(context, _sized(spool.read()), spool.count, spool.fingerprint)

    def _send_kept(
        self, context: Context, entries: Iterable[SizedEntry], count: int, fingerprint: str
    ) -> list[str | None]:
        if not count:
            self.log.info("No entries to send")
            return []
        checkpoint = self.checkpoint(context, fingerprint, keep_ids=True)
        self.send(context, (entry for entry in entries if not checkpoint.is_sent(entry.index)), checkpoint, count)
        return checkpoint.event_ids(count)


def _has_template(text: str, env: jinja2.Environment) -> bool:
    marks = (
        env.variable_start_string,
        env.block_start_string,
        env.comment_start_string,
        env.line_statement_prefix,
        env.line_comment_prefix,
    )
    return any(mark and mark in text for mark in marks)


def _sized(items: Iterable[tuple[int, int, dict[str, Any]]]) -> Iterator[SizedEntry]:
    from airflow_cwevents._send.entries import SizedEntry

    return (SizedEntry(index, entry, size) for index, size, entry in items)


def _fingerprint(entries: Iterable[SizedEntry]) -> str:
    digest = blake2b(digest_size=16)
    for item in entries:
        digest.update(repr(item.entry).encode())
    return digest.hexdigest()
