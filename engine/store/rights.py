"""Who may see and do what, as conditions of a query: role × scope, and nothing else."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from engine.model import Actor
from engine.store import tables as t

#: Roles that read every case of their scope without a task in it.
OVERSEERS = ("supervisor", "auditor")


def covered(scope: str, column: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    """``column`` is ``scope`` or lies below it (not LIKE: SQLite's disregards case, and scopes may hold wildcards)."""
    below = scope + "/"
    return (column == scope) | (sa.func.substr(column, 1, len(below)) == below)


def may_work(actor: Actor, role: sa.ColumnElement[Any], scope: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    """The actor holds the role in a scope that covers it."""
    posts = [(role == m.role) & covered(m.scope, scope) for m in actor.memberships]
    return sa.or_(sa.false(), *posts)


def oversees(actor: Actor, scope: sa.ColumnElement[Any], *roles: str) -> sa.ColumnElement[bool]:
    """One of the actor's posts of these roles covers the scope."""
    return sa.or_(sa.false(), *(covered(s, scope) for role in roles for s in actor.scopes(role)))


def sees_case(actor: Actor) -> sa.ColumnElement[bool]:
    """A condition on ``process_instance``: worked or to be worked on by the actor's post, overseen, or started by them.

    Whoever is asked to sign sees it while they are, and after having signed. The system itself sees everything.
    """
    if actor.account is None:
        return sa.true()
    case = t.process_instance.c
    work = may_work(actor, t.task.c.role, t.task.c.scope) | oversees(actor, t.task.c.scope, *OVERSEERS)
    signs = (t.task.c.assignee == actor.account) & (t.task.c.status != "cancelled")
    return sa.or_(
        case.started_by == actor.account,
        oversees(actor, case.scope, *OVERSEERS),
        sa.exists().where(t.task.c.case_id == case.id, work | signs),
    )
