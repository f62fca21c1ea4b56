"""The law's clocks: begun, paused, resumed, extended, met, breached, recomputed, and the lamps they show."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest

from engine import deadlines
from engine.calendar import SHANGHAI, Calendar, announced_days, merged_days, read_calendar
from engine.deadlines import Deadline, DeadlineKind
from engine.errors import Conflict, Invalid, NotFound
from engine.model import Lamp, Library
from engine.registers import Registers, read_registers

ROOT = Path(__file__).parent.parent
REVIEW = "《行政许可法》第四十五条 专家评审"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


@pytest.fixture(scope="module")
def calendar() -> Calendar:
    return read_calendar(announced_days())


@pytest.fixture(scope="module")
def registers() -> Registers:
    return read_registers(
        Library({p.relative_to(ROOT).as_posix(): p.read_bytes() for p in ROOT.glob("processes/**/*.csv")})
    )


def kind(allowance: str = "5", unit: str = "working_days") -> DeadlineKind:
    return DeadlineKind(
        kind="k",
        name="期限",
        name_en="Period",
        allowance=allowance,
        unit=unit,
        stops=(),
        citation="法",
        holder="agency",
    )


def clock(
    calendar: Calendar, allowance: int = 5, unit: str = "working_days", start: str = "2026-03-02T10:00"
) -> Deadline:
    return deadlines.begin(kind(str(allowance), unit), None, at(start), calendar)


def test_a_kind_takes_its_days_from_the_item(registers: Registers, calendar: Calendar) -> None:
    item = registers.item("1144010399900016044440116067000")
    statutory = deadlines.begin(deadlines.read_kind(registers, "statutory"), item, at("2026-02-13T10:00"), calendar)
    promised = deadlines.begin(deadlines.read_kind(registers, "promised"), item, at("2026-02-13T10:00"), calendar)
    assert (statutory.allowance, promised.allowance) == (10, 5)
    # 14, 24, 25, 26, 27, 28 February, 2, 3, 4, 5 March
    assert statutory.due_at == at("2026-03-06T00:00")
    assert promised.due_at == at("2026-02-28T00:00")
    assert not statutory.provisional


def test_every_kind_of_the_register_can_be_begun(registers: Registers, calendar: Calendar) -> None:
    item = registers.item("1144010399900016044440116043000")
    found = deadlines.read_kinds(registers)
    assert {"correction_check", "correction_period", "statutory", "promised", "delivery"} <= set(found)
    for one in found.values():
        assert deadlines.begin(one, item, at("2026-03-02T10:00"), calendar).open


def test_an_inspection_is_none_of_the_procedures_that_stop_the_statutory_clock(registers: Registers) -> None:
    stops = deadlines.read_kind(registers, "statutory").stops
    assert "专家评审" in stops
    assert "现场核查" not in stops


def test_an_unknown_kind_is_not_found_and_an_item_without_days_is_told(
    registers: Registers, calendar: Calendar
) -> None:
    with pytest.raises(NotFound):
        deadlines.read_kind(registers, "nothing")
    for item in (None, {}, {"statutory_days": "ten", "statutory_unit": "working_days"}):
        with pytest.raises(Invalid):
            deadlines.begin(deadlines.read_kind(registers, "statutory"), item, at("2026-03-02T10:00"), calendar)


def test_a_clock_has_no_due_moment_while_it_stands_still_and_runs_on_after(calendar: Calendar) -> None:
    paused = deadlines.pause(clock(calendar), at("2026-03-04T10:00"), REVIEW)
    assert (paused.status, paused.due_at) == ("paused", None)
    assert deadlines.lamp(paused, at("2026-03-30T10:00"), calendar) is Lamp.OFF
    resumed = deadlines.resume(paused, at("2026-03-06T15:00"), calendar)
    assert (resumed.status, resumed.due_at) == ("running", at("2026-03-12T00:00"))


def test_two_causes_may_overlap_and_the_clock_runs_when_both_have_ended(calendar: Calendar) -> None:
    paused = deadlines.pause(
        deadlines.pause(clock(calendar), at("2026-03-03T10:00"), REVIEW), at("2026-03-04T10:00"), "听证"
    )
    half = deadlines.resume(paused, at("2026-03-05T10:00"), calendar, REVIEW)
    assert half.status == "paused"
    whole = deadlines.resume(half, at("2026-03-06T10:00"), calendar, "听证")
    assert (whole.status, whole.due_at) == ("running", at("2026-03-13T00:00"))


def test_a_standstill_needs_a_citation_a_clock_and_an_order(calendar: Calendar) -> None:
    running = clock(calendar)
    paused = deadlines.pause(running, at("2026-03-04T10:00"), REVIEW)
    for wrong in (
        lambda: deadlines.pause(running, at("2026-03-04T10:00"), "  "),
        lambda: deadlines.pause(running, at("2026-03-01T10:00"), REVIEW),
        lambda: deadlines.pause(paused, at("2026-03-05T10:00"), REVIEW),
        lambda: deadlines.resume(paused, at("2026-03-03T10:00"), calendar),
    ):
        with pytest.raises(Invalid):
            wrong()
    with pytest.raises(Conflict):
        deadlines.resume(running, at("2026-03-04T10:00"), calendar)


def test_met_at_the_last_instant_is_in_time_and_at_the_due_moment_too_late(calendar: Calendar) -> None:
    running = clock(calendar)
    assert running.due_at == at("2026-03-10T00:00")
    assert deadlines.meet(running, at("2026-03-09T23:59:59.999999")).status == "met"
    late = deadlines.meet(running, at("2026-03-10T00:00"))
    assert (late.status, late.open) == ("breached", False)


def test_a_breach_stays_on_record_whatever_comes_after(calendar: Calendar) -> None:
    overdue = deadlines.breach(clock(calendar), at("2026-03-10T00:00"))
    assert (overdue.status, overdue.open) == ("breached", True)
    paused = deadlines.pause(overdue, at("2026-03-11T00:00"), REVIEW)
    assert (paused.status, paused.due_at) == ("breached", overdue.due_at)
    resumed = deadlines.resume(paused, at("2026-03-12T00:00"), calendar)
    assert deadlines.drop(resumed, at("2026-03-13T00:00")).status == "breached"


def test_an_overdue_clock_does_not_escape_by_a_standstill(calendar: Calendar) -> None:
    paused = deadlines.pause(clock(calendar), at("2026-03-10T00:00"), REVIEW)
    assert paused.status == "breached"


def test_an_ended_clock_takes_no_verb(calendar: Calendar) -> None:
    ended = deadlines.meet(clock(calendar), at("2026-03-03T10:00"))
    for verb in (
        lambda: deadlines.meet(ended, at("2026-03-04T10:00")),
        lambda: deadlines.drop(ended, at("2026-03-04T10:00")),
        lambda: deadlines.pause(ended, at("2026-03-04T10:00"), REVIEW),
        lambda: deadlines.resume(ended, at("2026-03-04T10:00"), calendar),
        lambda: deadlines.extend(ended, at("2026-03-04T10:00"), 1, "working_days", calendar),
    ):
        with pytest.raises(Conflict):
            verb()
    assert deadlines.lamp(ended, at("2026-04-01T10:00"), calendar) is Lamp.OFF


def test_an_extension_is_granted_once_and_in_time(calendar: Calendar) -> None:
    extended = deadlines.extend(clock(calendar), at("2026-03-09T10:00"), 5, "working_days", calendar)
    assert extended.due_at == at("2026-03-17T00:00")
    with pytest.raises(Invalid):
        deadlines.extend(extended, at("2026-03-10T10:00"), 5, "working_days", calendar)
    with pytest.raises(Invalid):
        deadlines.extend(clock(calendar), at("2026-03-09T10:00"), 5, "hours", calendar)
    with pytest.raises(Conflict):
        deadlines.extend(clock(calendar), at("2026-03-10T00:00"), 5, "working_days", calendar)


def test_a_new_calendar_moves_the_open_clocks_that_cross_it(calendar: Calendar) -> None:
    typhoon = read_calendar(merged_days(announced_days(), b"date,workday,reason\n2026-03-05,0,typhoon\n"))
    running = clock(calendar)
    moved = deadlines.recompute(running, typhoon)
    assert (moved.due_at, moved.calendar_version) == (at("2026-03-11T00:00"), typhoon.version)
    assert deadlines.recompute(running, calendar) is running
    ended = deadlines.meet(running, at("2026-03-03T10:00"))
    assert deadlines.recompute(ended, typhoon) is ended


def test_a_clock_that_crosses_unannounced_days_is_provisional(calendar: Calendar) -> None:
    year = calendar.known_until.year
    assert clock(calendar, 30, "calendar_days", f"{year}-12-20T10:00").provisional
    assert not clock(calendar, 5, "calendar_days", f"{year}-12-20T10:00").provisional


@pytest.mark.parametrize(
    ("allowance", "unit", "now", "shown"),
    [
        (10, "working_days", "2026-03-02T11:00", Lamp.GREEN),
        (10, "working_days", "2026-03-12T11:00", Lamp.GREEN),
        (10, "working_days", "2026-03-13T11:00", Lamp.YELLOW),
        (10, "working_days", "2026-03-17T00:00", Lamp.RED),
        (5, "working_days", "2026-03-06T11:00", Lamp.GREEN),
        (5, "working_days", "2026-03-09T11:00", Lamp.YELLOW),
        (0, "working_days", "2026-03-02T11:00", Lamp.YELLOW),
        (10, "calendar_days", "2026-03-10T11:00", Lamp.GREEN),
        (10, "calendar_days", "2026-03-11T11:00", Lamp.YELLOW),
        (1, "months", "2026-03-20T11:00", Lamp.GREEN),
        (1, "months", "2026-03-30T11:00", Lamp.YELLOW),
        (10, "hours", "2026-03-02T17:59", Lamp.GREEN),
        (10, "hours", "2026-03-02T18:00", Lamp.YELLOW),
        (10, "hours", "2026-03-02T20:00", Lamp.RED),
        (10, "work_hours", "2026-03-03T09:00", Lamp.GREEN),
        (10, "work_hours", "2026-03-03T10:00", Lamp.YELLOW),
    ],
)
def test_the_lamp_is_yellow_at_a_fifth_or_a_day_and_red_from_the_due_moment(
    calendar: Calendar, allowance: int, unit: str, now: str, shown: Lamp
) -> None:
    assert deadlines.lamp(clock(calendar, allowance, unit), at(now), calendar) is shown


def test_the_days_counted_can_be_checked_by_hand(calendar: Calendar) -> None:
    paused = deadlines.pause(clock(calendar), at("2026-03-04T10:00"), REVIEW)
    resumed = deadlines.resume(paused, at("2026-03-06T15:00"), calendar)
    days = deadlines.counted(resumed, at("2026-03-09T10:00"), calendar)
    assert [(d.date.day, d.why) for d in days] == [
        (2, "first_day"),
        (3, "working_day"),
        (4, "working_day"),
        (5, "standstill"),
        (6, "standstill"),
        (7, "rest_day"),
        (8, "rest_day"),
        (9, "working_day"),
        (10, "working_day"),
        (11, "working_day"),
    ]
    assert sum(d.counts for d in days) == resumed.allowance
    assert [d.date.day for d in deadlines.counted(paused, at("2026-03-05T10:00"), calendar)] == [2, 3, 4, 5]


def test_work_hours_counted_sum_up_to_the_allowance(calendar: Calendar) -> None:
    days = deadlines.counted(clock(calendar, 10, "work_hours"), at("2026-03-02T12:00"), calendar)
    assert [d.hours for d in days] == [6, 4]


def test_a_deadline_survives_being_written_down(calendar: Calendar) -> None:
    paused = deadlines.pause(clock(calendar), at("2026-03-04T10:00"), REVIEW)
    for one in (clock(calendar), paused, deadlines.resume(paused, at("2026-03-06T15:00"), calendar)):
        assert deadlines.from_plain(json.loads(json.dumps(deadlines.as_plain(one)))) == one
