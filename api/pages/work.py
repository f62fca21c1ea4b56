"""Pages of the worklist: what is to do, claiming, giving back, and the next one, please."""

from __future__ import annotations

import re
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from api import identity
from api.identity import Asker
from api.pages.screen import Posted, go, language, posted, show
from api.pages.texts import words
from engine import commands as c
from engine.errors import Conflict, Forbidden, NotFound
from engine.store import Page, WorkItem

router = APIRouter(include_in_schema=False)

PAGE = 50
# A business key and nothing else: whoever makes up a link must not put a sentence of theirs on the screen.
_FINISHED = re.compile(r"completed:([A-Za-z0-9._:\-]{1,100})")


@router.get("/tasks")
def worklist(
    request: Request,
    *,
    view: str = "posts",
    process: str = "",
    after: str = "",
    said: str = "",
    case: UUID | None = None,
) -> Response:
    """The tabs mine and posts, filtered by process."""
    asker, told = identity.asker(request), words(language(request))
    view = "mine" if view == "mine" else "posts"
    pages = {name: _page(request, asker, name, process, after if name == view else "") for name in ("mine", "posts")}
    names = {row.key: row.name for row in c.process_definitions(identity.office(request), asker.actor)}
    sentence = told(f"said.{said}") if said in {"released", "nothing", "resolved"} else ""
    if finished := _FINISHED.fullmatch(said):
        sentence = told("said.completed") + finished[1]
    return show(
        request,
        "worklist.html",
        asker,
        view=view,
        page=pages[view],
        counts={name: f"{len(page.items)}+" if page.next else str(len(page.items)) for name, page in pages.items()},
        names=names,
        processes=_offered(names, pages, process),
        process=process,
        after=after,
        said=sentence,
        said_case=case if said.startswith("completed:") else None,
        recallable=_recallable(identity.office(request), asker, case) if finished else None,
    )


def _recallable(office: c.Office, asker: Asker, case: UUID | None) -> UUID | None:
    """The task of the case just worked on that the clerk may take back."""
    try:
        return c.case_view(office, asker.actor, case).recallable if case else None
    except NotFound:
        return None


def _page(request: Request, asker: Asker, view: str, process: str, after: str) -> Page[WorkItem]:
    return c.worklist(
        identity.office(request),
        asker.actor,
        view=view,
        process_key=process or None,
        after=after or None,
        limit=PAGE,
    )


def _offered(names: dict[str, str], pages: dict[str, Page[WorkItem]], chosen: str) -> list[tuple[str, str]]:
    """Processes to filter by: those that occur on this page, and the one chosen."""
    keys = {item.process_key for page in pages.values() for item in page.items} | ({chosen} if chosen else set())
    return sorted(((key, names.get(key, key)) for key in keys), key=lambda pair: pair[1])


@router.post("/tasks/next")
def next_one(request: Request, form: Annotated[Posted, Depends(posted)]) -> Response:
    """Claim the most urgent unclaimed task that this clerk may do, and open it."""
    asker = identity.asker(request, form.get("_csrf"))
    process = form.get("_process")
    for item in _page(request, asker, "posts", process, "").items:
        if item.claimed_by is not None or item.suspended:
            continue
        try:
            c.claim_task(identity.office(request), asker.actor, item.id)
        except (Conflict, Forbidden, NotFound):
            # A colleague was quicker, or the rule asks for another person: the next in line.
            continue
        return go(f"/tasks/{item.id}?said=claimed")
    return go("/tasks?said=nothing")


@router.post("/tasks/{task_id}/claim")
def claim(request: Request, task_id: UUID, form: Annotated[Posted, Depends(posted)]) -> Response:
    """Take the task."""
    asker = identity.asker(request, form.get("_csrf"))
    once = identity.once_by_form(request, form.get("_once"), form.answers())
    c.claim_task(identity.office(request), asker.actor, task_id, once=once)
    return go(f"/tasks/{task_id}?said=claimed")


@router.post("/tasks/{task_id}/release")
def release(request: Request, task_id: UUID, form: Annotated[Posted, Depends(posted)]) -> Response:
    """Give the task back to the posts."""
    asker = identity.asker(request, form.get("_csrf"))
    once = identity.once_by_form(request, form.get("_once"), form.answers())
    c.release_task(identity.office(request), asker.actor, task_id, once=once)
    return go("/tasks?said=released")
