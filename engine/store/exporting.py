"""Reading whole cases for whoever takes them elsewhere: heads and events as stored, values opened, batch by batch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Row

from engine.errors import NotFound
from engine.model import JSON, ActedAs, Actor, CaseStatus
from engine.store import tables as t
from engine.store.history import case_stream, unseal_values
from engine.store.pages import HistoryRow
from engine.store.reading import Reading
from engine.store.rights import oversees, sees_case
from engine.store.vault import unseal, unseal_json, unwrap

EVENTS_AT_ONCE = 1000
CASES_AT_ONCE = 200
_case = t.process_instance
_event = t.event.c


@dataclass(frozen=True, kw_only=True, slots=True)
class Chosen:
    """Which cases: of these business keys (all cases where none is given), of a process, changed since a moment."""

    business_keys: tuple[str, ...] = ()
    process_key: str | None = None
    since: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CaseHead:
    """One case beside its events. ``head`` and ``state_digest`` are hex; an erased case has no title and no state."""

    id: UUID
    business_key: str
    process_key: str
    scope: str
    release: str
    status: CaseStatus
    outcome: str | None
    milestone: str | None
    title: str = field(repr=False)
    started_by: UUID | None
    started_at: datetime
    ended_at: datetime | None
    events: int
    head: str
    state_digest: str | None
    erased: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredEvent:
    """One event: every column of its row, and what it committed to. ``erased``: it had values, and they are gone."""

    columns: Mapping[str, Any]
    salt: bytes | None = field(default=None, repr=False)
    values: JSON = field(default=None, repr=False)

    @property
    def erased(self) -> bool:
        """Has the event had values that nobody can open any more?"""
        return self.columns["commitment"] is not None and self.salt is None

    def row(self) -> HistoryRow:
        """The event as it is read everywhere else."""
        return history_row(self.columns, self.values)


def history_row(columns: Mapping[str, Any], values: JSON) -> HistoryRow:
    """An event as an auditor reads it, from its row's columns and its opened values."""
    actor = None
    if columns["actor_name"] is not None:
        actor = ActedAs(
            account=columns["actor_account"],
            name=columns["actor_name"],
            post=columns["actor_post"],
            unit=columns["actor_unit"],
            behalf=columns["actor_behalf"],
        )
    plain = ("number", "kind", "input", "cause", "command", "recorded_at", "element", "flow", "scope", "token")
    return HistoryRow(
        **{name: columns[name] for name in (*plain, "semantics")},
        occurred_at=columns["occurred_at"] or columns["recorded_at"],
        actor=actor,
        release=columns["release"].hex() if columns["release"] else None,
        detail=json.loads(columns["detail"]) if columns["detail"] else {},
        values=values,
        erased=columns["commitment"] is not None and values is None,
        state_digest=columns["state_digest"].hex() if columns["state_digest"] else None,
        hash=columns["hash"].hex(),
    )


def audits(actor: Actor, scope: str) -> bool:
    """May the actor take cases of this scope away: an auditor of it, or the system at its command line."""
    return actor.account is None or actor.holding("auditor", scope) is not None


def chosen_cases(reading: Reading, actor: Actor, chosen: Chosen) -> Iterator[CaseHead]:
    """The chosen cases that the actor audits, oldest first.

    Raises:
        NotFound: a business key is of no case the actor may see, or of one that somebody else audits.
    """
    wanted = sees_case(actor) if actor.account is None else oversees(actor, _case.c.scope, "auditor")
    if chosen.process_key is not None:
        wanted &= _case.c.process_key == chosen.process_key
    if chosen.since is not None:
        wanted &= _case.c.last_at >= chosen.since
    if chosen.business_keys:
        for key in dict.fromkeys(chosen.business_keys):
            found = list(_heads(reading, wanted & (_case.c.business_key == key)))
            if not found:
                raise NotFound(business_key=key)
            yield from found
        return
    after: UUID | None = None
    while True:
        beyond = wanted if after is None else wanted & (_case.c.id > after)
        heads = list(_heads(reading, beyond))
        yield from heads
        if len(heads) < CASES_AT_ONCE:
            return
        after = heads[-1].id


def check_seen(reading: Reading, actor: Actor, case_id: UUID) -> None:
    """Raises NotFound: there is no such case, or the actor may not see it."""
    if reading.execute(sa.select(_case.c.id).where(_case.c.id == case_id, sees_case(actor))).scalar() is None:
        raise NotFound()


def case_head(reading: Reading, case_id: UUID) -> CaseHead:
    """One case by its id; no rights are checked. Raises NotFound."""
    found = next(_heads(reading, _case.c.id == case_id), None)
    if found is None:
        raise NotFound()
    return found


def _heads(reading: Reading, wanted: sa.ColumnElement[bool]) -> Iterator[CaseHead]:
    statement = (
        sa.select(_case, t.data_key.c.wrapped)
        .outerjoin(t.data_key, t.data_key.c.id == _case.c.id)
        .where(wanted)
        .order_by(_case.c.id)
        .limit(CASES_AT_ONCE)
    )
    for row in reading.execute(statement).all():
        yield _head(reading, row)


def _head(reading: Reading, row: Row[Any]) -> CaseHead:
    key = unwrap(reading.keys, row.id, row.wrapped) if row.wrapped else None
    about = unseal_json(key, f"about:{row.id}", row.sealed_title) if key and row.sealed_title else {}
    state = unseal(key, f"state:{row.id}", row.sealed_state) if key and row.sealed_state else None
    same = ("id", "business_key", "process_key", "scope", "release", "outcome", "milestone", "started_by")
    return CaseHead(
        **{name: getattr(row, name) for name in (*same, "started_at", "ended_at", "events")},
        status=CaseStatus(row.status),
        title=about.get("title", ""),
        head=bytes(row.head).hex(),
        state_digest=None if state is None else hashlib.sha256(state).hexdigest(),
        erased=key is None,
    )


def case_events(reading: Reading, case_id: UUID) -> Iterator[StoredEvent]:
    """Every event of a case in order, never more than a batch of them in memory; no rights are checked."""
    stream, after = case_stream(case_id), 0
    while True:
        statement = (
            sa.select(t.event)
            .where(_event.stream == stream, _event.number > after)
            .order_by(_event.number)
            .limit(EVENTS_AT_ONCE)
        )
        rows = reading.execute(statement).mappings().all()
        if not rows:
            return
        opened = _opened(reading, stream, after, rows[-1]["number"])
        for row in rows:
            salt, values = opened.get(row["number"], (None, None))
            yield StoredEvent(columns={**row, **{n: _bytes(row[n]) for n in _BYTES}}, salt=salt, values=values)
        if len(rows) < EVENTS_AT_ONCE:
            return
        after = rows[-1]["number"]


_BYTES = tuple(column.name for column in _event if isinstance(column.type, sa.LargeBinary))


def _bytes(value: Any) -> bytes | None:
    return None if value is None else bytes(value)


def _opened(reading: Reading, stream: str, after: int, last: int) -> dict[int, tuple[bytes, JSON]]:
    """Number → (salt, values) of the events after ``after`` up to ``last``; those of erased keys are left out."""
    kept = t.event_value.c
    statement = (
        sa.select(t.event_value, t.data_key.c.wrapped)
        .join(t.data_key, t.data_key.c.id == kept.key_id)
        .where(kept.stream == stream, kept.number <= last, kept.last > after)
    )
    found: dict[int, tuple[bytes, JSON]] = {}
    for row in reading.execute(statement).all():
        if row.wrapped is not None:
            key = unwrap(reading.keys, row.key_id, row.wrapped)
            found |= unseal_values(key, row.stream, row.number, row.sealed)
    return found
