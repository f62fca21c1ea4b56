"""Faults of drawing, each with its rule and the element to look at."""

from __future__ import annotations

from collections.abc import Callable

from engine.model import Library
from tests.gate_cases.libraries import (
    PERMIT,
    PERMIT_HEAD,
    STEP,
    between,
    ext,
    flow,
    library,
    node,
    permit,
    process,
    props,
    returning,
    script,
    step,
    timer,
    user,
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
DRAWING: list[tuple[str, str, Callable[[], Library]]] = [
    (
        "schema",
        "check",
        lambda: permit(('<bpmn:userTask id="check"', '<bpmn:userTask isForCompensation="perhaps" id="check"')),
    ),
    (
        "file_name",
        "permit",
        lambda: library(
            processes__services__market__permit_DOT_bpmn=None,
            processes__services__market__other_DOT_bpmn=process("permit", *PERMIT, head=PERMIT_HEAD),
        ),
    ),
    ("key_reused", "step", lambda: library(processes__grid__step_DOT_bpmn=process("step", *STEP))),
    ("not_xml", "", lambda: library(processes__grid__x_DOT_bpmn=b"<a>")),
    ("doctype", "", lambda: library(processes__grid__x_DOT_bpmn=b"<!DOCTYPE a><a/>")),
    ("not_bpmn", "", lambda: library(processes__grid__x_DOT_bpmn=b"<a/>")),
    ("one_process", "", lambda: permit(("</bpmn:process>", "</bpmn:process><bpmn:process id='two'/>"))),
    ("not_executable", "permit", lambda: permit(('isExecutable="true"', 'isExecutable="false"'))),
    ("duplicate_id", "late", lambda: permit(('id="lapsed"', 'id="late"'))),
    (
        "shape_missing",
        "check",
        lambda: library(
            processes__services__market__permit_DOT_bpmn=process("permit", *PERMIT, head=PERMIT_HEAD).encode()
        ),
    ),
    ("unreachable", "a", lambda: step(script("a", "answer = 2"), flow("seed", "end"), flow("a", "end"))),
    ("empty", "a", lambda: between(node("subProcess", "a"))),
    ("ad_hoc", "a", lambda: between(node("adHocSubProcess", "a", script("x", "answer = 2")))),
    (
        "handler_flow",
        "h",
        lambda: step(
            node(
                "subProcess",
                "h",
                node("startEvent", "s", EVENT) + node("endEvent", "e") + flow("s", "e"),
                triggeredByEvent="true",
            ),
            flow("seed", "h"),
            flow("h", "end"),
            more=MESSAGE,
        ),
    ),
    (
        "inner_start",
        "s",
        lambda: step(
            node("subProcess", "a", node("startEvent", "s", EVENT) + node("endEvent", "e") + flow("s", "e")),
            flow("seed", "a"),
            flow("a", "end"),
            more=MESSAGE,
        ),
    ),
    (
        "start_event",
        "bad",
        lambda: step(
            node("startEvent", "bad", "<bpmn:errorEventDefinition/>"), flow("bad", "end"), flow("seed", "end")
        ),
    ),
    ("incoming", "start", lambda: permit((flow("late", "lapsed"), flow("late", "start")))),
    ("outgoing", "granted", lambda: permit(extra=(flow("granted", "check"),))),
    (
        "cancel_place",
        "stop",
        lambda: step(node("endEvent", "stop", "<bpmn:cancelEventDefinition/>"), flow("seed", "stop")),
    ),
    (
        "several_events",
        "stop",
        lambda: step(
            node(
                "endEvent",
                "stop",
                "<bpmn:terminateEventDefinition id='t'/><bpmn:signalEventDefinition id='u' signalRef='g'/>",
            ),
            flow("seed", "stop"),
            more="<bpmn:signal id='g' name='g'/>",
        ),
    ),
    (
        "boundary_host",
        "b",
        lambda: step(
            node("exclusiveGateway", "a"),
            node("boundaryEvent", "b", timer('"PT1H"'), attachedToRef="a"),
            flow("seed", "a"),
            flow("a", "end"),
            flow("b", "end"),
        ),
    ),
    (
        "compensation_handler",
        "b",
        lambda: between(
            script("a", "answer = 2"),
            node("boundaryEvent", "b", "<bpmn:compensateEventDefinition/>", attachedToRef="a"),
        ),
    ),
    (
        "compensation_nested",
        "ask",
        lambda: between(
            script("a", "answer = 2"),
            node("boundaryEvent", "b", "<bpmn:compensateEventDefinition/>", attachedToRef="a"),
            script("undo", "answer = 0").replace("<bpmn:scriptTask", "<bpmn:scriptTask isForCompensation='true'"),
            "<bpmn:association id='as' sourceRef='b' targetRef='undo'/>",
        ),
    ),
    (
        "event_gateway",
        "g",
        lambda: step(
            node("eventBasedGateway", "g"),
            node("intermediateCatchEvent", "c", timer('"PT1H"')),
            script("s", "answer = 2"),
            flow("seed", "g"),
            flow("g", "c"),
            flow("g", "s"),
            flow("c", "end"),
            flow("s", "end"),
        ),
    ),
    (
        "parallel_condition",
        "g",
        lambda: step(
            node("parallelGateway", "g"),
            script("s", "x = 2"),
            flow("seed", "g"),
            flow("g", "s", "answer == 1"),
            flow("g", "end"),
            flow("s", "end"),
        ),
    ),
    ("flow_condition", "fine", lambda: permit((' default="fine__refused"', ""))),
    ("default_flow", "fine", lambda: permit(('default="fine__refused"', 'default="ask__decide"'))),
    (
        "activation",
        "c",
        lambda: step(
            node("parallelGateway", "g"),
            node("complexGateway", "c"),
            flow("seed", "g"),
            flow("g", "c"),
            script("s", "x = 2"),
            flow("g", "s"),
            flow("s", "c"),
            flow("c", "end"),
        ),
    ),
    (
        "complex_flow",
        "c",
        lambda: step(
            node("parallelGateway", "g"),
            node("complexGateway", "c"),
            flow("seed", "g"),
            flow("g", "c"),
            script("s", "x = 2"),
            flow("g", "s"),
            flow("s", "c"),
            flow("c", "end"),
        ),
    ),
    (
        "behavior",
        "a",
        lambda: between(
            node(
                "scriptTask",
                "a",
                "<bpmn:multiInstanceLoopCharacteristics behavior='Complex'><bpmn:loopCardinality>3"
                "</bpmn:loopCardinality></bpmn:multiInstanceLoopCharacteristics><bpmn:script>x = 1</bpmn:script>",
            )
        ),
    ),
    (
        "instances_lost",
        "a",
        lambda: between(
            node(
                "userTask",
                "a",
                "<bpmn:multiInstanceLoopCharacteristics><bpmn:loopCardinality>3</bpmn:loopCardinality>"
                "</bpmn:multiInstanceLoopCharacteristics>",
                ext(props(formJsonSchemaFilename="permit/check.json")),
            )
        ),
    ),
    ("cell_form", "i1", lambda: library(processes__grid__sort_DOT_dmn=TABLE.replace("CELL", "1,5"))),
    ("cell_form", "i1", lambda: library(processes__grid__sort_DOT_dmn=TABLE.replace("CELL", "not(3)"))),
    ("no_lane", "check", lambda: permit(("<bpmn:flowNodeRef>check</bpmn:flowNodeRef>", ""))),
    ("start_lane", "start", lambda: permit(("<bpmn:flowNodeRef>start</bpmn:flowNodeRef>", ""))),
    ("role_unknown", "nobody", lambda: permit(('<bpmn:lane id="clerk"', '<bpmn:lane id="nobody"'))),
    ("scope_missing", "clerk", lambda: permit((ext(props(scope="'liwan/hall'")), ""))),
    (
        "form_missing",
        "check",
        lambda: permit(
            (
                user("check", "application", starts="review"),
                user("check", "application", starts="review", formJsonSchemaFilename=""),
            )
        ),
    ),
    ("form_unknown", "check", lambda: library(forms__permit__check_DOT_json=None)),
    (
        "variable_missing",
        "decide",
        lambda: permit(("<spiffworkflow:variableName>decision</spiffworkflow:variableName>", "")),
    ),
    ("distinct_unknown", "decide", lambda: permit(('value="check"', 'value="chek"'))),
    ("return_unknown", "decide", lambda: returning("nowhere")),
    ("return_unknown", "decide", lambda: returning("nowhere/check")),
    ("return_no_task", "decide", lambda: returning("ask")),
    ("return_no_task", "decide", lambda: returning("decide")),
    ("return_call", "decide", lambda: returning("check/work")),
    ("return_entrance", "decide", lambda: returning("ask/work")),
    ("return_unreachable", "check", lambda: returning("decide", 'name="starts" value="review"/>')),
    ("property_unknown", "decide", lambda: permit(('name="papers"', 'name="paper"'))),
    ("property_place", "decide", lambda: permit(('name="papers" value="notice"', 'name="outcome" value="x"'))),
]
