"""One open connection and what is read through it: the base of every transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection, CursorResult

from engine.errors import NotFound
from engine.model import JSON, Actor, Membership
from engine.store import rows
from engine.store import tables as t
from engine.store.columns import database_now
from engine.store.prepared import Prepared, trip
from engine.store.records import Attachment, SessionRow
from engine.store.rights import sees_case
from engine.store.vault import Keys, unseal, unseal_json, unwrap

_CLOCK = Prepared(sa.select(database_now().label("database_now"), t.clock.c.offset_microseconds, t.clock.c.floor))
_KEY = sa.select(t.data_key.c.wrapped).where(t.data_key.c.id == sa.bindparam("owner"))
_DRAFT = (
    sa.select(t.draft.c.sealed, t.data_key.c.id, t.data_key.c.wrapped)
    .join(t.task, t.task.c.id == t.draft.c.task_id)
    .join(t.data_key, t.data_key.c.id == t.task.c.case_id)
    .where(t.draft.c.task_id == sa.bindparam("task"), t.draft.c.account_id == sa.bindparam("account"))
)
_CHUNKS = (
    sa.select(t.attachment_chunk.c.number, t.attachment_chunk.c.sealed)
    .where(t.attachment_chunk.c.attachment_id == sa.bindparam("attachment"))
    .order_by(t.attachment_chunk.c.number)
)
_SESSION = Prepared(
    sa.select(
        t.account.c.id,
        t.account.c.name,
        t.account.c.display_name,
        t.session.c.csrf,
        t.session.c.expires_at,
        t.membership.c.role,
        t.membership.c.scope,
        t.membership.c.unit,
        t.membership.c.post,
        database_now().label("database_now"),
        t.clock.c.offset_microseconds,
        t.clock.c.floor,
    )
    .select_from(
        t.session.join(t.account, t.account.c.id == t.session.c.account_id)
        .join(t.clock, sa.true())
        .outerjoin(t.membership, t.membership.c.account_id == t.account.c.id)
    )
    .where(t.session.c.token_hash == sa.bindparam("token_hash"), t.account.c.active)
    .order_by(t.membership.c.role, t.membership.c.scope)
)


def simulated(row: Any) -> datetime:
    """The shared clock of a row that holds the database's clock, the offset and the floor."""
    moment: datetime = row.database_now + timedelta(microseconds=row.offset_microseconds)
    floor: datetime = row.floor
    return max(moment, floor)


class Reading:
    """Queries only. Everything read within one Reading is of one moment (a snapshot)."""

    def __init__(self, connection: Connection, keys: Keys) -> None:
        self.connection = connection
        self.keys = keys
        self._moment: datetime | None = None
        self._after_commit: list[Callable[[], None]] = []
        self._told: dict[str, rows.Told] = {}
        #: The number of the publication in force as read with the lock (in a tuple, as there may be none).
        self.publication_seen: tuple[int | None] | None = None

    @property
    def dialect(self) -> str:
        """``postgresql`` or ``sqlite``."""
        return self.connection.dialect.name

    def execute(self, statement: sa.Executable, values: Any = None) -> CursorResult[Any]:
        """Run a statement; for this package only."""
        return self.connection.execute(statement, values)

    def rows(self, prepared: Prepared, values: Mapping[str, Any]) -> list[Any]:
        """Run a query of the hot path; for this package only."""
        return prepared.rows(self.connection, values)

    def together(self, *asked: tuple[Prepared, Mapping[str, Any]]) -> list[list[Any]]:
        """Run several queries of the hot path in one trip; for this package only."""
        with trip(self.connection):
            cursors = [prepared.send(self.connection, values) for prepared, values in asked]
        answered = zip(asked, cursors, strict=True)
        return [prepared.read(self.connection, cursor) for (prepared, _), cursor in answered]

    def tell(self, stream: str, letter: str, number: UUID, digest: bytes) -> None:
        """The stream's next event in this transaction will say of this row that it looks so; for this package only."""
        self._told.setdefault(stream, {})[rows.Place(letter, number)] = digest

    def now(self) -> datetime:
        """The shared clock: the database's plus the simulation's offset. One moment per transaction.

        Read after the lock, and never before the last event of the locked case.
        """
        if self._moment is None:
            self._moment = simulated(self.rows(_CLOCK, {})[0])
        return self._moment

    def data_key(self, owner: UUID) -> bytes | None:
        """The data key of a case, account or stream; None when there is none or it has been erased."""
        wrapped = self.execute(_KEY, {"owner": owner}).scalar()
        return None if wrapped is None else unwrap(self.keys, owner, wrapped)

    def actor_of_session(self, token_hash: bytes) -> SessionRow | None:
        """Who holds the session of this token's SHA-256, with the posts held now; None: unknown, ended or closed."""
        rows = self.rows(_SESSION, {"token_hash": token_hash})
        if not rows or rows[0].expires_at <= simulated(rows[0]):
            return None
        first = rows[0]
        posts = tuple(
            Membership(role=row.role, scope=row.scope, unit=row.unit, post=row.post) for row in rows if row.role
        )
        actor = Actor(account=first.id, name=first.name, display_name=first.display_name, memberships=posts)
        return SessionRow(actor=actor, csrf=first.csrf, expires_at=first.expires_at)

    def draft(self, task_id: UUID, actor: Actor) -> dict[str, JSON] | None:
        """The actor's own unfinished answers to a task, None where there are none."""
        row = self.execute(_DRAFT, {"task": task_id, "account": actor.account}).one_or_none()
        if row is None or row.wrapped is None:
            return None
        answers: dict[str, JSON] = unseal_json(
            unwrap(self.keys, row.id, row.wrapped), f"draft:{task_id}:{actor.account}", row.sealed
        )
        return answers

    def attachment(self, actor: Actor, digest: str) -> Attachment:
        """A file (``sha256:<hex>``) the actor uploaded, or of a case the actor may see. Raises NotFound."""
        in_case = (
            sa.select(t.case_attachment.c.attachment_id)
            .join(t.process_instance, t.process_instance.c.id == t.case_attachment.c.case_id)
            .where(sees_case(actor))
        )
        allowed = (t.attachment.c.account_id == actor.account) | t.attachment.c.id.in_(in_case)
        wanted = t.attachment.c.digest == digest.removeprefix("sha256:")
        row = self.execute(sa.select(t.attachment).where(wanted, allowed).limit(1)).one_or_none()
        if row is None or row.wrapped is None:
            raise NotFound()
        key = unwrap(self.keys, row.id, row.wrapped)
        chunks = self.execute(_CHUNKS, {"attachment": row.id})
        content = b"".join(unseal(key, f"chunk:{row.id}:{chunk.number}", chunk.sealed) for chunk in chunks)
        name = unseal(key, f"name:{row.id}", row.sealed_name).decode()
        return Attachment(digest=digest, name=name, media_type=row.media_type, content=content)

    def unfinished(self) -> int:
        """How many jobs and messages still wait to be done."""
        waiting = [
            sa.select(sa.func.count()).where(queue.c.status == "waiting").scalar_subquery()
            for queue in (t.job, t.outbox)
        ]
        return int(self.execute(sa.select(waiting[0] + waiting[1])).scalar_one())

    def tally(self) -> Mapping[str, Any]:
        """Recorded effects counted in two independent ways, to check that none was lost or done twice."""
        kinds = ("task.completed", "document.issued", "notice.queued")
        found = {row.kind: row.number for row in self.execute(_EVENTS_OF, {"kinds": kinds})}
        rows = self.execute(_EFFECTS).one()._mapping
        outbox = self.execute(sa.select(t.outbox.c.id).where(_NOTICE)).scalars().all()
        missing = (rows["numbers_taken"] or 0) - rows["numbers"]
        counted = {kind: found.get(kind, 0) for kind in kinds}
        return {**counted, **rows, "numbers_missing": missing, "outbox_ids": tuple(outbox)}


def _count(column: sa.ColumnElement[Any], *where: sa.ColumnElement[bool]) -> sa.ScalarSelect[Any]:
    return sa.select(sa.func.count(column)).where(*where).scalar_subquery()


_NOTICE = t.outbox.c.kind == "sms"
_EVENTS_OF = (
    sa.select(t.event.c.kind, sa.func.count().label("number"))
    .where(t.event.c.kind.in_(sa.bindparam("kinds", expanding=True)))
    .group_by(t.event.c.kind)
)
_EFFECTS = sa.select(
    _count(t.task.c.id, t.task.c.status == "completed").label("tasks_completed"),
    _count(t.document.c.id).label("documents"),
    _count(t.document.c.digest).label("documents_rendered"),
    _count(t.document.c.number).label("numbers"),
    _count(t.document.c.number.distinct()).label("numbers_distinct"),
    sa.select(sa.func.sum(t.serial.c.last)).where(t.serial.c.kind != "case").scalar_subquery().label("numbers_taken"),
    _count(t.outbox.c.id, _NOTICE).label("outbox"),
    _count(t.outbox.c.id, _NOTICE, t.outbox.c.status == "done").label("outbox_sent"),
)
