"""Routes for people: sessions, accounts, and the clock of a simulation."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from api import identity
from api.schemas import AccountIn, Answer, ClockIn, LoginIn, person, plain
from engine import commands as c
from engine.errors import Forbidden
from engine.model import Membership

router = APIRouter(prefix="/api", tags=["people"])


@router.post("/sessions", status_code=201)
def log_in(request: Request, login: LoginIn) -> Response:
    """Open a session: the token for `Authorization: Bearer`, and the same as a cookie."""
    identity.same_site(request)
    session = c.log_in(identity.office(request), login.name, login.password)
    told: dict[str, Any] = {
        "token": session.token,
        "csrf": session.csrf,
        "expires_at": plain(session.expires_at),
        "account": person(session.actor),
    }
    answer = Answer(told, 201)
    identity.remember(answer, session, identity.settings(request))
    return answer


@router.get("/sessions/current")
def who(request: Request) -> Response:
    """Who the caller is, with posts and the CSRF token."""
    asker = identity.asker(request)
    return Answer({"csrf": asker.csrf, "expires_at": plain(asker.expires_at), "account": person(asker.actor)})


@router.delete("/sessions/current", status_code=204)
def log_out(request: Request) -> Response:
    """End the session."""
    asker = identity.asker(request)
    c.log_out(identity.office(request), asker.token)
    answer = Response(status_code=204)
    identity.forget(answer)
    return answer


@router.post("/accounts", status_code=201)
def create_account(request: Request, account: AccountIn) -> Response:
    """Make an account with its posts (security_admin)."""
    made = c.create_account(
        identity.office(request),
        identity.asker(request).actor,
        name=account.name,
        display_name=account.display_name,
        password=account.password,
        memberships=tuple(Membership(**post.model_dump()) for post in account.memberships),
        once=identity.once(request),
    )
    return Answer({"id": made}, 201)


@router.get("/accounts")
def accounts(request: Request) -> Response:
    """All accounts with their posts (security_admin)."""
    rows = c.accounts(identity.office(request), identity.asker(request).actor)
    told = [
        {
            "id": row.id,
            "name": row.name,
            "display_name": row.display_name,
            "active": row.active,
            "locked_until": row.locked_until,
            "memberships": row.memberships,
        }
        for row in rows
    ]
    return Answer({"accounts": told})


@router.post("/clock/advance")
def advance_clock(request: Request, clock: ClockIn) -> Response:
    """Move a simulation's clock forward (system_admin; refused unless SANWEI_SIMULATION=1)."""
    actor = identity.asker(request).actor
    if not identity.settings(request).simulation or not actor.scopes("system_admin"):
        raise Forbidden("Only a simulation's clock can be moved, by a system_admin")
    return Answer({"now": c.advance_clock(identity.office(request), actor, clock.by, once=identity.once(request))})
