"""Return (退回): a task given back to an earlier one that the diagram allows, with the reason for who gets it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from engine import bpmn
from engine.bpmn import Definition
from engine.commands.attempt import acted_as, attempt
from engine.commands.cases import opened, saved
from engine.commands.office import Office
from engine.commands.record import outcome_from_plain
from engine.commands.tasks import (
    check_not_delegated,
    check_open,
    check_other_person,
    check_rights,
    check_unclaimed,
    on_task,
)
from engine.errors import Finding, Invalid, ReturnNotPossible
from engine.model import SYSTEM, ActedAs, Actor, Once, Outcome, TaskStatus
from engine.store import CasePage, HistoryRow, Task, Transaction, queries
from engine.store.looking_back import told
from engine.store.reading import Reading

LONGEST_REASON = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class ReturnTarget:
    """One place a task may be returned to now: the diagram's word for it, the user task's path and name."""

    target: str
    element: str
    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Returned:
    """Why a task is there again: who returned it from which step, when, and the reason given."""

    by: ActedAs | None
    at: datetime
    element: str
    name: str
    reason: str = field(repr=False)


def return_task(
    office: Office, actor: Actor, task_id: UUID, target: str, reason: str, *, once: Once | None = None
) -> Outcome:
    """Give the task back to ``target`` (one of its ``returns_to``); who may complete it may return it.

    What stands between is cancelled (the rule: ``engine.bpmn.returning``), variables stay. What has left the desk
    stays too: a paper remains in the file, and the next of its kind names the number it replaces; a notice is not
    unsent; a deadline runs on, since the law's clock does not stop for work inside the agency.

    Raises:
        NotFound, Forbidden, SameActorNotAllowed, TaskNotOpen, TaskLapsed, TaskClaimed, TaskDelegated: as for
        ``complete_task``.
        Invalid: no reason, or one of more than 500 characters. ReturnNotPossible: no target of this task, nobody has
        completed it in this case yet, or the case has left the block in which it lies. Only the refusal is written.
    """
    given = {"task": str(task_id), "target": target, "reason": reason}
    with attempt(office, actor, "return", given) as made, on_task(office, task_id) as (tx, case, task):
        made.case = case.id
        if once and (answer := tx.recall(actor, once)) is not None:
            return outcome_from_plain(answer)
        post = check_rights(tx, actor, case, task)
        check_open(task)
        check_unclaimed(task, actor)
        check_not_delegated(task)
        _check_reason(reason)
        _, definition, record = opened(office, tx, case, acted_as(actor, post.role, task.scope))
        check_other_person(tx, definition, case, task, actor)
        state = case.state or b""
        record.input(
            "task.returned",
            element=task.element,
            token=task.token,
            detail={"task": str(task.id), "target": target, "papers": _papers(tx, definition, state, task, target)},
            values={"reason": reason.strip()},
        )
        record.take(bpmn.send_back(definition, state, record.now, task.token, target))
        return saved(tx, case, record, actor, once)


def _check_reason(reason: str) -> None:
    if not reason.strip() or len(reason) > LONGEST_REASON:
        zh, en = "请填写退回原因（500 字以内）", "Give the reason, at most 500 characters"
        raise Invalid([Finding(where="reason", rule="required", zh=zh, en=en)])


def _papers(tx: Transaction, definition: Definition, state: bytes, task: Task, target: str) -> list[dict[str, Any]]:
    """The papers that the return goes back over: issued behind the target since it was completed last."""
    path = bpmn.returnable(definition, state, task.token).get(target)
    events = told(tx, task.case_id, "task.completed", "document.issued")
    since = max((e.number for e in events if e.kind == "task.completed" and e.element == path), default=None)
    if path is None or since is None:
        raise ReturnNotPossible(element=task.element)
    over = bpmn.undone(definition, state, task.token, target)
    issued = (e for e in events if e.kind == "document.issued" and e.number > since and e.element in over)
    return [{name: event.detail[name] for name in ("kind", "number", "document")} for event in issued]


def return_targets(definition: Definition, page: CasePage, task: Task) -> tuple[ReturnTarget, ...]:
    """Where an open task may be returned to now, in the order in which the diagram lists it."""
    if task.status is not TaskStatus.OPEN or page.state is None or page.outcome is not None:
        return ()
    done = {each.element for each in page.tasks if each.status is TaskStatus.COMPLETED}
    found = bpmn.returnable(definition, page.state, task.token)
    return tuple(
        ReturnTarget(target=word, element=path, name=definition.node(path).name)
        for word, path in found.items()
        if path in done
    )


def returned(reading: Reading, definition: Definition, task: Task) -> Returned | None:
    """The return that brought this task about, if one did."""
    for event in reversed(told(reading, task.case_id, "task.returned")):
        rows = queries.history(reading, SYSTEM, task.case_id, after=event.number - 1, limit=1000).items
        if any(_entered(row, event.command, task) for row in rows):
            return _returned(definition, rows[0])
    return None


def _entered(row: HistoryRow, command: UUID, task: Task) -> bool:
    place = (row.command, row.kind, row.token, row.element)
    return place == (command, "element.entered", task.token, task.element)


def _returned(definition: Definition, row: HistoryRow) -> Returned:
    values: Mapping[str, Any] = row.values or {}
    element = row.element or ""
    name = definition.node(element).name
    return Returned(by=row.actor, at=row.recorded_at, element=element, name=name, reason=values.get("reason", ""))
