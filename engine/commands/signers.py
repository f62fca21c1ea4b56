"""Verbs about signatures at an open task (加签, 会签): ask people to sign, ask one of them no more; who has signed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from engine import bpmn
from engine.commands.attempt import acted_as, attempt
from engine.commands.cases import opened, saved
from engine.commands.handing import SUPERVISOR, check_holder, check_reason
from engine.commands.office import Office
from engine.commands.record import outcome_from_plain
from engine.commands.shelf import SIGNING_FORM
from engine.commands.tasks import on_task
from engine.errors import Finding, Forbidden, Invalid, TaskNotOpen
from engine.model import Actor, Membership, Once, Outcome, Release, TaskStatus
from engine.store import Candidate, Case, Task, Transaction, queries


@dataclass(frozen=True, kw_only=True, slots=True)
class Signature:
    """What somebody signed. ``answers`` None: erased by law."""

    number: int
    at: datetime
    by: str
    post: str
    unit: str
    element: str
    kind: str
    answers: dict[str, Any] | None = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """By whom, and why, a signer is asked."""

    at: datetime
    by: str
    unit: str
    reason: str = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class AskedSigner:
    """Somebody asked to sign who has not; ``turn`` False: only once the task itself is done."""

    account: UUID
    display_name: str
    unit: str
    kind: str
    turn: bool


def add_signers(
    office: Office,
    actor: Actor,
    task_id: UUID,
    *,
    kind: str,
    accounts: Sequence[UUID],
    quorum: int | None = None,
    reason: str = "",
    once: Once | None = None,
) -> Outcome:
    """Ask people to sign at the task on the actor's desk: before it can be done, after it, or beside it.

    They need not hold the task's role: each gets a task that is theirs alone, with the form of opinions, and sees the
    case by it. ``quorum`` of them are enough (None: all). A disagreement stops nothing by itself.

    Raises:
        NotFound, Forbidden, TaskNotOpen, TaskLapsed, TaskClaimed, TaskDelegated, TaskNotHeld: as for ``transfer_task``.
        Invalid: an account that is not open, the actor's own, or asked already; unknown kind or quorum; too deep; the
        case was started before there was a form for it. Nothing is written but the refusal.
    """
    told = [str(account) for account in accounts]
    given = {"task": str(task_id), "kind": kind, "accounts": told, "quorum": quorum, "reason": reason}
    with attempt(office, actor, "add_signers", given) as made, on_task(office, task_id) as (tx, case, task):
        made.case = case.id
        if once and (answer := tx.recall(actor, once)) is not None:
            return outcome_from_plain(answer)
        post = check_holder(tx, actor, case, task)
        release, definition, record = opened(office, tx, case, acted_as(actor, post.role, task.scope))
        check_reason(reason)
        _check_form(release)
        people = _people(tx, case, task, accounts, actor)
        detail = {"task": str(task.id), "kind": kind, "accounts": told, "quorum": quorum}
        values = {"names": [one.display_name for one in people], **({"reason": reason} if reason else {})}
        record.input("signers.added", element=task.element, token=task.token, detail=detail, values=values)
        state = case.state or b""
        record.take(bpmn.add_signers(definition, state, record.now, task.token, kind=kind, signers=told, quorum=quorum))
        return saved(tx, case, record, actor, once)


def _check_form(release: Release) -> None:
    if SIGNING_FORM not in release.forms:
        zh, en = "本办件发起时尚无加签表单，不能加签", "The case was started before there was a form for signers"
        raise Invalid([Finding(where="accounts", rule="no_signing_form", zh=zh, en=en)])


def _people(tx: Transaction, case: Case, task: Task, accounts: Sequence[UUID], actor: Actor) -> list[Candidate]:
    found = queries.people(tx, accounts)
    asked = {one.signer for one in bpmn.asked(case.state or b"", task.token)}
    findings = []
    for place, account in enumerate(accounts):
        where = f"accounts.{place}"
        if account not in found:
            findings.append(
                Finding(where=where, rule="unknown_account", zh="不能请该人员加签", en="Nobody who can be asked")
            )
        elif account == actor.account or str(account) in asked:
            zh, en = "该人员已在办理或签署本任务", "This account has the task, or is asked already"
            findings.append(Finding(where=where, rule="already_asked", zh=zh, en=en))
    if findings:
        raise Invalid(findings)
    return [found[account] for account in accounts]


def remove_signer(office: Office, actor: Actor, task_id: UUID, account: UUID, *, once: Once | None = None) -> Outcome:
    """Ask somebody no more to sign at the task; of those left as many are needed as before, or all of them.

    Whoever holds the task may, or did it while signatures are outstanding; and a supervisor of the scope.

    Raises:
        NotFound. Forbidden: none of these. TaskNotOpen: the task is over. Invalid: the account is not asked, or has
        signed. Nothing is written but the refusal.
    """
    given = {"task": str(task_id), "account": str(account)}
    with attempt(office, actor, "remove_signer", given) as made, on_task(office, task_id) as (tx, case, task):
        made.case = case.id
        if once and (answer := tx.recall(actor, once)) is not None:
            return outcome_from_plain(answer)
        post = _remover(tx, actor, case, task)
        _, definition, record = opened(office, tx, case, acted_as(actor, post.role, task.scope))
        state = case.state or b""
        asked = next((one for one in bpmn.asked(state, task.token) if one.signer == str(account)), None)
        if asked is None:
            zh, en = "该人员未被请求加签，或已签署", "This account is not asked to sign, or has signed"
            raise Invalid([Finding(where="account", rule="not_asked", zh=zh, en=en)])
        record.input(
            "signer.removed",
            element=task.element,
            token=asked.token,
            detail={"task": str(task.id), "account": str(account)},
        )
        record.take(bpmn.remove_signer(definition, state, record.now, asked.token))
        return saved(tx, case, record, actor, once)


def _remover(tx: Transaction, actor: Actor, case: Case, task: Task) -> Membership:
    queries.case_page(tx, actor, case.id)  # who may not see a case does not learn that it exists
    supervisor = actor.holding(SUPERVISOR, task.scope)
    if not _removes(actor, task, supervisor):
        raise Forbidden(role=task.role, scope=task.scope)
    if case.state is None or task.status is TaskStatus.CANCELLED or case.outcome is not None:
        raise TaskNotOpen(status=task.status.value, by=task.closed_name, at=task.closed_at)
    own = actor.holding(task.role, task.scope)
    return own or supervisor or Membership(role="", scope=task.scope, unit="", post="")


def _removes(actor: Actor, task: Task, supervisor: Membership | None) -> bool:
    holder = task.claimed_by if task.status is TaskStatus.OPEN else task.closed_by
    return supervisor is not None or (holder is not None and holder == actor.account)


def signatures(office: Office, actor: Actor, case_id: UUID) -> tuple[Signature, ...]:
    """All signatures of a case, oldest first. Raises NotFound."""
    with office.store.reading() as reading:
        rows = queries.lines_of(reading, actor, case_id, "task.completed")
    found = []
    for row in rows:
        if "signing" in row.detail and row.actor is not None and row.element is not None:
            facts = {"by": row.actor.name, "post": row.actor.post, "unit": row.actor.unit, "element": row.element}
            answers = row.values["answers"] if row.values else None
            kind = row.detail["signing"]
            found.append(Signature(number=row.number, at=row.recorded_at, kind=kind, answers=answers, **facts))
    return tuple(found)


def request_of(office: Office, actor: Actor, task_id: UUID) -> Request | None:
    """By whom and why a signature is asked for; None for a task that is none. Raises NotFound."""
    with office.store.reading() as reading:
        task, page = queries.task_page(reading, actor, task_id)
        if task.signing is None:
            return None
        rows = queries.lines_of(reading, actor, page.id, "signers.added")
    row = next(r for r in reversed(rows) if r.token == task.signs and str(task.assignee) in r.detail["accounts"])
    by, unit = (row.actor.name, row.actor.unit) if row.actor else ("", "")
    return Request(at=row.recorded_at, by=by, unit=unit, reason=(row.values or {}).get("reason", ""))


def signers(office: Office, actor: Actor, task_id: UUID) -> tuple[AskedSigner, ...]:
    """Who is still asked to sign at a task, in the order of asking. Raises NotFound."""
    with office.store.reading() as reading:
        task, page = queries.task_page(reading, actor, task_id)
        asked = bpmn.asked(page.state, task.token) if page.state else ()
        people = queries.people(reading, [UUID(one.signer) for one in asked])
    found = []
    for one in asked:
        account = UUID(one.signer)
        known = people.get(account)
        name, unit = (known.display_name, known.unit) if known else ("", "")
        found.append(AskedSigner(account=account, display_name=name, unit=unit, kind=one.kind, turn=one.turn))
    return tuple(found)


def may_remove(actor: Actor, task: Task) -> bool:
    """May the actor ask signers of this task no more (where any are asked)?"""
    return _removes(actor, task, actor.holding(SUPERVISOR, task.scope))


def people(office: Office, actor: Actor, text: str = "") -> tuple[Candidate, ...]:
    """The people to choose from, by name, unit or post; without words, those of the actor's own units.

    Raises:
        Forbidden: who holds no post has no colleagues.
    """
    if not actor.memberships and actor.account is not None:
        raise Forbidden()
    with office.store.reading() as reading:
        return queries.colleagues(reading, text, {post.unit for post in actor.memberships})
