"""The auditor's pages of a case: its whole history as it is chained, and who read it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from api import identity
from api.pages.screen import Posted, language, posted, show
from api.pages.texts import words
from api.pages.told import chained
from engine import commands as c
from engine.store import HistoryRow

router = APIRouter(include_in_schema=False)

PAGE = 200
# What of a case is read; a word nobody knows shows as it is.
READINGS = ("case", "task", "history", "document", "package", "accesses")


@dataclass(frozen=True, kw_only=True, slots=True)
class Value:
    """One value an event carries; `before` is empty where there is no value before."""

    name: str
    before: str
    after: str


@router.get("/cases/{case_id}/history")
def history(request: Request, case_id: UUID, after: Annotated[int, Query(ge=0, le=2**53)] = 0) -> Response:
    """The events after a number, oldest first."""
    return _page(request, identity.asker(request), case_id, after)


@router.post("/cases/{case_id}/replay")
def replay(request: Request, case_id: UUID, form: Annotated[Posted, Depends(posted)]) -> Response:
    """Execute the case again, now, and show what came of it above its history (an auditor's)."""
    asker = identity.asker(request, form.get("_csrf"))
    found = c.replay_one(identity.office(request), asker.actor, case_id)
    return _page(request, asker, case_id, 0, replayed=found)


def _page(
    request: Request, asker: identity.Asker, case_id: UUID, after: int, replayed: c.CaseReplay | None = None
) -> Response:
    office, tongue = identity.office(request), language(request)
    page = c.history(office, asker.actor, case_id, after=after, limit=PAGE)
    rows = [(row, chained(row.kind, tongue), _details(row), _values(row)) for row in page.items]
    return show(
        request,
        "history.html",
        asker,
        case=c.case_view(office, asker.actor, case_id),
        rows=rows,
        after=after,
        following=page.next,
        audits=bool(asker.actor.scopes("auditor")),
        replayed=replayed,
        differs=chained(replayed.difference.kind, tongue) if replayed and replayed.difference else "",
    )


@router.get("/cases/{case_id}/accesses")
def accesses(request: Request, case_id: UUID, after: str | None = None) -> Response:
    """Who read the case, newest first."""
    asker, office = identity.asker(request), identity.office(request)
    page = c.accesses(office, asker.actor, case_id, after=after, limit=PAGE)
    view = c.case_view(office, asker.actor, case_id)
    t = words(language(request))
    read = {what: t(f"access.{what}") for what in READINGS}
    facts: dict[str, Any] = {"case": view, "rows": page.items, "after": after, "following": page.next, "read": read}
    return show(request, "accesses.html", asker, **facts)


def _details(row: HistoryRow) -> str:
    return " · ".join(f"{name}: {_text(value)}" for name, value in row.detail.items() if value is not None)


def _values(row: HistoryRow) -> tuple[Value, ...]:
    """What was written (name: old and new) or handed in (name: value)."""
    found = row.values if isinstance(row.values, dict) else {}
    if row.kind != "variables.written":
        return tuple(Value(name=name, before="", after=_text(value)) for name, value in found.items())
    pairs = ((name, value) for name, value in found.items() if isinstance(value, list) and len(value) == 2)
    return tuple(
        Value(name=name, before="" if old is None else _text(old), after=_text(new)) for name, (old, new) in pairs
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
