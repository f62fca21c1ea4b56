"""One write transaction: everything a verb may do to the database, committed together or not at all."""

from __future__ import annotations

from sqlalchemy.engine import Connection

from engine.model import Release
from engine.store.jobs import Jobs
from engine.store.messages import Letters
from engine.store.once import OnceOnly
from engine.store.people import People
from engine.store.publishing import Publishing
from engine.store.vault import Keys


class Transaction(Jobs, Publishing, OnceOnly, People, Letters):
    """Locks, reads and writes. Made by ``Store.transaction``, which alone commits.

    ``places`` and ``releases`` are what this server knows to be in the database already.
    """

    def __init__(
        self, connection: Connection, keys: Keys, places: set[tuple[str, str]], releases: dict[str, Release]
    ) -> None:
        super().__init__(connection, keys)
        self.places = places
        self.releases = releases

    def abandon(self) -> None:
        """Roll back now: nothing of this transaction is written, though its block ends without an error."""
        self.forget()
        self.connection.rollback()
        self._after_commit.clear()
        self.locked = None

    def committed(self) -> None:
        """Called once the database has committed."""
        for note in self._after_commit:
            note()
