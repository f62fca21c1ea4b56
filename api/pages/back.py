"""Pages that go back: returning a task to an earlier step, and taking back what one has just completed."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from api import identity
from api.pages.screen import Posted, go, posted
from engine import commands as c
from engine.errors import Finding, Invalid

router = APIRouter(include_in_schema=False)


@router.post("/tasks/{task_id}/return")
def send_back(request: Request, task_id: UUID, form: Annotated[Posted, Depends(posted)]) -> Response:
    """Return the task to the step chosen, with the reason."""
    asker = identity.asker(request, form.get("_csrf"))
    if not form.get("target"):
        zh, en = "请选择退回到哪个环节", "Choose the step it goes back to"
        raise Invalid([Finding(where="target", rule="required", zh=zh, en=en)])
    once = identity.once_by_form(request, form.get("_once"), form.answers())
    office, reason = identity.office(request), form.get("reason")
    outcome = c.return_task(office, asker.actor, task_id, form.get("target"), reason, once=once)
    return go(f"/cases/{outcome.case}?said=returned")


@router.post("/tasks/{task_id}/recall")
def recall(request: Request, task_id: UUID, form: Annotated[Posted, Depends(posted)]) -> Response:
    """Take the completed task back, and open it."""
    asker = identity.asker(request, form.get("_csrf"))
    once = identity.once_by_form(request, form.get("_once"), form.answers())
    office = identity.office(request)
    outcome = c.recall_task(office, asker.actor, task_id, once=once)
    view = c.case_view(office, asker.actor, outcome.case)
    mine = [t for t in view.tasks if t.status.value == "open" and t.claimed_by == asker.actor.account]
    newest = max(mine, key=lambda t: t.created_at, default=None)
    return go(f"/tasks/{newest.id}?said=recalled" if newest else f"/cases/{outcome.case}")
