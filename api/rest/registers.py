"""Routes for the tables and the papers: registers, documents, attachments."""

from __future__ import annotations

from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from api import identity
from api.schemas import Answer
from engine import commands as c

router = APIRouter(prefix="/api", tags=["registers and papers"])

# A paper is a designer's page with styles of its own; it runs nothing and loads nothing.
PAPER_CSP = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; sandbox"


@router.get("/documents/{document_id}", response_class=HTMLResponse)
def document(request: Request, document_id: UUID) -> Response:
    """An issued paper as printable HTML."""
    html = c.document(identity.office(request), identity.asker(request).actor, document_id)
    return HTMLResponse(html, headers={"Content-Security-Policy": PAPER_CSP})


@router.get("/attachments/{digest}", response_class=Response)
def attachment(request: Request, digest: str) -> Response:
    """An uploaded file, as a download only: what a stranger uploaded is never shown by this host."""
    found = c.attachment(identity.office(request), identity.asker(request).actor, digest)
    named = f"attachment; filename*=UTF-8''{quote(found.name)}"
    return Response(
        found.content,
        media_type="application/octet-stream",
        headers={"Content-Disposition": named, "Content-Security-Policy": PAPER_CSP},
    )


@router.get("/registers")
def registers(request: Request) -> Response:
    """Names of the published tables, with their counts of rows."""
    return Answer({"registers": c.registers(identity.office(request), identity.asker(request).actor)})


@router.get("/registers/{name}")
def register(request: Request, name: str) -> Response:
    """One published table."""
    return Answer(c.register(identity.office(request), identity.asker(request).actor, name))
