"""Faults of what elements mean: expressions, tables, messages, timers, properties; each with rule and element."""

from __future__ import annotations

from collections.abc import Callable

from engine.bpmn.layout import layout
from engine.model import Library
from tests.gate_cases.libraries import (
    CODE,
    PERMIT_HEAD,
    STEP,
    between,
    ext,
    flow,
    io,
    library,
    node,
    permit,
    process,
    props,
    rows,
    script,
    step,
    table,
    timer,
)

EVENT = "<bpmn:messageEventDefinition messageRef='m'/>"
MESSAGE = "<bpmn:message id='m' name='m'/>"
TABLE = (
    '<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/" id="d" name="d" namespace="t">'
    '<decision id="sort" name="sort"><decisionTable id="t" hitPolicy="FIRST"><input id="in"><inputExpression id="ie">'
    '<text>answer</text></inputExpression></input><output id="out" name="found"/><rule id="r">'
    '<inputEntry id="i1"><text>CELL</text></inputEntry><outputEntry id="o1"><text>1</text></outputEntry></rule>'
    "</decisionTable></decision></definitions>"
)
MEANING: list[tuple[str, str, Callable[[], Library]]] = [
    ("paper_unknown", "decide", lambda: library(forms__documents__notice_DOT_html=None)),
    ("notice_unknown", "decide", lambda: permit(('value="accepted"', 'value="unheard"'))),
    ("deadline_unknown", "decide", lambda: permit(('name="meets" value="review"', 'name="meets" value="revue"'))),
    ("deadline_unknown", "late", lambda: permit(("deadline('review')", "deadline('revue')"))),
    ("deadline_never_started", "late", lambda: permit(("deadline('review')", "deadline('hearing')"))),
    (
        "deadline_never_started",
        "decide",
        lambda: permit(('name="meets" value="review"', 'name="meets" value="hearing"')),
    ),
    ("deadline_form", "late", lambda: permit(("deadline('review')", "deadline(item['kind'])"))),
    ("standstill_citation", "decide", lambda: permit(('name="meets"', 'name="pauses"'))),
    ("item_unknown", "permit", lambda: permit(head=ext(props(item="9" * 31)))),
    (
        "item_key",
        "step",
        lambda: library(processes__services__steps__step_DOT_bpmn=process("step", *STEP, head=PERMIT_HEAD)),
    ),
    ("item_without_process", CODE, lambda: library(processes__services__market__permit_DOT_bpmn=None)),
    ("io_missing", "ask", lambda: library(processes__services__steps__step_DOT_bpmn=process("step", *STEP[1:]))),
    (
        "input_unset",
        "ask",
        lambda: permit(("<spiffworkflow:variableName>application<", "<spiffworkflow:variableName>other<")),
    ),
    (
        "output_unset",
        "step",
        lambda: library(
            processes__services__steps__step_DOT_bpmn=process("step", io("item application", "answer more"), *STEP[1:])
        ),
    ),
    ("called_missing", "ask", lambda: permit(('calledElement="step"', 'calledElement="stepp"'))),
    ("call_cycle", "a", lambda: between(node("callActivity", "a", calledElement="permit"))),
    ("expression", "fine", lambda: permit(("decision['ok']", "decision.ok"))),
    ("expression", "a", lambda: between(script("a", "answer += 1"))),
    ("expression", "a", lambda: between(script("a", "answer = nothing(1)"))),
    ("name_unset", "fine", lambda: permit(("decision['ok']", "descision['ok']"))),
    ("name_unset", "a", lambda: between(script("a", "answer = nothing"))),
    ("name_unset", "permit", lambda: permit(head=ext(props(item=CODE, title="nothing")))),
    (
        "name_unset",
        "decide",
        lambda: library(processes__registers__notices_DOT_csv="kind,name,to\naccepted,受理,contact['phone']\n"),
    ),
    ("timer_unquoted", "late", lambda: permit((timer("deadline('review')", "timeDate"), timer("PT1H")))),
    ("timer_invalid", "late", lambda: permit((timer("deadline('review')", "timeDate"), timer('"one hour"')))),
    (
        "parallel_write",
        "g",
        lambda: step(
            node("parallelGateway", "g"),
            node("parallelGateway", "j"),
            script("s", "answer = 2"),
            script("t", "answer = 3"),
            flow("seed", "g"),
            flow("g", "s"),
            flow("g", "t"),
            flow("s", "j"),
            flow("t", "j"),
            flow("j", "end"),
        ),
    ),
    (
        "parallel_write",
        "b",
        lambda: step(
            node("subProcess", "a", node("startEvent", "is") + script("x", "answer = 2") + flow("is", "x")),
            node("boundaryEvent", "b", timer('"PT1H"'), attachedToRef="a", cancelActivity="false"),
            script("t", "answer = 3"),
            flow("seed", "a"),
            flow("a", "end"),
            flow("b", "t"),
        ),
    ),
    ("name_missing", "a", lambda: between(node("scriptTask", "a", "<bpmn:script>x = 1</bpmn:script>", name=""))),
    (
        "documentation_missing",
        "step",
        lambda: library(processes__services__steps__step_DOT_bpmn=process("step", *STEP, doc="")),
    ),
    (
        "ours_only",
        "stop",
        lambda: step(
            node("endEvent", "stop", "<bpmn:signalEventDefinition signalRef='g'/>"),
            flow("seed", "stop"),
            more="<bpmn:signal id='g' name='g'/>",
        ),
    ),
    ("ours_only", "seed", lambda: step(script("s", "x = 1"), flow("seed", "s"), flow("seed", "end"), flow("s", "end"))),
    ("manual_task", "a", lambda: between(node("manualTask", "a"))),
    ("instantiating", "a", lambda: between(node("receiveTask", "a", messageRef="m", instantiate="true"), more=MESSAGE)),
    (
        "script_format",
        "a",
        lambda: between(
            script("a", "x = 1").replace("<bpmn:scriptTask id", '<bpmn:scriptTask scriptFormat="javascript" id')
        ),
    ),
    ("operation_missing", "a", lambda: between(node("serviceTask", "a"))),
    ("two_lanes", "check", lambda: permit(("<bpmn:flowNodeRef>decide<", "<bpmn:flowNodeRef>check<"))),
    (
        "participant",
        "pool",
        lambda: library(
            processes__services__steps__step_DOT_bpmn=layout(process("step", *STEP).encode()).replace(
                b"<bpmn:process",
                b"<bpmn:collaboration id='c'><bpmn:participant id='pool' processRef='other'/></bpmn:collaboration>"
                b"<bpmn:process",
                1,
            )
        ),
    ),
    (
        "compensation_orphan",
        "undo",
        lambda: between(
            script("a", "answer = 2"),
            script("undo", "answer = 0").replace("<bpmn:scriptTask", "<bpmn:scriptTask isForCompensation='true'"),
        ),
    ),
    (
        "compensation_target",
        "a",
        lambda: between(node("intermediateThrowEvent", "a", "<bpmn:compensateEventDefinition activityRef='none'/>")),
    ),
    ("item_column", "fine", lambda: permit(("decision['ok'] ==", "item['nothing'] =="))),
    ("id_style", "badName", lambda: between(script("badName", "x = 1"), first="badName", last="badName")),
    ("decision_form", "d", lambda: table("<literalExpression id='l'><text>1</text></literalExpression>")),
    ("hit_policy", "t", lambda: table(rows("1", "2", policy="PRIORITY"))),
    ("cell_form", "r0_i", lambda: table(rows("1,5", "9"))),
    ("cell_form", "r1_i", lambda: table(rows("1", "not(9)"))),
    ("overlap", "r1", lambda: table(rows("&gt; 3", "5"))),
    ("overlap", "r1", lambda: table(rows("'a'", "? in ['a', 'b']"))),
    ("overlap", "r1", lambda: table(rows("'a'", ""))),
    ("abstract_task", "a", lambda: between(node("task", "a"))),
    ("reference_missing", "a", lambda: between(node("intermediateCatchEvent", "a", EVENT))),
    (
        "decision_missing",
        "a",
        lambda: between(
            node(
                "businessRuleTask",
                "a",
                extension=ext("<spiffworkflow:calledDecisionId>none</spiffworkflow:calledDecisionId>"),
            )
        ),
    ),
]
