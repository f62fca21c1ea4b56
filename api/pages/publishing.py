"""The designers' page: hand in files, see everything the gate found in them at once, publish when nothing is wrong."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from api import identity, problems
from api.folders import places
from api.identity import Asker
from api.pages.screen import Posted, go, posted, show
from engine import commands as c
from engine.errors import Finding, Forbidden, Invalid
from engine.model import Library

router = APIRouter(include_in_schema=False)


@router.get("/publish")
def publishing(request: Request, said: str = "") -> Response:
    """The form to hand files in; ``said`` is the number of the publication just made."""
    return _page(request, _designer(request), (), said=said if said.isdecimal() else "")


@router.post("/publish")
def publish(request: Request, form: Annotated[Posted, Depends(posted)]) -> Response:
    """Publish the files over what is published; with any error nothing is, and all findings are shown."""
    asker, office = _designer(request, form.get("_csrf")), identity.office(request)
    try:
        named = places(c.published_library(office).files, form.get("_folder"), [sent.name for sent in form.files])
        files = {path: sent.content for path, sent in zip(named, form.files, strict=True)}
        publication = c.publish(office, asker.actor, Library(files), alone=False)
    except Invalid as invalid:
        return _page(request, asker, tuple(invalid.findings), status=422)
    return go(f"/publish?said={publication.number}")


def _designer(request: Request, csrf: str | None = None) -> Asker:
    """Who asks. Raises: Forbidden (no designer)."""
    asker = identity.asker(request, csrf)
    if not c.may_publish(asker.actor):
        raise Forbidden(role="designer")
    return asker


def _page(
    request: Request, asker: Asker, findings: tuple[Finding, ...], *, said: str = "", status: int = 200
) -> Response:
    shown = findings[: problems.MOST_FINDINGS]
    rows = [(*one.where.partition("#")[::2], one) for one in shown]
    return show(request, "publish.html", asker, rows=rows, said=said, status=status)
