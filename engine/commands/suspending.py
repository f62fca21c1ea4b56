"""Verbs that let a case stand still and go on: suspend (中止) and resume (恢复)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from engine import bpmn
from engine.bpmn import Definition
from engine.commands.attempt import acted_as, attempt
from engine.commands.cases import check_moving, opened, saved, settled, until_now
from engine.commands.office import Office
from engine.commands.record import Record, outcome_from_plain
from engine.errors import CaseEnded, Finding, Forbidden, Invalid, NotSuspended
from engine.model import Actor, CaseStatus, Membership, Once, Outcome
from engine.store import Case, CasePage, Transaction, queries

LONGEST = 500
# Who may stop the work on a case: who oversees it, who keeps the machine running, who decides it.
OVERSEERS = ("supervisor", "system_admin")
DECIDES = "decision_maker"
# Where the case's sealed summary keeps why it stands still.
KEPT = "suspended"


@dataclass(frozen=True, kw_only=True, slots=True)
class Suspension:
    """Since when a case stands still, by whom, why, and by which citation its deadlines do too (empty: they run on)."""

    at: datetime
    by: str
    reason: str = field(repr=False)
    citation: str


def suspend_case(
    office: Office, actor: Actor, case_id: UUID, reason: str, *, citation: str = "", once: Once | None = None
) -> Outcome:
    """Nothing moves in the case until it is resumed: no task, no message, no timer; drafts may be kept.

    Deadlines run on, unless ``citation`` names a procedure for which the law lets them stand still (行政许可法 45; the
    kinds' column ``stops``).

    Raises:
        NotFound: no such case, or none that the actor may see. Forbidden: neither oversees nor decides it.
        CaseEnded, CaseSuspended: already. Invalid: no reason; a citation that stops none of the open deadlines.
        Only the refusal is recorded then.
    """
    given = {"case": str(case_id), "reason": reason, "citation": citation}
    with attempt(office, actor, "suspend", given) as made:
        made.case = case_id
        _check_words(reason, citation)
        with settled(office, lambda tx: tx.lock_case(case_id)) as (tx, case):
            if once and (answer := tx.recall(actor, once)) is not None:
                return outcome_from_plain(answer)
            record = _opened(office, tx, case, actor)
            check_moving(case)
            stand_still(record, reason.strip(), citation.strip())
            return saved(tx, case, record, actor, once)


def stand_still(record: Record, reason: str, citation: str) -> None:
    """Write down that the case stands still from this moment. Raises Invalid where the citation stops nothing."""
    record.input("case.suspended", detail={"citation": citation}, values={"reason": reason})
    if citation:
        paused = list(record.clocks.stand_still(record.now, citation))
        if not paused:
            zh = "依据中没有写明使时限中止的程序（如听证、检验、专家评审）"
            en = "The citation names no procedure that stops an open deadline"
            raise Invalid([Finding(where="citation", rule="stops_nothing", zh=zh, en=en)])
        for kind, detail in paused:
            record.derived(kind, detail=detail)
    record.status = CaseStatus.SUSPENDED
    by = record.actor.name if record.actor else ""
    kept = {"at": record.now.isoformat(), "by": by, "reason": reason, "citation": citation}
    record.summary = {**record.case.summary, KEPT: kept}


def resume_case(office: Office, actor: Actor, case_id: UUID, *, once: Once | None = None) -> Outcome:
    """The case goes on. What fell due meanwhile happens now, in the order in which it was due, each saying when.

    Raises:
        NotFound, Forbidden, CaseEnded: as for ``suspend_case``. NotSuspended: it does not stand still.
    """
    with attempt(office, actor, "resume", {"case": str(case_id)}) as made:
        made.case = case_id
        with settled(office, lambda tx: tx.lock_case(case_id)) as (tx, case):
            if once and (answer := tx.recall(actor, once)) is not None:
                return outcome_from_plain(answer)
            record = _opened(office, tx, case, actor)
            if case.status is not CaseStatus.SUSPENDED:
                raise NotSuspended()
            go_on(record)
            tx.hand_over_kept(case, case.waits)  # what came meanwhile has been kept
            until_now(record, case.state, since=record.now)
            return saved(tx, case, record, actor, once)


def go_on(record: Record) -> None:
    """Write down that the case goes on from this moment; what fell due while it stood still comes next."""
    case = record.case
    kept: dict[str, Any] = case.summary.get(KEPT, {})
    record.input("case.resumed", detail={"citation": kept.get("citation", "")})
    for kind, detail in record.clocks.go_on(record.now, kept.get("citation", "")):
        record.derived(kind, detail=detail)
    record.status = CaseStatus.ACTIVE
    record.summary = {name: value for name, value in case.summary.items() if name != KEPT}


def suspension(page: CasePage) -> Suspension | None:
    """Why a case stands still, None where it does not."""
    kept = page.summary.get(KEPT)
    return Suspension(**{**kept, "at": datetime.fromisoformat(kept["at"])}) if kept else None


def overseeing(actor: Actor, definition: Definition, case: Case | CasePage) -> Membership | None:
    """The post by which the actor may suspend and resume the case: of its scope, or the decision on its item."""
    found = next((post for role in OVERSEERS if (post := actor.holding(role, case.scope))), None)
    if found is not None or case.state is None or not actor.scopes(DECIDES):
        return found
    item = bpmn.read(definition, case.state).get("item")
    scope = item.get("scope") if isinstance(item, dict) else None
    return actor.holding(DECIDES, scope or case.scope)


def _opened(office: Office, tx: Transaction, case: Case, actor: Actor) -> Record:
    _, definition, record = opened(office, tx, case, None, suspended=True)
    post = overseeing(actor, definition, case)
    if post is None:
        queries.case_page(tx, actor, case.id)  # who may not see a case does not learn that it exists
        raise Forbidden(process=case.process_key)
    if case.status is CaseStatus.ENDED:
        raise CaseEnded(outcome=case.outcome)
    record.actor = acted_as(actor, post.role, post.scope)
    return record


def _check_words(reason: str, citation: str) -> None:
    findings = []
    if not reason.strip() or len(reason) > LONGEST:
        zh, en = "请填写中止事由（500 字以内）", "Give the reason, at most 500 characters"
        findings.append(Finding(where="reason", rule="required", zh=zh, en=en))
    if len(citation) > LONGEST:
        zh, en = "依据不得超过 500 字", "At most 500 characters"
        findings.append(Finding(where="citation", rule="too_long", zh=zh, en=en))
    if findings:
        raise Invalid(findings)
