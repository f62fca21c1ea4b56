"""Answers to a form: limits first, then what only the case may say is restored, then every bad field told at once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from engine.errors import Finding, FormInvalid
from engine.forms.messages import finding, findings, place
from engine.forms.schema import Form, Schema

MAX_DEPTH = 12
MAX_VALUES = 20_000
MAX_TEXT = 100_000
MAX_ALL_TEXT = 1_000_000
MAX_NUMBER = 10**15
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_TOO_DEEP = ("嵌套过深", "Nested too deeply")
_TOO_LONG = ("内容过长", "Too long")
_UNREADABLE = ("含有无法保存的字符", "Holds characters that cannot be kept")
_NO_JSON = ("类型不正确", "Of a type that JSON does not know")
_FOREIGN_ROW = ("此行不在本案应填的行之中", "This row is none of those the case asks for")


class _Absent:
    """Not there: neither an empty text nor null."""


ABSENT = _Absent()


def check(form: Form, answers: Mapping[str, Any], *, variables: Mapping[str, Any]) -> dict[str, Any]:
    """The answers as the case keeps them: plain JSON, texts without blanks around them, whole numbers as ints.

    Fields that are ``readOnly`` are taken from ``variables`` (``x-prefill``) whatever was sent. A list prefilled from
    the case whose rows hold read-only fields has exactly the case's rows, in the case's order: a row sent is matched
    by the read-only values it names, or else by its place. Raises FormInvalid with one finding for each bad field.
    """
    limited = _limit_findings(answers)
    if limited:
        raise FormInvalid(limited)
    restorer = _Restorer(variables)
    restored = restorer.restore(form.schema, dict(answers), ABSENT, True, ())
    bad = restorer.findings + findings(form.validator.iter_errors(restored), form.schema)
    if bad:
        raise FormInvalid(bad)
    typed: dict[str, Any] = _typed(form.schema, restored)
    return typed


def prefill(form: Form, variables: Mapping[str, Any]) -> dict[str, Any]:
    """What the form shows before anybody writes: ``x-prefill`` from the case's variables, else ``default``."""
    found = _initial(form.schema, variables, ABSENT)
    return found if isinstance(found, dict) else {}


def attachments(form: Form, answers: Mapping[str, Any]) -> list[str]:
    """The digests of all uploaded files that checked ``answers`` name, in the form's order, each once."""
    return list(dict.fromkeys(_attachments(form.schema, answers)))


def has_fixed_rows(schema: Schema) -> bool:
    """Is this a list whose rows the case gives: prefilled, with read-only fields in each row?"""
    row = schema.get("items")
    inner = row.get("properties", {}) if isinstance(row, dict) else {}
    return "x-prefill" in schema and any(part.get("readOnly") for part in inner.values())


def _limit_findings(answers: Mapping[str, Any]) -> list[Finding]:
    """What must not even reach the validator. Iterative: answers may be as deep as a sender likes."""
    bad: list[Finding] = []
    stack: list[tuple[Any, tuple[Any, ...]]] = [(answers, ())]
    values = letters = 0
    while stack and not bad:
        value, path = stack.pop()
        values += 1
        letters += len(value) if isinstance(value, str) else 0
        if len(path) > MAX_DEPTH:
            bad.append(finding(place(*path[:3]), "depth", _TOO_DEEP))
        elif values > MAX_VALUES or letters > MAX_ALL_TEXT:
            bad.append(finding(place(*path[:1]), "size", _TOO_LONG))
        elif isinstance(value, Mapping):
            bad += [finding(place(*path), "type", _NO_JSON)] if any(not isinstance(k, str) for k in value) else []
            stack += [(part, (*path, name)) for name, part in value.items()]
        elif isinstance(value, list):
            stack += [(part, (*path, number)) for number, part in enumerate(value[: MAX_VALUES + 1])]
        else:
            bad += [finding(place(*path), rule, said) for rule, said in _scalar_faults(value)]
    return bad


def _scalar_faults(value: Any) -> Iterator[tuple[str, tuple[str, str]]]:
    if isinstance(value, str):
        if len(value) > MAX_TEXT:
            yield "maxLength", _TOO_LONG
        elif _UNWRITABLE.search(value):
            yield "characters", _UNREADABLE
    elif isinstance(value, int | float) and not isinstance(value, bool):
        # written so that it also holds for NaN, which compares with nothing
        if not abs(value) <= MAX_NUMBER:
            yield "number", ("数字过大", "The number is too large")
    elif value is not None and not isinstance(value, bool):
        yield "type", _NO_JSON


class _Restorer:
    """Puts the case's own values where the form says that nobody else may write them."""

    def __init__(self, variables: Mapping[str, Any]) -> None:
        self._variables = variables
        self.findings: list[Finding] = []

    def restore(self, schema: Schema, given: Any, known: Any, wanted: bool, path: tuple[Any, ...]) -> Any:
        """``given`` with everything read-only taken from ``known``. ``wanted``: the form requires this field."""
        known = _known(schema, self._variables, known)
        if schema.get("readOnly"):
            return _fitted(schema, known)
        if given is ABSENT and wanted:
            # a required group or list is looked into, so that every field missing in it is told
            given = _empty(schema, known)
        if schema.get("type") == "object" and isinstance(given, Mapping):
            return self._object(schema, given, known, path)
        if schema.get("type") == "array" and isinstance(schema.get("items"), dict) and isinstance(given, list):
            row = schema["items"]
            if has_fixed_rows(schema) and isinstance(known, list) and known:
                return self._fixed(row, given, known, path)
            return [self.restore(row, part, ABSENT, True, (*path, number)) for number, part in enumerate(given)]
        return given.strip() if isinstance(given, str) else given

    def _object(self, schema: Schema, given: Mapping[str, Any], known: Any, path: tuple[Any, ...]) -> dict[str, Any]:
        properties = schema.get("properties", {})
        found = {name: value for name, value in given.items() if name not in properties}
        for name, part in properties.items():
            inner = known.get(name, ABSENT) if isinstance(known, Mapping) else ABSENT
            wanted = name in schema.get("required", ())
            value = self.restore(part, given.get(name, ABSENT), inner, wanted, (*path, name))
            if value is not ABSENT:
                found[name] = value
        return found

    def _fixed(self, schema: Schema, given: list[Any], known: list[Any], path: tuple[Any, ...]) -> list[Any]:
        own = [name for name, part in schema.get("properties", {}).items() if part.get("readOnly")]
        sent: dict[int, Any] = {}
        for number, row in enumerate(given):
            at = _row_of(row, number, known, own, sent)
            if at is None:
                self.findings.append(finding(place(*path, number), "row_unknown", _FOREIGN_ROW))
            else:
                sent[at] = row
        return [
            self.restore(schema, sent.get(number, {}), row, True, (*path, number)) for number, row in enumerate(known)
        ]


def _empty(schema: Schema, known: Any) -> Any:
    if schema.get("type") == "object":
        return {}
    return [] if has_fixed_rows(schema) and isinstance(known, list) and known else ABSENT


def _row_of(row: Any, number: int, known: list[Any], own: list[str], taken: Mapping[int, Any]) -> int | None:
    """Which of the case's rows a sent row is: the one whose read-only values it names, or the one in its place."""
    named = {name: row[name] for name in own if name in row} if isinstance(row, Mapping) else {}
    places = [number, *range(len(known))] if named else [number]
    for at in places:
        if at < len(known) and at not in taken and all(known[at].get(k) == v for k, v in named.items()):
            return at
    return None


def _known(schema: Schema, variables: Mapping[str, Any], inherited: Any) -> Any:
    """What the case knows of this field: its own ``x-prefill``, or its part of what the group around it was given."""
    if "x-prefill" not in schema:
        return inherited
    found: Any = variables
    for step in str(schema["x-prefill"]).split("."):
        if isinstance(found, list) and step.isdigit() and int(step) < len(found):
            found = found[int(step)]
        else:
            found = found.get(step) if isinstance(found, Mapping) else None
    return ABSENT if found is None or found == "" else found


def _fitted(schema: Schema, value: Any) -> Any:
    """A copy of ``value`` with only what the field declares."""
    if isinstance(value, Mapping):
        parts = {
            name: _fitted(part, value[name]) for name, part in schema.get("properties", {}).items() if name in value
        }
        return {name: part for name, part in parts.items() if part is not ABSENT}
    if isinstance(value, list):
        row = schema.get("items", {})
        return [part for part in (_fitted(row, one) for one in value) if part is not ABSENT]
    return ABSENT if value is None else value


def _initial(schema: Schema, variables: Mapping[str, Any], inherited: Any) -> Any:
    known = _known(schema, variables, inherited)
    if schema.get("type") == "object":
        parts = {
            name: _initial(part, variables, known.get(name, ABSENT) if isinstance(known, Mapping) else ABSENT)
            for name, part in schema.get("properties", {}).items()
        }
        found = {name: part for name, part in parts.items() if part is not ABSENT}
        return found or ABSENT
    if schema.get("type") == "array" and isinstance(known, list):
        rows = [_initial(schema.get("items", {}), variables, row) for row in known]
        return [row for row in rows if row is not ABSENT]
    fitted = _fitted(schema, known) if known is not ABSENT else ABSENT
    return schema.get("default", ABSENT) if fitted is ABSENT else fitted


def _typed(schema: Schema, value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _typed(schema["properties"][name], part) for name, part in value.items()}
    if isinstance(value, list):
        row = schema.get("items")
        return [_typed(row if isinstance(row, dict) else {}, part) for part in value]
    return int(value) if schema.get("type") == "integer" and isinstance(value, float) else value


def _attachments(schema: Schema, value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, part in schema.get("properties", {}).items():
            if name in value:
                yield from _attachments(part, value[name])
    elif isinstance(value, list):
        for part in value:
            yield from _attachments(schema.get("items", {}), part)
    elif schema.get("format") == "attachment" and isinstance(value, str):
        yield value
