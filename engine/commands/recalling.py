"""Recall (撤回): who completed a task takes it back while nobody has acted since and nothing has left the desk."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from engine import bpmn
from engine.bpmn import Step
from engine.commands.again import again, moves
from engine.commands.attempt import acted_as, attempt
from engine.commands.cases import opened, saved
from engine.commands.office import Office
from engine.commands.record import Record, outcome_from_plain
from engine.commands.tasks import check_rights, on_task
from engine.errors import (
    ActedSince,
    CaseEnded,
    HasLeftTheDesk,
    NotReproducible,
    NotYourCompletion,
    TaskClaimed,
    TaskLapsed,
    TaskNotCompleted,
)
from engine.model import SYSTEM, Actor, CaseStatus, Once, Outcome, TaskStatus
from engine.store import Case, CasePage, ClaimChange, HistoryRow, Task, Transaction, queries
from engine.store.reading import Reading

DESK = frozenset(
    {
        "element.entered",
        "element.completed",
        "element.cancelled",
        "variables.written",
        "scope.opened",
        "event.caught",
        "incident.raised",
    }
)
"""What a completion may have led to and still be recalled; every other kind of event is an effect elsewhere."""
SEEN = 300
"""How many events of a case's end are looked at to say whether a recall is offered; the verb itself reads all."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reexecuted:
    """Two states of a case made from its recorded inputs: before the last one that moved it, and after it."""

    before: bytes
    after: bytes


def recall_task(office: Office, actor: Actor, task_id: UUID, *, once: Once | None = None) -> Outcome:
    """Take a completed task back: the case stands as before, the task is on the actor's desk with what was answered.

    Exact: the state before is made again from the recorded inputs, and what follows from them is compared with the
    state that stands.

    Raises:
        NotFound, Forbidden: as for ``complete_task``. TaskNotCompleted. NotYourCompletion. CaseEnded.
        ActedSince: something has moved the case after it. TaskClaimed: somebody else has taken up what followed.
        HasLeftTheDesk: it led to a paper, notice, message, milestone or change of a deadline.
        TaskLapsed: what stood open then has become due meanwhile. NotReproducible. Only the refusal is written then.
    """
    with attempt(office, actor, "recall", {"task": str(task_id)}) as made, on_task(office, task_id) as (tx, case, task):
        made.case = case.id
        if once and (answer := tx.recall(actor, once)) is not None:
            return outcome_from_plain(answer)
        post = check_rights(tx, actor, case, task)
        rows = list(_rows(tx, case.id))
        _check(case, task, actor, rows)
        undone = _last(rows)
        _, definition, record = opened(office, tx, case, acted_as(actor, post.role, task.scope))
        states = reexecuted(office, rows)
        if states.after != case.state:
            raise NotReproducible()
        record.input(
            "task.recalled",
            element=task.element,
            token=task.token,
            detail={"task": str(task.id), "event": undone.number},
        )
        step = bpmn.restore(definition, states.after, record.now, states.before)
        _check_due(record, step)
        record.take(step)
        tx.save(case, record.changes())
        return _on_desk_again(office, tx, case, task, actor=actor, undone=undone, once=once)


def _on_desk_again(
    office: Office, tx: Transaction, case: Case, task: Task, *, actor: Actor, undone: HistoryRow, once: Once | None
) -> Outcome:
    """The task's new row is claimed by who recalled it, with the answers as a draft."""
    again_open = next(t for t in case.tasks if (t.token, t.element) == (task.token, task.element))
    _, _, record = opened(office, tx, case, acted_as(actor, task.role, task.scope))
    record.input("task.claimed", element=task.element, token=task.token, detail={"task": str(again_open.id)})
    record.claims.append(ClaimChange(id=again_open.id, by=actor.account, name=actor.display_name, at=record.now))
    outcome = saved(tx, case, record, actor, once)
    tx.put_draft(again_open.id, actor, (undone.values or {}).get("answers", {}))
    return outcome


def _rows(reading: Reading, case_id: UUID) -> Iterator[HistoryRow]:
    after: int | None = 0
    while after is not None:
        page = queries.history(reading, SYSTEM, case_id, after=after, limit=1000)
        yield from page.items
        after = int(page.next) if page.next else None


def reexecuted(office: Office, rows: Iterable[HistoryRow]) -> Reexecuted:
    """Give the recorded inputs to the machine once more, from the start; only two states are held at a time."""
    before = after = b""
    for row in rows:
        if not moves(row) or row.release is None:
            continue
        _, definition = office.release_of(row.release)
        step = again(definition, after, row, before, definition_of=lambda digest: office.release_of(digest)[1])
        if step is not None:
            before, after = after, step.state
            if row.state_digest and row.state_digest != hashlib.sha256(after).hexdigest():
                raise NotReproducible()
    return Reexecuted(before=before, after=after)


def _last(rows: Sequence[HistoryRow]) -> HistoryRow:
    """The last input that moved the case."""
    return next(row for row in reversed(rows) if moves(row))


def _check(case: Case, task: Task, actor: Actor, rows: Sequence[HistoryRow]) -> None:
    if task.status is TaskStatus.OPEN:
        raise TaskNotCompleted()
    if task.status is not TaskStatus.COMPLETED or task.closed_by != actor.account:
        raise NotYourCompletion()
    if case.status is CaseStatus.ENDED:
        raise CaseEnded(outcome=case.outcome)
    _check_last(task, rows)
    _check_claims(case.tasks, actor, rows)


def _check_last(task: Task, rows: Sequence[HistoryRow]) -> None:
    last = _last(rows)
    if last.kind != "task.completed" or last.detail.get("task") != str(task.id):
        raise ActedSince()
    if any(row.number > last.number and not row.input and _has_left(row) for row in rows):
        raise HasLeftTheDesk()


def _has_left(row: HistoryRow) -> bool:
    """Did this consequence reach beyond the desk? An event thrown inside the diagram, to itself, did not."""
    if row.kind == "event.thrown":
        return row.detail.get("kind") in ("message", "signal")
    return row.kind not in DESK


def _check_claims(tasks: Iterable[Task], actor: Actor, rows: Sequence[HistoryRow]) -> None:
    """Nobody else may have taken up what the completion opened."""
    last = _last(rows)
    entered = {
        (r.token, r.element) for r in rows if r.number > last.number and r.kind == "element.entered" and not r.input
    }
    for task in tasks:
        fresh = (task.token, task.element) in entered
        if fresh and task.claimed_by is not None and task.claimed_by != actor.account:
            raise TaskClaimed(by=task.claimed_name, at=task.claimed_at)


def _check_due(record: Record, step: Step) -> None:
    due = bpmn.next_due(step, record.clocks.moments())
    if due is not None and due <= record.now:
        raise TaskLapsed(at=due)


def recallable(reading: Reading, actor: Actor, page: CasePage) -> UUID | None:
    """The task of this case that the actor may recall now, as far as the end of its history shows."""
    if page.status is CaseStatus.ENDED or actor.account is None:
        return None
    after = max(0, page.events - SEEN)
    rows = queries.history(reading, SYSTEM, page.id, after=after, limit=SEEN).items
    last = next((row for row in reversed(rows) if moves(row)), None)
    task = next((t for t in page.tasks if last is not None and str(t.id) == last.detail.get("task")), None)
    if task is None or task.closed_by != actor.account or task.status is not TaskStatus.COMPLETED:
        return None
    if actor.holding(task.role, task.scope) is None:
        return None
    try:
        _check_last(task, rows)
        _check_claims((t for t in page.tasks if t.status is TaskStatus.OPEN), actor, rows)
    except (ActedSince, HasLeftTheDesk, TaskClaimed):
        return None
    return task.id
