"""
Errors of this provider. Each carries what it is about as attributes, so that code need not read its text.

::

    CloudWatchEventsError               every own error
    ├── InvalidInputError (ValueError)  refused before anything was sent: place, reason, remedy
    │   ├── InvalidEntryError           one entry of PutEvents: index
    │   │   └── EntryTooLargeError      … larger than a request may be: index, size, limit
    │   ├── InvalidTargetError          one target of PutTargets: index, target_id
    │   ├── InvalidScheduleError        a schedule expression: expression
    │   └── InvalidEventPatternError    an event pattern: path
    ├── PutEventsError                  some entries were not accepted: failed
    ├── PutEventsStoppedError           the task was killed, or AWS is out of reach: sent
    ├── PutTargetsError                 some targets were not accepted: failed
    ├── RemoveTargetsError              some targets were not removed: failed
    ├── TargetCheckError                some targets cannot be invoked: problems
    ├── EventBusNotFoundError           the bus does not exist: event_bus_name
    ├── RuleNotFoundError               the rule does not exist: rule, event_bus_name
    ├── ManagedRuleError                another AWS service owns the rule: rule
    ├── LimitExceededError              a quota of the account is used up: rule, quota
    ├── GrantPermissionsError           a resource policy could not be changed: target_id, resource_arn
    ├── RevokePermissionsError          some could not be changed back: failed, of the class above
    ├── RuleHasTargetsError             targets linger on a rule that is to be deleted: rule
    └── RoleNotAssumableError           EventBridge may not assume the role: role_arn

The module imports neither Airflow nor boto3. Operators fail without Airflow's retries on a permanent error.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

SHOWN_FAILURES = 5


class CloudWatchEventsError(Exception):
    """
    Base of every error that this provider raises itself.

    :ivar permanent: whether the same call would fail again; Airflow then does not retry the task.
    """

    permanent: bool = False

    def __reduce__(self) -> tuple[Any, ...]:
        """Support pickle and copy, which otherwise would call ``__init__`` with the message alone."""
        return _restore, (type(self), self.args, vars(self))


def _restore(cls: type[CloudWatchEventsError], args: tuple[Any, ...], attributes: dict[str, Any]) -> Any:
    error = cls.__new__(cls, *args)
    vars(error).update(attributes)
    return error


class InvalidInputError(CloudWatchEventsError, ValueError):
    """
    The input is wrong; nothing was sent.

    :param place: where, as a path into the caller's input, such as ``entries[17].Detail``.
    :param reason: what is wrong there.
    :param remedy: what to do about it.
    :param value: the value at that place. It is not part of the message: it may be a payload.
    """

    permanent = True

    def __init__(self, place: str, reason: str, remedy: str, value: object = None) -> None:
        super().__init__(f"{place}: {reason.removesuffix('.')}. {remedy}")
        self.place = place
        self.reason = reason
        self.remedy = remedy
        self.value = value


class InvalidEntryError(InvalidInputError):
    """
    An entry that PutEvents cannot take.

    :param index: its index in the input, from 0.
    """

    def __init__(self, index: int, member: str, reason: str, remedy: str, value: object = None) -> None:
        place = f"entries[{index}].{member}" if member else f"entries[{index}]"
        super().__init__(place, reason, remedy, value)
        self.index = index
        self.member = member

    @property
    def without_index(self) -> str:
        """The message, for where the entry is named otherwise."""
        return f"{self.member}: {self.reason}. {self.remedy}" if self.member else f"{self.reason}. {self.remedy}"


class EntryTooLargeError(InvalidEntryError):
    """
    An entry that no request can hold.

    :param size: its size in bytes, as AWS counts it.
    :param limit: the most that a request may hold, in bytes.
    """

    def __init__(self, index: int, size: int, limit: int) -> None:
        super().__init__(
            index,
            "",
            f"its size is {size} bytes and a request holds at most {limit}",
            "Store the payload elsewhere, in S3 for example, and send a reference to it",
        )
        self.size = size
        self.limit = limit


class InvalidTargetError(InvalidInputError):
    """
    A target that PutTargets cannot take, or that EventBridge could never invoke.

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
    A schedule expression that PutRule refuses.

    :param expression: the expression.
    """

    def __init__(self, expression: object, reason: str, remedy: str) -> None:
        super().__init__(f"schedule_expression {expression!r}", reason, remedy, expression)
        self.expression = expression


class InvalidEventPatternError(InvalidInputError):
    """
    An event pattern that PutRule refuses.

    :param path: the place in the pattern, such as ``detail.state[0].prefix``; empty for the pattern as a whole.
    :param reason: what is wrong there, in AWS's words where AWS has words for it.
    """

    def __init__(self, path: str, reason: str, remedy: str, value: object = None) -> None:
        super().__init__(f"event_pattern.{path}" if path else "event_pattern", reason, remedy, value)
        self.path = path


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
    Entries were not accepted; all others were.

    :param failed: the entries that were not, in input order; with a path, the first thousand of them.
    :param sent: how many entries were.
    :param permanent: whether every one of them would fail again.
    :param counts: how many failed, by error code; None if ``failed`` has them all.
    :param path: where they were written to, as lines that can be sent again; None for nowhere.
    :param path_error: why that failed; None if it did not.
    :param noun: what the entries are called: ``entry``, by their index, or ``line``, by their number.
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
        total = self.counts.total()
        by_code = ", ".join(f"{code}: {count}" for code, count in self.counts.most_common())
        where = f"; they are in {self.path}" if self.path else ""
        if self.path_error:
            where = f"; {self.path} could not be written: {type(self.path_error).__name__}: {self.path_error}"
        return f"{total} of {total + self.sent} entries were not sent ({by_code}){where}"

    def _first_lines(self) -> list[str]:
        lines = [f"  {self._name(entry)}: {entry.code}: {entry.message}" for entry in self.failed[:SHOWN_FAILURES]]
        more = self.counts.total() - len(lines)
        return [*lines, f"  … and {more} more"] if more else lines

    def _name(self, entry: FailedEntry) -> str:
        return f"line {entry.index + 1}" if self._noun == "line" else f"entries[{entry.index}]"


class PutEventsStoppedError(CloudWatchEventsError):
    """
    Sending was stopped before its end; what was sent is recorded, and a retry sends the rest.

    :param sent: how many entries are known to have been accepted.
    :param reason: why; None if the task was killed.
    """

    def __init__(self, sent: int, reason: str | None = None) -> None:
        why = f": {reason}" if reason else ""
        super().__init__(f"Sending was stopped after {sent} entries; the others were not sent{why}")
        self.sent = sent
        self.reason = reason


class _TargetsError(CloudWatchEventsError):
    verb: str

    def __init__(self, rule: str, failed: Sequence[FailedTarget], *, permanent: bool) -> None:
        lines = [f"  {f.target_id}: {f.code}: {f.message}" for f in failed]
        super().__init__("\n".join([f"{len(failed)} targets of rule {rule!r} were not {self.verb}", *lines]))
        self.rule = rule
        self.failed = tuple(failed)
        self.permanent = permanent


class PutTargetsError(_TargetsError):
    """
    Targets were not accepted; all others were.

    :param rule: the rule's name.
    :param failed: the targets that were not.
    :param permanent: whether every one of them would fail again.
    """

    verb = "put"


class RemoveTargetsError(_TargetsError):
    """
    Targets were not removed; all others were.

    :param rule: the rule's name.
    :param failed: the targets that were not.
    :param permanent: whether every one of them would fail again.
    """

    verb = "removed"


class EventBusNotFoundError(CloudWatchEventsError):
    """
    The event bus does not exist. AWS would accept events for it, and drop them.

    :param event_bus_name: its name or ARN, as given.
    """

    permanent = True

    def __init__(self, event_bus_name: str) -> None:
        super().__init__(
            f"Event bus {event_bus_name!r} does not exist in this region and account, and AWS drops events that are "
            "sent to such a bus without an error. Create the bus, or correct event_bus_name or the region"
        )
        self.event_bus_name = event_bus_name


class RuleNotFoundError(CloudWatchEventsError):
    """
    The rule does not exist.

    :param rule: its name.
    :param event_bus_name: the bus it was looked for on.
    """

    permanent = True

    def __init__(self, rule: str, event_bus_name: str) -> None:
        super().__init__(
            f"Rule {rule!r} does not exist on event bus {event_bus_name!r}. "
            "Create it with PutRuleOperator, or correct the name, event_bus_name or the region"
        )
        self.rule = rule
        self.event_bus_name = event_bus_name


class ManagedRuleError(CloudWatchEventsError):
    """
    The rule belongs to an AWS service, and is not to be changed by others.

    :param rule: its name.
    :param managed_by: the service, where AWS tells.
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

    :param rule: the name of the rule that was to be put, or to get targets.
    :param quota: what there may be no more of, such as ``targets per rule``.
    :param message: AWS's message.
    :param remedy: what to do about it, besides asking for a higher quota.
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
    A resource's policy could not be changed so that EventBridge may invoke a target.

    :param target_id: the target's id.
    :param resource_arn: the resource whose policy it is: the target itself, or its dead-letter queue.
    """

    def __init__(self, target_id: str, resource_arn: str, message: str) -> None:
        super().__init__(f"The policy of {resource_arn}, for target {target_id!r}, could not be changed: {message}")
        self.target_id = target_id
        self.resource_arn = resource_arn


class RevokePermissionsError(CloudWatchEventsError):
    """
    Resources' policies still say that EventBridge may invoke targets, as they could not be changed.

    :param failed: an error for each policy.
    """

    def __init__(self, failed: Sequence[GrantPermissionsError]) -> None:
        super().__init__("\n".join(["Not all permissions were revoked:", *(f"  {error}" for error in failed)]))
        self.failed = tuple(failed)


class RuleHasTargetsError(CloudWatchEventsError):
    """
    A rule cannot be deleted, as AWS still sees targets on it.

    :param rule: its name.
    """

    def __init__(self, rule: str) -> None:
        super().__init__(
            f"Rule {rule!r} still has targets, though all were removed; another task may be adding some. "
            "Run the task again when nothing else changes the rule"
        )
        self.rule = rule


class RoleNotAssumableError(CloudWatchEventsError):
    """
    EventBridge may not assume the role, and did not get to in the time that a fresh role takes.

    :param role_arn: the role's ARN, where it is known.
    """

    permanent = True

    def __init__(self, role_arn: str | None, message: str) -> None:
        super().__init__(
            f"{message} The role's trust relationship must allow sts:AssumeRole to events.amazonaws.com; "
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
