"""Verbs on a human task: claim, release, keep a draft, complete."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from engine import bpmn, forms
from engine.bpmn import Definition
from engine.commands.attempt import acted_as, attempt
from engine.commands.cases import opened, saved, settled
from engine.commands.moving import former
from engine.commands.office import Office
from engine.commands.record import Record, outcome_from_plain
from engine.errors import (
    Finding,
    Forbidden,
    FormInvalid,
    SameActorNotAllowed,
    SignaturesMissing,
    SignersOwn,
    TaskClaimed,
    TaskDelegated,
    TaskLapsed,
    TaskNotOpen,
)
from engine.model import Actor, CaseStatus, Membership, Once, Outcome, TaskStatus
from engine.store import Case, ClaimChange, Task, Transaction, queries

MEDIA_TYPE = re.compile(r"[\x21-\x7e]{1,50}/[\x21-\x7e]{1,50}")
LONGEST_FILE_NAME = 200
# What a delegated task is: still with the delegate, or given back to its owner with answers.
PENDING, RESOLVED = "pending", "resolved"


def complete_task(
    office: Office, actor: Actor, task_id: UUID, answers: Mapping[str, Any], *, once: Once | None = None
) -> Outcome:
    """Complete a task with its form's answers; state, tasks, deadlines and history are written together.

    Raises:
        NotFound: no such task, or the actor may not see its case. Forbidden: not the task's role in its scope.
        SameActorNotAllowed: the diagram asks for another person than who completed an earlier element.
        TaskNotOpen, TaskLapsed, TaskClaimed: somebody, or a deadline, was first. TaskDelegated: not resolved yet.
        SignaturesMissing: who was asked to sign first has not. FormInvalid: every bad field.
        Nothing is written then but the refusal.
    """
    given = {"task": str(task_id), "answers": answers}
    with attempt(office, actor, "complete", given) as made, on_task(office, task_id) as (tx, case, task):
        made.case = case.id
        if once and (answer := tx.recall(actor, once)) is not None:
            return outcome_from_plain(answer)
        post = check_rights(tx, actor, case, task)
        check_open(task)
        check_unclaimed(task, actor)
        check_not_delegated(task)
        check_signed(case, task)
        _, definition, record = opened(office, tx, case, acted_as(actor, post.role, task.scope))
        check_other_person(tx, definition, case, task, actor)
        typed = checked(office, tx, definition, case=case, task=task, actor=actor, answers=answers)
        detail: dict[str, Any] = {"task": str(task.id)}
        values: dict[str, Any] = {"answers": typed}
        if task.signing is not None:
            detail |= {"signing": task.signing, "signs": task.signs}
            values["signed"] = {"by": actor.display_name, "unit": record.actor.unit if record.actor else ""}
        state = case.state or b""
        record.input("task.completed", element=task.element, token=task.token, detail=detail, values=values)
        step = bpmn.complete(definition, state, record.now, task.token, typed | values.get("signed", {}))
        record.take(step, completed=task.id, by=actor.account, name=actor.display_name)
        record.attach(digests(office, task, typed), actor.account)
        return saved(tx, case, record, actor, once)


@contextmanager
def on_task(office: Office, task_id: UUID) -> Iterator[tuple[Transaction, Case, Task]]:
    """A transaction that holds the task's case, with what is due fired before. Raises: NotFound."""
    found: list[Task] = []

    def lock(tx: Transaction) -> Case:
        case, task = tx.lock_task(task_id)
        found[:] = [task]
        return case

    with settled(office, lock) as (tx, case):
        yield tx, case, found[0]


def check_rights(tx: Transaction, actor: Actor, case: Case, task: Task) -> Membership:
    """The post by which the actor may work on the task.

    Raises:
        NotFound: the actor may not even see the case. Forbidden: may see it, but holds no such post.
    """
    post = post_for(actor, task)
    if post is not None:
        return post
    queries.case_page(tx, actor, case.id)  # who may not see a case does not learn that it exists
    raise Forbidden(role=task.role, scope=task.scope)


def post_for(actor: Actor, task: Task) -> Membership | None:
    """What allows the actor to work on the task: a post; for a signature, being the one who is asked."""
    if task.assignee is None:
        return actor.holding(task.role, task.scope)
    mine = task.assignee == actor.account
    return Membership(role=task.role, scope=task.scope, unit="", post="") if mine else None


def check_open(task: Task) -> None:
    """Raises TaskNotOpen (who, when) or TaskLapsed (the deadline's moment)."""
    if task.status is TaskStatus.OPEN:
        return
    if task.closed_by is None and task.status is TaskStatus.CANCELLED:
        raise TaskLapsed(at=task.closed_at)
    raise TaskNotOpen(status=task.status.value, by=task.closed_name, at=task.closed_at)


def check_unclaimed(task: Task, actor: Actor) -> None:
    """Raises TaskClaimed when it is neither on the actor's desk nor delegated by them."""
    if task.claimed_by is not None and actor.account not in (task.claimed_by, task.owner):
        raise TaskClaimed(by=task.claimed_name, at=task.claimed_at)


def check_not_delegated(task: Task) -> None:
    """Raises TaskDelegated while it lies with a delegate: neither of the two may complete it or hand it on."""
    if task.delegation == PENDING:
        raise TaskDelegated(to=task.claimed_name, at=task.claimed_at)


def check_signed(case: Case, task: Task) -> None:
    """Raises SignaturesMissing while who was asked to sign first has not signed."""
    missing = sum(one.signs == task.token and one.signing == "before" for one in case.tasks)
    if missing:
        raise SignaturesMissing(missing=missing)


def check_other_person(tx: Transaction, definition: Definition, case: Case, task: Task, actor: Actor) -> None:
    """Four eyes: who completed an element that ``distinct_from`` names may not do this (行政许可法 34: two persons).

    Raises:
        SameActorNotAllowed.
    """
    if actor.account is not None and actor.account in others(tx, definition, case, task):
        raise SameActorNotAllowed(element=task.element)


def others(tx: Transaction, definition: Definition, case: Case, task: Task) -> set[UUID]:
    """The accounts that the diagram's four eyes keep from this task."""
    node = definition.node(task.element)
    if not node.distinct_from or task.signing is not None:
        return set()
    process = definition.processes[task.element.partition("/")[0]]
    paths = {f"{name}/{e}" for name, scope in process.scopes.items() for e in node.distinct_from if e in scope.nodes}
    # Nobody signs twice: of a repeated element, that means in this round of it.
    again = bpmn.repeated_by(case.state or b"", task.token) if node.path in paths and case.state else None
    rest = paths - {node.path} if again is not None else paths
    found = tx.performers(case.id, [*rest, *former(case.summary, rest)])
    if again is None:
        return found
    return found | tx.performers(case.id, [node.path, *former(case.summary, [node.path])], after=again)


def checked(
    office: Office,
    tx: Transaction,
    definition: Definition,
    *,
    case: Case,
    task: Task,
    actor: Actor,
    answers: Mapping[str, Any],
) -> dict[str, Any]:
    """The answers as the task's form types them. Raises: TaskNotOpen, FormInvalid (every bad field)."""
    if case.state is None or case.status is not CaseStatus.ACTIVE:
        raise TaskNotOpen(status=case.status.value, by=None, at=case.ended_at)
    if task.form_digest is None:
        if answers:
            unknown = Finding(where=next(iter(answers))[:40], rule="unknown", zh="本环节没有表单", en="No form here")
            raise FormInvalid([unknown])
        return {}
    form = office.form(task.form_digest)
    typed = forms.check(form, answers, variables=bpmn.read(definition, case.state, task.token))
    unknown_files = tx.unknown_attachments(case.id, actor, forms.attachments(form, typed))
    if unknown_files:
        raise FormInvalid(
            [Finding(where="", rule="unknown_attachment", zh="附件不存在，请重新上传", en="Upload the file again")]
        )
    return typed


def digests(office: Office, task: Task, typed: Mapping[str, Any]) -> tuple[str, ...]:
    """The files that checked answers name."""
    return tuple(forms.attachments(office.form(task.form_digest), typed)) if task.form_digest else ()


def claim_task(office: Office, actor: Actor, task_id: UUID, *, once: Once | None = None) -> Outcome:
    """Put an open task on the actor's desk. Claiming one's own again changes nothing.

    Raises:
        NotFound, Forbidden, TaskNotOpen, TaskLapsed, TaskClaimed: as for ``complete_task``.
    """
    return _on_desk(office, actor, task_id, "claim", once)


def release_task(office: Office, actor: Actor, task_id: UUID, *, once: Once | None = None) -> Outcome:
    """Give a claimed task back to the post's worklist; one that lies with a delegate, back to its owner.

    The owner so takes it back, the delegate so declines. Raises as ``claim_task``.
    """
    return _on_desk(office, actor, task_id, "release", once)


def _on_desk(office: Office, actor: Actor, task_id: UUID, verb: str, once: Once | None) -> Outcome:
    given = {"task": str(task_id)}
    with attempt(office, actor, verb, given) as made, on_task(office, task_id) as (tx, case, task):
        made.case = case.id
        if once and (answer := tx.recall(actor, once)) is not None:
            return outcome_from_plain(answer)
        post = check_rights(tx, actor, case, task)
        check_open(task)
        check_unclaimed(task, actor)
        _, definition, record = opened(office, tx, case, acted_as(actor, post.role, task.scope))
        if verb == "claim":
            check_other_person(tx, definition, case, task, actor)
        elif task.assignee is not None:
            raise SignersOwn()
        _move(record, task, actor, verb)
        return saved(tx, case, record, actor, once)


def _move(record: Record, task: Task, actor: Actor, verb: str) -> None:
    if (task.claimed_by is not None) == (verb == "claim"):
        return
    kind = "task.claimed" if verb == "claim" else "task.released"
    detail = {"task": str(task.id)}
    if verb == "release" and task.delegation == PENDING:
        detail["to"] = str(task.owner)
    record.input(kind, element=task.element, token=task.token, detail=detail)
    if "to" in detail:
        record.claims.append(ClaimChange(id=task.id, by=task.owner, name=task.owner_name, at=record.now))
    elif verb == "claim":
        record.claims.append(ClaimChange(id=task.id, by=actor.account, name=actor.display_name, at=record.now))
    else:
        record.claims.append(ClaimChange(id=task.id))


def save_draft(
    office: Office, actor: Actor, task_id: UUID, answers: Mapping[str, Any], *, once: Once | None = None
) -> None:
    """Keep unfinished answers of this person for this task; they are not checked but for their size by the caller.

    Raises:
        NotFound, Forbidden, TaskNotOpen, TaskLapsed: nothing is kept.
    """
    with attempt(office, actor, "draft", {"task": str(task_id)}) as made, on_task(office, task_id) as (tx, case, task):
        made.case = case.id
        if once and tx.recall(actor, once) is not None:
            return
        check_rights(tx, actor, case, task)
        check_open(task)
        tx.put_draft(task_id, actor, answers)
        if once:
            tx.remember(actor, once, {})


def attach_file(
    office: Office,
    actor: Actor,
    task_id: UUID,
    *,
    name: str,
    media_type: str,
    content: bytes,
    once: Once | None = None,
) -> str:
    """Keep a file for the answers of an open task; gives ``sha256:<hex>``, which the form's field takes.

    Raises:
        NotFound, Forbidden, TaskNotOpen, TaskLapsed: as for ``save_draft``; nothing is kept.
    """
    given = {"task": str(task_id)}
    with attempt(office, actor, "attach", given) as made, on_task(office, task_id) as (tx, case, task):
        made.case = case.id
        if once and (answer := tx.recall(actor, once)) is not None:
            return str(answer["digest"])
        check_rights(tx, actor, case, task)
        check_open(task)
        digest = tx.put_attachment(actor, *_labels(name, media_type), content)
        if once:
            tx.remember(actor, once, {"digest": digest})
        return digest


def _labels(name: str, media_type: str) -> tuple[str, str]:
    """A stranger's words as labels: the name without folders and unprintable characters, a media type that is one."""
    last = name.replace("\\", "/").rpartition("/")[2]
    plain = "".join(letter for letter in last if letter.isprintable())[:LONGEST_FILE_NAME]
    return plain or "file", media_type if MEDIA_TYPE.fullmatch(media_type) else "application/octet-stream"
