"""The worklist: open tasks by urgency, read from indexes alone, however many there are."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Row

from engine.deadlines import Deadline
from engine.errors import Finding, Invalid
from engine.model import Actor, CaseStatus
from engine.store import tables as t
from engine.store.columns import FAR, iso
from engine.store.lines import LONGEST_PAGE, nearest_deadlines, title_of
from engine.store.pages import Page, WorkItem
from engine.store.reading import Reading
from engine.store.rights import may_work

#: Up to so many (role, scope) places are read each from its own stretch of the index; beyond, all tasks of the roles
#: are walked in order of urgency, of which so wide a post then holds most.
FEW_PLACES = 24
# Literal, not a parameter: only then may the databases use the partial indexes.
_OPEN = sa.literal_column("task.status") == sa.literal_column("'open'")
_task = t.task.c


def worklist(
    reading: Reading,
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
    """Open tasks of the actor's posts, due first (those without a due moment last).

    ``view``: ``mine`` (claimed by the actor, delegated by them to somebody, or to be signed by them) or ``posts``
    (unclaimed or the actor's). ``scope`` is exact.

    Raises:
        Invalid: an unknown view, or ``after`` is no cursor of this list.
    """
    if view not in ("mine", "posts"):
        raise _invalid("view", "没有这种待办视图", "There is no such view")
    most = max(1, min(limit, LONGEST_PAGE))
    wanted = [_OPEN]
    if process_key:
        wanted.append(_task.process_key == process_key)
    if due_before:
        wanted.append(_task.due_at < due_before)
    if after:
        wanted.append(_beyond(after))
    chosen: sa.Select[Any] | None
    if view == "mine":
        chosen = _mine(actor, role, scope, wanted, most + 1)
    else:
        wanted.append(_task.claimed_by.is_(None) | (_task.claimed_by == actor.account))
        chosen = _of_posts(_places(reading, actor, role, scope), actor, wanted, most + 1)
    if chosen is None:
        return Page(items=())
    rows = reading.execute(_lines(chosen)).all()
    return _page(reading, rows, most)


def _places(reading: Reading, actor: Actor, role: str | None, scope: str | None) -> list[tuple[str, str]]:
    """Every (role, scope) that ever had a task and that the actor's posts cover."""
    place = t.task_place.c
    statement = sa.select(place.role, place.scope).where(may_work(actor, place.role, place.scope))
    if role:
        statement = statement.where(place.role == role)
    if scope:
        statement = statement.where(place.scope == scope)
    return [(row.role, row.scope) for row in reading.execute(statement.order_by(place.role, place.scope))]


def _of_posts(
    places: list[tuple[str, str]], actor: Actor, wanted: list[sa.ColumnElement[bool]], most: int
) -> sa.Select[Any] | None:
    if not places:
        return None
    if len(places) > FEW_PLACES:
        roles = sorted({role for role, _ in places})
        mine = may_work(actor, _task.role, _task.scope)
        return _first(sa.select(_task.id, _task.due_at).where(*wanted, _task.role.in_(roles), mine), most)
    return _together([(_task.role == role) & (_task.scope == scope) for role, scope in places], wanted, most)


def _together(
    stretches: list[sa.ColumnElement[bool]], wanted: list[sa.ColumnElement[bool]], most: int
) -> sa.Select[Any]:
    """The first of several stretches that have no task in common, each read from an index of its own."""
    each = [_first(sa.select(_task.id, _task.due_at).where(*wanted, stretch), most) for stretch in stretches]
    if len(each) == 1:
        return each[0]
    together = sa.union_all(*(sa.select(one.subquery()) for one in each)).subquery()
    return sa.select(together).order_by(together.c.due_at, together.c.id).limit(most)


def _mine(
    actor: Actor, role: str | None, scope: str | None, wanted: list[sa.ColumnElement[bool]], most: int
) -> sa.Select[Any]:
    # Few are claimed by one person: the role is hidden from the planner, which else walks a whole role for them.
    post = may_work(actor, _task.role.concat(""), _task.scope)
    here = list(wanted)
    if role:
        here.append(_task.role == role)
    if scope:
        here.append(_task.scope == scope)
    claimed = (_task.claimed_by == actor.account) & _task.assignee.is_(None) & post
    delegated = (_task.owner == actor.account) & (_task.delegation == "pending") & post
    return _together([claimed, delegated, _task.assignee == actor.account], here, most)


def _first(statement: sa.Select[Any], most: int) -> sa.Select[Any]:
    return statement.order_by(_task.due_at, _task.id).limit(most)


def _lines(chosen: sa.Select[Any]) -> sa.Select[Any]:
    first = chosen.subquery()
    case = t.process_instance.c
    return (
        sa.select(
            t.task,
            case.business_key,
            case.sealed_title,
            case.milestone,
            case.status.label("standing"),
            t.data_key.c.wrapped,
        )
        .join(first, first.c.id == _task.id)
        .join(t.process_instance, case.id == _task.case_id)
        .join(t.data_key, t.data_key.c.id == _task.case_id)
        .order_by(_task.due_at, _task.id)
    )


def _page(reading: Reading, rows: Any, most: int) -> Page[WorkItem]:
    shown = rows[:most]
    clocks = nearest_deadlines(reading, [row.case_id for row in shown])
    following = f"{iso(shown[-1].due_at or FAR)}_{shown[-1].id}" if len(rows) > most else None
    return Page(items=tuple(_item(reading, row, clocks.get(row.case_id)) for row in shown), next=following)


def _item(reading: Reading, row: Row[Any], clock: Deadline | None) -> WorkItem:
    return WorkItem(
        id=row.id,
        case_id=row.case_id,
        business_key=row.business_key,
        title=title_of(reading, row.case_id, row.wrapped, row.sealed_title),
        process_key=row.process_key,
        element=row.element,
        name=row.name,
        role=row.role,
        role_name=row.role_name,
        scope=row.scope,
        created_at=row.created_at,
        claimed_by=row.claimed_by,
        claimed_name=row.claimed_name,
        due_at=row.due_at,
        milestone=row.milestone,
        owner=row.owner,
        owner_name=row.owner_name,
        delegation=row.delegation,
        urged_at=row.urged_at,
        suspended=row.standing == CaseStatus.SUSPENDED.value,
        signing=row.signing,
        deadline=clock,
    )


def _beyond(after: str) -> sa.ColumnElement[bool]:
    moment, _, number = after.partition("_")
    try:
        place = sa.tuple_(
            sa.literal(datetime.fromisoformat(moment), _task.due_at.type), sa.literal(UUID(number), sa.Uuid())
        )
    except ValueError as error:
        raise _invalid("after", "翻页位置无效", "No such place in the list") from error
    return sa.tuple_(_task.due_at, _task.id) > place


def _invalid(where: str, zh: str, en: str) -> Invalid:
    return Invalid([Finding(where=where, rule=where, zh=zh, en=en)])
