"""Knows how history is told to clerks: one entry per act of a person, a clock or an outside system."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from api.pages.screen import when
from api.pages.texts import words
from api.pages.told import drawn, happened
from api.settings import Language
from engine import errors
from engine.store import HistoryRow

# What a derived event's detail names, for a few words behind its kind.
_NAMED = ("milestone", "outcome", "title", "name", "deadline", "notice", "code", "reason", "kind")


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One act: what, by whom, when, and what followed from it."""

    title: str
    who: str
    at: datetime
    shown_at: str
    tone: str
    steps: tuple[str, ...]


def story(rows: Iterable[HistoryRow], names: Mapping[str, str], language: Language) -> tuple[Entry, ...]:
    """Rows (oldest first) as entries, newest first. `names`: titles by kind of deadline or paper, or `notice:kind`."""
    entries = []
    for _, command in groupby(rows, key=lambda row: row.command):
        entry = _entry(list(command), names, language)
        if entry is not None:
            entries.append(entry)
    return tuple(reversed(entries))


def _entry(rows: list[HistoryRow], names: Mapping[str, str], language: Language) -> Entry | None:
    first = next((row for row in rows if row.input and happened(row.kind, language)), None)
    first = first or next((row for row in rows if happened(row.kind, language)), None)
    if first is None:
        return None
    signed = first.kind == "task.completed" and "signing" in first.detail
    title = happened("task.signed" if signed else first.kind, language) or first.kind
    if first.element_name:
        title = f"{first.element_name} · {title}"
    elif first.kind == "attempt.refused":
        title = f"{title}: {_reason(str(first.detail.get('reason', '')), language)}"
    steps = dict.fromkeys([_why(first, language), *(_step(row, names, language) for row in rows if row is not first)])
    person = first.actor is not None and first.actor.account is not None
    return Entry(
        title=title,
        who=_who(first) if person else "",
        at=first.recorded_at,
        shown_at=when(first.recorded_at),
        tone="refused" if first.kind == "attempt.refused" else "person" if person else "system",
        steps=tuple(step for step in steps if step),
    )


def _reason(name: str, language: Language) -> str:
    """Why an attempt was refused: the error's own sentence; history keeps its name only."""
    error = getattr(errors, name, None)
    if not (isinstance(error, type) and issubclass(error, errors.SanweiError)):
        return name
    return error.zh if language == "zh" else (error.__doc__ or name).partition(".")[0].partition(":")[0]


def _why(row: HistoryRow, language: Language) -> str:
    """The reason a person gave for going back."""
    reason = (row.values or {}).get("reason", "") if row.kind == "task.returned" else ""
    return words(language)("task.return.why") + f": {reason}" if reason else ""


def _who(row: HistoryRow) -> str:
    actor = row.actor
    return " · ".join(part for part in (actor.name, actor.post, actor.unit) if part) if actor else ""


def _step(row: HistoryRow, names: Mapping[str, str], language: Language) -> str:
    title = happened(row.kind, language)
    if title is None:
        return ""
    number = row.detail.get("number") if row.kind == "document.issued" else ""
    named = " ".join(part for part in (_named(row.detail, names, language), str(number or "")) if part)
    return f"{title}: {named}" if named else title


def _named(detail: Mapping[str, Any], names: Mapping[str, str], language: Language) -> str:
    for key in _NAMED:
        value = detail.get(key)
        if isinstance(value, str) and value:
            return names.get(f"notice:{value}" if key == "notice" else value) or drawn(value, language)
    return ""
