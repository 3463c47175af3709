"""
Errors of this provider. Each carries its data as attributes, so that code need not parse its message.

::

    CloudWatchEventsError               every own error
    ├── InvalidInputError (ValueError)  invalid input, nothing was sent: place, reason, remedy
    │   ├── InvalidEntryError           an entry of PutEvents: index
    │   │   └── EntryTooLargeError      … larger than a request can be: index, size, limit
    │   ├── InvalidTargetError          a target of PutTargets: index, target_id
    │   ├── InvalidScheduleError        a schedule expression: expression
    │   └── InvalidEventPatternError    an event pattern: path
    ├── PutEventsError                  some entries were not accepted: failed
    ├── PutEventsStoppedError           the task was killed, or AWS is unreachable: sent
    ├── PutTargetsError                 some targets were not accepted: failed
    ├── RemoveTargetsError              some targets were not removed: failed
    ├── TargetCheckError                some targets cannot be invoked: problems
    ├── EventBusNotFoundError           the bus does not exist: event_bus_name
    ├── RuleNotFoundError               the rule does not exist: rule, event_bus_name
    ├── EventQueueNotFoundError         the queue does not exist: queue_url
    ├── EventQueueConflictError         a queue or rule of this name belongs to others: resource, owner
    ├── InvalidMessageError             a received message is not valid JSON: message_id
    ├── DagRunNotStartedError           Airflow did not start a run for an event: dag_id, reason
    ├── ManagedRuleError                another AWS service owns the rule: rule
    ├── LimitExceededError              a quota of the account is used up: rule, quota
    ├── GrantPermissionsError           a resource policy could not be changed: target_id, resource_arn
    ├── RevokePermissionsError          permissions were not all revoked: failed, errors of the class above
    ├── RuleHasTargetsError             a rule to be deleted still has targets: rule
    └── RoleNotAssumableError           EventBridge cannot assume the role: role_arn

Every error survives ``pickle`` and ``copy``. The module imports neither Airflow nor boto3. Operators turn a permanent
error into Airflow's ``AirflowFailException``, so that Airflow does not retry the task.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

SHOWN_FAILURES = 5


def _restored(error_class: type[CloudWatchEventsError], args: tuple[object, ...]) -> CloudWatchEventsError:
    """Return an error without calling its ``__init__``; ``pickle`` and ``copy`` then set its attributes."""
    return error_class.__new__(error_class, *args)


class CloudWatchEventsError(Exception):
    """
    Base class of all errors that this provider raises itself.

    :ivar permanent: whether the same call would fail again; Airflow then does not retry the task.
    """

    permanent: bool = False

    def __reduce__(self) -> tuple[Any, ...]:
        """Keep the message and the attributes; ``BaseException`` would pass the message to ``__init__``."""
        return _restored, (type(self), self.args), vars(self)


class InvalidInputError(CloudWatchEventsError, ValueError):
    """
    The input is invalid; nothing was sent.

    :param place: the invalid part, as a path into the caller's input, such as ``entries[17].Detail``.
    :param reason: what is wrong there.
    :param remedy: how to fix it.
    :param value: the invalid value. It is not part of the message, as it may be a payload.
    """

    permanent = True

    def __init__(self, place: str, reason: str, remedy: str, value: object = None) -> None:
        super().__init__(f"{place}: {reason.removesuffix('.')}. {remedy}")
        self.place = place
        self.reason = reason
        self.remedy = remedy
        self.value = value
        #: Further errors of the same input, which the message lists as well.
        self.others: tuple[InvalidInputError, ...] = ()

    def and_others(self, others: Sequence[InvalidInputError]) -> Self:
        """
        Report further errors along with this one.

        :param others: the errors.
        :return: this error, whose message lists all of them, one per line.
        """
        self.others = tuple(others)
        self.args = ("\n".join(map(str, (self, *others))),)
        return self


class InvalidEntryError(InvalidInputError):
    """
    An entry that PutEvents would reject.

    :param index: its index in the input, from 0.
    """

    def __init__(self, index: int, member: str, reason: str, remedy: str, value: object = None) -> None:
        place = f"entries[{index}].{member}" if member else f"entries[{index}]"
        super().__init__(place, reason, remedy, value)
        self.index = index
        self.member = member

    @property
    def without_index(self) -> str:
        """The message without the index, for callers that identify the entry in another way."""
        return f"{self.member}: {self.reason}. {self.remedy}" if self.member else f"{self.reason}. {self.remedy}"


class EntryTooLargeError(InvalidEntryError):
    """
    An entry that does not fit into a request.

    :param size: its size in bytes, as AWS counts it.
    :param limit: the maximum size of a request, in bytes.
    """

    def __init__(self, index: int, size: int, limit: int) -> None:
        super().__init__(
            index,
            "",
            f"its size is {size} bytes; the maximum of a request is {limit}",
            "Store the payload elsewhere, in S3 for example, and send a reference to it",
        )
        self.size = size
        self.limit = limit


class InvalidTargetError(InvalidInputError):
    """
    A target that PutTargets would reject, or that EventBridge could never invoke.

    :param index: its index in the input, from 0.
    :param target_id: its ``Id``, if it has one.
    """

    def __init__(
        self, index: int, member: str, reason: str, remedy: str, value: object = None, target_id: str | None = None
    ) -> None:
        place = f"targets[{index}].{member}" if member else f"targets[{index}]"
        super().__init__(place, reason, remedy, value)
        self.index = index
        self.target_id = target_id


class InvalidScheduleError(InvalidInputError):
    """
    A schedule expression that PutRule would reject.

    :param expression: the expression.
    """

    def __init__(self, expression: object, reason: str, remedy: str) -> None:
        super().__init__(f"schedule_expression {expression!r}", reason, remedy, expression)
        self.expression = expression


class InvalidEventPatternError(InvalidInputError):
    """
    An event pattern that PutRule rejects.

    :param path: the place in the pattern, such as ``detail.state[0].prefix``; empty for the pattern as a whole.
    :param reason: what is wrong there, in AWS's own words where AWS has a message for it.
    """

    def __init__(self, path: str, reason: str, remedy: str, value: object = None) -> None:
        super().__init__(f"event_pattern.{path}" if path else "event_pattern", reason, remedy, value)
        self.path = path


def _counted(number: int, singular: str, plural: str) -> str:
    return f"{number} {singular if number == 1 else plural}"


@dataclass(frozen=True, slots=True)
class FailedEntry:
    """An entry that was not accepted: its index in the input, and AWS's error code and message."""

    index: int
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class FailedTarget:
    """A target that was not accepted: its id, and AWS's error code and message."""

    target_id: str
    code: str
    message: str


class PutEventsError(CloudWatchEventsError):
    """
    Some entries were not accepted; all others were.

    :param failed: the entries that were not accepted, in input order; with a path, the first thousand of them.
    :param sent: the number of accepted entries.
    :param permanent: whether each of the failed entries would fail again.
    :param counts: the number of failed entries by error code; None if ``failed`` has all of them.
    :param path: the file to which they were written, as lines that can be sent again; None if they were not written.
    :param path_error: why writing the file failed; None if it did not.
    :param noun: how the message names them: ``entry``, by index from 0, or ``line``, by number from 1.
    """

    def __init__(
        self,
        failed: Sequence[FailedEntry],
        sent: int,
        *,
        permanent: bool,
        counts: Mapping[str, int] | None = None,
        path: str | None = None,
        path_error: Exception | None = None,
        noun: Literal["entry", "line"] = "entry",
    ) -> None:
        self.failed = tuple(failed)
        self.sent = sent
        self.permanent = permanent
        self.counts = Counter(counts if counts is not None else (entry.code for entry in failed))
        self.path = path
        self.path_error = path_error
        self._noun = noun
        super().__init__("\n".join([self._summary(), *self._first_lines()]))

    def _summary(self) -> str:
        failed = self.counts.total()
        by_code = ", ".join(f"{code}: {count}" for code, count in self.counts.most_common())
        where = f"; written to {self.path}" if self.path else ""
        if self.path_error:
            where = f"; {self.path} could not be written: {type(self.path_error).__name__}: {self.path_error}"
        were = "was" if failed == 1 else "were"
        return f"{failed} of {_counted(failed + self.sent, 'entry', 'entries')} {were} not sent ({by_code}){where}"

    def _first_lines(self) -> list[str]:
        lines = [f"  {self._name(entry)}: {entry.code}: {entry.message}" for entry in self.failed[:SHOWN_FAILURES]]
        more = self.counts.total() - len(lines)
        return [*lines, f"  … and {more} more"] if more else lines

    def _name(self, entry: FailedEntry) -> str:
        return f"line {entry.index + 1}" if self._noun == "line" else f"entries[{entry.index}]"


class PutEventsStoppedError(CloudWatchEventsError):
    """
    Sending was stopped early; the progress is recorded, and a retry sends the rest.

    :param sent: the number of entries that are known to have been accepted.
    :param reason: why it was stopped; None if the task was killed.
    """

    def __init__(self, sent: int, reason: str | None = None) -> None:
        why = f": {reason}" if reason else ""
        accepted = _counted(sent, "entry", "entries")
        super().__init__(f"Sending was stopped after {accepted}; the others were not sent{why}")
        self.sent = sent
        self.reason = reason


class _TargetsError(CloudWatchEventsError):
    verb: str

    def __init__(self, rule: str, failed: Sequence[FailedTarget], *, permanent: bool) -> None:
        lines = [f"  {f.target_id}: {f.code}: {f.message}" for f in failed]
        targets, were = _counted(len(failed), "target", "targets"), "was" if len(failed) == 1 else "were"
        super().__init__("\n".join([f"{targets} of rule {rule!r} {were} not {self.verb}", *lines]))
        self.rule = rule
        self.failed = tuple(failed)
        self.permanent = permanent


class PutTargetsError(_TargetsError):
    """
    Some targets were not accepted; all others were.

    :param rule: the rule's name.
    :param failed: the targets that were not accepted.
    :param permanent: whether each of them would fail again.
    """

    verb = "put"


class RemoveTargetsError(_TargetsError):
    """
    Some targets were not removed; all others were.

    :param rule: the rule's name.
    :param failed: the targets that were not removed.
    :param permanent: whether each of them would fail again.
    """

    verb = "removed"


class EventBusNotFoundError(CloudWatchEventsError):
    """
    The event bus does not exist. AWS would accept events for it, and drop them.

    :param event_bus_name: its name or ARN, as passed.
    """

    permanent = True

    def __init__(self, event_bus_name: str) -> None:
        super().__init__(
            f"Event bus {event_bus_name!r} does not exist in this region and account; AWS drops events for a missing "
            "bus without an error. Create the bus, or correct event_bus_name or the region"
        )
        self.event_bus_name = event_bus_name


class RuleNotFoundError(CloudWatchEventsError):
    """
    The rule does not exist.

    :param rule: its name.
    :param event_bus_name: the bus that was searched.
    """

    permanent = True

    def __init__(self, rule: str, event_bus_name: str) -> None:
        super().__init__(
            f"Rule {rule!r} does not exist on event bus {event_bus_name!r}. "
            "Create it with PutRuleOperator, or correct the name, event_bus_name or the region"
        )
        self.rule = rule
        self.event_bus_name = event_bus_name


class EventQueueNotFoundError(CloudWatchEventsError):
    """
    The event queue does not exist.

    :param queue_url: its URL.
    """

    def __init__(self, queue_url: str) -> None:
        super().__init__(
            f"Queue {queue_url} does not exist. "
            "Create it with CreateEventQueueOperator, or correct the URL or the region"
        )
        self.queue_url = queue_url


class EventQueueConflictError(CloudWatchEventsError):
    """
    A queue or rule that the event queue needs exists, and does not belong to it.

    :param resource: the queue or rule, such as ``queue 'orders'``.
    :param owner: the event queue that it belongs to, by bus and name; None if it belongs to none.
    :param tag: the tag that would mark it as a part of this event queue, key and value.
    """

    permanent = True

    def __init__(self, resource: str, owner: str | None, tag: tuple[str, str]) -> None:
        belongs = f"belongs to event queue {owner!r}" if owner else "was not created by CreateEventQueueOperator"
        super().__init__(
            f"{resource[0].upper()}{resource[1:]} already exists, and {belongs}. "
            f"Choose another name, or, to hand it over, set its tag {tag[0]!r} to {tag[1]!r}"
        )
        self.resource = resource
        self.owner = owner
        self.tag = tag


class InvalidMessageError(CloudWatchEventsError):
    """
    A received message is not JSON that Airflow can store, so it carries no event.

    :param message_id: the id of the message. Its body is not part of the error, as it may be confidential.
    """

    permanent = True

    def __init__(self, message_id: str) -> None:
        super().__init__(
            f"Message {message_id} is not JSON that Airflow can store, so it is no event. "
            "It stays in the queue until redrive"
        )
        self.message_id = message_id


class DagRunNotStartedError(CloudWatchEventsError):
    """
    Airflow did not start a run; the event's message stays in the queue.

    :param dag_id: the DAG that was to run.
    :param reason: why it was not started, without values of the event.
    :param remedy: how to fix it.
    :param concerns_dag: whether the DAG would start no other run either.
    :param is_server_error: whether the API server failed, which takes long, as Airflow then retries the request.
    """

    def __init__(
        self, dag_id: str, reason: str, remedy: str, *, concerns_dag: bool = False, is_server_error: bool = False
    ) -> None:
        super().__init__(f"DAG {dag_id}: {reason.removesuffix('.')}. {remedy}")
        self.dag_id = dag_id
        self.reason = reason
        self.concerns_dag = concerns_dag
        self.is_server_error = is_server_error


class ManagedRuleError(CloudWatchEventsError):
    """
    The rule belongs to an AWS service, and must not be changed by others.

    :param rule: its name.
    :param managed_by: the service; None if AWS does not name it.
    :param remedy: what to do instead.
    """

    permanent = True

    def __init__(self, rule: str, managed_by: str | None, remedy: str) -> None:
        owner = managed_by or "another AWS service"
        super().__init__(f"Rule {rule!r} is managed by {owner}. {remedy}")
        self.rule = rule
        self.managed_by = managed_by


class LimitExceededError(CloudWatchEventsError):
    """
    A quota of the account is used up.

    :param rule: the name of the rule that exceeds it, itself or by its targets.
    :param quota: the quota, such as ``targets per rule``.
    :param message: AWS's message.
    :param remedy: an alternative to a higher quota.
    """

    permanent = True

    def __init__(self, rule: str, quota: str, message: str, remedy: str) -> None:
        super().__init__(
            f"Rule {rule!r}: the quota of {quota} is used up: {message.removesuffix('.')}. {remedy}, or ask AWS for a "
            "higher quota: https://console.aws.amazon.com/servicequotas/home/services/events/quotas"
        )
        self.rule = rule
        self.quota = quota


class GrantPermissionsError(CloudWatchEventsError):
    """
    The resource policy that allows EventBridge to invoke a target could not be changed.

    :param target_id: the target's id.
    :param resource_arn: the resource that the policy belongs to: the target itself, or its dead-letter queue.
    :param message: why it could not be changed.
    """

    def __init__(self, target_id: str, resource_arn: str, message: str) -> None:
        reason = message.removesuffix(".")
        super().__init__(f"Target {target_id!r}: its resource policy could not be changed: {reason} ({resource_arn})")
        self.target_id = target_id
        self.resource_arn = resource_arn


class RevokePermissionsError(CloudWatchEventsError):
    """
    Some resource policies could not be changed, and still allow EventBridge to invoke targets.

    :param failed: one error for each policy.
    """

    def __init__(self, failed: Sequence[GrantPermissionsError]) -> None:
        super().__init__("\n".join(["Not all permissions were revoked:", *(f"  {error}" for error in failed)]))
        self.failed = tuple(failed)


class RuleHasTargetsError(CloudWatchEventsError):
    """
    A rule cannot be deleted, as AWS still finds targets on it.

    :param rule: its name.
    """

    def __init__(self, rule: str) -> None:
        super().__init__(
            f"Rule {rule!r} still has targets after all were removed; another task may have added some. "
            "Run the task again when nothing else changes the rule"
        )
        self.rule = rule


class RoleNotAssumableError(CloudWatchEventsError):
    """
    EventBridge cannot assume the role, even after the time that a new role takes to become usable.

    :param role_arn: the role's ARN; None if it is not known.
    :param message: AWS's message.
    """

    permanent = True

    def __init__(self, role_arn: str | None, message: str) -> None:
        super().__init__(
            f"{message} The role's trust relationship must allow sts:AssumeRole for events.amazonaws.com; "
            "`airflow-cwevents policy trust` prints one that does"
        )
        self.role_arn = role_arn


class TargetCheckError(CloudWatchEventsError):
    """
    EventBridge cannot invoke a target, or a rule does not match.

    Airflow retries the task: a fresh role, and a queue's policy that has just changed, take up to a minute to work.

    :param rule: the rule's name.
    :param problems: the problems, one string each; the task's log shows them with their fixes.
    """

    def __init__(self, rule: str, problems: Sequence[str]) -> None:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__(f"Rule {rule!r} does not deliver to all of its targets: {count}, see above")
        self.rule = rule
        self.problems = tuple(problems)
