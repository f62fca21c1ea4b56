"""Automatic layout: everything is drawn, no box on a box, no edge through a box, no edge on another."""

from __future__ import annotations

import random
from itertools import combinations, pairwise
from typing import Any

import pytest
from lxml import etree

from engine.bpmn.layout import layout
from engine.errors import Refused

BPMN = "http://www.omg.org/spec/BPMN/20100524/MODEL"
DI = "http://www.omg.org/spec/BPMN/20100524/DI"
DC = "http://www.omg.org/spec/DD/20100524/DC"
DD = "http://www.omg.org/spec/DD/20100524/DI"
NODES = {
    *("startEvent", "endEvent", "intermediateThrowEvent", "intermediateCatchEvent", "boundaryEvent"),
    *("userTask", "scriptTask", "callActivity", "subProcess"),
    *("exclusiveGateway", "parallelGateway"),
}
DRAWN = {"sequenceFlow", "participant", "lane", "messageFlow", "textAnnotation", "association", "dataObjectReference"}


def file(*content: str, collaboration: str = "") -> bytes:
    """A BPMN file around one process's content."""
    return (
        f'<bpmn:definitions xmlns:bpmn="{BPMN}" id="d" targetNamespace="http://sanwei">{collaboration}'
        f'<bpmn:process id="p" isExecutable="true">{"".join(content)}</bpmn:process></bpmn:definitions>'
    ).encode()


def node(kind: str, ident: str, inner: str = "", **more: str) -> str:
    given = "".join(f' {name}="{value}"' for name, value in more.items())
    return f'<bpmn:{kind} id="{ident}" name="核对{ident}"{given}>{inner}</bpmn:{kind}>'


def flow(source: str, target: str, name: str = "") -> str:
    return f'<bpmn:sequenceFlow id="{source}__{target}" sourceRef="{source}" targetRef="{target}" name="{name}"/>'


def lanes(**members: str) -> str:
    inner = "".join(
        f'<bpmn:lane id="{ident}">'
        + "".join(f"<bpmn:flowNodeRef>{i}</bpmn:flowNodeRef>" for i in each.split())
        + "</bpmn:lane>"
        for ident, each in members.items()
    )
    return f'<bpmn:laneSet id="lanes">{inner}</bpmn:laneSet>'


class Sheet:
    """Reads a laid out file back, in absolute coordinates."""

    def __init__(self, xml: bytes) -> None:
        self.root = etree.fromstring(xml)
        self.boxes: dict[str, tuple[float, ...]] = {}
        self.lines: dict[str, list[tuple[float, float]]] = {}
        for shape in self.root.iter(f"{{{DI}}}BPMNShape"):
            bounds = shape.find(f"{{{DC}}}Bounds")
            self.boxes[shape.get("bpmnElement")] = tuple(float(bounds.get(k)) for k in ("x", "y", "width", "height"))
        for edge in self.root.iter(f"{{{DI}}}BPMNEdge"):
            points = edge.iter(f"{{{DD}}}waypoint")
            self.lines[edge.get("bpmnElement")] = [(float(p.get("x")), float(p.get("y"))) for p in points]
        self.nodes = {e.get("id"): e for e in self.root.iter() if self._name(e) in NODES}
        self.flows = {e.get("id"): e for e in self.root.iter(f"{{{BPMN}}}sequenceFlow")}

    @staticmethod
    def _name(element: Any) -> str:
        return etree.QName(element).localname

    def missing(self) -> list[str]:
        wanted = {e.get("id") for e in self.root.iter() if self._name(e) in NODES | DRAWN}
        return sorted(wanted - set(self.boxes) - set(self.lines))

    def overlaps(self) -> list[tuple[str, str]]:
        solid = [i for i, e in self.nodes.items() if not e.get("attachedToRef")]
        pairs = combinations(solid, 2)
        return [(a, b) for a, b in pairs if self._siblings(a, b) and _touch(self.boxes[a], self.boxes[b])]

    def _siblings(self, a: str, b: str) -> bool:
        return self.nodes[a].getparent() is self.nodes[b].getparent()

    def through(self) -> list[tuple[str, str]]:
        found = []
        for ident, element in self.flows.items():
            ends = {element.get("sourceRef"), element.get("targetRef")}
            ends |= {self.nodes[i].get("attachedToRef") for i in tuple(ends)}
            for other, each in self.nodes.items():
                apart = other not in ends and not each.get("attachedToRef")
                if apart and each.getparent() is element.getparent():
                    x, y, width, height = self.boxes[other]
                    inside = (x + 2, y + 2, width - 4, height - 4)
                    found += [(ident, other) for s in _segments(self.lines[ident]) if _touch(s, inside)]
        return found

    def overlaid(self) -> list[tuple[str, str]]:
        found = []
        for one, two in combinations(self.flows, 2):
            a, b = self.flows[one], self.flows[two]
            shares = a.get("sourceRef") == b.get("sourceRef") or a.get("targetRef") == b.get("targetRef")
            if not shares and a.getparent() is b.getparent():
                pairs = ((s, t) for s in _segments(self.lines[one]) for t in _segments(self.lines[two]))
                found += [(one, two) for s, t in pairs if _along(s, t) > 3]
        return found

    def labels(self) -> dict[str, tuple[float, ...]]:
        found = {}
        for label in self.root.iter(f"{{{DI}}}BPMNLabel"):
            bounds = label.find(f"{{{DC}}}Bounds")
            owner = label.getparent().get("bpmnElement")
            found[owner] = tuple(float(bounds.get(k)) for k in ("x", "y", "width", "height"))
        return found


def _segments(points: list[tuple[float, float]]) -> list[tuple[float, ...]]:
    return [(min(a, c), min(b, d), abs(a - c), abs(b - d)) for (a, b), (c, d) in pairwise(points)]


def _touch(one: tuple[float, ...], two: tuple[float, ...]) -> bool:
    across = one[0] < two[0] + two[2] and two[0] < one[0] + one[2]
    return across and one[1] < two[1] + two[3] and two[1] < one[1] + one[3]


def _along(one: tuple[float, ...], two: tuple[float, ...]) -> float:
    """How far two segments lie on each other."""
    if one[3] == two[3] == 0 and abs(one[1] - two[1]) < 1:
        return min(one[0] + one[2], two[0] + two[2]) - max(one[0], two[0])
    if one[2] == two[2] == 0 and abs(one[0] - two[0]) < 1:
        return min(one[1] + one[3], two[1] + two[3]) - max(one[1], two[1])
    return 0


def assert_clean(xml: bytes) -> Sheet:
    sheet = Sheet(layout(xml))
    assert (sheet.missing(), sheet.overlaps(), sheet.through(), sheet.overlaid()) == ([], [], [], [])
    return sheet


def approval() -> bytes:
    """Three lanes, a loop back, boundary timer, parallel pair, sub-process with a boundary event of its own."""
    inner = (
        node("startEvent", "is")
        + node("userTask", "inspect")
        + node("endEvent", "ie")
        + node("endEvent", "ilate")
        + node("boundaryEvent", "late", "<bpmn:timerEventDefinition/>", attachedToRef="inspect")
        + flow("is", "inspect")
        + flow("inspect", "ie")
        + flow("late", "ilate", "超期")
    )
    return file(
        lanes(
            clerk="start apply fix", reviewer="check ok split a b join end_late", decider="sub decide end end_out fine"
        ),
        node("startEvent", "start"),
        node("endEvent", "end"),
        node("endEvent", "end_late"),
        node("endEvent", "end_out"),
        *(node("userTask", i) for i in ("apply", "check", "fix", "a", "b", "decide")),
        *(node("exclusiveGateway", i) for i in ("ok", "fine")),
        node("parallelGateway", "split"),
        node("parallelGateway", "join"),
        node("boundaryEvent", "overdue", "<bpmn:timerEventDefinition/>", attachedToRef="check"),
        node("subProcess", "sub", inner),
        node("boundaryEvent", "withdrawn", "<bpmn:messageEventDefinition/>", attachedToRef="sub"),
        *(flow(*pair) for pair in (("start", "apply"), ("apply", "check"), ("check", "ok"), ("fix", "check"))),
        flow("ok", "split", "齐全"),
        flow("ok", "fix", "须要补正的全部材料"),
        flow("overdue", "end_late"),
        *(flow(*pair) for pair in (("split", "a"), ("split", "b"), ("a", "join"), ("b", "join"), ("join", "sub"))),
        flow("withdrawn", "end_out"),
        flow("sub", "decide"),
        flow("decide", "fine"),
        flow("fine", "end", "准予"),
        flow("fine", "check", "退回"),
    )


def test_an_approval_with_lanes_loops_and_sub_process_is_drawn_cleanly() -> None:
    sheet = assert_clean(approval())
    for ident, lane in (("apply", "clerk"), ("check", "reviewer"), ("decide", "decider"), ("end", "decider")):
        x, y, width, height = sheet.boxes[ident]
        left, top, wide, high = sheet.boxes[lane]
        assert left < x
        assert x + width < left + wide
        assert top < y
        assert y + height < top + high


def test_lanes_stand_on_each_other_without_a_gap() -> None:
    sheet = assert_clean(approval())
    for upper, lower in (("clerk", "reviewer"), ("reviewer", "decider")):
        assert sheet.boxes[upper][1] + sheet.boxes[upper][3] == pytest.approx(sheet.boxes[lower][1], abs=1)
        assert sheet.boxes[upper][0::2] == sheet.boxes[lower][0::2]


def test_what_is_inside_a_sub_process_is_drawn_inside_it() -> None:
    sheet = assert_clean(approval())
    x, y, width, height = sheet.boxes["sub"]
    for ident in ("is", "inspect", "ie", "ilate"):
        a, b, wide, high = sheet.boxes[ident]
        assert x < a < a + wide < x + width
        assert y < b < b + high < y + height


def test_a_boundary_event_sits_on_the_edge_of_its_host() -> None:
    sheet = assert_clean(approval())
    for event, host in (("overdue", "check"), ("withdrawn", "sub"), ("late", "inspect")):
        x, y, width, height = sheet.boxes[event]
        left, top, wide, high = sheet.boxes[host]
        assert y + height / 2 == pytest.approx(top + high, abs=1)
        assert left <= x
        assert x + width <= left + wide


def test_every_line_starts_and_ends_at_its_nodes_and_turns_at_right_angles() -> None:
    sheet = assert_clean(approval())
    for ident, element in sheet.flows.items():
        points = sheet.lines[ident]
        for end, point in ((element.get("sourceRef"), points[0]), (element.get("targetRef"), points[-1])):
            x, y, width, height = sheet.boxes[end]
            assert x - 1 <= point[0] <= x + width + 1
            assert y - 1 <= point[1] <= y + height + 1
        assert all(a[0] == b[0] or a[1] == b[1] for a, b in pairwise(points))


def test_chinese_labels_have_room() -> None:
    labels = Sheet(layout(approval())).labels()
    assert labels["ok__fix"][2] >= 9 * 11
    assert labels["ok__split"][2] < labels["ok__fix"][2]


def test_an_old_drawing_is_replaced_and_the_process_itself_is_untouched() -> None:
    once = layout(approval())
    again = layout(once)
    assert again == once
    assert len(etree.fromstring(again).findall(f"{{{DI}}}BPMNDiagram")) == 1
    before = {e.get("id") for e in etree.fromstring(approval()).iter() if e.get("id")}
    after = {e.get("id") for e in etree.fromstring(again).iter() if e.tag.startswith(f"{{{BPMN}}}") and e.get("id")}
    assert before == after


def test_pools_message_flows_notes_and_data_are_drawn_too() -> None:
    collaboration = (
        '<bpmn:collaboration id="c"><bpmn:participant id="citizen" name="申请人"/>'
        '<bpmn:participant id="office" processRef="p"/>'
        '<bpmn:messageFlow id="m" sourceRef="citizen" targetRef="start" name="申请"/></bpmn:collaboration>'
    )
    xml = file(
        node("startEvent", "start"),
        node("userTask", "check"),
        node("endEvent", "end"),
        flow("start", "check"),
        flow("check", "end"),
        '<bpmn:textAnnotation id="note"><bpmn:text>第三十二条</bpmn:text></bpmn:textAnnotation>'
        '<bpmn:association id="as" sourceRef="check" targetRef="note"/>'
        '<bpmn:dataObject id="o"/><bpmn:dataObjectReference id="ref" dataObjectRef="o" name="材料"/>',
        collaboration=collaboration,
    )
    assert_clean(xml)


@pytest.mark.parametrize("seed", range(200))
def test_any_diagram_is_drawn_cleanly(seed: int) -> None:
    assert_clean(some_diagram(random.Random(seed)))


def some_diagram(chance: random.Random) -> bytes:
    count, content, ids = chance.randint(4, 22), [], []
    for number in range(count):
        kind = chance.choice(
            ["userTask", "userTask", "scriptTask", "exclusiveGateway", "parallelGateway", "callActivity", "subProcess"]
        )
        ids.append(f"n{number}")
        inner = node("startEvent", f"s{number}") + node("endEvent", f"e{number}") + flow(f"s{number}", f"e{number}")
        content.append(node(kind, f"n{number}", inner if kind == "subProcess" else ""))
        if kind in ("userTask", "subProcess") and chance.random() < 0.3:
            content.append(
                node("boundaryEvent", f"b{number}", "<bpmn:timerEventDefinition/>", attachedToRef=f"n{number}")
            )
            content.append(flow(f"b{number}", f"n{chance.randrange(count)}"))
    pairs = {(f"n{chance.randrange(n)}", f"n{n}") for n in range(1, count)}
    pairs |= {(f"n{chance.randrange(count)}", f"n{chance.randrange(count)}") for _ in range(count // 3)}
    content += [flow(a, b, chance.choice(["", "齐全", "须要补正"])) for a, b in sorted(pairs)]
    content += [node("startEvent", "start"), flow("start", "n0")]
    seats: dict[str, list[str]] = {f"lane{k}": [] for k in range(chance.randint(0, 3))}
    for ident in [*ids, "start"]:
        if seats:
            seats[chance.choice(sorted(seats))].append(ident)
    return file(lanes(**{k: " ".join(v) for k, v in seats.items()}) if seats else "", *content)


def test_what_is_no_xml_is_refused() -> None:
    with pytest.raises(Refused):
        layout(b"<!DOCTYPE a><a/>")
