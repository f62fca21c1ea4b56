"""Verbs at the end of a case's keeping: propose its erasure, erase it (two people), hold it, lift the hold.

After the deadline of keeping personal data is deleted (《个人信息保护法》第四十七条); what a statute or a dispute still
needs is held.
"""

from __future__ import annotations

import json
from datetime import date, datetime
from uuid import UUID, uuid4

from engine.calendar import local_date
from engine.commands.attempt import acted_as, attempt
from engine.commands.office import Office
from engine.commands.record import outcome_from_plain, outcome_of, outcome_to_plain
from engine.errors import (
    CaseNotEnded,
    Erased,
    Finding,
    Forbidden,
    Invalid,
    LegalHold,
    NotFound,
    NothingProposed,
    RetentionRuns,
    SameActorNotAllowed,
)
from engine.model import Actor, CaseStatus, Event, Once, Outcome
from engine.store import Case, Changes, Transaction, queries
from engine.store.erasing import erase, last_event
from engine.store.verify import ERASED

ARCHIVIST = "archivist"
PROPOSED, PLACED, LIFTED = "erasure.proposed", "hold.placed", "hold.lifted"
LONGEST_TEXT = 500


def propose_erasure(
    office: Office, actor: Actor, case_id: UUID, *, basis: str, kept_until: date, once: Once | None = None
) -> Outcome:
    """Ask for a case's erasure: on which basis, and until when it had to be kept. Somebody else erases it.

    ``basis`` stays readable for good: a rule, never a person. Where the register ``retention`` (process, years,
    citation) names the process, its years after the end must have passed as well.

    Raises:
        NotFound, Forbidden: as every archivist's verb. Invalid: no basis. CaseNotEnded, LegalHold, Erased.
        RetentionRuns: it must still be kept. Only the refusal is recorded then.
    """
    given = {"case": str(case_id), "basis": basis, "kept_until": kept_until}
    with attempt(office, actor, "propose_erasure", given) as made, office.store.transaction() as tx:
        case = _locked(tx, actor, case_id)
        made.case = case.id
        if once and (answer := tx.recall(actor, once)) is not None:
            return outcome_from_plain(answer)
        _check_text("basis", basis)
        _check_over(office, tx, case, kept_until)
        detail = {"basis": basis.strip(), "kept_until": kept_until.isoformat()}
        return _saved(tx, case, actor, Event(kind=PROPOSED, input=True, detail=detail), once)


def erase_case(office: Office, actor: Actor, case_id: UUID, *, once: Once | None = None) -> Outcome:
    """Approve the proposal and destroy what is personal in the case: nobody can read it again, nor take this back.

    Raises:
        NothingProposed: nobody has proposed it. SameActorNotAllowed: the proposer cannot approve.
        Otherwise as ``propose_erasure``; nothing is destroyed then.
    """
    with attempt(office, actor, "erase", {"case": str(case_id)}) as made, office.store.transaction() as tx:
        case = _locked(tx, actor, case_id)
        made.case = case.id
        if once and (answer := tx.recall(actor, once)) is not None:
            return outcome_from_plain(answer)
        proposal = last_event(tx, case.id, PROPOSED)
        if proposal is None:
            raise NothingProposed()
        told = json.loads(proposal.detail)
        _check_over(office, tx, case, date.fromisoformat(told["kept_until"]))
        if proposal.actor_account == actor.account:
            raise SameActorNotAllowed()
        erase(tx, case)
        detail = {**told, "proposal": proposal.number}
        return _saved(tx, case, actor, Event(kind=ERASED, input=True, detail=detail), once)


def place_hold(office: Office, actor: Actor, case_id: UUID, reason: str, *, once: Once | None = None) -> Outcome:
    """Keep the case whatever its term: a review, a suit, an audit needs it. Held again, the newest reason counts.

    Raises:
        NotFound, Forbidden, Erased. Invalid: no reason.
    """
    return _hold(office, actor, case_id, kind=PLACED, reason=reason, once=once)


def lift_hold(office: Office, actor: Actor, case_id: UUID, reason: str, *, once: Once | None = None) -> Outcome:
    """The case need not be held any longer. Raises as ``place_hold``; NotFound too where nothing holds it."""
    return _hold(office, actor, case_id, kind=LIFTED, reason=reason, once=once)


def _hold(office: Office, actor: Actor, case_id: UUID, *, kind: str, reason: str, once: Once | None) -> Outcome:
    with attempt(office, actor, kind, {"case": str(case_id)}) as made, office.store.transaction() as tx:
        case = _locked(tx, actor, case_id)
        made.case = case.id
        if once and (answer := tx.recall(actor, once)) is not None:
            return outcome_from_plain(answer)
        _check_text("reason", reason)
        _check_there(tx, case)
        if kind == LIFTED and not is_held(tx, case.id):
            raise NotFound()
        # Reasons name people and suits: sealed like everything of the case.
        event = Event(kind=kind, input=True, values={"reason": reason.strip()})
        return _saved(tx, case, actor, event, once)


def is_held(tx: Transaction, case_id: UUID) -> bool:
    """Is the case under a legal hold now?"""
    newest = last_event(tx, case_id, PLACED, LIFTED)
    return newest is not None and newest.kind == PLACED


def _locked(tx: Transaction, actor: Actor, case_id: UUID) -> Case:
    """The case, locked, for an archivist of its scope.

    Raises:
        NotFound: no such case, or none that the actor may see. Forbidden: sees it, but is no archivist there.
    """
    case = tx.lock_case(case_id)
    if actor.holding(ARCHIVIST, case.scope) is None:
        queries.case_page(tx, actor, case_id)  # who may not see a case does not learn that it exists
        raise Forbidden(role=ARCHIVIST, scope=case.scope)
    return case


def _check_text(where: str, text: str) -> None:
    if not text.strip() or len(text) > LONGEST_TEXT:
        zh, en = f"请填写依据或者理由（{LONGEST_TEXT} 字以内）", f"Say why, in at most {LONGEST_TEXT} characters"
        raise Invalid([Finding(where=where, rule="required", zh=zh, en=en)])


def _check_there(tx: Transaction, case: Case) -> None:
    if last_event(tx, case.id, ERASED) is not None:
        raise Erased()


def _check_over(office: Office, tx: Transaction, case: Case, kept_until: date) -> None:
    """May the case be erased today? The basis's own date, and the register's years, must both be over."""
    _check_there(tx, case)
    if case.status is not CaseStatus.ENDED or case.ended_at is None:
        raise CaseNotEnded()
    if is_held(tx, case.id):
        raise LegalHold()
    until = max([kept_until, *_by_register(office, case, case.ended_at)])
    if local_date(tx.now()) <= until:
        raise RetentionRuns(until=until.isoformat())


def _by_register(office: Office, case: Case, ended_at: datetime) -> list[date]:
    table = office.registers(office.published()).tables.get("retention")
    ended = local_date(ended_at)
    return [
        _years_later(ended, int(row["years"]))
        for row in (table.rows if table else ())
        if row["process"] == case.process_key
    ]


def _years_later(day: date, years: int) -> date:
    """The same date years later; 29 February becomes the month's last day."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return day.replace(year=day.year + years, day=28)


def _saved(tx: Transaction, case: Case, actor: Actor, event: Event, once: Once | None) -> Outcome:
    who = acted_as(actor, ARCHIVIST, case.scope)
    facts = {name: getattr(event, name) for name in ("kind", "input", "detail", "values")}
    tx.save(case, Changes(command=uuid4(), events=(Event(**facts, actor=who),)))
    outcome = outcome_of(case)
    if once:
        tx.remember(actor, once, outcome_to_plain(outcome))
    return outcome
