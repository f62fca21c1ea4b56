"""Whom a piece of work may be given to: accounts by post."""

from __future__ import annotations

from collections.abc import Iterable
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


def colleagues(reading: Reading, text: str, units: Iterable[str], limit: int = 50) -> tuple[Candidate, ...]:
    """Open accounts whose name, unit or post holds every word of ``text``; without one, those of these units."""
    who, post = t.account.c, t.membership.c
    words = text.split()[:5]
    named = [
        sa.or_(*(column.contains(word, autoescape=True) for column in (who.display_name, post.unit, post.post)))
        for word in words
    ]
    return _people(reading, None, *(named or [post.unit.in_(list(units))]))[:limit]


def people(reading: Reading, accounts: Iterable[UUID]) -> dict[UUID, Candidate]:
    """Those of the accounts that are open and hold any post at all, by id."""
    return {one.account: one for one in _people(reading, None, t.account.c.id.in_(list(accounts)))}


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
