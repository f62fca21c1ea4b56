"""What the task's page offers about signatures: who has signed, who is asked, and asking more people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from api import identity
from api.identity import Asker
from api.pages.screen import Posted, go, posted
from engine import commands as c
from engine.errors import Finding, Invalid

router = APIRouter(include_in_schema=False)

LONGEST_SEARCH = 60


def signing(request: Request, asker: Asker, view: c.TaskView) -> Mapping[str, Any]:
    """What the page needs for them; `who` in its address is the search for people to ask."""
    office, words = identity.office(request), request.query_params.get("who", "").strip()[:LONGEST_SEARCH]
    asks = "add-signer" in view.verbs
    given = c.signatures(office, asker.actor, view.case.id)
    return {
        "asks": asks,
        "who": words,
        "people": c.people(office, asker.actor, words) if asks else (),
        "signatures": [one for one in given if one.element == view.task.element],
        "signers": c.signers(office, asker.actor, view.task.id),
        "asking": c.request_of(office, asker.actor, view.task.id),
        "removes": c.may_remove(asker.actor, view.task),
    }


@router.post("/tasks/{task_id}/add-signer")
def add_signer(request: Request, task_id: UUID, form: Annotated[Posted, Depends(posted)]) -> Response:
    """Ask the chosen people to sign."""
    asker = identity.asker(request, form.get("_csrf"))
    once = identity.once_by_form(request, form.get("_once"), form.answers())
    c.add_signers(
        identity.office(request),
        asker.actor,
        task_id,
        kind=form.get("kind"),
        accounts=[_account(value) for name, value in form.answers() if name == "account"],
        quorum=_quorum(form.get("quorum").strip()),
        reason=form.get("reason").strip(),
        once=once,
    )
    return go(f"/tasks/{task_id}?said=signers#signing")


@router.post("/tasks/{task_id}/remove-signer")
def remove_signer(request: Request, task_id: UUID, form: Annotated[Posted, Depends(posted)]) -> Response:
    """Ask one of them no more."""
    asker = identity.asker(request, form.get("_csrf"))
    once = identity.once_by_form(request, form.get("_once"), form.answers())
    c.remove_signer(identity.office(request), asker.actor, task_id, _account(form.get("account")), once=once)
    return go(f"/tasks/{task_id}?said=unasked#signing")


def _account(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise Invalid([Finding(where="account", rule="required", zh="请选择人员", en="Choose somebody")]) from error


def _quorum(text: str) -> int | None:
    """A number of signers; nothing means all of them."""
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 3):
        zh, en = "须为加签人数以内的整数", "A whole number, no more than are asked"
        raise Invalid([Finding(where="quorum", rule="quorum", zh=zh, en=en)])
    return int(text)
