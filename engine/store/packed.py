"""Heads of cases and events as lines of JSON, and back: strictly, since a package may come from anybody."""

from __future__ import annotations

import dataclasses
import hmac
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from engine.errors import Finding, Invalid
from engine.model import CaseStatus
from engine.store import tables as t
from engine.store.columns import Moment, iso
from engine.store.exporting import CaseHead, StoredEvent
from engine.store.history import GENESIS, canonical, case_stream
from engine.store.vault import Keys, commit, link, plain_text

Codec = tuple[Callable[[Any], Any], Callable[[Any], Any]]


def damaged(where: str, zh: str, en: str) -> Invalid:
    """What is wrong with a package, and where in it; never what stands there."""
    return Invalid([Finding(where=where, rule="package", zh=zh, en=en)], f"package: {where}: {en}")


def _typed(kind: type) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if type(value) is not kind:
            raise ValueError(kind.__name__)
        return value

    return check


def _moment(text: Any) -> datetime:
    moment = datetime.fromisoformat(_typed(str)(text))
    if moment.tzinfo is None:
        raise ValueError("no time zone")
    return moment


def _codec(column: sa.Column[Any]) -> Codec:
    if isinstance(column.type, sa.LargeBinary):
        return bytes.hex, bytes.fromhex
    if isinstance(column.type, Moment):
        return iso, _moment
    if isinstance(column.type, sa.Uuid):
        return str, UUID
    kind = {sa.Boolean: bool, sa.Integer: int, sa.SmallInteger: int}.get(type(column.type), str)
    return kind, _typed(kind)


# A case's stream is named after its head, so it is not repeated in every line.
_COLUMNS = [column for column in t.event.c if column.name != "stream"]
_CODECS: dict[str, Codec] = {column.name: _codec(column) for column in _COLUMNS}
_NEEDED = {column.name for column in _COLUMNS if not column.nullable}
_HEAD: dict[str, Codec] = {
    **{field.name: (str, _typed(str)) for field in dataclasses.fields(CaseHead)},
    "id": (str, UUID),
    "started_by": (str, UUID),
    "status": (str, CaseStatus),
    "started_at": (iso, _moment),
    "ended_at": (iso, _moment),
    "events": (int, _typed(int)),
    "erased": (bool, _typed(bool)),
}
_MAY_LACK = {"outcome", "milestone", "started_by", "ended_at", "state_digest"}


def head_line(head: CaseHead) -> bytes:
    """The line that opens a case."""
    values = ((name, getattr(head, name)) for name in _HEAD)
    return _line({"case": {name: _HEAD[name][0](value) for name, value in values if value is not None}})


def event_line(event: StoredEvent) -> bytes:
    """The line of one event: its columns, and its salt and values unless they are erased."""
    columns = ((name, event.columns[name]) for name in _CODECS)
    plain = {name: _CODECS[name][0](value) for name, value in columns if value is not None}
    if event.salt is not None:
        plain |= {"salt": event.salt.hex(), "values": event.values}
    return _line(plain)


def _line(plain: Mapping[str, Any]) -> bytes:
    return (plain_text(plain) + "\n").encode()


def read_line(where: str, line: bytes) -> CaseHead | dict[str, Any]:
    """A case's head, or the plain mapping of an event (for ``read_event``). Raises Invalid."""
    try:
        plain = json.loads(line)
        if set(plain) != {"case"}:
            return _typed(dict)(plain)  # type: ignore[no-any-return]
        found = _decoded(plain["case"], _HEAD, set(_HEAD) - _MAY_LACK)
        facts: dict[str, Any] = {name: found.get(name) for name in _HEAD}
        return CaseHead(**facts)
    except (ValueError, TypeError, RecursionError) as error:
        raise damaged(where, "无法读取的行", "a line that cannot be read") from error


def _decoded(plain: Mapping[str, Any], codecs: Mapping[str, Codec], needed: set[str]) -> dict[str, Any]:
    if set(plain) - set(codecs) or needed - set(plain):
        raise ValueError("columns")
    return {name: codecs[name][1](value) for name, value in plain.items()}


class Continuing:
    """Reads one case's events, each of which must follow the one before and hold what it committed to."""

    def __init__(self, where: str, head: CaseHead, keys: Keys | None) -> None:
        self._where, self._head, self._keys = where, head, keys
        self._stream = case_stream(head.id)
        self._number, self._hash = 0, GENESIS

    def read(self, plain: dict[str, Any]) -> StoredEvent:
        """The next event. Raises Invalid: not readable, out of order, or altered."""
        where = f"{self._where}#{self._head.business_key}/{self._number + 1}"
        try:
            event = self._event(plain)
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise damaged(where, "无法读取的事件", "an event that cannot be read") from error
        columns = event.columns
        if columns["number"] != self._number + 1 or columns["previous"] != self._hash:
            raise damaged(where, "事件不连续", "an event that does not follow the one before it")
        if event.salt is not None and commit(event.salt, event.values) != columns["commitment"]:
            raise damaged(where, "内容与承诺值不符", "values that are not those committed to")
        known = self._keys.chain_keys().get(columns["key_id"]) if self._keys is not None else None
        if known is not None:
            expected = link(known, columns["previous"], canonical(columns))
            if not hmac.compare_digest(expected, columns["hash"]):
                raise damaged(where, "内容与链值不符", "content and hash disagree")
        self._number, self._hash = columns["number"], columns["hash"]
        return event

    def _event(self, plain: dict[str, Any]) -> StoredEvent:
        salt, values = plain.pop("salt", None), plain.pop("values", None)
        found = _decoded(plain, _CODECS, _NEEDED)
        columns = {name: found.get(name) for name in _CODECS} | {"stream": self._stream}
        _typed(dict)(json.loads(columns["detail"] or "{}"))
        return StoredEvent(columns=columns, salt=None if salt is None else bytes.fromhex(salt), values=values)

    def finish(self) -> None:
        """The case is over. Raises Invalid where its head says otherwise."""
        if (self._number, self._hash.hex()) != (self._head.events, self._head.head):
            where = f"{self._where}#{self._head.business_key}"
            raise damaged(where, "事件不全", "events are missing at the end")
