"""What the pages of tasks and cases offer besides the form: handing on, urging, comments."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from api import identity
from api.identity import Asker
from api.pages.screen import Posted, go, posted
from engine import commands as c
from engine.errors import Finding, Invalid

router = APIRouter(include_in_schema=False)

HANDING = {"transfer": c.transfer_task, "delegate": c.delegate_task}


def controls(request: Request, asker: Asker, view: c.TaskView) -> dict[str, Any]:
    """What the task's page needs for them: whom it may be handed to, if the clerk may hand it on at all."""
    office = identity.office(request)
    handing = [verb for verb in HANDING if verb in view.verbs]
    return {
        "handing": handing,
        "candidates": c.candidates(office, asker.actor, view.task.id) if handing else (),
        "comments": c.comments(office, asker.actor, view.case.id),
    }


@router.post("/tasks/{task_id}/transfer")
def transfer(request: Request, task_id: UUID, form: Annotated[Posted, Depends(posted)]) -> Response:
    """Put the task on somebody else's desk."""
    return _hand(request, task_id, form, "transfer")


@router.post("/tasks/{task_id}/delegate")
def delegate(request: Request, task_id: UUID, form: Annotated[Posted, Depends(posted)]) -> Response:
    """Ask somebody else to do it."""
    return _hand(request, task_id, form, "delegate")


def _hand(request: Request, task_id: UUID, form: Posted, verb: str) -> Response:
    asker = identity.asker(request, form.get("_csrf"))
    once = identity.once_by_form(request, form.get("_once"), form.answers())
    to, reason = _chosen(form), form.get("reason").strip()
    HANDING[verb](identity.office(request), asker.actor, task_id, to, reason=reason, once=once)
    return go(f"/tasks/{task_id}?said={verb}")


def _chosen(form: Posted) -> UUID:
    try:
        return UUID(form.get("to"))
    except ValueError as error:
        raise Invalid([Finding(where="to", rule="required", zh="请选择人员", en="Choose somebody")]) from error


@router.post("/tasks/{task_id}/urge")
def urge(request: Request, task_id: UUID, form: Annotated[Posted, Depends(posted)]) -> Response:
    """Ask for the task to be done soon."""
    asker = identity.asker(request, form.get("_csrf"))
    once = identity.once_by_form(request, form.get("_once"), form.answers())
    c.urge_task(identity.office(request), asker.actor, task_id, reason=form.get("reason").strip(), once=once)
    return go(f"/tasks/{task_id}?said=urge")


@router.post("/tasks/{task_id}/comment")
def comment_task(request: Request, task_id: UUID, form: Annotated[Posted, Depends(posted)]) -> Response:
    """Comment on the task."""
    asker = identity.asker(request, form.get("_csrf"))
    once = identity.once_by_form(request, form.get("_once"), form.answers())
    c.comment_task(identity.office(request), asker.actor, task_id, form.get("text"), once=once)
    return go(f"/tasks/{task_id}?said=comment#comments")


@router.post("/cases/{case_id}/comment")
def comment_case(request: Request, case_id: UUID, form: Annotated[Posted, Depends(posted)]) -> Response:
    """Comment on the case."""
    asker = identity.asker(request, form.get("_csrf"))
    once = identity.once_by_form(request, form.get("_once"), form.answers())
    c.comment_case(identity.office(request), asker.actor, case_id, form.get("text"), once=once)
    return go(f"/cases/{case_id}?said=comment#comments")
