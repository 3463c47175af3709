from __future__ import annotations

import subprocess
import sys
from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_cwevents._aws.limits import MAX_SCHEDULE_EXPRESSION_LENGTH
from airflow_cwevents.exceptions import InvalidScheduleError
from airflow_cwevents.schedules import next_times, validate_schedule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MARCH_10 = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
HORIZON = timedelta(days=400)

# Taken by AWS: its own examples, and what was sent to it by LocalStack's tests, cdk-preflight and users.
TAKEN_BY_AWS = [
    "rate(1 minute)",
    "rate(5 minutes)",
    "rate(1 hour)",
    "rate(12 hours)",
    "rate(1 day)",
    "rate(7 days)",
    "cron(0 10 * * ? *)",
    "cron(15 12 * * ? *)",
    "cron(0 8 1 * ? *)",
    "cron(0/15 * * * ? *)",
    "cron(0/10 * ? * MON-FRI *)",
    "cron(0/5 8-17 ? * MON-FRI *)",
    "cron(0/30 20-23 ? * MON-FRI *)",
    "cron(5,35 14 * * ? *)",
    "cron(15 10 ? * 6L 2002-2005)",
    "cron(0/5 5 ? JAN 1-5 2022)",
    "cron(0 2 ? * SAT#3 *)",
    "cron(0 9 ? * 3#2 *)",
    "cron(0 9 3W * ? *)",
    "cron(0 21 LW * ? *)",
    "cron(0 0 L * ? *)",
    "cron(0 0 ? * L *)",
    "cron(0-15/1 8-8 ? * 2,3,4,5,6,7 *)",
    "cron(1-31/30 1-1 ? * 1,7 *)",
    "cron(0/30 11-2 * * ? *)",
    "cron(0/60 * * * ? *)",
    "cron(0/5, 9-18, ?, *, MON-FRI, *)",
    "cron(0 18 ? * mOn-frI *)",
    "cron(0 20 * * ? 2500)",
    "cron(0 0 31 2 ? *)",
]
# Nobody is known to have asked AWS, so the check leaves them to it.
LEFT_TO_AWS = [
    "rate(99999999999999999999 days)",
    "cron(0  8 * *  ? *)",
    "cron( 0 8 * * ? * )",
    "cron(0\t8 * *\n? *)",
    "cron(00 08 01 01 ? *)",
    "cron(0 0 l-3 jan ? *)",
    "cron(0 0 L-3W * ? *)",
    "cron(0 0 31W * ? *)",
    "cron(0 0 1W,15W,L * ? *)",
    "cron(0 0 ? * FRIL *)",
    "cron(0 0 ? * 2L,6L *)",
    "cron(0 0 ? * MON-6 *)",
    "cron(0 0 ? * FRI-MON *)",
    "cron(0 0 ? * L-2 *)",
    "cron(0 0 ? * 2/2 *)",
    "cron(0 0 ? * MON-FRI/2 *)",
    "cron(0 */24 25-5 NOV-FEB ? 2026/2)",
    "cron(0 *,5 * * ? *)",
    "cron(5/0 */0 * * ? *)",
    "cron(/20 5-* *-5 * ? *)",
]


@pytest.mark.parametrize("expression", [*TAKEN_BY_AWS, *LEFT_TO_AWS])
def test_accepts(expression: str) -> None:
    validate_schedule(expression)
    assert all(time > MARCH_10 for time in next_times(expression, 3, MARCH_10))


REFUSED_AND_MEANT = [
    ("rate(1 minutes)", "rate(1 minute)"),
    ("rate(1 hours)", "rate(1 hour)"),
    ("rate(5 minute)", "rate(5 minutes)"),
    ("rate(10 day)", "rate(10 days)"),
    ("rate(10 minutess)", "rate(10 minutes)"),
    ("rate(10 MINUTES)", "rate(10 minutes)"),
    ("Rate(10 minutes)", "rate(10 minutes)"),
    ("rate(10  minutes)", "rate(10 minutes)"),
    ("rate(10minutes)", "rate(10 minutes)"),
    ("rate( 10 minutes )", "rate(10 minutes)"),
    (" rate(10 minutes)", "rate(10 minutes)"),
    ("rate(10 minutes)\n", "rate(10 minutes)"),
    ("10 minutes", "rate(10 minutes)"),
    ("0 8 * * ? *", "cron(0 8 * * ? *)"),
    ("cron(0 8 * * ? *", "cron(0 8 * * ? *)"),
    ("CRON(0 8 * * ? *)", "cron(0 8 * * ? *)"),
    (" cron(0 8 * * ? *)", "cron(0 8 * * ? *)"),
    ("cron(0 8 * * *)", "cron(0 8 * * ? *)"),
    ("*/5 * * * *", "cron(*/5 * * * ? *)"),
    ("cron(0 8 1 * *)", "cron(0 8 1 * ? *)"),
    ("cron(0 8 * * 1-5)", "cron(0 8 ? * MON-FRI *)"),
    ("cron(0 8 * * 0,6)", "cron(0 8 ? * SUN,SAT *)"),
    ("cron(0 8 * * 5-7)", "cron(0 8 ? * FRI-SUN *)"),
    ("cron(0 8 * * 1#2)", "cron(0 8 ? * MON#2 *)"),
    ("cron(0 8 * * mon-fri)", "cron(0 8 ? * mon-fri *)"),
    ("cron(0 8 ? * 2-6)", "cron(0 8 ? * MON-FRI *)"),
    ("cron(0 8 * * * *)", "cron(0 8 * * ? *)"),
    ("cron(0 8 1 * * *)", "cron(0 8 1 * ? *)"),
    ("cron(0 8 * * MON-FRI *)", "cron(0 8 ? * MON-FRI *)"),
    ("cron(0 8 * * 1-5 *)", "cron(0 8 ? * SUN-THU *)"),
    ("cron(0 8 ? * ? *)", "cron(0 8 * * ? *)"),
    ("cron(0 8 ? * 0 *)", "cron(0 8 ? * SUN *)"),
    ("cron(0 8 ? * 0-4 *)", "cron(0 8 ? * SUN-THU *)"),
    ("cron(0 0 8 * * ? *)", "cron(0 8 * * ? *)"),
    ("@hourly", "cron(0 * * * ? *)"),
    ("@daily", "cron(0 0 * * ? *)"),
    ("@weekly", "cron(0 0 ? * SUN *)"),
    ("@monthly", "cron(0 0 1 * ? *)"),
    ("@quarterly", "cron(0 0 1 */3 ? *)"),
    ("@yearly", "cron(0 0 1 1 ? *)"),
]


@pytest.mark.parametrize(("expression", "meant"), REFUSED_AND_MEANT)
def test_refuses_and_tells_what_was_meant(expression: str, meant: str) -> None:
    with pytest.raises(InvalidScheduleError) as refusal:
        validate_schedule(expression)
    assert refusal.value.expression == expression
    assert refusal.value.remedy == f"Use {meant}"
    validate_schedule(meant)


REFUSED = [
    ("", "neither"),
    ("daily", "neither"),
    ("@once", "neither"),
    ("at(2030-12-24T12:30:00)", "neither"),
    ("rate()", "whole number"),
    ("rate(10)", "whole number"),
    ("rate(foo minutes)", "whole number"),
    ("rate(-10 minutes)", "whole number"),
    ("rate(1.5 hours)", "whole number"),
    ("rate(10 seconds)", "minutes, hours or days"),
    ("rate(10 years)", "minutes, hours or days"),
    ("rate(0 minutes)", "the least is 1"),
    ("cron()", "0 fields"),
    ("cron(INVALID)", "1 fields"),
    ("cron(0 8 * *)", "4 fields"),
    ("cron(30 0 8 * * ? *)", "7 fields"),
    ("cron(, 8 * * ? *)", "5 fields"),
    ("cron(0 8 1 * MON *)", "exactly one"),
    ("cron(7 20 * * NOT *)", "exactly one"),
    ("cron(71 8 1 * ? *)", "minutes"),
    ("cron(60 8 1 * ? *)", "minutes"),
    ("cron(5-60 8 1 * ? *)", "minutes"),
    ("cron(-5 8 1 * ? *)", "minutes"),
    ("cron(5- 8 1 * ? *)", "minutes"),
    ("cron(5/ 8 1 * ? *)", "minutes"),
    ("cron(? 8 1 * ? *)", "minutes"),
    ("cron(*/60 * * * ? *)", "minutes"),
    ("cron(0 dummy ? * MON-FRI *)", "hours"),
    ("cron(0 24 * * ? *)", "hours"),
    ("cron(0 8 0 * ? *)", "day-of-month"),
    ("cron(0 8 1,32 * ? *)", "day-of-month"),
    ("cron(0 8 0W * ? *)", "day-of-month"),
    ("cron(0 8 32W * ? *)", "day-of-month"),
    ("cron(0 8 W * ? *)", "day-of-month"),
    ("cron(0 8 15L * ? *)", "day-of-month"),
    ("cron(0 20 3#1 * ? *)", "day-of-month"),
    ("cron(0 8 1,? * ? *)", "day-of-month"),
    ("cron(0 8 * 0 ? *)", "month"),
    ("cron(0 8 * 13 ? *)", "month"),
    ("cron(0 8 * JANUARY ? *)", "JAN-DEC"),
    ("cron(0 8 ? ? MON *)", "month"),
    ("cron(0 8 ? * 8 *)", "day-of-week"),
    ("cron(0 8 ? * -1 *)", "day-of-week"),
    ("cron(0 8 ? * MONDAY *)", "SUN-SAT"),
    ("cron(0 8 ? * 15W *)", "day-of-week"),
    ("cron(0 8 ? * TUE#0 *)", "day-of-week"),
    ("cron(0 8 ? * TUE#6 *)", "day-of-week"),
    ("cron(0 8 ? * #2 *)", "day-of-week"),
    ("cron(0 8 ? * 3#1,6#3 *)", "day-of-week"),
    ("cron(0 8 ? * 3#1,FRI *)", "day-of-week"),
    ("cron(0 8 * * ? MMXXVI)", "year"),
    ("cron(0 8 * * ? L)", "year"),
]


@pytest.mark.parametrize(("expression", "reason"), REFUSED)
def test_refuses_and_tells_why(expression: str, reason: str) -> None:
    with pytest.raises(InvalidScheduleError) as refusal:
        validate_schedule(expression)
    assert refusal.value.expression == expression
    assert reason in refusal.value.reason
    assert not refusal.value.remedy.startswith("Use ")


def test_a_one_time_schedule_is_sent_to_scheduler() -> None:
    with pytest.raises(InvalidScheduleError) as refusal:
        validate_schedule("at(2030-12-24T12:30:00)")
    assert "EventBridge Scheduler" in refusal.value.remedy


@pytest.mark.parametrize("expression", [timedelta(minutes=5), 5, None, b"rate(5 minutes)"])
def test_what_is_no_text(expression: object) -> None:
    with pytest.raises(InvalidScheduleError) as caught:
        validate_schedule(expression)  # type: ignore[arg-type]
    assert caught.value.expression is expression
    assert type(expression).__name__ in caught.value.reason
    assert "'rate(5 minutes)'" in caught.value.remedy


@pytest.mark.parametrize("longer", [-1, 0, 1])
def test_length_limit(longer: int) -> None:
    fields = " 8 * * ? *)"
    room = MAX_SCHEDULE_EXPRESSION_LENGTH + longer - len("cron(" + fields)
    expression = f"cron({('0,' * room)[: room - 1]}0{fields}"
    assert len(expression) == MAX_SCHEDULE_EXPRESSION_LENGTH + longer
    if longer <= 0:
        validate_schedule(expression)
    else:
        with pytest.raises(InvalidScheduleError, match="257 characters"):
            validate_schedule(expression)


def test_checking_imports_no_library() -> None:
    program = (
        "import sys; from airflow_cwevents.schedules import validate_schedule; validate_schedule('cron(0 8 * * ? *)');"
        "sys.exit(', '.join({'airflow', 'boto3', 'botocore'} & sys.modules.keys()) or None)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def utc(*times: str) -> list[datetime]:
    return [datetime.fromisoformat(time).replace(tzinfo=UTC) for time in times]


DATES = [
    ("15 10 ? * 6L 2002-2005", "2001-12-31", ["2002-01-25T10:15", "2002-02-22T10:15", "2002-03-29T10:15"]),
    ("0 0 LW * ? *", "2023-03-15", ["2023-03-31", "2023-04-28", "2023-05-31", "2023-06-30", "2023-07-31"]),
    ("0 0 LW * ? *", "2023-09-01", ["2023-09-29", "2023-10-31", "2023-11-30", "2023-12-29"]),
    ("0 0 L * ? *", "2024-01-01", ["2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30"]),
    ("0 0 L-2 2 ? *", "2023-01-01", ["2023-02-26", "2024-02-27", "2025-02-26"]),
    ("0 0 L-28 1,2 ? *", "2023-01-01", ["2023-01-03", "2024-01-03", "2024-02-01", "2025-01-03"]),
    ("0 0 L-3W * ? *", "2026-03-10", ["2026-03-27", "2026-04-27", "2026-05-28"]),
    ("0 0 31W * ? 2027", "2026-12-31", ["2027-01-29", "2027-03-31", "2027-05-31", "2027-07-30"]),
    ("0 0 1W 8,11 ? 2026", "2026-01-01", ["2026-08-03", "2026-11-02"]),
    ("0 0 15W 8,11 ? 2026", "2026-01-01", ["2026-08-14", "2026-11-16"]),
    ("0 0 1W,15,L * ? *", "2026-08-01", ["2026-08-03", "2026-08-15", "2026-08-31", "2026-09-01"]),
    ("0 0 ? * L *", "2023-10-01", ["2023-10-07", "2023-10-14", "2023-10-21"]),
    ("0 0 ? * 1 *", "2026-03-10", ["2026-03-15", "2026-03-22"]),
    ("0 0 ? * SAT *", "2026-03-10", ["2026-03-14", "2026-03-21"]),
    ("0 0 ? * FRI-MON *", "2026-03-10", ["2026-03-13", "2026-03-14", "2026-03-15", "2026-03-16", "2026-03-20"]),
    ("0 0 ? * FRI#5 *", "2026-01-01", ["2026-01-30", "2026-05-29", "2026-07-31", "2026-10-30"]),
    ("0 0 29 2 ? *", "2095-01-01", ["2096-02-29", "2104-02-29"]),
    ("0 0 ? 2 MON#5 *", "2026-01-01", ["2044-02-29", "2072-02-29", "2112-02-29"]),
    ("0 0 1 1 ? 2026/3", "2026-06-01", ["2029-01-01", "2032-01-01"]),
    ("0 0 1 NOV-FEB/2 ? *", "2026-03-10", ["2026-11-01", "2027-01-01", "2027-11-01"]),
    ("0 23-1 * * ? *", "2026-03-10T01:30", ["2026-03-10T23:00", "2026-03-11", "2026-03-11T01:00"]),
    ("/20 5-*/18 * * ? *", "2026-03-10", ["2026-03-10T05:00", "2026-03-10T05:20", "2026-03-10T05:40"]),
    ("0/60 */0 * * ? *", "2026-03-10", ["2026-03-10T01:00", "2026-03-10T02:00"]),
    ("5/0 8 * * ? *", "2026-03-10", ["2026-03-10T08:05", "2026-03-11T08:05"]),
    ("0/5, 9, ?, *, MON-FRI, *", "2026-03-13T09:50", ["2026-03-13T09:55", "2026-03-16T09:00"]),
]


@pytest.mark.parametrize(("fields", "after", "expected"), DATES)
def test_cron_fires_on_known_dates(fields: str, after: str, expected: list[str]) -> None:
    assert next_times(f"cron({fields})", len(expected), *utc(after)) == utc(*expected)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("rate(1 minute)", ["2026-03-10T12:01", "2026-03-10T12:02"]),
        ("rate(90 minutes)", ["2026-03-10T13:30", "2026-03-10T15:00"]),
        ("rate(12 hours)", ["2026-03-11", "2026-03-11T12:00"]),
        ("rate(30 days)", ["2026-04-09T12:00", "2026-05-09T12:00"]),
    ],
)
def test_rate_counts_from_the_given_time(expression: str, expected: list[str]) -> None:
    assert next_times(expression, len(expected), MARCH_10) == utc(*expected)


def test_rate_keeps_the_seconds() -> None:
    assert next_times("rate(1 hour)", 1, MARCH_10.replace(second=7)) == utc("2026-03-10T13:00:07")


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ("2026-03-10T11:59:59.999999", "2026-03-10T12:00"),
        ("2026-03-10T12:00", "2026-03-11T12:00"),
        ("2026-03-10T12:00:00.000001", "2026-03-11T12:00"),
    ],
)
def test_cron_fires_strictly_after_the_given_time(after: str, expected: str) -> None:
    assert next_times("cron(0 12 * * ? *)", 1, *utc(after)) == utc(expected)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("cron(0 0 1 1 ? 2027,2029)", ["2027-01-01", "2029-01-01"]),
        ("cron(30 12 24 12 ? 2030)", ["2030-12-24T12:30"]),
        ("cron(15 10 ? * 6L 2002-2005)", []),
        ("cron(0 12 10 3 ? 2026)", []),
        ("cron(0 20 * * ? 2500)", []),
        ("cron(0 0 31 2 ? *)", []),
        ("cron(0 0 31W 2,4,6,9,11 ? *)", []),
        ("cron(0 0 L-30 2 ? *)", []),
        ("cron(0 0 L-99 * ? *)", []),
        ("cron(0 0 31 12 ? 2198-2300)", ["2198-12-31", "2199-12-31"]),
        ("rate(99999999999999999999 days)", []),
    ],
)
def test_a_schedule_ends(expression: str, expected: list[str]) -> None:
    assert next_times(expression, 5, MARCH_10) == utc(*expected)


def test_a_rate_ends_with_the_calendar_of_python() -> None:
    assert next_times("rate(1 day)", 5, *utc("9999-12-29T08:00")) == utc("9999-12-30T08:00", "9999-12-31T08:00")


def test_no_times_are_told_when_none_are_asked_for() -> None:
    assert next_times("cron(* * * * ? *)", 0, MARCH_10) == []


def test_a_later_time_is_told_in_utc() -> None:
    after = datetime.fromisoformat("2026-03-10T01:00+05:30")
    (time,) = next_times("cron(0 20 * * ? *)", 1, after)
    assert (time.isoformat(), time.tzinfo) == ("2026-03-09T20:00:00+00:00", UTC)
    (time,) = next_times("rate(1 minute)", 1, after)
    assert (time.isoformat(), time.tzinfo) == ("2026-03-09T19:31:00+00:00", UTC)


@pytest.mark.parametrize("expression", ["cron(30 1 * * ? *)", "rate(1 day)"])
def test_daylight_saving_time_changes_nothing(expression: str) -> None:
    # Clocks in Berlin skip 02:00 to 03:00 on 2026-03-29.
    after = datetime(2026, 3, 28, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    assert next_times(expression, 2, after) == utc("2026-03-29T01:30", "2026-03-30T01:30")


@pytest.mark.parametrize(("fold", "expected"), [(0, "2026-10-25T00:31"), (1, "2026-10-25T01:31")])
def test_the_repeated_hour_is_told_apart(fold: int, expected: str) -> None:
    after = datetime(2026, 10, 25, 2, 30, fold=fold, tzinfo=ZoneInfo("Europe/Berlin"))
    assert next_times("cron(* * * * ? *)", 1, after) == utc(expected)


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="aware") as refusal:
        next_times("rate(1 day)", 1, datetime(2026, 3, 10))
    assert not isinstance(refusal.value, InvalidScheduleError)


def test_next_times_checks_the_expression() -> None:
    with pytest.raises(InvalidScheduleError) as refusal:
        next_times("rate(1 days)", 0, MARCH_10)
    assert refusal.value.expression == "rate(1 days)"


class Part(NamedTuple):
    """A part of a field, and what it stands for, told by other means than those of the code under test."""

    text: str
    holds: Callable[..., bool]


def parts(low: int, high: int, names: tuple[str, ...] = ()) -> st.SearchStrategy[Part]:
    size = high - low + 1
    numbers, steps = st.integers(low, high), st.integers(1, size + 2)

    def spell(number: int) -> str:
        return names[number - low] if names else f"{number:02}"

    def stepped(first: int, last: int, step: int) -> Part:
        return Part(
            f"{spell(first)}-{spell(last)}/{step}",
            lambda value: (value - first) % size <= (last - first) % size and (value - first) % size % step == 0,
        )

    return st.one_of(
        st.just(Part("*", lambda value: True)),
        st.integers(1, size - 1).map(lambda step: Part(f"*/{step}", lambda value: (value - low) % step == 0)),
        st.builds(lambda number: Part(spell(number), lambda value: value == number), numbers),
        st.builds(
            lambda first, step: Part(
                f"{spell(first)}/{step}", lambda value: value >= first and (value - first) % step == 0
            ),
            numbers,
            steps,
        ),
        st.builds(stepped, numbers, numbers, steps),
    )


def is_nearest_weekday(day: date, target: int) -> bool:
    days = [day.replace(day=number) for number in range(1, monthrange(day.year, day.month)[1] + 1)]
    distances = [abs(other.day - target) for other in days if other.weekday() < 5]
    return target <= len(days) and day.weekday() < 5 and abs(day.day - target) == min(distances)


def days_of_month() -> st.SearchStrategy[Part]:
    return st.one_of(
        parts(1, 31).map(lambda part: Part(part.text, lambda day: part.holds(day.day))),
        st.just(Part("LW", lambda day: is_nearest_weekday(day, monthrange(day.year, day.month)[1]))),
        st.integers(1, 31).map(lambda number: Part(f"{number}W", lambda day: is_nearest_weekday(day, number))),
        st.integers(0, 30).map(
            lambda before: Part(f"L-{before}", lambda day: day.day == monthrange(day.year, day.month)[1] - before)
        ),
    )


WEEKDAYS = ("SUN", "Mon", "tue", "WED", "THU", "FRI", "SAT")
MONTHS = ("JAN", "Feb", "mar", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


def number_of(day: date) -> int:
    return day.isoweekday() % 7 + 1


def days_of_week() -> st.SearchStrategy[Part]:
    return st.one_of(
        st.sampled_from([(), WEEKDAYS])
        .flatmap(lambda names: parts(1, 7, names))
        .map(lambda part: Part(part.text, lambda day: part.holds(number_of(day)))),
        st.integers(1, 7).map(
            lambda number: Part(
                f"{number}L", lambda day: number_of(day) == number and (day + timedelta(7)).month != day.month
            )
        ),
        st.builds(
            lambda number, nth: Part(
                f"{WEEKDAYS[number - 1]}#{nth}",
                lambda day: number_of(day) == number and nth * 7 - 7 < day.day <= nth * 7,
            ),
            st.integers(1, 7),
            st.integers(1, 5),
        ),
    )


def lists(part: st.SearchStrategy[Part]) -> st.SearchStrategy[Part]:
    return st.lists(part, min_size=1, max_size=3).map(
        lambda some: Part(",".join(each.text for each in some), lambda value: any(each.holds(value) for each in some))
    )


def scan(day: Part, months: Part, hours: Part, minutes: Part, after: datetime) -> Iterator[datetime]:
    midnight = after.replace(hour=0, minute=0, second=0, microsecond=0)
    for distance in range(HORIZON.days):
        start = midnight + timedelta(distance)
        if months.holds(start.month) and day.holds(start.date()):
            clock = (start + timedelta(minutes=minute) for minute in range(24 * 60))
            yield from (t for t in clock if t > after and hours.holds(t.hour) and minutes.holds(t.minute))


@settings(database=None, deadline=None, max_examples=200)
@given(
    minutes=lists(parts(0, 59)),
    hours=lists(parts(0, 23)),
    days=st.one_of(
        st.tuples(lists(days_of_month()), st.none()),
        st.tuples(st.none(), days_of_week()),
    ),
    months=st.sampled_from([(), MONTHS]).flatmap(lambda names: lists(parts(1, 12, names))),
    after=st.datetimes(datetime(2023, 1, 1), datetime(2029, 12, 31), timezones=st.just(UTC)),
)
def test_cron_fires_when_a_scan_of_the_calendar_says_so(
    minutes: Part, hours: Part, days: tuple[Part | None, Part | None], months: Part, after: datetime
) -> None:
    day = next(part for part in days if part)
    day_of_month, day_of_week = (part.text if part else "?" for part in days)
    expression = f"cron({minutes.text} {hours.text} {day_of_month} {months.text} {day_of_week} *)"
    end = after.replace(hour=0, minute=0, second=0, microsecond=0) + HORIZON
    scanned = list(islice(scan(day, months, hours, minutes, after), 30))
    assert [time for time in next_times(expression, 30, after) if time < end] == scanned
