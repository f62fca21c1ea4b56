"""Checks what is kept under its own digest (artefacts, releases, uploaded files), stray values, and the clock."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag

from engine.store import tables as t
from engine.store.reading import Reading
from engine.store.vault import unseal, unwrap
from engine.store.verify_rows import UNREADABLE, Blame

_MANY = 200
_FEW = 20
_CONTENTS = sa.select(t.artefact.c.digest, t.artefact.c.content).where(
    t.artefact.c.digest.in_(sa.bindparam("names", expanding=True))
)
_CHUNKS = (
    sa.select(t.attachment_chunk.c.number, t.attachment_chunk.c.sealed)
    .where(t.attachment_chunk.c.attachment_id == sa.bindparam("file"))
    .order_by(t.attachment_chunk.c.number)
)


class ContentsCheck:
    """Everything that must be what its name or the clock's history says. A few contents in memory at a time."""

    def __init__(self, reading: Reading, blame: Blame) -> None:
        self._reading = reading
        self._blame = blame

    def run(self) -> None:
        """Check all of it."""
        for check in (self._artefacts, self._releases, self._publications, self._files, self._strays, self._clock):
            try:
                check()
            except UNREADABLE:
                self._blame("", 0, "rows cannot be read", check.__name__.removeprefix("_"))

    def _wrong(self, row: str, what: str) -> None:
        self._blame("", 0, what, row)

    def _artefacts(self) -> None:
        self._kept = set(self._reading.execute(sa.select(t.artefact.c.digest)).scalars())
        names = sorted(self._kept)
        for start in range(0, len(names), _FEW):
            for row in self._reading.execute(_CONTENTS, {"names": names[start : start + _FEW]}):
                if hashlib.sha256(row.content).hexdigest() != row.digest:
                    self._wrong(f"artefact {row.digest}", "its content is not what its digest says")

    def _releases(self) -> None:
        known = set()
        for row in self._reading.execute(sa.select(t.release)):
            known.add(row.digest)
            right = hashlib.sha256(row.manifest.encode()).hexdigest() == row.digest
            parts = json.loads(row.manifest) if right else {}
            if parts.get("root") != row.root:
                self._wrong(f"release {row.digest}", "its content is not what its digest says")
                continue
            named = (part for part in parts.values() if isinstance(part, dict))
            self._complete(f"release {row.digest}", {digest for part in named for digest in part.values()})
        if not known:
            return
        used = self._reading.execute(sa.select(t.process_instance.c.release).distinct()).scalars()
        for digest in sorted(set(used) - known):
            self._wrong(f"release {digest}", "cases run by it, and it is gone")

    def _publications(self) -> None:
        for row in self._reading.execute(sa.select(t.publication)):
            named = json.loads(row.manifest).values()
            self._complete(f"publication {row.number}", {digest for names in named for digest in names.values()})

    def _complete(self, row: str, named: set[str]) -> None:
        for digest in sorted(named - self._kept):
            self._wrong(row, f"names an artefact that is gone: {digest}")

    # -- uploaded files
    def _files(self) -> None:
        place: Any = None
        while True:
            more = sa.select(t.attachment).order_by(t.attachment.c.id).limit(_MANY)
            rows = self._reading.execute(more if place is None else more.where(t.attachment.c.id > place)).all()
            if not rows:
                return
            for row in rows:
                self._file(row)
            place = rows[-1].id

    def _file(self, row: Any) -> None:
        name = f"attachment {row.id}"
        if row.wrapped is None:
            erased = (
                sa.select(t.data_key.c.erased_at)
                .join(t.case_attachment, t.case_attachment.c.case_id == t.data_key.c.id)
                .where(t.case_attachment.c.attachment_id == row.id, t.data_key.c.erased_at.is_not(None))
            )
            if self._reading.execute(erased).first() is None:
                self._wrong(name, "its key is gone, and no erasure is recorded")
            return
        read, size = hashlib.sha256(), 0
        try:
            key = unwrap(self._reading.keys, row.id, row.wrapped)
            unseal(key, f"name:{row.id}", row.sealed_name)
            for chunk in self._reading.execute(_CHUNKS, {"file": row.id}):
                content = unseal(key, f"chunk:{row.id}:{chunk.number}", chunk.sealed)
                read.update(content)
                size += len(content)
        except (InvalidTag, *UNREADABLE):
            self._wrong(name, "its sealed content, or the key to it, has been changed")
            return
        if (read.hexdigest(), size) != (row.digest, row.size):
            self._wrong(name, "its content is not what its digest says")

    # -- the rest
    def _strays(self) -> None:
        value, first, end, after = t.event_value.c, sa.alias(t.event), sa.alias(t.event), sa.alias(t.event)
        held = sa.exists().where(first.c.stream == value.stream, first.c.number == value.number)
        for row in self._reading.execute(sa.select(value.stream, value.number).where(~held)):
            self._blame(row.stream, row.number, "values that belong to no event", "event_value")
        ends = (end.c.stream == value.stream) & (end.c.number == value.last) & (end.c.command == first.c.command)
        goes_on = sa.exists().where(
            after.c.stream == value.stream, after.c.number == value.last + 1, after.c.command == first.c.command
        )
        places = sa.select(value.stream, value.number).select_from(
            t.event_value.join(first, (first.c.stream == value.stream) & (first.c.number == value.number))
        )
        for row in self._reading.execute(places.where(~sa.exists().where(ends) | goes_on)):
            self._blame(row.stream, row.number, "its values end elsewhere than the command", "event_value")
        lost = ~sa.exists().where(t.attachment.c.id == t.attachment_chunk.c.attachment_id)
        for number in self._reading.execute(sa.select(t.attachment_chunk.c.attachment_id).where(lost)).scalars():
            self._wrong(f"attachment_chunk of {number}", "rows that belong to nothing")

    def _clock(self) -> None:
        told = sa.select(t.event.c.detail).where(t.event.c.stream == "clock:", t.event.c.kind == "clock.advanced")
        moved = sum(round(json.loads(d)["seconds"] * 1_000_000) for d in self._reading.execute(told).scalars())
        if self._reading.execute(sa.select(t.clock.c.offset_microseconds)).scalar_one() != moved:
            self._wrong("clock 1", "its offset is not the one history tells of")
