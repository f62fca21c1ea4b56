"""Pages of cases: the list, one case, withdrawing it, starting a new one."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from api import identity
from api.pages.screen import Posted, go, language, posted, show
from api.pages.texts import words
from api.pages.view import surroundings
from engine import commands as c
from engine.errors import Finding, Invalid
from engine.model import Outcome

router = APIRouter(include_in_schema=False)

# A screenful and more; 977 rows of buttons help nobody.
MOST_ITEMS = 60
LONGEST_REASON = 500
SAID = {"withdrawn", "comment", "returned", "suspended", "resumed"}


@router.get("/cases")
def cases(request: Request, q: str = "", status: str = "", after: str = "") -> Response:
    """Cases this clerk may see, newest first."""
    asker = identity.asker(request)
    status = status if status in {"active", "suspended", "ended"} else ""
    page = c.cases(
        identity.office(request), asker.actor, text=q.strip()[:100] or None, status=status or None, after=after or None
    )
    names = {row.key: row.name for row in c.process_definitions(identity.office(request), asker.actor)}
    return show(request, "cases.html", asker, page=page, q=q, standing=status, names=names)


@router.get("/cases/{case_id}")
def case(request: Request, case_id: UUID, process: str = "", said: str = "") -> Response:
    """Where one case stands."""
    return _case(request, case_id, process=process, said=said)


def _case(request: Request, case_id: UUID, *, process: str = "", said: str = "") -> Response:
    asker = identity.asker(request)
    view = c.case_view(identity.office(request), asker.actor, case_id)
    open_tasks = [task for task in view.tasks if task.status.value == "open"]
    leading = open_tasks[0].element.partition("/")[0] if open_tasks else view.process_key
    return show(
        request,
        "case.html",
        asker,
        case=view,
        open_tasks=open_tasks,
        comments=c.comments(identity.office(request), asker.actor, case_id),
        explained=lambda code: c.explained(code)[language(request) == "en"],
        said=words(language(request))(f"said.{said}") if said in SAID else "",
        **surroundings(request, asker, view, view.variables, chosen=process, leading=leading),
    )


@router.post("/cases/{case_id}/withdraw")
def withdraw(request: Request, case_id: UUID, form: Annotated[Posted, Depends(posted)]) -> Response:
    """Register that the applicant takes the application back."""
    asker = identity.asker(request, form.get("_csrf"))
    reason = form.get("reason").strip()
    if not reason or len(reason) > LONGEST_REASON:
        zh, en = "请填写撤回原因（500 字以内）", "Give the reason, at most 500 characters"
        raise Invalid([Finding(where="reason", rule="required", zh=zh, en=en)])
    once = identity.once_by_form(request, form.get("_once"), form.answers())
    c.withdraw_case(identity.office(request), asker.actor, case_id, reason, once=once)
    return go(f"/cases/{case_id}?said=withdrawn")


@router.get("/new")
def new(request: Request, q: str = "") -> Response:
    """Choose the item to start."""
    asker = identity.asker(request)
    rows = [row for row in c.process_definitions(identity.office(request), asker.actor) if row.startable]
    found = [row for row in rows if _matches(row, q)]
    return show(request, "new.html", asker, rows=found[:MOST_ITEMS], total=len(found), q=q)


def _matches(row: c.DefinitionRow, q: str) -> bool:
    """Every word of the search occurs in name, key, code or department."""
    item = row.item or {}
    text = " ".join(str(part) for part in (row.name, row.key, item.get("code", ""), item.get("department_name", "")))
    return all(word in text.lower() for word in q.lower().split())


@router.post("/new/{key}")
def start(request: Request, key: str, form: Annotated[Posted, Depends(posted)]) -> Response:
    """Start a case and go to its first task."""
    asker = identity.asker(request, form.get("_csrf"))
    once = identity.once_by_form(request, form.get("_once"), form.answers())
    outcome = c.start_case(identity.office(request), asker.actor, key, {}, once=once)
    return go(onward(identity.office(request), asker, outcome) or f"/cases/{outcome.case}")


def onward(office: c.Office, asker: identity.Asker, outcome: Outcome) -> str | None:
    """The page of a task of this case that the same clerk may do, or None."""
    mine = (task for task in outcome.tasks if asker.actor.holding(task.role, task.scope))
    return next((f"/tasks/{one.id}" for one in mine if c.task_view(office, asker.actor, one.id).may_complete), None)
