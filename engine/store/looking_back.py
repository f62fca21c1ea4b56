"""Looking back into a case's history from inside a verb: events of some kinds, without values, without rights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from engine.model import JSON
from engine.store import tables as t
from engine.store.history import case_stream
from engine.store.reading import Reading

_event = t.event.c
_of_kinds = (
    sa.select(_event.number, _event.kind, _event.element, _event.token, _event.command, _event.detail)
    .where(_event.stream == sa.bindparam("stream"), _event.kind.in_(sa.bindparam("kinds", expanding=True)))
    .order_by(_event.number)
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """One event, without its values."""

    number: int
    kind: str
    element: str | None
    token: int | None
    command: UUID
    detail: Mapping[str, JSON]


def told(reading: Reading, case_id: UUID, *kinds: str) -> tuple[Told, ...]:
    """The case's events of these kinds, oldest first."""
    rows = reading.execute(_of_kinds, {"stream": case_stream(case_id), "kinds": list(kinds)})
    return tuple(
        Told(
            number=row.number,
            kind=row.kind,
            element=row.element,
            token=row.token,
            command=row.command,
            detail=json.loads(row.detail) if row.detail else {},
        )
        for row in rows
    )


def replaced(reading: Reading, case_id: UUID) -> dict[str, str]:
    """Kind of paper → number (or id) of the one that its next issue replaces: issued, then returned over."""
    waiting: dict[str, str] = {}
    for event in told(reading, case_id, "task.returned", "document.issued"):
        if event.kind == "document.issued":
            waiting.pop(event.detail["kind"], None)
        else:
            waiting |= {paper["kind"]: paper["number"] or paper["document"] for paper in event.detail["papers"]}
    return waiting
