"""Return and recall as verbs: who may, what is written, what stays, what is refused; and all of it executed again."""

from __future__ import annotations

from uuid import UUID

import pytest

from engine import commands as c
from engine.bpmn.state import decode
from engine.errors import (
    Forbidden,
    Invalid,
    NotFound,
    ReturnNotPossible,
    TaskClaimed,
    TaskNotOpen,
)
from engine.model import SYSTEM, Event, Once, Outcome, TaskStatus
from engine.store import queries
from tests import diagrams as d
from tests.test_replay import replays, told
from tests.test_seams import act
from tests.town import Town

TIMES = (
    '<multiInstanceLoopCharacteristics isSequential="false"><loopCardinality>3</loopCardinality>'
    "</multiInstanceLoopCharacteristics>"
)


def user(ident: str, back: str = "", inner: str = "", **more: str) -> str:
    return d.user(ident, (d.properties(returns_to=back, **more) if back or more else "") + inner)


def seated(*body: str, ident: str = "drawn") -> bytes:
    """A process whose every element lies with the window clerks."""
    nodes = [part.partition('"')[0] for part in "".join(body).split(' id="')[1:]]
    return d.process(d.lanes(d.lane("intake_clerk", "'liwan/hall'", *nodes)), *body, ident=ident)


def begin(town: Town, *files: bytes, by: str = "counter1") -> Outcome:
    """A case of the first of these processes, put in force past the gate."""
    with town.office.store.transaction() as tx:
        before = town.office.published().entries
        fresh = {}
        for file in files:
            key = file.partition(b'<process id="')[2].partition(b'"')[0].decode()
            fresh[key] = tx.put_artefact("process", key, file)
        tx.publish({**before, "process": {**before["process"], **fresh}}, None)
        tx.append("definition:", [Event(kind="library.published", input=True)])
    return c.start_case(town.office, town[by], next(iter(fresh)), {})


def task(now: Outcome, element: str, pick: int = 0) -> UUID:
    return [t.id for t in now.tasks if t.element.endswith("/" + element)][pick]


def done(town: Town, now: Outcome, element: str, by: str = "counter1", pick: int = 0) -> Outcome:
    return c.complete_task(town.office, town[by], task(now, element, pick), {})


def back(town: Town, now: Outcome, element: str, target: str, by: str = "counter1") -> Outcome:
    return c.return_task(town.office, town[by], task(now, element), target, "面积与图纸不符")


def standing(town: Town, case: UUID) -> list[str]:
    """Open tasks; the positions folded from history must be those of the machine."""
    with town.office.store.transaction() as tx:
        held = tx.lock_case(case)
        state = decode(held.state or b"")
        tasks = sorted(t.element.rpartition("/")[2] for t in held.tasks)
    alive = {(t.id, f"{state.scopes[t.scope].of}/{t.node}") for t in state.tokens.values()}
    folded = c.positions(town.office, town["auditor1"], case)
    assert {(p.token, p.element) for p in folded} == alive
    return tasks


LINE = (
    d.start(),
    user("check"),
    user("examine"),
    user("decide", "examine check"),
    d.end(),
    d.flow("s", "check", "examine", "decide", "e"),
)


# -- return
def test_a_return_shows_who_why_and_where_to_and_the_case_goes_on(town: Town) -> None:
    now = begin(town, seated(*LINE))
    now = done(town, done(town, now, "check"), "examine")
    view = c.task_view(town.office, town["counter2"], task(now, "decide"))
    assert [(r.target, r.element) for r in view.returns] == [("examine", "drawn/examine"), ("check", "drawn/check")]
    assert view.returned is None
    now = back(town, now, "decide", "examine", by="counter2")
    assert standing(town, now.case) == ["examine"]
    view = c.task_view(town.office, town["counter1"], task(now, "examine"))
    assert view.returned is not None
    assert (view.returned.reason, view.returned.element) == ("面积与图纸不符", "drawn/decide")
    assert view.returned.by is not None
    assert view.returned.by.account == town["counter2"].account
    with town.office.store.reading() as reading:
        tasks = queries.case_page(reading, SYSTEM, now.case).tasks
    assert [t.status for t in tasks if t.element == "drawn/decide"] == [TaskStatus.CANCELLED]
    now = done(town, done(town, now, "examine"), "decide")
    assert now.outcome == "completed"
    assert replays(town, now.case) == 6


def test_the_reason_is_sealed_and_never_in_the_open_part_of_an_event(town: Town) -> None:
    now = back(town, done(town, done(town, begin(town, seated(*LINE)), "check"), "examine"), "decide", "check")
    [row] = [row for row in told(town, now.case) if row.kind == "task.returned"]
    assert row.values == {"reason": "面积与图纸不符"}
    assert row.detail["target"] == "check"
    assert "面积" not in str(row.detail)


@pytest.mark.parametrize("reason", ["", "   ", "长" * 501])
def test_no_return_without_a_reason(town: Town, reason: str) -> None:
    now = done(town, done(town, begin(town, seated(*LINE)), "check"), "examine")
    with pytest.raises(Invalid):
        c.return_task(town.office, town["counter1"], task(now, "decide"), "examine", reason)
    assert standing(town, now.case) == ["decide"]
    assert told(town, now.case)[-1].detail["verb"] == "return"


def test_who_may_not_complete_it_may_not_return_it(town: Town) -> None:
    now = done(town, done(town, begin(town, seated(*LINE)), "check"), "examine")
    with pytest.raises((Forbidden, NotFound)):
        back(town, now, "decide", "examine", by="examiner1")
    c.claim_task(town.office, town["counter2"], task(now, "decide"))
    with pytest.raises(TaskClaimed):
        back(town, now, "decide", "examine")
    back(town, now, "decide", "examine", by="counter2")
    with pytest.raises(TaskNotOpen):
        back(town, now, "decide", "examine", by="counter2")


@pytest.mark.parametrize("target", ["decide", "nowhere", "s", "", "examine/check"])
def test_a_target_that_the_diagram_does_not_list_is_refused(town: Town, target: str) -> None:
    now = done(town, done(town, begin(town, seated(*LINE)), "check"), "examine")
    with pytest.raises(ReturnNotPossible):
        back(town, now, "decide", target)
    assert standing(town, now.case) == ["decide"]


def test_nothing_is_returned_to_what_nobody_has_done(town: Town) -> None:
    body = (
        d.start(),
        d.gateway("way", "exclusive", default="way_merge"),
        user("skipped"),
        d.gateway("merge", "exclusive"),
    )
    flows = (
        d.flow("s", "way", "merge", "decide", "e")
        + d.flow("way", "skipped", when="1 == 2")
        + d.flow("skipped", "merge")
    )
    now = begin(town, seated(*body, user("decide", "skipped"), d.end(), flows))
    assert c.task_view(town.office, town["counter1"], task(now, "decide")).returns == ()
    with pytest.raises(ReturnNotPossible):
        back(town, now, "decide", "skipped")


def test_the_same_return_asked_for_twice_happens_once(town: Town) -> None:
    now = done(town, done(town, begin(town, seated(*LINE)), "check"), "examine")
    once, given = Once(key="k", route="return", digest="d"), task(now, "decide")
    first = c.return_task(town.office, town["counter1"], given, "check", "重来", once=once)
    assert c.return_task(town.office, town["counter1"], given, "check", "重来", once=once) == first
    assert town.kinds(now.case).count("task.returned") == 1


def test_branches_instances_and_calls_are_returned_and_executed_again(town: Town) -> None:
    called = seated(
        d.io("n", ""),
        d.start(),
        user("inside"),
        user("check", "inside"),
        d.end(),
        d.flow("s", "inside", "check", "e"),
        ident="called",
    )
    body = (d.start(), d.script("n_is", "n = 1"), user("first"), d.gateway("split"), user("sign", "first", TIMES))
    more = (d.call("step", "called"), d.gateway("join"), user("last", "first step/check"), d.end())
    flows = d.flow("s", "n_is", "first", "split", "sign", "join", "last", "e") + d.flow("split", "step", "join")
    now = done(town, begin(town, seated(*body, *more, flows), called), "first")
    now = back(town, done(town, now, "inside"), "check", "inside")
    assert standing(town, now.case) == ["inside", "sign", "sign", "sign"]
    now = back(town, done(town, now, "sign"), "sign", "first")
    assert standing(town, now.case) == ["first"]
    now = done(town, done(town, done(town, now, "first"), "inside"), "check")
    for _ in range(3):
        now = done(town, now, "sign")
    assert standing(town, now.case) == ["last"]
    assert [r.target for r in c.task_view(town.office, town["counter1"], task(now, "last")).returns] == ["first"]
    now = back(town, now, "last", "first")
    assert standing(town, now.case) == ["first"]
    assert replays(town, now.case) >= 12


# -- what has left the desk
def test_a_paper_returned_over_stays_and_the_next_of_its_kind_names_it(town: Town) -> None:
    store = town.office.store
    body = (d.start(), user("check"), act("noted", papers="acceptance_notice", milestone="accepted", starts="delivery"))
    now = begin(town, seated(*body, user("decide", "check"), d.end(), d.flow("s", "check", "noted", "decide", "e")))
    now = done(town, back(town, done(town, now, "check"), "decide", "check"), "check")
    issued = [row.detail for row in told(town, now.case) if row.kind == "document.issued"]
    first = issued[0].get("number") or issued[0]["document"]
    assert [detail.get("replaces") for detail in issued] == [None, first]
    now = done(town, back(town, now, "decide", "check"), "check")
    issued = [row.detail for row in told(town, now.case) if row.kind == "document.issued"]
    assert issued[2]["replaces"] == (issued[1].get("number") or issued[1]["document"])
    assert len(c.case_view(town.office, town["counter1"], now.case).documents) == 3
    with store.transaction() as tx:
        clocks = [(r.deadline.kind, r.deadline.status) for r in tx.lock_case(now.case).deadlines]
    assert clocks == [("delivery", "dropped"), ("delivery", "dropped"), ("delivery", "running")]


def test_a_paper_issued_before_the_target_is_replaced_by_nothing(town: Town) -> None:
    body = (
        d.start(),
        act("noted", papers="receipt"),
        user("check"),
        user("decide", "check"),
        act("more", papers="receipt"),
    )
    flows = d.flow("s", "noted", "check", "decide", "more", "last", "e")
    now = done(town, begin(town, seated(*body, user("last"), d.end(), flows)), "check")
    now = done(town, done(town, back(town, now, "decide", "check"), "check"), "decide")
    issued = [row.detail for row in told(town, now.case) if row.kind == "document.issued"]
    assert [detail.get("replaces") for detail in issued] == [None, None]


def test_a_deadline_runs_on_through_a_return(town: Town) -> None:
    body = (d.start(), act("noted", starts="delivery"), user("check"), user("decide", "check"), d.end())
    now = done(town, begin(town, seated(*body, d.flow("s", "noted", "check", "decide", "e"))), "check")
    [before] = c.case_view(town.office, town["counter1"], now.case).deadlines
    town.advance(days=1)
    now = back(town, now, "decide", "check")
    [after] = c.case_view(town.office, town["counter1"], now.case).deadlines
    assert (after.started_at, after.due_at, after.status) == (before.started_at, before.due_at, before.status)
