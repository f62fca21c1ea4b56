"""Checkpoints: signed summaries of where all changed streams stand, each naming the one before it, copied outside.

A checkpoint proves what was there when it was made. A copy outside the database keeps that proof where nobody who
holds the database can take it back: a database set back, or a stream cut off with its head, contradicts it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from engine.errors import NotFound
from engine.store import merkle
from engine.store import tables as t
from engine.store.checkpoint_tables import checkpoint, checkpoint_leaf
from engine.store.columns import iso, stream_of_case
from engine.store.history import GENESIS
from engine.store.papers import leaving
from engine.store.reading import Reading
from engine.store.vault import derived, plain_text

if TYPE_CHECKING:
    from engine.store.store import Store
    from engine.store.transaction import Transaction

FORMAT = 1
TREE = "rfc6962-sha256"
#: Named in each record, so that another (SM2 with SM3, where the platform demands it) can come beside it.
ALGORITHM = "ed25519"
#: So many heads go into one checkpoint; what is left goes into the next.
MOST_LEAVES = 50_000
OFTEN = 5
FIRST_DELAY = timedelta(seconds=30)
LONGEST_DELAY = timedelta(hours=1)
_LOCK = "checkpoint:"
_point, _leaf = checkpoint.c, checkpoint_leaf.c


@dataclass(frozen=True, slots=True)
class Leaf:
    """Where one stream stood: how many events, and the last one's hash."""

    stream: str
    events: int
    head: bytes

    def hash(self) -> bytes:
        """The leaf's hash in the tree: over the digest of the stream's name, the number of events and the head."""
        name = hashlib.sha256(self.stream.encode()).hexdigest()
        return merkle.leaf_hash(plain_text([name, self.events, self.head.hex()]).encode())


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    """A signed checkpoint. ``record`` is the very text that is signed; ``digest`` is what the next one names."""

    record: str
    signature: bytes

    def facts(self) -> dict[str, Any]:
        """What the record says: format, number, made_at, tree, leaves, root, previous, algorithm, key, public."""
        found: dict[str, Any] = json.loads(self.record)
        return found

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the record."""
        return hashlib.sha256(self.record.encode()).hexdigest()


@dataclass(frozen=True, kw_only=True, slots=True)
class Proof:
    """That a checkpoint holds a stream's head: the leaf, its place, and the path to the signed root."""

    checkpoint: Checkpoint
    leaf: Leaf
    place: int
    path: tuple[bytes, ...]

    def holds(self) -> bool:
        """Does the path lead from the leaf to the root that was signed?"""
        facts = self.checkpoint.facts()
        try:
            reached = merkle.root_by(self.leaf.hash(), self.place, facts["leaves"], self.path)
        except ValueError:
            return False
        return reached.hex() == str(facts["root"])


def signer(chain_key: bytes) -> Ed25519PrivateKey:
    """The signing key that belongs to a chain key: whoever may continue history may sign where it stands."""
    return Ed25519PrivateKey.from_private_bytes(derived(chain_key, "checkpoint"))


def public_key(chain_key: bytes) -> str:
    """The public half (hex): enough for anybody to check a checkpoint's signature."""
    return signer(chain_key).public_key().public_bytes_raw().hex()


def is_signed(point: Checkpoint, chain_key: bytes) -> bool:
    """Was it signed with the key that belongs to this chain key?"""
    try:
        signer(chain_key).public_key().verify(point.signature, point.record.encode())
    except InvalidSignature:
        return False
    return True


def make(store: Store, *, not_before: timedelta = timedelta(0)) -> list[int]:
    """Make a checkpoint over every head that changed since the last; several where they are very many; none for none.

    ``not_before``: leave it where the last one is younger than that (another worker was first). Gives the numbers.
    """
    made: list[int] = []
    while True:
        with store.reading() as reading:
            last = _last(reading)
            if not made and last is not None and reading.now() - last.made_at < not_before:
                return made
            leaves = _changed(reading)
        if not leaves:
            return made
        with store.transaction() as tx:
            number = _write(tx, last.number if last else 0, leaves)
        if number is None:
            return made
        made.append(number)


def _last(reading: Reading) -> Any:
    return reading.execute(sa.select(checkpoint).order_by(_point.number.desc()).limit(1)).one_or_none()


def _changed(reading: Reading) -> list[Leaf]:
    """Heads that no checkpoint holds yet, by name; asked head by head, as moments would miss late commits."""
    case, head = t.process_instance.c, t.stream_head.c
    heads = sa.union_all(
        sa.select(stream_of_case(case.id).label("stream"), case.events, case.head).where(case.events > 0),
        sa.select(head.stream, head.events, head.head).where(head.events > 0),
    ).subquery()
    known = sa.exists().where(_leaf.stream == heads.c.stream, _leaf.events == heads.c.events)
    found = sa.select(heads).where(~known).limit(MOST_LEAVES)
    rows = [Leaf(row.stream, row.events, bytes(row.head)) for row in reading.execute(found)]
    return sorted(rows, key=lambda leaf: leaf.stream)


def _write(tx: Transaction, seen: int, leaves: Sequence[Leaf]) -> int | None:
    """Sign and keep a checkpoint; None: another was made since ``seen``."""
    tx.execute(leaving(tx.dialect, t.stream_head), {"stream": _LOCK, "events": 0, "head": GENESIS})
    tx.execute(sa.select(t.stream_head.c.stream).where(t.stream_head.c.stream == _LOCK).with_for_update())
    last = _last(tx)
    if (last.number if last else 0) != seen:
        return None
    previous = Checkpoint(record=last.record, signature=last.signature).digest if last else None
    facts = {
        "format": FORMAT,
        "number": seen + 1,
        "made_at": iso(tx.now()),
        "tree": TREE,
        "leaves": len(leaves),
        "root": merkle.root(leaf.hash() for leaf in leaves).hex(),
        "previous": previous,
        "algorithm": ALGORITHM,
        "key": tx.keys.chain_id,
        "public": public_key(tx.keys.chain),
    }
    record = plain_text(facts)
    signature = signer(tx.keys.chain).sign(record.encode())
    row = {"number": seen + 1, "record": record, "signature": signature, "made_at": tx.now(), "attempts": 0}
    tx.execute(checkpoint.insert(), row)
    rows = [{"stream": x.stream, "events": x.events, "head": x.head, "checkpoint": seen + 1} for x in leaves]
    tx.execute(checkpoint_leaf.insert(), rows)
    return seen + 1


# -- copies outside
def write_copy(point: Checkpoint, leaves: Iterable[Leaf]) -> bytes:
    """What lies outside: the record and its signature in the first line, one leaf in each further line."""
    lines = [plain_text({"record": point.record, "signature": point.signature.hex()})]
    lines += [plain_text([leaf.stream, leaf.events, leaf.head.hex()]) for leaf in leaves]
    return ("\n".join(lines) + "\n").encode()


def read_copy(content: bytes) -> tuple[Checkpoint, list[Leaf]]:
    """The reverse of ``write_copy``.

    Raises:
        ValueError: it is no copy of a checkpoint.
    """
    try:
        first, *rest = content.decode().splitlines()
        head = json.loads(first)
        point = Checkpoint(record=head["record"], signature=bytes.fromhex(head["signature"]))
        point.facts()
        leaves = [Leaf(stream, int(events), bytes.fromhex(text)) for stream, events, text in map(json.loads, rest)]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError("no copy of a checkpoint") from error
    return point, leaves


def leaves_of(reading: Reading, number: int) -> list[Leaf]:
    """The leaves of a checkpoint, in the tree's order."""
    found = sa.select(checkpoint_leaf).where(_leaf.checkpoint == number)
    rows = (Leaf(row.stream, row.events, bytes(row.head)) for row in reading.execute(found))
    return sorted(rows, key=lambda leaf: leaf.stream)


def to_copy(reading: Reading, limit: int = 20) -> Iterator[tuple[int, bytes]]:
    """Checkpoints whose copy is due: number and content, oldest first."""
    due = _point.copied_at.is_(None) & (_point.retry_at.is_(None) | (_point.retry_at <= reading.now()))
    for row in reading.execute(sa.select(checkpoint).where(due).order_by(_point.number).limit(limit)).all():
        point = Checkpoint(record=row.record, signature=bytes(row.signature))
        yield row.number, write_copy(point, leaves_of(reading, row.number))


def copied(tx: Transaction, number: int) -> None:
    """Note that the copy lies outside."""
    done = checkpoint.update().where(_point.number == number)
    tx.execute(done.values(copied_at=tx.now(), retry_at=None, code=None))


def not_copied(tx: Transaction, number: int, code: str) -> int:
    """Note why the copy failed, and when it is tried again (30 s, then twice as long each time, an hour at most).

    Gives how often it has failed.
    """
    where = _point.number == number
    failed = int(tx.execute(sa.select(_point.attempts).where(where).with_for_update()).scalar_one()) + 1
    delay: timedelta = min(FIRST_DELAY * 2 ** min(failed - 1, 10), LONGEST_DELAY)
    again: datetime = tx.now() + delay
    tx.execute(checkpoint.update().where(where).values(attempts=failed, retry_at=again, code=code))
    return failed


@dataclass(frozen=True, kw_only=True, slots=True)
class Uncopied:
    """A checkpoint whose copy has failed often: an incident of no case, until a copy lies outside."""

    number: int
    code: str
    made_at: datetime
    attempts: int


def uncopied(reading: Reading) -> tuple[Uncopied, ...]:
    """Checkpoints whose copy has failed ``OFTEN`` times and more, the oldest first."""
    failing = sa.select(checkpoint).where(_point.copied_at.is_(None), _point.attempts >= OFTEN).order_by(_point.number)
    return tuple(
        Uncopied(number=row.number, code=row.code or "", made_at=row.made_at, attempts=row.attempts)
        for row in reading.execute(failing)
    )


def proof(store: Store, stream: str) -> Proof:
    """The newest proof that a checkpoint holds the stream.

    Raises:
        NotFound: no checkpoint holds it yet.
    """
    with store.reading() as reading:
        newest = sa.select(checkpoint_leaf).where(_leaf.stream == stream).order_by(_leaf.events.desc()).limit(1)
        row = reading.execute(newest).one_or_none()
        if row is None:
            raise NotFound()
        leaves = leaves_of(reading, row.checkpoint)
        kept = reading.execute(sa.select(checkpoint).where(_point.number == row.checkpoint)).one()
    place = next(number for number, leaf in enumerate(leaves) if leaf.stream == stream)
    return Proof(
        checkpoint=Checkpoint(record=kept.record, signature=bytes(kept.signature)),
        leaf=leaves[place],
        place=place,
        path=tuple(merkle.path([leaf.hash() for leaf in leaves], place)),
    )
