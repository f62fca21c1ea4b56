"""The verbs over the real store: who may, what is written, what lapses, what is refused and recorded."""

from __future__ import annotations

import threading
from datetime import timedelta
from uuid import uuid4

import pytest

from api.accounts import DEMO_PASSWORD
from engine import bpmn
from engine import commands as c
from engine.commands.attempt import acted_as
from engine.commands.cases import opened
from engine.errors import (
    Forbidden,
    FormInvalid,
    Invalid,
    KeyReused,
    LoginFailed,
    NotFound,
    NothingWaits,
    Refused,
    SameActorNotAllowed,
    TaskClaimed,
    TaskLapsed,
    TaskNotOpen,
)
from engine.model import Actor, CaseStatus, Library, Once
from tests.processes import answers as a
from tests.town import LIBRARY, SHOP, Town
from tests.waiting import until_a_rival_waits


def test_a_start_answers_where_the_case_stands(town: Town) -> None:
    begun = c.start_case(town.office, town["counter1"], SHOP, {})
    assert begun.status is CaseStatus.ACTIVE
    assert [task.role for task in begun.tasks] == ["intake_clerk"]
    assert len(begun.business_key) == 43


def test_only_the_lane_of_the_start_event_starts(town: Town) -> None:
    with pytest.raises(Forbidden):
        c.start_case(town.office, town["examiner1"], SHOP, {})


def test_a_start_takes_no_undeclared_variables(town: Town) -> None:
    with pytest.raises(Invalid) as caught:
        c.start_case(town.office, town["counter1"], SHOP, {"item": {}, "other": 1})
    assert [f.rule for f in caught.value.findings] == ["undeclared_variable"] * 2


def test_a_process_nobody_published_is_not_found(town: Town) -> None:
    with pytest.raises(NotFound):
        c.start_case(town.office, town["counter1"], "no_such_process", {})


def test_the_same_request_twice_has_one_effect_and_one_answer(town: Town) -> None:
    once = Once(key="k1", route="start", digest="d1")
    first = c.start_case(town.office, town["counter1"], SHOP, {}, once=once)
    assert c.start_case(town.office, town["counter1"], SHOP, {}, once=once) == first
    with pytest.raises(KeyReused):
        c.start_case(town.office, town["counter1"], SHOP, {}, once=Once(key="k1", route="start", digest="d2"))
    [task] = first.tasks
    once = Once(key="k2", route="complete", digest="d3")
    done = c.complete_task(town.office, town["counter1"], task.id, a.shop_application(), once=once)
    assert c.complete_task(town.office, town["counter1"], task.id, a.shop_application(), once=once) == done
    assert town.kinds(first.case).count("task.completed") == 1


def test_the_second_to_complete_is_told_who_and_when(town: Town) -> None:
    case = town.shop()
    c.complete_task(town.office, town["registrar1"], case.tasks[0].id, a.REGISTERED)
    with pytest.raises(TaskNotOpen) as caught:
        c.complete_task(town.office, town["registrar1"], case.tasks[0].id, a.REGISTERED)
    assert caught.value.facts["by"] == town["registrar1"].display_name
    assert caught.value.facts["at"] is not None


def test_two_who_complete_at_once_wait_for_each_other_and_one_is_told(town: Town) -> None:
    case = town.shop()
    told: list[str] = []

    def rival() -> None:
        try:
            c.complete_task(town.office, town["registrar1"], case.tasks[0].id, a.REFUSED)
            told.append("done")
        except TaskNotOpen as refusal:
            told.append(str(refusal.facts["by"]))

    thread = threading.Thread(target=rival)
    with town.office.store.transaction() as tx:
        locked, _ = tx.lock_task(case.tasks[0].id)
        thread.start()
        until_a_rival_waits(town.office.store)
        _complete_by_hand(town, tx, locked, case.tasks[0].id)
    thread.join()
    assert told == [town["registrar1"].display_name]
    assert c.case_view(town.office, town["auditor1"], case.case).variables["registration"]["result"] == "register"


def _complete_by_hand(town: Town, tx, locked, task_id) -> None:
    """What ``complete_task`` does once it holds the case, step by step."""
    actor = town["registrar1"]
    _, definition, record = opened(town.office, tx, locked, acted_as(actor))
    [task] = [t for t in locked.tasks if t.id == task_id]
    record.input("task.completed", element=task.element, token=task.token, values={"answers": a.REGISTERED})
    record.take(
        bpmn.complete(definition, locked.state, record.now, task.token, a.REGISTERED),
        completed=task_id,
        by=actor.account,
        name=actor.display_name,
    )
    tx.save(locked, record.changes())


def test_a_claimed_task_is_its_claimants(town: Town) -> None:
    begun = c.start_case(town.office, town["counter1"], SHOP, {})
    task = begun.tasks[0].id
    c.claim_task(town.office, town["counter1"], task)
    with pytest.raises(TaskClaimed):
        c.claim_task(town.office, town["counter2"], task)
    with pytest.raises(TaskClaimed):
        c.complete_task(town.office, town["counter2"], task, a.shop_application())
    assert [i.id for i in c.worklist(town.office, town["counter1"], view="mine").items] == [task]
    assert c.worklist(town.office, town["counter2"], view="posts").items == ()
    c.release_task(town.office, town["counter1"], task)
    assert c.complete_task(town.office, town["counter2"], task, a.shop_application()).milestone == "received"


def test_every_bad_field_is_named_and_the_attempt_recorded_without_its_content(town: Town) -> None:
    begun = c.start_case(town.office, town["counter1"], SHOP, {})
    wrong = {**a.shop_application(), "employees": "many", "extra": 1}
    wrong["contact"] = {"name": "秘密姓名"}
    with pytest.raises(FormInvalid) as caught:
        c.complete_task(town.office, town["counter1"], begun.tasks[0].id, wrong)
    assert {f.where for f in caught.value.findings} >= {"employees", "extra", "contact.phone"}
    rows = c.history(town.office, town["auditor1"], begun.case).items
    assert rows[-1].kind == "attempt.refused"
    assert rows[-1].detail["reason"] == "FormInvalid"
    assert "秘密" not in str(rows[-1].detail)
    assert rows[-1].values is None


def test_who_may_not_see_a_case_does_not_learn_that_it_exists(town: Town) -> None:
    case = town.shop()
    stranger = Actor(account=uuid4(), name="x", display_name="x")
    for ask in (
        lambda: c.case_view(town.office, stranger, case.case),
        lambda: c.task_view(town.office, stranger, case.tasks[0].id),
        lambda: c.history(town.office, stranger, case.case),
        lambda: c.positions(town.office, stranger, case.case),
        lambda: c.diagram(town.office, stranger, case.case),
    ):
        with pytest.raises(NotFound):
            ask()
    with pytest.raises((NotFound, Forbidden)):
        c.withdraw_case(town.office, stranger, case.case, "因故")


def test_four_eyes(town: Town) -> None:
    both = town["inspector1"]
    begun = c.start_case(town.office, town["counter1"], "food_business_permit", {})
    now = c.complete_task(town.office, town["counter1"], begun.tasks[0].id, a.food_application())
    now = c.complete_task(town.office, town["reviewer1"], now.tasks[0].id, a.COMPLETE)
    points = c.task_view(town.office, both, now.tasks[0].id).variables["inspection_points"]
    now = c.complete_task(town.office, both, now.tasks[0].id, a.inspection(points))
    with pytest.raises(SameActorNotAllowed):
        c.complete_task(town.office, both, now.tasks[0].id, a.CONFIRMED)
    with pytest.raises(SameActorNotAllowed):
        c.claim_task(town.office, both, now.tasks[0].id)


def test_what_has_lapsed_has_lapsed_though_no_worker_came_by(town: Town) -> None:
    begun = c.start_case(town.office, town["counter1"], "food_business_permit", {})
    now = c.complete_task(town.office, town["counter1"], begun.tasks[0].id, a.food_application())
    town.advance(days=30)
    with pytest.raises(TaskLapsed):
        c.complete_task(town.office, town["reviewer1"], now.tasks[0].id, a.COMPLETE)
    view = c.case_view(town.office, town["supervisor1"], begun.case)
    assert view.milestone == "accepted"
    fired = next(r for r in c.history(town.office, town["auditor1"], begun.case).items if r.kind == "timer.fired")
    assert fired.input


def test_withdrawn_and_then_nothing_waits(town: Town) -> None:
    begun = c.start_case(town.office, town["counter1"], "food_business_permit", {})
    c.complete_task(town.office, town["counter1"], begun.tasks[0].id, a.food_application())
    with pytest.raises(Invalid):
        c.withdraw_case(town.office, town["counter1"], begun.case, "  ")
    with pytest.raises(Forbidden):
        c.withdraw_case(town.office, town["supervisor1"], begun.case, "因故")
    done = c.withdraw_case(town.office, town["counter1"], begun.case, "申请人改变计划")
    assert (done.status, done.outcome) == (CaseStatus.ENDED, "withdrawn")
    with pytest.raises((NothingWaits, Invalid, Exception)):
        c.withdraw_case(town.office, town["counter1"], begun.case, "再次")


def test_a_message_id_is_taken_once(town: Town) -> None:
    begun = c.start_case(town.office, town["counter1"], "food_business_permit", {})
    c.complete_task(town.office, town["counter1"], begun.tasks[0].id, a.food_application())
    told = {"name": "withdrawal", "key": begun.business_key, "payload": {"reason": "因故"}, "message_id": "m-1"}
    first = c.deliver_message(town.office, town["counter1"], **told)
    assert (first.status, first.case) == ("delivered", begun.case)
    assert c.case_view(town.office, town["counter1"], begun.case).outcome == "withdrawn"
    assert c.deliver_message(town.office, town["counter1"], **told) == first
    with pytest.raises(KeyReused):
        c.deliver_message(town.office, town["counter1"], **{**told, "payload": {"reason": "另因"}})
    assert town.kinds(begun.case).count("message.delivered") == 1


def test_a_running_case_keeps_its_release_and_the_next_start_takes_the_new_one(town: Town) -> None:
    case = town.shop()
    path = "forms/individual_business_registration/register_business.json"
    stricter = LIBRARY.files[path].replace(b'"minLength": 1', b'"minLength": 2')
    assert stricter != LIBRARY.files[path]
    published = c.publish(town.office, town["designer1"], Library({**LIBRARY.files, path: stricter}))
    assert published.changed == ("form:individual_business_registration/register_business.json",)
    old = c.task_view(town.office, town["registrar1"], case.tasks[0].id).form
    new = c.task_view(town.office, town["registrar1"], town.shop().tasks[0].id).form
    assert old is not None
    assert new is not None
    assert old.digest != new.digest


def test_publishing_the_same_again_changes_nothing(town: Town) -> None:
    number = c.publish(town.office, town["designer1"], LIBRARY).number
    again = c.publish(town.office, town["designer1"], LIBRARY)
    assert (again.number, again.changed) == (number, ())


def test_only_designers_publish_and_only_what_passes_the_gate(town: Town) -> None:
    with pytest.raises(Forbidden):
        c.publish(town.office, town["counter1"], LIBRARY)
    path = next(p for p in LIBRARY.files if p.endswith("/issue.bpmn"))
    with pytest.raises(Refused) as caught:
        c.publish(town.office, town["designer1"], Library({**LIBRARY.files, path: b"<not bpmn"}))
    assert any(path in f.where for f in caught.value.findings)
    assert town.shop().tasks


def test_a_typhoon_closure_moves_running_deadlines_one_event_each(town: Town) -> None:
    begun = c.start_case(town.office, town["counter1"], "food_business_permit", {})
    c.complete_task(town.office, town["counter1"], begun.tasks[0].id, a.food_application())
    before = c.case_view(town.office, town["counter1"], begun.case).deadlines[0]
    closed = (before.due_at - timedelta(hours=20)).date().isoformat()
    path = "processes/registers/calendar.csv"
    closure = LIBRARY.files[path] + f"{closed},0,台风停工\n".encode()
    c.publish(town.office, town["designer1"], Library({**LIBRARY.files, path: closure}))
    after = c.case_view(town.office, town["counter1"], begun.case).deadlines[0]
    assert after.due_at > before.due_at
    assert town.kinds(begun.case).count("deadline.recomputed") == 1


def test_papers_and_messages_go_out_after_the_commit(town: Town) -> None:
    case = town.shop()
    [paper] = c.case_view(town.office, town["counter1"], case.case).documents
    assert paper.number
    assert c.document(town.office, town["counter1"], paper.id) is None
    while town.worker.once():
        pass
    page = c.document(town.office, town["counter1"], paper.id)
    assert page is not None
    assert paper.number in page
    assert [to for to, _ in town.sms.texts] == [a.PHONE]


def test_logging_in_locks_after_five_wrong_passwords(town: Town) -> None:
    c.create_account(
        town.office,
        town["security1"],
        name="newcomer",
        display_name="演示新人",
        password=DEMO_PASSWORD,
        memberships=(),
    )
    session = c.log_in(town.office, "newcomer", DEMO_PASSWORD)
    assert c.who(town.office, session.token).actor.name == "newcomer"
    c.log_out(town.office, session.token)
    assert c.who(town.office, session.token) is None
    for _ in range(5):
        with pytest.raises(LoginFailed):
            c.log_in(town.office, "newcomer", "wrong password")
    with pytest.raises(LoginFailed):
        c.log_in(town.office, "newcomer", DEMO_PASSWORD)
    town.advance(minutes=16)
    assert c.log_in(town.office, "newcomer", DEMO_PASSWORD).token


def test_only_a_security_administrator_opens_accounts(town: Town) -> None:
    with pytest.raises(Forbidden):
        c.create_account(
            town.office, town["counter1"], name="n", display_name="n", password=DEMO_PASSWORD, memberships=()
        )
    with pytest.raises(Forbidden):
        c.accounts(town.office, town["counter1"])


def test_an_ended_case_still_shows_what_was_filled_in(town: Town) -> None:
    case = town.shop()
    ended = c.complete_task(town.office, town["registrar1"], case.tasks[0].id, a.REGISTERED)
    ended = c.complete_task(town.office, town["issue1"], ended.tasks[0].id, a.HANDED_OVER)
    assert ended.status is CaseStatus.ENDED
    view = c.case_view(town.office, town["auditor1"], case.case)
    assert view.variables["application"]["business_name"] == "演示小吃店（个体工商户）"
    assert view.variables["registration"]["credit_code"] == a.REGISTERED["credit_code"]
