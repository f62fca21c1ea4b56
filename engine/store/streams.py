"""Streams beside the cases' (accounts, publications, readings), and the record of what was refused or read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import sqlalchemy as sa

from engine.calendar import local_date
from engine.errors import NotFound
from engine.model import JSON, ActedAs, Actor, Event
from engine.store import tables as t
from engine.store.accesses import stream_of_today
from engine.store.history import GENESIS, Command, Head, owner_of, write
from engine.store.records import Changes
from engine.store.saving import Saving
from engine.store.vault import Keys, new_key

if TYPE_CHECKING:
    from engine.store.transaction import Transaction

_head = sa.select(t.stream_head).where(t.stream_head.c.stream == sa.bindparam("name")).with_for_update()
_move_head = (
    t.stream_head.update()
    .where(t.stream_head.c.stream == sa.bindparam("name"))
    .values(events=sa.bindparam("count"), head=sa.bindparam("hash"), last_at=sa.bindparam("at"))
)


class Streams(Saving):
    """Appending to a stream that no case owns."""

    def append(self, stream: str, events: Sequence[Event]) -> None:
        """Append one command's events to ``account:…``, ``definition:``, ``access:…`` and the like.

        The head is read under a lock of its own row; cases' streams are written by ``save`` only.
        """
        if stream.startswith("case:"):
            raise ValueError("a case's stream is written by save")
        row = self.execute(_head, {"name": stream}).one_or_none()
        if row is None:
            self.execute(self._insert_or_leave(t.stream_head), {"stream": stream, "events": 0, "head": GENESIS})
            row = self.execute(_head, {"name": stream}).one()
        now = max(self.now(), row.last_at) if row.last_at else self.now()
        head = Head(stream=stream, events=row.events, hash=bytes(row.head))
        key = self._stream_key(owner_of(stream)) if any(event.values for event in events) else b""
        command = Command(id=uuid4(), recorded_at=now, rows=self._told.pop(stream, {}))
        written = write(self.keys, key, head, events, command)
        self.insert_history(written)
        after = {"name": stream, "count": written.head.events, "hash": written.head.hash, "at": now}
        self.execute(_move_head, after)

    def _stream_key(self, owner: UUID) -> bytes:
        key = self.data_key(owner)
        if key is None:
            key, wrapped = new_key(self.keys, owner)
            self.execute(t.data_key.insert(), {"id": owner, "wrapped": wrapped})
        return key


def refuse(tx: Transaction, actor: Actor, case_id: UUID | None, event: Event) -> None:
    """Append a refused attempt to the case's stream; to the account's where no such case exists."""
    if case_id is not None:
        try:
            case = tx.lock_case(case_id)
        except NotFound:
            pass
        else:
            tx.save(case, Changes(command=uuid4(), events=(event,)))
            return
    tx.append(f"account:{actor.account}" if actor.account else "account:system", [event])


def refusal(keys: Keys, actor: Actor, verb: str, reason: str, input_digest: str) -> Event:
    """Who tried what, why not, and the digest of what was given: no values.

    Under the key, as what people give can be guessed and tried.
    """
    detail = {"verb": verb, "reason": reason, "input": keys.digest(input_digest)}
    return Event(kind="attempt.refused", input=True, actor=acted(actor), detail=detail)


def record_access(tx: Transaction, actor: Actor, case_id: UUID, what: str) -> None:
    """Append a reading of a case to one of the day's streams; the case itself is not locked."""
    _record_reading(tx, actor, "case.read", {"case": str(case_id), "what": what})


def record_export(tx: Transaction, actor: Actor, detail: Mapping[str, JSON]) -> None:
    """Append a package's making to the day's stream of readings."""
    _record_reading(tx, actor, "cases.exported", detail)


def _record_reading(tx: Transaction, actor: Actor, kind: str, detail: Mapping[str, JSON]) -> None:
    stream = stream_of_today(local_date(tx.now()))
    tx.append(stream, [Event(kind=kind, input=True, actor=acted(actor), detail=detail)])


def acted(actor: Actor) -> ActedAs:
    """The actor with the first post held."""
    post = next(iter(actor.memberships), None)
    return ActedAs(
        account=actor.account, name=actor.display_name, post=post.post if post else "", unit=post.unit if post else ""
    )
