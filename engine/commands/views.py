"""What people read: worklists, tasks, cases, history, papers, definitions. Every call checks what the actor may see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from engine import bpmn, deadlines, forms
from engine.bpmn import Definition
from engine.commands.cases import may_act
from engine.commands.catalogue import forms_of
from engine.commands.handing import allowed, done_before, why_not_done
from engine.commands.office import Office
from engine.commands.recalling import recallable
from engine.commands.returning import Returned, ReturnTarget, return_targets, returned
from engine.commands.suspending import Suspension, overseeing, suspension
from engine.commands.withdrawal import WITHDRAWAL
from engine.errors import Forbidden, NotFound
from engine.model import Actor, CaseStatus, Lamp, TaskStatus
from engine.registers import Register
from engine.store import (
    Account,
    CasePage,
    CaseRow,
    DocumentRow,
    HistoryRow,
    Incident,
    Page,
    Position,
    Task,
    WorkItem,
    queries,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class DeadlineView:
    """A deadline with the lamp it shows now."""

    kind: str
    name: str
    lamp: Lamp
    due_at: datetime | None
    status: str
    started_at: datetime
    ended_at: datetime | None
    allowance: int
    unit: str
    citation: str
    provisional: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class CaseView:
    """A case as its reader sees it. ``forms`` label the variables that hold answers.

    ``recallable`` is the task whose completion the reader may take back now.
    """

    id: UUID
    business_key: str
    title: str
    process_key: str
    process_name: str
    status: CaseStatus
    outcome: str | None
    milestone: str | None
    started_at: datetime
    ended_at: datetime | None
    variables: Mapping[str, Any] = field(repr=False)
    forms: Mapping[str, forms.Form] = field(repr=False)
    tasks: tuple[Task, ...]
    deadlines: tuple[DeadlineView, ...]
    documents: tuple[DocumentRow, ...]
    incidents: tuple[Incident, ...]
    may_withdraw: bool
    may_act: bool
    recallable: UUID | None
    may_suspend: bool
    suspension: Suspension | None


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskView:
    """A task with its form, what the person may do with it (``verbs`` besides completing it), and why not.

    ``returns`` is where the person may return it to, ``returned`` the return that brought it about.
    """

    task: Task
    case: CaseView
    form: forms.Form | None
    variables: Mapping[str, Any] = field(repr=False)
    draft: Mapping[str, Any] | None = field(repr=False)
    may_complete: bool
    why_not: str
    verbs: frozenset[str]
    instructions: str
    returns: tuple[ReturnTarget, ...]
    returned: Returned | None


def now(office: Office) -> datetime:
    """The moment on the clock that all servers share."""
    with office.store.reading() as reading:
        return reading.now()


def worklist(
    office: Office,
    actor: Actor,
    *,
    view: str = "posts",
    role: str | None = None,
    scope: str | None = None,
    process_key: str | None = None,
    due_before: datetime | None = None,
    after: str | None = None,
    limit: int = 50,
) -> Page[WorkItem]:
    """Open tasks: ``mine`` (claimed by me) or ``posts`` (for my posts, unclaimed or mine), the most urgent first."""
    with office.store.reading() as reading:
        page = queries.worklist(
            reading,
            actor,
            view=view,
            role=role,
            scope=scope,
            process_key=process_key,
            due_before=due_before,
            after=after,
            limit=limit,
        )
        moment = reading.now()
    return Page(items=tuple(_lit(office, item, moment) for item in page.items), next=page.next)


def _lit(office: Office, item: Any, moment: datetime) -> Any:
    if item.deadline is None:
        return item
    return replace(item, lamp=deadlines.lamp(item.deadline, moment, office.current_calendar()))


def cases(
    office: Office,
    actor: Actor,
    *,
    text: str | None = None,
    process_key: str | None = None,
    status: str | None = None,
    after: str | None = None,
    limit: int = 50,
) -> Page[CaseRow]:
    """The cases the actor may see, newest first; ``text`` is part of the business key."""
    with office.store.reading() as reading:
        page = queries.cases(
            reading, actor, text=text, process_key=process_key, status=status, after=after, limit=limit
        )
        moment = reading.now()
    return Page(items=tuple(_lit(office, row, moment) for row in page.items), next=page.next)


def case_view(office: Office, actor: Actor, case_id: UUID) -> CaseView:
    """One case; the reading is recorded. Raises NotFound."""
    with office.store.reading() as reading:
        page = queries.case_page(reading, actor, case_id)
        moment = reading.now()
        mine = recallable(reading, actor, page)
    office.store.record_access(actor, case_id, "case")
    return _case(office, actor, page, moment, mine)


def _case(office: Office, actor: Actor, page: CasePage, moment: datetime, mine: UUID | None) -> CaseView:
    release, definition = office.release_of(page.release)
    acts = may_act(actor, definition, page)
    waits = any(wait.kind == "message" and wait.name == WITHDRAWAL for wait in page.waits)
    return CaseView(
        id=page.id,
        business_key=page.business_key,
        title=page.title,
        process_key=page.process_key,
        process_name=definition.processes[release.root].name,
        status=page.status,
        outcome=page.outcome,
        milestone=page.milestone,
        started_at=page.started_at,
        ended_at=page.ended_at,
        variables=bpmn.read(definition, page.state) if page.state else {},
        forms={f.variable: f.form for f in forms_of(office, release, definition)},
        tasks=page.tasks,
        deadlines=tuple(_deadline(office, row.deadline, moment) for row in page.deadlines),
        documents=page.documents,
        incidents=page.incidents,
        may_withdraw=acts and waits and page.status is CaseStatus.ACTIVE,
        may_act=acts,
        recallable=mine,
        may_suspend=page.ended_at is None and overseeing(actor, definition, page) is not None,
        suspension=suspension(page),
    )


def _deadline(office: Office, deadline: deadlines.Deadline, moment: datetime) -> DeadlineView:
    copied = ("kind", "name", "due_at", "status", "started_at", "ended_at", "allowance", "unit", "citation")
    facts = {name: getattr(deadline, name) for name in copied}
    lamp = deadlines.lamp(deadline, moment, office.current_calendar())
    return DeadlineView(**facts, provisional=deadline.provisional, lamp=lamp)


def task_view(office: Office, actor: Actor, task_id: UUID) -> TaskView:
    """One task as the person before it sees it; the reading is recorded. Raises NotFound."""
    with office.store.reading() as reading:
        task, page = queries.task_page(reading, actor, task_id)
        moment = reading.now()
        draft = reading.draft(task_id, actor)
        _, definition = office.release_of(page.release)
        mine, why = recallable(reading, actor, page), returned(reading, definition, task)
    office.store.record_access(actor, page.id, "task")
    view = _case(office, actor, page, moment, mine)
    open_now = task.status is TaskStatus.OPEN and page.state is not None
    kept = done_before(definition, page, task)
    why_not = why_not_done(actor, task, page, kept)
    return TaskView(
        task=task,
        case=view,
        form=office.form(task.form_digest) if task.form_digest else None,
        variables=bpmn.read(definition, page.state or b"", task.token) if open_now else view.variables,
        draft=draft,
        may_complete=not why_not,
        why_not=why_not,
        verbs=_verbs(actor, task, page, kept),
        instructions=definition.node(task.element).documentation if task.status is TaskStatus.OPEN else "",
        returns=() if why_not else return_targets(definition, page, task),
        returned=why,
    )


def _verbs(actor: Actor, task: Task, page: CasePage, kept: set[UUID | None]) -> frozenset[str]:
    """What else the actor may do with the task; a case that stands still can be commented on only."""
    found = allowed(actor, task, page.started_by, kept)
    return found & {"comment"} if page.status is CaseStatus.SUSPENDED else found


def history(office: Office, actor: Actor, case_id: UUID, *, after: int = 0, limit: int = 200) -> Page[HistoryRow]:
    """The case's events in order, named as its own release names them; the reading is recorded. Raises NotFound."""
    with office.store.reading() as reading:
        page = queries.case_page(reading, actor, case_id)
        rows = queries.history(reading, actor, case_id, after=after, limit=limit)
    office.store.record_access(actor, case_id, "history")
    _, definition = office.release_of(page.release)
    return Page(items=tuple(replace(r, element_name=_name(definition, r.element)) for r in rows.items), next=rows.next)


def _name(definition: Definition, element: str | None) -> str:
    if element is None:
        return ""
    try:
        return definition.node(element).name
    except KeyError:
        return ""


def positions(office: Office, actor: Actor, case_id: UUID, *, at: datetime | None = None) -> tuple[Position, ...]:
    """Where the case's tokens stood at a moment (now: None), folded from its history. Raises NotFound."""
    with office.store.reading() as reading:
        return queries.positions(reading, actor, case_id, at=at)


def document(office: Office, actor: Actor, document_id: UUID) -> str | None:
    """A paper's HTML, None while it is being rendered; the reading is recorded. Raises NotFound."""
    with office.store.reading() as reading:
        found = queries.document(reading, actor, document_id)
    office.store.record_access(actor, found.case_id, "document")
    return found.content


def diagram(office: Office, actor: Actor, case_id: UUID, process_key: str | None = None) -> bytes:
    """The XML a case runs by (of its root, or of a process it calls). Raises NotFound."""
    with office.store.reading() as reading:
        page = queries.case_page(reading, actor, case_id)
    release, _ = office.release_of(page.release)
    digest = release.processes.get(process_key or release.root)
    if digest is None:
        raise NotFound(process=process_key)
    return office.store.artefact(digest)


def registers(office: Office, actor: Actor) -> tuple[Register, ...]:
    """The tables in force."""
    return tuple(office.registers(office.published()).tables.values())


def register(office: Office, actor: Actor, name: str) -> Register:
    """One table in force. Raises NotFound."""
    return office.registers(office.published()).table(name)


def accounts(office: Office, actor: Actor) -> tuple[Account, ...]:
    """Every account. Raises Forbidden: only a security administrator reads them."""
    if not actor.scopes("security_admin"):
        raise Forbidden(role="security_admin")
    with office.store.reading() as reading:
        return queries.accounts(reading)
