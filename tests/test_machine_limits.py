"""Incidents, budgets and states: what goes wrong is told by a code, and nothing is half done."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from engine import bpmn
from engine.bpmn import runtime
from engine.errors import CaseEnded, InputRejected
from tests.diagrams import (
    T0,
    Play,
    boundary,
    catch,
    definition,
    extensions,
    flow,
    gateway,
    lane,
    lanes,
    process,
    script,
    start,
    user,
)

SECRET = "张三丰440103199001011234"


# -- incidents
def test_a_misspelt_condition_is_one_incident_and_is_cleared_when_it_can_be_evaluated() -> None:
    body = (start(), gateway("g"), user("a"), user("b"), user("c"), boundary("w", "a", "when totl > 1"), user("z"))
    p = Play(*body, flow("s", "g", "a"), flow("g", "b"), flow("g", "c"), flow("w", "z"), data={"total": 1})
    assert p.codes == ["unknown_name"]
    assert p.step.incidents[0].element == "P/w"
    assert p.complete("b", {"total": 2}).done("incident.raised") == ["w"]
    assert p.complete("c", {"totl": 2}).codes == []
    assert p.open == ["z"]


def test_a_cycle_that_cannot_be_armed_again_is_an_incident_that_can_be_retried() -> None:
    body = (start(), user("a"), boundary("t", "a", "cycle w", False), user("r"), user("set"), gateway("g"))
    p = Play(*body, flow("s", "g", "a"), flow("g", "set"), flow("t", "r"), data={"w": "R3/PT1H"})
    p.complete("set", {"w": SECRET}).later(hours=1)
    assert p.open == ["a", "r"]
    assert p.codes == ["timer_invalid"]
    assert p.due is None
    assert SECRET not in repr(p.step.incidents)
    assert p.retry().codes == ["timer_invalid"]
    p.complete("r", {"w": "R3/PT1H"}).retry()
    assert p.codes == []
    assert p.later(hours=1).open == ["a", "r"]


def test_a_cycle_in_the_flow_whose_way_is_blocked_is_an_incident_of_its_timer() -> None:
    body = (start(), catch("c", "cycle R3/PT1H"), user("a"), flow("s", "c"), flow("c", "a", when="nowhere"))
    p = Play(*body).later(hours=1)
    assert p.codes == ["unknown_name"]
    assert p.later(hours=9).open == []


def test_errors_and_incidents_never_quote_data() -> None:
    p = Play(start(), script("a", "x = name['k']"), flow("s", "a"), data={"name": SECRET})
    assert p.codes == ["type"]
    for entry in p.history:
        assert entry.kind == "variables.written" or SECRET not in repr(entry)
    bad = Play(
        start(), user("a"), gateway("g", "exclusive"), user("b"), flow("s", "a", "g"), flow("g", "b", when="x[0] > 1")
    )
    with pytest.raises(InputRejected) as caught:
        bpmn.complete(bad.definition, bad.step.state, T0, bad.step.work[0].token, {SECRET: object()})
    assert SECRET not in str(caught.value) + repr(caught.value.findings) + repr(caught.value.facts)


def test_conditions_and_scripts_cannot_change_what_they_were_not_given() -> None:
    body = (start(), script("a", "y = x\ny['k'] = 2"), gateway("g", "exclusive"), user("b"), flow("s", "a", "g"))
    p = Play(*body, flow("g", "b", when="y['k'] == 2"), data={"x": {"k": 1}})
    assert p.data == {"x": {"k": 1}, "y": {"k": 2}}


def test_another_branch_goes_on_beside_an_incident() -> None:
    p = Play(
        start(), gateway("g"), script("bad", "x = no"), user("a"), user("b"), flow("s", "g", "bad"), flow("g", "a", "b")
    )
    assert p.complete("a").open == ["b"]
    assert p.codes == ["unknown_name"]


def test_a_failing_choice_behind_a_task_rejects_the_answers_and_leaves_the_task_open() -> None:
    p = Play(start(), user("a"), user("b"), flow("s", "a"), flow("a", "b", when="ok"))
    with pytest.raises(InputRejected) as caught:
        p.complete("a", {"okay": True})
    assert (caught.value.findings[0].rule, caught.value.findings[0].where) == ("unknown_name", "P/a")
    assert p.complete("a", {"ok": True}).open == ["b"]


# -- budgets


def endless(*body: str) -> bpmn.Definition:
    return definition(
        process(*body, gateway("m", "exclusive"), script("x", "n = n + 1"), flow("m", "x"), flow("x", "m"))
    )


def test_an_endless_loop_rejects_the_input_and_nothing_has_happened() -> None:
    made = endless(start(), user("a"), flow("s", "a", "m"))
    step = bpmn.start(made, T0, {"n": 0}, business_key="K")
    with pytest.raises(InputRejected) as caught:
        bpmn.complete(made, step.state, T0, step.work[0].token, {})
    assert caught.value.findings[0].rule == "budget_exhausted"
    with pytest.raises(InputRejected):
        bpmn.start(endless(start(), flow("s", "m")), T0, {"n": 0}, business_key="K")


def test_an_endless_loop_behind_a_timer_is_an_incident_and_the_other_timers_fire() -> None:
    made = endless(
        start(),
        user("a"),
        boundary("t1", "a", "timer PT1H", False),
        boundary("t2", "a", "timer PT2H", False),
        user("z"),
        flow("s", "a"),
        flow("t1", "m"),
        flow("t2", "z"),
    )
    step = bpmn.start(made, T0, {"n": 0}, business_key="K")
    step = bpmn.fire(made, step.state, T0 + timedelta(hours=3), {})
    assert [(i.element, i.code) for i in step.incidents] == [("P/t1", "budget_exhausted")]
    assert [w.element for w in step.work] == ["P/a", "P/z"]
    assert not step.more
    assert bpmn.read(made, step.state) == {"n": 0}
    assert len(step.entries) < 20
    assert bpmn.next_due(step, {}) is None


def test_more_is_never_for_ever() -> None:
    made = endless(start(), flow("s", "m"))
    step = bpmn.start(made, T0, {"n": 0}, business_key="K", budget=5_000)
    calls = 0
    while step.more:
        step = bpmn.resume(made, step.state, T0, budget=5_000)
        calls += 1
    assert calls <= 5
    assert [i.code for i in step.incidents] == ["budget_exhausted"]
    again = bpmn.resume(made, step.state, T0, retry=step.incidents[0].token)
    assert [i.code for i in again.incidents] == ["budget_exhausted"]
    assert not again.more


def test_more_than_64_kb_of_variables_is_refused() -> None:
    p = Play(start(), user("a"), user("b"), flow("s", "a", "b"))
    p.complete("a", {"x": "字" * 20_000})
    with pytest.raises(InputRejected) as caught:
        p.complete("b", {"y": "字" * 20_000})
    assert caught.value.findings[0].rule == "too_much_data"
    assert p.complete("b", {"x": "字" * 21_000}).outcome == "completed"


def test_a_script_behind_a_timer_that_writes_too_much_is_an_incident() -> None:
    body = (start(), user("a"), boundary("t", "a", "timer PT1H", False), script("big", "y = x"))
    p = Play(*body, flow("s", "a"), flow("t", "big"), data={"x": "x" * 40_000})
    step = bpmn.fire(p.definition, p.step.state, T0 + timedelta(hours=1), {})
    assert [(i.element, i.code) for i in step.incidents] == [("P/t", "too_much_data")]
    assert "y" not in bpmn.read(p.definition, step.state)
    assert [w.element for w in step.work] == ["P/a"]


# -- states
def test_the_state_is_tagged_and_unknown_tags_are_refused() -> None:
    p = Play(start(), user("a"), flow("s", "a"))
    document = json.loads(p.step.state)
    assert (document["format"], document["semantics"]) == (1, 1)
    for tag in ("format", "semantics"):
        with pytest.raises(InputRejected) as caught:
            bpmn.resume(p.definition, json.dumps({**document, tag: 99}).encode(), T0)
        assert caught.value.findings[0].rule == "state_unknown"
    with pytest.raises(InputRejected):
        bpmn.read(p.definition, b"nonsense")


def test_a_state_of_another_definition_is_refused() -> None:
    p, other = Play(start(), user("a"), flow("s", "a")), Play(start(), user("b"), flow("s", "b"))
    with pytest.raises(InputRejected) as caught:
        bpmn.resume(other.definition, p.step.state, T0)
    assert caught.value.findings[0].rule == "other_definition"


def test_nothing_can_be_done_to_a_case_that_has_ended_but_reading_it() -> None:
    p = Play(start(), user("a"), flow("s", "a")).complete("a", {"x": 1})
    for attempt in (
        lambda: bpmn.complete(p.definition, p.step.state, T0, 3, {}),
        lambda: bpmn.deliver(p.definition, p.step.state, T0, 3, None),
        lambda: bpmn.fire(p.definition, p.step.state, T0, {}),
        lambda: bpmn.resume(p.definition, p.step.state, T0),
    ):
        with pytest.raises(CaseEnded) as caught:
            attempt()
        assert caught.value.facts["outcome"] == "completed"
    assert p.data == {"x": 1}


@pytest.mark.parametrize(
    ("rule", "act"),
    [
        ("not_open", lambda p: bpmn.complete(p.definition, p.step.state, T0, 99, {})),
        ("not_open", lambda p: bpmn.read(p.definition, p.step.state, 99)),
        ("nothing_waits", lambda p: bpmn.deliver(p.definition, p.step.state, T0, 99, None)),
        ("no_incident", lambda p: bpmn.resume(p.definition, p.step.state, T0, retry=99)),
        ("answers_not_plain", lambda p: bpmn.complete(p.definition, p.step.state, T0, p.step.work[0].token, [])),
        ("no_such_start", lambda p: bpmn.start(p.definition, T0, {}, business_key="K", at="a")),
    ],
)
def test_a_wrong_input_is_rejected_by_name(rule: str, act: Any) -> None:
    p = Play(start(), user("a"), flow("s", "a"))
    with pytest.raises(InputRejected) as caught:
        act(p)
    assert caught.value.findings[0].rule == rule
    assert caught.value.findings[0].zh


def test_a_process_with_message_start_only_is_not_started_plainly() -> None:
    with pytest.raises(InputRejected) as caught:
        Play(start(on="msg"), user("a"), flow("s", "a"))
    assert caught.value.findings[0].rule == "needs_start_event"


def test_a_retry_of_a_boundary_that_could_not_be_armed_arms_all_of_them() -> None:
    body = (
        start(),
        gateway("g"),
        user("set"),
        user("a"),
        boundary("b1", "a", "timer PT1H"),
        boundary("b2", "a", "timer w"),
    )
    p = Play(*body, user("z"), flow("s", "g", "a"), flow("g", "set"), flow("b1", "z"), flow("b2", "z"))
    assert p.codes == ["unknown_name"]
    assert p.step.waits == ()
    assert p.complete("set", {"w": "PT2H"}).retry().open == ["a"]
    assert sorted(w.element for w in p.step.waits) == ["P/b1", "P/b2"]


def test_a_before_script_runs_before_the_role_is_found() -> None:
    before = extensions("<spiffworkflow:preScript>where = 'liwan/hall'</spiffworkflow:preScript>")
    p = Play(lanes(lane("clerk", "where", "a")), start(), user("a", before), flow("s", "a"))
    assert p.step.work[0].scope == "liwan/hall"
    assert runtime.BUDGET == 20_000
