"""What cases throw for others, and what was kept for who waits now: carried by the worker after the commit."""

from __future__ import annotations

from uuid import UUID

from engine import bpmn
from engine.commands.attempt import acted_as, attempt, digest_of
from engine.commands.cases import opened, settled
from engine.commands.letters import FORBIDDEN, Letter, of_system, tell
from engine.commands.messages import carry, put_into
from engine.commands.office import Office
from engine.errors import Conflict, Finding, Forbidden, Invalid, NothingWaits, SanweiError, StaleRevision
from engine.model import SYSTEM, Actor, CaseStatus
from engine.store import Case, Job, Message, Transaction, WaitRow

MISFIT = "message_misfit"
REFUSED = "message_refused"
SUSPENDED = "receiver_suspended"


class Undelivered(Exception):
    """A message or signal that could not be given to its receiver; ``final``: trying again alone will not help."""

    def __init__(self, code: str, *, final: bool) -> None:
        self.code, self.final = code, final
        super().__init__(code)


def deliver_sent(office: Office, job: Job) -> None:
    """Deliver what a case threw; done once however often it is tried, by the number of the event that threw it.

    Raises:
        Undelivered: the receiver does not take it, or is suspended.
    """
    try:
        if job.kind == "signal":
            deliver_signal(office, job)
        else:
            deliver_thrown(office, job)
    except StaleRevision:
        raise
    except (Invalid, Forbidden, Conflict) as refusal:
        raise Undelivered(_code(refusal), final=True) from refusal


def _code(refusal: SanweiError) -> str:
    if isinstance(refusal, Forbidden | NothingWaits):
        return FORBIDDEN
    return MISFIT if isinstance(refusal, Invalid) else REFUSED


def deliver_thrown(office: Office, job: Job) -> None:
    """A message: to who waits, to the process it starts, or kept. Raises as ``carry``."""
    source = _source(job)
    told = job.payload
    letter = of_system(job.name, told["key"], told["payload"], source=source, number=told["id"])
    with attempt(office, SYSTEM, "deliver", {"case": str(source), "event": told["id"]}) as made:
        carry(office, letter, made)


def deliver_signal(office: Office, job: Job) -> None:
    """A signal: to one subscription that waited when it was thrown; nothing where it waits no more.

    Raises:
        Undelivered: the receiver is suspended. Invalid: the machine refuses the content.
    """
    source, told = _source(job), job.payload
    target, number = UUID(told["to"]), told["wait"]
    with settled(office, lambda tx: tx.lock_case(target)) as (tx, case):
        wait = next((w for w in case.waits if (w.kind, w.name, w.number) == ("signal", job.name, number)), None)
        if wait is None or case.status is CaseStatus.ENDED or case.state is None:
            return
        if case.status is not CaseStatus.ACTIVE:
            raise Undelivered(SUSPENDED, final=False)
        letter = of_system(job.name, "", told["payload"], source=source, number=f"{told['id']}/{target}/{number}")
        if not tx.take_message(letter.row("delivered", tx.now(), case_id=case.id)):
            tx.abandon()
            return
        _, definition, record = opened(office, tx, case, acted_as(SYSTEM))
        detail = {"signal": job.name, "from": str(source), "wait": number}
        record.input("signal.delivered", element=wait.element, detail=detail, values={"payload": told["payload"]})
        record.take(bpmn.deliver(definition, case.state, record.now, number, told["payload"]))
        tx.save(case, record.changes())


def _source(job: Job) -> UUID:
    if job.case_id is None:
        raise Invalid([Finding(where="case", rule="required", zh="没有来源办件", en="No case has sent it")])
    return job.case_id


def hand_over_kept(office: Office, name: str, key: str) -> int:
    """Give kept messages, oldest first, to the subscriptions that wait for them; gives how many.

    One that its receiver does not take is an incident, and the next one has its turn.
    """
    done = 0
    while True:
        try:
            if not _next_kept(office, name, key):
                return done
            done += 1
        except _Refused as refused:
            _mark_failed(office, refused)


class _Refused(Exception):
    def __init__(self, message: Message, case: UUID, why: SanweiError) -> None:
        self.message, self.case, self.why = message, case, why
        super().__init__()


def _next_kept(office: Office, name: str, key: str) -> bool:
    """One kept message to who has waited longest; False: nobody waits, or nothing is kept. Raises _Refused."""
    waiting: list[WaitRow] = []

    def lock(tx: Transaction) -> Case:
        case, wait = tx.lock_subscription(name, key)
        waiting[:] = [wait]
        return case

    try:
        with settled(office, lock) as (tx, case):
            message = tx.kept_message(name, key) if case.status is CaseStatus.ACTIVE else None
            if message is None:
                return False
            try:
                put_into(office, tx, case, waiting[0], _letter(tx, message))
            except StaleRevision:
                raise
            except (Invalid, Forbidden, Conflict) as refusal:
                raise _Refused(message, case.id, refusal) from refusal
            tx.move_message(message.number, "delivered", case_id=case.id)
            tell(tx, message, "message.delivered", None, case=str(case.id))
            return True
    except NothingWaits:
        return False


def _letter(tx: Transaction, message: Message) -> Letter:
    """The message with its sender as he stands now. Raises Forbidden: his account is closed."""
    actor: Actor | None = SYSTEM
    if message.account is not None:
        actor = tx.actor_of_account(message.account)
    if actor is None:
        raise Forbidden()
    return Letter(
        name=message.name,
        key=message.key,
        payload=message.payload,
        id=message.id,
        sender=message.sender,
        actor=actor,
        source=message.from_case,
    )


def _mark_failed(office: Office, refused: _Refused) -> None:
    """An incident of the message, and in the case's history that it was refused."""
    message, code = refused.message, _code(refused.why)
    given = digest_of({"message": str(message.number)})
    office.store.record_refusal(SYSTEM, refused.case, "deliver", type(refused.why).__name__, given)
    with office.store.transaction() as tx:
        if tx.lock_message(message.number).status == "kept":
            tx.move_message(message.number, "failed", code=code)
            tell(tx, message, "message.failed", None, code=code)
