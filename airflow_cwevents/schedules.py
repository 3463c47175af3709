"""
Schedule expressions of rules, ``rate(…)`` and ``cron(…)``: validate them before AWS does, and compute when they fire.

AWS answers every bad one with ``Parameter ScheduleExpression is not valid.`` The errors here say what is wrong, and
which expression was meant where that can be told. Refused is what AWS documents as wrong, or was seen to refuse, or
what has no documented meaning; a combination that AWS merely does not mention is left to AWS.

- https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html
- https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cron-expressions.html
"""

from __future__ import annotations

import re
from calendar import monthrange
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from itertools import dropwhile, islice, product
from typing import TYPE_CHECKING, Final, NamedTuple

from airflow_cwevents._aws.limits import MAX_SCHEDULE_EXPRESSION_LENGTH
from airflow_cwevents.exceptions import InvalidScheduleError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_FORM: Final = re.compile(r"(?P<kind>rate|cron)\((?P<body>.*)\)", re.DOTALL)
_RATE: Final = re.compile(r"(?P<number>[0-9]+) (?P<unit>minute|hour|day)(?P<plural>s?)")
_UNIT_MINUTES: Final = {"minute": 1, "hour": 60, "day": 24 * 60}
# A part of a field: 5, 1-5, *, */15, 10/15, 8-18/2; and /15, which other AWS services read as */15.
_PART: Final = re.compile(r"(?:(?P<first>\*|\w+)(?:-(?P<last>\*|\w+))?)?(?:/(?P<step>[0-9]+))?", re.ASCII)
# Parts of a day field that stand for other days in other months: L, L-3, LW, 15W, and FRIL, TUE#2.
_MONTHLY_DAY: Final = re.compile(r"L(-[0-9]+)?W?|(?P<value>\w+)(?P<mark>W)", re.ASCII)
_MONTHLY_WEEKDAY: Final = re.compile(r"(?P<value>\w+)(?P<mark>L|#[1-5])", re.ASCII)
_LAST_DAY: Final = re.compile(r"L(?:-(?P<before>[0-9]+))?W?")
_SUNDAY, _SATURDAY = 1, 7

_LOOSE_RATE: Final = re.compile(r"\s*(?P<number>[0-9]+)\s*(?P<unit>minute|hour|day)s*\s*", re.IGNORECASE)
_WEEKDAY_NUMBER: Final = re.compile(r"(?<![\w#/])[0-7](?![0-9])")
# Airflow's presets, as Unix cron has them.
_PRESETS: Final = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@quarterly": "0 0 1 */3 *",
    "@yearly": "0 0 1 1 *",
}
# By what the expression begins with.
_REMEDIES: Final = {
    "rate": "The shortest is rate(1 minute); others are for example rate(5 minutes), rate(1 hour), rate(7 days)",
    "at": "at(…) is for EventBridge Scheduler, another service; a rule fires once with cron(30 12 24 12 ? 2030)",
    "": "Write cron(minutes hours day-of-month month day-of-week year), for example cron(0 8 ? * MON-FRI *), in UTC",
}


class _Field(NamedTuple):
    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()

    def numbers(self, parts: list[str]) -> list[int]:
        """Return what the values, ranges and steps of a field stand for, in order, or raise ValueError."""
        return sorted(set().union(*(self._span(part) for part in parts)))

    def days(self, parts: list[str], monthly: re.Pattern[str]) -> list[str]:
        """Return the parts of a day field, with ranges and steps as lists of numbers, or raise ValueError."""
        return parts if parts == ["?"] else [self._day(part, monthly.fullmatch(part)) for part in parts]

    def _day(self, part: str, monthly: re.Match[str] | None) -> str:
        if monthly is None:
            return ",".join(map(str, self._span(part)))
        return f"{self._number(monthly['value'])}{monthly['mark']}" if monthly["value"] else part

    def _span(self, text: str) -> set[int]:
        part = _PART.fullmatch(text)
        if part is None:
            raise ValueError(f"its {self.name} field has {text!r}, which is not a value, range or step")
        first, step = part["first"] or "*", int(part["step"] or 1)
        last = part["last"] or ("*" if part["step"] else first)
        if self is _MINUTES and first == "*" and step > self.high:
            # Seen for the minutes only, where 0/60 is taken: https://github.com/aws/aws-sdk-js/issues/4212
            raise ValueError(f"its {self.name} field has {text!r}, and the steps of * end at {self.high}")
        start = self.low if first == "*" else self._number(first)
        stop = self.high if last == "*" else self._number(last)
        # FRI-MON and 22-2 go on at the other end of the field.
        size = self.high - self.low + 1
        wrap = size if stop < start else 0
        span = range(start, stop + wrap + 1, step or (1 if first == "*" else size))
        return {number for number in range(self.low, self.high + 1) if number in span or number + wrap in span}

    def _number(self, value: str) -> int:
        if value in self.names:
            return self.names.index(value) + self.low
        # AWS takes more years than it documents: cron(0 20 * * ? 2500), https://github.com/badmintoncryer/cdk-preflight
        if value.isdecimal() and (self is _YEAR or self.low <= int(value) <= self.high):
            return int(value)
        names = f" or {self.names[0]}-{self.names[-1]}" if self.names else ""
        raise ValueError(f"its {self.name} field has {value!r}, which is not in {self.low}-{self.high}{names}")


_MINUTES: Final = _Field("minutes", 0, 59)
_HOURS: Final = _Field("hours", 0, 23)
_DAY_OF_MONTH: Final = _Field("day-of-month", 1, 31)
_MONTH: Final = _Field(
    "month", 1, 12, ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
)
_DAY_OF_WEEK: Final = _Field("day-of-week", 1, 7, ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"))
_YEAR: Final = _Field("year", 1970, 2199)


class _Cron(NamedTuple):
    minutes: list[int]
    hours: list[int]
    days_of_month: list[str]
    months: list[int]
    days_of_week: list[str]
    years: list[int]


def validate_schedule(expression: str) -> None:
    """
    Check that PutRule takes a schedule expression.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html

    :param expression: the expression, such as ``rate(5 minutes)`` or ``cron(0 8 ? * MON-FRI *)``.
    :raises InvalidScheduleError: when AWS would refuse it.
    """
    if not isinstance(expression, str):
        reason = f"it is of type {type(expression).__name__}"
        raise InvalidScheduleError(expression, reason, "Use a string such as 'rate(5 minutes)'")
    try:
        _parse(expression)
    except ValueError as refusal:
        raise InvalidScheduleError(expression, str(refusal), _remedy(expression)) from None


def next_times(expression: str, count: int, after: datetime) -> list[datetime]:
    """
    Return when a schedule fires next.

    AWS counts a ``rate`` from the rule's creation, which ``after`` stands for here. A ``cron`` ends with 2199, the
    last year that AWS documents.

    :param expression: the schedule expression.
    :param count: how many times to tell.
    :param after: an aware datetime, before every time that is told.
    :return: the times in UTC and in order, fewer than ``count`` when the schedule ends.
    :raises InvalidScheduleError: when AWS would refuse the expression.
    :raises ValueError: when ``after`` is naive or ``count`` is negative.
    """
    validate_schedule(expression)
    if after.utcoffset() is None:
        raise ValueError("after must be an aware datetime, such as datetime.now(UTC)")
    schedule, start = _parse(expression), after.astimezone(UTC)
    times = _rate_times(schedule, start) if isinstance(schedule, int) else _cron_times(schedule, start)
    return list(islice(times, count))


def _parse(expression: str) -> int | _Cron:
    """Return a rate's minutes or a cron's fields, or raise ValueError with the reason."""
    if len(expression) > MAX_SCHEDULE_EXPRESSION_LENGTH:
        raise ValueError(f"it has {len(expression)} characters, and the most is {MAX_SCHEDULE_EXPRESSION_LENGTH}")
    form = _FORM.fullmatch(expression)
    if form is None:
        raise ValueError("it is neither rate(…) nor cron(…)")
    return _parse_rate(form["body"]) if form["kind"] == "rate" else _parse_cron(form["body"])


def _parse_rate(body: str) -> int:
    rate = _RATE.fullmatch(body)
    if rate is None:
        raise ValueError("it holds no whole number, one space, and minutes, hours or days in lower case")
    number = int(rate["number"])
    if number == 0:
        raise ValueError("its number is 0, and the least is 1")
    if bool(rate["plural"]) == (number == 1):
        raise ValueError(f"{number} goes with the {'singular' if number == 1 else 'plural'} of its unit")
    return number * _UNIT_MINUTES[rate["unit"]]


def _parse_cron(body: str) -> _Cron:
    # AWS overlooks stray commas, as in cron(0/5, 9-18, ?, *, MON-FRI, *): https://github.com/aws/aws-sdk/issues/161
    fields = [[part for part in field.split(",") if part] for field in body.upper().split()]
    if len(fields) != len(_Cron._fields) or not all(fields):
        raise ValueError(f"it has {sum(map(bool, fields))} fields, and AWS requires six")
    minutes, hours, days_of_month, months, days_of_week, years = fields
    if (days_of_month == ["?"]) == (days_of_week == ["?"]):
        raise ValueError("exactly one of day-of-month and day-of-week must be ?; days of either kind take two rules")
    if len(days_of_week) > 1 and any("#" in part for part in days_of_week):
        raise ValueError("its day-of-week field has a list with #, which only goes alone")
    return _Cron(
        _MINUTES.numbers(minutes),
        _HOURS.numbers(hours),
        _DAY_OF_MONTH.days(days_of_month, _MONTHLY_DAY),
        _MONTH.numbers(months),
        # L alone is the last day of the week.
        _DAY_OF_WEEK.days([re.sub(r"\bL\b", "SAT", part) for part in days_of_week], _MONTHLY_WEEKDAY),
        _YEAR.numbers(years),
    )


def _rate_times(minutes: int, start: datetime) -> Iterator[datetime]:
    # Python's calendar ends with the year 9999.
    with suppress(OverflowError):
        while True:
            start += timedelta(minutes=minutes)
            yield start


def _cron_times(cron: _Cron, start: datetime) -> Iterator[datetime]:
    months = dropwhile(lambda month: month < (start.year, start.month), product(cron.years, cron.months))
    times = (
        datetime(year, month, day, hour, minute, tzinfo=UTC)
        for year, month in months
        for day in _days(cron, year, month)
        for hour, minute in product(cron.hours, cron.minutes)
    )
    return dropwhile(lambda time: time <= start, times)


def _days(cron: _Cron, year: int, month: int) -> list[int]:
    """Return the days of a month on which a cron fires, in order."""
    first, length = date(year, month, 1), monthrange(year, month)[1]
    # AWS counts weekdays from SUN=1
    weekdays = {day: (first.isoweekday() + day - 1) % 7 + 1 for day in range(1, length + 1)}
    if cron.days_of_week == ["?"]:
        return sorted(set().union(*(_month_days(part, weekdays) for part in cron.days_of_month)))
    return sorted(set().union(*(_week_days(part, weekdays) for part in cron.days_of_week)))


def _month_days(part: str, weekdays: Mapping[int, int]) -> set[int]:
    if last := _LAST_DAY.fullmatch(part):
        day = len(weekdays) - int(last["before"] or 0)
    elif part.endswith("W"):
        day = int(part[:-1])
    else:
        return {day for day in map(int, part.split(",")) if day in weekdays}
    if day not in weekdays:
        return set()
    return {_nearest_working_day(day, weekdays)} if part.endswith("W") else {day}


def _nearest_working_day(day: int, weekdays: Mapping[int, int]) -> int:
    """Return the nearest day from Monday to Friday, which W stands for, in the same month."""
    if weekdays[day] == _SATURDAY:
        return day - 1 if day > 1 else day + 2
    if weekdays[day] == _SUNDAY:
        return day + 1 if day < len(weekdays) else day - 2
    return day


def _week_days(part: str, weekdays: Mapping[int, int]) -> set[int]:
    wanted, mark, nth = part.partition("#") if "#" in part else (part.removesuffix("L"), part[-1:], "")
    days = [day for day, weekday in weekdays.items() if str(weekday) in wanted.split(",")]
    if mark == "L":
        return set(days[-1:])
    return set(days[int(nth) - 1 : int(nth)] if nth else days)


def _remedy(expression: str) -> str:
    meant = _meant(_PRESETS.get(expression.strip(), expression))
    with suppress(ValueError):
        _parse(meant)
        return f"Use {meant}"
    return next(remedy for start, remedy in _REMEDIES.items() if expression.strip().lower().startswith(start))


def _meant(expression: str) -> str:
    """Return what an expression was probably meant to be, which need not be valid."""
    body = re.sub(r"rate|cron|[()]", " ", expression, flags=re.IGNORECASE)
    rate = _LOOSE_RATE.fullmatch(body)
    if rate is None:
        return f"cron({' '.join(_meant_fields(body.split()))})"
    number = int(rate["number"])
    return f"rate({number} {rate['unit'].lower()}{'' if number == 1 else 's'})"


def _meant_fields(fields: list[str]) -> list[str]:
    unix = len(fields) == 5 and "?" not in fields
    if len(fields) == 5:
        fields = [*fields, "*"]
    elif len(fields) == 7 and fields[0] == "0":
        # Quartz begins with the seconds.
        fields = fields[1:]
    if len(fields) == 6:
        fields[2], fields[4] = _meant_days(fields[2], _spelt_out(fields[4], unix=unix))
    return fields


def _meant_days(day_of_month: str, day_of_week: str) -> tuple[str, str]:
    if day_of_month == day_of_week == "?":
        return "*", "?"
    if "?" in (day_of_month, day_of_week) or "*" not in (day_of_month, day_of_week):
        return day_of_month, day_of_week
    return (day_of_month, "?") if day_of_week == "*" else ("?", day_of_week)


def _spelt_out(weekdays: str, *, unix: bool) -> str:
    # Unix counts from SUN=0, AWS from SUN=1.
    sunday = 0 if unix or "0" in _WEEKDAY_NUMBER.findall(weekdays) else 1
    return _WEEKDAY_NUMBER.sub(lambda number: _DAY_OF_WEEK.names[(int(number[0]) - sunday) % 7], weekdays)
