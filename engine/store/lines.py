"""What the lines of worklists and lists of cases share: the opened title, and the deadline whose lamp they show."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

import sqlalchemy as sa

from engine.deadlines import Deadline
from engine.store import tables as t
from engine.store.cases import deadline_of
from engine.store.reading import Reading
from engine.store.vault import unseal_json, unwrap

LONGEST_PAGE = 200


def title_of(reading: Reading, case_id: UUID, wrapped: bytes | None, sealed: bytes | None) -> str:
    """A case's title, empty where there is none or it has been erased."""
    if wrapped is None or sealed is None:
        return ""
    title: str = unseal_json(unwrap(reading.keys, case_id, wrapped), f"about:{case_id}", sealed)["title"]
    return title


def nearest_deadlines(reading: Reading, case_ids: Iterable[UUID]) -> dict[UUID, Deadline]:
    """For each case the agency's open deadline that is due first: what its lamp shows."""
    wanted = list(set(case_ids))
    nearest: dict[UUID, Deadline] = {}
    if not wanted:
        return nearest
    found = sa.select(t.deadline.c.case_id, t.deadline.c.id, t.deadline.c.content).where(
        t.deadline.c.case_id.in_(wanted), t.deadline.c.status.in_(("running", "paused", "breached"))
    )
    for row in reading.execute(found):
        clock = deadline_of(row.id, row.content).deadline
        if not clock.open or clock.holder != "agency":
            continue
        known = nearest.get(row.case_id)
        if known is None or (clock.due_at is not None and (known.due_at is None or clock.due_at < known.due_at)):
            nearest[row.case_id] = clock
    return nearest
