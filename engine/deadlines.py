"""The law's clocks: what a kind of deadline allows, how one stands, and the lamp it shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from engine.calendar import DAY_UNITS, LONGEST, SHANGHAI, UNITS, Calendar, Day, Standstill, local_date
from engine.errors import Conflict, Finding, Invalid, NotFound
from engine.model import Lamp
from engine.registers import Registers

RUNNING, PAUSED, MET, DROPPED, BREACHED = "running", "paused", "met", "dropped", "breached"


@dataclass(frozen=True, kw_only=True, slots=True)
class DeadlineKind:
    """A row of the register ``deadline_kinds``.

    ``allowance`` is a number or ``item:<column>``; so is ``unit``. ``stops`` names the special procedures whose time
    does not count for this kind (行政许可法 45); ``holder`` is who must act in time: agency or applicant.
    """

    kind: str
    name: str
    name_en: str
    allowance: str
    unit: str
    stops: tuple[str, ...]
    citation: str
    holder: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Deadline:
    """One clock of one case. ``due_at`` is the first instant at which it is too late, None while it stands still.

    ``paused`` holds (from, until or None while open, citation). ``extension`` is what was granted on top of the
    ``allowance``, in the same ``unit``. A breached clock stays open until the work is done (``ended_at``).
    ``provisional``: it crosses days that nobody has announced yet.
    """

    kind: str
    name: str
    citation: str
    holder: str
    started_at: datetime
    allowance: int
    unit: str
    due_at: datetime | None
    calendar_version: str
    provisional: bool
    status: str = RUNNING
    paused: tuple[tuple[datetime, datetime | None, str], ...] = ()
    extension: int = 0
    ended_at: datetime | None = None

    @property
    def open(self) -> bool:
        """Is somebody still expected to act?"""
        return self.ended_at is None


def _invalid(rule: str, zh: str, en: str) -> Invalid:
    return Invalid([Finding(where="deadline", rule=rule, zh=zh, en=en)])


def read_kind(registers: Registers, kind: str) -> DeadlineKind:
    """The kind called ``kind``. Raises NotFound."""
    row = registers.row("deadline_kinds", kind)
    texts = {column: row[column] for column in ("kind", "name", "name_en", "allowance", "unit", "citation", "holder")}
    return DeadlineKind(**texts, stops=tuple(s for s in row["stops"].split("；") if s))


def read_kinds(registers: Registers) -> dict[str, DeadlineKind]:
    """Every kind of the register, by name; none where the district has no such register."""
    try:
        rows = registers.table("deadline_kinds").rows
    except NotFound:
        return {}
    return {row["kind"]: read_kind(registers, row["kind"]) for row in rows}


def allowed(kind: DeadlineKind, item: Mapping[str, Any] | None) -> tuple[int, str]:
    """How much time ``kind`` gives in a case of ``item`` (None: no item): (number, unit). Raises Invalid."""
    number, unit = _drawn(kind.allowance, item), _drawn(kind.unit, item)
    if isinstance(number, str) and number.isascii() and number.isdigit():
        number = int(number)
    if not isinstance(number, int) or isinstance(number, bool) or number < 0 or unit not in UNITS:
        zh = "事项清单没有给出该时限的天数或者单位"
        raise _invalid("allowance", zh, "The item's row gives no number or unit for this deadline")
    return number, str(unit)


def _drawn(text: str, item: Mapping[str, Any] | None) -> Any:
    return (item or {}).get(text.removeprefix("item:")) if text.startswith("item:") else text


def begin(kind: DeadlineKind, item: Mapping[str, Any] | None, at: datetime, calendar: Calendar) -> Deadline:
    """The clock that starts at ``at`` (which may lie in the past: deemed acceptance counts from receipt).

    Raises Invalid (the register gives no allowance; a naive moment).
    """
    number, unit = allowed(kind, item)
    started = Deadline(
        kind=kind.kind,
        name=kind.name,
        citation=kind.citation,
        holder=kind.holder,
        started_at=at,
        allowance=number,
        unit=unit,
        due_at=None,
        calendar_version=calendar.version,
        provisional=False,
    )
    return _timed(started, calendar)


def pause(deadline: Deadline, at: datetime, citation: str) -> Deadline:
    """The clock stands still from ``at``, because of ``citation``. Two causes may overlap.

    A clock already overdue is breached and stays so. Raises Conflict (ended), Invalid (no citation, before the start,
    the same cause twice).
    """
    deadline = breach(_open(deadline, at), at)
    if not citation.strip():
        raise _invalid("citation", "中止计时须写明依据", "A standstill needs its citation")
    if any(until is None and cited == citation for _, until, cited in deadline.paused):
        raise _invalid("standstill_open", "同一事由已中止计时", "The clock already stands still for this cause")
    intervals = (*deadline.paused, (at, None, citation))
    if deadline.status == BREACHED:
        return replace(deadline, paused=intervals)
    return replace(deadline, paused=intervals, status=PAUSED, due_at=None)


def resume(deadline: Deadline, at: datetime, calendar: Calendar, citation: str | None = None) -> Deadline:
    """The standstill of ``citation`` (None: every open one) ends at ``at``; the clock runs on when none is left.

    Raises Conflict (ended, or it does not stand still so), Invalid (before the standstill began).
    """
    _open(deadline, at)
    closes = [p for p in deadline.paused if p[1] is None and citation in {None, p[2]}]
    if not closes:
        raise Conflict("The clock does not stand still", status=deadline.status)
    if any(at < begins for begins, _, _ in closes):
        raise _invalid("moment", "恢复计时不能早于中止", "A standstill cannot end before it began")
    intervals = tuple((p[0], at, p[2]) if p in closes else p for p in deadline.paused)
    resumed = replace(deadline, paused=intervals)
    if deadline.status == BREACHED or any(until is None for _, until, _ in intervals):
        return resumed
    return _timed(replace(resumed, status=RUNNING), calendar)


def breach(deadline: Deadline, at: datetime) -> Deadline:
    """The clock at ``at``: breached where it ran out by then, else unchanged. What is breached stays breached."""
    if deadline.status == RUNNING and deadline.due_at is not None and at >= deadline.due_at:
        return replace(deadline, status=BREACHED)
    return deadline


def meet(deadline: Deadline, at: datetime) -> Deadline:
    """What the clock waited for was done at ``at``: met, or breached and done late. Raises Conflict (ended)."""
    judged = breach(_open(deadline, at), at)
    return replace(judged, status=BREACHED if judged.status == BREACHED else MET, ended_at=at)


def drop(deadline: Deadline, at: datetime) -> Deadline:
    """The clock no longer matters (the case was withdrawn). A breach stays on record. Raises Conflict (ended)."""
    judged = breach(_open(deadline, at), at)
    return replace(judged, status=BREACHED if judged.status == BREACHED else DROPPED, ended_at=at)


def extend(deadline: Deadline, at: datetime, allowance: int, unit: str, calendar: Calendar) -> Deadline:
    """``allowance`` more, granted at ``at``: once, before the clock runs out, in the clock's unit (行政许可法 42).

    Raises Conflict (ended, or already overdue), Invalid (second extension, other unit, nothing granted).
    """
    if breach(_open(deadline, at), at).status == BREACHED:
        raise Conflict("The clock has already run out", status=BREACHED)
    if deadline.extension:
        raise _invalid("extended_already", "期限只能延长一次", "A deadline is extended once only")
    if unit != deadline.unit or not 0 < allowance <= LONGEST[unit]:
        raise _invalid(
            "extension", "延长的期限单位须与原期限一致且大于零", "Extend in the clock's unit, by at least one"
        )
    extended = replace(deadline, extension=allowance)
    return extended if deadline.status == PAUSED else _timed(extended, calendar)


def recompute(deadline: Deadline, calendar: Calendar) -> Deadline:
    """The same clock under another calendar; the same object where nothing changes.

    Ended clocks keep the calendar they were judged by; a breach is not undone by a table.
    """
    if not deadline.open or deadline.calendar_version == calendar.version or deadline.status == BREACHED:
        return deadline
    moved = replace(deadline, calendar_version=calendar.version)
    return moved if deadline.status == PAUSED else _timed(moved, calendar)


def lamp(deadline: Deadline, now: datetime, calendar: Calendar) -> Lamp:
    """Red from the due moment on; yellow with at most a fifth or (clocks in days) one working day left; else green.

    Today counts as left. Between a fifth and a half nothing has to be done yet, so the lamp stays green. Off while
    the clock stands still and once it has ended.
    """
    if not deadline.open:
        return Lamp.OFF
    if breach(deadline, now).status == BREACHED:
        return Lamp.RED
    if deadline.due_at is None:
        return Lamp.OFF
    left = calendar.remaining(now, deadline.due_at, deadline.unit)
    whole = deadline.allowance + deadline.extension
    if deadline.unit == "months":
        whole = (local_date(deadline.due_at) - local_date(deadline.started_at)).days
    if left * 5 <= whole:
        return Lamp.YELLOW
    if deadline.unit in DAY_UNITS and calendar.working_days_left(now, deadline.due_at) <= 1:
        return Lamp.YELLOW
    return Lamp.GREEN


def counted(deadline: Deadline, now: datetime, calendar: Calendar) -> list[Day]:
    """Every day from the start to the last, and why it counts or not; a clock that stands still: up to ``now``.

    Days after ``now`` are as expected today. Recomputable by hand: the counting days sum up to the allowance.
    """
    stops = _standstills(deadline, now)
    whole = deadline.allowance + deadline.extension
    if deadline.unit in DAY_UNITS:
        days = list(calendar.walk(deadline.started_at, whole, deadline.unit, stops))
    else:
        due = deadline.due_at or now
        days = list(calendar.walk_hours(deadline.started_at, due, deadline.unit, stops))
    if deadline.due_at is None:
        return [day for day in days if day.date <= local_date(now)]
    return days


def as_plain(deadline: Deadline) -> dict[str, Any]:
    """Plain JSON of a deadline (moments as ISO text), for a row or an event. ``from_plain`` is its reverse."""
    plain = {name: getattr(deadline, name) for name in Deadline.__slots__}
    for name in ("started_at", "due_at", "ended_at"):
        plain[name] = _written(plain[name])
    plain["paused"] = [[_written(begins), _written(until), cited] for begins, until, cited in deadline.paused]
    return plain


def from_plain(plain: Mapping[str, Any]) -> Deadline:
    """The deadline that ``as_plain`` wrote."""
    fields = dict(plain)
    for name in ("started_at", "due_at", "ended_at"):
        fields[name] = _read(plain[name])
    fields["paused"] = tuple((_read(begins), _read(until), cited) for begins, until, cited in plain["paused"])
    return Deadline(**fields)


def _written(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _read(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _open(deadline: Deadline, at: datetime) -> Deadline:
    if not deadline.open:
        raise Conflict("The deadline has ended", status=deadline.status)
    if at.tzinfo is None or at < deadline.started_at:
        raise _invalid("moment", "时间早于起算时间或者缺少时区", "The moment lies before the start or has no zone")
    return deadline


def _standstills(deadline: Deadline, now: datetime) -> list[Standstill]:
    return [(begins, max(begins, until or now)) for begins, until, _ in deadline.paused]


def _timed(deadline: Deadline, calendar: Calendar) -> Deadline:
    """The same clock with its due moment under this calendar; every standstill must have ended."""
    stops = [(begins, until) for begins, until, _ in deadline.paused if until is not None]
    whole = deadline.allowance + deadline.extension
    due = calendar.add(deadline.started_at, whole, deadline.unit, stops).astimezone(SHANGHAI)
    days = _days(deadline, due, calendar, stops)
    # the day of the start is over when the clock begins to count: it never makes a date uncertain
    return replace(
        deadline, due_at=due, calendar_version=calendar.version, provisional=any(d.provisional for d in days)
    )


def _days(deadline: Deadline, due: datetime, calendar: Calendar, stops: list[Standstill]) -> list[Day]:
    if deadline.unit == "hours":
        return []
    if deadline.unit == "work_hours":
        return list(calendar.walk_hours(deadline.started_at, due, deadline.unit, stops))
    return list(calendar.walk(deadline.started_at, deadline.allowance + deadline.extension, deadline.unit, stops))[1:]
