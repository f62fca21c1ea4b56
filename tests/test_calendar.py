"""The counting of periods, each case worked out by hand from the State Council's arrangements for 2024 to 2026."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from engine.calendar import LONGEST, SHANGHAI, UNITS, Calendar, announced_days, merged_days, read_calendar
from engine.errors import Invalid
from engine.registers import UNITS as REGISTER_UNITS


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


@pytest.fixture(scope="module")
def calendar() -> Calendar:
    return read_calendar(announced_days())


CASES = [
    # working days; the make-up days of Spring Festival 2026 are 14 and 28 February
    ("2026-02-13T10:00", 5, "working_days", "2026-02-28T00:00"),
    ("2026-02-13T10:00", 6, "working_days", "2026-03-01T00:00"),
    ("2026-02-13T00:00", 1, "working_days", "2026-02-15T00:00"),
    ("2026-02-13T23:59", 1, "working_days", "2026-02-15T00:00"),
    ("2026-02-14T18:00", 1, "working_days", "2026-02-25T00:00"),
    ("2026-02-16T09:00", 1, "working_days", "2026-02-25T00:00"),
    # New Year 2026: Sunday the 4th is worked
    ("2025-12-31T09:00", 1, "working_days", "2026-01-05T00:00"),
    # National Day 2025: Sunday 28 September and Saturday 11 October are worked
    ("2025-09-26T09:00", 5, "working_days", "2025-10-11T00:00"),
    ("2025-09-26T09:00", 6, "working_days", "2025-10-12T00:00"),
    ("2025-09-30T09:00", 1, "working_days", "2025-10-10T00:00"),
    # Spring Festival 2025: Sunday 26 January and Saturday 8 February are worked
    ("2025-01-24T09:00", 5, "working_days", "2025-02-08T00:00"),
    ("2025-01-24T09:00", 6, "working_days", "2025-02-09T00:00"),
    # Labour Day 2025 and 2026, Dragon Boat, Tomb Sweeping, Mid-Autumn
    ("2025-04-25T09:00", 5, "working_days", "2025-05-07T00:00"),
    ("2025-05-30T09:00", 1, "working_days", "2025-06-04T00:00"),
    ("2026-04-03T09:00", 1, "working_days", "2026-04-08T00:00"),
    ("2026-04-30T09:00", 4, "working_days", "2026-05-10T00:00"),
    ("2026-06-18T09:00", 1, "working_days", "2026-06-23T00:00"),
    ("2026-09-18T09:00", 1, "working_days", "2026-09-21T00:00"),
    ("2026-09-24T09:00", 5, "working_days", "2026-10-10T00:00"),
    ("2026-09-24T09:00", 6, "working_days", "2026-10-11T00:00"),
    # on the spot: the day itself, or the next day somebody works
    ("2026-02-13T10:00", 0, "working_days", "2026-02-14T00:00"),
    ("2026-02-16T10:00", 0, "working_days", "2026-02-25T00:00"),
    # calendar days run through rest days; only the last day rolls
    ("2026-01-14T10:00", 30, "calendar_days", "2026-02-14T00:00"),
    ("2026-01-15T10:00", 30, "calendar_days", "2026-02-15T00:00"),
    ("2026-01-16T10:00", 30, "calendar_days", "2026-02-25T00:00"),
    ("2026-09-03T10:00", 30, "calendar_days", "2026-10-09T00:00"),
    # months end on the same date, or on the month's last day
    ("2026-01-31T10:00", 1, "months", "2026-03-01T00:00"),
    ("2024-01-31T10:00", 1, "months", "2024-03-01T00:00"),
    ("2025-08-31T10:00", 1, "months", "2025-10-01T00:00"),
    ("2025-09-03T10:00", 1, "months", "2025-10-10T00:00"),
    ("2024-11-30T10:00", 3, "months", "2025-03-01T00:00"),
    ("2025-12-15T10:00", 2, "months", "2026-02-25T00:00"),
    # hours never roll
    ("2026-02-14T23:00", 2, "hours", "2026-02-15T01:00"),
    ("2026-02-16T10:00", 48, "hours", "2026-02-18T10:00"),
    # work hours: 08:00–12:00 and 14:00–18:00 of working days
    ("2026-02-13T17:00", 2, "work_hours", "2026-02-14T09:00"),
    ("2026-02-14T17:30", 1, "work_hours", "2026-02-24T08:30"),
    ("2026-03-02T11:30", 1, "work_hours", "2026-03-02T14:30"),
    ("2026-03-02T10:00", 8, "work_hours", "2026-03-03T10:00"),
    ("2026-03-02T20:00", 1, "work_hours", "2026-03-03T09:00"),
    ("2026-03-02T14:00", 4, "work_hours", "2026-03-02T18:00"),
]


@pytest.mark.parametrize(("start", "allowance", "unit", "due"), CASES)
def test_a_period_ends_at_the_first_instant_after_its_last_day(
    calendar: Calendar, start: str, allowance: int, unit: str, due: str
) -> None:
    assert calendar.add(at(start), allowance, unit) == at(due)


STANDSTILLS = [
    # without it: 3, 4, 5, 6, 9 March
    (5, "working_days", [("2026-03-04T10:00", "2026-03-06T15:00")], "2026-03-12T00:00"),
    (5, "working_days", [("2026-03-04T10:00", "2026-03-04T17:00")], "2026-03-10T00:00"),
    (5, "working_days", [("2026-03-06T10:00", "2026-03-09T10:00")], "2026-03-11T00:00"),
    (
        5,
        "working_days",
        [("2026-03-03T10:00", "2026-03-05T10:00"), ("2026-03-04T10:00", "2026-03-06T10:00")],
        "2026-03-13T00:00",
    ),
    (5, "working_days", [("2026-03-10T10:00", "2026-03-20T10:00")], "2026-03-10T00:00"),
    (10, "calendar_days", [("2026-03-04T10:00", "2026-03-06T10:00")], "2026-03-17T00:00"),
    (1, "months", [("2026-03-04T10:00", "2026-03-06T10:00")], "2026-04-08T00:00"),
    (24, "hours", [("2026-03-02T12:00", "2026-03-02T15:00")], "2026-03-03T13:00"),
    (8, "work_hours", [("2026-03-02T11:00", "2026-03-02T15:00")], "2026-03-03T12:00"),
]


@pytest.mark.parametrize(("allowance", "unit", "stops", "due"), STANDSTILLS)
def test_a_standstill_does_not_count_but_the_day_it_begins_does(
    calendar: Calendar, allowance: int, unit: str, stops: list[tuple[str, str]], due: str
) -> None:
    spans = [(at(a), at(b)) for a, b in stops]
    assert calendar.add(at("2026-03-02T10:00"), allowance, unit, spans) == at(due)


def test_the_day_of_a_moment_is_the_day_in_shanghai(calendar: Calendar) -> None:
    evening_in_london = datetime(2026, 3, 1, 17, 0, tzinfo=UTC)
    assert calendar.add(evening_in_london, 1, "working_days") == at("2026-03-04T00:00")


@pytest.mark.parametrize(
    ("event", "allowance", "unit", "last"),
    [
        ("2026-03-20T09:00", 7, "calendar_days", date(2026, 3, 12)),
        ("2026-03-20T09:00", 7, "working_days", date(2026, 3, 10)),
        ("2026-02-24T09:00", 3, "working_days", date(2026, 2, 11)),
    ],
)
def test_a_period_counted_backwards_leaves_that_many_full_days_between(
    calendar: Calendar, event: str, allowance: int, unit: str, last: date
) -> None:
    assert calendar.back(at(event), allowance, unit) == last


def test_days_of_a_year_nobody_has_announced_are_provisional_and_follow_the_week(calendar: Calendar) -> None:
    assert calendar.known_from == date(2024, 1, 1)
    assert calendar.known_until.month == 12
    friday = calendar.known_until + timedelta(days=366)
    friday += timedelta(days=(4 - friday.weekday()) % 7)
    assert calendar.provisional(friday)
    assert calendar.is_workday(friday)
    assert not calendar.is_workday(friday + timedelta(days=1))
    assert not calendar.provisional(calendar.known_until)


def test_the_districts_exceptions_lie_over_the_announced_days(calendar: Calendar) -> None:
    merged = read_calendar(merged_days(announced_days(), b"date,workday,reason\n2026-03-03,0,typhoon\n2030-05-01,0,\n"))
    assert not merged.is_workday(date(2026, 3, 3))
    assert merged.add(at("2026-03-02T10:00"), 1, "working_days") == at("2026-03-05T00:00")
    assert merged.version != calendar.version
    assert merged.known_until == calendar.known_until
    assert not merged.provisional(date(2030, 5, 1))


def test_no_exceptions_change_nothing() -> None:
    assert merged_days(announced_days(), b"date,workday,reason\n") == announced_days()


@pytest.mark.parametrize(
    "content",
    [b"", b"date,workday,reason\n", b"day\n", b"date,workday,reason\n2026-02-30,1,\n", b"\xff\xfe", b'a"b'],
)
def test_a_table_that_is_no_calendar_is_refused(content: bytes) -> None:
    with pytest.raises(Invalid):
        read_calendar(content)


def test_every_wrong_line_of_a_calendar_is_told_at_once() -> None:
    with pytest.raises(Invalid) as refused:
        read_calendar(b"date,workday,reason\n2026-01-01,2,\nnever,1,\n2026-01-03,1\n")
    assert [f.where for f in refused.value.findings] == ["calendar.csv:2", "calendar.csv:3", "calendar.csv:4"]


@pytest.mark.parametrize(("allowance", "unit"), [(-1, "hours"), (1, "weeks"), (LONGEST["months"] + 1, "months")])
def test_senseless_periods_are_refused(calendar: Calendar, allowance: int, unit: str) -> None:
    with pytest.raises(Invalid):
        calendar.add(at("2026-03-02T10:00"), allowance, unit)


def test_a_moment_without_zone_is_refused(calendar: Calendar) -> None:
    with pytest.raises(Invalid):
        calendar.add(datetime(2026, 3, 2), 1, "hours")  # noqa: DTZ001


def test_registers_and_calendar_know_the_same_units() -> None:
    assert UNITS == REGISTER_UNITS
