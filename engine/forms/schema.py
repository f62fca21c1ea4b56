"""A form as the engine holds it: its schema without references, closed and bounded, and its validator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from typing import Any

import jsonschema_rs

from engine.errors import Finding, Refused
from engine.forms.bundle import parse
from engine.forms.formats import FORMATS

Schema = Mapping[str, Any]

MAX_TEXT = 2_000
MAX_ROWS = 200
_MAX_NODES = 20_000
_JOINED_LISTS = frozenset({"allOf", "required"})
_JOINED_MAPS = frozenset({"properties", "dependentRequired", "dependentSchemas"})


@dataclass(frozen=True, kw_only=True, eq=False)
class Form:
    """One form, shared by threads and never written to.

    ``digest`` is the SHA-256 of the bundle's bytes. ``schema`` has every reference resolved, refuses unknown fields
    and bounds every text (2,000 characters) and list (200 rows) that did not bound itself.
    """

    digest: str
    title: str
    title_en: str
    description: str
    schema: Schema = field(repr=False)
    validator: jsonschema_rs.Draft202012Validator = field(repr=False)


def read_form(content: bytes) -> Form:
    """The form in a bundle's bytes; the same object for the same bytes. Raises Refused."""
    return _read(content)


@lru_cache(maxsize=4_096)
def _read(content: bytes) -> Form:
    schema = bounded(resolved(parse(content)))
    return Form(
        digest=sha256(content).hexdigest(),
        title=str(schema.get("title", "")),
        title_en=str(schema.get("x-title-en", "")),
        description=str(schema.get("description", "")),
        schema=schema,
        validator=validator(schema),
    )


def validator(schema: dict[str, Any]) -> jsonschema_rs.Draft202012Validator:
    """The compiled schema: our formats, patterns in linear time, nothing fetched. Raises Refused."""
    try:
        return jsonschema_rs.Draft202012Validator(
            schema,
            formats=dict(FORMATS),
            validate_formats=True,
            ignore_unknown_formats=True,
            pattern_options=jsonschema_rs.RegexOptions(),
            offline=True,
        )
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as fault:
        path = [str(part) for part in getattr(fault, "instance_path", [])]
        where = "/".join(path)
        zh, en = "不符合 JSON Schema（2020-12）的写法", "Not valid JSON Schema (2020-12)"
        raise Refused([Finding(where=where, rule="schema", zh=zh, en=en)]) from None


def resolved(root: dict[str, Any]) -> dict[str, Any]:
    """The schema with every reference replaced by what it names; what stands beside ``$ref`` wins. Raises Refused."""
    found: dict[str, Any] = _Resolver(root).walk(root, ())
    found.pop("$defs", None)
    return found


class _Resolver:
    def __init__(self, root: dict[str, Any]) -> None:
        self._root = root
        self._left = _MAX_NODES

    def walk(self, value: Any, inside: tuple[str, ...]) -> Any:
        self._left -= 1
        if self._left < 0:
            raise _refused("too_large", "表单过大", "The form is too large")
        if isinstance(value, list):
            return [self.walk(part, inside) for part in value]
        if not isinstance(value, dict):
            return value
        reference = value.get("$ref")
        beside = {name: self.walk(part, inside) for name, part in value.items() if name not in {"$ref", "$defs"}}
        if not isinstance(reference, str):
            return beside if reference is None else {**beside, "$ref": self.walk(reference, inside)}
        if reference in inside or len(inside) > 16:
            raise _refused("circle", "引用循环", "References go round in a circle")
        return _joined(self.walk(self._target(reference), (*inside, reference)), beside)

    def _target(self, reference: str) -> Any:
        target: Any = self._root
        steps = reference.removeprefix("#").removeprefix("/").split("/") if reference != "#" else []
        for step in steps:
            name = step.replace("~1", "/").replace("~0", "~")
            target = target.get(name) if isinstance(target, dict) else None
        if not isinstance(target, dict) or not reference.startswith("#"):
            raise _refused("reference", "引用的内容不存在", "A reference leads nowhere")
        return target


def _joined(group: dict[str, Any], beside: dict[str, Any]) -> dict[str, Any]:
    joined = {**group, **beside}
    for name in _JOINED_LISTS & group.keys() & beside.keys():
        joined[name] = [*group[name], *beside[name]]
    for name in _JOINED_MAPS & group.keys() & beside.keys():
        joined[name] = {**group[name], **beside[name]}
    return joined


def bounded(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a field and of all fields in it, closed to unknown ones and bounded in length."""
    found = dict(schema)
    if found.get("type") == "object":
        properties = found.get("properties", {})
        found["properties"] = {
            name: bounded(part) if isinstance(part, dict) else part for name, part in properties.items()
        }
        found["additionalProperties"] = False
    elif found.get("type") == "array":
        found.setdefault("maxItems", MAX_ROWS)
        if isinstance(found.get("items"), dict):
            found["items"] = bounded(found["items"])
    elif found.get("type") == "string" and not {"enum", "const"} & found.keys():
        found.setdefault("maxLength", MAX_TEXT)
    return found


def _refused(rule: str, zh: str, en: str) -> Refused:
    return Refused([Finding(where="", rule=rule, zh=zh, en=en)])
