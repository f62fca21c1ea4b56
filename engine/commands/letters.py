"""A message on its way: who sent it, what it must carry, what its sender is told of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from engine import forms
from engine.bpmn import Definition
from engine.bpmn.messages import Known, lifetime
from engine.commands.office import Office
from engine.errors import Finding, FormInvalid, Invalid
from engine.model import SYSTEM, ActedAs, Actor, Event, Once, Release
from engine.store import Case, Message, Transaction, new_id

LONGEST_KEPT = timedelta(days=400)
FORBIDDEN = "message_forbidden"


@dataclass(frozen=True, kw_only=True, slots=True)
class Letter:
    """A message on its way. ``sender`` and ``id`` make it count once; ``source`` is the case that threw it."""

    name: str
    key: str
    payload: Any = field(repr=False)
    id: str
    sender: str
    actor: Actor
    source: UUID | None = None
    expires_at: datetime | None = None

    def detail(self) -> dict[str, Any]:
        """What history tells of it beside its content."""
        told = {"message": self.name, "id": self.id}
        return told if self.source is None else {**told, "from": str(self.source)}

    def row(self, status: str, at: datetime, **more: Any) -> Message:
        """The message as it is written down."""
        return Message(
            number=new_id(),
            sender=self.sender,
            id=self.id,
            name=self.name,
            key=self.key,
            payload=self.payload,
            status=status,
            taken_at=at,
            account=self.actor.account,
            from_case=self.source,
            **more,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """What has become of a message: delivered (to ``case``), started (``case``), kept (until ``expires_at``) …"""

    message: UUID
    status: str
    case: UUID | None = None
    expires_at: datetime | None = None


def of_system(message: str, key: str, payload: Any, *, source: UUID, number: str) -> Letter:
    """A message that a case threw: nobody's but the system's; its event's number in that case is its id."""
    return Letter(
        name=message, key=key, payload=payload, id=number, sender=f"case:{source}", actor=SYSTEM, source=source
    )


def delivery_of(message: Message) -> Delivery:
    """Where a message is. One that was not for its sender to send is kept as far as the sender can tell."""
    status = "kept" if message.code == FORBIDDEN else message.status
    return Delivery(message=message.number, status=status, case=message.case_id, expires_at=message.expires_at)


def delivery_from(plain: Mapping[str, Any]) -> Delivery:
    """The reverse of what ``answer_with`` remembers."""
    case, expires = plain["case"], plain["expires_at"]
    return Delivery(
        message=UUID(plain["message"]),
        status=plain["status"],
        case=UUID(case) if case else None,
        expires_at=datetime.fromisoformat(expires) if expires else None,
    )


def answer_with(
    tx: Transaction, message: Message, actor: Actor, once: Once | None, case: Case | None = None
) -> Delivery:
    """The answer, remembered under the request's key."""
    delivery = delivery_of(message)
    if once:
        plain = {
            "message": str(delivery.message),
            "status": delivery.status,
            "case": str(delivery.case) if delivery.case else None,
            "expires_at": delivery.expires_at.isoformat() if delivery.expires_at else None,
        }
        tx.remember(actor, once, plain, case)
    return delivery


def checked(office: Office, release: Release, definition: Definition, element: str, letter: Letter) -> Any:
    """The content as the schema that the case's release names types it; without a schema a message carries nothing.

    Raises:
        Invalid: every bad field.
    """
    schema = definition.message(element, letter.name).schema
    return fitting(office, release.forms[schema] if schema else None, letter.payload)


def fitting(office: Office, form: str | None, payload: Any) -> Any:
    """The content typed by the form of this digest, None (nothing) without one. Raises Invalid: every bad field."""
    if form is None:
        if payload in (None, {}):
            return None
        zh, en = "此消息不带内容", "This message carries nothing"
        raise Invalid([Finding(where="payload", rule="unexpected", zh=zh, en=en)])
    if not isinstance(payload, Mapping | None):
        zh, en = "消息内容须为字段和值", "The content must be names and values"
        raise Invalid([Finding(where="payload", rule="type", zh=zh, en=en)])
    try:
        return forms.check(office.form(form), payload or {}, variables={})
    except FormInvalid as bad:
        raise FormInvalid([replace(each, where=f"payload.{each.where}".rstrip(".")) for each in bad.findings]) from bad


def kept_for(office: Office, known: Known | None) -> timedelta:
    """How long a message is kept where its sender does not say: as the diagram says, else the district's own rule."""
    told = known.message.expires if known else None
    return (lifetime(told) if told else None) or office.messages_kept


def tell(tx: Transaction, message: Message, kind: str, actor: ActedAs | None, /, **detail: Any) -> None:
    """Append to the message's own stream: until it has reached a case, there is no other."""
    tx.append(f"message:{message.number}", [Event(kind=kind, input=True, actor=actor, detail=detail)])
