"""The deadlines of one case while a verb runs: what the diagram's acts do to them, and which changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from engine import deadlines
from engine.bpmn import Act
from engine.calendar import SHANGHAI, Calendar, local_date
from engine.deadlines import Deadline
from engine.registers import Registers
from engine.store import DeadlineRow, new_id

Told = Iterator[tuple[str, dict[str, Any]]]


class Clocks:
    """All deadlines of a case. Acts name kinds; a kind has at most one open deadline, the one begun last."""

    zone = SHANGHAI

    def __init__(self, rows: Iterable[DeadlineRow], registers: Registers, calendar: Callable[[], Calendar]) -> None:
        self.rows = {row.id: row for row in rows}
        self._before = dict(self.rows)
        self._registers = registers
        self._in_force = calendar
        #: The version of the calendar that something was computed by, None while it was not asked for.
        self.consulted: str | None = None

    @property
    def _calendar(self) -> Calendar:
        calendar = self._in_force()
        self.consulted = calendar.version
        return calendar

    def act(self, verb: str, kind: str, act: Act) -> Told:
        """Do what a drawn act says; gives (event kind, detail) of each thing that happened."""
        row = self.open(kind)
        if verb == "starts":
            if row is not None:  # begun again: the earlier one would run on for nobody
                yield self._change("drops", row, act)
            yield self._start(kind, act)
            return
        if row is None:
            yield f"deadline.{verb}.nothing", {"deadline": kind}
            return
        yield self._change(verb, row, act)

    def _start(self, kind: str, act: Act) -> tuple[str, dict[str, Any]]:
        """``since`` names the deadline from whose start this one counts (deemed acceptance counts from receipt)."""
        since = self.last(act.properties["since"]) if act.properties.get("since") else None
        at = since.deadline.started_at if since else act.at
        row = deadlines.read_kind(self._registers, kind)
        begun = deadlines.begin(row, act.variables.get("item"), at, self._calendar)
        fresh = DeadlineRow(id=self._next_id(), deadline=begun)
        self.rows[fresh.id] = fresh
        return "deadline.started", _plain(begun)

    def _next_id(self) -> UUID:
        """Rows are read back in the order of their ids, and another server's clock may be ahead of ours."""
        return max((new_id(), *(UUID(int=number.int + 1) for number in self.rows)), key=lambda each: each.int)

    def _change(self, verb: str, row: DeadlineRow, act: Act) -> tuple[str, dict[str, Any]]:
        old = row.deadline
        citation = act.properties.get("citation", "")
        if verb == "pauses":
            new, told = deadlines.pause(old, act.at, citation), "deadline.paused"
        elif verb == "resumes":
            new, told = deadlines.resume(old, act.at, self._calendar), "deadline.resumed"
        elif verb == "meets":
            new, told = deadlines.meet(old, act.at), "deadline.met"
        else:
            new, told = deadlines.drop(old, act.at), "deadline.dropped"
        self.rows[row.id] = replace(row, deadline=new)
        return told, _plain(new)

    def open(self, kind: str) -> DeadlineRow | None:
        """The open deadline of a kind."""
        return next((r for r in reversed(self.rows.values()) if r.deadline.kind == kind and r.deadline.open), None)

    def last(self, kind: str) -> DeadlineRow | None:
        """The deadline of a kind begun last, open or not."""
        return next((r for r in reversed(self.rows.values()) if r.deadline.kind == kind), None)

    def breach(self, now: datetime) -> Told:
        """Mark every running deadline that has run out by ``now``."""
        for row in list(self.rows.values()):
            judged = deadlines.breach(row.deadline, now)
            if judged is not row.deadline:
                self.rows[row.id] = replace(row, deadline=judged)
                yield "deadline.breached", _plain(judged)

    def stand_still(self, at: datetime, citation: str) -> Told:
        """The open deadlines that ``citation`` stops: those of whose kind it names a procedure (``stops``)."""
        kinds = deadlines.read_kinds(self._registers)
        for row in list(self.rows.values()):
            stops = kinds[row.deadline.kind].stops if row.deadline.kind in kinds else ()
            still = any(until is None and cited == citation for _, until, cited in row.deadline.paused)
            if row.deadline.open and not still and any(word in citation for word in stops):
                paused = deadlines.pause(row.deadline, at, citation)
                self.rows[row.id] = replace(row, deadline=paused)
                yield "deadline.paused", _plain(paused)

    def go_on(self, at: datetime, citation: str) -> Told:
        """The end of that standstill."""
        for row in list(self.rows.values()):
            if row.deadline.open and any(
                until is None and cited == citation for _, until, cited in row.deadline.paused
            ):
                resumed = deadlines.resume(row.deadline, at, self._calendar, citation)
                self.rows[row.id] = replace(row, deadline=resumed)
                yield "deadline.resumed", _plain(resumed)

    def end(self, now: datetime) -> Told:
        """The case is over: what is still open no longer matters."""
        for row in list(self.rows.values()):
            if row.deadline.open:
                dropped = deadlines.drop(row.deadline, max(now, row.deadline.started_at))
                self.rows[row.id] = replace(row, deadline=dropped)
                yield "deadline.dropped", _plain(dropped)

    def recompute(self, calendar: Calendar) -> Told:
        """The same deadlines under another calendar."""
        for row in list(self.rows.values()):
            moved = deadlines.recompute(row.deadline, calendar)
            if moved is not row.deadline:
                self.rows[row.id] = replace(row, deadline=moved)
                yield "deadline.recomputed", _plain(moved)

    def moments(self) -> dict[str, datetime]:
        """Kind → due moment of the open deadlines: what ``deadline('kind')`` timers wait for."""
        return {r.deadline.kind: r.deadline.due_at for r in self.rows.values() if r.deadline.open and r.deadline.due_at}

    def next_breach(self) -> datetime | None:
        """The next moment at which a running deadline runs out."""
        running = (r.deadline for r in self.rows.values() if r.deadline.status == deadlines.RUNNING)
        return min((d.due_at for d in running if d.due_at), default=None)

    def nearest(self) -> datetime | None:
        """The agency's open deadline that is due first."""
        mine = (r.deadline for r in self.rows.values() if r.deadline.open and r.deadline.holder == "agency")
        return min((d.due_at for d in mine if d.due_at), default=None)

    def due(self) -> dict[str, dict[str, str]]:
        """What papers say of deadlines: the last day that still counts, as people write it."""
        open_ones = (r.deadline for r in self.rows.values() if r.deadline.due_at)
        return {d.kind: {"name": d.name, "due_on": last_day(d)} for d in open_ones}

    def changed(self) -> list[DeadlineRow]:
        """Rows to insert or overwrite."""
        return [row for number, row in self.rows.items() if self._before.get(number) is not row]


def last_day(deadline: Deadline) -> str:
    """The last day of a deadline, ``2026年11月30日``; the due moment is the first instant after it."""
    if deadline.due_at is None:
        return ""
    day = local_date(deadline.due_at - (deadline.due_at.resolution))
    return f"{day.year}年{day.month}月{day.day}日"


def _plain(deadline: Deadline) -> dict[str, Any]:
    plain = deadlines.as_plain(deadline)
    kept = ("started_at", "due_at", "ended_at", "status", "allowance", "unit", "calendar_version", "provisional")
    return {"deadline": deadline.kind, **{k: plain[k] for k in kept}}
