"""The tree of fields that a screen shows: names, titles, widgets, choices, duties, values and what is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jsonschema_rs

from engine.errors import Finding
from engine.forms.answers import has_fixed_rows
from engine.forms.formats import FORMATS
from engine.forms.schema import Form, Schema

WIDGETS = frozenset({"textarea", "radio", "date", "file", "select", "checkboxes", "checkbox", "hidden", "text"})
_LONG_TEXT = 300
_FEW = 4
_BY_FORMAT = {"date": "date", "attachment": "file", "phone": "phone", "mobile": "phone"}
_BY_TYPE = {"integer": "integer", "number": "number", "boolean": "checkbox"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """One option. ``value`` is what a browser posts."""

    value: Any
    label: str
    label_en: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """One field as shown. ``path`` is its name in the form (``rows.0.status``), also where findings point.

    ``widget``: group | rows | text | textarea | number | integer | date | phone | file | select | radio |
    checkboxes | checkbox | hidden. Groups and rows have ``children`` (of rows: one field for each row). ``fixed``
    rows come from the case: none is added or taken away. ``required`` includes the duties that follow from the
    answers shown.
    """

    path: str
    title: str
    title_en: str
    widget: str
    help: str = ""
    help_en: str = ""
    required: bool = False
    read_only: bool = False
    fixed: bool = False
    value: Any = None
    choices: tuple[Choice, ...] = ()
    errors: tuple[Finding, ...] = ()
    children: tuple[Field, ...] = ()


def fields(form: Form, answers: Mapping[str, Any], findings: Sequence[Finding] = ()) -> list[Field]:
    """The form's fields in its order, with ``answers`` (raw or typed) as values and ``findings`` at their fields."""
    tree = _Tree(findings)
    return list(tree.children(form.schema, answers, (), "", read_only=False))


def unplaced(tree: Sequence[Field], findings: Sequence[Finding]) -> list[Finding]:
    """The findings that no field of the tree shows (an unknown field, a form too large)."""
    shown = {finding.where for field in _flat(tree) for finding in field.errors}
    return [finding for finding in findings if finding.where not in shown]


def _flat(tree: Sequence[Field]) -> Iterator[Field]:
    for field in tree:
        yield field
        yield from _flat(field.children)


class _Tree:
    def __init__(self, findings: Sequence[Finding]) -> None:
        self._findings: dict[str, list[Finding]] = {}
        for finding in findings:
            self._findings.setdefault(finding.where, []).append(finding)

    def children(
        self, schema: Schema, value: Any, beside: Sequence[Schema], path: str, *, read_only: bool
    ) -> Iterator[Field]:
        """The fields of a group; ``beside`` are conditional schemas that now hold for it as well."""
        given = value if isinstance(value, Mapping) else {}
        active = [part for one in (schema, *beside) for part in _active(one, given)]
        required = {name for part in active for name in part.get("required", ())}
        for name, part in schema.get("properties", {}).items():
            inner = [a["properties"][name] for a in active if a is not schema and name in a.get("properties", {})]
            inner = [one for one in inner if isinstance(one, Mapping)]
            where = f"{path}.{name}" if path else name
            yield self._field(part, given.get(name), inner, where, required=name in required, read_only=read_only)

    def _field(
        self, schema: Schema, value: Any, beside: Sequence[Schema], path: str, *, required: bool, read_only: bool
    ) -> Field:
        read_only = read_only or bool(schema.get("readOnly"))
        widget = widget_of(schema)
        children: tuple[Field, ...] = ()
        if widget == "group":
            children = tuple(self.children(schema, value, beside, path, read_only=read_only))
        elif widget == "rows":
            children = tuple(self._rows(schema, value, beside, path, required=required, read_only=read_only))
        return Field(
            path=path,
            title=str(schema.get("title", "")),
            title_en=str(schema.get("x-title-en", "")),
            help=str(schema.get("description", "")),
            help_en=str(schema.get("x-description-en", "")),
            widget=widget,
            required=required,
            read_only=read_only,
            fixed=widget == "rows" and has_fixed_rows(schema) and bool(value),
            value=_shown(schema, widget, value),
            choices=tuple(_choices(schema, widget)),
            errors=tuple(self._findings.get(path, ())),
            children=children,
        )

    def _rows(
        self, schema: Schema, value: Any, beside: Sequence[Schema], path: str, *, required: bool, read_only: bool
    ) -> Iterator[Field]:
        row = schema["items"]
        rows = value if isinstance(value, list) else []
        if not rows and required and not read_only:
            rows = [None] * min(1, schema.get("minItems", 0))
        inner = [one["items"] for one in beside if isinstance(one.get("items"), Mapping)]
        for number, given in enumerate(rows):
            yield self._field(row, given, inner, f"{path}.{number}", required=False, read_only=read_only)


def widget_of(schema: Schema) -> str:
    """How a field is shown: by its hint, or by its type."""
    kind = schema.get("type")
    if kind == "object":
        return "group"
    if kind == "array":
        return "checkboxes" if "enum" in schema.get("items", {}) else "rows"
    if "x-widget" in schema:
        return str(schema["x-widget"])
    if "enum" in schema:
        return "radio" if len(schema["enum"]) <= _FEW else "select"
    if kind == "string" and "const" in schema:
        return "hidden"
    if kind in _BY_TYPE:
        return _BY_TYPE[str(kind)]
    plain = "textarea" if schema.get("maxLength", 0) > _LONG_TEXT and "format" not in schema else "text"
    return _BY_FORMAT.get(str(schema.get("format")), plain)


def _choices(schema: Schema, widget: str) -> Iterator[Choice]:
    holder = schema.get("items", {}) if widget == "checkboxes" else schema
    if schema.get("type") == "boolean":
        if widget != "checkbox":
            yield Choice(value="true", label="是", label_en="Yes")
            yield Choice(value="false", label="否", label_en="No")
        return
    zh, en = holder.get("x-labels", {}), holder.get("x-labels-en", {})
    for value in holder.get("enum", ()):
        yield Choice(value=value, label=str(zh.get(str(value), value)), label_en=str(en.get(str(value), value)))


def _shown(schema: Schema, widget: str, value: Any) -> Any:
    if widget in {"group", "rows"}:
        return None
    if widget == "checkboxes":
        # A draft is kept unchecked: it may hold anything here.
        return value if isinstance(value, list) else []
    if schema.get("type") == "boolean" and widget != "checkbox" and isinstance(value, bool):
        return "true" if value else "false"
    return schema.get("const") if widget == "hidden" and value is None else value


def _active(schema: Schema, value: Mapping[str, Any]) -> Iterator[Schema]:
    """The schema and every conditional part of it that holds for ``value``."""
    yield schema
    for part in schema.get("allOf", ()):
        yield from _active(part, value)
    if "if" in schema:
        holds = jsonschema_rs.is_valid(schema["if"], dict(value), formats=dict(FORMATS), offline=True)
        branch = schema.get("then" if holds else "else")
        if isinstance(branch, Mapping):
            yield from _active(branch, value)
    for name, needed in schema.get("dependentRequired", {}).items():
        if name in value:
            yield {"required": needed}
