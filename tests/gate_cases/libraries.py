"""A good library of processes and forms, and the pieces from which a test builds one with a fault."""

from __future__ import annotations

import json

from engine.bpmn.layout import layout
from engine.errors import Finding
from engine.model import Library

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


def returning(word: str, after: str = 'name="distinct_from" value="check"/>') -> Library:
    """The good library with a task that may be returned to ``word``."""
    return permit((after, f'{after}<spiffworkflow:property name="returns_to" value="{word}"/>'))
