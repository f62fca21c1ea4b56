"""Which chain key may sign when: introduced by an event under a key that holds, retired with a time of grace."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Row

from engine.store import tables as t
from engine.store.history import canonical
from engine.store.reading import Reading
from engine.store.vault import fingerprint, link

#: The stream in which chain keys are introduced and put in use, and the one that tells of sealing keys.
KEYS_STREAM = "keys:chain"
SEALING_STREAM = "keys:sealing"
INTRODUCED, IN_USE = "key.introduced", "key.in_use"
#: So long after another key was put in use the one before may still sign: servers are started again one by one, and
#: commands under way end with the key they began with.
GRACE = timedelta(hours=24)


@dataclass(slots=True)
class _Term:
    begins: datetime | None
    ends: datetime | None = None


class KeyRule:
    """The terms of all chain keys, read from their stream. What that stream says counts only under a key that holds."""

    def __init__(self, reading: Reading) -> None:
        self._keys = reading.keys.chain_keys()
        self._terms: dict[str, _Term] = {reading.keys.first_id: _Term(None)}
        for row in _told(reading):
            self._learn(row)

    def _learn(self, row: Row[Any]) -> None:
        detail = json.loads(row.detail or "{}")
        name = detail.get("id")
        if self.broken_by(row) is not None or name not in self._keys:
            return
        if link(self.key(row.key_id), bytes(row.previous), canonical(row._asdict())) != row.hash:
            return
        if row.kind == INTRODUCED and detail.get("digest") == fingerprint(self._keys[name]):
            self._terms.setdefault(name, _Term(row.recorded_at))
        elif row.kind == IN_USE:
            for other, term in self._terms.items():
                if other == name:
                    term.ends = None
                elif term.ends is None and other in detail.get("retires", ()):
                    term.ends = row.recorded_at + GRACE

    def key(self, name: str) -> bytes:
        """The chain key of an id. Raises KeyError."""
        return self._keys[name]

    def broken_by(self, row: Row[Any]) -> str | None:
        """Why an event may not be signed by the key it names; None: it may."""
        if row.key_id not in self._keys:
            return "signed under an unknown key"
        term = self._terms.get(row.key_id)
        if term is None or (term.begins is not None and row.recorded_at < term.begins):
            return "signed under a key that was not introduced before"
        if term.ends is not None and row.recorded_at > term.ends:
            return "signed under a key that was retired"
        return None

    def introduced(self, name: str) -> bool:
        """Does the stream tell of the key (or is it the first of all)?"""
        return name in self._terms


def _told(reading: Reading) -> list[Row[Any]]:
    found = sa.select(t.event).where(t.event.c.stream == KEYS_STREAM).order_by(t.event.c.number)
    try:
        return list(reading.execute(found))
    except (ValueError, TypeError, sa.exc.SQLAlchemyError):
        return []
