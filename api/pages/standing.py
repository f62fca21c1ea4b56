"""What a case page posts to let the case stand still and go on."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from api import identity
from api.pages.screen import Posted, go, posted
from engine import commands as c

router = APIRouter(include_in_schema=False)


@router.post("/cases/{case_id}/suspend")
def suspend(request: Request, case_id: UUID, form: Annotated[Posted, Depends(posted)]) -> Response:
    """Stop the work on the case."""
    asker = identity.asker(request, form.get("_csrf"))
    once = identity.once_by_form(request, form.get("_once"), form.answers())
    reason, citation = form.get("reason"), form.get("citation")
    c.suspend_case(identity.office(request), asker.actor, case_id, reason, citation=citation, once=once)
    return go(f"/cases/{case_id}?said=suspended")


@router.post("/cases/{case_id}/resume")
def resume(request: Request, case_id: UUID, form: Annotated[Posted, Depends(posted)]) -> Response:
    """Let the case go on."""
    asker = identity.asker(request, form.get("_csrf"))
    once = identity.once_by_form(request, form.get("_once"), form.answers())
    c.resume_case(identity.office(request), asker.actor, case_id, once=once)
    return go(f"/cases/{case_id}?said=resumed")
