"""One case executed again in memory, by the very code that wrote its history.

Each recorded command is run through ``Record`` on a case that is nowhere stored, and everything it writes is compared
with what is recorded: elements, flows, variables, milestones, deadlines, papers, notices, incidents, the end, and the
digest of the state after every command.

Taken from the record, because they came from outside and nothing else knows them: the inputs with their actors and
answers; when a command was recorded; the ids of commands, tasks and papers; the numbers of papers (only their form is
checked) and of the case; the version of the calendar in force; payloads and message ids; what failed outside (jobs,
messages). Who was allowed to do it is not judged again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from engine import bpmn, forms
from engine.calendar import Calendar
from engine.commands.again import MIGRATED, again, moves
from engine.commands.cases import at_moment, judged, recomputed
from engine.commands.comparing import Difference, Found, at_row, first_difference, with_numbers
from engine.commands.moving import moved_to
from engine.commands.record import Record
from engine.commands.shelf import Shelf
from engine.commands.suspending import go_on, stand_still
from engine.errors import NotFound
from engine.model import CaseStatus, Release, TaskStatus
from engine.registers import Registers
from engine.store import Case, CaseHead, Changes, HistoryRow, Incident, MovedTask, NewIncident, NewTask, Task, new_id
from engine.store.history import with_papers


class Erased(Exception):
    """An input's values are gone: what followed from it cannot be executed again."""


class _Then:
    """What was in force when a command ran: the calendar its first input names."""

    state_format = bpmn.FORMAT

    def __init__(self, shelf: Shelf, version: str | None) -> None:
        self._shelf, self._version = shelf, version

    def kept_registers(self, release: Release) -> Registers:
        """As ``Shelf``."""
        return self._shelf.kept_registers(release)

    def current_calendar(self) -> Calendar:
        """The recorded one. Raises NotFound: something is counted now that was not counted then."""
        if self._version is None:
            raise NotFound("The command names no calendar")
        return self._shelf.calendar(self._version)


class Rerun:
    """A case as far as its history has been executed again.

    ``before`` is the state before the last input that moved the machine.
    """

    def __init__(self, shelf: Shelf, head: CaseHead) -> None:
        self.shelf, self.head = shelf, head
        self.before = b""
        self.executed = self.passed = 0
        self.case = Case(
            id=head.id,
            business_key=head.business_key,
            process_key=head.process_key,
            release=head.release,
            status=CaseStatus.ACTIVE,
            scope=head.scope,
            started_by=head.started_by,
            started_at=head.started_at,
        )

    def command(self, rows: list[HistoryRow]) -> Difference | None:
        """Execute one command's inputs again and compare all its events; the case then stands after it.

        Raises:
            Erased: an input's values are gone. Nothing else: what cannot be executed is a difference.
        """
        try:
            return self._command(rows)
        except Erased:
            raise
        except Exception as error:
            # Whatever goes wrong with one case's history is a finding about it, and keeps no other from its turn.
            return at_row(rows[0], "execution", "executed", type(error).__name__)

    def _command(self, rows: list[HistoryRow]) -> Difference | None:
        first = rows[0]
        if not first.input or first.release is None:
            return at_row(first, "cause", None, "an input")
        release, definition = self.shelf.release_of(first.release)
        record = Record(
            office=_Then(self.shelf, first.detail.get("calendar")),
            case=self.case,
            release=release,
            definition=definition,
            actor=first.actor,
            now=first.recorded_at,
            command=first.command,
        )
        for place, row in enumerate(rows):
            made_before = len(record.events)
            try:
                if row.input:
                    self._input(record, row)
            except Exception as error:
                record.note_calendar()
                earlier = first_difference(record.events[:made_before], rows[:place]) if place else None
                return earlier or _failure(row, error)
        changes = record.changes()
        made = with_papers(changes.events, with_numbers(changes.papers, rows))
        if changes.state is not None and changes.semantics != first.semantics:
            return at_row(first, "semantics", first.semantics, changes.semantics)
        self._keep(changes, first.recorded_at)
        return first_difference(made, rows)

    def _input(self, record: Record, row: HistoryRow) -> None:
        if row.erased and (moves(row) or row.kind in RERUN):
            raise Erased
        state, step = self.state(record), record.step
        self.executed += 1
        RERUN.get(row.kind, _machine)(self, record, row)
        if record.step is not step:
            self.before = state

    def state(self, record: Record) -> bytes:
        """The state after what the command has done so far."""
        return record.step.state if record.step else self.case.state or b""

    def end(self, events: int) -> Difference | None:
        """The whole history has been executed: does the case stand where it is said to stand?"""
        head, case = self.head, self.case
        digest = hashlib.sha256(case.state).hexdigest() if case.state is not None else None
        ended = CaseStatus.ENDED in (head.status, case.status)
        told: list[tuple[str, Any, Any]] = [
            ("events", head.events, events),
            ("outcome", head.outcome, case.outcome),
            ("milestone", head.milestone, case.milestone),
        ]
        told += [("title", head.title, case.title), ("state_digest", head.state_digest, digest)]
        told += [("status", head.status, case.status)] if ended else []
        for what, recorded, came in told:
            if recorded != came:
                return Difference(
                    number=head.events, kind="case", element=None, what=what, recorded=recorded, came=came
                )
        return None

    # -- what the store does to a case, in memory
    def _keep(self, changes: Changes, now: datetime) -> None:
        case = self.case
        if changes.state is not None:
            case.state = changes.state
        case.status = changes.status or case.status
        case.outcome = changes.outcome or case.outcome
        case.milestone = changes.milestone or case.milestone
        case.title = case.title if changes.title is None else changes.title
        case.release = changes.release or case.release
        case.summary = case.summary if changes.summary is None else dict(changes.summary)
        placed = {each.id: each for each in changes.moved}
        case.tasks = [_placed(task, placed.get(task.id)) for task in case.tasks]
        gone = {each.id for each in changes.closed}
        case.tasks = [task for task in case.tasks if task.id not in gone]
        case.tasks += [_task(case, new, now) for new in changes.opened]
        moved = {row.id: row for row in changes.deadlines}
        case.deadlines = [moved.pop(row.id, row) for row in case.deadlines] + list(moved.values())
        if changes.waits is not None:
            case.waits = sorted(changes.waits, key=lambda wait: wait.number)
        if changes.incidents is not None:
            case.incidents = [_incident(case, each, now) for each in changes.incidents]


def _failure(row: HistoryRow, error: Exception) -> Difference:
    """What an input that cannot be executed says; of an unforeseen error its name only, never its text."""
    if isinstance(error, Erased):
        raise error
    return error.difference if isinstance(error, Found) else at_row(row, "execution", "executed", type(error).__name__)


def _task(case: Case, new: NewTask, now: datetime) -> Task:
    same = ("id", "token", "element", "name", "role", "role_name", "scope", "form_digest", "instance")
    facts: dict[str, Any] = {name: getattr(new, name) for name in same}
    return Task(**facts, case_id=case.id, process_key=case.process_key, status=TaskStatus.OPEN, created_at=now)


def _placed(task: Task, moved: MovedTask | None) -> Task:
    return task if moved is None else replace(task, element=moved.element, name=moved.name)


def _incident(case: Case, new: NewIncident, now: datetime) -> Incident:
    return Incident(id=new_id(), case_id=case.id, token=new.token, element=new.element, code=new.code, opened_at=now)


# -- inputs
def given(record: Record, row: HistoryRow) -> None:
    """The input as it is recorded, less what the command itself notes about it."""
    detail = {name: value for name, value in row.detail.items() if name != "calendar"}
    record.actor = row.actor
    record.input(
        row.kind,
        at=row.occurred_at,
        element=row.element,
        scope=row.scope,
        token=row.token,
        flow=row.flow,
        detail=detail,
        values=row.values,
    )


def _machine(run: Rerun, record: Record, row: HistoryRow) -> None:
    """An input of the machine; one that is none changes nothing but the desks, so only its own event is expected."""
    given(record, row)
    step = again(record.definition, run.state(record), row, run.before)
    if step is None:
        run.executed, run.passed = run.executed - 1, run.passed + 1
        return
    record.take(step)


def _completed(run: Rerun, record: Record, row: HistoryRow) -> None:
    """A task with its answers, which must still be those its form lets pass."""
    task = next((task for task in run.case.tasks if task.token == row.token), None)
    if task is None:
        raise Found(at_row(row, "task", row.element, None))
    given(record, row)
    if task.form_digest is not None:
        answers = (row.values or {})["answers"]
        form = run.shelf.form(task.form_digest)
        variables = bpmn.read(record.definition, run.state(record), task.token)
        checked = forms.check(form, answers, variables=variables)
        if checked != answers:
            raise Found(at_row(row, "answers", answers, checked))
    step = again(record.definition, run.state(record), row)
    if step is not None:
        record.take(step, completed=task.id)


def _fired(run: Rerun, record: Record, row: HistoryRow) -> None:
    """What was due at a moment; which moment that is follows from timers and deadlines."""
    expected = record.wake_at()
    since = datetime.fromisoformat(row.detail["since"]) if "since" in row.detail else None
    if expected is None or max(expected, since or expected) != row.occurred_at:
        raise Found(at_row(row, "occurred_at", row.occurred_at, expected))
    at_moment(record, run.state(record), expected, since)


def _calendar(run: Rerun, record: Record, row: HistoryRow) -> None:
    """Another calendar came into force."""
    recomputed(record, run.shelf.calendar(row.detail["calendar"]))


def _suspended(run: Rerun, record: Record, row: HistoryRow) -> None:
    """The case stands still; the citation says which deadlines do."""
    stand_still(record, (row.values or {})["reason"], row.detail["citation"])


def _resumed(run: Rerun, record: Record, row: HistoryRow) -> None:
    """The case goes on; what fell due meanwhile are inputs of their own."""
    go_on(record)


def _judged(run: Rerun, record: Record, row: HistoryRow) -> None:
    """Deadlines ran out in a suspended case."""
    judged(record)


def _migrated(run: Rerun, record: Record, row: HistoryRow) -> None:
    """The case moved to the release that the row names."""
    step = again(record.definition, run.state(record), row, definition_of=lambda one: run.shelf.release_of(one)[1])
    if step is not None:
        moved_to(record, step, row.detail["mapping"], (row.values or {}).get("variables", {}))


RERUN: dict[str, Callable[[Rerun, Record, HistoryRow], None]] = {
    "task.completed": _completed,
    "timer.fired": _fired,
    "calendar.changed": _calendar,
    "case.suspended": _suspended,
    "case.resumed": _resumed,
    "deadlines.judged": _judged,
    MIGRATED: _migrated,
}
"""Inputs after which more is done than giving them to the machine; all others go through ``again``."""
