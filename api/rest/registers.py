"""Routes for the tables and the papers: registers, documents, attachments."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from api import identity
from api.schemas import Answer, download, paper
from engine import commands as c

router = APIRouter(prefix="/api", tags=["registers and papers"])


@router.get("/documents/{document_id}", response_class=HTMLResponse)
def document(request: Request, document_id: UUID) -> Response:
    """An issued paper as printable HTML."""
    return paper(c.document(identity.office(request), identity.asker(request).actor, document_id))


@router.get("/attachments/{digest}", response_class=Response)
def attachment(request: Request, digest: str) -> Response:
    """An uploaded file, as a download only: what a stranger uploaded is never shown by this host."""
    return download(c.attachment(identity.office(request), identity.asker(request).actor, digest))


@router.get("/registers")
def registers(request: Request) -> Response:
    """Names of the published tables, with their counts of rows."""
    tables = c.registers(identity.office(request), identity.asker(request).actor)
    told = [{"name": t.name, "columns": t.columns, "rows": len(t.rows), "digest": t.digest} for t in tables]
    return Answer({"registers": told})


@router.get("/registers/{name}")
def register(request: Request, name: str) -> Response:
    """One published table."""
    table = c.register(identity.office(request), identity.asker(request).actor, name)
    return Answer({"name": table.name, "columns": table.columns, "rows": table.rows, "digest": table.digest})
