"""Routes for work: the worklist, one task, and what a clerk does with it."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, File, Request, Response, UploadFile

from api import identity
from api.rest.description import Cursor, Filter, Limit, Moment
from api.rest.instances import told
from api.schemas import Answer, AnswersIn, ReturnIn, plain
from engine import commands as c
from engine.errors import NotFound

router = APIRouter(prefix="/api", tags=["tasks"])


@router.get("/tasks")
def worklist(
    request: Request,
    *,
    assignee: Literal["me"] | None = None,
    role: Filter = None,
    scope: Filter = None,
    process_key: Filter = None,
    due_before: Moment | None = None,
    after: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """Open tasks, the most urgent first: claimed by the caller (`assignee=me`), or those of the caller's posts."""
    actor = identity.asker(request).actor
    found = c.worklist(
        identity.office(request),
        actor,
        view="mine" if assignee else "posts",
        role=role,
        scope=scope,
        process_key=process_key,
        due_before=due_before,
        after=after,
        limit=limit,
    )
    return Answer(found)


@router.get("/tasks/{task_id}")
def task(request: Request, task_id: UUID) -> Response:
    """One task with its case, its form and what the caller may do."""
    view = c.task_view(identity.office(request), identity.asker(request).actor, task_id)
    answer: dict[str, Any] = {
        "task": plain(view.task),
        "case": told(view.case),
        "variables": plain(view.variables),
        "draft": plain(view.draft),
        "form": None if view.form is None else {"digest": view.form.digest, "schema": plain(view.form.schema)},
        "may_complete": view.may_complete,
        "why_not": view.why_not,
        "verbs": sorted(view.verbs),
        "instructions": view.instructions,
        "returns": plain(view.returns),
        "returned": plain(view.returned),
    }
    return Answer(answer)


@router.get("/tasks/{task_id}/form")
def form(request: Request, task_id: UUID) -> Response:
    """The JSON Schema of the task's answers."""
    view = c.task_view(identity.office(request), identity.asker(request).actor, task_id)
    if view.form is None:
        raise NotFound("The task has no form")
    return Answer(view.form.schema, media_type="application/schema+json")


@router.post("/tasks/{task_id}/claim")
def claim(request: Request, task_id: UUID) -> Response:
    """Take the task: nobody else completes it until it is released."""
    actor, once = identity.asker(request).actor, identity.once(request)
    return Answer(c.claim_task(identity.office(request), actor, task_id, once=once))


@router.post("/tasks/{task_id}/release")
def release(request: Request, task_id: UUID) -> Response:
    """Give the task back to the posts; one that lies with a delegate, back to its owner."""
    actor, once = identity.asker(request).actor, identity.once(request)
    return Answer(c.release_task(identity.office(request), actor, task_id, once=once))


@router.post("/tasks/{task_id}/complete")
def complete(request: Request, task_id: UUID, given: AnswersIn) -> Response:
    """Complete the task with its answers; every bad field is named at once."""
    actor, once = identity.asker(request).actor, identity.once(request)
    return Answer(c.complete_task(identity.office(request), actor, task_id, given.answers, once=once))


@router.post("/tasks/{task_id}/return")
def send_back(request: Request, task_id: UUID, given: ReturnIn) -> Response:
    """Give the task back to an earlier one, with the reason."""
    actor, once = identity.asker(request).actor, identity.once(request)
    return Answer(c.return_task(identity.office(request), actor, task_id, given.target, given.reason, once=once))


@router.post("/tasks/{task_id}/recall")
def recall(request: Request, task_id: UUID) -> Response:
    """Take back what the caller completed, while nobody has acted since and nothing has left the desk."""
    actor, once = identity.asker(request).actor, identity.once(request)
    return Answer(c.recall_task(identity.office(request), actor, task_id, once=once))


@router.post("/tasks/{task_id}/draft", status_code=204)
def draft(request: Request, task_id: UUID, given: AnswersIn) -> Response:
    """Keep the caller's unfinished answers; unchecked, replaced by the next draft."""
    actor, once = identity.asker(request).actor, identity.once(request)
    c.save_draft(identity.office(request), actor, task_id, given.answers, once=once)
    return Response(status_code=204)


@router.post("/tasks/{task_id}/attachments", status_code=201)
def attach(request: Request, task_id: UUID, file: Annotated[UploadFile, File()]) -> Response:
    """Store a file; its digest is what the form's attachment field takes."""
    actor, content = identity.asker(request).actor, file.file.read()
    name, kind = file.filename or "file", file.content_type or "application/octet-stream"
    digest = c.attach_file(
        identity.office(request),
        actor,
        task_id,
        name=name,
        media_type=kind,
        content=content,
        once=identity.once_by_files(request, [(name, kind, content)]),
    )
    return Answer({"digest": digest}, 201)
