"""Compares rows with what their streams tell of them: nothing changed, gone, or made beside history."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag

from engine.store import rows
from engine.store import tables as t
from engine.store.cases import incident_of, task_of, wait_of
from engine.store.columns import stream_of_case
from engine.store.publishing import STREAM
from engine.store.reading import Reading
from engine.store.rows import GONE, Place
from engine.store.vault import unseal, unwrap

if TYPE_CHECKING:
    from engine.store.verify import Stream

#: The incident that says a case's timers are tried again later: only then may its next moment differ from history.
FIRING_FAILED = "firing_failed"
#: What a row that somebody filled with anything may do to whoever reads it.
UNREADABLE = (ValueError, TypeError, AttributeError, KeyError, IndexError, OverflowError, sa.exc.SQLAlchemyError)
Seen = dict[Place, bytes]


class Blame(Protocol):
    """Notes a fault."""

    def __call__(self, stream: str, number: int, what: str, row: str = "") -> None: ...


def _name(place: Place) -> str:
    small = place.id.int < 1 << 64 and place.letter in "sn"
    return f"{place.table} {place.id.int if small else place.id}"


class RowsCheck:
    """Looks at the rows of many ended streams together, and at the end at those that no stream claims."""

    def __init__(self, reading: Reading, blame: Blame) -> None:
        self._reading = reading
        self._blame = blame
        self._accounts: set[UUID] = set()
        self._published = False

    def look(self, ended: Sequence[Stream]) -> None:
        """Compare the rows these streams tell of."""
        cases = [one for one in ended if one.name.startswith("case:") and one.owner]
        self._cases(cases)
        accounts = [one for one in ended if one.name.startswith("account:") and one.owner]
        seen = self._of_accounts([one.owner for one in accounts])
        for one in accounts:
            if one.owner:
                self._accounts.add(one.owner)
                self._compare(one, seen[one.owner])
        for one in ended:
            if not one.name.startswith("case:") or one.owner is None:
                self._head(one)
            if one.name == STREAM:
                self._published = True
                self._compare(one, self._of_publications())

    # -- heads
    def _head(self, stream: Stream) -> None:
        found = sa.select(t.stream_head).where(t.stream_head.c.stream == stream.name)
        try:
            row = self._reading.execute(found).one_or_none()
        except UNREADABLE:
            row = None
        self._ends(stream, row, "stream_head")

    def _ends(self, stream: Stream, row: Any, table: str) -> None:
        if row is None:
            self._blame(stream.name, 0, "belongs to nothing", table)
        elif (row.events, bytes(row.head)) != (stream.events, stream.hash):
            self._blame(stream.name, max(stream.events, row.events), "does not end where its head says", table)
        elif row.last_at != stream.last_at:
            self._blame(stream.name, stream.events, "its head names another moment", table)

    # -- cases
    def _cases(self, streams: Sequence[Stream]) -> None:
        if not streams:
            return
        ids = [one.owner for one in streams]
        try:
            heads = {row.id: row for row in self._reading.execute(_HEADS, {"ids": ids})}
        except UNREADABLE:
            self._blame(streams[0].name, 0, "the rows of cases cannot be read", "process_instance")
            return
        seen, stuck = self._case_rows(ids)
        for one in streams:
            row = heads.get(one.owner)
            self._ends(one, row, "process_instance")
            if row is not None:
                self._state(one, row)
            skipped = {"w"} if one.owner in stuck else set()
            self._compare(one, seen[one.owner] if one.owner else {}, skipped)

    def _case_rows(self, ids: Sequence[UUID | None]) -> tuple[dict[UUID, Seen], set[UUID]]:
        seen: dict[UUID, Seen] = defaultdict(dict)
        stuck: set[UUID] = set()
        for statement, look in _OF_CASES:
            try:
                for row in self._reading.execute(statement, {"ids": ids}):
                    owner = row.case_id
                    seen[owner] |= look(row)
                    if statement is _INCIDENTS and row.code == FIRING_FAILED and row.closed_at is None:
                        stuck.add(owner)
            except UNREADABLE:
                self._blame("", 0, "rows cannot be read", str(statement.get_final_froms()[0]))
        return seen, stuck

    def _state(self, stream: Stream, row: Any) -> None:
        key_row = f"data_key {row.id}"
        if (row.erased_at is not None) != stream.erased:
            self._blame(stream.name, stream.events, "said to be erased otherwise than by its history", key_row)
        if row.wrapped is None:
            if not stream.erased:
                self._blame(stream.name, stream.events, "its key is gone, and no erasure is recorded", key_row)
            return
        if stream.erased:
            self._blame(stream.name, stream.events, "its key is there, though history says erased", key_row)
        try:
            key = unwrap(self._reading.keys, row.id, row.wrapped)
            if row.sealed_state is None:
                wrong = stream.state_digest is not None
            else:
                state = unseal(key, f"state:{row.id}", row.sealed_state)
                wrong = hashlib.sha256(state).digest() != stream.state_digest
        except (InvalidTag, *UNREADABLE):
            self._blame(stream.name, stream.events, "the case's sealed state, or the key to it, has been changed")
            return
        if wrong:
            self._blame(stream.name, stream.events, "the case's state is not the one its history ends with")

    # -- comparing
    def _compare(self, stream: Stream, seen: Seen, skipped: set[str] = frozenset()) -> None:  # type: ignore[assignment]
        for place, (digest, number) in stream.told.items():
            if place.letter not in rows.TABLES or place.letter in skipped:
                continue
            found = seen.get(place, GONE)
            if found == digest:
                continue
            what = "a row of it is gone" if found == GONE else "a row of it is not as history says"
            self._blame(stream.name, number, what, _name(place))
        if stream.schema < 2:
            return  # begun before history told of rows: what it does not tell of may be older
        for place in seen.keys() - stream.told.keys():
            self._blame(stream.name, stream.events, "a row that no event tells of", _name(place))

    def _of_accounts(self, ids: Sequence[UUID | None]) -> dict[UUID, Seen]:
        seen: dict[UUID, Seen] = defaultdict(dict)
        posts: dict[UUID, list[dict[str, Any]]] = defaultdict(list)
        try:
            for row in self._reading.execute(_POSTS, {"ids": ids}):
                posts[row.account_id].append(row._asdict())
            for row in self._reading.execute(_ACCOUNTS, {"ids": ids}):
                seen[row.id][Place("a", row.id)] = rows.of(row._mapping, *rows.ACCOUNT)
                posts[row.id] += []
        except UNREADABLE:
            self._blame("", 0, "rows cannot be read", "account")
        for account, held in posts.items():
            seen[account][Place("m", account)] = rows.of_posts(held)
        return seen

    def _of_publications(self) -> Seen:
        found: Seen = {}
        try:
            for row in self._reading.execute(sa.select(t.publication)):
                found[Place("n", rows.numbered(row.number))] = rows.of(row._mapping, *rows.PUBLICATION)
            for row in self._reading.execute(sa.select(t.version)):
                number = rows.version_id(row.kind, row.name, row.version)
                found[Place("v", number)] = rows.of(row._mapping, *rows.VERSION)
        except UNREADABLE:
            self._blame(STREAM, 0, "rows cannot be read", "publication")
        return found

    # -- what no stream claims
    def finish(self) -> None:
        """Rows that count events of a stream in which there is none, and rows that belong to no stream at all."""
        case, head, event = t.process_instance, t.stream_head, t.event
        is_there = sa.exists().where(event.c.stream == head.c.stream)
        for name in self._reading.execute(sa.select(head.c.stream).where(head.c.events > 0, ~is_there)).scalars():
            self._blame(name, 1, "events are missing", "stream_head")
        begun = sa.exists().where(event.c.stream == stream_of_case(case.c.id), event.c.number == 1)
        for number in self._reading.execute(sa.select(case.c.id).where(~begun)).scalars():
            self._blame(f"case:{number}", 1, "events are missing", f"process_instance {number}")
        for number in self._reading.execute(sa.select(t.account.c.id)).scalars():
            if number not in self._accounts:
                self._blame(f"account:{number}", 1, "an account that no event tells of", f"account {number}")
        if not self._published and self._reading.execute(sa.select(t.publication.c.number)).first() is not None:
            self._blame(STREAM, 1, "publications that no event tells of", "publication")
        for table in _OWNED:
            owner = table.c.account_id if table is t.membership else table.c.case_id
            parent = t.account if table is t.membership else case
            orphan = owner.is_not(None) & ~sa.exists().where(parent.c.id == owner)
            for number in self._reading.execute(sa.select(owner).where(orphan).distinct()).scalars():
                self._blame("", 0, "rows that belong to nothing", f"{table.name} of {number}")


def _instance(row: Any) -> Seen:
    found = {Place("c", row.id): rows.of_instance(row._mapping), Place("w", row.id): rows.digest([row.wake_at])}
    if row.sealed_title is not None:
        found[Place("b", row.id)] = rows.digest([row.sealed_title])
    return found


def _wait(row: Any) -> Seen:
    told = rows.of_wait(wait_of(row.content), row.created_at, (row.kind, row.name, row.key))
    return {Place("s", rows.numbered(row.number)): told}


def _incident(row: Any) -> Seen:
    return {Place("i", row.id): rows.of_incident(incident_of(row, row.case_id), row.closed_at)}


def _plain(letter: str, *columns: str) -> Callable[[Any], Seen]:
    return lambda row: {Place(letter, row.id): rows.of(row._mapping, *columns)}


def _of(table: sa.Table) -> sa.Select[Any]:
    return sa.select(table).where(table.c.case_id.in_(sa.bindparam("ids", expanding=True)))


def _statements() -> Iterator[tuple[sa.Select[Any], Callable[[Any], Seen]]]:
    case = t.process_instance
    yield sa.select(case, case.c.id.label("case_id")).where(case.c.id.in_(_IDS)), _instance
    yield _of(t.task), lambda row: {Place("t", row.id): rows.of_task(task_of(row))}
    yield _of(t.deadline), _plain("d", "kind", "status", "due_at", "content")
    yield _of(t.subscription), _wait
    yield _INCIDENTS, _incident
    yield _of(t.document), _plain("p", *rows.DOCUMENT)
    yield _of(t.outbox), _plain("o", *rows.QUEUED)
    yield _of(t.job), _plain("j", *rows.QUEUED)
    files = sa.select(t.attachment, t.case_attachment.c.case_id).join(t.case_attachment)
    yield files.where(t.case_attachment.c.case_id.in_(_IDS)), _plain("f", *rows.ATTACHMENT)


_IDS: sa.BindParameter[Any] = sa.bindparam("ids", expanding=True)
_HEADS = (
    sa.select(
        t.process_instance.c.id,
        t.process_instance.c.events,
        t.process_instance.c.head,
        t.process_instance.c.last_at,
        t.process_instance.c.sealed_state,
        t.data_key.c.wrapped,
        t.data_key.c.erased_at,
    )
    .outerjoin(t.data_key, t.data_key.c.id == t.process_instance.c.id)
    .where(t.process_instance.c.id.in_(_IDS))
)
_ACCOUNTS = sa.select(t.account).where(t.account.c.id.in_(_IDS))
_POSTS = sa.select(t.membership).where(t.membership.c.account_id.in_(_IDS))
_INCIDENTS = _of(t.incident)
_OF_CASES = tuple(_statements())
_OWNED = (t.task, t.deadline, t.subscription, t.incident, t.document, t.outbox, t.job, t.case_attachment, t.membership)
