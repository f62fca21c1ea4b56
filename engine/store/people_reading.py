"""Whom a piece of work may be given to: accounts by post."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa

from engine.store import tables as t
from engine.store.reading import Reading
from engine.store.records import Candidate


def entitled(reading: Reading, role: str, scope: str, account: UUID | None = None) -> tuple[Candidate, ...]:
    """The open accounts that hold ``role`` in a scope that covers ``scope``, each once, by name; or the one asked for.

    Who may ask is the verb's to check.
    """
    steps = scope.split("/")
    above = ["/".join(steps[:n]) for n in range(1, len(steps) + 1)]
    return _people(reading, account, t.membership.c.role == role, t.membership.c.scope.in_(above))


def _people(reading: Reading, account: UUID | None, *where: sa.ColumnElement[bool]) -> tuple[Candidate, ...]:
    who, post = t.account.c, t.membership.c
    statement = (
        sa.select(who.id, who.display_name, post.unit, post.post)
        .join(t.membership, post.account_id == who.id)
        .where(who.active, *where)
        .order_by(who.display_name, who.name, post.scope, post.role)
    )
    if account is not None:
        statement = statement.where(who.id == account)
    found: dict[UUID, Candidate] = {}
    for row in reading.execute(statement):
        found.setdefault(
            row.id,
            Candidate(account=row.id, display_name=row.display_name, unit=row.unit, post=row.post),
        )
    return tuple(found.values())
