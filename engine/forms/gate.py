"""Whether a form file can be shown, filled in and checked: everything wrong with it at once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema_rs

from engine.errors import Finding, Refused
from engine.forms.bundle import bundle, parse
from engine.forms.fields import WIDGETS
from engine.forms.formats import FORMATS
from engine.forms.schema import Schema, bounded, resolved, validator
from engine.model import Library

MAX_DEPTH = 6
_NAME = re.compile(r"[a-z][a-z0-9_]{0,59}", re.ASCII)
_PREFILL = re.compile(r"[a-z_][A-Za-z0-9_]*(\.([A-Za-z_][A-Za-z0-9_]*|[0-9]+))*", re.ASCII)
_TYPES = frozenset({"object", "array", "string", "integer", "number", "boolean"})
_ANNOTATIONS = frozenset({"$schema", "title", "description", "default", "readOnly", "examples", "$comment"})
_RULES = frozenset(
    {"type", "enum", "const", "format", "pattern", "minLength", "maxLength"}
    | {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
    | {"properties", "required", "additionalProperties", "dependentRequired", "minProperties", "maxProperties"}
    | {"items", "minItems", "maxItems", "uniqueItems", "contains", "minContains", "maxContains"}
    | {"allOf", "anyOf", "oneOf", "not", "if", "then", "else"}
)


def check_form(path: str, library: Library) -> list[Finding]:
    """What is wrong with the form at ``path`` (below ``forms/``); ``where`` is ``forms/<path>#<field>``."""
    file = f"forms/{path}"
    try:
        schema = resolved(parse(bundle(path, library)))
        found = [_at(file, part) for part in _form(schema)]
        validator(bounded(schema))
    except Refused as refused:
        return [_at(file, finding) for finding in refused.findings]
    return found


def _at(file: str, finding: Finding) -> Finding:
    where = finding.where if finding.where.startswith(file) else f"{file}#{finding.where}"
    return Finding(
        where=where.removesuffix("#"),
        rule=finding.rule,
        zh=finding.zh,
        en=finding.en,
        mend_zh=finding.mend_zh,
        mend_en=finding.mend_en,
        severity=finding.severity,
    )


def _form(schema: Schema) -> Iterator[Finding]:
    if schema.get("type") != "object":
        yield _bad("", "root", "表单的最外层须为 object", "A form must be an object")
        return
    try:
        jsonschema_rs.meta.validate(dict(schema))
    except jsonschema_rs.ValidationError as fault:
        where = "/".join(str(step) for step in fault.instance_path)
        yield _bad(where, "schema", "不符合 JSON Schema（2020-12）的写法", "Not valid JSON Schema (2020-12)")
        return
    yield from _field(schema, "", 0)


def _field(schema: Schema, path: str, depth: int) -> Iterator[Finding]:
    """A field and the fields in it: only these declare types; conditions are looked at by ``_conditions``."""
    kind = schema.get("type")
    if depth > MAX_DEPTH:
        yield _bad(path, "depth", f"嵌套超过 {MAX_DEPTH} 层", f"Nested deeper than {MAX_DEPTH}")
        return
    if kind not in _TYPES:
        yield _bad(path, "type", "每个字段须写明一种 type", "Every field needs one type")
        return
    if not schema.get("title") and not (path.endswith("[]") and kind == "object"):
        yield _bad(path, "title", "缺少标题 title", "The title is missing")
    if not schema.get("x-title-en") and not (path.endswith("[]") and kind == "object"):
        yield _bad(path, "title_en", "缺少英文标题 x-title-en", "The English title is missing", "warning")
    yield from _hints(schema, path)
    yield from _conditions(schema, schema, path)
    if kind == "object":
        yield from _group(schema, path, depth)
    elif kind == "array":
        yield from _rows(schema, path, depth)


def _group(schema: Schema, path: str, depth: int) -> Iterator[Finding]:
    properties = schema.get("properties", {})
    if not properties:
        yield _bad(path, "properties", "没有字段", "There are no fields")
    if schema.get("additionalProperties") is not False:
        yield _bad(path, "open", "须写 additionalProperties: false", "additionalProperties must be false")
    for name, part in properties.items():
        where = f"{path}.{name}" if path else name
        if not _NAME.fullmatch(name):
            yield _bad(where, "name", "字段名须为小写英文 snake_case", "Field names are snake_case")
        yield from _field(part if isinstance(part, Mapping) else {}, where, depth + 1)


def _rows(schema: Schema, path: str, depth: int) -> Iterator[Finding]:
    row = schema.get("items")
    if not isinstance(row, Mapping):
        yield _bad(path, "items", "列表须写明每项 items", "A list must say what its items are")
        return
    if "enum" in row:
        yield from _labels(row, path)
        if not schema.get("uniqueItems"):
            yield _bad(path, "unique", "多选须写 uniqueItems: true", "Choices need uniqueItems: true", "warning")
    else:
        yield from _field(row, f"{path}[]", depth + 1)


def _hints(schema: Schema, path: str) -> Iterator[Finding]:
    unknown = [k for k in schema if k not in _ANNOTATIONS | _RULES and not k.startswith("x-")]
    if unknown:
        listed = "、".join(sorted(unknown))
        yield _bad(path, "keyword", f"表单不用这些关键字：{listed}", f"Not used in forms: {', '.join(sorted(unknown))}")
    if schema.get("x-widget", "text") not in WIDGETS:
        yield _bad(path, "widget", "x-widget 不在规定之列", "Unknown x-widget")
    if not _PREFILL.fullmatch(str(schema.get("x-prefill", "a"))):
        yield _bad(path, "prefill", "x-prefill 须为变量的点分路径", "x-prefill: a dotted path into the variables")
    if schema.get("format", "date") not in FORMATS:
        yield _bad(path, "format", "format 不在规定之列", "Unknown format")
    if schema.get("type") != "array":
        yield from _labels(schema, path)
    if "pattern" in schema and "x-pattern-zh" not in schema:
        yield _bad(path, "pattern", "pattern 须配 x-pattern-zh 说明", "A pattern needs x-pattern-zh to explain it")


def _labels(schema: Schema, path: str) -> Iterator[Finding]:
    for hint, severity in (("x-labels", "error"), ("x-labels-en", "warning")):
        unnamed = [v for v in schema.get("enum", ()) if str(v) not in schema.get(hint, {})]
        if unnamed:
            yield _bad(path, "labels", f"选项缺少 {hint}", f"Options without {hint}", severity)


def _conditions(part: Schema, field: Schema, path: str) -> Iterator[Finding]:
    """Names that conditions and duties speak of must be names of the group's fields."""
    properties = field.get("properties", {})
    named = {*part.get("required", ()), *part.get("dependentRequired", {})}
    named |= {name for needed in part.get("dependentRequired", {}).values() for name in needed}
    if part is not field:
        named |= set(part.get("properties", {}))
    for name in sorted(named - set(properties)) if field.get("type") == "object" else ():
        where = f"{path}.{name}" if path else name
        yield _bad(where, "unknown_name", "规则提到的字段不存在", "A rule speaks of a field that does not exist")
    for format_name in _formats(part) if part is not field else ():
        if format_name not in FORMATS:
            yield _bad(path, "format", "format 不在规定之列", "Unknown format")
    inner: list[Any] = [*part.get("allOf", ()), *part.get("anyOf", ()), *part.get("oneOf", ())]
    inner += [part[name] for name in ("if", "then", "else", "not") if name in part]
    for one in inner:
        if isinstance(one, Mapping):
            yield from _conditions(one, field, path)


def _formats(part: Schema) -> Iterator[str]:
    for one in part.get("properties", {}).values():
        if isinstance(one, Mapping) and "format" in one:
            yield str(one["format"])


def _bad(where: str, rule: str, zh: str, en: str, severity: str = "error") -> Finding:
    return Finding(where=where, rule=rule, zh=zh, en=en, severity=severity)
