"""Pages of who keeps the cases running: what is stuck, why, where on the diagram, and another try."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from api import identity
from api.pages.screen import Posted, go, language, posted, show
from api.pages.texts import words
from api.pages.view import Marks
from engine import commands as c
from engine.errors import NotFound

router = APIRouter(include_in_schema=False)

SAID = {"retried", "still", "migrated"}


@router.get("/incidents")
def incidents(request: Request, said: str = "") -> Response:
    """Everything that is stuck, of the cases this person sees or keeps running."""
    asker = identity.asker(request)
    rows = c.incidents(identity.office(request), asker.actor)
    sentence = words(language(request))(f"said.{said}") if said in SAID else ""
    uncopied = c.uncopied_checkpoints(identity.office(request), asker.actor)
    return show(
        request,
        "incidents.html",
        asker,
        rows=rows,
        uncopied=uncopied,
        said=sentence,
        bad=said == "still",
        english=_english(request),
    )


@router.get("/incidents/{incident_id}")
def incident(request: Request, incident_id: UUID) -> Response:
    """One of them, on the diagram."""
    asker = identity.asker(request)
    row = next((each for each in c.incidents(identity.office(request), asker.actor) if each.id == incident_id), None)
    if row is None:
        raise NotFound()
    key, element = row.process_key, ""
    if row.element:
        key, element = row.element.partition("/")[0], row.element.rpartition("/")[2]
    return show(
        request,
        "incident.html",
        asker,
        row=row,
        english=_english(request),
        diagram_key=key,
        diagram_keys=[(key, key)],
        diagram_address=f"/api/incidents/{row.id}/diagram",
        marks=Marks(now=(element,) if element else ()),
    )


@router.post("/incidents/{incident_id}/retry")
def retry(request: Request, incident_id: UUID, form: Annotated[Posted, Depends(posted)]) -> Response:
    """Try it again; whether that helped is seen by its being gone."""
    asker, office = identity.asker(request, form.get("_csrf")), identity.office(request)
    once = identity.once_by_form(request, form.get("_once"), form.answers())
    c.retry_incident(office, asker.actor, incident_id, once=once)
    still = any(row.id == incident_id for row in c.incidents(office, asker.actor))
    return go(f"/incidents?said={'still' if still else 'retried'}")


def _english(request: Request) -> bool:
    return language(request) == "en"
