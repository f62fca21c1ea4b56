"""The publishing gate: a good library passes, and every rule has a diagram that it turns red."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.bpmn.gate import check
from engine.bpmn.gate.sentences import RULES
from engine.bpmn.layout import layout
from engine.errors import Finding
from engine.model import Library

PROVED = {"deadlock", "lack_of_synchronisation", "livelock", "dead_element", "dead_event", "not_proved"}
"""Rules of soundness, tested in test_soundness."""
BPMN = "http://www.omg.org/spec/BPMN/20100524/MODEL"
SPIFF = "http://spiffworkflow.org/bpmn/schema/1.0/core"
CODE = "1144010399900016044440116067000"
FORM = json.dumps(
    {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "核对",
        "x-title-en": "Check",
        "type": "object",
        "additionalProperties": False,
        "required": ["ok"],
        "properties": {"ok": {"type": "string", "title": "是否", "x-title-en": "Yes or no", "maxLength": 10}},
    }
).encode()
REGISTERS = {
    "roles": "role,name,name_en\nclerk,收件员,Clerk\nexaminer,审查员,Examiner\n",
    "departments": f"department,name,credit_code\nmarket,市场监管局,{CODE[:18]}\n",
    "deadline_kinds": "kind,name,allowance,unit,stops,citation,holder\n"
    "review,审查,5,working_days,,《行政许可法》第四十二条,agency\n"
    "hearing,听证,5,working_days,,《行政许可法》第四十五条,agency\n",
    "papers": "kind,name\nnotice,通知书\n",
    "notices": "kind,name,to\naccepted,受理,application['phone']\n",
}
ITEMS = (
    "code,key,name,kind,audience,handling,statutory_days,statutory_unit,promised_days,promised_unit,extension_days,"
    "extension_unit,special_procedure,result_name,fee,legal_basis,source\n"
    f"{CODE},permit,许可,行政许可,自然人,promised,10,working_days,5,working_days,5,working_days,,证,不收费,法,样表\n"
)


def props(**given: str) -> str:
    inner = "".join(f'<spiffworkflow:property name="{k}" value="{v}"/>' for k, v in given.items())
    return f"<spiffworkflow:properties>{inner}</spiffworkflow:properties>"


def ext(*parts: str) -> str:
    return f"<bpmn:extensionElements>{''.join(parts)}</bpmn:extensionElements>"


def node(kind: str, ident: str, inner: str = "", extension: str = "", **more: str) -> str:
    given = {"name": ident, **more}
    text = "".join(f' {name}="{value}"' for name, value in given.items() if value)
    return f'<bpmn:{kind} id="{ident}"{text}>{extension}{inner}</bpmn:{kind}>'


def user(ident: str, variable: str, **more: str) -> str:
    given = {"formJsonSchemaFilename": "permit/check.json", **more}
    named = f"<spiffworkflow:variableName>{variable}</spiffworkflow:variableName>" if variable else ""
    return node("userTask", ident, extension=ext(props(**{k: v for k, v in given.items() if v}), named))


def script(ident: str, text: str, **acts: str) -> str:
    return node("scriptTask", ident, f"<bpmn:script>{text}</bpmn:script>", ext(props(**acts)) if acts else "")


def flow(source: str, target: str, condition: str = "") -> str:
    inner = f"<bpmn:conditionExpression>{condition}</bpmn:conditionExpression>" if condition else ""
    ends = f'id="{source}__{target}" sourceRef="{source}" targetRef="{target}"'
    return f"<bpmn:sequenceFlow {ends}>{inner}</bpmn:sequenceFlow>"


def timer(text: str, kind: str = "timeDuration") -> str:
    return f"<bpmn:timerEventDefinition><bpmn:{kind}>{text}</bpmn:{kind}></bpmn:timerEventDefinition>"


def io(inputs: str = "", outputs: str = "") -> str:
    names = "".join(f'<bpmn:dataInput id="{i}" name="{i}"/>' for i in inputs.split())
    names += "".join(f'<bpmn:dataOutput id="{o}" name="{o}"/>' for o in outputs.split())
    sets = "".join(f"<bpmn:dataInputRefs>{i}</bpmn:dataInputRefs>" for i in inputs.split())
    results = "".join(f"<bpmn:dataOutputRefs>{o}</bpmn:dataOutputRefs>" for o in outputs.split())
    return (
        f"<bpmn:ioSpecification>{names}<bpmn:inputSet>{sets}</bpmn:inputSet>"
        f"<bpmn:outputSet>{results}</bpmn:outputSet></bpmn:ioSpecification>"
    )


def lane(role: str, members: str, scope: str = "'liwan/hall'") -> str:
    refs = "".join(f"<bpmn:flowNodeRef>{m}</bpmn:flowNodeRef>" for m in members.split())
    return f'<bpmn:lane id="{role}" name="{role}">{ext(props(scope=scope)) if scope else ""}{refs}</bpmn:lane>'


def process(key: str, *content: str, head: str = "", more: str = "", name: str = "流程", doc: str = "说明") -> str:
    documentation = f"<bpmn:documentation>{doc}</bpmn:documentation>" if doc else ""
    return (
        f'<bpmn:definitions xmlns:bpmn="{BPMN}" xmlns:spiffworkflow="{SPIFF}" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" id="d" targetNamespace="http://sanwei">'
        f'<bpmn:process id="{key}" name="{name}" isExecutable="true">{documentation}{head}'
        f"{''.join(content)}</bpmn:process>{more}</bpmn:definitions>"
    )


def between_nodes(first: str, middle: str, last: str, ident: str = "work") -> str:
    """One node between a start and an end event, for the inside of a sub-process."""
    return node("startEvent", first) + middle + node("endEvent", last) + flow(first, ident) + flow(ident, last)


PERMIT_LANES = (
    "<bpmn:laneSet id='l'>"
    + lane("clerk", "start check")
    + lane("examiner", "decide", "item['scope']")
    + "</bpmn:laneSet>"
)
PERMIT = (
    PERMIT_LANES,
    node("startEvent", "start"),
    user("check", "application", starts="review"),
    node("boundaryEvent", "late", timer("deadline('review')", "timeDate"), attachedToRef="check"),
    node("callActivity", "ask", calledElement="step"),
    user("decide", "decision", distinct_from="check", meets="review", papers="notice", notices="accepted"),
    node("exclusiveGateway", "fine", default="fine__refused"),
    node("endEvent", "granted", extension=ext(props(outcome="granted"))),
    node("endEvent", "refused"),
    node("endEvent", "lapsed"),
    flow("start", "check"),
    flow("check", "ask"),
    flow("ask", "decide"),
    flow("decide", "fine"),
    flow("fine", "granted", "decision['ok'] == 'yes' and answer == 1"),
    flow("fine", "refused"),
    flow("late", "lapsed"),
)
PERMIT_HEAD = ext(props(item=CODE, title="item['name']"))
STEP = (
    io("item application", "answer"),
    node("startEvent", "start"),
    script("work", "answer = 1 if application != {} else 0"),
    node("endEvent", "end"),
    flow("start", "work"),
    flow("work", "end"),
)


def library(**changed: str | bytes | None) -> Library:
    """The good library; keyword = file with / written __ and . written _DOT_, None takes it away."""
    files: dict[str, bytes] = {
        "processes/services/market/items.csv": ITEMS.encode(),
        "forms/permit/check.json": FORM,
        "forms/documents/notice.html": b"<p>{{ item['name'] }}</p>",
        "forms/notices/accepted.txt": "已受理".encode(),
    }
    files |= {f"processes/registers/{name}.csv": text.encode() for name, text in REGISTERS.items()}
    texts: dict[str, str | bytes | None] = {
        "processes/services/market/permit.bpmn": process("permit", *PERMIT, head=PERMIT_HEAD),
        "processes/services/steps/step.bpmn": process("step", *STEP),
    }
    texts |= {name.replace("__", "/").replace("_DOT_", "."): content for name, content in changed.items()}
    for path, content in texts.items():
        if content is None:
            files.pop(path, None)
        else:
            files[path] = (
                layout(content.encode()) if isinstance(content, str) and path.endswith("bpmn") else _bytes(content)
            )
    return Library(files)


def _bytes(content: str | bytes) -> bytes:
    return content.encode() if isinstance(content, str) else content


def permit(*pairs: tuple[str, str], head: str = PERMIT_HEAD, extra: tuple[str, ...] = (), more: str = "") -> Library:
    """The good library with pieces of the permit's text exchanged."""
    text = process("permit", *PERMIT, *extra, head=head, more=more)
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    return library(processes__services__market__permit_DOT_bpmn=text)


def step(*content: str, more: str = "") -> Library:
    """The good library with a step of the test's own content between ``seed`` and ``end``."""
    nodes = (io("item application", "answer"), node("startEvent", "start"), node("endEvent", "end"))
    seed = script("seed", "answer = 1\nrows = [1]")
    text = process("step", nodes[0], nodes[1], seed, flow("start", "seed"), *content, nodes[2], more=more)
    return library(processes__services__steps__step_DOT_bpmn=text)


def between(*content: str, first: str = "a", last: str = "a", more: str = "") -> Library:
    return step(*content, flow("seed", first), flow(last, "end"), more=more)


def table(content: str) -> Library:
    """The good library with one decision beside it."""
    space = "https://www.omg.org/spec/DMN/20191111/MODEL/"
    text = f"<definitions xmlns='{space}' id='ds' name='x' namespace='x'><decision id='d' name='d'>{content}</decision>"
    return library(processes__services__steps__d_DOT_dmn=f"{text}</definitions>")


def rows(*cells: str, policy: str = "UNIQUE") -> str:
    """A decision table of one input and one output."""
    head = (
        f"<decisionTable id='t' hitPolicy='{policy}'><input id='i'><inputExpression id='ie'><text>a</text>"
        "</inputExpression></input><output id='o' name='b' typeRef='string'/>"
    )
    lines = (
        f"<rule id='r{n}'><inputEntry id='r{n}_i'><text>{cell}</text></inputEntry>"
        f"<outputEntry id='r{n}_o'><text>{n}</text></outputEntry></rule>"
        for n, cell in enumerate(cells)
    )
    return f"{head}{''.join(lines)}</decisionTable>"


def rules(found: list[Finding]) -> set[str]:
    return {each.rule for each in found}


def test_a_good_library_has_no_findings() -> None:
    assert check(library()) == []


def test_the_processes_we_ship_have_no_errors() -> None:
    root = Path(__file__).parents[1]
    paths = [path for room in ("processes", "forms") for path in sorted((root / room).rglob("*.*"))]
    found = check(Library({path.relative_to(root).as_posix(): path.read_bytes() for path in paths}))
    assert [each for each in found if each.severity == "error"] == []


def returning(word: str, after: str = 'name="distinct_from" value="check"/>') -> Library:
    """The good library with a task that may be returned to ``word``."""
    return permit((after, f'{after}<spiffworkflow:property name="returns_to" value="{word}"/>'))


def test_a_task_may_be_returned_to_one_before_it_in_its_process_or_in_a_step_called_before() -> None:
    asked = (io("item application", "answer"), lane("clerk", "look"), node("startEvent", "start"), user("look", "seen"))
    asked = (asked[0], f"<bpmn:laneSet id='l'>{asked[1]}</bpmn:laneSet>", *asked[2:])
    text = process("step", *asked, *STEP[2:4], flow("start", "look"), flow("look", "work"), flow("work", "end"))
    files = {**returning("check ask/look").files, **library(processes__services__steps__step_DOT_bpmn=text).files}
    files["processes/services/market/permit.bpmn"] = returning("check ask/look").files[
        "processes/services/market/permit.bpmn"
    ]
    assert check(Library(files)) == []


def test_a_step_may_name_what_its_callers_call_before_it() -> None:
    look = user("look", "seen", returns_to="first/look")
    head = (io("item application", "answer"), f"<bpmn:laneSet id='l'>{lane('clerk', 'look')}</bpmn:laneSet>")
    text = process(
        "step",
        *head,
        node("startEvent", "start"),
        look,
        *STEP[2:4],
        flow("start", "look"),
        flow("look", "work"),
        flow("work", "end"),
    )
    called = (node("callActivity", "first", calledElement="step"), flow("check", "first"), flow("first", "ask"))
    good = permit((flow("check", "ask"), "".join(called)))
    path = "processes/services/steps/step.bpmn"
    step_file = library(processes__services__steps__step_DOT_bpmn=text).files[path]
    assert check(Library({**good.files, path: step_file})) == []


EVENT = "<bpmn:messageEventDefinition messageRef='m'/>"
MESSAGE = "<bpmn:message id='m' name='m'/>"
TABLE = (
    '<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/" id="d" name="d" namespace="t">'
    '<decision id="sort" name="sort"><decisionTable id="t" hitPolicy="FIRST"><input id="in"><inputExpression id="ie">'
    '<text>answer</text></inputExpression></input><output id="out" name="found"/><rule id="r">'
    '<inputEntry id="i1"><text>CELL</text></inputEntry><outputEntry id="o1"><text>1</text></outputEntry></rule>'
    "</decisionTable></decision></definitions>"
)
RED: list[tuple[str, str, Callable[[], Library]]] = [
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


@pytest.mark.parametrize(("rule", "element", "build"), RED, ids=[f"{rule}-{element}" for rule, element, _ in RED])
def test_a_fault_is_found_where_it_is(rule: str, element: str, build: Callable[[], Library]) -> None:
    found = [each for each in check(build()) if each.rule == rule]
    assert [each for each in found if each.where.partition("#")[2] == element], [each.where for each in found]
    warned = rule in ("name_missing", "documentation_missing", "ours_only", "id_style")
    assert {each.severity for each in found} == {"warning" if warned else "error"}
    for each in found:
        assert each.zh
        assert each.en
        assert each.mend_zh
        assert each.mend_en


def test_every_rule_of_the_gate_has_a_red_diagram() -> None:
    assert set(RULES) - {rule for rule, _, _ in RED} - PROVED == set()


def test_all_findings_of_all_files_come_at_once() -> None:
    found = check(
        permit(
            ("decision['ok']", "decision.ok"),
            ('value="accepted"', 'value="unheard"'),
            ('calledElement="step"', 'calledElement="gone"'),
        )
    )
    assert {"expression", "notice_unknown", "called_missing"} <= rules(found)
    assert check(permit()) == []


def test_a_file_that_does_not_compile_still_shows_what_else_is_wrong_with_it() -> None:
    found = check(
        permit(
            ("<bpmn:flowNodeRef>check</bpmn:flowNodeRef>", ""),
            ("<bpmn:callActivity", "<bpmn:task"),
            ("</bpmn:callActivity", "</bpmn:task"),
        )
    )
    assert {"no_lane", "abstract_task", "schema"} <= rules(found)


def test_bad_forms_templates_and_registers_are_found_too() -> None:
    assert any(
        f.where.startswith("forms/permit/check.json") for f in check(library(forms__permit__check_DOT_json=b"{"))
    )
    assert "template" in rules(check(library(forms__documents__notice_DOT_html="{{ item.")))
    broken = check(library(processes__registers__roles_DOT_csv="role,name\nclerk\n"))
    assert any(each.where.startswith("processes/registers/roles.csv") for each in broken)
    assert "role_unknown" not in rules(broken)


def test_the_variable_that_takes_the_signatures_is_known() -> None:
    task = node("userTask", "a", ext(props(signatures="opinions")))
    drawn = step(task, script("c", "answer = opinions"), flow("seed", "a"), flow("a", "c"), flow("c", "end"))
    assert "name_unset" not in rules(check(drawn))


def test_variables_of_messages_loops_and_calls_are_known() -> None:
    received = "<bpmn:messageEventDefinition messageRef='m'/>"
    named = "<spiffworkflow:messageVariable>letter</spiffworkflow:messageVariable>"
    variable = ext(props(schema="permit/check.json"), named)
    carried = f"<bpmn:message id='m' name='m'>{variable}</bpmn:message>"
    loop = (
        "<bpmn:multiInstanceLoopCharacteristics isSequential='true'><bpmn:loopDataInputRef>rows</bpmn:loopDataInputRef>"
        "<bpmn:loopDataOutputRef>sums</bpmn:loopDataOutputRef><bpmn:inputDataItem id='one' name='one'/>"
        "<bpmn:outputDataItem id='total' name='total'/></bpmn:multiInstanceLoopCharacteristics>"
    )
    good = step(
        node("intermediateCatchEvent", "a", received),
        node("scriptTask", "b", loop + "<bpmn:script>total = one + loopCounter</bpmn:script>"),
        script("c", "answer = [letter, sums]"),
        flow("seed", "a"),
        flow("a", "b"),
        flow("b", "c"),
        flow("c", "end"),
        more=carried,
    )
    assert [each for each in check(good) if each.severity == "error"] == []


def test_branches_that_only_one_of_may_take_may_write_the_same() -> None:
    good = step(
        node("exclusiveGateway", "g"),
        node("exclusiveGateway", "j"),
        script("s", "answer = 2"),
        script("t", "answer = 3"),
        flow("seed", "g"),
        flow("g", "s", "answer == 1"),
        flow("g", "t", "answer != 1"),
        flow("s", "j"),
        flow("t", "j"),
        flow("j", "end"),
    )
    assert rules(check(good)) <= {"name_missing"}


def test_what_comes_after_the_join_may_write_again() -> None:
    good = step(
        node("parallelGateway", "g"),
        node("parallelGateway", "j"),
        script("s", "x = 2"),
        script("t", "y = 3"),
        script("u", "x = 4"),
        flow("seed", "g"),
        flow("g", "s"),
        flow("g", "t"),
        flow("s", "j"),
        flow("t", "j"),
        flow("j", "u"),
        flow("u", "end"),
    )
    assert check(good) == []


def test_the_gate_is_deterministic() -> None:
    bad = permit(("decision['ok']", "descision['ok']"), ('value="accepted"', 'value="unheard"'))
    assert check(bad) == check(bad)


def test_rules_of_a_table_that_exclude_each_other_pass() -> None:
    assert check(table(rows("&lt; 3", "&gt;= 3"))) == []
    assert check(table(rows("'a'", "? in ['b', 'c']", "? not in ['a', 'b', 'c']"))) == []
    assert check(table(rows("1 &lt;= ? &lt; 3", "3 &lt;= ? &lt; 5", "5"))) == []
    assert check(table(rows("&gt; 3", "5", policy="FIRST"))) == []


TRIAL = "processes/grid/trial.bpmn"
HOSTILE: dict[str, tuple[bytes, str]] = {
    "any DOCTYPE": (b"<!DOCTYPE a><a/>", "doctype"),
    "an entity": (b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "doctype"),
    "a file from outside": (b"<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/hostname'>]><a>&b;</a>", "doctype"),
    "entities of entities": (
        b"<!DOCTYPE a [<!ENTITY b0 'bbbbbbbbbb'>"
        + b"".join(b"<!ENTITY b%d '%s'>" % (n, b"&b%d;" % (n - 1) * 10) for n in range(1, 12))
        + b"]><a>&b11;</a>",
        "not_xml",
    ),
    "six million spaces": (b"<a>" + b" " * 6_000_000 + b"</a>", "file_too_large"),
    "an encoding nobody knows": (b'<?xml version="1.0" encoding="nonsense-9"?><a/>', "not_xml"),
    "bytes of another encoding": ("<a>流程</a>".encode("gbk"), "not_xml"),
    "nothing": (b"", "not_xml"),
    "no text": (bytes(1000), "not_xml"),
    "a web page": (b"<html><body/></html>", "not_bpmn"),
    "nested for ever": (b"<a>" * 5_000 + b"</a>" * 5_000, "not_xml"),
    "nested too deeply": (
        b"<definitions>" + b"<process>" * 150 + b"</process>" * 150 + b"</definitions>",
        "too_deep",
    ),
    "two thousand tasks": (
        process("trial", *(script(f"t{n}", "x = 1") for n in range(2_000))).encode(),
        "too_many_elements",
    ),
}


@pytest.mark.parametrize(("content", "rule"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_file_is_one_clear_finding_at_once(content: bytes, rule: str) -> None:
    files = dict(library().files) | {TRIAL: content}
    began = time.perf_counter()
    found = check(Library(files))
    assert time.perf_counter() - began < 2
    assert [(each.where.partition("#")[0], each.rule) for each in found] == [(TRIAL, rule)]


def test_the_deepest_diagram_that_is_read_is_also_proved() -> None:
    inside = between_nodes("s", script("work", "answer = 2"), "e")
    for n in range(44):
        nested = f'<bpmn:subProcess id="q{n}" name="q">{inside}</bpmn:subProcess>'
        inside = between_nodes(f"s{n}", nested, f"e{n}", ident=f"q{n}")
    assert "too_deep" not in rules(check(between(node("subProcess", "a", inside))))
