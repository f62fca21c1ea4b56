"""Routes for the end of a case's keeping: hold it, lift the hold, propose its erasure, erase it."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Request, Response

from api import identity
from api.schemas import Answer, ErasureIn, ReasonIn
from engine import commands as c

router = APIRouter(prefix="/api/process-instances/{case_id}", tags=["keeping"])


@router.post("/hold")
def hold(request: Request, case_id: UUID, why: ReasonIn) -> Response:
    """Keep the case whatever its term; for archivists of its scope."""
    actor, once = identity.asker(request).actor, identity.once(request)
    return Answer(c.place_hold(identity.office(request), actor, case_id, why.reason, once=once))


@router.post("/lift-hold")
def lift_hold(request: Request, case_id: UUID, why: ReasonIn) -> Response:
    """The case need not be held any longer; 404 where nothing holds it."""
    actor, once = identity.asker(request).actor, identity.once(request)
    return Answer(c.lift_hold(identity.office(request), actor, case_id, why.reason, once=once))


@router.post("/propose-erasure")
def propose_erasure(request: Request, case_id: UUID, why: ErasureIn) -> Response:
    """Ask for the erasure of what is personal in an ended case; another archivist erases it."""
    actor, once = identity.asker(request).actor, identity.once(request)
    outcome = c.propose_erasure(
        identity.office(request), actor, case_id, basis=why.basis, kept_until=why.kept_until, once=once
    )
    return Answer(outcome)


@router.post("/erase")
def erase(request: Request, case_id: UUID) -> Response:
    """Approve the proposal and destroy it all: nobody reads it again, nor takes this back."""
    actor, once = identity.asker(request).actor, identity.once(request)
    return Answer(c.erase_case(identity.office(request), actor, case_id, once=once))
