"""All writes of one verb on one case, in a fixed order, fenced by the case's revision."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from engine import deadlines
from engine.errors import StaleRevision
from engine.model import CaseStatus, Event, TaskStatus
from engine.store import rows
from engine.store import tables as t
from engine.store.columns import iso, new_id
from engine.store.history import Command, Head, Written, as_json, case_stream, with_papers, write
from engine.store.messages import Messages
from engine.store.papers import insert
from engine.store.prepared import Prepared
from engine.store.records import (
    KEEP,
    Case,
    Changes,
    ClaimChange,
    ClosedTask,
    DeadlineRow,
    Incident,
    MovedTask,
    NewIncident,
    NewTask,
    Task,
    WaitRow,
)
from engine.store.vault import plain_text, seal, seal_json

_bind = sa.bindparam
_close_task = Prepared(
    t.task.update()
    .where(t.task.c.id == _bind("task"), t.task.c.status == "open")
    .values(status=_bind("to"), closed_at=_bind("at"), closed_by=_bind("by"), closed_name=_bind("who"))
)
_claim_task = Prepared(
    t.task.update()
    .where(t.task.c.id == _bind("task"), t.task.c.status == "open")
    .values(
        claimed_by=_bind("by"),
        claimed_name=_bind("who"),
        claimed_at=_bind("at"),
        owner=_bind("answers_for"),
        owner_name=_bind("answers_for_name"),
        delegation=_bind("handed"),
    )
)
_urge_task = Prepared(
    t.task.update().where(t.task.c.id == _bind("task"), t.task.c.status == "open").values(urged_at=_bind("at"))
)
_move_task = Prepared(
    t.task.update()
    .where(t.task.c.id == _bind("task"), t.task.c.status == "open")
    .values(element=_bind("to"), name=_bind("called"))
)
_due_tasks = (
    t.task.update().where(t.task.c.case_id == _bind("case"), t.task.c.status == "open").values(due_at=_bind("due"))
)
_drop_drafts = t.draft.delete().where(t.draft.c.task_id == _bind("task"))
_drop_wait = t.subscription.delete().where(
    t.subscription.c.case_id == _bind("case"), t.subscription.c.number == _bind("n")
)
_close_incident = t.incident.update().where(t.incident.c.id == _bind("incident")).values(closed_at=_bind("at"))
_move_deadline = (
    t.deadline.update()
    .where(t.deadline.c.id == _bind("deadline"))
    .values(status=_bind("to"), due_at=_bind("due"), content=_bind("text"))
)
# One parameter instead of some two hundred: the driver's cost grows with the parameters, and the text stays the same
# for any number of rows, so that it stays prepared.
_fresh = sa.func.json_populate_recordset(
    sa.literal_column("NULL::event"), sa.cast(_bind("rows", type_=sa.Text()), postgresql.JSON())
).table_valued(*(sa.column(column.name, column.type) for column in t.event.c), name="fresh")
_insert_events = Prepared(
    t.event.insert().from_select(
        [column.name for column in t.event.c], sa.select(*(_fresh.c[column.name] for column in t.event.c))
    )
)
_insert_event, _insert_values, _insert_task, _insert_wait = (
    Prepared(table.insert(), *(column.name for column in table.c))
    for table in (t.event, t.event_value, t.task, t.subscription)
)
_FENCED = ("status", "outcome", "milestone", "revision", "events", "head", "last_at", "ended_at", "wake_at", "due_at")


@cache
def _update_instance(*more: str) -> Prepared:
    columns = [*_FENCED, *more]
    return Prepared(
        t.process_instance.update()
        .where(t.process_instance.c.id == _bind("case"), t.process_instance.c.revision == _bind("seen"))
        .values({name: _bind(f"new_{name}") for name in columns})
    )


class Saving(Messages):
    """The writing half of a transaction."""

    places: set[tuple[str, str]]

    def save(self, case: Case, changes: Changes) -> None:
        """Write everything one verb did to a locked case, and bring ``case`` up to date.

        Numbers of papers are taken as the last lock; each paper adds an event ``document.issued`` with its number.

        Raises:
            StaleRevision: the case was written since it was read; nothing of this attempt may stay. Raised when the
                writes reach the database: at the next query of the transaction, or at its end.
        """
        now = self.now()
        due_before = case.due_at
        moved = changes.release is not None and changes.release != case.release
        case.release = changes.release or case.release
        if changes.due_at is not KEEP:
            case.due_at = changes.due_at
        self._save_tasks(case, changes, now, due_before)
        self._save_deadlines(case, changes.deadlines)
        if changes.waits is not None:
            self._save_waits(case, changes.waits, now)
        if changes.incidents is not None:
            self._save_incidents(case, changes.incidents, now)
        self._link_attachments(case.id, changes.uploaded_by, changes.attachments)
        outgoing = self.addressed(case, changes.outgoing)
        self._queue(t.outbox, case, ((o.id, o.kind, o.name, o.payload, None) for o in outgoing), now)
        self._queue(t.job, case, ((j.id, j.kind, "", j.payload, j.run_at) for j in changes.jobs), now)
        issued = self._issue(case, changes.papers, now)
        values = self._instance(case, changes, now)
        self._save_history(case, changes, issued, now)
        self._save_instance(case, values, ("release",) if moved else ())

    # -- tasks
    def _save_tasks(self, case: Case, changes: Changes, now: datetime, due_before: datetime | None) -> None:
        before = {task.id: task for task in case.tasks}
        self._close_tasks(case, changes.closed)
        self._claim_tasks(case, changes.claims)
        if changes.urged:
            self._write(_urge_task, *({"task": number, "at": now} for number in changes.urged))
            case.tasks = [replace(task, urged_at=now) if task.id in changes.urged else task for task in case.tasks]
        self._move_tasks(case, changes.moved)
        if case.due_at != due_before and case.tasks:
            self.execute(_due_tasks, {"case": case.id, "due": case.due_at})
            case.tasks = [replace(task, due_at=case.due_at) for task in case.tasks]
        if changes.opened:
            self._open_tasks(case, changes.opened, now)
        for task in case.tasks:
            if before.get(task.id) != task:
                self._tell_task(task)

    def _tell_task(self, task: Task) -> None:
        self.tell(case_stream(task.case_id), "t", task.id, rows.of_task(task))

    def _close_tasks(self, case: Case, closed: Sequence[ClosedTask]) -> None:
        if not closed:
            return
        self._write(
            _close_task,
            *({"task": c.id, "to": c.status.value, "at": c.at, "by": c.by, "who": c.name} for c in closed),
        )
        gone = {c.id: c for c in closed}
        for task in case.tasks:
            if (how := gone.get(task.id)) is not None:
                self._tell_task(
                    replace(task, status=how.status, closed_at=how.at, closed_by=how.by, closed_name=how.name)
                )
        drafted = [{"task": number} for number in gone.keys() & case.drafts]
        if drafted:
            self._each(_drop_drafts, drafted)
        case.tasks = [task for task in case.tasks if task.id not in gone]

    def _claim_tasks(self, case: Case, claims: Sequence[ClaimChange]) -> None:
        for claim in claims:
            row = {"task": claim.id, "by": claim.by, "who": claim.name, "at": claim.at, "handed": claim.delegation}
            self._write(_claim_task, {**row, "answers_for": claim.owner, "answers_for_name": claim.owner_name})
            case.tasks = [_on_desk(task, claim) if task.id == claim.id else task for task in case.tasks]

    def _move_tasks(self, case: Case, moved: Sequence[MovedTask]) -> None:
        for each in moved:
            self._write(_move_task, {"task": each.id, "to": each.element, "called": each.name})
            case.tasks = [
                replace(task, element=each.element, name=each.name) if task.id == each.id else task
                for task in case.tasks
            ]

    def _open_tasks(self, case: Case, opened: Sequence[NewTask], now: datetime) -> None:
        names = self._names({new.assignee for new in opened if new.assignee})
        tasks = [_fresh_task(case, new, now, names) for new in opened]
        self._write(_insert_task, *({**_columns(task), "status": task.status.value} for task in tasks))
        case.tasks += tasks
        new_places = {(task.role, task.scope) for task in tasks if task.assignee is None} - self.places
        if new_places:
            places = [{"role": role, "scope": scope} for role, scope in sorted(new_places)]
            self._each(self._insert_or_leave(t.task_place), places)
            self._after_commit.append(lambda: self.places.update(new_places))

    def _names(self, accounts: set[UUID]) -> dict[UUID, str]:
        who = t.account.c
        found = self.execute(sa.select(who.id, who.display_name).where(who.id.in_(accounts))) if accounts else ()
        return {row.id: row.display_name for row in found}

    # -- deadlines, waits, incidents
    def _save_deadlines(self, case: Case, moved: Sequence[DeadlineRow]) -> None:
        known = {row.id for row in case.deadlines}
        for row in moved:
            self.tell(case_stream(case.id), "d", row.id, rows.of_deadline(row))
            due, status = row.deadline.due_at, row.deadline.status
            text = plain_text(deadlines.as_plain(row.deadline))
            if row.id in known:
                self.execute(_move_deadline, {"deadline": row.id, "to": status, "due": due, "text": text})
                continue
            facts = {"id": row.id, "case_id": case.id, "kind": row.deadline.kind, "status": status}
            self.execute(insert(t.deadline), {**facts, "due_at": due, "content": text})
        changed = {row.id: row for row in moved}
        kept = [changed.pop(row.id, row) for row in case.deadlines]
        case.deadlines = kept + list(changed.values())

    def _save_waits(self, case: Case, waits: Iterable[WaitRow], now: datetime) -> None:
        old, new = {w.number: w for w in case.waits}, {w.number: w for w in waits}
        stream = case_stream(case.id)
        for number in old.keys() - new.keys():
            self.tell(stream, "s", rows.numbered(number), rows.GONE)
        for number, wait in new.items():
            if old.get(number) != wait:
                told = rows.of_wait(wait, now, (wait.kind, wait.name, wait.key))
                self.tell(stream, "s", rows.numbered(number), told)
        gone = [{"case": case.id, "n": n} for n, wait in old.items() if new.get(n) != wait]
        if gone:
            self._each(_drop_wait, gone)
        fresh = [_wait_columns(case.id, wait, now) for n, wait in new.items() if old.get(n) != wait]
        if fresh:
            self._write(_insert_wait, *fresh)
            self.hand_over_kept(case, (wait for n, wait in new.items() if old.get(n) != wait))
        case.waits = [new[n] for n in sorted(new)]

    def _save_incidents(self, case: Case, reported: Iterable[NewIncident], now: datetime) -> None:
        """Jobs' incidents are not the machine's to report, so they stay."""
        told = list(reported)
        open_ones = [i for i in case.incidents if i.job is None]
        over = [i for i in open_ones if NewIncident(token=i.token, element=i.element, code=i.code) not in told]
        if over:
            self._each(_close_incident, [{"incident": i.id, "at": now} for i in over])
            self._tell_incidents(over, now)
        known = {(i.token, i.element, i.code) for i in open_ones}
        fresh = [
            Incident(id=new_id(), case_id=case.id, token=n.token, element=n.element, code=n.code, opened_at=now)
            for n in told
            if (n.token, n.element, n.code) not in known
        ]
        case.incidents = [i for i in case.incidents if i not in over] + fresh
        self._open_incidents(fresh)

    def _open_incidents(self, fresh: Sequence[Incident]) -> None:
        if fresh:
            self._tell_incidents(fresh, None)
            columns = ("id", "case_id", "token", "element", "code", "opened_at")
            self.execute(insert(t.incident), [{**{c: getattr(i, c) for c in columns}, "job_id": i.job} for i in fresh])

    def _tell_incidents(self, incidents: Iterable[Incident], closed_at: datetime | None) -> None:
        for one in incidents:
            self.tell(case_stream(one.case_id), "i", one.id, rows.of_incident(one, closed_at))

    # -- history and the instance itself
    def _save_history(self, case: Case, changes: Changes, issued: Sequence[Event], now: datetime) -> None:
        events = with_papers(changes.events, issued)
        if not events:
            return
        stream = case_stream(case.id)
        command = Command(
            id=changes.command,
            recorded_at=now,
            semantics=changes.semantics,
            release=case.release,
            rows=self._told.pop(stream, {}),
        )
        head = Head(stream=stream, events=case.events, hash=case.head)
        written = write(self.keys, case.key, head, events, command)
        self.insert_history(written)
        case.events, case.head, case.last_at = written.head.events, written.head.hash, now

    def insert_history(self, written: Written) -> None:
        """Insert events and values; the database checks that they continue the stream."""
        if self.dialect == "postgresql":
            self._write(_insert_events, {"rows": as_json(written.rows)})
        else:
            self._write(_insert_event, *written.rows)
        if written.values:
            self._write(_insert_values, written.values)

    def _instance(self, case: Case, changes: Changes, now: datetime) -> dict[str, Any]:
        """Bring ``case`` up to date; gives what its row needs beside its fields."""
        if changes.wake_at is not KEEP:
            case.wake_at = changes.wake_at
        case.outcome = changes.outcome or case.outcome
        case.milestone = changes.milestone or case.milestone
        if changes.status is not None:
            case.status = changes.status
            case.ended_at = now if changes.status is CaseStatus.ENDED else None
        values: dict[str, Any] = {"new_status": case.status.value, "case": case.id}
        if changes.state is not None:
            case.state = changes.state
            values["new_sealed_state"] = seal(case.key, f"state:{case.id}", changes.state)
        titled = changes.title is not None or changes.summary is not None
        if titled:
            case.title = case.title if changes.title is None else changes.title
            case.summary = case.summary if changes.summary is None else dict(changes.summary)
            about = {"title": case.title, "summary": case.summary}
            values["new_sealed_title"] = seal_json(case.key, f"about:{case.id}", about)
        stream = case_stream(case.id)
        self.tell(stream, "c", case.id, rows.of_case(case))
        self.tell(stream, "w", case.id, rows.digest([case.wake_at]))
        if titled:
            self.tell(stream, "b", case.id, rows.digest([values["new_sealed_title"]]))
        return values

    def _save_instance(self, case: Case, values: dict[str, Any], more: tuple[str, ...]) -> None:
        seen, case.revision = case.revision, case.revision + 1
        fields = {f"new_{name}": getattr(case, name) for name in (*_FENCED, *more)}
        sealed = tuple(name for name in ("sealed_state", "sealed_title") if f"new_{name}" in values)
        self.later(_update_instance(*more, *sealed), {**fields, **values, "seen": seen}, StaleRevision())

    def _write(self, prepared: Prepared, *rows: Mapping[str, Any]) -> None:
        for row in rows:
            self.later(prepared, row)

    def _each(self, statement: sa.Executable, rows: list[dict[str, Any]]) -> None:
        self.execute(statement, rows[0] if len(rows) == 1 else rows)


def _fresh_task(case: Case, new: NewTask, now: datetime, names: Mapping[UUID, str]) -> Task:
    return Task(
        id=new.id,
        case_id=case.id,
        token=new.token,
        element=new.element,
        name=new.name,
        role=new.role,
        role_name=new.role_name,
        scope=new.scope,
        form_digest=new.form_digest,
        process_key=case.process_key,
        status=TaskStatus.OPEN,
        created_at=now,
        instance=new.instance,
        claimed_by=new.assignee,
        claimed_name=names.get(new.assignee) if new.assignee else None,
        claimed_at=now if new.assignee else None,
        due_at=case.due_at,
        signing=new.signing,
        signs=new.signs,
        assignee=new.assignee,
    )


def _on_desk(task: Task, claim: ClaimChange) -> Task:
    return replace(
        task,
        claimed_by=claim.by,
        claimed_name=claim.name,
        claimed_at=claim.at,
        owner=claim.owner,
        owner_name=claim.owner_name,
        delegation=claim.delegation,
    )


def _columns(record: Any) -> dict[str, Any]:
    return {name: getattr(record, name) for name in type(record).__slots__}


def _wait_columns(case_id: UUID, wait: WaitRow, now: datetime) -> dict[str, Any]:
    plain = {**_columns(wait), "due": iso(wait.due) if wait.due else None}
    return {
        "case_id": case_id,
        "number": wait.number,
        "kind": wait.kind,
        "name": wait.name,
        "key": wait.key,
        "created_at": now,
        "content": plain_text(plain),
    }
