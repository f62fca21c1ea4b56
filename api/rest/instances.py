"""Routes for cases: process instances, where they stand, their history and papers."""

from __future__ import annotations

import dataclasses
from io import BytesIO
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from api import identity
from api.rest.description import Cursor, Filter, Limit, Moment
from api.schemas import Answer, MigrateIn, ReasonIn, SuspendIn, plain
from engine import commands as c

router = APIRouter(prefix="/api", tags=["process instances"])


def told(view: c.CaseView) -> dict[str, Any]:
    """A case as JSON. Its forms are left out: they are compiled objects, and every task names its own."""
    return {f.name: plain(getattr(view, f.name)) for f in dataclasses.fields(view) if f.name != "forms"}


@router.get("/process-instances")
def cases(
    request: Request,
    *,
    q: Filter = None,
    process_key: Filter = None,
    status: Filter = None,
    after: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """Cases the caller may see; `q` is the beginning of a business key."""
    actor = identity.asker(request).actor
    found = c.cases(
        identity.office(request), actor, text=q, process_key=process_key, status=status, after=after, limit=limit
    )
    return Answer(found)


@router.get("/process-instances/{case_id}")
def case(request: Request, case_id: UUID) -> Response:
    """One case: where it stands, open tasks, deadlines, papers, what is stuck."""
    return Answer(told(c.case_view(identity.office(request), identity.asker(request).actor, case_id)))


@router.get("/process-instances/{case_id}/history")
def history(
    request: Request, case_id: UUID, after: Annotated[int, Query(ge=0, le=2**53)] = 0, limit: Limit = 200
) -> Response:
    """What happened, oldest first; `next` of one page is `after` of the following."""
    return Answer(c.history(identity.office(request), identity.asker(request).actor, case_id, after=after, limit=limit))


@router.get("/process-instances/{case_id}/accesses")
def accesses(request: Request, case_id: UUID, after: Cursor = None, limit: Limit = 50) -> Response:
    """Who read the case and what of it, newest first; for auditors of its scope."""
    actor = identity.asker(request).actor
    return Answer(c.accesses(identity.office(request), actor, case_id, after=after, limit=limit))


@router.get("/process-instances/{case_id}/positions")
def positions(request: Request, case_id: UUID, at: Moment | None = None) -> Response:
    """The elements where the case stands now, or stood at a past moment."""
    found = c.positions(identity.office(request), identity.asker(request).actor, case_id, at=at)
    return Answer({"positions": found})


@router.get("/process-instances/{case_id}/deadlines")
def deadlines(request: Request, case_id: UUID) -> Response:
    """The law's clocks of the case."""
    view = c.case_view(identity.office(request), identity.asker(request).actor, case_id)
    return Answer({"deadlines": view.deadlines})


@router.get("/process-instances/{case_id}/documents")
def documents(request: Request, case_id: UUID) -> Response:
    """Papers issued in the case."""
    view = c.case_view(identity.office(request), identity.asker(request).actor, case_id)
    return Answer({"documents": view.documents})


@router.get("/process-instances/{case_id}/diagram", response_class=Response)
def diagram(request: Request, case_id: UUID, process_key: Filter = None) -> Response:
    """BPMN XML of the case's own release: the root process, or one that it calls."""
    xml = c.diagram(identity.office(request), identity.asker(request).actor, case_id, process_key=process_key)
    return Response(xml, media_type="application/xml")


@router.get(
    "/process-instances/{case_id}/package",
    response_class=Response,
    responses={200: {"content": {"application/zip": {}}}},
)
def package(request: Request, case_id: UUID) -> Response:
    """The case as a signed file that can be executed again anywhere (`sanwei replay`); for auditors of its scope."""
    content = BytesIO()
    written = c.export_case(identity.office(request), identity.asker(request).actor, case_id, content)
    named = {"Content-Disposition": f'attachment; filename="sanwei-{case_id}.zip"', "ETag": f'"{written.digest}"'}
    return Response(content.getvalue(), media_type="application/zip", headers=named)


@router.post("/process-instances/{case_id}/withdraw")
def withdraw(request: Request, case_id: UUID, why: ReasonIn) -> Response:
    """The applicant takes the application back; refused where the process does not wait for it (any more)."""
    actor, once = identity.asker(request).actor, identity.once(request)
    return Answer(c.withdraw_case(identity.office(request), actor, case_id, why.reason, once=once))


@router.post("/process-instances/{case_id}/suspend")
def suspend(request: Request, case_id: UUID, why: SuspendIn) -> Response:
    """Nothing moves until the case is resumed; deadlines stand still only by a citation that lets them."""
    actor, once = identity.asker(request).actor, identity.once(request)
    office = identity.office(request)
    return Answer(c.suspend_case(office, actor, case_id, why.reason, citation=why.citation, once=once))


@router.post("/process-instances/{case_id}/resume")
def resume(request: Request, case_id: UUID) -> Response:
    """The case goes on; what fell due meanwhile happens now."""
    actor, once = identity.asker(request).actor, identity.once(request)
    return Answer(c.resume_case(identity.office(request), actor, case_id, once=once))


@router.post("/process-instances/{case_id}/migrate")
def migrate(request: Request, case_id: UUID, given: MigrateIn) -> Response:
    """Move the case to the release that a start would take now; `dry_run` answers the plan and writes nothing."""
    office, actor = identity.office(request), identity.asker(request).actor
    if given.dry_run:
        return Answer(c.plan_migration(office, actor, case_id, given.mapping, given.variables))
    once = identity.once(request)
    return Answer(c.migrate_case(office, actor, case_id, given.mapping, variables=given.variables, once=once))


@router.get("/process-instances/{case_id}/migrate/diagram", response_class=Response)
def target(request: Request, case_id: UUID, process_key: Filter = None) -> Response:
    """BPMN XML of the release in force, for who may move the case to it."""
    xml = c.next_diagram(identity.office(request), identity.asker(request).actor, case_id, process_key=process_key)
    return Response(xml, media_type="application/xml")
