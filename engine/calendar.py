"""Working days and office hours: which days count, when a period ends, what of it is left (Asia/Shanghai)."""

from __future__ import annotations

import csv
import io
from calendar import monthrange
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha256
from itertools import pairwise
from types import MappingProxyType
from zoneinfo import ZoneInfo

import chinese_calendar

from engine.errors import Finding, Invalid

SHANGHAI = ZoneInfo("Asia/Shanghai")
FIRST_YEAR = 2024
LONGEST = MappingProxyType(
    {"working_days": 2_500, "calendar_days": 3_660, "months": 120, "hours": 87_840, "work_hours": 20_000}
)
UNITS = frozenset(LONGEST)
DAY_UNITS = UNITS - {"hours", "work_hours"}
_COLUMNS = ["date", "workday", "reason"]
_HORIZON = 8_000
_DAY = timedelta(days=1)

Standstill = tuple[datetime, datetime]
"""From when (inclusive) until when (exclusive) a clock stands still."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Day:
    """One day of a period. ``hours`` is what it adds to a clock counted in hours.

    ``why``: first_day | standstill | rest_day | working_day | calendar_day | rolled | hours.
    """

    date: date
    counts: bool
    why: str
    provisional: bool
    hours: float = 0.0


def local_date(moment: datetime) -> date:
    """The date in Asia/Shanghai of an aware moment."""
    return moment.astimezone(SHANGHAI).date()


def end_of(day: date) -> datetime:
    """24:00 of the day: the first instant that no longer belongs to it."""
    return datetime.combine(day + _DAY, time(), SHANGHAI)


def _invalid(rule: str, zh: str, en: str) -> Invalid:
    return Invalid([Finding(where="deadline", rule=rule, zh=zh, en=en)])


@dataclass(frozen=True, kw_only=True, slots=True)
class Calendar:
    """Days that somebody has announced, and the rule for all others (Monday to Friday).

    ``version`` is the SHA-256 of the register it was read from; announced days run from ``known_from`` to
    ``known_until``; a day not in ``days`` is provisional. Office hours only matter to clocks in ``work_hours``:
    8 work hours make 1 working day (08:00–12:00, 14:00–18:00).
    """

    version: str
    days: Mapping[date, bool]
    known_from: date
    known_until: date
    morning: tuple[time, time] = (time(8), time(12))
    afternoon: tuple[time, time] = (time(14), time(18))

    def is_workday(self, day: date) -> bool:
        """Announced, or by the week for a day nobody has announced."""
        announced = self.days.get(day)
        return day.weekday() < 5 if announced is None else announced

    def provisional(self, day: date) -> bool:
        """True where the State Council's arrangement for this day is not in the register."""
        return day not in self.days

    def next_workday(self, day: date) -> date:
        """``day`` itself if it is a working day, else the first after it."""
        for _ in range(_HORIZON):
            if self.is_workday(day):
                return day
            day += _DAY
        raise _invalid("calendar", "日历中没有工作日", "The calendar holds no working day")

    def add(self, start: datetime, allowance: int, unit: str, standstills: Sequence[Standstill] = ()) -> datetime:
        """The first instant after the period that begins at ``start`` (aware). Raises Invalid (unit, size, naive).

        Days: the day of ``start`` does not count (民法典 201); working days leave rest days out (行政许可法 82);
        calendar days and months run through them, and a last day on a rest day rolls to the next working day
        (民法典 203); months end on the same date or on the month's last day (民法典 202). Due is 24:00 of the last
        day. Hours run from the moment, work hours within office hours; neither rolls.

        Standstills do not count (行政许可法 45). For clocks in days they are measured like any period: the day on
        which one begins still counts, the day on which it ends does not (民法典 201 by analogy), so one that ends on
        the day it began takes no day away. For clocks in hours they are taken out to the microsecond.
        """
        self._refuse(start, allowance, unit)
        stops = _merged(standstills)
        if unit == "hours":
            return _run(start, timedelta(hours=allowance), [(start, start + timedelta(days=40_000))], stops)
        if unit == "work_hours":
            return _run(start, timedelta(hours=allowance), self._office(start), stops)
        last = start.astimezone(SHANGHAI).date()
        for day in self.walk(start, allowance, unit, standstills):
            last = day.date
        return end_of(last)

    def walk(self, start: datetime, allowance: int, unit: str, standstills: Sequence[Standstill] = ()) -> Iterator[Day]:
        """Every day of a period in days, from the day of ``start`` to the last, and why it counts or not."""
        stops = _merged(standstills)
        day, first = local_date(start), local_date(start)
        left = allowance if unit != "months" else (_months_later(first, allowance) - first).days
        # a period of no days ends on the day it begins, or on the working day that follows
        yield self._day(day, False, "first_day")
        while left:
            day += _DAY
            if _stands_still(day, stops):
                yield self._day(day, False, "standstill")
            elif unit == "working_days" and not self.is_workday(day):
                yield self._day(day, False, "rest_day")
            else:
                left -= 1
                yield self._day(day, True, "working_day" if unit == "working_days" else "calendar_day")
            if (day - first).days > _HORIZON:
                raise _invalid("period", "期限过长", "The period is too long")
        while not self.is_workday(day):
            day += _DAY
            yield self._day(day, False, "rolled")

    def walk_hours(
        self, start: datetime, due: datetime, unit: str, standstills: Sequence[Standstill] = ()
    ) -> Iterator[Day]:
        """Every day from ``start`` to ``due`` of a clock in hours, with the hours that count on it."""
        stops = _merged(standstills)
        day = local_date(start)
        while day <= local_date(due) and day < local_date(start) + timedelta(days=_HORIZON):
            spans = [(end_of(day - _DAY), end_of(day))] if unit == "hours" else list(self._spans(day))
            spans = [(max(a, start), min(b, due)) for a, b in spans]
            ran = sum(((b - a) - _overlap(a, b, stops) for a, b in spans if b > a), timedelta())
            hours = ran / timedelta(hours=1)
            yield Day(date=day, counts=hours > 0, why="hours", provisional=self.provisional(day), hours=hours)
            day += _DAY

    def back(self, moment: datetime, allowance: int, unit: str) -> date:
        """The last day on which something can still be done ``allowance`` full days before ``moment``'s day.

        Full days between, neither end counted: a hearing on the 20th with 7 calendar days' notice is told by the
        12th. Raises Invalid for units other than working_days and calendar_days.
        """
        self._refuse(moment, allowance, unit)
        if unit not in {"working_days", "calendar_days"}:
            raise _invalid("unit", "倒计期限只能以日计", "Periods counted backwards are counted in days")
        day, left = local_date(moment) - _DAY, allowance
        while left:
            left -= unit == "calendar_days" or self.is_workday(day)
            day -= _DAY
        while unit == "working_days" and not self.is_workday(day):
            day -= _DAY
        return day

    def working_days_left(self, now: datetime, due: datetime) -> int:
        """Working days from today (counted: it is not over) to the last day before ``due``; 0 when overdue."""
        if now >= due:
            return 0
        day, last = local_date(now), local_date(due - timedelta(microseconds=1))
        return sum(self.is_workday(day + timedelta(days=n)) for n in range((last - day).days + 1))

    def remaining(self, now: datetime, due: datetime, unit: str) -> float:
        """What is left until ``due`` in the clock's unit (months: in calendar days); today counts as a whole day."""
        if now >= due:
            return 0
        if unit == "working_days":
            return self.working_days_left(now, due)
        if unit == "hours":
            return (due - now) / timedelta(hours=1)
        if unit == "work_hours":
            return sum(day.hours for day in self.walk_hours(now, due, unit))
        return (local_date(due - timedelta(microseconds=1)) - local_date(now)).days + 1

    def _day(self, day: date, counts: bool, why: str) -> Day:
        return Day(date=day, counts=counts, why=why, provisional=self.provisional(day))

    def _spans(self, day: date) -> Iterator[Standstill]:
        if self.is_workday(day):
            for opens, closes in (self.morning, self.afternoon):
                yield datetime.combine(day, opens, SHANGHAI), datetime.combine(day, closes, SHANGHAI)

    def _office(self, start: datetime) -> Iterator[Standstill]:
        for n in range(_HORIZON):
            for opens, closes in self._spans(local_date(start) + timedelta(days=n)):
                if closes > start:
                    yield max(opens, start), closes

    def _refuse(self, start: datetime, allowance: int, unit: str) -> None:
        if start.tzinfo is None:
            raise _invalid("naive", "时间须带时区", "A moment needs its time zone")
        if unit not in UNITS:
            raise _invalid("unit", "期限单位不在规定之列", "Unknown unit of a period")
        if not 0 <= allowance <= LONGEST[unit]:
            raise _invalid("period", "期限为负或者过长", "The period is negative or too long")


def _months_later(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def _merged(standstills: Sequence[Standstill]) -> list[Standstill]:
    """The same time taken out, in order and without overlap."""
    merged: list[Standstill] = []
    for begins, ends in sorted(standstills):
        if merged and begins <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], ends))
        else:
            merged.append((begins, ends))
    return merged


def _stands_still(day: date, stops: Sequence[Standstill]) -> bool:
    return any(local_date(begins) < day <= local_date(ends) for begins, ends in stops)


def _overlap(begins: datetime, ends: datetime, stops: Sequence[Standstill]) -> timedelta:
    return sum((max(timedelta(), min(ends, b) - max(begins, a)) for a, b in stops), timedelta())


def _run(
    start: datetime, wanted: timedelta, spans: Iterator[Standstill] | list[Standstill], stops: Sequence[Standstill]
) -> datetime:
    """The moment at which ``wanted`` has run within ``spans``, standstills taken out."""
    if not wanted:
        return start
    for opens, closes in spans:
        at = opens
        for begins, ends in (*stops, (closes, closes)):
            if begins > at:
                runs = min(begins, closes) - at
                if runs >= wanted:
                    return (at.astimezone(UTC) + wanted).astimezone(SHANGHAI)
                wanted -= max(timedelta(), runs)
            at = max(at, min(ends, closes))
    raise _invalid("period", "期限过长", "The period is too long")


def read_calendar(content: bytes) -> Calendar:
    """The calendar in a CSV with columns ``date,workday,reason`` (``2026-02-14,1,春节调休``). Raises Invalid.

    The known range is the first run of days without a gap; single days listed beyond it are known for themselves.
    """
    days = {day: working for day, working, _ in _rows("calendar.csv", content)}
    if not days:
        raise _invalid("calendar", "日历中没有日期", "The calendar lists no day")
    order = sorted(days)
    gap = next((n for n, (a, b) in enumerate(pairwise(order)) if b - a != _DAY), len(order) - 1)
    return Calendar(
        version=sha256(content).hexdigest(),
        days=MappingProxyType(days),
        known_from=order[0],
        known_until=order[gap],
    )


def _rows(name: str, content: bytes) -> list[tuple[date, bool, str]]:
    """The table's rows, every wrong line found at once."""
    findings: list[Finding] = []
    rows: list[tuple[date, bool, str]] = []
    try:
        lines = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as fault:
        raise _invalid("calendar", "日历须为 UTF-8 编码的 CSV", "The calendar must be CSV in UTF-8") from fault
    for number, cells in enumerate(lines, start=1):
        try:
            if number > 1 and cells:
                day, working, reason = cells
                rows.append((date.fromisoformat(day), {"1": True, "0": False}[working], reason))
        except (ValueError, KeyError):
            zh = "每行三列：日期须为 2026-01-31 的写法，workday 只能是 1（上班）或 0（休息），事由可以为空"
            en = "Three cells: a date like 2026-01-31, workday 1 or 0, and a reason or nothing"
            findings.append(Finding(where=f"{name}:{number}", rule="day", zh=zh, en=en))
    if not lines or lines[0] != _COLUMNS:
        zh, en = "首行须为 date,workday,reason", "The first line must be date,workday,reason"
        findings.append(Finding(where=f"{name}:1", rule="header", zh=zh, en=en))
    if findings:
        raise Invalid(findings)
    return rows


def announced_days() -> bytes:
    """The State Council's working and rest days of every year announced from 2024 on, one row for each day.

    Source: the package ``chinesecalendar``, as installed when somebody publishes. Same columns as
    ``processes/registers/calendar.csv``; lay that table over it with ``merged_days``.
    """
    last_year = max(chinese_calendar.holidays).year
    rows: list[tuple[date, bool, str]] = []
    day = date(FIRST_YEAR, 1, 1)
    while day.year <= last_year:
        working = chinese_calendar.is_workday(day)
        special = day in chinese_calendar.holidays or day in chinese_calendar.workdays
        reason = chinese_calendar.Holiday(chinese_calendar.get_holiday_detail(day)[1]).chinese if special else ""
        rows.append((day, working, f"{reason}调休" if working and reason else reason))
        day += _DAY
    return _csv(rows)


def merged_days(announced: bytes, exceptions: bytes) -> bytes:
    """``announced`` with the district's dated exceptions laid over it, in order of date. Raises Invalid."""
    files = (("announced.csv", announced), ("processes/registers/calendar.csv", exceptions))
    rows = {row[0]: row for name, content in files for row in _rows(name, content)}
    return _csv([rows[day] for day in sorted(rows)])


def _csv(rows: Sequence[tuple[date, bool, str]]) -> bytes:
    text = io.StringIO(newline="")
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(_COLUMNS)
    lines.writerows((day.isoformat(), int(working), reason) for day, working, reason in rows)
    return text.getvalue().encode()
