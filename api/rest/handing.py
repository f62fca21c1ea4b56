"""Routes for handing work on and talking about it: transfer, delegate, resolve, comment, urge."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Request, Response

from api import identity
from api.schemas import Answer, AnswersIn, CommentIn, HandIn, UrgeIn
from engine import commands as c

router = APIRouter(prefix="/api", tags=["tasks"])


@router.get("/tasks/{task_id}/candidates")
def candidates(request: Request, task_id: UUID) -> Response:
    """Whom the caller may give the task to: who holds its role in its scope and may do it."""
    found = c.candidates(identity.office(request), identity.asker(request).actor, task_id)
    return Answer({"candidates": found})


@router.post("/tasks/{task_id}/transfer")
def transfer(request: Request, task_id: UUID, given: HandIn) -> Response:
    """Put the task on somebody else's desk: their work from now on."""
    actor, once = identity.asker(request).actor, identity.once(request)
    office = identity.office(request)
    return Answer(c.transfer_task(office, actor, task_id, given.to, reason=given.reason, once=once))


@router.post("/tasks/{task_id}/delegate")
def delegate(request: Request, task_id: UUID, given: HandIn) -> Response:
    """Ask somebody else to do the task; the caller stays its owner and completes it once it is resolved."""
    actor, once = identity.asker(request).actor, identity.once(request)
    office = identity.office(request)
    return Answer(c.delegate_task(office, actor, task_id, given.to, reason=given.reason, once=once))


@router.post("/tasks/{task_id}/resolve")
def resolve(request: Request, task_id: UUID, given: AnswersIn) -> Response:
    """Give a delegated task back to its owner with its answers; every bad field is named at once."""
    actor, once = identity.asker(request).actor, identity.once(request)
    return Answer(c.resolve_task(identity.office(request), actor, task_id, given.answers, once=once))


@router.post("/tasks/{task_id}/urge")
def urge(request: Request, task_id: UUID, given: UrgeIn) -> Response:
    """Ask for the task to be done soon; the worklist marks it. At most once an hour by the same person."""
    actor, once = identity.asker(request).actor, identity.once(request)
    return Answer(c.urge_task(identity.office(request), actor, task_id, reason=given.reason, once=once))


@router.post("/tasks/{task_id}/comment", status_code=201)
def comment_task(request: Request, task_id: UUID, given: CommentIn) -> Response:
    """Comment on the task; whoever may see it reads the comment."""
    actor, once = identity.asker(request).actor, identity.once(request)
    return Answer(c.comment_task(identity.office(request), actor, task_id, given.text, once=once), 201)


@router.post("/process-instances/{case_id}/comment", status_code=201)
def comment_case(request: Request, case_id: UUID, given: CommentIn) -> Response:
    """Comment on the case."""
    actor, once = identity.asker(request).actor, identity.once(request)
    return Answer(c.comment_case(identity.office(request), actor, case_id, given.text, once=once), 201)


@router.get("/process-instances/{case_id}/comments")
def comments(request: Request, case_id: UUID) -> Response:
    """All comments of the case and its tasks, oldest first."""
    found = c.comments(identity.office(request), identity.asker(request).actor, case_id)
    return Answer({"comments": found})
