"""Writes one BPMN file from a few words: nodes as they are named, flows, one lane, shapes on a grid."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from xml.sax.saxutils import escape, quoteattr

ROLE = "intake_clerk"
SCOPE = "liwan/hall"
SPACES = (
    'xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:bpmndi="http://www.omg.org/spec/BPMN/20100524/DI" '
    'xmlns:dc="http://www.omg.org/spec/DD/20100524/DC" xmlns:di="http://www.omg.org/spec/DD/20100524/DI" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
    'xmlns:spiffworkflow="http://spiffworkflow.org/bpmn/schema/1.0/core"'
)
TITLE = (
    "<bpmn:extensionElements><spiffworkflow:properties>"
    '<spiffworkflow:property name="title" value="\'测量用办件\'"/></spiffworkflow:properties></bpmn:extensionElements>'
)
SIZES = {"task": (100, 80), "gateway": (50, 50), "event": (36, 36)}


@dataclass(frozen=True, kw_only=True)
class Node:
    """One flow node: its tag, the inner XML, its column and row on the grid."""

    tag: str
    ident: str
    attributes: str
    inner: str
    row: int

    def size(self) -> tuple[int, int]:
        """Width and height of its shape."""
        lowered = self.tag.lower()
        kind = next((kind for kind in ("gateway", "event") if kind in lowered), "task")
        return SIZES[kind]


@dataclass(kw_only=True)
class Drawing:
    """A process being drawn. ``inputs`` and ``outputs`` are what a called process declares."""

    key: str
    name: str
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    nodes: list[Node] = field(default_factory=list)
    flows: list[tuple[str, str, str | None]] = field(default_factory=list)
    defaults: dict[str, str] = field(default_factory=dict)

    def node(self, tag: str, ident: str, inner: str = "", *, row: int = 0, **attributes: str) -> str:
        """Place a node and give its id back."""
        text = "".join(f" {name}={quoteattr(value)}" for name, value in attributes.items())
        self.nodes.append(Node(tag=tag, ident=ident, attributes=text, inner=inner, row=row))
        return ident

    def user(self, ident: str, form: str, *, row: int = 0) -> str:
        """A human task whose answers land in the variable of its own name."""
        inner = (
            "<bpmn:extensionElements><spiffworkflow:properties>"
            f'<spiffworkflow:property name="formJsonSchemaFilename" value="{form}"/></spiffworkflow:properties>'
            f"<spiffworkflow:variableName>{ident}</spiffworkflow:variableName></bpmn:extensionElements>"
        )
        return self.node("userTask", ident, inner, row=row, name=f"办理 {ident}")

    def script(self, ident: str, text: str) -> str:
        """A script task."""
        return self.node("scriptTask", ident, f"<bpmn:script>{escape(text)}</bpmn:script>", name=f"计算 {ident}")

    def timer(self, tag: str, ident: str, duration: str, *, row: int = 0, **attributes: str) -> str:
        """A timer event; ``duration`` is an ISO 8601 duration."""
        inner = (
            f'<bpmn:timerEventDefinition id="{ident}_timer"><bpmn:timeDuration xsi:type="bpmn:tFormalExpression">'
            f'"{duration}"</bpmn:timeDuration></bpmn:timerEventDefinition>'
        )
        return self.node(tag, ident, inner, row=row, name=f"定时 {ident}", **attributes)

    def call(self, ident: str, key: str) -> str:
        """A call of another process."""
        return self.node("callActivity", ident, name=f"调用 {key}", calledElement=key)

    def path(self, *idents: str) -> None:
        """Unconditional flows along the given nodes."""
        for source, target in pairwise(idents):
            self.flows.append((source, target, None))

    def choice(self, source: str, target: str, condition: str) -> None:
        """A flow with a condition."""
        self.flows.append((source, target, condition))

    def otherwise(self, source: str, target: str) -> None:
        """The default flow of a gateway."""
        self.flows.append((source, target, None))
        self.defaults[source] = f"f{len(self.flows) - 1}"

    def xml(self) -> bytes:
        """The file."""
        body = "".join(map(self._node, self.nodes)) + "".join(map(self._flow, range(len(self.flows))))
        return (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<bpmn:definitions {SPACES} id="d_{self.key}" '
            f'targetNamespace="bench"><bpmn:process id="{self.key}" name="{self.name}" isExecutable="true">'
            f"{TITLE}{self._declared()}{self._lanes()}{body}</bpmn:process>{self._diagram()}</bpmn:definitions>"
        ).encode()

    def _declared(self) -> str:
        if not self.inputs and not self.outputs:
            return ""
        puts = "".join(f'<bpmn:dataInput id="{name}" name="{name}"/>' for name in self.inputs)
        puts += "".join(f'<bpmn:dataOutput id="{name}" name="{name}"/>' for name in self.outputs)
        return f"<bpmn:ioSpecification>{puts}<bpmn:inputSet/><bpmn:outputSet/></bpmn:ioSpecification>"

    def _lanes(self) -> str:
        refs = "".join(f"<bpmn:flowNodeRef>{node.ident}</bpmn:flowNodeRef>" for node in self.nodes)
        return (
            f'<bpmn:laneSet id="lanes"><bpmn:lane id="{ROLE}" name="收件员"><bpmn:extensionElements>'
            f'<spiffworkflow:properties><spiffworkflow:property name="scope" value="\'{SCOPE}\'"/>'
            f"</spiffworkflow:properties></bpmn:extensionElements>{refs}</bpmn:lane></bpmn:laneSet>"
        )

    def _node(self, node: Node) -> str:
        default = f' default="{self.defaults[node.ident]}"' if node.ident in self.defaults else ""
        # The schema wants extension elements before the flows and everything else behind them.
        head, end, tail = node.inner.partition("</bpmn:extensionElements>")
        ahead, behind = (head + end, tail) if end else ("", node.inner)
        ways = "".join(f"<bpmn:incoming>f{n}</bpmn:incoming>" for n, f in enumerate(self.flows) if f[1] == node.ident)
        ways += "".join(f"<bpmn:outgoing>f{n}</bpmn:outgoing>" for n, f in enumerate(self.flows) if f[0] == node.ident)
        return f'<bpmn:{node.tag} id="{node.ident}"{node.attributes}{default}>{ahead}{ways}{behind}</bpmn:{node.tag}>'

    def _flow(self, number: int) -> str:
        source, target, condition = self.flows[number]
        inner = ""
        if condition is not None:
            inner = f'<bpmn:conditionExpression xsi:type="bpmn:tFormalExpression">{escape(condition)}'
            inner += "</bpmn:conditionExpression>"
        return (
            f'<bpmn:sequenceFlow id="f{number}" sourceRef="{source}" targetRef="{target}">{inner}</bpmn:sequenceFlow>'
        )

    def _diagram(self) -> str:
        centre = {node.ident: (160 + 150 * n, 120 + 140 * node.row) for n, node in enumerate(self.nodes)}
        height = 160 + 140 * max(node.row for node in self.nodes)
        shapes = _shape(ROLE, 60, 40, 200 + 150 * len(self.nodes), height, ' isHorizontal="true"')
        for node in self.nodes:
            (x, y), (width, tall) = centre[node.ident], node.size()
            shapes += _shape(node.ident, x - width // 2, y - tall // 2, width, tall)
        for number, (source, target, _) in enumerate(self.flows):
            points = "".join(f'<di:waypoint x="{x}" y="{y}"/>' for x, y in (centre[source], centre[target]))
            shapes += f'<bpmndi:BPMNEdge id="f{number}_di" bpmnElement="f{number}">{points}</bpmndi:BPMNEdge>'
        plane = f'<bpmndi:BPMNPlane id="plane" bpmnElement="{self.key}">{shapes}</bpmndi:BPMNPlane>'
        return f'<bpmndi:BPMNDiagram id="diagram">{plane}</bpmndi:BPMNDiagram>'


def _shape(ident: str, x: int, y: int, width: int, height: int, extra: str = "") -> str:
    bounds = f'<dc:Bounds x="{x}" y="{y}" width="{width}" height="{height}"/>'
    return f'<bpmndi:BPMNShape id="{ident}_di" bpmnElement="{ident}"{extra}>{bounds}</bpmndi:BPMNShape>'
