"""Verbs that hand an open task on: transfer it (转办), delegate it (委托), resolve what was delegated (交回)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from engine import bpmn
from engine.bpmn import Definition
from engine.commands.attempt import acted_as, attempt
from engine.commands.cases import opened, saved
from engine.commands.moving import present
from engine.commands.office import Office
from engine.commands.record import Record, outcome_from_plain
from engine.commands.tasks import (
    PENDING,
    RESOLVED,
    check_not_delegated,
    check_open,
    check_other_person,
    check_rights,
    check_unclaimed,
    checked,
    digests,
    on_task,
    others,
    post_for,
)
from engine.errors import Finding, Forbidden, Invalid, SignersOwn, TaskNotHeld
from engine.model import Actor, CaseStatus, Membership, Once, Outcome, TaskStatus
from engine.store import Candidate, Case, CasePage, ClaimChange, Task, Transaction, queries

SUPERVISOR = "supervisor"
LONGEST_REASON = 500


def transfer_task(
    office: Office, actor: Actor, task_id: UUID, to: UUID, *, reason: str = "", once: Once | None = None
) -> Outcome:
    """Put an open task on the desk of another person who holds its role: their work from now on.

    The holder may, and a supervisor of the scope (also what nobody has claimed, and what lies with a delegate).

    Raises:
        NotFound, TaskNotOpen, TaskLapsed, TaskClaimed: as for ``complete_task``. TaskNotHeld: nobody has claimed it.
        TaskDelegated: only a supervisor may. Forbidden: neither of the two.
        Invalid: no such entitled account, or the rule asks for somebody else. Nothing is written but the refusal.
    """
    given = {"task": str(task_id), "to": str(to), "reason": reason}
    with attempt(office, actor, "transfer", given) as made, on_task(office, task_id) as (tx, case, task):
        made.case = case.id
        if once and (answer := tx.recall(actor, once)) is not None:
            return outcome_from_plain(answer)
        post = _giver(tx, actor, case, task)
        record, receiver = _handed(office, tx, case, task, to=to, reason=reason, actor=actor, post=post)
        _note(record, task, "task.transferred", receiver, reason)
        record.claims.append(_lies_with(task, receiver.account, receiver.display_name, record.now))
        return saved(tx, case, record, actor, once)


def delegate_task(
    office: Office, actor: Actor, task_id: UUID, to: UUID, *, reason: str = "", once: Once | None = None
) -> Outcome:
    """Ask another person who holds the role to do the task. Its owner stays its owner, and alone completes it.

    What the owner has filled in so far goes along as the delegate's draft.

    Raises:
        As ``transfer_task``; TaskNotHeld also for a supervisor on whose desk it does not lie.
    """
    given = {"task": str(task_id), "to": str(to), "reason": reason}
    with attempt(office, actor, "delegate", given) as made, on_task(office, task_id) as (tx, case, task):
        made.case = case.id
        if once and (answer := tx.recall(actor, once)) is not None:
            return outcome_from_plain(answer)
        post = _holder(tx, actor, case, task)
        record, receiver = _handed(office, tx, case, task, to=to, reason=reason, actor=actor, post=post)
        _note(record, task, "task.delegated", receiver, reason)
        lies_with = _lies_with(task, receiver.account, receiver.display_name, record.now)
        record.claims.append(replace(lies_with, owner=actor.account, owner_name=actor.display_name, delegation=PENDING))
        draft = tx.draft(task.id, actor)
        if draft is not None:
            tx.put_draft(task.id, _as_actor(receiver), draft)
        return saved(tx, case, record, actor, once)


def resolve_task(
    office: Office, actor: Actor, task_id: UUID, answers: Mapping[str, Any], *, once: Once | None = None
) -> Outcome:
    """The delegate gives a task back with its answers, checked like a completion; they become the owner's draft.

    Raises:
        NotFound, Forbidden, TaskNotOpen, TaskLapsed, TaskClaimed, SameActorNotAllowed: as for ``complete_task``.
        TaskNotHeld: it is not delegated to the actor. FormInvalid: every bad field. Nothing is written but the refusal.
    """
    given = {"task": str(task_id), "answers": answers}
    with attempt(office, actor, "resolve", given) as made, on_task(office, task_id) as (tx, case, task):
        made.case = case.id
        if once and (answer := tx.recall(actor, once)) is not None:
            return outcome_from_plain(answer)
        post = check_rights(tx, actor, case, task)
        check_open(task)
        check_unclaimed(task, actor)
        if task.delegation != PENDING or task.claimed_by != actor.account:
            raise TaskNotHeld()
        _, definition, record = opened(office, tx, case, acted_as(actor, post.role, task.scope))
        check_other_person(tx, definition, case, task, actor)
        typed = checked(office, tx, definition, case=case, task=task, actor=actor, answers=answers)
        told = {"task": str(task.id), "to": str(task.owner)}
        record.input("task.resolved", element=task.element, token=task.token, detail=told, values={"answers": typed})
        record.attach(digests(office, task, typed), actor.account)
        lies_with = _lies_with(task, task.owner, task.owner_name, record.now)
        record.claims.append(replace(lies_with, owner=task.owner, owner_name=task.owner_name, delegation=RESOLVED))
        if task.form_digest is not None:
            owner = Actor(account=task.owner, name="", display_name=task.owner_name or "")
            tx.put_draft(task.id, owner, typed)
        return saved(tx, case, record, actor, once)


def candidates(office: Office, actor: Actor, task_id: UUID) -> tuple[Candidate, ...]:
    """Whom the actor may give this open task to, by name.

    Raises:
        NotFound: may not see the task. Forbidden: may not hand it on.
    """
    with office.store.reading() as reading:
        task, page = queries.task_page(reading, actor, task_id)
        if actor.holding(SUPERVISOR, task.scope) is None and actor.holding(task.role, task.scope) is None:
            raise Forbidden(role=task.role, scope=task.scope)
        if task.assignee is not None:
            return ()
        found = queries.entitled(reading, task.role, task.scope)
    _, definition = office.release_of(page.release)
    kept = done_before(definition, page, task) | {task.claimed_by}
    return tuple(one for one in found if one.account not in kept)


def done_before(definition: Definition, page: CasePage, task: Task) -> set[UUID | None]:
    """Who completed, in this case, an element whose performer may not do this task: the diagram's four eyes."""
    if task.status is not TaskStatus.OPEN:
        return set()
    elements = definition.node(task.element).distinct_from
    if not elements or task.signing is not None:
        return set()
    home = task.element.partition("/")[0]
    again = bpmn.repeated_by(page.state, task.token) if page.state else None
    finished = (one for one in page.tasks if one.status is TaskStatus.COMPLETED and one.signing is None)
    done = ((present(page.summary, one.element), one) for one in finished)
    return {
        one.closed_by
        for path, one in done
        if path.partition("/")[0] == home
        and path.rpartition("/")[2] in elements
        and (path != task.element or again is None or one.token > again)
    }


def _giver(tx: Transaction, actor: Actor, case: Case, task: Task) -> Membership:
    """The post by which the actor may transfer the task: its holder's, else a supervisor's."""
    if actor.account is not None and actor.account == task.claimed_by and task.delegation != PENDING:
        return _holder(tx, actor, case, task)
    post = actor.holding(SUPERVISOR, task.scope)
    if post is None:
        return _holder(tx, actor, case, task)
    check_open(task)
    if task.assignee is not None:
        raise SignersOwn()
    return post


def _holder(tx: Transaction, actor: Actor, case: Case, task: Task) -> Membership:
    post = check_holder(tx, actor, case, task)
    if task.assignee is not None:
        raise SignersOwn()
    return post


def check_holder(tx: Transaction, actor: Actor, case: Case, task: Task) -> Membership:
    """The post by which the actor holds the open task.

    Raises:
        NotFound, Forbidden, TaskNotOpen, TaskLapsed, TaskClaimed, TaskDelegated. TaskNotHeld: nobody has claimed it.
    """
    post = check_rights(tx, actor, case, task)
    check_open(task)
    check_unclaimed(task, actor)
    check_not_delegated(task)
    if task.claimed_by is None:
        raise TaskNotHeld()
    return post


def _handed(
    office: Office, tx: Transaction, case: Case, task: Task, *, to: UUID, reason: str, actor: Actor, post: Membership
) -> tuple[Record, Candidate]:
    """An empty record, and who receives the task.

    Raises:
        Invalid: nobody of that id is entitled (whether there is such a person at all is not told), it lies with them
            already, or the diagram's four eyes keep them from it.
    """
    _, definition, record = opened(office, tx, case, acted_as(actor, post.role, task.scope))
    check_reason(reason)
    found = queries.entitled(tx, task.role, task.scope, to)
    if not found:
        raise _wrong("not_entitled", "该人员不能办理本环节", "This account cannot be given the task")
    if to == task.claimed_by:
        raise _wrong("already_holds", "任务已在该人员名下", "The task lies with this account already")
    if to in others(tx, definition, case, task):
        raise _wrong("distinct", "依规定本环节须由另一人办理", "The rule asks for another person here")
    return record, found[0]


def check_reason(reason: str) -> None:
    """Raises Invalid where it is longer than 500 characters."""
    if len(reason) > LONGEST_REASON:
        zh, en = f"原因不超过 {LONGEST_REASON} 字", f"At most {LONGEST_REASON} characters"
        raise Invalid([Finding(where="reason", rule="too_long", zh=zh, en=en)])


def _wrong(rule: str, zh: str, en: str) -> Invalid:
    return Invalid([Finding(where="to", rule=rule, zh=zh, en=en)])


def _note(record: Record, task: Task, kind: str, receiver: Candidate, reason: str) -> None:
    """Accounts are plain facts; names and what was written are sealed."""
    detail = {"task": str(task.id), "from": str(task.claimed_by) if task.claimed_by else None}
    values = {"from": task.claimed_name, "to": receiver.display_name, **({"reason": reason} if reason else {})}
    told = {**detail, "to": str(receiver.account)}
    record.input(kind, element=task.element, token=task.token, detail=told, values=values)


def _lies_with(task: Task, by: UUID | None, name: str | None, at: datetime) -> ClaimChange:
    return ClaimChange(id=task.id, by=by, name=name, at=at)


def _as_actor(person: Candidate) -> Actor:
    return Actor(account=person.account, name="", display_name=person.display_name)


def allowed(actor: Actor, task: Task, started_by: UUID | None, kept: set[UUID | None]) -> frozenset[str]:
    """The verbs of this file and of ``remarks`` that the actor may use on an open task (its page shows these)."""
    found = {"comment"}
    if task.status is not TaskStatus.OPEN:
        return frozenset(found)
    post = post_for(actor, task)
    supervises = actor.holding(SUPERVISOR, task.scope) is not None
    mine = post is not None and actor.account is not None and task.claimed_by == actor.account
    pending = task.delegation == PENDING
    if mine and pending and actor.account not in kept:
        found.add("resolve")
    if mine and not pending:
        found.add("add-signer")
    if task.assignee is None and mine and not pending:
        found.add("delegate")
    if task.assignee is None and (supervises or (mine and not pending)):
        found.add("transfer")
    if (
        task.assignee is None
        and post is not None
        and actor.account in (task.claimed_by, task.owner)
        and actor.account is not None
    ):
        found.add("release")
    if supervises or (started_by is not None and started_by == actor.account):
        found.add("urge")
    return frozenset(found)


def why_not_done(actor: Actor, task: Task, page: CasePage, kept: set[UUID | None]) -> str:
    """Why the actor may not complete the task, empty if they may.

    closed, suspended, post, delegated, claimed, distinct or unsigned.
    """
    if task.status is not TaskStatus.OPEN:
        return "closed"
    if page.status is CaseStatus.SUSPENDED:
        return "suspended"
    if post_for(actor, task) is None:
        return "post"
    if task.delegation == PENDING and actor.account in (task.claimed_by, task.owner):
        return "delegated"
    if task.claimed_by not in (None, actor.account):
        return "claimed"
    if actor.account is not None and actor.account in kept:
        return "distinct"
    first = (one for one in page.tasks if (one.status, one.signs) == (TaskStatus.OPEN, task.token))
    return "unsigned" if any(one.signing == "before" for one in first) else ""
