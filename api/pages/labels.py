"""Knows how a case's variables are shown: under the titles of the forms that took them, never under raw keys."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from api.settings import Language

_FILE = re.compile(r"sha256:[0-9a-f]{64}")
_FILE_WORD = {"zh": "下载附件", "en": "Download the file"}
_YES_NO = {"zh": ("是", "否"), "en": ("Yes", "No")}

Schema = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """One value as text; `file` is the digest of an attachment, to link."""

    text: str
    file: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """A label with its value, or with a small table (`heads`, `rows`)."""

    label: str
    shown: Shown = Shown(text="")
    heads: tuple[str, ...] = ()
    rows: tuple[tuple[Shown, ...], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """Lines under one heading; `inner` is a group inside the form before it."""

    title: str
    inner: bool = False
    lines: tuple[Line, ...] = field(default=())


def sections(variables: Mapping[str, Any], schemas: Mapping[str, Schema], language: Language) -> tuple[Section, ...]:
    """One section per variable that a form has filled; `schemas` maps variable name to that form's JSON Schema."""
    found = []
    for name, schema in schemas.items():
        value = variables.get(name)
        if not isinstance(value, Mapping) or not value:
            continue
        reader = _Reader(language)
        parts = list(reader.groups(schema, value, reader.title(schema, name)))
        found += [replace(part, inner=n > 0) for n, part in enumerate(parts)]
    return tuple(found)


class _Reader:
    """Walks a form's schema (references already resolved) and the answers beside it."""

    def __init__(self, language: Language) -> None:
        self._language = language

    def title(self, schema: Schema, name: str) -> str:
        if self._language == "en" and schema.get("x-title-en"):
            return str(schema["x-title-en"])
        return str(schema.get("title", name))

    def groups(self, schema: Schema, value: Mapping[str, Any], title: str) -> Iterator[Section]:
        """In the order of the form: its own lines under its title, every group inside it under its own heading."""
        lines: list[Line] = []
        for name, part in self._properties(schema):
            if not isinstance(given := value.get(name), Mapping):
                lines += self.lines({"properties": {name: part}}, value)
                continue
            inner = list(self.groups(part, given, self.title(part, name)))
            if inner and (lines or title):
                yield Section(title=title, lines=tuple(lines))
                title, lines = "", []
            yield from inner
        if lines:
            yield Section(title=title, lines=tuple(lines))

    def lines(self, schema: Schema, value: Mapping[str, Any]) -> Iterator[Line]:
        """A line for each answer that is not a group."""
        for name, part in self._properties(schema):
            given = value.get(name)
            if given in (None, "", [], {}) or isinstance(given, Mapping) or part.get("x-widget") == "hidden":
                continue
            label = self.title(part, name)
            if isinstance(given, list) and isinstance(given[0], Mapping):
                yield self._table(label, part.get("items", {}), given)
            else:
                yield Line(label=label, shown=self._shown(part, given))

    def _table(self, label: str, row_schema: Schema, rows: Sequence[Any]) -> Line:
        columns = [
            (name, part)
            for name, part in self._properties(row_schema)
            if any(isinstance(row, Mapping) and row.get(name) not in (None, "", []) for row in rows)
        ]
        return Line(
            label=label,
            heads=tuple(self.title(part, name) for name, part in columns),
            rows=tuple(tuple(self._shown(part, row.get(name)) for name, part in columns) for row in rows),
        )

    def _shown(self, schema: Schema, value: Any) -> Shown:
        if value is None:
            return Shown(text="")
        if isinstance(value, list):
            part = schema.get("items", {})
            mark = "、" if self._language == "zh" else ", "
            return Shown(text=mark.join(self._shown(part, one).text for one in value))
        if isinstance(value, Mapping):
            return Shown(text=" · ".join(line.shown.text for line in self.lines(schema, value)))
        if isinstance(value, bool):
            return Shown(text=_YES_NO[self._language][0 if value else 1])
        if isinstance(value, str) and _FILE.fullmatch(value):
            return Shown(text=_FILE_WORD[self._language], file=value)
        english = schema.get("x-labels-en", {}) if self._language == "en" else {}
        return Shown(text=str(english.get(value) or schema.get("x-labels", {}).get(value) or value))

    def _properties(self, schema: Schema) -> list[tuple[str, Schema]]:
        return list(schema.get("properties", {}).items())
