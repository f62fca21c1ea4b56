"""Messages: from outside to a case, from case to case; to who waits, else to the process they start, else kept."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from engine import bpmn
from engine.bpmn import Definition
from engine.bpmn.messages import Known
from engine.commands.attempt import Attempt, acted_as, attempt
from engine.commands.cases import (
    answered,
    item_of,
    may_act,
    new_record,
    next_number,
    opened,
    settled,
    starter,
)
from engine.commands.letters import (
    FORBIDDEN,
    LONGEST_KEPT,
    Delivery,
    Letter,
    answer_with,
    checked,
    delivery_from,
    delivery_of,
    fitting,
    kept_for,
    tell,
)
from engine.commands.office import Office
from engine.errors import (
    AlreadyStarted,
    DatabaseBusy,
    Finding,
    Forbidden,
    Invalid,
    NotFound,
    NothingWaits,
)
from engine.model import Actor, CaseStatus, Once
from engine.store import Case, Message, Transaction, WaitRow, new_id, queries
from engine.store.messages import taken

# How often who waits may change hands while a message looks for its receiver.
TRIES = 20


def deliver_message(
    office: Office,
    actor: Actor,
    *,
    name: str,
    key: str,
    payload: Any,
    message_id: str,
    expires_at: datetime | None = None,
    once: Once | None = None,
) -> Delivery:
    """Give a message to the one subscription that has waited longest for this name and correlation key.

    Where nobody waits it starts the process whose start event it meets, once per key; else it is kept for who will
    wait. The same ``message_id`` of the same sender counts once: asked again, the answer says where the message is.

    Raises:
        Forbidden: neither a right on the case nor the role the message names as its sender.
        NothingWaits: nobody that the actor may see waits, and the message names nobody who may send it in advance.
        Invalid: the content does not fit the message's schema (every bad field), a moment to expire that is none.
        KeyReused: the id came with another message. AlreadyStarted: the key has started its case.
        Nothing is written then but the refusal.
    """
    given = {"name": name, "key": key, "payload": payload, "id": message_id}
    letter = Letter(
        name=name, key=key, payload=payload, id=message_id, sender=actor.name, actor=actor, expires_at=expires_at
    )
    with attempt(office, actor, "deliver", given) as made:
        if (before := answered(office, actor, once)) is not None:
            return delivery_from(before)
        return carry(office, letter, made, once)


def carry(office: Office, letter: Letter, made: Attempt, once: Once | None = None) -> Delivery:
    """Bring a message to its receiver, or keep it; ``made`` learns which case it is about. Raises as the verb."""
    for _ in range(TRIES):
        with office.store.glance() as reading:
            what = {"name": letter.name, "key": letter.key, "payload": letter.payload}
            known = taken(reading, letter.sender, letter.id, **what)
        if known is not None:
            return delivery_of(known)
        unseen = False
        try:
            found = _hand_over(office, letter, made, once)
        except NothingWaits as nobody:
            found, unseen = None, bool(nobody.facts.get("unseen"))
            made.case = made.case if unseen else None
        found = found or _start(office, letter, once) or _keep(office, letter, once, unseen=unseen)
        if found is not None:
            return found
    raise DatabaseBusy()


# -- to who waits
def _hand_over(office: Office, letter: Letter, made: Attempt, once: Once | None) -> Delivery | None:
    """To the case that waits. None: the message came meanwhile. Raises NothingWaits (fact unseen: not for them)."""
    waiting: list[WaitRow] = []

    def lock(tx: Transaction) -> Case:
        case, wait = tx.lock_subscription(letter.name, letter.key)
        waiting[:] = [wait]
        return case

    with settled(office, lock) as (tx, case):
        made.case = case.id
        if case.status is not CaseStatus.ACTIVE:
            raise NothingWaits(message=letter.name)
        if once and (answer := tx.recall(letter.actor, once)) is not None:
            return delivery_from(answer)
        row = letter.row("delivered", tx.now(), case_id=case.id)
        if not tx.take_message(row):
            tx.abandon()
            return None
        put_into(office, tx, case, waiting[0], letter)
        return answer_with(tx, row, letter.actor, once, case)


def put_into(office: Office, tx: Transaction, case: Case, wait: WaitRow, letter: Letter) -> None:
    """Give a message to a subscription of the locked case, with rights and content checked by the case's release.

    Raises:
        NothingWaits (fact unseen): the sender may neither send this nor see the case. Forbidden: may not send it.
        Invalid: the content does not fit, or the machine refuses it.
    """
    release, definition, record = opened(office, tx, case, acted_as(letter.actor))
    sender = definition.message(wait.element, letter.name).sender
    if not may_send(letter.actor, definition, case, sender):
        try:
            queries.case_page(tx, letter.actor, case.id)
        except NotFound as error:
            # Keys can be guessed: to who may not see the case, nobody waits.
            raise NothingWaits(message=letter.name, unseen=True) from error
        raise Forbidden(process=case.process_key)
    payload = checked(office, release, definition, wait.element, letter)
    detail = {**letter.detail(), "wait": wait.number}
    record.input("message.delivered", element=wait.element, detail=detail, values={"payload": payload})
    record.take(bpmn.deliver(definition, case.state or b"", record.now, wait.number, payload))
    tx.save(case, record.changes())


def may_send(actor: Actor, definition: Definition, case: Case, sender: str | None) -> bool:
    """May the actor send this message to the case: who may act on it, or who holds the role named for sending it."""
    named = sender is not None and actor.holding(sender, case.scope) is not None
    return actor.account is None or named or may_act(actor, definition, case)


# -- to the process it starts
def _start(office: Office, letter: Letter, once: Once | None) -> Delivery | None:
    """Start the process whose start event the message meets.

    None: there is no such process, the message came meanwhile, or its key has started a case that may wait for it.

    Raises:
        Forbidden, Invalid. AlreadyStarted: the key has started its case, and no case will wait for the message.
    """
    known = office.message(letter.name)
    if known is None or known.process is None:
        return None
    with office.store.transaction() as tx:
        release = office.current_release(known.process)
        if once and (answer := tx.recall(letter.actor, once)) is not None:
            return delivery_from(answer)
        definition = office.definition(release)
        where = f"{known.process}/{known.element}"
        payload = checked(office, release, definition, where, letter)
        values, (role, scope) = _first_values(office, letter, definition, where, payload)
        held = _may_start(letter, known, definition.message(where, letter.name).sender, role, scope)
        row = letter.row("started", tx.now(), case_id=new_id())
        if held is None or not _first(tx, letter, known, row):
            tx.abandon()
            return None
        number = next_number(tx, known.process, values.get("item"))
        who = acted_as(letter.actor, held, scope)
        record = new_record(office, tx, release, number=number, actor=who, scope=scope, case_id=row.case_id)
        detail = {"process": known.process, "business_key": number, "at": known.element, **letter.detail()}
        record.input("case.started", detail=detail, values={**values, "key": letter.key, "payload": payload})
        # The conversation goes on under the key it began with (BPMN 2.0 §8.4.2), whatever number the case gets.
        met: dict[str, Any] = {"at": known.element, "payload": payload, "semantics": release.semantics}
        record.take(bpmn.start(definition, record.now, values, business_key=letter.key, **met))
        tx.save(record.case, record.changes())
        return answer_with(tx, row, letter.actor, once, record.case)


def _first_values(
    office: Office, letter: Letter, definition: Definition, where: str, payload: Any
) -> tuple[dict[str, Any], tuple[str, str]]:
    """The new case's first variables, and the role and scope of the lane in which the start event ``where`` lies."""
    values = item_of(office, definition)
    variable = definition.node(where).triggers[0].variable
    return values, starter(definition, {**values, variable: payload} if variable else values)


def _may_start(letter: Letter, known: Known, sender: str | None, role: str, scope: str) -> str | None:
    """The role by which the sender starts the case; None: not by any, but a case may wait for the message one day.

    Raises:
        Forbidden: neither the start event's role nor the one named for sending the message.
    """
    if letter.actor.account is None:
        return role
    held = next((each for each in (role, sender) if each and letter.actor.holding(each, scope)), None)
    if held is None and not known.caught:
        raise Forbidden(role=sender or role, scope=scope)
    return held


def _first(tx: Transaction, letter: Letter, known: Known, row: Message) -> bool:
    """Is this the message that starts its key's case? No: it came meanwhile, or the case may wait for it one day.

    Raises:
        AlreadyStarted: the key has its case, and no case ever waits for the message.
    """
    if not tx.take_message(row):
        return False
    if tx.take_start(known.process or "", letter.name, letter.key, row.case_id or row.number):
        return True
    if not known.caught:
        raise AlreadyStarted(message=letter.name)
    return False


# -- to be kept
def _keep(office: Office, letter: Letter, once: Once | None, *, unseen: bool) -> Delivery | None:
    """Keep it for who will wait; None: somebody waits by now, or the message came meanwhile."""
    known = office.message(letter.name)
    with office.store.transaction() as tx:
        if once and (answer := tx.recall(letter.actor, once)) is not None:
            return delivery_from(answer)
        _check_keeping(office, tx, letter, known)
        schema = known.message.schema if known else None
        if known is not None:
            fitting(office, office.published().entries["form"][schema] if schema else None, letter.payload)
        row = letter.row("kept", tx.now(), expires_at=_expiry(office, tx, letter, known))
        if unseen:
            row = replace(row, status="failed", code=FORBIDDEN)
        if not tx.take_message(row):
            tx.abandon()
            return None
        tx.lock_pair(letter.name, letter.key)
        if not unseen and tx.somebody_waits(letter.name, letter.key):
            tx.abandon()
            return None
        tell(tx, row, "message.kept", acted_as(letter.actor), **letter.detail())
        return answer_with(tx, row, letter.actor, once)


def _check_keeping(office: Office, tx: Transaction, letter: Letter, known: Known | None) -> None:
    """May the actor send this to a receiver that is not there yet?

    Raises:
        Forbidden: not the role that the message names, and the key is no case's that the actor may act on.
        NothingWaits: neither, where it names no role.
    """
    sender = known.message.sender if known else None
    named = sender is not None and bool(letter.actor.scopes(sender))
    if letter.actor.account is None or named or _acts_on_key(office, tx, letter):
        return
    if sender is not None:
        raise Forbidden(role=sender)
    raise NothingWaits(message=letter.name)


def _acts_on_key(office: Office, tx: Transaction, letter: Letter) -> bool:
    case_id = tx.case_of_key(letter.key)
    if case_id is None:
        return False
    try:
        page = queries.case_page(tx, letter.actor, case_id)
    except NotFound:
        return False
    # What has ended will never wait.
    return page.status is not CaseStatus.ENDED and may_act(letter.actor, office.release_of(page.release)[1], page)


def _expiry(office: Office, tx: Transaction, letter: Letter, known: Known | None) -> datetime:
    now = tx.now()
    if letter.expires_at is None:
        return now + kept_for(office, known)
    if not now < letter.expires_at <= now + LONGEST_KEPT:
        zh, en = "保留期限须在今后 400 天之内", "It must lie within the next 400 days"
        raise Invalid([Finding(where="expires_at", rule="range", zh=zh, en=en)])
    return letter.expires_at
