"""Locking a case: the instance's row first, and only then whatever belongs to it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from engine import deadlines
from engine.errors import BusinessKeyTaken, NotFound
from engine.model import CaseStatus, TaskStatus
from engine.store import points
from engine.store import tables as t
from engine.store.columns import database_now
from engine.store.history import GENESIS
from engine.store.prepared import Prepared
from engine.store.reading import simulated
from engine.store.records import Case, DeadlineRow, Incident, Task, WaitRow
from engine.store.vault import new_key, unseal, unseal_json, unwrap
from engine.store.writes import Writes

_instance = t.process_instance
_by_case = Prepared(sa.select(_instance).where(_instance.c.id == sa.bindparam("case")).with_for_update())
_by_task = Prepared(
    sa.select(_instance)
    .where(_instance.c.id == sa.select(t.task.c.case_id).where(t.task.c.id == sa.bindparam("task")).scalar_subquery())
    .with_for_update()
)
_by_incident = Prepared(
    sa.select(_instance)
    .where(
        _instance.c.id
        == sa.select(t.incident.c.case_id).where(t.incident.c.id == sa.bindparam("incident")).scalar_subquery()
    )
    .with_for_update()
)
# The key, the clock and the open tasks in one statement, run once the instance is ours: it sees what a rival did.
_belongings = Prepared(
    sa.select(
        t.data_key.c.wrapped,
        database_now().label("database_now"),
        t.clock.c.offset_microseconds,
        t.clock.c.floor,
        sa.select(sa.func.max(t.publication.c.number)).scalar_subquery().label("publication"),
        sa.exists().where(t.draft.c.task_id == t.task.c.id).label("drafted"),
        t.task,
    )
    .select_from(
        t.data_key.join(t.clock, sa.true()).outerjoin(
            t.task,
            (t.task.c.case_id == t.data_key.c.id)
            & ((t.task.c.status == "open") | (t.task.c.id == sa.bindparam("task", type_=sa.Uuid()))),
        )
    )
    .where(t.data_key.c.id == sa.bindparam("case"))
    .order_by(t.task.c.id)
)
_DEADLINE, _WAIT, _INCIDENT = 1, 2, 3
_no = sa.null()
_others = Prepared(
    sa.union_all(
        sa.select(
            sa.literal(_DEADLINE).label("what"),
            t.deadline.c.id,
            t.deadline.c.content,
            sa.cast(_no, sa.Integer).label("token"),
            sa.cast(_no, sa.Text).label("element"),
            sa.cast(_no, sa.Text).label("code"),
            sa.cast(_no, sa.Uuid).label("job_id"),
            sa.cast(_no, t.incident.c.opened_at.type).label("opened_at"),
        ).where(t.deadline.c.case_id == sa.bindparam("case")),
        sa.select(sa.literal(_WAIT), _no, t.subscription.c.content, t.subscription.c.number, _no, _no, _no, _no).where(
            t.subscription.c.case_id == sa.bindparam("case")
        ),
        sa.select(
            sa.literal(_INCIDENT),
            t.incident.c.id,
            _no,
            t.incident.c.token,
            t.incident.c.element,
            t.incident.c.code,
            t.incident.c.job_id,
            t.incident.c.opened_at,
        ).where(t.incident.c.case_id == sa.bindparam("case"), t.incident.c.closed_at.is_(None)),
    )
)
_performers = sa.select(t.task.c.closed_by).where(
    t.task.c.case_id == sa.bindparam("case"),
    t.task.c.status == "completed",
    t.task.c.signing.is_(None),
    t.task.c.token > sa.bindparam("after"),
    t.task.c.element.in_(sa.bindparam("elements", expanding=True)),
)


def task_of(row: Any) -> Task:
    """A task from a row that holds its columns."""
    return Task(
        id=row.id,
        case_id=row.case_id,
        token=row.token,
        element=row.element,
        name=row.name,
        role=row.role,
        role_name=row.role_name,
        scope=row.scope,
        form_digest=row.form_digest,
        process_key=row.process_key,
        status=TaskStatus(row.status),
        created_at=row.created_at,
        instance=row.instance,
        claimed_by=row.claimed_by,
        claimed_name=row.claimed_name,
        claimed_at=row.claimed_at,
        closed_at=row.closed_at,
        closed_by=row.closed_by,
        closed_name=row.closed_name,
        due_at=row.due_at,
        owner=row.owner,
        owner_name=row.owner_name,
        delegation=row.delegation,
        urged_at=row.urged_at,
        signing=row.signing,
        signs=row.signs,
        assignee=row.assignee,
    )


def deadline_of(number: UUID, content: str) -> DeadlineRow:
    """A deadline from its row's text."""
    return DeadlineRow(id=number, deadline=deadlines.from_plain(json.loads(content)))


def wait_of(content: str) -> WaitRow:
    """A wait from its row's text."""
    plain = json.loads(content)
    return WaitRow(**{**plain, "due": datetime.fromisoformat(plain["due"]) if plain["due"] else None})


class CaseLocks(Writes):
    """The locking half of a transaction. ``locked`` is the case it holds (a verb locks one)."""

    locked: Case | None = None

    def lock_case(self, case_id: UUID) -> Case:
        """Lock the case and read it. No rights are checked here.

        Raises:
            NotFound: there is no such case.
        """
        return self._locked(_by_case, {"case": case_id}, None)[0]

    def lock_task(self, task_id: UUID) -> tuple[Case, Task]:
        """Lock the task's case and read both; the task may be closed already, ``status`` says so.

        Raises:
            NotFound: there is no such task.
        """
        case, task = self._locked(_by_task, {"task": task_id}, task_id)
        if task is None:
            raise NotFound()
        return case, task

    def lock_incident(self, incident_id: UUID) -> tuple[Case, Incident]:
        """Lock the incident's case and read both.

        Raises:
            NotFound: there is no such incident, or it is closed.
        """
        case, _ = self._locked(_by_incident, {"incident": incident_id}, None)
        found = next((i for i in case.incidents if i.id == incident_id), None)
        if found is None:
            raise NotFound()
        return case, found

    def new_case(
        self,
        case_id: UUID,
        *,
        business_key: str,
        process_key: str,
        release: str,
        started_by: UUID | None,
        scope: str,
    ) -> Case:
        """Insert an empty case, ours until the commit. ``scope`` is where it is started (who sees it as supervisor).

        Raises:
            BusinessKeyTaken: another case has this business key (or is being started with it and was committed first).
        """
        key, wrapped = new_key(self.keys, case_id)
        case = Case(
            id=case_id,
            business_key=business_key,
            process_key=process_key,
            release=release,
            status=CaseStatus.ACTIVE,
            scope=scope,
            started_by=started_by,
            started_at=self.now(),
            head=GENESIS,
            key=key,
        )
        columns = ("id", "business_key", "process_key", "release", "scope", "started_by", "started_at", "revision")
        row = {name: getattr(case, name) for name in (*columns, "events", "head")}
        try:
            self.execute(_instance.insert(), {**row, "status": case.status.value, "due_at": None})
        except IntegrityError as error:
            raise BusinessKeyTaken() from error
        self.execute(t.data_key.insert(), {"id": case_id, "wrapped": wrapped})
        self.locked = case
        return case

    def performers(self, case_id: UUID, elements: Iterable[str], *, after: int = 0) -> set[UUID]:
        """The accounts that completed tasks of these element paths in the case, of tokens above ``after``.

        Who only signed there did not.
        """
        found = self.execute(_performers, {"case": case_id, "elements": list(elements), "after": after}).scalars()
        return {account for account in found if account is not None}

    def _locked(self, statement: Prepared, found_by: dict[str, Any], task_id: UUID | None) -> tuple[Case, Task | None]:
        found = self.rows(statement, found_by)
        if not found:
            raise NotFound()
        row = found[0]
        points.reached("after_lock")
        # Read only now that the instance is ours: a rival may have changed all of it while we waited.
        rows, others = self.together((_belongings, {"case": row.id, "task": task_id}), (_others, {"case": row.id}))
        # An erased case has no key, and nothing sealed that would need one.
        case = self._case(row, unwrap(self.keys, row.id, rows[0].wrapped) if rows[0].wrapped else b"")
        tasks = [task_of(each) for each in rows if each.id is not None]
        case.tasks = [task for task in tasks if task.status is TaskStatus.OPEN]
        case.drafts = {each.id for each in rows if each.drafted}
        _add_others(case, others)
        moments = [simulated(rows[0])] + ([case.last_at] if case.last_at else [])
        self._moment = max(moments)
        self.locked = case
        self.publication_seen = (rows[0].publication,)
        return case, next((task for task in tasks if task.id == task_id), None)

    def _case(self, row: Any, key: bytes) -> Case:
        about = unseal_json(key, f"about:{row.id}", row.sealed_title) if row.sealed_title else {}
        state = unseal(key, f"state:{row.id}", row.sealed_state) if row.sealed_state else None
        return Case(
            id=row.id,
            business_key=row.business_key,
            process_key=row.process_key,
            release=row.release,
            status=CaseStatus(row.status),
            scope=row.scope,
            started_by=row.started_by,
            started_at=row.started_at,
            state=state,
            outcome=row.outcome,
            milestone=row.milestone,
            title=about.get("title", ""),
            summary=about.get("summary", {}),
            revision=row.revision,
            events=row.events,
            head=bytes(row.head),
            last_at=row.last_at,
            ended_at=row.ended_at,
            wake_at=row.wake_at,
            due_at=row.due_at,
            key=key,
        )


def _add_others(case: Case, rows: Iterable[Any]) -> None:
    for row in rows:
        if row.what == _DEADLINE:
            case.deadlines.append(deadline_of(row.id, row.content))
        elif row.what == _INCIDENT:
            case.incidents.append(incident_of(row, case.id))
        else:
            case.waits.append(wait_of(row.content))
    case.deadlines.sort(key=lambda each: each.id.int)
    case.waits.sort(key=lambda each: each.number)


def incident_of(row: Any, case_id: UUID) -> Incident:
    """An incident from a row that holds its columns."""
    return Incident(
        id=row.id,
        case_id=case_id,
        token=row.token,
        element=row.element,
        code=row.code,
        opened_at=row.opened_at,
        job=row.job_id,
    )
