"""What the machine promises its callers: linking, declared data, history, acts, roles, time, incidents, budgets."""

from __future__ import annotations

from datetime import timedelta

import pytest

from engine import bpmn
from engine.errors import InputRejected, Refused
from tests.diagrams import (
    T0,
    Play,
    boundary,
    call,
    definition,
    end,
    flow,
    gateway,
    io,
    lane,
    lanes,
    process,
    properties,
    script,
    start,
    sub,
    throw,
    user,
)


# -- compiling and linking
def step_process(*body: str, inputs: str = "", outputs: str = "", ident: str = "Q") -> bytes:
    return process(io(inputs, outputs), *body, ident=ident)


def test_a_definition_is_linked_by_digest_and_holds_only_what_its_root_reaches() -> None:
    root = bpmn.compile_process(process(start(), call("c", "Q"), flow("s", "c")))
    used = bpmn.compile_process(step_process(start("s2"), user("a"), flow("s2", "a")))
    other = bpmn.compile_process(process(start(), ident="R"))
    linked = bpmn.link("P", {"P": root, "Q": used, "R": other})
    assert sorted(linked.processes) == ["P", "Q"]
    assert linked.processes["Q"] is used
    assert linked.node("Q/a").kind == "userTask"
    changed = bpmn.compile_process(step_process(start("s2"), user("a", name="x"), flow("s2", "a")))
    assert bpmn.link("P", {"P": root, "Q": changed}).digest != linked.digest
    assert bpmn.link("P", {"R": other, "Q": used, "P": root}).digest == linked.digest


def test_linking_names_the_element_whose_call_leads_nowhere() -> None:
    root = bpmn.compile_process(process(start(), call("c", "Q"), flow("s", "c")), "p.bpmn")
    with pytest.raises(Refused) as caught:
        bpmn.link("P", {"P": root})
    assert [(f.where, f.rule) for f in caught.value.findings] == [("p.bpmn#c", "called_missing")]


def test_processes_that_call_each_other_are_refused() -> None:
    one = bpmn.compile_process(process(start(), call("c", "Q"), flow("s", "c")))
    two = bpmn.compile_process(process(start(), call("c", "P"), flow("s", "c"), ident="Q"))
    with pytest.raises(Refused) as caught:
        bpmn.link("P", {"P": one, "Q": two})
    assert caught.value.findings[0].rule == "call_cycle"


def test_scopes_are_named_by_process_and_sub_process_at_any_depth() -> None:
    inner = sub("inner", start("s2"), user("a"), flow("s2", "a"))
    made = bpmn.compile_process(
        process(start(), sub("outer", start("s1"), inner, flow("s1", "inner")), flow("s", "outer"))
    )
    assert sorted(made.scopes) == ["P", "P/inner", "P/outer"]
    assert made.scopes["P/inner"].parent == "P/outer"


def test_a_node_knows_its_form_variable_rule_acts_and_documentation() -> None:
    given = properties(
        variable="review",
        formJsonSchemaFilename="x/review.json",
        distinct_from="a b",
        notices="told",
        papers="p1 p2",
        milestone="accepted",
        starts="statutory",
    )
    made = bpmn.compile_process(
        process(start(), user("r", "<documentation>why</documentation>" + given), flow("s", "r"))
    )
    node = made.scopes["P"].nodes["r"]
    assert (node.form, node.variable, node.distinct_from) == ("x/review.json", "review", ("a", "b"))
    assert node.acts == (
        ("milestone", "accepted"),
        ("starts", "statutory"),
        ("papers", "p1"),
        ("papers", "p2"),
        ("notices", "told"),
    )
    assert node.documentation == "why"
    assert made.forms == ("x/review.json",)


# -- declared inputs and outputs
def test_nothing_but_declared_inputs_and_outputs_crosses_a_call() -> None:
    called = step_process(
        start("s2"), script("in", "out = x + 1\nx = 99\nhidden = 1"), flow("s2", "in"), inputs="x", outputs="out"
    )
    caller = process(start(), call("c", "Q"), user("z"), flow("s", "c", "z"))
    p = Play(files=(caller, called), data={"x": 1, "secret": 2})
    assert p.data == {"x": 1, "secret": 2, "out": 2}


def test_a_called_process_does_not_see_what_it_did_not_declare() -> None:
    called = step_process(start("s2"), script("in", "y = secret"), flow("s2", "in"))
    p = Play(files=(process(start(), call("c", "Q"), flow("s", "c")), called), data={"secret": 2})
    assert p.codes == ["unknown_name"]
    assert p.step.incidents[0].element == "Q/in"


def test_a_missing_input_is_an_incident_that_can_be_retried() -> None:
    called = step_process(start("s2"), user("a"), flow("s2", "a"), inputs="x")
    caller = process(start(), gateway("g"), user("set"), call("c", "Q"), flow("s", "g", "c"), flow("g", "set"))
    p = Play(files=(caller, called))
    assert p.codes == ["input_missing"]
    assert p.step.incidents[0].element == "P/c"
    assert p.complete("set", {"x": 1}).retry().open == ["a"]


def test_a_missing_output_is_an_incident_and_a_retry_goes_on_without_it() -> None:
    called = step_process(start("s2"), script("in", "a = 1"), flow("s2", "in"), outputs="a b")
    p = Play(files=(process(start(), call("c", "Q"), user("z"), flow("s", "c", "z")), called))
    assert p.codes == ["output_missing"]
    assert p.retry().open == ["z"]
    assert p.data == {"a": 1}


def test_a_root_without_its_declared_input_is_not_started() -> None:
    with pytest.raises(InputRejected) as caught:
        Play(files=(step_process(start(), flow("s", "a"), user("a"), inputs="item"),), data={"other": 1})
    assert caught.value.findings[0].rule == "input_missing"


# -- history
def test_entries_carry_flows_scopes_and_old_and_new_values() -> None:
    called = step_process(start("s2"), script("in", "x = x + 1"), flow("s2", "in"), inputs="x", outputs="x")
    p = Play(files=(process(start(), call("c", "Q"), user("z"), flow("s", "c", "z")), called), data={"x": 1})
    told = [(e.kind, e.element, e.flow, e.values) for e in p.history]
    assert told == [
        ("scope.opened", "P", None, None),
        ("variables.written", "P", None, {"x": [None, 1]}),
        ("element.entered", "P/s", None, None),
        ("element.completed", "P/s", None, None),
        ("element.entered", "P/c", "s_c", None),
        ("scope.opened", "P/c", None, None),
        ("variables.written", "P/c", None, {"x": [None, 1]}),
        ("element.entered", "Q/s2", None, None),
        ("element.completed", "Q/s2", None, None),
        ("element.entered", "Q/in", "s2_in", None),
        ("variables.written", "Q/in", None, {"x": [1, 2]}),
        ("element.completed", "Q/in", None, None),
        ("variables.written", "P/c", None, {"x": [1, 2]}),
        ("element.completed", "P/c", None, None),
        ("element.entered", "P/z", "c_z", None),
    ]
    opened = [e.detail for e in p.history if e.kind == "scope.opened"]
    assert [d["of"] for d in opened] == ["P", "Q"]
    assert all(e.at == T0 for e in p.history)


def test_a_value_written_again_unchanged_is_no_event_but_another_type_is() -> None:
    p = Play(start(), user("a"), user("b"), flow("s", "a", "b"), data={"x": 1}).complete("a", {"x": 1})
    assert not [e for e in p.step.entries if e.kind == "variables.written"]
    p.complete("b", {"x": True})
    assert [e.values for e in p.step.entries if e.values] == [{"x": [1, True]}]


def test_the_end_of_the_case_is_its_last_entry() -> None:
    p = Play(start(), end("e", inner=properties(outcome="granted")), flow("s", "e"))
    assert (p.history[-1].kind, p.history[-1].detail) == ("case.ended", {"outcome": "granted"})
    assert p.outcome == "granted"


@pytest.mark.parametrize("how", ["", "term"])
def test_the_outcome_is_that_of_the_roots_own_end_event(how: str) -> None:
    called = step_process(start("s2"), end("e2", inner=properties(outcome="inner")), flow("s2", "e2"))
    body = (start(), call("c", "Q"))
    named = process(*body, end("e", how, properties(outcome="denied")), flow("s", "c", "e"))
    assert Play(files=(named, called)).outcome == "denied"
    unnamed = process(*body, end("e", how), flow("s", "c", "e"))
    assert Play(files=(unnamed, called)).outcome == ("terminated" if how else "completed")


# -- acts
def test_acts_are_told_when_the_node_completes_with_what_it_saw() -> None:
    carrier = throw("t", inner=properties(milestone="accepted", starts="statutory promised", citation="法"))
    p = Play(
        start(), user("a", properties(papers="receipt")), carrier, user("z"), flow("s", "a", "t", "z"), data={"x": [1]}
    )
    assert p.acts == []
    p.complete("a", {"y": 2})
    told = [(a.verb, a.name, a.element, a.at) for a in p.acts]
    assert told == [
        ("papers", "receipt", "P/a", T0),
        ("milestone", "accepted", "P/t", T0),
        ("starts", "statutory", "P/t", T0),
        ("starts", "promised", "P/t", T0),
    ]
    assert p.acts[0].variables == {"x": [1], "y": 2}
    assert p.acts[1].properties["citation"] == "法"
    done = {(e.element, e.token) for e in p.step.entries if e.kind == "element.completed"}
    assert all((a.element, a.token) in done for a in p.acts)


def test_acts_of_a_boundary_event_are_done_when_it_fires_and_those_of_what_it_cancels_never() -> None:
    p = Play(
        start(),
        user("a", properties(papers="never")),
        boundary("b", "a", "timer PT1H", inner=properties(drops="statutory")),
        user("z"),
        flow("s", "a"),
        flow("b", "z"),
    )
    p.later(hours=2)
    assert [(a.verb, a.name, a.element, a.at) for a in p.acts] == [
        ("drops", "statutory", "P/b", T0 + timedelta(hours=1))
    ]
    caught = [e for e in p.step.entries if e.kind == "event.caught"]
    assert [(e.element, e.token) for e in caught] == [("P/b", p.acts[0].token)]


def test_acts_of_end_events_and_of_a_repeated_activity_are_done_once() -> None:
    loop = "<multiInstanceLoopCharacteristics><loopCardinality>3</loopCardinality></multiInstanceLoopCharacteristics>"
    body = (start(), script("m", "", properties(notices="sms") + loop), end("e", "err", properties(milestone="over")))
    p = Play(*body, flow("s", "m", "e"))
    assert [(a.verb, a.name) for a in p.acts] == [("notices", "sms"), ("milestone", "over")]


def test_acts_do_not_share_what_they_saw() -> None:
    made = definition(
        process(
            start(),
            throw("t", inner=properties(papers="p")),
            throw("v", inner=properties(papers="q")),
            user("z"),
            flow("s", "t", "v", "z"),
        )
    )
    step = bpmn.start(made, T0, {"x": [1]}, business_key="K")
    step.acts[0].variables["x"].append(2)
    assert step.acts[1].variables == {"x": [1]}


# -- roles
def test_a_work_items_role_is_its_lane_and_its_scope_is_fixed_when_it_is_created() -> None:
    p = Play(
        lanes(lane("examiner", "item['scope']", "a", name="审查员"), lane("clerk", "'liwan/hall'", "b")),
        start(),
        gateway("g"),
        user("a", name="审查"),
        user("b"),
        flow("s", "g", "a"),
        flow("g", "b"),
        data={"item": {"scope": "liwan/dept/health"}},
    )
    first = p.step.work[0]
    assert (first.role, first.role_name, first.scope, first.name) == ("examiner", "审查员", "liwan/dept/health", "审查")
    p.complete("b", {"item": {"scope": "elsewhere"}})
    assert p.step.work[0].scope == "liwan/dept/health"


def test_the_innermost_lane_counts_and_a_sub_process_gives_its_own_to_its_nodes() -> None:
    inner = sub("u", start("s1"), user("b"), flow("s1", "b"))
    nested = lanes(lane("outer", "'liwan'", "a", "u", inner=lane("inner", "'liwan/hall'", "a")))
    p = Play(nested, start(), gateway("g"), user("a"), inner, flow("s", "g", "a"), flow("g", "u"))
    assert {w.element: (w.role, w.scope) for w in p.step.work} == {
        "P/a": ("inner", "liwan/hall"),
        "P/u/b": ("outer", "liwan"),
    }


@pytest.mark.parametrize(
    ("expression", "code"), [("nowhere", "unknown_name"), ("1", "lane_scope"), ("''", "lane_scope")]
)
def test_a_role_without_scope_is_an_incident_not_a_task_for_nobody(expression: str, code: str) -> None:
    p = Play(lanes(lane("clerk", expression, "a")), start(), user("a"), flow("s", "a"))
    assert p.codes == [code]
    assert p.open == []
