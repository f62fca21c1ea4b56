"""Who read a case: the auditor's view of the readings."""

from __future__ import annotations

from uuid import UUID

from engine.commands.office import Office
from engine.model import Actor
from engine.store import AccessRow, Page, queries


def accesses(
    office: Office, actor: Actor, case_id: UUID, *, after: str | None = None, limit: int = 50
) -> Page[AccessRow]:
    """Who read the case, newest first; for auditors of its scope, and recorded like any reading.

    Raises:
        NotFound: no such case, or none that the actor may see. Forbidden: does not audit there.
    """
    with office.store.reading() as reading:
        page = queries.accesses(reading, actor, case_id, after=after, limit=limit)
    office.store.record_access(actor, case_id, "accesses")
    return page
