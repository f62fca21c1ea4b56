"""The door to the database: opens transactions and readings, and caches what never changes once written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Lock, local
from typing import TypeVar
from uuid import UUID

from sqlalchemy.engine import Engine

from engine.model import JSON, Actor, Release
from engine.store import points, publishing, streams
from engine.store.database import glancing, open_engine, snapshot, writing
from engine.store.migrating import is_current, migrate
from engine.store.reading import Reading
from engine.store.records import Publication
from engine.store.transaction import Transaction
from engine.store.vault import Keys

T = TypeVar("T")
_ARTEFACT_BYTES = 64 * 1024 * 1024


class Store:
    """A database of Sanwei. One per process; safe to share between threads."""

    def __init__(self, engine: Engine, keys: Keys) -> None:
        self.engine = engine
        self._keys = keys
        self._places: set[tuple[str, str]] = set()
        self._releases: dict[str, Release] = {}
        self._artefacts: dict[str, bytes] = {}
        self._artefact_bytes = 0
        self._publication: Publication | None = None
        self._lock = Lock()
        self._thread = local()

    @classmethod
    def open(cls, url: str, keys: Keys, *, echo: bool = False, pool_size: int = 10) -> Store:
        """A store on ``sqlite:///…`` or ``postgresql+psycopg://…``; nothing is connected yet."""
        return cls(open_engine(url, echo=echo, pool_size=pool_size), keys)

    def close(self) -> None:
        """Close all connections that lie idle in the pool."""
        self.engine.dispose()

    def migrate(self) -> None:
        """Bring the tables to this program's version; nothing where they are."""
        migrate(self.engine)

    def ready(self) -> bool:
        """Is the database there, and are its tables of this program's version?"""
        return is_current(self.engine)

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """A write transaction: commits at the end of the block, rolls back on any exception.

        The only commit of the project.

        Raises:
            DatabaseBusy: a lock was not given in time or the database is away; nothing has been written.
        """
        with writing(self.engine) as connection:
            tx = Transaction(connection, self._keys, self._places, self._releases)
            with self._here(tx):
                yield tx
            tx.flush()
            points.reached("before_commit")
            connection.commit()
            points.reached("after_commit")
            tx.committed()

    @contextmanager
    def _here(self, tx: Transaction) -> Iterator[None]:
        """While this thread is in a transaction, what it asks the store for is read through that one's connection.

        A second connection for it would let threads that each hold one wait for each other until the pool gives up.
        """
        outer = self._open_in_thread()
        self._thread.tx = tx
        try:
            yield
        finally:
            self._thread.tx = outer

    def _open_in_thread(self) -> Transaction | None:
        return getattr(self._thread, "tx", None)

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        """Queries on one snapshot of the database. Raises DatabaseBusy."""
        with snapshot(self.engine) as connection:
            yield Reading(connection, self._keys)

    @contextmanager
    def glance(self) -> Iterator[Reading]:
        """Single queries, each of its own moment: cheaper than ``reading`` where one is enough. Raises DatabaseBusy."""
        with glancing(self.engine) as connection:
            yield Reading(connection, self._keys)

    @property
    def keys(self) -> Keys:
        """The keys, for whoever verifies."""
        return self._keys

    # -- what never changes under its name
    def publication(self) -> Publication | None:
        """The publication in force, None before the first. Only its number is asked for each time."""
        return self._read(self._current)

    def _current(self, reading: Reading) -> Publication | None:
        known, number = self._publication, publishing.latest_number(reading)
        if known is not None and known.number == number:
            return known
        found = publishing.read_publication(reading)
        if not (isinstance(reading, Transaction) and reading.publishes):
            self._publication = found
        return found

    def artefact(self, digest: str) -> bytes:
        """The bytes of a SHA-256 (hex). Raises NotFound."""
        known = self._artefacts.get(digest)
        if known is not None:
            return known
        content = self._read(lambda reading: publishing.read_artefact(reading, digest))
        with self._lock:
            if self._artefact_bytes + len(content) <= _ARTEFACT_BYTES and digest not in self._artefacts:
                self._artefacts[digest] = content
                self._artefact_bytes += len(content)
        return content

    def release(self, digest: str) -> Release:
        """The release of a digest. Raises NotFound."""
        known = self._releases.get(digest)
        if known is None:
            known = self._read(lambda reading: publishing.read_release(reading, digest))
            self._releases[digest] = known
        return known

    def _read(self, read: Callable[[Reading], T]) -> T:
        tx = self._open_in_thread()
        if tx is not None:
            return read(tx)
        with self.glance() as reading:
            return read(reading)

    # -- what is recorded beside the verbs
    def record_refusal(self, actor: Actor, case_id: UUID | None, verb: str, reason: str, input_digest: str) -> None:
        """Record a refused attempt in a transaction of its own, after the rollback: no values, skipped by replay."""
        event = streams.refusal(self._keys, actor, verb, reason, input_digest)
        with self.transaction() as tx:
            streams.refuse(tx, actor, case_id, event)

    def record_access(self, actor: Actor, case_id: UUID, what: str) -> None:
        """Record that somebody read a case (``what``: case, task, history, document); the case is not locked."""
        with self.transaction() as tx:
            streams.record_access(tx, actor, case_id, what)

    def record_export(self, actor: Actor, detail: Mapping[str, JSON]) -> None:
        """Record that somebody took cases away as a package: which were asked for, how many, and the manifest."""
        with self.transaction() as tx:
            streams.record_export(tx, actor, detail)
