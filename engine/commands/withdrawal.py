"""The verb by which an applicant takes an application back."""

from __future__ import annotations

from uuid import UUID

from engine import bpmn
from engine.commands.attempt import acted_as, attempt
from engine.commands.cases import check_moving, may_act, opened, saved, settled
from engine.commands.office import Office
from engine.commands.record import outcome_from_plain
from engine.errors import CaseEnded, Finding, Forbidden, Invalid, NothingWaits
from engine.model import Actor, CaseStatus, Once, Outcome
from engine.store import queries

WITHDRAWAL = "withdrawal"


def withdraw_case(office: Office, actor: Actor, case_id: UUID, reason: str, *, once: Once | None = None) -> Outcome:
    """The applicant takes the application back (until the decision): the message ``withdrawal`` of the diagram.

    Raises:
        NotFound: no such case, or none that the actor may see. NothingWaits: too late.
        Forbidden: not at a counter that takes such applications.
        Invalid: no reason. Only the refusal is recorded then.
    """
    with attempt(office, actor, "withdraw", {"case": str(case_id), "reason": reason}) as made:
        made.case = case_id
        if not reason.strip() or len(reason) > 500:
            raise Invalid([Finding(where="reason", rule="required", zh="请填写撤回原因（500 字以内）", en="Say why")])
        payload = {"reason": reason.strip()}
        with settled(office, lambda tx: tx.lock_case(case_id)) as (tx, case):
            if once and (answer := tx.recall(actor, once)) is not None:
                return outcome_from_plain(answer)
            _, definition, record = opened(office, tx, case, acted_as(actor), suspended=True)
            if not may_act(actor, definition, case):
                queries.case_page(tx, actor, case.id)  # who may not see a case does not learn that it exists
                raise Forbidden(process=case.process_key)
            if case.status is CaseStatus.ENDED or case.state is None:
                raise CaseEnded(outcome=case.outcome)
            check_moving(case)
            wait = next((w for w in case.waits if w.kind == "message" and w.name == WITHDRAWAL), None)
            if wait is None:
                raise NothingWaits()
            detail = {"message": WITHDRAWAL, "wait": wait.number}
            record.input("message.delivered", element=wait.element, detail=detail, values={"payload": payload})
            record.take(bpmn.deliver(definition, case.state, record.now, wait.number, payload))
            return saved(tx, case, record, actor, once)
