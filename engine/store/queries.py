"""What may be read by whom: every query takes the actor and returns only what role × scope allows, NotFound else."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Row

from engine.deadlines import Deadline
from engine.errors import Finding, Invalid, NotFound
from engine.model import Actor, CaseStatus
from engine.store import tables as t
from engine.store.accesses import accesses
from engine.store.cases import deadline_of, incident_of, task_of, wait_of
from engine.store.history_reading import history, last_of, lines_of, positions
from engine.store.lines import LONGEST_PAGE, nearest_deadlines, title_of
from engine.store.pages import CasePage, CaseRow, DocumentRow, IncidentRow, Page
from engine.store.papers import read_document
from engine.store.people import account_of
from engine.store.people_reading import colleagues, entitled, people
from engine.store.reading import Reading
from engine.store.records import Account, Document, Task, Version
from engine.store.rights import oversees, sees_case
from engine.store.vault import unseal, unseal_json, unwrap
from engine.store.worklists import worklist

__all__ = [
    "accesses",
    "accounts",
    "case_page",
    "case_release",
    "cases",
    "cases_behind_calendar",
    "colleagues",
    "document",
    "entitled",
    "history",
    "incidents",
    "last_of",
    "lines_of",
    "people",
    "positions",
    "task_page",
    "versions",
    "worklist",
]

_case = t.process_instance


def case_page(reading: Reading, actor: Actor, case_id: UUID) -> CasePage:
    """One case with its tasks, deadlines, papers and open incidents.

    Raises:
        NotFound: there is no such case, or the actor may not see it.
    """
    statement = (
        sa.select(_case, t.data_key.c.wrapped)
        .join(t.data_key, t.data_key.c.id == _case.c.id)
        .where(_case.c.id == case_id, sees_case(actor))
    )
    row = reading.execute(statement).one_or_none()
    if row is None:
        raise NotFound()
    return _page(reading, row)


def case_release(reading: Reading, actor: Actor, case_id: UUID) -> str:
    """The release a case follows, for a system administrator of its scope.

    Raises:
        NotFound: no such case, or in nobody's charge here.
    """
    may = oversees(actor, _case.c.scope, "system_admin")
    found = reading.execute(sa.select(_case.c.release).where(_case.c.id == case_id, may)).scalar()
    if found is None:
        raise NotFound()
    return str(found)


def _page(reading: Reading, row: Row[Any]) -> CasePage:
    key = unwrap(reading.keys, row.id, row.wrapped) if row.wrapped else None
    about = unseal_json(key, f"about:{row.id}", row.sealed_title) if key and row.sealed_title else {}

    def rows_of(table: sa.Table, *more: sa.ColumnElement[bool]) -> list[Row[Any]]:
        order = table.c.number if table is t.subscription else table.c.id
        return list(reading.execute(sa.select(table).where(table.c.case_id == row.id, *more).order_by(order)))

    return CasePage(
        id=row.id,
        business_key=row.business_key,
        process_key=row.process_key,
        release=row.release,
        status=CaseStatus(row.status),
        outcome=row.outcome,
        milestone=row.milestone,
        title=about.get("title", ""),
        summary=about.get("summary", {}),
        state=unseal(key, f"state:{row.id}", row.sealed_state) if key and row.sealed_state else None,
        scope=row.scope,
        started_by=row.started_by,
        started_at=row.started_at,
        ended_at=row.ended_at,
        due_at=row.due_at,
        events=row.events,
        tasks=tuple(task_of(each) for each in rows_of(t.task)),
        deadlines=tuple(deadline_of(each.id, each.content) for each in rows_of(t.deadline)),
        waits=tuple(wait_of(each.content) for each in rows_of(t.subscription)),
        documents=tuple(_document_row(each) for each in rows_of(t.document)),
        incidents=tuple(incident_of(each, row.id) for each in rows_of(t.incident, t.incident.c.closed_at.is_(None))),
    )


def _document_row(row: Row[Any]) -> DocumentRow:
    return DocumentRow(
        id=row.id,
        kind=row.kind,
        title=row.title,
        number=row.number,
        issued_at=row.issued_at,
        digest=row.digest,
        rendered=row.digest is not None,
    )


def task_page(reading: Reading, actor: Actor, task_id: UUID) -> tuple[Task, CasePage]:
    """One task, open or closed, and its case.

    Raises:
        NotFound: there is no such task, or the actor may not see its case.
    """
    case_id = reading.execute(sa.select(t.task.c.case_id).where(t.task.c.id == task_id)).scalar()
    if case_id is None:
        raise NotFound()
    page = case_page(reading, actor, case_id)
    return next(task for task in page.tasks if task.id == task_id), page


def cases(
    reading: Reading,
    actor: Actor,
    *,
    text: str | None = None,
    process_key: str | None = None,
    status: str | None = None,
    after: str | None = None,
    limit: int = 50,
) -> Page[CaseRow]:
    """The cases the actor may see, newest first. ``text`` is part of the business key (titles are sealed).

    Raises:
        Invalid: ``after`` is no cursor of this list.
    """
    most = max(1, min(limit, LONGEST_PAGE))
    statement = (
        sa.select(_case, t.data_key.c.wrapped)
        .join(t.data_key, t.data_key.c.id == _case.c.id)
        .where(sees_case(actor))
        .order_by(_case.c.id.desc())
        .limit(most + 1)
    )
    if text:
        statement = statement.where(_case.c.business_key.contains(text, autoescape=True))
    if process_key:
        statement = statement.where(_case.c.process_key == process_key)
    if status:
        statement = statement.where(_case.c.status == status)
    if after:
        statement = statement.where(_case.c.id < _cursor(after))
    rows = reading.execute(statement).all()
    shown = rows[:most]
    clocks = nearest_deadlines(reading, [row.id for row in shown])
    items = tuple(_case_row(reading, row, clocks.get(row.id)) for row in shown)
    return Page(items=items, next=str(shown[-1].id) if len(rows) > most else None)


def _cursor(after: str) -> UUID:
    try:
        return UUID(after)
    except ValueError as error:
        wrong = Finding(where="after", rule="cursor", zh="翻页位置无效", en="No such place in the list")
        raise Invalid([wrong]) from error


def _case_row(reading: Reading, row: Row[Any], clock: Deadline | None) -> CaseRow:
    return CaseRow(
        id=row.id,
        business_key=row.business_key,
        title=title_of(reading, row.id, row.wrapped, row.sealed_title),
        process_key=row.process_key,
        status=CaseStatus(row.status),
        outcome=row.outcome,
        milestone=row.milestone,
        started_at=row.started_at,
        ended_at=row.ended_at,
        due_at=row.due_at,
        deadline=clock,
    )


def document(reading: Reading, actor: Actor, document_id: UUID) -> Document:
    """A paper of a case the actor may see. Raises NotFound."""
    statement = (
        sa.select(t.document.c.id)
        .join(_case, _case.c.id == t.document.c.case_id)
        .where(t.document.c.id == document_id, sees_case(actor))
    )
    if reading.execute(statement).scalar() is None:
        raise NotFound()
    return read_document(reading, document_id)


def incidents(reading: Reading, actor: Actor) -> tuple[IncidentRow, ...]:
    """What is stuck: in cases the actor may see, and in every case of a system administrator's scope."""
    about = ("business_key", "process_key", "release", "scope", "status")
    statement = (
        sa.select(t.incident, *(_case.c[name] for name in about))
        .join(_case, _case.c.id == t.incident.c.case_id)
        .where(t.incident.c.closed_at.is_(None), sees_case(actor) | oversees(actor, _case.c.scope, "system_admin"))
        .order_by(t.incident.c.id)
    )
    return tuple(
        IncidentRow(
            id=row.id,
            case_id=row.case_id,
            business_key=row.business_key,
            process_key=row.process_key,
            release=row.release,
            scope=row.scope,
            status=CaseStatus(row.status),
            element=row.element,
            code=row.code,
            opened_at=row.opened_at,
            job=row.job_id is not None,
        )
        for row in reading.execute(statement)
    )


def versions(reading: Reading, kind: str = "process", name: str | None = None) -> tuple[Version, ...]:
    """Every version of what is published of a kind, by name and then oldest first; of one name only if given."""
    table = t.version
    statement = sa.select(table).where(table.c.kind == kind).order_by(table.c.name, table.c.version)
    if name is not None:
        statement = statement.where(table.c.name == name)
    return tuple(Version(**row._mapping) for row in reading.execute(statement))


def accounts(reading: Reading) -> tuple[Account, ...]:
    """Every account with its posts, by name. Who may ask is the verb's to check."""
    posts: dict[UUID, list[Row[Any]]] = {}
    for row in reading.execute(sa.select(t.membership).order_by(t.membership.c.role, t.membership.c.scope)):
        posts.setdefault(row.account_id, []).append(row)
    rows = reading.execute(sa.select(t.account).order_by(t.account.c.name))
    return tuple(account_of(row, posts.get(row.id, [])) for row in rows)


def cases_behind_calendar(reading: Reading, version: str) -> tuple[UUID, ...]:
    """The running cases with a clock that still counts by another calendar than ``version``. For the verbs only."""
    # The row's text has sorted keys and no spaces: what is looked for stands in it so, or not at all.
    counted = t.deadline.c.content.contains(f'"calendar_version":"{version}"', autoescape=True)
    open_ones = t.deadline.c.status.in_(("running", "paused")) & ~counted
    statement = (
        sa.select(t.deadline.c.case_id)
        .join(_case, _case.c.id == t.deadline.c.case_id)
        .where(open_ones, _case.c.status != CaseStatus.ENDED.value)
        .distinct()
        .order_by(t.deadline.c.case_id)
    )
    return tuple(reading.execute(statement).scalars())
