from __future__ import annotations

import inspect
import pickle
import re
from collections.abc import Callable
from copy import copy, deepcopy
from typing import Any

import pytest

from airflow_cwevents import exceptions
from airflow_cwevents.exceptions import (
    CloudWatchEventsError,
    DagRunNotStartedError,
    EntryTooLargeError,
    EventBusNotFoundError,
    EventQueueConflictError,
    EventQueueNotFoundError,
    FailedEntry,
    FailedTarget,
    GrantPermissionsError,
    InvalidEntryError,
    InvalidEventPatternError,
    InvalidInputError,
    InvalidMessageError,
    InvalidScheduleError,
    InvalidTargetError,
    LimitExceededError,
    ManagedRuleError,
    PutEventsError,
    PutEventsStoppedError,
    PutTargetsError,
    RemoveTargetsError,
    RevokePermissionsError,
    RoleNotAssumableError,
    RuleHasTargetsError,
    RuleNotFoundError,
    TargetCheckError,
)

ERRORS = {
    name: cls
    for name, cls in inspect.getmembers(exceptions, inspect.isclass)
    if issubclass(cls, Exception) and not name.startswith("_")
}
NOT_REVOKED = GrantPermissionsError("t", "arn", "denied")
OTHER = InvalidEntryError(1, "Source", "it is wrong", "Correct it")
FAILED_TARGETS = [FailedTarget("a", "ConcurrentModificationException", "busy"), FailedTarget("b", "X", "no")]

# An error of each class, what it carries, and whether the same call would fail again.
EXAMPLES: list[tuple[CloudWatchEventsError, dict[str, Any], bool]] = [
    (CloudWatchEventsError("text"), {"args": ("text",)}, False),
    (
        InvalidInputError("state", "it is wrong", "Correct it", "ON"),
        {"place": "state", "reason": "it is wrong", "remedy": "Correct it", "value": "ON"},
        True,
    ),
    (
        InvalidEntryError(17, "Detail", "it is wrong", "Correct it", "x"),
        {"index": 17, "member": "Detail", "place": "entries[17].Detail", "value": "x"},
        True,
    ),
    (InvalidEntryError(0, "", "it is wrong", "Correct it"), {"index": 0, "place": "entries[0]", "value": None}, True),
    (InvalidEntryError(0, "", "it is wrong", "Correct it").and_others([OTHER]), {"index": 0, "others": (OTHER,)}, True),
    (
        EntryTooLargeError(3, 1_048_576, 1_048_575),
        {"index": 3, "size": 1_048_576, "limit": 1_048_575, "place": "entries[3]"},
        True,
    ),
    (
        InvalidTargetError(2, "Arn", "it is wrong", "Correct it", "x", "t"),
        {"index": 2, "target_id": "t", "place": "targets[2].Arn", "value": "x"},
        True,
    ),
    (
        InvalidTargetError(2, "", "it is wrong", "Correct it"),
        {"index": 2, "target_id": None, "place": "targets[2]"},
        True,
    ),
    (
        InvalidScheduleError("rate(1 minutes)", "it is wrong", "Correct it"),
        {"expression": "rate(1 minutes)", "value": "rate(1 minutes)", "reason": "it is wrong"},
        True,
    ),
    (
        InvalidEventPatternError("detail.state[0]", "it is wrong", "Correct it", 7),
        {"path": "detail.state[0]", "place": "event_pattern.detail.state[0]", "value": 7},
        True,
    ),
    (InvalidEventPatternError("", "it is wrong", "Correct it"), {"path": "", "place": "event_pattern"}, True),
    (
        PutEventsError([FailedEntry(1, "MalformedDetail", "bad")], 4, permanent=True, path="/f"),
        {
            "failed": (FailedEntry(1, "MalformedDetail", "bad"),),
            "sent": 4,
            "counts": {"MalformedDetail": 1},
            "path": "/f",
        },
        True,
    ),
    (
        PutEventsError(
            [FailedEntry(1, "InternalFailure", "")], 0, permanent=False, path="/f", path_error=OSError(28, "full")
        ),
        {"sent": 0, "path": "/f"},
        False,
    ),
    (PutEventsError([FailedEntry(1, "InternalFailure", "")], 0, permanent=False), {"sent": 0, "path": None}, False),
    (PutEventsStoppedError(12), {"sent": 12}, False),
    (PutTargetsError("r", FAILED_TARGETS, permanent=True), {"rule": "r", "failed": tuple(FAILED_TARGETS)}, True),
    (PutTargetsError("r", FAILED_TARGETS, permanent=False), {"rule": "r"}, False),
    (RemoveTargetsError("r", FAILED_TARGETS, permanent=False), {"rule": "r", "failed": tuple(FAILED_TARGETS)}, False),
    (EventBusNotFoundError("orders"), {"event_bus_name": "orders"}, True),
    (RuleNotFoundError("r", "orders"), {"rule": "r", "event_bus_name": "orders"}, True),
    (
        DagRunNotStartedError("d", "it is paused.", "Unpause it", concerns_dag=True),
        {"dag_id": "d", "reason": "it is paused.", "concerns_dag": True, "is_server_error": False},
        False,
    ),
    (EventQueueNotFoundError("https://q"), {"queue_url": "https://q"}, False),
    (
        EventQueueConflictError("queue 'q'", None, ("k", "v")),
        {"resource": "queue 'q'", "owner": None, "tag": ("k", "v")},
        True,
    ),
    (InvalidMessageError("m-1"), {"message_id": "m-1"}, True),
    (ManagedRuleError("r", "x.amazonaws.com", "Leave it"), {"rule": "r", "managed_by": "x.amazonaws.com"}, True),
    (ManagedRuleError("r", None, "Leave it"), {"rule": "r", "managed_by": None}, True),
    (LimitExceededError("r", "targets", "No more.", "Use fewer"), {"rule": "r", "quota": "targets"}, True),
    (GrantPermissionsError("t", "arn", "denied"), {"target_id": "t", "resource_arn": "arn"}, False),
    (RevokePermissionsError([NOT_REVOKED]), {"failed": (NOT_REVOKED,)}, False),
    (RuleHasTargetsError("r"), {"rule": "r"}, False),
    (RoleNotAssumableError("arn", "AWS says no."), {"role_arn": "arn"}, True),
    (TargetCheckError("r", ["one", "two"]), {"rule": "r", "problems": ("one", "two")}, False),
]


def test_every_class_has_an_example() -> None:
    assert {type(error) for error, *_ in EXAMPLES} == set(ERRORS.values())


@pytest.mark.parametrize(
    ("error", "attributes", "permanent"), EXAMPLES, ids=lambda value: type(value).__name__ if value else ""
)
def test_attributes(error: CloudWatchEventsError, attributes: dict[str, Any], permanent: bool) -> None:
    assert {name: getattr(error, name) for name in attributes} == attributes
    assert error.permanent is permanent


RESTORED: dict[str, Callable[[Any], Any]] = {
    "pickle": lambda error: pickle.loads(pickle.dumps(error)),  # noqa: S301 - pickled here
    "oldest pickle": lambda error: pickle.loads(pickle.dumps(error, protocol=0)),  # noqa: S301 - pickled here
    "copy": copy,
    "deepcopy": deepcopy,
}


def data_of(error: Any) -> Any:
    """Return all that an error holds, in a form that can be compared."""
    if isinstance(error, CloudWatchEventsError):
        return type(error), error.args, str(error), error.permanent, data_of(vars(error))
    if isinstance(error, BaseException):
        return type(error), error.args
    if isinstance(error, dict):
        return {name: data_of(value) for name, value in error.items()}
    return [data_of(value) for value in error] if isinstance(error, tuple | list) else error


@pytest.mark.parametrize("restored", RESTORED.values(), ids=RESTORED)
def test_every_error_survives(restored: Callable[[Any], Any]) -> None:
    for error, *_ in EXAMPLES:
        error.add_note("a note")
        result = restored(error)
        assert result is not error
        assert data_of(result) == data_of(error)


def test_raised_error_survives_with_its_attributes_alone() -> None:
    """The cause and the traceback belong to the place where an error was raised."""
    with pytest.raises(RuleNotFoundError) as caught:
        raise RuleNotFoundError("r", "orders") from OSError(1, "no")
    result = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - pickled here
    assert (result.rule, result.event_bus_name, result.__cause__) == ("r", "orders", None)


def test_tree_is_as_drawn() -> None:
    drawn: dict[str, str] = {}
    above: list[str] = []
    for line in str(exceptions.__doc__).splitlines():
        if found := re.match(r"    (?P<branch>[│├└─ ]*)(?P<name>\w+Error)\b", line):
            depth = len(found["branch"]) // 4
            above[depth:] = [found["name"]]
            drawn[found["name"]] = above[depth - 1] if depth else "Exception"
    assert drawn == {
        name: cls.__bases__[0].__name__.replace("_TargetsError", "CloudWatchEventsError")
        for name, cls in ERRORS.items()
    }


def test_invalid_input_is_a_value_error() -> None:
    assert {name for name, cls in ERRORS.items() if issubclass(cls, ValueError)} == {
        name for name, cls in ERRORS.items() if issubclass(cls, InvalidInputError)
    }


class TestMessage:
    def test_invalid_input_names_place_reason_and_remedy_but_not_the_value(self) -> None:
        error = InvalidInputError("entries[3].Detail", "it is not JSON", "Pass a dict", '{"password": "hunter2"')
        assert str(error) == "entries[3].Detail: it is not JSON. Pass a dict"

    def test_reason_that_ends_in_a_full_stop(self) -> None:
        assert str(InvalidInputError("targets", "AWS said no.", "Correct it")) == "targets: AWS said no. Correct it"

    @pytest.mark.parametrize(("member", "text"), [("Detail", "Detail: it is bad. Fix it"), ("", "it is bad. Fix it")])
    def test_entry_without_its_index(self, member: str, text: str) -> None:
        assert InvalidEntryError(3, member, "it is bad", "Fix it").without_index == text

    def test_schedule(self) -> None:
        error = InvalidScheduleError("rate(1 minutes)", "it is bad", "Fix it")
        assert str(error) == "schedule_expression 'rate(1 minutes)': it is bad. Fix it"

    @pytest.mark.parametrize(("cls", "verb"), [(PutTargetsError, "put"), (RemoveTargetsError, "removed")])
    def test_one_target(self, cls: type[PutTargetsError], verb: str) -> None:
        error = cls("r", FAILED_TARGETS[:1], permanent=True)
        assert str(error).splitlines()[0] == f"1 target of rule 'r' was not {verb}"

    @pytest.mark.parametrize(("cls", "verb"), [(PutTargetsError, "put"), (RemoveTargetsError, "removed")])
    def test_targets_are_listed_with_code_and_message(self, cls: type[PutTargetsError], verb: str) -> None:
        assert str(cls("r", FAILED_TARGETS, permanent=True)).splitlines() == [
            f"2 targets of rule 'r' were not {verb}",
            "  a: ConcurrentModificationException: busy",
            "  b: X: no",
        ]

    @pytest.mark.parametrize(("problems", "count"), [(["a"], "1 problem, see"), (["a", "b"], "2 problems, see")])
    def test_problems_of_targets_are_counted_on_one_line(self, problems: list[str], count: str) -> None:
        (line,) = str(TargetCheckError("r", problems)).splitlines()
        assert count in line

    @pytest.mark.parametrize(
        ("error", "texts"),
        [
            (EventBusNotFoundError("orders"), ["'orders'", "Create the bus"]),
            (RuleNotFoundError("r", "orders"), ["'r'", "'orders'", "PutRuleOperator"]),
            (ManagedRuleError("r", "x.amazonaws.com", "Leave it"), ["'r'", "x.amazonaws.com", "Leave it"]),
            (ManagedRuleError("r", None, "Leave it"), ["'r'", "another AWS service", "Leave it"]),
            (
                LimitExceededError("r", "targets per rule", "No more.", "Use fewer"),
                ["'r'", "targets per rule", "No more. Use fewer, or", "servicequotas"],
            ),
            (GrantPermissionsError("t", "arn:q", "AWS said no."), ["'t'", "changed: AWS said no (arn:q)"]),
            (RevokePermissionsError([NOT_REVOKED]), ["\n  Target 't'", "denied"]),
            (RuleHasTargetsError("r"), ["'r'", "again"]),
            (RoleNotAssumableError(None, "AWS says no."), ["AWS says no.", "events.amazonaws.com", "policy trust"]),
            (PutEventsStoppedError(1), ["after 1 entry;"]),
            (PutEventsStoppedError(12, "AWS is unreachable"), ["after 12 entries;", "sent: AWS is unreachable"]),
            (EntryTooLargeError(3, 1_048_576, 1_048_575), ["entries[3]", "1048576 bytes", "1048575", "S3"]),
        ],
        ids=lambda value: type(value).__name__,
    )
    def test_names_what_failed_and_the_remedy(self, error: Exception, texts: list[str]) -> None:
        assert [text for text in texts if text not in str(error)] == []


class TestPutEventsError:
    @staticmethod
    def failed(count: int) -> list[FailedEntry]:
        return [FailedEntry(10 * at, "A" if at % 3 else "B", f"message {at}") for at in range(count)]

    @pytest.mark.parametrize("count", [1, 5, 6])
    def test_first_five_are_shown(self, count: int) -> None:
        lines = str(PutEventsError(self.failed(count), 7, permanent=True)).splitlines()
        shown = min(count, 5)
        assert lines[0].startswith(f"{count} of {count + 7} entries {'was' if count == 1 else 'were'} not sent")
        assert lines[1 : shown + 1] == [
            f"  entries[{entry.index}]: {entry.code}: {entry.message}" for entry in self.failed(shown)
        ]
        assert lines[shown + 1 :] == ([f"  … and {count - 5} more"] if count > 5 else [])

    def test_codes_are_counted_most_frequent_first(self) -> None:
        error = PutEventsError(self.failed(10), 0, permanent=True)
        assert error.counts == {"A": 6, "B": 4}
        assert "(A: 6, B: 4)" in str(error).splitlines()[0]

    def test_counts_may_exceed_the_listed_entries(self) -> None:
        error = PutEventsError(self.failed(2), 1, permanent=True, counts={"A": 1500, "B": 500})
        assert str(error).splitlines()[0] == "2000 of 2001 entries were not sent (A: 1500, B: 500)"
        assert str(error).splitlines()[-1] == "  … and 1998 more"
        assert len(error.failed) == 2

    def test_single_entry(self) -> None:
        error = PutEventsError(self.failed(1), 0, permanent=True, path="s3://b/f")
        assert str(error).splitlines()[0] == "1 of 1 entry was not sent (B: 1); written to s3://b/f"

    def test_file_that_could_not_be_written_is_named_with_the_reason(self) -> None:
        error = PutEventsError(self.failed(1), 0, permanent=True, path="s3://b/f", path_error=OSError("disk full"))
        assert str(error).splitlines()[0].endswith("; s3://b/f could not be written: OSError: disk full")

    def test_lines_count_from_one(self) -> None:
        error = PutEventsError([FailedEntry(0, "BadLine", "no JSON")], 0, permanent=True, noun="line")
        assert str(error).splitlines()[1] == "  line 1: BadLine: no JSON"
        assert error.failed[0].index == 0
