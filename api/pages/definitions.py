"""Pages of what is published and issued: processes with their diagrams, papers, attachments."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Request, Response

from api import identity
from api.pages.screen import show
from api.pages.view import Marks
from api.schemas import download, paper
from engine import commands as c
from engine.errors import NotFound

router = APIRouter(include_in_schema=False)


@router.get("/processes")
def processes(request: Request) -> Response:
    """Every published process."""
    asker = identity.asker(request)
    rows = c.process_definitions(identity.office(request), asker.actor)
    return show(request, "processes.html", asker, rows=rows, may_publish=c.may_publish(asker.actor))


@router.get("/processes/{key}")
def process(request: Request, key: str) -> Response:
    """One process with its diagram."""
    asker = identity.asker(request)
    rows = c.process_definitions(identity.office(request), asker.actor)
    row = next((one for one in rows if one.key == key), None)
    if row is None:
        raise NotFound
    return show(request, "process.html", asker, row=row, marks=Marks())


@router.get("/documents/{document_id}")
def document(request: Request, document_id: UUID) -> Response:
    """A paper, to print."""
    return paper(c.document(identity.office(request), identity.asker(request).actor, document_id))


@router.get("/attachments/{digest}")
def attachment(request: Request, digest: str) -> Response:
    """A file of a case."""
    return download(c.attachment(identity.office(request), identity.asker(request).actor, digest))
