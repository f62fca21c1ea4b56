"""Knows what the pages of a task and of a case share: its story, its data, its diagram with the marks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import Request

from api import identity
from api.identity import Asker
from api.pages.labels import Line, Section, Shown, sections
from api.pages.screen import language, when
from api.pages.story import story
from api.pages.texts import words
from engine import commands as c
from engine.store import HistoryRow, Position

# Longer histories are the auditor's to read, through the API; a screen shows the first this many events.
MOST_EVENTS = 2_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A position in words."""

    name: str
    where: str
    since: datetime
    at: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Marks:
    """Ids of the shown diagram: where the case stands, what it has passed, by which flows."""

    now: tuple[str, ...] = ()
    past: tuple[str, ...] = ()
    flows: tuple[str, ...] = ()


def surroundings(
    request: Request, asker: Asker, case: c.CaseView, variables: Mapping[str, Any], *, chosen: str, leading: str
) -> dict[str, Any]:
    """What both templates need beside the case. `chosen` is the process asked for, `leading` the default."""
    office, actor, tongue = identity.office(request), asker.actor, language(request)
    rows = _history(office, asker, case.id)
    positions = c.positions(office, actor, case.id) if case.ended_at is None else ()
    names = {row.key: row.name for row in c.process_definitions(office, actor)}
    keys = _processes(case, rows)
    key = chosen if chosen in keys else leading if leading in keys else case.process_key
    titles = {d.kind: d.name for d in case.deadlines} | {p.kind: p.title for p in case.documents}
    tables = (table for table in c.registers(office, actor) if table.name == "notices")
    titles |= {f"notice:{row['kind']}": row["name"] for table in tables for row in table.rows}
    elements = {row.element: row.element_name for row in rows if row.element and row.element_name}
    return {
        "story": story(rows, titles, tongue),
        "sections": _item(request, variables) + sections(variables, _schemas(case), tongue),
        "diagram_key": key,
        "diagram_keys": [(one, names.get(one, one)) for one in keys],
        "diagram_address": f"/api/process-instances/{case.id}/diagram?process_key={key}",
        "marks": _marks(key, rows, positions),
        "places": [
            Place(
                name=elements.get(p.element) or p.element.rpartition("/")[2],
                where=names.get(p.element.partition("/")[0], ""),
                since=p.since,
                at=when(p.since),
            )
            for p in positions
        ],
    }


def _history(office: c.Office, asker: Asker, case_id: UUID) -> list[HistoryRow]:
    rows: list[HistoryRow] = []
    after = 0
    while len(rows) < MOST_EVENTS:
        page = c.history(office, asker.actor, case_id, after=after)
        rows += page.items
        if page.next is None or not page.items:
            break
        after = page.items[-1].number
    return rows


def _processes(case: c.CaseView, rows: Iterable[HistoryRow]) -> list[str]:
    """The root and every called process the case has been in, in the order of entering."""
    seen = {case.process_key: None}
    for row in rows:
        if row.element:
            seen.setdefault(row.element.partition("/")[0])
    return list(seen)


def _marks(key: str, rows: Iterable[HistoryRow], positions: Iterable[Position]) -> Marks:
    past: dict[str, None] = {}
    flows: dict[str, None] = {}
    for row in rows:
        if row.element is None or row.element.partition("/")[0] != key:
            continue
        if row.kind == "element.completed":
            past.setdefault(_last(row.element))
        if row.kind == "element.entered" and row.flow:
            flows.setdefault(_last(row.flow))
    now = dict.fromkeys(_last(p.element) for p in positions if p.element.partition("/")[0] == key)
    return Marks(now=tuple(now), past=tuple(id_ for id_ in past if id_ not in now), flows=tuple(flows))


def _last(path: str) -> str:
    return path.rpartition("/")[2]


def _schemas(case: c.CaseView) -> dict[str, Mapping[str, Any]]:
    return {name: form.schema for name, form in case.forms.items()}


def _item(request: Request, variables: Mapping[str, Any]) -> tuple[Section, ...]:
    """The service item, in the words of its register row."""
    item = variables.get("item")
    if not isinstance(item, Mapping):
        return ()
    t = words(language(request))
    unit = item.get("promised_unit")
    promised = f"{item['promised_days']}{t(f'unit.{unit}')}" if item.get("promised_days") else t("case.instant")
    facts = (
        ("case.item", item.get("name", "")),
        ("case.department", item.get("department_name", "")),
        ("case.handling", promised if unit else ""),
        ("case.legal", item.get("legal_basis", "")),
    )
    lines = tuple(Line(label=t(key), shown=Shown(text=str(value))) for key, value in facts if value)
    return (Section(title="", lines=lines),)
