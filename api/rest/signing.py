"""Routes for signatures at a task: ask people to sign, ask one no more, who is asked and who has signed."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Request, Response

from api import identity
from api.rest.description import Filter
from api.schemas import Answer, SignerIn, SignersIn
from engine import commands as c

router = APIRouter(prefix="/api", tags=["tasks"])


@router.post("/tasks/{task_id}/add-signer")
def add_signer(request: Request, task_id: UUID, given: SignersIn) -> Response:
    """Ask people to sign before the task can be done, after it, or beside it; of any post."""
    actor, once = identity.asker(request).actor, identity.once(request)
    return Answer(
        c.add_signers(
            identity.office(request),
            actor,
            task_id,
            kind=given.kind,
            accounts=given.accounts,
            quorum=given.quorum,
            reason=given.reason,
            once=once,
        )
    )


@router.post("/tasks/{task_id}/remove-signer")
def remove_signer(request: Request, task_id: UUID, given: SignerIn) -> Response:
    """Ask somebody no more who has not signed yet."""
    actor, once = identity.asker(request).actor, identity.once(request)
    return Answer(c.remove_signer(identity.office(request), actor, task_id, given.account, once=once))


@router.get("/tasks/{task_id}/signers")
def signers(request: Request, task_id: UUID) -> Response:
    """Who is still asked to sign at the task; `turn` is false for those who sign after it."""
    return Answer({"signers": c.signers(identity.office(request), identity.asker(request).actor, task_id)})


@router.get("/process-instances/{case_id}/signatures")
def signatures(request: Request, case_id: UUID) -> Response:
    """All signatures of the case, oldest first."""
    return Answer({"signatures": c.signatures(identity.office(request), identity.asker(request).actor, case_id)})


@router.get("/people")
def people(request: Request, q: Filter = None) -> Response:
    """Colleagues by name, unit or post; without words those of the caller's own units."""
    return Answer({"people": c.people(identity.office(request), identity.asker(request).actor, q or "")})
