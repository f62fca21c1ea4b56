"""History against what executing it again gives: event by event, field by field, up to the first difference."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import zip_longest
from typing import Any
from uuid import UUID

from engine.model import Event
from engine.store import HistoryRow, NewPaper, Series, plain_text
from engine.store.papers import issued

FIELDS = ("kind", "input", "cause", "occurred_at", "element", "scope", "token", "flow", "detail", "values")


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """Where history and its execution part: the event's number, which field, what is recorded and what came.

    ``kind`` and ``element`` are the recorded event's (of the one that came, where none is recorded). ``recorded`` and
    ``came`` may be personal: they are shown only to who asks for values.
    """

    number: int
    kind: str
    element: str | None
    what: str
    recorded: Any = field(default=None, repr=False)
    came: Any = field(default=None, repr=False)


class Found(Exception):
    """A difference was found while a command was being executed again."""

    def __init__(self, difference: Difference) -> None:
        self.difference = difference
        super().__init__(f"event {difference.number} {difference.what}")


def at_row(row: HistoryRow, what: str, recorded: Any, came: Any) -> Difference:
    """A difference at a recorded event."""
    return Difference(number=row.number, kind=row.kind, element=row.element, what=what, recorded=recorded, came=came)


def first_difference(made: Sequence[Event], rows: Sequence[HistoryRow]) -> Difference | None:
    """The first event of a command that is missing, of another kind, or differs in a field; None: all are the same."""
    recorded_at = rows[0].recorded_at
    for event, row in zip_longest(made, rows):
        if row is None:
            number = rows[-1].number + 1
            return Difference(number=number, kind=event.kind, element=event.element, what="event", came=event.kind)
        if event is None:
            return at_row(row, "event", row.kind, None)
        for name in FIELDS:
            recorded, came = _of_row(row, name), _of_event(event, name, recorded_at)
            if recorded != came and not (name == "values" and row.erased):
                return at_row(row, name, recorded, came)
        if event.state_digest != row.state_digest:
            return at_row(row, "state_digest", row.state_digest, event.state_digest)
    return None


def _of_row(row: HistoryRow, name: str) -> Any:
    value = getattr(row, name)
    return _plain(value) if name in ("detail", "values") else value


def _of_event(event: Event, name: str, recorded_at: datetime) -> Any:
    value = getattr(event, name)
    if name in ("detail", "values"):
        return _plain(value)
    return recorded_at if name == "occurred_at" and value is None else value


def _plain(value: Mapping[str, Any] | None) -> str | None:
    """As text: Python takes True for 1, JSON does not. Nothing and nothing at all are stored alike."""
    return plain_text(value) if value else None


def with_numbers(papers: Iterable[NewPaper], rows: Iterable[HistoryRow]) -> list[Event]:
    """The events of papers, each with the id and number that history gave it, and the number it replaces; a number
    no such paper has is not."""
    told = (row for row in rows if row.kind == "document.issued")
    events = []
    for paper in papers:
        row = next(told, None)
        number = row.detail.get("number") if row else None
        if row is not None:
            paper = replace(paper, id=UUID(row.detail["document"]))
        if not _fits(paper.series, number):
            number = paper.series.pattern if paper.series else None
        events.append(issued(paper, number, row.detail.get("replaces") if row else None))
    return events


def _fits(series: Series | None, number: Any) -> bool:
    if series is None or not isinstance(number, str):
        return series is None and number is None
    before, _, after = series.pattern.replace("{year}", str(series.year)).partition("{number}")
    return re.fullmatch(re.escape(before) + r"\d{4,}" + re.escape(after), number) is not None
