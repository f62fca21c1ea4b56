"""Kept messages: who looks after those that reached nobody, and what may be done with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from engine.commands.attempt import acted_as, attempt
from engine.commands.letters import LONGEST_KEPT, Delivery, delivery_of, kept_for, tell
from engine.commands.office import DISTRICT, Office
from engine.commands.sending import hand_over_kept
from engine.commands.stuck import explained
from engine.commands.stuck import retry_incident as retry_in_case
from engine.errors import Finding, Forbidden, Invalid, NotFound, NothingWaits
from engine.model import Actor, Once, Outcome
from engine.store import Message, Transaction
from engine.store.messages import STUCK, is_message, open_messages

OPEN = ("kept", "expired", "failed")
LAPSED = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptMessage:
    """A message nobody has got, for who looks after it: never its content."""

    id: UUID
    name: str
    key: str
    sender: str
    status: str
    code: str | None
    taken_at: datetime
    expires_at: datetime | None


def kept_messages(office: Office, actor: Actor) -> tuple[KeptMessage, ...]:
    """Messages that wait for a receiver or found none, oldest first, at most 200.

    Raises:
        Forbidden: only a system administrator of the whole district reads them.
    """
    if not _administers(actor):
        raise Forbidden(role="system_admin", scope=DISTRICT)
    with office.store.reading() as reading:
        return tuple(
            KeptMessage(
                id=m.number,
                name=m.name,
                key=m.key,
                sender=m.sender,
                status=m.status,
                code=m.code,
                taken_at=m.taken_at,
                expires_at=m.expires_at,
            )
            for m in open_messages(reading, *OPEN)
        )


def _administers(actor: Actor) -> bool:
    return actor.account is None or actor.holding("system_admin", DISTRICT) is not None


def give_up_message(office: Office, actor: Actor, number: UUID, *, once: Once | None = None) -> Delivery:
    """Let a message go that nobody will wait for; its content is forgotten.

    Raises:
        NotFound: no such message, or not the district's system administrator, who alone sees them.
        NothingWaits: somebody has it, or it was given up before.
    """

    def act(tx: Transaction, message: Message) -> None:
        tx.move_message(number, "given_up")
        tell(tx, message, "message.given_up", acted_as(actor, "system_admin", DISTRICT))

    return _on_message(office, actor, number, "give_up", act, once=once)


def extend_message(
    office: Office, actor: Actor, number: UUID, until: datetime | None = None, *, once: Once | None = None
) -> Delivery:
    """Keep a message until another moment (as long again as the diagram says, without one), also an expired one.

    A message that could not be delivered is tried again.

    Raises:
        Invalid: not within the next 400 days. Else as ``give_up_message``.
    """

    def act(tx: Transaction, message: Message) -> None:
        moment = until or tx.now() + kept_for(office, office.message(message.name))
        if not tx.now() < moment <= tx.now() + LONGEST_KEPT:
            zh, en = "保留期限须在今后 400 天之内", "It must lie within the next 400 days"
            raise Invalid([Finding(where="until", rule="range", zh=zh, en=en)])
        tx.move_message(number, "kept", expires_at=moment, code=None)
        detail = {"until": moment.isoformat(), "was": message.status}
        tell(tx, message, "message.extended", acted_as(actor, "system_admin", DISTRICT), **detail)

    return _on_message(office, actor, number, "extend", act, once=once)


def _on_message(
    office: Office,
    actor: Actor,
    number: UUID,
    verb: str,
    act: Callable[[Transaction, Message], None],
    *,
    once: Once | None,
) -> Delivery:
    """One verb on one message; who waits by then gets it right away."""
    with attempt(office, actor, f"message.{verb}", {"message": str(number)}):
        if not _administers(actor):
            raise NotFound()
        with office.store.transaction() as tx:
            seen = tx.recall(actor, once) if once else None
            message = tx.lock_message(number)
            if seen is None:
                if message.status not in OPEN:
                    raise NothingWaits()
                act(tx, message)
                if once:
                    tx.remember(actor, once, {"message": str(number)})
    hand_over_kept(office, message.name, message.key)
    with office.store.transaction() as tx:
        after = tx.lock_message(number)
        tx.abandon()
    return delivery_of(after)


def retry_incident(office: Office, actor: Actor, incident_id: UUID, *, once: Once | None = None) -> Outcome | Delivery:
    """Try again what is stuck, in a case or on the way to one.

    Raises:
        As the verb of ``commands.stuck`` for an incident of a case, as ``extend_message`` for a message's.
    """
    with office.store.reading() as reading:
        of_message = is_message(reading, incident_id)
    if of_message and actor.holding("system_admin", DISTRICT) is not None:
        return extend_message(office, actor, incident_id, once=once)
    return retry_in_case(office, actor, incident_id, once=once)


def expire_messages(office: Office) -> int:
    """Mark the kept messages whose time is over, as incidents somebody sees; gives how many."""
    with office.store.transaction() as tx:
        over = tx.lapsed_messages(LAPSED)
        for message in over:
            tx.move_message(message.number, "expired", code="message_expired")
            tell(tx, message, "message.expired", None)
        return len(over)


@dataclass(frozen=True, kw_only=True, slots=True)
class StuckMessage:
    """A message that reached nobody, told beside what is stuck in cases; ``id`` is the message's own."""

    id: UUID
    case_id: None = None
    message: str
    code: str
    zh: str
    en: str
    opened_at: datetime
    may_retry: bool = True


def stuck_messages(office: Office, actor: Actor) -> tuple[StuckMessage, ...]:
    """The messages that need somebody, for the district's system administrators; nothing for anybody else."""
    if actor.holding("system_admin", DISTRICT) is None:
        return ()
    with office.store.reading() as reading:
        return tuple(_stuck(each) for each in open_messages(reading, *STUCK))


def _stuck(message: Message) -> StuckMessage:
    lapsed = message.expires_at if message.status == "expired" else None
    code = message.code or message.status
    zh, en = explained(code)
    opened_at = lapsed or message.taken_at
    return StuckMessage(id=message.number, message=message.name, code=code, zh=zh, en=en, opened_at=opened_at)
