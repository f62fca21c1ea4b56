"""What a browser posts, name by name, turned into raw answers of the types that the form's schema asks for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from engine.errors import FormInvalid
from engine.forms.answers import ABSENT, has_fixed_rows
from engine.forms.messages import finding
from engine.forms.schema import Form, Schema

MAX_PAIRS = 5_000
MAX_STEPS = 12
MAX_NAME = 300
_INDEX = re.compile(r"[0-9]{1,3}", re.ASCII)
_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,10})?", re.ASCII)
_BOOLEANS = {"true": True, "on": True, "1": True, "false": False, "off": False, "0": False}


@dataclass(slots=True)
class _Node:
    values: list[str] = field(default_factory=list)
    children: dict[str, _Node] = field(default_factory=dict)


def from_fields(form: Form, pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Raw answers from ``(applicant.name, …)``, ``(rows.0.status, …)``; unchecked: give them to ``check``.

    Empty is absent. A checkbox has a hidden companion of the same name with ``false`` before it; of a field's several
    values the last that is not empty counts (a new file after the kept one). Gaps in a list's numbers are closed and
    blank rows left out, except where the case gives the rows. An optional group nobody filled in, or left at its
    defaults, is absent. Text that is no number stays text, so that ``check`` tells it. Names that begin with ``_``
    belong to the page. Raises FormInvalid for more than 5,000 pairs or senseless names.
    """
    root = _Node()
    for number, (name, value) in enumerate(pairs):
        steps = name.split(".")
        if number >= MAX_PAIRS or len(name) > MAX_NAME or len(steps) > MAX_STEPS or not all(steps):
            said = ("提交的字段过多或者名称有误", "Too many fields, or a field with a senseless name")
            raise FormInvalid([finding("", "fields", said)])
        if not name.startswith("_"):
            node = root
            for step in steps:
                node = node.children.setdefault(step, _Node())
            node.values.append(value.replace("\r\n", "\n"))
    found = _read(form.schema, root, True)
    return found if isinstance(found, dict) else {}


def _read(schema: Schema, node: _Node, wanted: bool) -> Any:
    kind = schema.get("type")
    if kind == "object":
        return _group(schema, node, wanted)
    if kind == "array":
        return _rows(schema, node)
    if node.children:
        return _raw(node)
    if kind == "boolean":
        last = node.values[-1].strip() if node.values else ""
        given = _BOOLEANS.get(last.lower(), last or ABSENT)
        # The hidden companion of a confirmation that this case does not ask for is no answer.
        return ABSENT if given is False and schema.get("const") is True and not wanted else given
    text = next((v for v in reversed(node.values) if v.strip()), None)
    if text is None:
        return ABSENT
    if kind in {"integer", "number"} and _NUMBER.fullmatch(text.strip()):
        return float(text) if "." in text else int(text)
    return text


def _group(schema: Schema, node: _Node, wanted: bool) -> Any:
    properties = schema.get("properties", {})
    found: dict[str, Any] = {}
    for name, child in node.children.items():
        required = name in schema.get("required", ())
        value = _read(properties[name], child, required) if name in properties else _raw(child)
        if value is not ABSENT:
            found[name] = value
    return found if wanted or not _blank(schema, found) else ABSENT


def _rows(schema: Schema, node: _Node) -> Any:
    if any(not _INDEX.fullmatch(name) for name in node.children):
        return _raw(node)
    row_schema = schema.get("items", {})
    rows: list[Any] = [value for value in node.values if value.strip()]
    fixed = has_fixed_rows(schema)
    for name in sorted(node.children, key=int):
        row = _read(row_schema, node.children[name], True)
        if fixed or not _blank(row_schema, row):
            rows.append({} if row is ABSENT else row)
    return rows or ABSENT


def _raw(node: _Node) -> Any:
    """What the form does not know, kept so that ``check`` refuses it by name."""
    if node.children:
        return {name: _raw(child) for name, child in node.children.items()}
    return next((v for v in reversed(node.values) if v.strip()), ABSENT)


def _blank(schema: Schema, value: Any) -> bool:
    """Has nobody written anything here?"""
    if value is ABSENT or value is False or value in ("", None) or value == schema.get("default", ABSENT):
        return True
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        return all(name in properties and _blank(properties[name], part) for name, part in value.items())
    if isinstance(value, list):
        return all(_blank(schema.get("items", {}), part) for part in value)
    return bool(schema.get("readOnly")) or schema.get("x-widget") == "hidden"
