"""Checks all evidence: every chain, the values committed to, every row history tells of, the checkpoints' copies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from sqlalchemy.engine import Row

from engine.model import JSON
from engine.store import tables as t
from engine.store.history import GENESIS, canonical, owner_of, unseal_values
from engine.store.key_rule import KeyRule
from engine.store.pages import Fault, Verification
from engine.store.reading import Reading
from engine.store.rows import Place, decode
from engine.store.store import Store
from engine.store.vault import commit, link, unwrap
from engine.store.verify_checkpoints import CheckpointCheck, Copy
from engine.store.verify_contents import ContentsCheck
from engine.store.verify_rows import UNREADABLE, RowsCheck

BATCH = 1000
#: So many faults are named; more of them would not be read.
MOST_FAULTS = 1000
#: So many ended streams have their rows looked at together.
TOGETHER = 200
ERASED = "case.erased"
_event = t.event.c
Values = dict[tuple[str, int], tuple[bytes, JSON] | None]


@dataclass(slots=True)
class Stream:
    """What has been seen of a stream: never its events, only where it stands and what it tells of rows."""

    name: str
    schema: int
    events: int = 0
    hash: bytes = GENESIS
    state_digest: bytes | None = None
    last_at: Any = None
    erased: bool = False
    told: dict[Place, tuple[bytes, int]] = field(default_factory=dict)

    @property
    def owner(self) -> UUID | None:
        """The case or account it is about; None where its name is none of ours."""
        try:
            return owner_of(self.name)
        except ValueError:
            return None


def verify(
    store: Store,
    on_progress: Callable[[int], None] | None = None,
    *,
    outside: Iterable[Copy] | None = None,
) -> Verification:
    """Read every event of one snapshot in batches and recompute its hash; ``on_progress`` is told the events so far.

    A fault names stream and number, and the row where one was hit; after a broken link the rest of that stream is
    followed from what is stored. Values whose key was destroyed by an erasure are passed over: their commitment stays
    covered by the hash. ``outside`` are the checkpoints' copies: without them a database set back as a whole, or a
    stream cut off together with everything that counts it, looks like one that never got further.
    """
    with store.reading() as reading:
        return _Check(reading, on_progress or (lambda number: None)).run(outside)


def expected_events(store: Store) -> int:
    """How many events the heads count: what a progress bar ends at."""
    with store.reading() as reading:
        sums = (
            sa.select(sa.func.coalesce(sa.func.sum(c), 0))
            for c in (t.process_instance.c.events, t.stream_head.c.events)
        )
        return sum(int(reading.execute(each).scalar_one()) for each in sums)


class _Check:
    def __init__(self, reading: Reading, on_progress: Callable[[int], None]) -> None:
        self._reading = reading
        self._on_progress = on_progress
        self._faults: list[Fault] = []
        self._streams = 0
        self._events = 0
        self._ended: list[Stream] = []
        self._rule = KeyRule(reading)
        self._rows = RowsCheck(reading, self._fault)

    def run(self, outside: Iterable[Copy] | None) -> Verification:
        current: Stream | None = None
        for batch in self._batches():
            values = self._values(batch)
            for row in batch:
                if current is None or row.stream != current.name:
                    self._end(current)
                    current = Stream(row.stream, row.schema)
                self._read(current, row, values)
            self._events += len(batch)
            self._on_progress(self._events)
        self._end(current)
        self._rows.look(self._ended)
        self._rows.finish()
        ContentsCheck(self._reading, self._fault).run()
        CheckpointCheck(self._reading, self._fault).run(outside)
        return Verification(streams=self._streams, events=self._events, faults=tuple(self._faults))

    def _batches(self) -> Iterator[list[Row[Any]]]:
        place = ("", -1)
        while True:
            # Spelt out: both databases then start right at the place in the primary key.
            beyond = (_event.stream > place[0]) | ((_event.stream == place[0]) & (_event.number > place[1]))
            where = (_event.stream >= place[0]) & beyond
            keys = (
                sa.select(_event.stream, _event.number).where(where).order_by(_event.stream, _event.number).limit(BATCH)
            )
            try:
                rows = list(self._reading.execute(keys.with_only_columns(*_event)))
                last = (rows[-1].stream, rows[-1].number) if rows else None
            except UNREADABLE:
                found = list(self._reading.execute(keys))
                last = (found[-1].stream, found[-1].number)
                rows = [row for key in found if (row := self._one(key.stream, key.number)) is not None]
            if last is None:
                return
            if rows:
                yield rows
            place = last

    def _one(self, stream: str, number: int) -> Row[Any] | None:
        try:
            found = sa.select(t.event).where(_event.stream == stream, _event.number == number)
            return self._reading.execute(found).one()
        except UNREADABLE:
            self._fault(stream, number, "cannot be read")
            return None

    def _fault(self, stream: str, number: int, what: str, row: str = "") -> None:
        if len(self._faults) < MOST_FAULTS:
            self._faults.append(Fault(stream=stream, number=number, what=what, row=row))

    # -- one event
    def _read(self, stream: Stream, row: Row[Any], values: Values) -> None:
        try:
            self._event(stream, row, values)
        except UNREADABLE:
            self._fault(stream.name, stream.events + 1, "cannot be read")
            stream.events += 1

    def _event(self, stream: Stream, row: Row[Any], values: Values) -> None:
        if row.number != stream.events + 1:
            self._fault(stream.name, stream.events + 1, "events are missing")
        if row.previous != stream.hash:
            self._fault(stream.name, row.number, "does not follow the event before it")
        if (wrong := self._rule.broken_by(row)) is not None:
            self._fault(stream.name, row.number, wrong)
        elif not self._hashes(row):
            self._fault(stream.name, row.number, "content and hash disagree")
        if row.commitment is not None:
            self._commitment(row, values)
        stream.events, stream.hash, stream.last_at = row.number, bytes(row.hash), row.recorded_at
        stream.state_digest = row.state_digest or stream.state_digest
        stream.erased = stream.erased or row.kind == ERASED
        for place, digest in decode(row.rows or b"").items():
            stream.told[place] = (digest, row.number)

    def _hashes(self, row: Row[Any]) -> bool:
        try:
            found = link(self._rule.key(row.key_id), bytes(row.previous), canonical(row._asdict()))
            return found == bytes(row.hash)
        except UNREADABLE:
            return False

    def _commitment(self, row: Row[Any], values: Values) -> None:
        place = (row.stream, row.number)
        if place not in values:
            if not self._destroyed(row.stream):
                self._fault(row.stream, row.number, "its values are missing")
            return
        kept = values[place]
        if kept is not None and commit(*kept) != row.commitment:
            self._fault(row.stream, row.number, "its values are not those committed to")

    def _destroyed(self, stream: str) -> bool:
        """Was the stream's key destroyed? Whether it might be, ``verify_rows`` asks the stream's own history."""
        try:
            owner = owner_of(stream)
        except ValueError:
            return False
        found = self._reading.execute(sa.select(t.data_key.c.erased_at).where(t.data_key.c.id == owner))
        return found.scalar() is not None

    def _values(self, batch: list[Row[Any]]) -> Values:
        """(stream, number) → (salt, values) of a batch; None for those sealed under a destroyed key."""
        if all(row.commitment is None for row in batch):
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
        found: Values = {}
        try:
            for row in self._reading.execute(statement):
                found |= self._opened(row)
        except UNREADABLE:
            self._fault(first.stream, first.number, "sealed values cannot be read", "event_value")
        return found

    def _opened(self, row: Row[Any]) -> Values:
        passed: Values = {(row.stream, n): None for n in range(row.number, min(row.last, row.number + BATCH) + 1)}
        if row.wrapped is None:
            if not row.stream.startswith("case:"):  # a case's may be erased: its rows are asked for that
                self._fault(row.stream, row.number, "the key to its values is gone", f"data_key {row.key_id}")
            return passed
        try:
            key = unwrap(self._reading.keys, row.key_id, row.wrapped)
            opened = unseal_values(key, row.stream, row.number, row.sealed)
        except (InvalidTag, *UNREADABLE):
            self._fault(row.stream, row.number, "its sealed values, or the key to them, have been changed")
            return passed
        return {(row.stream, n): pair for n, pair in opened.items()}

    # -- one stream
    def _end(self, stream: Stream | None) -> None:
        if stream is None:
            return
        self._streams += 1
        self._ended.append(stream)
        if len(self._ended) >= TOGETHER:
            self._rows.look(self._ended)
            self._ended = []
