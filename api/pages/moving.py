"""The page that plans a case's move to the release in force, as a table, and does it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from api import identity
from api.identity import Asker
from api.pages.screen import Posted, go, language, posted, show
from api.pages.view import Marks
from engine import commands as c
from engine.errors import InputRejected

router = APIRouter(include_in_schema=False)

CHOSEN = "to:"


@router.get("/cases/{case_id}/migrate")
def plan(request: Request, case_id: UUID, process: str = "") -> Response:
    """What would become of the case; nothing mapped yet."""
    return _planned(request, identity.asker(request), case_id, {}, process)


@router.post("/cases/{case_id}/migrate")
def migrate(request: Request, case_id: UUID, form: Annotated[Posted, Depends(posted)]) -> Response:
    """Plan again with what was chosen, or move the case."""
    asker = identity.asker(request, form.get("_csrf"))
    mapping = {name.removeprefix(CHOSEN): value for name, value in form.pairs if name.startswith(CHOSEN) and value}
    if form.get("_do") == "migrate":
        once = identity.once_by_form(request, form.get("_once"), form.answers())
        try:
            c.migrate_case(identity.office(request), asker.actor, case_id, mapping, once=once)
            return go("/incidents?said=migrated")
        except InputRejected:
            pass  # the plan below says all that stands against it
    return _planned(request, asker, case_id, mapping, form.get("_process"))


def _planned(request: Request, asker: Asker, case_id: UUID, mapping: Mapping[str, str], chosen: str) -> Response:
    found = c.plan_migration(identity.office(request), asker.actor, case_id, mapping)
    keys = list(
        dict.fromkeys([found.process_key, *(line.target.partition("/")[0] for line in found.lines if line.target)])
    )
    key = chosen if chosen in keys else keys[-1]
    here = (line.target for line in found.lines if line.what == "token" and line.target.partition("/")[0] == key)
    against = [finding for finding in found.findings if all(finding.where != line.element for line in found.lines)]
    return show(
        request,
        "migrate.html",
        asker,
        plan=found,
        mapping=mapping,
        against=against,
        english=language(request) == "en",
        diagram_key=key,
        diagram_keys=[(one, one) for one in keys],
        diagram_address=f"/api/process-instances/{case_id}/migrate/diagram?process_key={key}",
        marks=Marks(now=tuple(dict.fromkeys(path.rpartition("/")[2] for path in here))),
    )
