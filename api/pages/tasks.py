"""The page of one task: its form, drafts, rows, files, and submitting it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from api import identity, problems
from api.identity import Asker
from api.pages.cases import onward
from api.pages.conditions import conditions
from api.pages.handing import controls
from api.pages.screen import Posted, Sent, go, language, posted, show
from api.pages.signing import signing
from api.pages.texts import words
from api.pages.view import surroundings
from api.pages.widths import spans
from api.settings import Language
from engine import commands as c
from engine import forms
from engine.errors import Conflict, Finding, FormInvalid
from engine.model import TaskStatus

router = APIRouter(include_in_schema=False)

MOST_ROWS = 200
# As many digits as a row may have: a longer number is no row, and none is read that costs time.
_INDEX = re.compile(r"[0-9]{1,3}")
_ROW = re.compile(r"\.(\d+)(?=\.|$)")
_SAID = frozenset(
    {"claimed", "draft", "onward", "transfer", "delegate", "urge", "comment", "recalled", "signers", "unasked"}
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """One line of the summary above the form: where it links to, what the field is called, what is wrong."""

    anchor: str
    label: str
    text: str


@router.get("/tasks/{task_id}")
def task(request: Request, task_id: UUID, process: str = "", said: str = "") -> Response:
    """The form, filled with the clerk's draft or with what the case already knows."""
    asker = identity.asker(request)
    view = c.task_view(identity.office(request), asker.actor, task_id)
    answers: Mapping[str, Any] = {}
    if view.form is not None:
        answers = view.draft if view.draft is not None else forms.prefill(view.form, view.variables)
    drafted = view.draft is not None and said not in {"draft", "recalled"}
    return _page(request, asker, view, answers, (), process=process, said=said, drafted=drafted)


@router.post("/tasks/{task_id}")
def act(request: Request, task_id: UUID, form: Annotated[Posted, Depends(posted)]) -> Response:
    """Submit, keep a draft, add or remove a row: one form, several buttons."""
    asker = identity.asker(request, form.get("_csrf"))
    office = identity.office(request)
    view = c.task_view(office, asker.actor, task_id)
    verb, _, path = form.get("_do").partition(":")
    pairs = form.answers() + _uploads(office, asker, form, view)
    if verb == "remove":
        pairs = _without(pairs, path)
    answers = dict(forms.from_fields(view.form, pairs)) if view.form is not None else {}
    if verb == "draft":
        c.save_draft(office, asker.actor, task_id, answers)
        return go(f"/tasks/{task_id}?said=draft")
    if verb in {"add", "remove"}:
        if verb == "add":
            _with_row(answers, path, pairs)
        return _page(request, asker, view, answers, (), changed=True)
    once = identity.once_by_form(request, form.get("_once"), pairs)
    try:
        if verb == "resolve":
            c.resolve_task(office, asker.actor, task_id, answers, once=once)
            return go("/tasks?said=resolved")
        outcome = c.complete_task(office, asker.actor, task_id, answers, once=once)
    except FormInvalid as error:
        return _page(request, asker, view, answers, error.findings, changed=True, status=422)
    except Conflict as error:
        # Somebody or a deadline was first: say who and when, and keep what was typed in sight.
        problem = problems.of_error(error)
        view = c.task_view(office, asker.actor, task_id)
        return _page(request, asker, view, answers, (), problem=problem, status=problem.status)
    further = onward(office, asker, outcome)
    return go(
        f"{further}?said=onward"
        if further
        else f"/tasks?said=completed:{quote(outcome.business_key)}&case={outcome.case}"
    )


def _uploads(office: c.Office, asker: Asker, form: Posted, view: c.TaskView) -> list[tuple[str, str]]:
    """Keep every file and give its field the digest. Later pairs win, so a new file replaces the one before.

    Where the clerk may not work on the task (any more) nothing is kept: the verb then refuses, or recalls its answer.
    """

    def kept(sent: Sent) -> str:
        if view.why_not in {"closed", "post"}:
            return f"sha256:{hashlib.sha256(sent.content).hexdigest()}"
        task, kind = view.task.id, sent.media_type
        return c.attach_file(office, asker.actor, task, name=sent.name, media_type=kind, content=sent.content)

    return [(sent.field, kept(sent)) for sent in form.files]


def _without(pairs: list[tuple[str, str]], row: str) -> list[tuple[str, str]]:
    """The pairs but for those of one row (`list.index`); the gap is closed when they are read."""
    return [(name, value) for name, value in pairs if name != row and not name.startswith(f"{row}.")]


def _with_row(answers: dict[str, Any], path: str, pairs: Iterable[tuple[str, str]]) -> None:
    """Show one blank row more at a list's path than the page has sent; a path that leads nowhere changes nothing."""
    place: Any = answers
    *before, last = path.split(".")
    for step in before:
        if isinstance(place, dict):
            place = place.setdefault(step, {})
        elif isinstance(place, list) and _INDEX.fullmatch(step) and int(step) < len(place):
            place = place[int(step)]
    rows = place.setdefault(last, []) if isinstance(place, dict) else None
    if isinstance(rows, list):
        # Blank rows are left out when the pairs are read; here they are still being filled in.
        sent = {name[len(path) + 1 :].partition(".")[0] for name, _ in pairs if name.startswith(f"{path}.")}
        rows += [{} for _ in range(min(len(sent) + 1, MOST_ROWS) - len(rows))]


def _page(
    request: Request,
    asker: Asker,
    view: c.TaskView,
    answers: Mapping[str, Any],
    findings: Sequence[Finding],
    *,
    process: str = "",
    said: str = "",
    drafted: bool = False,
    changed: bool = False,
    problem: problems.Problem | None = None,
    status: int = 200,
) -> Response:
    tree = forms.fields(view.form, answers, findings) if view.form is not None else ()
    leading = view.task.element.partition("/")[0]
    is_open = view.task.status is TaskStatus.OPEN
    return show(
        request,
        "task.html",
        asker,
        status=status,
        view=view,
        case=view.case,
        tree=tree,
        hints={"when": conditions(view.form.schema if view.form is not None else {}), "span": spans(tree)},
        errors=list(_faults(tree, findings, language(request))),
        may_claim=is_open and view.may_complete and view.task.claimed_by is None,
        may_release="release" in view.verbs,
        may_fill=view.may_complete or "resolve" in view.verbs,
        said=words(language(request))(f"said.{said}") if said in _SAID else "",
        drafted=drafted,
        problem=problem,
        changed=changed,
        **controls(request, asker, view),
        **signing(request, asker, view),
        **surroundings(request, asker, view.case, view.variables, chosen=process, leading=leading),
    )


def _faults(tree: Sequence[forms.Field], findings: Sequence[Finding], tongue: Language) -> Iterator[Fault]:
    """One line per finding: first those at fields, in the order of the page, then those of the form as a whole."""
    for label, one in _flat(tree, tongue):
        for finding in one.errors:
            yield Fault(anchor=f"f-{one.path}", label=label, text=finding.en if tongue == "en" else finding.zh)
    for finding in forms.unplaced(tree, findings):
        yield Fault(anchor="answers", label="", text=finding.en if tongue == "en" else finding.zh)


def _flat(tree: Iterable[forms.Field], tongue: Language, above: str = "") -> Iterator[tuple[str, forms.Field]]:
    """Every field with its name in full: 联系人 · 手机号码. A row is known by its number."""
    for one in tree:
        title = (one.title_en or one.title) if tongue == "en" else one.title
        row = _ROW.search(one.path)
        if row and row.end() == len(one.path):
            title = words(tongue)("form.row", n=int(row[1]) + 1)
        label = " · ".join(part for part in (above, title) if part)
        yield label, one
        yield from _flat(one.children, tongue, label)
