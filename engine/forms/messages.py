"""What is said of a bad field, in Chinese and English, without ever quoting what was written into it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import jsonschema_rs

from engine.errors import Finding
from engine.forms.schema import Schema

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}", re.ASCII)
_FORMATS = {
    "id-number": (
        "请填写 18 位居民身份证号码，并核对末位校验码",
        "Enter all 18 characters; check the last one",
    ),
    "credit-code": (
        "请填写 18 位统一社会信用代码，并核对末位校验码",
        "Enter all 18 characters; check the last one",
    ),
    "phone": (
        "请填写 11 位手机号码，或带区号的固定电话",
        "Enter a mobile number, or a landline with area code",
    ),
    "mobile": ("请填写 11 位手机号码", "Enter a mobile number of 11 digits"),
    "date": ("请填写存在的日期，如 2026-01-31", "Enter a date that exists, such as 2026-01-31"),
    "attachment": ("请上传文件", "Upload a file"),
}
_TYPES = {
    "string": ("请填写文字", "Enter text"),
    "integer": ("请填写整数", "Enter a whole number"),
    "number": ("请填写数字", "Enter a number"),
    "boolean": ("请选择是或否", "Choose yes or no"),
    "array": ("此处应为列表", "A list is expected here"),
    "object": ("此处应为一组字段", "A group of fields is expected here"),
}
_LIMITS = {
    "maxLength": ("不能超过 {limit} 个字", "At most {limit} characters"),
    "minLength": ("至少 {limit} 个字", "At least {limit} characters"),
    "minItems": ("至少 {limit} 项", "At least {limit} entries"),
    "maxItems": ("不能超过 {limit} 项", "At most {limit} entries"),
    "minimum": ("不能小于 {limit}", "At least {limit}"),
    "maximum": ("不能大于 {limit}", "At most {limit}"),
    "exclusiveMinimum": ("必须大于 {limit}", "More than {limit}"),
    "exclusiveMaximum": ("必须小于 {limit}", "Less than {limit}"),
}
_SAID = {
    "required": ("请填写此项", "This is required"),
    "additionalProperties": ("表单中没有此字段", "The form has no such field"),
    "enum": ("请从列出的选项中选择", "Choose one of the options listed"),
    "const": ("须确认此项", "This must be confirmed"),
    "pattern": ("格式不正确", "Not in the right form"),
    "uniqueItems": ("同一项不能重复", "Entries must differ"),
    "contains": ("至少须有一项符合所选结果", "At least one entry must agree with the result chosen"),
    "falseSchema": ("按所选内容，此项不应填写", "Given the other answers, this must be left out"),
    "disagrees": ("与其他填写内容不一致", "This does not agree with the other answers"),
}
# Of several faults of one field only the first of this order is told: mending it may mend the others.
_ORDER = ("required", "type", "additionalProperties", "falseSchema", "enum", "const", "minLength", "maxLength")


def findings(errors: Iterable[jsonschema_rs.ValidationError], schema: Schema) -> list[Finding]:
    """One finding for each bad field, in the order of the form's faults; ``where`` is ``rows.0.status``."""
    worst: dict[str, tuple[int, Finding]] = {}
    for error in errors:
        for finding in _told(error, schema):
            rank = _ORDER.index(finding.rule) if finding.rule in _ORDER else len(_ORDER)
            if finding.where not in worst or rank < worst[finding.where][0]:
                worst[finding.where] = (rank, finding)
    return [finding for _, finding in worst.values()]


def place(*parts: Any) -> str:
    """The path of a field. Names that are no identifiers are shown as ``?``: somebody may have typed data there."""
    return ".".join(str(p) if isinstance(p, int) or _NAME.fullmatch(str(p)) else "?" for p in parts)


def finding(where: str, rule: str, said: tuple[str, str]) -> Finding:
    """A finding about a field."""
    return Finding(where=where, rule=rule, zh=said[0], en=said[1])


def _told(error: jsonschema_rs.ValidationError, schema: Schema) -> Iterator[Finding]:
    kind, facts, path = error.kind.name, error.kind.as_dict(), error.instance_path
    if kind in {"additionalProperties", "unevaluatedProperties"}:
        for name in facts["unexpected"]:
            yield finding(place(*path, name), "additionalProperties", _SAID["additionalProperties"])
    elif kind == "required":
        yield finding(place(*path, facts["property"]), "required", _SAID["required"])
    elif kind in {"oneOf", "anyOf"} and facts.get("context"):
        # the branch that comes closest: fewest faults, and a fault in the telling choice weighs most
        closest = min(facts["context"], key=lambda branch: (any(e.kind.name == "const" for e in branch), len(branch)))
        if not closest:
            yield finding(place(*path), "disagrees", _SAID["disagrees"])
        for part in closest:
            for one in _told(part, {}):
                inner = (
                    one.where
                    if one.where.startswith(place(*path))
                    else ".".join(filter(None, (place(*path), one.where)))
                )
                yield finding(inner, one.rule, (one.zh, one.en))
    else:
        yield finding(place(*path), kind, _sentence(kind, facts, list(error.schema_path), schema))


def _sentence(kind: str, facts: dict[str, Any], where: list[Any], schema: Schema) -> tuple[str, str]:
    parents = _parents(schema, where)
    for parent in reversed(parents):
        if "x-message-zh" in parent:
            return str(parent["x-message-zh"]), str(parent.get("x-message-en", parent["x-message-zh"]))
    holder = parents[-1] if parents else {}
    if kind == "pattern" and "x-pattern-zh" in holder:
        return str(holder["x-pattern-zh"]), str(holder.get("x-pattern-en", holder["x-pattern-zh"]))
    conditional = bool({"then", "else"} & {str(step) for step in where})
    if kind in {"enum", "const"} and conditional:
        return _SAID["disagrees"]
    if kind == "minLength" and facts.get("limit") == 1:
        return _SAID["required"]
    return _plain_sentence(kind, facts, holder)


def _plain_sentence(kind: str, facts: dict[str, Any], holder: Schema) -> tuple[str, str]:
    if kind == "format":
        return _FORMATS.get(str(facts.get("format")), _SAID["pattern"])
    if kind == "type":
        wanted = holder.get("type")
        return _TYPES.get(wanted if isinstance(wanted, str) else "", ("类型不正确", "Of the wrong type"))
    if kind in _LIMITS:
        zh, en = _LIMITS[kind]
        return zh.format(limit=facts["limit"]), en.format(limit=facts["limit"])
    if kind == "const" and holder.get("const") is not True:
        return _SAID["disagrees"]
    return _SAID.get(kind, _SAID["disagrees"])


def _parents(schema: Any, path: list[Any]) -> list[Schema]:
    """The schemas on the way to a failed keyword, outermost first."""
    parents: list[Schema] = []
    for step in path:
        if isinstance(schema, dict):
            parents.append(schema)
            schema = schema.get(step)
        elif isinstance(schema, list) and isinstance(step, int) and step < len(schema):
            schema = schema[step]
        else:
            break
    return parents
