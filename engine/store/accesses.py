"""Who read a case: one line for each reading, in the day's streams, found by the case. Nothing here locks a case."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Row

from engine.errors import Finding, Forbidden, Invalid, NotFound
from engine.model import ActedAs, Actor
from engine.store import tables as t
from engine.store.columns import iso
from engine.store.pages import Page
from engine.store.reading import Reading
from engine.store.rights import sees_case

LONGEST = 200
READ = "case.read"
# A stream's head is locked while a reading is appended: one stream for all servers would make every reader of the
# district wait for every other.
_SERVER = os.urandom(4).hex()
_event = t.event.c


def stream_of_today(day: date) -> str:
    """The stream this server process's readings of a day go to: ``access:<date>:<server>``."""
    return f"access:{day:%Y-%m-%d}:{_SERVER}"


@dataclass(frozen=True, kw_only=True, slots=True)
class AccessRow:
    """One reading of a case: what of it (case, task, history, document …), when, and by whom with which post."""

    what: str
    at: datetime
    actor: ActedAs
    stream: str
    number: int


def accesses(
    reading: Reading, actor: Actor, case_id: UUID, *, after: str | None = None, limit: int = 50
) -> Page[AccessRow]:
    """Who read a case, newest first; for auditors of its scope.

    Raises:
        NotFound: no such case, or none that the actor may see. Forbidden: sees it, but does not audit there.
        Invalid: ``after`` is no cursor of this list.
    """
    seen = sa.select(t.process_instance.c.scope).where(t.process_instance.c.id == case_id, sees_case(actor))
    scope = reading.execute(seen).scalar()
    if scope is None:
        raise NotFound()
    if actor.account is not None and actor.holding("auditor", scope) is None:
        raise Forbidden(role="auditor", scope=scope)
    most = max(1, min(limit, LONGEST))
    place = (_event.recorded_at, _event.stream, _event.number)
    statement = sa.select(t.event).where(_of_case(reading.dialect, case_id), _event.kind == READ)
    if after:
        statement = statement.where(sa.tuple_(*place) < sa.tuple_(*_place(after)))
    rows = reading.execute(statement.order_by(*(column.desc() for column in place)).limit(most + 1)).all()
    items = tuple(
        AccessRow(
            what=json.loads(row.detail)["what"],
            at=row.recorded_at,
            actor=ActedAs(
                account=row.actor_account,
                name=row.actor_name or "",
                post=row.actor_post or "",
                unit=row.actor_unit or "",
            ),
            stream=row.stream,
            number=row.number,
        )
        for row in rows[:most]
    )
    last = items[-1] if len(rows) > most else None
    return Page(items=items, next=f"{iso(last.at)}|{last.stream}|{last.number}" if last else None)


def _actor(row: Row[Any]) -> ActedAs:
    post, unit = row.actor_post or "", row.actor_unit or ""
    return ActedAs(account=row.actor_account, name=row.actor_name or "", post=post, unit=unit)


def _of_case(dialect: str, case_id: UUID) -> sa.ColumnElement[bool]:
    """The detail's text begins with the case (its keys are sorted): both databases find that in the partial index."""
    text = f'{{"case":"{case_id}"'
    if dialect == "postgresql":
        return _event.detail.like(text + "%")
    return (_event.detail >= text) & (_event.detail < text + "~")


def _place(after: str) -> tuple[sa.ColumnElement[datetime], str, int]:
    try:
        moment, stream, number = after.split("|")
        return sa.literal(datetime.fromisoformat(moment), _event.recorded_at.type), stream, int(number)
    except ValueError as error:
        wrong = Finding(where="after", rule="cursor", zh="翻页位置无效", en="No such place in the list")
        raise Invalid([wrong]) from error
