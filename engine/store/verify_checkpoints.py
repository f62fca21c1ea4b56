"""Checks checkpoints, those in the database and their copies outside, against each other and against history."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from engine.store import merkle
from engine.store import tables as t
from engine.store.checkpoint_tables import checkpoint, checkpoint_leaf
from engine.store.checkpoints import Checkpoint, Leaf, is_signed, leaves_of, read_copy
from engine.store.columns import iso
from engine.store.key_rule import KeyRule
from engine.store.reading import Reading
from engine.store.verify_rows import UNREADABLE, Blame

_MANY = 500
_event = t.event.c
_HASHES = sa.select(_event.stream, _event.number, _event.hash).where(
    sa.tuple_(_event.stream, _event.number).in_(sa.bindparam("places", expanding=True))
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Copy:
    """A checkpoint's copy as found outside: under which name, and what lies there."""

    name: str
    content: bytes


class CheckpointCheck:
    """Every checkpoint signed, following the one before, its leaves its own, and history still holding every leaf."""

    def __init__(self, reading: Reading, blame: Blame) -> None:
        self._reading = reading
        self._blame = blame
        self._rule = KeyRule(reading)
        self._blamed: set[tuple[str, int]] = set()

    def run(self, outside: Iterable[Copy] | None) -> None:
        """Check those in the database, then the copies where there are any."""
        found = sa.select(checkpoint).order_by(checkpoint.c.number)
        try:
            kept = {row.number: row for row in self._reading.execute(found)}
        except UNREADABLE:
            self._wrong(0, "checkpoints cannot be read", "checkpoint")
            return
        self._stored(kept)
        if outside is not None:
            self._copies(kept, outside)

    def _wrong(self, number: int, what: str, row: str) -> None:
        self._blame("", number, what, row)

    def _stored(self, kept: dict[int, Any]) -> None:
        previous: str | None = None
        for expected, number in enumerate(sorted(kept), start=1):
            row, name = kept[number], f"checkpoint {number}"
            point = Checkpoint(record=row.record, signature=bytes(row.signature))
            try:
                leaves = leaves_of(self._reading, number)
                self._check(point, leaves, name, (number, previous) if number == expected else None)
                if iso(row.made_at) != point.facts()["made_at"]:
                    self._wrong(number, "it was made at another moment", name)
            except UNREADABLE:
                self._wrong(number, "the checkpoint cannot be read", name)
                leaves = []
            if number != expected:
                self._wrong(number, "checkpoints before it are missing", name)
            previous = point.digest
            self._held(leaves, number, "checkpoint_leaf of " + name)
        lost = ~sa.exists().where(checkpoint.c.number == checkpoint_leaf.c.checkpoint)
        for number in self._reading.execute(sa.select(checkpoint_leaf.c.checkpoint).where(lost).distinct()).scalars():
            self._wrong(number, "leaves of a checkpoint that is gone", f"checkpoint {number}")

    def _check(
        self, point: Checkpoint, leaves: Sequence[Leaf], name: str, after: tuple[int, str | None] | None
    ) -> None:
        facts = point.facts()
        number = facts["number"]
        keys = self._reading.keys.chain_keys()
        if not self._rule.introduced(facts["key"]) or not is_signed(point, keys[facts["key"]]):
            self._wrong(number, "the checkpoint is not signed with a key of ours", name)
        if after is not None and (number, facts["previous"]) != after:
            self._wrong(number, "the checkpoint does not follow the one before it", name)
        if (len(leaves), merkle.root(leaf.hash() for leaf in leaves).hex()) != (facts["leaves"], facts["root"]):
            self._wrong(number, "its leaves are not those that were signed", name)

    def _held(self, leaves: Sequence[Leaf], number: int, source: str) -> None:
        """Does history still hold every event that a leaf names?"""
        for start in range(0, len(leaves), _MANY):
            some = leaves[start : start + _MANY]
            places = [(leaf.stream, leaf.events) for leaf in some]
            there = {(r.stream, r.number): bytes(r.hash) for r in self._reading.execute(_HASHES, {"places": places})}
            for leaf in some:
                place = (leaf.stream, leaf.events)
                if there.get(place) == leaf.head or place in self._blamed:
                    continue
                self._blamed.add(place)
                what = "another event than" if place in there else "no longer there, though"
                self._blame(leaf.stream, leaf.events, f"{what} checkpoint {number} saw it", source)

    # -- outside
    def _copies(self, kept: dict[int, Any], outside: Iterable[Copy]) -> None:
        seen: dict[int, Checkpoint] = {}
        for copy in outside:
            try:
                point, leaves = read_copy(copy.content)
                number = int(point.facts()["number"])
                self._check(point, leaves, f"copy {copy.name}", None)
            except UNREADABLE:
                self._wrong(0, "the copy of a checkpoint cannot be read", f"copy {copy.name}")
                continue
            if number in seen:
                self._wrong(number, "two copies of one checkpoint", f"copy {copy.name}")
            seen[number] = point
            self._same(number, point, kept.get(number), copy.name)
            self._held(leaves, number, f"copy {copy.name}")
        self._chained(seen)
        for number in sorted(set(range(1, max(seen, default=0) + 1)) - seen.keys()):
            self._wrong(number, "its copy outside is missing", f"checkpoint {number}")
        for number, row in kept.items():
            if number > max(seen, default=0) and row.copied_at is not None:
                self._wrong(number, "its copy outside is missing", f"checkpoint {number}")

    def _same(self, number: int, point: Checkpoint, row: Any, name: str) -> None:
        if row is None:
            self._wrong(number, "the database no longer holds a checkpoint that was copied", f"checkpoint {number}")
        elif (row.record, bytes(row.signature)) != (point.record, point.signature):
            self._wrong(number, "the checkpoint and its copy differ", f"copy {name}")

    def _chained(self, seen: dict[int, Checkpoint]) -> None:
        for number, point in seen.items():
            before = seen.get(number - 1)
            if before is not None and point.facts()["previous"] != before.digest:
                self._wrong(number, "the copy does not follow the one before it", f"checkpoint {number}")
