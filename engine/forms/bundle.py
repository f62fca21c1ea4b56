"""One form out of several files: every reference to a shared group is brought into the form itself."""

from __future__ import annotations

import json
from typing import Any

from engine.errors import Finding, Refused
from engine.model import Library

MAX_BYTES = 500_000
MAX_DEPTH = 40
_FIELDS = "fields/"


class _Bad(Exception):
    def __init__(self, rule: str, zh: str, en: str) -> None:
        self.rule, self.zh, self.en = rule, zh, en


def bundle(path: str, library: Library) -> bytes:
    """The form at ``path`` (below ``forms/``) as one JSON document, deterministic, properties in the files' order.

    ``fields/person.json`` (also written ``../fields/person.json``) becomes ``#/$defs/person``. Raises Refused: no
    such file, no JSON, a reference that leads nowhere, leaves ``fields/`` or goes round in a circle.
    """
    try:
        root = _read(path, library)
        groups: dict[str, Any] = {}
        bundled = _bundled(root, library, groups, ())
        if groups:
            bundled["$defs"] = {**bundled.get("$defs", {}), **{name: groups[name] for name in sorted(groups)}}
    except _Bad as fault:
        where = f"forms/{path}"
        raise Refused([Finding(where=where, rule=fault.rule, zh=fault.zh, en=fault.en)]) from None
    return json.dumps(bundled, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _read(path: str, library: Library) -> dict[str, Any]:
    content = library.files.get(f"forms/{path}")
    if content is None:
        raise _Bad("form_missing", f"没有文件 forms/{path}", f"There is no file forms/{path}")
    return parse(content)


def parse(content: bytes) -> dict[str, Any]:
    """The JSON object in ``content``, of bounded size and depth, no name twice. Raises Refused."""
    try:
        if len(content) > MAX_BYTES:
            raise ValueError
        found = json.loads(content, object_pairs_hook=_once, parse_constant=_refuse)
        if not isinstance(found, dict) or _too_deep(found):
            raise ValueError
    except (ValueError, RecursionError, UnicodeDecodeError):
        zh = "不是有效的 JSON 对象，或者有重复的名称，或者过大、嵌套过深"
        en = "Not a JSON object, or a name occurs twice, or too large or too deep"
        raise Refused([Finding(where="", rule="json", zh=zh, en=en)]) from None
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError
    return dict(pairs)


def _refuse(_constant: str) -> Any:
    raise ValueError


def _too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [part for one in level for part in _parts(one)]
        if not level:
            return False
    return True


def _parts(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _bundled(value: Any, library: Library, groups: dict[str, Any], inside: tuple[str, ...]) -> Any:
    if isinstance(value, list):
        return [_bundled(part, library, groups, inside) for part in value]
    if not isinstance(value, dict):
        return value
    found = {name: _bundled(part, library, groups, inside) for name, part in value.items()}
    reference = found.get("$ref")
    if isinstance(reference, str) and not reference.startswith("#"):
        found["$ref"] = _group(reference, library, groups, inside)
    return found


def _group(reference: str, library: Library, groups: dict[str, Any], inside: tuple[str, ...]) -> str:
    path, _, pointer = reference.partition("#")
    path = path.removeprefix("../")
    name = path.removeprefix(_FIELDS).removesuffix(".json")
    if not path.startswith(_FIELDS) or not path.endswith(".json") or not name.replace("_", "").isalnum():
        raise _Bad("reference", "引用只能指向 fields/ 下的文件", "References lead to files of fields/ only")
    if name in inside:
        raise _Bad("circle", "引用循环", "References go round in a circle")
    if name not in groups:
        group = _bundled(_read(path, library), library, groups, (*inside, name))
        groups[name] = {k: v for k, v in group.items() if k != "$schema"}
    return f"#/$defs/{name}{pointer}"
