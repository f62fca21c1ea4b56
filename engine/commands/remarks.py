"""Verbs that say something about a case without moving it: comment (批注), urge (催办)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from engine.commands.attempt import acted_as, attempt
from engine.commands.cases import opened, saved, settled
from engine.commands.handing import SUPERVISOR, check_reason
from engine.commands.office import Office
from engine.commands.record import outcome_from_plain
from engine.commands.tasks import check_open, on_task
from engine.errors import Finding, Forbidden, Invalid, UrgedAlready
from engine.model import Actor, Once, Outcome
from engine.store import Case, Task, Transaction, queries

LONGEST_COMMENT = 2_000
URGED_FOR = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Comment:
    """What somebody wrote about a case (``element`` None) or about one of its tasks. ``text`` None: erased by law."""

    number: int
    at: datetime
    by: str
    post: str
    unit: str
    element: str | None
    text: str | None = field(repr=False)


def comment_case(office: Office, actor: Actor, case_id: UUID, text: str, *, once: Once | None = None) -> Outcome:
    """Add a comment to a case; whoever may see the case may, also once it has ended.

    The comment is the event itself, sealed under the case's key: there is no second copy to keep or to erase.

    Raises:
        NotFound: may not see the case. Invalid: no text, or more than 2,000 characters. Only the refusal is recorded.
    """
    given = {"case": str(case_id), "text": text}
    with (
        attempt(office, actor, "comment", given) as made,
        settled(office, lambda tx: tx.lock_case(case_id)) as (tx, case),
    ):
        made.case = case.id
        return _comment(office, tx, case, None, text=text, actor=actor, once=once)


def comment_task(office: Office, actor: Actor, task_id: UUID, text: str, *, once: Once | None = None) -> Outcome:
    """Add a comment to a task, open or closed. Raises as ``comment_case``."""
    given = {"task": str(task_id), "text": text}
    with attempt(office, actor, "comment", given) as made, on_task(office, task_id) as (tx, case, task):
        made.case = case.id
        return _comment(office, tx, case, task, text=text, actor=actor, once=once)


def _comment(
    office: Office, tx: Transaction, case: Case, task: Task | None, *, text: str, actor: Actor, once: Once | None
) -> Outcome:
    if once and (answer := tx.recall(actor, once)) is not None:
        return outcome_from_plain(answer)
    queries.case_page(tx, actor, case.id)  # who may not see a case does not learn that it exists
    if not text.strip() or len(text) > LONGEST_COMMENT:
        zh, en = f"请填写批注（{LONGEST_COMMENT} 字以内）", f"Write a comment of at most {LONGEST_COMMENT} characters"
        raise Invalid([Finding(where="text", rule="required", zh=zh, en=en)])
    _, _, record = opened(office, tx, case, acted_as(actor), suspended=True)
    detail = {"task": str(task.id)} if task else {}
    record.input(
        "comment.added",
        element=task.element if task else None,
        token=task.token if task else None,
        detail=detail,
        values={"text": text.strip()},
    )
    return saved(tx, case, record, actor, once)


def comments(office: Office, actor: Actor, case_id: UUID) -> tuple[Comment, ...]:
    """All comments of a case and its tasks, oldest first. Raises NotFound."""
    with office.store.reading() as reading:
        rows = queries.lines_of(reading, actor, case_id, "comment.added")
    found = []
    for row in rows:
        by, post, unit = (row.actor.name, row.actor.post, row.actor.unit) if row.actor else ("", "", "")
        text = row.values["text"] if row.values else None
        at = row.recorded_at
        found.append(Comment(number=row.number, at=at, by=by, post=post, unit=unit, element=row.element, text=text))
    return tuple(found)


def urge_task(office: Office, actor: Actor, task_id: UUID, *, reason: str = "", once: Once | None = None) -> Outcome:
    """Ask for an open task to be done soon; the worklist marks it. At most once an hour by the same person.

    Raises:
        NotFound: may not see the case. Forbidden: neither a supervisor of the scope nor who started the case.
        TaskNotOpen, TaskLapsed. UrgedAlready: within the last hour. Invalid: the reason is too long.
        Only the refusal is recorded.
    """
    given = {"task": str(task_id), "reason": reason}
    with attempt(office, actor, "urge", given) as made, on_task(office, task_id) as (tx, case, task):
        made.case = case.id
        if once and (answer := tx.recall(actor, once)) is not None:
            return outcome_from_plain(answer)
        queries.case_page(tx, actor, case.id)  # who may not see a case does not learn that it exists
        supervises = actor.holding(SUPERVISOR, task.scope) is not None
        if not supervises and (case.started_by is None or case.started_by != actor.account):
            raise Forbidden(role=SUPERVISOR, scope=task.scope)
        check_open(task)
        check_reason(reason)
        last = queries.last_of(tx, case.id, "task.urged", token=task.token, account=actor.account)
        if last is not None and tx.now() < last + URGED_FOR:
            raise UrgedAlready(at=last)
        who = acted_as(actor, SUPERVISOR, task.scope) if supervises else acted_as(actor)
        _, _, record = opened(office, tx, case, who)
        values = {"reason": reason} if reason else None
        record.input("task.urged", element=task.element, token=task.token, detail={"task": str(task.id)}, values=values)
        record.urged.append(task.id)
        return saved(tx, case, record, actor, once)
