"""The page of messages that wait for a receiver or found none: never what they hold."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from api import identity
from api.pages.screen import Posted, go, language, posted, show
from api.pages.texts import words
from engine import commands as c

router = APIRouter(include_in_schema=False)

SAID = frozenset({"extended", "given_up"})


@router.get("/messages")
def messages(request: Request, said: str = "") -> Response:
    """Every message that nobody has got (system administrator of the district)."""
    asker = identity.asker(request)
    rows = c.kept_messages(identity.office(request), asker.actor)
    sentence = words(language(request))(f"said.{said}") if said in SAID else ""
    return show(
        request,
        "messages.html",
        asker,
        rows=[(row, *(c.explained(row.code) if row.code else ("", ""))) for row in rows],
        said=sentence,
    )


@router.post("/messages/{message_id}/extend")
def extend(request: Request, message_id: UUID, form: Annotated[Posted, Depends(posted)]) -> Response:
    """Keep a message as long again; try one again that was not taken."""
    asker = identity.asker(request, form.get("_csrf"))
    once = identity.once_by_form(request, form.get("_once"), form.answers())
    c.extend_message(identity.office(request), asker.actor, message_id, once=once)
    return go("/messages?said=extended")


@router.post("/messages/{message_id}/give-up")
def give_up(request: Request, message_id: UUID, form: Annotated[Posted, Depends(posted)]) -> Response:
    """Let a message go."""
    asker = identity.asker(request, form.get("_csrf"))
    once = identity.once_by_form(request, form.get("_once"), form.answers())
    c.give_up_message(identity.office(request), asker.actor, message_id, once=once)
    return go("/messages?said=given_up")
