"""Checks every chain: numbers without gaps, hashes, commitments against the sealed values, heads and states."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from sqlalchemy.engine import Row

from engine.model import JSON
from engine.store import tables as t
from engine.store.history import GENESIS, canonical, owner_of, unseal_values
from engine.store.pages import Fault, Verification
from engine.store.reading import Reading
from engine.store.store import Store
from engine.store.vault import commit, link, unseal, unwrap

BATCH = 2000
#: So many faults are named; more of them would not be read.
MOST_FAULTS = 1000
_event = t.event.c


@dataclass(slots=True)
class _Stream:
    """What has been seen of the stream that is being read."""

    name: str
    events: int = 0
    hash: bytes = GENESIS
    state_digest: bytes | None = None


def verify(store: Store, on_progress: Callable[[int], None] | None = None) -> Verification:
    """Read every event of one snapshot in batches and recompute its hash; ``on_progress`` is told the events so far.

    A fault names stream and number; after a broken link the rest of that stream is followed from what is stored.
    Values whose key has been erased are passed over: their commitment stays covered by the hash.
    """
    with store.reading() as reading:
        return _Check(reading, on_progress or (lambda number: None)).run()


class _Check:
    def __init__(self, reading: Reading, on_progress: Callable[[int], None]) -> None:
        self._reading = reading
        self._on_progress = on_progress
        self._faults: list[Fault] = []
        self._streams = 0
        self._events = 0

    def run(self) -> Verification:
        current: _Stream | None = None
        for batch in self._batches():
            values = self._values(batch)
            for row in batch:
                if current is None or row.stream != current.name:
                    self._end(current)
                    current = _Stream(row.stream)
                self._event(current, row, values)
            self._events += len(batch)
            self._on_progress(self._events)
        self._end(current)
        self._silent()
        return Verification(streams=self._streams, events=self._events, faults=tuple(self._faults[:MOST_FAULTS]))

    def _batches(self) -> Iterator[list[Row[Any]]]:
        place = ("", 0)
        while True:
            # Spelt out: both databases then start right at the place in the primary key.
            beyond = (_event.stream > place[0]) | ((_event.stream == place[0]) & (_event.number > place[1]))
            statement = (
                sa.select(t.event)
                .where(_event.stream >= place[0], beyond)
                .order_by(_event.stream, _event.number)
                .limit(BATCH)
            )
            rows = list(self._reading.execute(statement))
            if not rows:
                return
            yield rows
            place = (rows[-1].stream, rows[-1].number)

    def _fault(self, stream: str, number: int, what: str) -> None:
        self._faults.append(Fault(stream=stream, number=number, what=what))

    # -- one event
    def _event(self, stream: _Stream, row: Row[Any], values: dict[tuple[str, int], tuple[bytes, JSON] | None]) -> None:
        if row.number != stream.events + 1:
            self._fault(stream.name, stream.events + 1, "events are missing")
        if row.previous != stream.hash:
            self._fault(stream.name, row.number, "does not follow the event before it")
        if row.key_id != self._reading.keys.chain_id:
            self._fault(stream.name, row.number, "signed under an unknown key")
        elif link(self._reading.keys.chain, bytes(row.previous), canonical(row._asdict())) != row.hash:
            self._fault(stream.name, row.number, "content and hash disagree")
        if row.commitment is not None:
            self._commitment(row, values)
        stream.events, stream.hash = row.number, bytes(row.hash)
        stream.state_digest = row.state_digest or stream.state_digest

    def _commitment(self, row: Row[Any], values: dict[tuple[str, int], tuple[bytes, JSON] | None]) -> None:
        place = (row.stream, row.number)
        if place not in values:
            if not self._erased(owner_of(row.stream)):
                self._fault(row.stream, row.number, "its values are missing")
            return
        kept = values[place]
        if kept is not None and commit(*kept) != row.commitment:
            self._fault(row.stream, row.number, "its values are not those committed to")

    def _erased(self, owner: UUID) -> bool:
        statement = sa.select(t.data_key.c.erased_at).where(t.data_key.c.id == owner)
        return self._reading.execute(statement).scalar() is not None

    def _values(self, batch: list[Row[Any]]) -> dict[tuple[str, int], tuple[bytes, JSON] | None]:
        """(stream, number) → (salt, values) of a batch; None for those sealed under an erased key."""
        streams = sorted({row.stream for row in batch if row.commitment is not None})
        if not streams:
            return {}
        first, last = batch[0], batch[-1]
        kept = t.event_value.c
        statement = (
            sa.select(t.event_value, t.data_key.c.wrapped)
            .join(t.data_key, t.data_key.c.id == kept.key_id)
            .where(kept.stream >= first.stream, kept.stream <= last.stream)
            .where((kept.stream != first.stream) | (kept.last >= first.number))
            .where((kept.stream != last.stream) | (kept.number <= last.number))
        )
        found: dict[tuple[str, int], tuple[bytes, JSON] | None] = {}
        for row in self._reading.execute(statement):
            if row.wrapped is None:
                found |= {(row.stream, n): None for n in range(row.number, row.last + 1)}
                continue
            try:
                key = unwrap(self._reading.keys, row.key_id, row.wrapped)
                opened = unseal_values(key, row.stream, row.number, row.sealed)
            except InvalidTag:
                self._fault(row.stream, row.number, "its sealed values have been changed")
                found |= {(row.stream, n): None for n in range(row.number, row.last + 1)}
                continue
            found |= {(row.stream, n): pair for n, pair in opened.items()}
        return found

    # -- one stream
    def _end(self, stream: _Stream | None) -> None:
        if stream is None:
            return
        self._streams += 1
        if stream.name.startswith("case:"):
            self._case(stream)
            return
        statement = sa.select(t.stream_head).where(t.stream_head.c.stream == stream.name)
        row = self._reading.execute(statement).one_or_none()
        self._head(stream, row)

    def _head(self, stream: _Stream, row: Row[Any] | None) -> None:
        if row is None:
            self._fault(stream.name, 0, "belongs to nothing")
        elif (row.events, bytes(row.head)) != (stream.events, stream.hash):
            self._fault(stream.name, max(stream.events, row.events), "does not end where its head says")

    def _case(self, stream: _Stream) -> None:
        case = t.process_instance
        statement = (
            sa.select(case.c.id, case.c.events, case.c.head, case.c.sealed_state, t.data_key.c.wrapped)
            .join(t.data_key, t.data_key.c.id == case.c.id)
            .where(case.c.id == owner_of(stream.name))
        )
        row = self._reading.execute(statement).one_or_none()
        self._head(stream, row)
        if row is None or row.sealed_state is None or row.wrapped is None:
            return
        try:
            state = unseal(unwrap(self._reading.keys, row.id, row.wrapped), f"state:{row.id}", row.sealed_state)
        except InvalidTag:
            self._fault(stream.name, stream.events, "the case's sealed state has been changed")
            return
        if hashlib.sha256(state).digest() != stream.state_digest:
            self._fault(stream.name, stream.events, "the case's state is not the one its history ends with")

    def _silent(self) -> None:
        """Heads that count events of a stream in which there is none."""
        case, head = t.process_instance, t.stream_head
        is_there = sa.exists().where(_event.stream == head.c.stream)
        for name in self._reading.execute(sa.select(head.c.stream).where(head.c.events > 0, ~is_there)).scalars():
            self._fault(name, 1, "events are missing")
        have = sa.select(_event.stream).where(_event.stream.startswith("case:"), _event.number == 1)
        streams = set(self._reading.execute(have).scalars())
        for number in self._reading.execute(sa.select(case.c.id).where(case.c.events > 0)).scalars():
            if f"case:{number}" not in streams:
                self._fault(f"case:{number}", 1, "events are missing")
