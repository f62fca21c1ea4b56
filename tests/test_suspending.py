"""A suspended case: nothing moves in it, the law's time runs on unless cited, and what fell due happens at its end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from engine import commands as c
from engine.errors import (
    CaseEnded,
    CaseSuspended,
    Forbidden,
    Invalid,
    NotFound,
    NothingWaits,
    NotSuspended,
)
from engine.model import CaseStatus, Once, Outcome
from engine.store import HistoryRow
from tests import diagrams as d
from tests.district import PERMIT, make_district
from tests.processes import answers as a
from tests.test_replay import replays, told
from tests.test_seams import act, begun, deadlines_of
from tests.town import Town

EXPERTS = "《行政许可法》第四十五条（专家评审）"


def suspended(town: Town, case: UUID, citation: str = "", by: str = "supervisor1") -> Outcome:
    return c.suspend_case(town.office, town[by], case, "等待上级答复", citation=citation)


def resumed(town: Town, case: UUID) -> Outcome:
    return c.resume_case(town.office, town["supervisor1"], case)


def permit(town: Town) -> Outcome:
    """A food permit with its reviewer, two calls deep."""
    first = c.start_case(town.office, town["counter1"], PERMIT, {})
    return c.complete_task(town.office, town["counter1"], first.tasks[0].id, a.food_application())


def caught(town: Town, case: UUID) -> list[tuple[str, datetime | None, str | None]]:
    rows = [row for row in told(town, case) if row.kind == "event.caught"]
    return [((row.element or "").rpartition("/")[2], row.occurred_at, row.detail.get("due")) for row in rows]


def standing(town: Town, case: UUID) -> set[str]:
    return {p.element.rpartition("/")[2] for p in c.positions(town.office, town["supervisor1"], case)}


# -- nothing moves
def test_no_task_moves_and_no_message_arrives_while_a_case_is_suspended(town: Town) -> None:
    case = permit(town)
    before = told(town, case.case)
    assert suspended(town, case.case).status is CaseStatus.SUSPENDED
    [task] = case.tasks
    refused: list[Callable[[], Any]] = [
        lambda: c.claim_task(town.office, town["reviewer1"], task.id),
        lambda: c.complete_task(town.office, town["reviewer1"], task.id, a.COMPLETE),
        lambda: c.withdraw_case(town.office, town["counter1"], case.case, "因故"),
        lambda: suspended(town, case.case),
    ]
    for verb in refused:
        with pytest.raises(CaseSuspended):
            verb()
    message = {"name": "withdrawal", "key": case.business_key, "payload": {"reason": "因故"}, "message_id": "1"}
    kept = c.deliver_message(town.office, town["counter1"], **message)
    assert kept.status == "kept"  # it arrives when the case goes on, unless it is given up before
    c.give_up_message(town.office, town["system1"], kept.message)
    kinds = [row.kind for row in told(town, case.case)][len(before) :]
    assert kinds == ["case.suspended", *["attempt.refused"] * len(refused)]
    c.save_draft(town.office, town["reviewer1"], task.id, {"opinion": "draft"})
    assert resumed(town, case.case).status is CaseStatus.ACTIVE
    c.complete_task(town.office, town["reviewer1"], task.id, a.COMPLETE)
    assert replays(town, case.case) == 5


def test_who_may_not_see_a_suspended_case_learns_nothing_of_it(town: Town) -> None:
    case = permit(town)
    suspended(town, case.case)
    stranger = {"name": "withdrawal", "key": case.business_key, "payload": {}, "message_id": "1"}
    with pytest.raises(NothingWaits):
        c.deliver_message(town.office, town["issue1"], **stranger)
    with pytest.raises(NotFound):
        c.complete_task(town.office, town["issue1"], case.tasks[0].id, {})


def test_timers_of_a_suspended_case_wait_for_its_resumption_and_say_when_they_were_due(town: Town) -> None:
    case = begun(
        town,
        d.start(),
        d.gateway("both"),
        d.user("wait"),
        d.boundary("second", "wait", 'timer "PT2H"', cancel=False),
        d.boundary("first", "wait", 'timer "PT1H"', cancel=False),
        d.boundary("daily", "wait", 'cycle "R2/PT90M"', cancel=False),
        d.catch("later", 'timer "P10D"'),
        d.end(),
        d.end("e2"),
        d.end("e3"),
        d.flow("s", "both", "wait", "e"),
        d.flow("both", "later", "e2"),
        d.flow("first", "e3"),
        d.flow("second", "e3"),
        d.flow("daily", "e3"),
        nodes="s both wait first second daily later e e2 e3",
    )
    begins = told(town, case.case)[0].recorded_at
    suspended(town, case.case)
    town.advance(days=1)
    while town.worker.once():
        pass
    assert caught(town, case.case) == []
    resumed(town, case.case)
    [at] = [row.recorded_at for row in told(town, case.case) if row.kind == "case.resumed"]
    due = {"first": 60, "daily": 90, "second": 120, "daily again": 180}
    fired = caught(town, case.case)
    assert [name for name, _, _ in fired] == ["first", "daily", "second", "daily"], "in order of their due moments"
    assert {moment for _, moment, _ in fired} == {at}, "none of them before the resumption"
    said = [datetime.fromisoformat(text) - begins for _, _, text in fired if text]
    assert said == [timedelta(minutes=minutes) for minutes in due.values()]
    assert standing(town, case.case) == {"wait", "later"}
    assert replays(town, case.case) == 4
    town.advance(days=10)
    c.fire_due(town.office, case.case)
    assert caught(town, case.case)[-1][::2] == ("later", None), "what is in time says nothing of a delay"
    assert replays(town, case.case) == 5


# -- the law's time
def test_deadlines_run_on_and_run_out_in_a_suspended_case(town: Town) -> None:
    case = begun(
        town,
        d.start(),
        act("from_here", starts="delivery"),
        d.user("wait"),
        d.boundary("lapsed", "wait", "date deadline('delivery')"),
        d.end("e2", inner=d.properties(outcome="lapsed")),
        d.end(),
        d.flow("s", "from_here", "wait", "e"),
        d.flow("lapsed", "e2"),
        nodes="s from_here wait lapsed e2 e",
    )
    suspended(town, case.case)
    town.advance(days=60)
    while town.worker.once():
        pass
    assert deadlines_of(town, case.case) == [("delivery", "breached")]
    [breach] = [row for row in told(town, case.case) if row.kind == "deadline.breached"]
    assert breach.occurred_at == datetime.fromisoformat(breach.detail["due_at"]), (
        "breached at its moment, not at the resumption"
    )
    done = resumed(town, case.case)
    assert (done.status, done.outcome) == (CaseStatus.ENDED, "lapsed")
    assert replays(town, case.case) == 5


def examined(town: Town) -> Outcome:
    """A permit that has been accepted: its statutory and promised clocks run."""
    case = permit(town)
    return c.complete_task(town.office, town["reviewer1"], case.tasks[0].id, a.COMPLETE)


def clocks(town: Town, case: UUID) -> dict[str, c.DeadlineView]:
    view = c.case_view(town.office, town["supervisor1"], case)
    return {deadline.kind: deadline for deadline in view.deadlines if deadline.ended_at is None}


def test_a_citation_that_names_the_procedure_stops_the_clocks_and_the_resumption_lets_them_run(town: Town) -> None:
    case = examined(town)
    before = clocks(town, case.case)
    assert before.keys() >= {"statutory"}
    suspended(town, case.case, EXPERTS)
    assert {clock.status for clock in clocks(town, case.case).values()} == {"paused"}
    town.advance(days=28)
    resumed(town, case.case)
    after = clocks(town, case.case)
    assert {clock.status for clock in after.values()} == {"running"}
    assert all(after[kind].due_at > before[kind].due_at + timedelta(days=20) for kind in before)
    kinds = [row.kind for row in told(town, case.case)]
    assert kinds.count("deadline.paused") == kinds.count("deadline.resumed") == len(before)
    replays(town, case.case)


def test_a_citation_that_stops_no_clock_is_refused(town: Town) -> None:
    case = examined(town)
    for citation in ("《民法典》第一条", "x" * 501):
        with pytest.raises(Invalid):
            suspended(town, case.case, citation)
    assert c.case_view(town.office, town["supervisor1"], case.case).status is CaseStatus.ACTIVE
    assert {clock.status for clock in clocks(town, case.case).values()} == {"running"}


# -- every shape of a case
def test_calls_multi_instance_and_parallel_blocks_go_on_where_they_stood(town: Town) -> None:
    many = d.element("multiInstanceLoopCharacteristics", "mi", "<loopCardinality>3</loopCardinality>")
    case = begun(
        town,
        d.start(),
        d.gateway("both"),
        d.user("each", many),
        d.sub("inside", d.start("s2"), d.user("deep"), d.end("e2"), d.flow("s2", "deep", "e2")),
        d.gateway("join"),
        d.end(),
        d.flow("s", "both", "each", "join", "e"),
        d.flow("both", "inside", "join"),
        nodes="s both each inside join e",
    )
    first = next(task for task in case.tasks if task.element.endswith("each"))
    c.complete_task(town.office, town["counter1"], first.id, {})
    before = standing(town, case.case)
    suspended(town, case.case)
    assert standing(town, case.case) == before == {"each", "inside", "deep"}
    now = resumed(town, case.case)
    assert standing(town, case.case) == before
    while now.tasks:
        now = c.complete_task(town.office, town["counter1"], now.tasks[0].id, {})
    assert now.outcome == "completed"
    assert replays(town, case.case) == 7


# -- who, and twice
def test_who_oversees_or_decides_a_case_may_suspend_it_and_nobody_else(town: Town) -> None:
    case = permit(town)
    for name in ("supervisor1", "system1", "head1"):
        suspended(town, case.case, by=name)
        [last] = [row for row in told(town, case.case) if row.kind == "case.suspended"][-1:]
        assert last.actor.account == town[name].account
        assert last.values == {"reason": "等待上级答复"}
        c.resume_case(town.office, town[name], case.case)
    with pytest.raises(Forbidden):
        suspended(town, case.case, by="counter1")
    with pytest.raises(NotFound):
        suspended(town, case.case, by="issue1")
    with pytest.raises(NotSuspended):
        resumed(town, case.case)
    for reason in ("", "  ", "字" * 501):
        with pytest.raises(Invalid):
            c.suspend_case(town.office, town["supervisor1"], case.case, reason)


def test_the_same_request_suspends_and_resumes_once(town: Town) -> None:
    case = permit(town)
    first, second = (Once(key=key, route="r", digest="d") for key in "ab")
    one = c.suspend_case(town.office, town["supervisor1"], case.case, "x", once=first)
    assert c.suspend_case(town.office, town["supervisor1"], case.case, "x", once=first) == one
    two = c.resume_case(town.office, town["supervisor1"], case.case, once=second)
    assert c.resume_case(town.office, town["supervisor1"], case.case, once=second) == two
    kinds = [row.kind for row in told(town, case.case)]
    assert (kinds.count("case.suspended"), kinds.count("case.resumed")) == (1, 1)


def test_an_ended_case_is_not_suspended(town: Town) -> None:
    case = permit(town)
    c.withdraw_case(town.office, town["counter1"], case.case, "因故")
    with pytest.raises(CaseEnded):
        suspended(town, case.case)


def test_the_reason_is_sealed_and_gone_after_the_resumption(town: Town) -> None:
    case = permit(town)
    suspended(town, case.case)
    still = c.case_view(town.office, town["supervisor1"], case.case).suspension
    assert still is not None
    assert (still.reason, still.by) == ("等待上级答复", town["supervisor1"].display_name)
    row: HistoryRow = next(r for r in told(town, case.case) if r.kind == "case.suspended")
    assert "等待" not in str(row.detail)
    resumed(town, case.case)
    assert c.case_view(town.office, town["supervisor1"], case.case).suspension is None


# -- over HTTP and on the screens
def test_a_case_is_suspended_and_resumed_over_http_and_shown_so(tmp_path: Any) -> None:
    district = make_district(tmp_path)
    counter, system = district.client("intake"), district.client("system")
    begun = counter.post(f"/api/process-definitions/{PERMIT}/instances", json={"variables": {}}).json()
    address = f"/api/process-instances/{begun['case']}"
    assert counter.post(f"{address}/suspend", json={"reason": "x"}).status_code == 403
    assert system.post(f"{address}/suspend", json={"reason": ""}).status_code == 422
    assert system.post(f"{address}/suspend", json={"reason": "x", "citation": "民法典"}).status_code == 422
    assert system.post(f"{address}/suspend", json={"reason": "核实身份"}).json()["status"] == "suspended"
    task = f"/api/tasks/{begun['tasks'][0]['id']}"
    refused = counter.post(f"{task}/claim")
    assert (refused.status_code, refused.json()["code"]) == (409, "case_suspended")
    assert counter.get(address).json()["suspension"]["reason"] == "核实身份"
    assert counter.get(task).json()["why_not"] == "suspended"
    [item] = counter.get("/api/tasks").json()["items"]
    assert item["suspended"]
    browser = district.browser("intake")
    worklist = browser.get("/tasks").text
    assert 'class="standing"' in worklist
    assert f"/tasks/{begun['tasks'][0]['id']}/claim" not in worklist
    page = browser.get(f"/cases/{begun['case']}").text
    assert "核实身份" in page
    assert "时限继续计算" in page
    assert f"/cases/{begun['case']}/resume" not in page, "a clerk at the counter does not resume it"
    assert begun["business_key"] in browser.get("/cases?status=suspended").text
    assert "已中止" in browser.get(f"/tasks/{begun['tasks'][0]['id']}").text
    assert system.post(f"{address}/resume").json()["status"] == "active"
    assert system.post(f"{address}/resume").json()["code"] == "not_suspended"
    assert counter.post(f"{task}/claim").status_code == 200
