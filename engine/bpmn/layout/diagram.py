"""Lays out a whole file and writes the result as BPMN DI; whatever was drawn before is replaced."""

from __future__ import annotations

from typing import Any

from lxml import etree

from engine.bpmn.layout.picture import LABEL_HEIGHT, Box, Picture, Point, draw, text_width
from engine.bpmn.layout.plane import Plane, read_plane
from engine.bpmn.nodes import SCOPES
from engine.bpmn.reader import local, read_xml, tag

DI = "http://www.omg.org/spec/BPMN/20100524/DI"
DC = "http://www.omg.org/spec/DD/20100524/DC"
DD = "http://www.omg.org/spec/DD/20100524/DI"
LEFT, TOP, GAP, BAND, EMPTY_POOL = 120, 60, 50, 30, 60


def layout(xml: bytes) -> bytes:
    """The same file with a shape for every node, lane and pool and a line for every flow.

    Raises: Refused where the file is not XML (see ``read_xml``).
    """
    root = read_xml(xml)
    _Sheet(root).fill()
    etree.indent(root, "  ")
    return bytes(etree.tostring(root, encoding="UTF-8", xml_declaration=True))


class _Sheet:
    def __init__(self, root: Any) -> None:
        for old in root.findall(f"{{{DI}}}BPMNDiagram"):
            root.remove(old)
        self.root = root
        self.collaboration = root.find(tag("collaboration"))
        self.processes = {process.get("id"): process for process in root.findall(tag("process"))}
        self.pictures: dict[str, tuple[Plane, Picture]] = {}
        self.placed: dict[str, Box] = {}

    def fill(self) -> None:
        """Pools (or bare processes) below each other, then the message flows between them."""
        whole = self.collaboration.get("id") if self.collaboration is not None else next(iter(self.processes), "")
        diagram = etree.SubElement(
            self.root, f"{{{DI}}}BPMNDiagram", nsmap={"bpmndi": DI, "dc": DC, "di": DD}, id="BPMNDiagram_1"
        )
        self.page = etree.SubElement(diagram, f"{{{DI}}}BPMNPlane", id="BPMNPlane_1", bpmnElement=whole)
        pools = [(None, key) for key in self.processes]
        if self.collaboration is not None:
            found = self.collaboration.findall(tag("participant"))
            pools = [(pool.get("id"), pool.get("processRef")) for pool in found]
            named = {key for _, key in pools}
            pools += [(None, key) for key in self.processes if key not in named]
        for _, key in pools:
            if key in self.processes:
                self._lay(self.processes[key])
        width = max([picture.width for key, (_, picture) in self.pictures.items() if key in self.processes] + [600])
        y = float(TOP)
        for pool, key in pools:
            y = self._pool(pool, key, y, width) + GAP
        self._messages()

    def _lay(self, element: Any) -> Picture:
        """Inner sub-processes first: their size is needed outside."""
        inner = {c.get("id"): self._lay(c) for c in element if local(c) in SCOPES}
        plane = read_plane(element, {ident: (made.width, made.height) for ident, made in inner.items()})
        self.pictures[element.get("id")] = (plane, draw(plane))
        return self.pictures[element.get("id")][1]

    def _pool(self, pool: str | None, key: str | None, y: float, width: float) -> float:
        if key is None or key not in self.processes:
            self._shape(pool or "", (LEFT, y, width + 2 * BAND, EMPTY_POOL), horizontal=True)
            return y + EMPTY_POOL
        plane, picture = self.pictures[key]
        if pool:
            self._shape(pool, (LEFT, y, width + 2 * BAND, picture.height), horizontal=True)
        x = LEFT + (BAND if pool else 0)
        if plane.lanes:
            self._lanes(self.processes[key], plane, picture, (x, y, width + BAND, 0))
            x += BAND
        self._plane(key, x, y)
        return y + picture.height

    def _lanes(self, process: Any, plane: Plane, picture: Picture, box: Box) -> None:
        spans: dict[str, tuple[float, float]] = {}
        for number, (ident, _) in enumerate(plane.lanes):
            spans[ident] = (picture.lane_tops[number], picture.lane_tops[number + 1])
        for lane in process.iterfind(f"{tag('laneSet')}//{tag('lane')}"):
            leaves = [spans[each.get("id")] for each in lane.iter(tag("lane")) if each.get("id") in spans]
            if leaves:
                top, bottom = min(each[0] for each in leaves), max(each[1] for each in leaves)
                self._shape(lane.get("id"), (box[0], box[1] + top, box[2], bottom - top), horizontal=True)

    def _plane(self, key: str, x: float, y: float) -> None:
        plane, picture = self.pictures[key]
        for ident, box in picture.boxes.items():
            element = plane.nodes.get(ident)
            kind = local(element) if element is not None else "boundaryEvent"
            expanded = True if kind in SCOPES else None
            label = _moved(picture.labels.get(ident), x, y)
            self._shape(ident, _at(box, x, y), label, expanded=expanded, marker=kind == "exclusiveGateway")
            if expanded:
                self._plane(ident, x + box[0], y + box[1])
        for ident, points in picture.lines.items():
            self._edge(ident, [(a + x, b + y) for a, b in points], _moved(picture.labels.get(ident), x, y))
        for each in plane.artefacts:
            box, wide = picture.artefacts[each.get("id")], text_width(each.get("name") or "") + 4
            label = (x + box[0] + 18 - wide / 2, y + box[1] + box[3] + 2, wide, LABEL_HEIGHT)
            self._shape(each.get("id"), _at(box, x, y), label if each.get("name") else None)
        for each in plane.associations:
            self._between(each)

    def _between(self, association: Any) -> None:
        one = self.placed.get(association.get("sourceRef"))
        two = self.placed.get(association.get("targetRef"))
        if one and two:
            upper, lower = sorted((one, two), key=lambda box: box[1])
            ends = [(lower[0] + lower[2] / 2, lower[1]), (upper[0] + upper[2] / 2, upper[1] + upper[3])]
            self._edge(association.get("id"), ends if lower is one else ends[::-1])

    def _messages(self) -> None:
        flows = self.collaboration.findall(tag("messageFlow")) if self.collaboration is not None else []
        for flow in flows:
            one, two = self.placed.get(flow.get("sourceRef")), self.placed.get(flow.get("targetRef"))
            if one is None or two is None:
                continue
            down = one[1] < two[1]
            narrow = one if one[2] <= two[2] else two
            start = (narrow[0] + narrow[2] / 2 if narrow is one or two[2] > 600 else one[0] + one[2] / 2, 0.0)
            end_x = start[0] if max(one[2], two[2]) > 600 else two[0] + two[2] / 2
            first, last = one[1] + one[3] if down else one[1], two[1] if down else two[1] + two[3]
            half = (first + last) / 2
            points = [(start[0], first), (start[0], half), (end_x, half), (end_x, last)]
            points = [points[0], points[-1]] if start[0] == end_x else points
            label = (end_x + 4, half + 4, text_width(flow.get("name") or "") + 4, LABEL_HEIGHT)
            self._edge(flow.get("id"), points, label if flow.get("name") else None)

    def _shape(
        self,
        ident: str,
        box: Box,
        label: Box | None = None,
        *,
        expanded: bool | None = None,
        horizontal: bool = False,
        marker: bool = False,
    ) -> None:
        self.placed[ident] = box
        shape = etree.SubElement(self.page, f"{{{DI}}}BPMNShape", id=f"{ident}_di", bpmnElement=ident)
        flags = {"isExpanded": expanded, "isHorizontal": horizontal, "isMarkerVisible": marker}
        for name, value in flags.items():
            if value:
                shape.set(name, "true")
        _bounds(shape, box)
        _label(shape, label)

    def _edge(self, ident: str, points: list[Point], label: Box | None = None) -> None:
        edge = etree.SubElement(self.page, f"{{{DI}}}BPMNEdge", id=f"{ident}_di", bpmnElement=ident)
        for x, y in points:
            etree.SubElement(edge, f"{{{DD}}}waypoint", x=str(round(x)), y=str(round(y)))
        _label(edge, label)


def _at(box: Box, x: float, y: float) -> Box:
    return box[0] + x, box[1] + y, box[2], box[3]


def _moved(box: Box | None, x: float, y: float) -> Box | None:
    return _at(box, x, y) if box else None


def _label(parent: Any, box: Box | None) -> None:
    if box:
        _bounds(etree.SubElement(parent, f"{{{DI}}}BPMNLabel"), box)


def _bounds(parent: Any, box: Box) -> None:
    names = ("x", "y", "width", "height")
    etree.SubElement(parent, f"{{{DC}}}Bounds", **{n: str(round(v)) for n, v in zip(names, box, strict=True)})
