"""Messages and who waits for them: taken once, kept until somebody waits, given to one subscription."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from engine.errors import KeyReused, NotFound, NothingWaits
from engine.model import JSON, Actor
from engine.store import message_tables as m
from engine.store import tables as t
from engine.store.cases import CaseLocks
from engine.store.columns import new_id
from engine.store.papers import Papers, insert
from engine.store.people import account_of
from engine.store.prepared import Prepared
from engine.store.reading import Reading
from engine.store.records import Case, Outgoing, WaitRow
from engine.store.vault import new_key, plain_text, seal_json, unseal_json, unwrap

DELIVER = "deliver"
"""The kind of the job that hands over what was kept."""
STUCK = ("expired", "failed")
"""Where a message stands that needs somebody."""
_bind = sa.bindparam
_message = m.message.c
# Written out, so that the planner finds the indexes made for just these rows.
_KEPT = sa.literal_column("message.status") == sa.literal_column("'kept'")
_FOR_MESSAGE = sa.literal_column("subscription.kind") == sa.literal_column("'message'")
_FOR_SIGNAL = sa.literal_column("subscription.kind") == sa.literal_column("'signal'")
_OPEN = sa.literal_column("message.status").in_([sa.literal_column(f"'{s}'") for s in ("kept", "expired", "failed")])
_waiting = (
    sa.select(t.subscription.c.case_id)
    .join(t.process_instance, t.process_instance.c.id == t.subscription.c.case_id)
    .where(
        _FOR_MESSAGE,
        t.subscription.c.name == _bind("name"),
        t.subscription.c.key == _bind("key"),
        # A suspended case goes on waiting, but takes nothing in.
        t.process_instance.c.status == "active",
    )
    .order_by(t.subscription.c.created_at, t.subscription.c.case_id, t.subscription.c.number)
    .limit(1)
)
_by_waiter = Prepared(
    sa.select(t.process_instance).where(t.process_instance.c.id == _waiting.scalar_subquery()).with_for_update()
)
_kept_for = Prepared(
    sa.select(sa.func.count().label("found")).where(_message.name == _bind("name"), _message.key == _bind("key"), _KEPT)
)
_oldest = (
    sa.select(m.message, t.data_key.c.wrapped)
    .join(t.data_key, t.data_key.c.id == _message.number)
    .where(
        _KEPT,
        _message.name == _bind("name"),
        _message.key == _bind("key"),
        _message.expires_at > _bind("now"),
    )
    .order_by(_message.number)
    .limit(1)
    .with_for_update(of=m.message)
)
_lapsed = (
    sa.select(m.message)
    .where(_KEPT, _message.expires_at <= _bind("now"))
    .order_by(_message.expires_at)
    .limit(_bind("most"))
    .with_for_update(skip_locked=True)
)
_paired = (
    sa.select(_message.name, _message.key)
    .select_from(m.message)
    .join(
        t.subscription,
        _FOR_MESSAGE & (t.subscription.c.name == _message.name) & (t.subscription.c.key == _message.key),
    )
    .join(t.process_instance, t.process_instance.c.id == t.subscription.c.case_id)
    .where(
        _KEPT,
        t.process_instance.c.status == "active",
        _message.expires_at > _bind("now"),
    )
    .distinct()
    .limit(_bind("most"))
)
_listeners = (
    sa.select(t.subscription.c.case_id, t.subscription.c.number)
    .where(_FOR_SIGNAL, t.subscription.c.name == _bind("name"))
    .where(t.subscription.c.case_id != _bind("case"))
    .order_by(t.subscription.c.created_at, t.subscription.c.case_id, t.subscription.c.number)
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """A message as stored. ``sender`` is an account's name, or ``case:…`` with ``from_case`` for one that a case threw.

    ``status``: kept, delivered, started (a case), expired, failed (``code`` says why), given_up. ``case_id`` is who got
    it. ``name``, ``key`` and content are forgotten once somebody has it.
    """

    number: UUID
    sender: str
    id: str
    name: str
    key: str
    status: str
    taken_at: datetime
    account: UUID | None = None
    from_case: UUID | None = None
    case_id: UUID | None = None
    expires_at: datetime | None = None
    code: str | None = None
    payload: JSON = field(default=None, repr=False)


class Messages(CaseLocks, Papers):
    """The part of a transaction that takes messages in and finds who waits."""

    # -- taking in
    def take_message(self, message: Message) -> bool:
        """Write down that this message has come; False: this sender's id was taken before.

        A rival with the same id waits here until the first has committed. A kept one's content is sealed under a key
        of its own.
        """
        columns = ("number", "sender", "id", "status", "account", "from_case", "case_id", "expires_at", "code")
        row: dict[str, Any] = {name: getattr(message, name) for name in (*columns, "taken_at")}
        row |= {"name": None, "key": None, "sealed": None}
        row["body"] = _body(self.keys.sealing, message.name, message.key, message.payload)
        if message.status in ("kept", "failed"):
            key, wrapped = new_key(self.keys, message.number)
            sealed = seal_json(key, f"message:{message.number}", message.payload)
            row |= {"name": message.name, "key": message.key, "sealed": sealed}
        if self.execute(self._insert_or_leave(m.message), row).rowcount != 1:
            return False
        if row["sealed"] is not None:
            self.execute(insert(t.data_key), {"id": message.number, "wrapped": wrapped})
        return True

    def take_start(self, process: str, name: str, key: str, case_id: UUID) -> bool:
        """Give this key's one case to ``case_id``; False: it has started one. A rival waits here for the first."""
        row = {"process": process, "name": name, "key": key, "case_id": case_id}
        return self.execute(self._insert_or_leave(m.message_start), row).rowcount == 1

    # -- who waits
    def lock_subscription(self, name: str, key: str) -> tuple[Case, WaitRow]:
        """Lock the active case that has waited longest for a message of this name and correlation key.

        In that case the subscription that began first: a message has one receiver (BPMN 2.0 §8.4.2).

        Raises:
            NothingWaits: no case waits for it, or somebody delivered it while we waited for the lock.
        """
        try:
            case, _ = self._locked(_by_waiter, {"name": name, "key": key}, None)
        except NotFound as error:
            raise NothingWaits(message=name) from error
        found = next((w for w in case.waits if (w.kind, w.name, w.key) == ("message", name, key)), None)
        if found is None:
            raise NothingWaits(message=name)
        return case, found

    def lock_pair(self, name: str, key: str) -> None:
        """Shut out, until the end, whoever keeps a message of this name and key or begins to wait for one.

        The last lock but papers' numbers: after the case's, the message's own and the start's.
        """
        if self.dialect == "postgresql":
            self.execute(sa.select(sa.func.pg_advisory_xact_lock(_pair(name, key))))

    def somebody_waits(self, name: str, key: str) -> bool:
        """Does an active case wait for this name and key?"""
        return self.execute(_waiting, {"name": name, "key": key}).first() is not None

    def hand_over_kept(self, case: Case, waits: Iterable[WaitRow]) -> None:
        """Queue the delivery of what is kept for subscriptions that begin now; the worker does it after the commit.

        Under the lock of the pair, so that a message is either seen here or sees the subscription.
        """
        pairs = sorted({(w.name or "", w.key or "") for w in waits if w.kind == "message"})
        found = []
        for name, key in pairs:
            self.lock_pair(name, key)
            if self.rows(_kept_for, {"name": name, "key": key})[0].found:
                found.append({"name": name, "key": key})
        self._queue(t.job, case, ((new_id(), DELIVER, "", pair, None) for pair in found), self.now())

    def addressed(self, case: Case, outgoing: Sequence[Outgoing]) -> Iterator[Outgoing]:
        """A signal is for every subscription of other cases that waits in this moment, one entry each, in order."""
        for each in outgoing:
            if each.kind != "signal":
                yield each
                continue
            for row in self.execute(_listeners, {"name": each.name, "case": case.id}).all():
                to = {"to": str(row.case_id), "wait": row.number}
                yield replace(each, id=new_id(), payload={**each.payload, **to})

    # -- what is kept
    def kept_message(self, name: str, key: str) -> Message | None:
        """The message of this name and key that has been kept longest, locked until the end."""
        row = self.execute(_oldest, {"name": name, "key": key, "now": self.now()}).one_or_none()
        if row is None:
            return None
        payload = None
        if row.wrapped is not None and row.sealed is not None:
            payload = unseal_json(unwrap(self.keys, row.number, row.wrapped), f"message:{row.number}", row.sealed)
        return message_of(row, payload)

    def lock_message(self, number: UUID) -> Message:
        """Lock a message by its number. Raises NotFound."""
        statement = sa.select(m.message).where(_message.number == number).with_for_update()
        row = self.execute(statement).one_or_none()
        if row is None:
            raise NotFound()
        return message_of(row)

    def lapsed_messages(self, most: int) -> list[Message]:
        """Kept messages whose time is over, locked; those that others hold are left to them."""
        return [message_of(row) for row in self.execute(_lapsed, {"now": self.now(), "most": most})]

    def move_message(self, number: UUID, status: str, **values: Any) -> None:
        """Another status. Who has reached a receiver, or was given up, leaves neither name, key nor content here."""
        if status not in ("kept", "expired", "failed"):
            values |= {"name": None, "key": None, "sealed": None}
        self.execute(m.message.update().where(_message.number == number).values(status=status, **values))


class Letters(Reading):
    """Reading messages."""

    def actor_of_account(self, account: UUID) -> Actor | None:
        """The holder of an account with the posts held now; None where it is closed."""
        row = self.execute(sa.select(t.account).where(t.account.c.id == account, t.account.c.active)).one_or_none()
        if row is None:
            return None
        posts = self.execute(sa.select(t.membership).where(t.membership.c.account_id == account)).all()
        found = account_of(row, posts)
        return Actor(account=found.id, name=found.name, display_name=found.display_name, memberships=found.memberships)

    def case_of_key(self, business_key: str) -> UUID | None:
        """The case of a business key. Rights are the caller's."""
        statement = sa.select(t.process_instance.c.id).where(t.process_instance.c.business_key == business_key)
        found: UUID | None = self.execute(statement).scalar()
        return found

    def paired(self, most: int) -> list[tuple[str, str]]:
        """Names and keys of kept messages that an active case waits for: what a resumed case finds again."""
        return [(row.name, row.key) for row in self.execute(_paired, {"now": self.now(), "most": most})]


def taken(reading: Reading, sender: str, message_id: str, *, name: str, key: str, payload: JSON) -> Message | None:
    """The message of this sender and id, None where none came.

    Raises:
        KeyReused: it came with another name, key or content. NothingWaits: long ago, and where it went is not known.
    """
    asked = (_message.sender == sender) & (_message.id == message_id)
    row = reading.execute(sa.select(m.message).where(asked)).one_or_none()
    if row is None:
        return None
    if row.number is None:  # taken before messages were kept: nothing more is known of it
        raise NothingWaits()
    ring = reading.keys.sealing_keys().values()
    if not any(hmac.compare_digest(row.body, _body(sealing, name, key, payload)) for sealing in ring):
        raise KeyReused()
    return message_of(row)


def is_message(reading: Reading, number: UUID) -> bool:
    """Has any message this number?"""
    return reading.execute(sa.select(_message.number).where(_message.number == number)).first() is not None


def open_messages(reading: Reading, *statuses: str, most: int = 200) -> tuple[Message, ...]:
    """Messages nobody has got, oldest first, without content. Who may ask is the verb's to check."""
    statement = sa.select(m.message).where(_OPEN, _message.status.in_(statuses)).order_by(_message.number).limit(most)
    return tuple(message_of(row) for row in reading.execute(statement))


def message_of(row: Any, payload: JSON = None) -> Message:
    """A message from its row."""
    return Message(
        number=row.number,
        sender=row.sender,
        id=row.id,
        name=row.name or "",
        key=row.key or "",
        status=row.status,
        taken_at=row.taken_at,
        account=row.account,
        from_case=row.from_case,
        case_id=row.case_id,
        expires_at=row.expires_at,
        code=row.code,
        payload=payload,
    )


def _pair(name: str, key: str) -> int:
    """The number under which PostgreSQL locks a name and key."""
    found = hashlib.sha256(plain_text([name, key]).encode()).digest()
    return int.from_bytes(found[:8], "big", signed=True)


def _body(sealing: bytes, name: str, key: str, payload: JSON) -> bytes:
    """What tells a repetition from another message under the same id; says nothing without the sealing key."""
    return hmac.digest(sealing, b"message:" + plain_text([name, key, payload]).encode(), "sha256")
