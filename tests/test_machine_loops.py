"""Multi-instance with quorum, standard loops, decisions, forms, and what the compiler refuses."""

from __future__ import annotations

from typing import Any

import pytest

from engine import bpmn
from engine.errors import InputRejected, Refused
from tests.diagrams import (
    T0,
    Play,
    boundary,
    definition,
    element,
    end,
    extensions,
    flow,
    gateway,
    process,
    script,
    start,
    sub,
    user,
)

VOTE = (
    '<multiInstanceLoopCharacteristics isSequential="{seq}"><loopDataInputRef>people</loopDataInputRef>'
    '<loopDataOutputRef>votes</loopDataOutputRef><inputDataItem id="person"/><outputDataItem id="vote"/>{cond}'
    "</multiInstanceLoopCharacteristics>"
)
QUORUM = "<completionCondition>len([v for v in votes if v == 'yes']) >= 3</completionCondition>"
TIMES = "<multiInstanceLoopCharacteristics><loopCardinality>{}</loopCardinality></multiInstanceLoopCharacteristics>"


def vote(seq: str, cond: str = QUORUM) -> tuple[str, ...]:
    return (start(), user("v", VOTE.format(seq=seq, cond=cond)), user("z"), flow("s", "v", "z"))


@pytest.mark.parametrize("seq", ["true", "false"])
def test_quorum_over_collected_outputs_fires_as_soon_as_it_is_reached(seq: str) -> None:
    p = Play(*vote(seq), data={"people": ["a", "b", "c", "d", "e"]})
    assert len(p.open) == (1 if seq == "true" else 5)
    for answer in ("yes", "no", "yes"):
        p.complete("v", {"vote": answer})
    assert "v" in p.open
    assert p.data["votes"] == ["yes", "no", "yes"]
    assert p.complete("v", {"vote": "yes"}).open == ["z"]
    assert p.data["votes"] == ["yes", "no", "yes", "yes"]


def test_answers_stay_in_the_order_of_the_people() -> None:
    p = Play(*vote("false", ""), data={"people": ["a", "b", "c"]})
    for pick, answer in ((2, "C"), (1, "B"), (0, "A")):
        p.complete("v", {"vote": answer}, pick=pick)
    assert p.data["votes"] == ["A", "B", "C"]
    assert "vote" not in p.data


def test_an_instance_sees_its_own_item_and_a_missing_answer_is_rejected() -> None:
    p = Play(*vote("false"), data={"people": ["a", "b"]})
    assert [bpmn.read(p.definition, p.step.state, w.token)["person"] for w in p.step.work] == ["a", "b"]
    assert [w.instance for w in p.step.work] == [0, 1]
    with pytest.raises(InputRejected) as caught:
        p.complete("v", {"remark": "x"})
    assert caught.value.findings[0].rule == "answer_missing"


def test_empty_collection_passes() -> None:
    assert Play(*vote("false"), data={"people": []}).open == ["z"]


def test_multi_instance_sub_process_and_boundary_on_all_of_it() -> None:
    inner = sub("u", TIMES.format(3), start("s1"), user("a"), user("b"), end("e1"), flow("s1", "a", "b", "e1"))
    body = (start(), inner, boundary("t", "u", "timer PT1H"), user("z"), user("late"))
    p = Play(*body, flow("s", "u", "z"), flow("t", "late"))
    p.complete("a")
    assert p.open == ["a", "a", "b"]
    assert p.later(hours=1).open == ["late"]


@pytest.mark.parametrize(("before", "n", "result"), [("true", 0, 3), ("true", 9, 9), ("false", 9, 10)])
def test_standard_loop(before: str, n: int, result: int) -> None:
    loop = (
        f'<standardLoopCharacteristics testBefore="{before}" loopMaximum="5"><loopCondition>n &lt; 3</loopCondition>'
        "</standardLoopCharacteristics>"
    )
    p = Play(start(), script("a", "n = n + 1", loop), user("z"), flow("s", "a", "z"), data={"n": n})
    assert p.data["n"] == result


@pytest.mark.parametrize(
    ("cardinality", "code"), [("-1", "cardinality"), ("'x'", "cardinality"), ("2001", "too_many_instances")]
)
def test_a_wrong_cardinality_is_an_incident_before_anything_is_made(cardinality: str, code: str) -> None:
    p = Play(start(), user("a", TIMES.format(cardinality)), flow("s", "a"))
    assert p.codes == [code]
    assert p.open == []
    assert p.data == {}


def test_the_largest_multi_instance_runs() -> None:
    made = definition(process(start(), script("a", "", TIMES.format(2000)), flow("s", "a")))
    assert bpmn.start(made, T0, {}, business_key="K").outcome == "completed"


DMN = """<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/" id="d" name="d" namespace="x">
<decision id="rate" name="rate"><decisionTable id="t" {policy}><input id="i"><inputExpression id="ie" typeRef="number">
<text>x</text></inputExpression></input><output id="o" name="level" typeRef="string"/>
<rule id="r1"><inputEntry id="a"><text>&gt; 10</text></inputEntry>
<outputEntry id="b"><text>"high"</text></outputEntry></rule>
<rule id="r2"><inputEntry id="c"><text>{other}</text></inputEntry>
<outputEntry id="d2"><text>"low"</text></outputEntry></rule></decisionTable></decision></definitions>"""
RULE = element(
    "businessRuleTask", "rule", extensions("<spiffworkflow:calledDecisionId>rate</spiffworkflow:calledDecisionId>")
)


def decided(policy: str, other: str, x: int) -> Play:
    table = DMN.format(policy=policy, other=other).encode()
    return Play(
        start(), RULE, user("z"), flow("s", "rule", "z"), data={"x": x}, decisions={"rate": table, "more": b"<x/>"}
    )


def test_a_decision_writes_its_outputs() -> None:
    assert decided("", "&lt;= 10", 11).data == {"x": 11, "level": "high"}
    assert decided('hitPolicy="FIRST"', "", 11).data == {"x": 11, "level": "high"}
    assert decided('hitPolicy="FIRST"', "", 1).data == {"x": 1, "level": "low"}
    assert decided('hitPolicy="COLLECT"', "", 11).data == {"x": 11, "level": ["high", "low"]}


def test_overlapping_rules_of_a_unique_table_are_an_incident() -> None:
    assert decided("", "", 11).codes == ["decision_overlap"]
    assert decided("", "nowhere", 1).codes == ["unknown_name"]


@pytest.mark.parametrize("policy", ['hitPolicy="PRIORITY"', 'hitPolicy="COLLECT" aggregation="SUM"'])
def test_hit_policies_that_the_library_runs_wrong_are_refused(policy: str) -> None:
    with pytest.raises(Refused):
        decided(policy, "", 1)


def test_a_changed_decision_table_is_another_definition() -> None:
    one, other = decided("", "&lt;= 10", 1).definition, decided("", "&lt; 10", 1).definition
    assert one.digest != other.digest
    assert one.processes["P"].digest == other.processes["P"].digest


def test_answers_go_into_the_variable_the_task_names() -> None:
    form = user(
        "form",
        extensions(
            "<spiffworkflow:variableName>answer</spiffworkflow:variableName>"
            "<spiffworkflow:postScript>x = answer['x']</spiffworkflow:postScript>"
        ),
    )
    p = Play(start(), form, user("z"), flow("s", "form", "z")).complete("form", {"x": 11})
    assert p.data == {"answer": {"x": 11}, "x": 11}


def test_service_task_is_work_for_a_worker() -> None:
    service = extensions(
        '<spiffworkflow:serviceTaskOperator id="mail" resultVariable="answer"><spiffworkflow:parameters>'
        '<spiffworkflow:parameter id="to" type="str" value="who"/></spiffworkflow:parameters>'
        "</spiffworkflow:serviceTaskOperator>"
    )
    p = Play(start(), element("serviceTask", "m", service), user("z"), flow("s", "m", "z"), data={"who": "x"})
    assert p.open == ["m"]
    operation = p.definition.node("P/m").operation
    assert operation is not None
    assert (operation.name, operation.parameters, operation.result) == ("mail", (("to", "who"),), "answer")
    assert p.complete("m", {"ok": True}).data["answer"] == {"ok": True}


def test_data_object_is_a_variable_of_its_scope() -> None:
    inner = sub(
        "u",
        element("dataObject", "inner"),
        start("s1"),
        script("a", "inner = 1\nd = inner"),
        end("e1"),
        flow("s1", "a", "e1"),
    )
    shared = element("dataObject", "d") + element("dataObjectReference", "ref", dataObjectRef="d")
    p = Play(shared, start(), inner, user("z"), flow("s", "u", "z"))
    assert p.data == {"d": 1}


REFUSALS: list[tuple[str, str, tuple[str, ...]]] = [
    ("abstract_task", "t", (start(), element("task", "t"), flow("s", "t"))),
    ("handler_start", "h", (start(), sub("h", start("hs"), flow("hs", "x"), user("x"), triggeredByEvent="true"))),
    (
        "reference_missing",
        "c",
        (start(), element("intermediateCatchEvent", "c", '<messageEventDefinition messageRef="no"/>'), flow("s", "c")),
    ),
    ("reference_missing", "r", (start(), element("receiveTask", "r", messageRef="nowhere"), flow("s", "r"))),
    ("message_missing", "r", (start(), element("receiveTask", "r"), flow("s", "r"))),
    ("flow_end_missing", "f", (start(), element("sequenceFlow", "f", sourceRef="s", targetRef="nowhere"))),
    ("called_missing", "c", (start(), element("callActivity", "c"), flow("s", "c"))),
    ("called_missing", "c", (start(), element("callActivity", "c", calledElement="nowhere"), flow("s", "c"))),
    ("call_cycle", "c", (start(), element("callActivity", "c", calledElement="P"), flow("s", "c"))),
    ("event_not_allowed", "e", (start(), end("e", "link A"), flow("s", "e"))),
    ("event_missing", "c", (start(), element("intermediateCatchEvent", "c"), flow("s", "c"))),
    ("deadline_place", "c", (start(), user("a"), boundary("c", "a", "timer deadline('x')"), flow("s", "a"))),
    ("decision_missing", "b", (start(), element("businessRuleTask", "b"), flow("s", "b"))),
    ("unreadable", "m", (start(), element("serviceTask", "m"), flow("s", "m"))),
    ("duplicate_id", "a", (start(), user("a"), user("a"), flow("s", "a"))),
    ("quantity", "a", (start(), user("a", startQuantity="0"), flow("s", "a"))),
    ("loop_source", "a", (start(), user("a", "<multiInstanceLoopCharacteristics/>"), flow("s", "a"))),
    ("start_missing", "P", ()),
    ("not_supported", "c", (start(), element("callChoreography", "c"))),
]


@pytest.mark.parametrize(("rule", "ident", "body"), REFUSALS, ids=[r[0] for r in REFUSALS])
def test_the_compiler_refuses_and_names_the_element(rule: str, ident: str, body: tuple[str, ...]) -> None:
    with pytest.raises(Refused) as caught:
        Play(*body)
    assert (f"0.bpmn#{ident}", rule) in [(f.where, f.rule) for f in caught.value.findings]
    assert all(f.zh and f.en and f.mend_zh and f.mend_en for f in caught.value.findings)


def test_all_refusals_of_a_file_come_at_once() -> None:
    body = (
        start(),
        element("task", "t1"),
        element("task", "t2"),
        element("receiveTask", "r"),
        flow("s", "t1", "nowhere"),
    )
    with pytest.raises(Refused) as caught:
        Play(*body)
    assert sorted(f.where.rpartition("#")[2] for f in caught.value.findings) == ["r", "t1", "t1_nowhere", "t2"]


@pytest.mark.parametrize(
    ("rule", "xml"),
    [
        ("doctype", b'<!DOCTYPE x [<!ENTITY a "b">]>' + process(start(), user("a"), flow("s", "a"))),
        ("doctype", b'<!DOCTYPE definitions SYSTEM "file:///etc/passwd">' + process(start())),
        ("not_xml", b"<definitions"),
        ("not_xml", b""),
        ("not_bpmn", b"<x/>"),
        ("file_too_large", b" " * (5 * 1024 * 1024 + 1)),
        ("not_executable", process(start()).replace(b'isExecutable="true"', b'isExecutable="false"')),
        ("one_process", process(start()).replace(b"</definitions>", b'<process id="Q"/></definitions>')),
    ],
)
def test_a_dangerous_or_foreign_file_is_refused(rule: str, xml: bytes) -> None:
    with pytest.raises(Refused) as caught:
        bpmn.compile_process(xml, "x.bpmn")
    assert [f.rule for f in caught.value.findings] == [rule]


def test_nothing_is_refused_in_a_good_diagram() -> None:
    made: Any = bpmn.compile_process(process(*vote("true")), "x.bpmn")
    assert made.key == "P"
    assert len(made.digest) == 64
    assert gateway("x")
