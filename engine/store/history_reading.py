"""Reading history: a case's events with their values opened, and where its tokens stood at any moment."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from engine.errors import NotFound
from engine.model import JSON, Actor
from engine.store import tables as t
from engine.store.exporting import history_row
from engine.store.history import case_stream, unseal_values
from engine.store.pages import HistoryRow, Page, Position
from engine.store.reading import Reading
from engine.store.rights import sees_case

_LONGEST = 1000
_event = t.event.c
_STANDING = ("element.entered", "element.completed", "element.cancelled")


def _seen(reading: Reading, actor: Actor, case_id: UUID) -> str:
    """The case's stream. Raises NotFound where the actor may not see it."""
    found = sa.select(t.process_instance.c.id).where(t.process_instance.c.id == case_id, sees_case(actor))
    if reading.execute(found).scalar() is None:
        raise NotFound()
    return case_stream(case_id)


def history(reading: Reading, actor: Actor, case_id: UUID, *, after: int = 0, limit: int = 200) -> Page[HistoryRow]:
    """The events after number ``after``, in order; ``next`` is the number to go on after.

    Raises:
        NotFound: there is no such case, or the actor may not see it.
    """
    stream = _seen(reading, actor, case_id)
    most = max(1, min(limit, _LONGEST))
    statement = (
        sa.select(t.event).where(_event.stream == stream, _event.number > after).order_by(_event.number).limit(most + 1)
    )
    rows = reading.execute(statement).all()
    shown = rows[:most]
    values = _values(reading, case_id, stream, after, shown[-1].number) if shown else {}
    items = tuple(history_row(row._asdict(), values.get(row.number)) for row in shown)
    return Page(items=items, next=str(shown[-1].number) if len(rows) > most else None)


def lines_of(reading: Reading, actor: Actor, case_id: UUID, *kinds: str) -> tuple[HistoryRow, ...]:
    """All events of these kinds, in order, with their values.

    Raises:
        NotFound: there is no such case, or the actor may not see it.
    """
    stream = _seen(reading, actor, case_id)
    statement = sa.select(t.event).where(_event.stream == stream, _event.kind.in_(kinds)).order_by(_event.number)
    rows = reading.execute(statement).all()
    values = _values(reading, case_id, stream, rows[0].number - 1, rows[-1].number) if rows else {}
    return tuple(history_row(row._asdict(), values.get(row.number)) for row in rows)


def last_of(reading: Reading, case_id: UUID, kind: str, *, token: int, account: UUID | None) -> datetime | None:
    """When this account last did this about this token of a case that the verb has locked; None: never."""
    statement = (
        sa.select(_event.recorded_at)
        .where(_event.stream == case_stream(case_id), _event.kind == kind)
        .where(_event.token == token, _event.actor_account == account)
        .order_by(_event.number.desc())
        .limit(1)
    )
    moment: datetime | None = reading.execute(statement).scalar()
    return moment


def _values(reading: Reading, owner: UUID, stream: str, after: int, last: int) -> dict[int, JSON]:
    key = reading.data_key(owner)
    if key is None:
        return {}
    kept = t.event_value.c
    statement = sa.select(t.event_value).where(kept.stream == stream, kept.number <= last, kept.last > after)
    opened: dict[int, JSON] = {}
    for row in reading.execute(statement):
        opened |= {n: values for n, (_, values) in unseal_values(key, stream, row.number, row.sealed).items()}
    return opened


def positions(reading: Reading, actor: Actor, case_id: UUID, *, at: datetime | None = None) -> tuple[Position, ...]:
    """Where the case's tokens stood at a moment (None: now), folded from what was entered and left by then.

    Raises:
        NotFound: there is no such case, or the actor may not see it.
    """
    stream = _seen(reading, actor, case_id)
    moment = sa.func.coalesce(_event.occurred_at, _event.recorded_at, type_=_event.recorded_at.type)
    statement = (
        sa.select(_event.kind, _event.element, _event.token, moment.label("moment"))
        .where(_event.stream == stream, _event.kind.in_(_STANDING), _event.token.is_not(None))
        .order_by(_event.number)
    )
    standing: dict[tuple[int, str], Position] = {}
    for row in reading.execute(statement):
        if at is not None and row.moment > at:
            continue
        place = (row.token, row.element)
        if row.kind == "element.entered":
            key = row.element.partition("/")[0]
            standing[place] = Position(process_key=key, element=row.element, token=row.token, since=row.moment)
        else:
            standing.pop(place, None)
    return tuple(standing.values())
