"""What is to be drawn on one plane: the nodes, flows and lanes of a process or of one expanded sub-process."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from engine.bpmn.nodes import FLOW_NODES, SCOPES
from engine.bpmn.reader import local, tag

ARTEFACTS = ("textAnnotation", "dataObjectReference", "dataStoreReference")
BOUNDARY = 46
"""Room along an activity's lower side for one boundary event."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Edge:
    """A sequence flow as layout sees it: ``host`` is the node on the grid it leaves (an activity for its boundary)."""

    id: str
    source: str
    host: str
    target: str
    name: str

    @property
    def from_boundary(self) -> bool:
        """Does it leave through a boundary event?"""
        return self.source != self.host


@dataclass(kw_only=True, slots=True)
class Plane:
    """Nodes by id (boundary events apart, by their host), edges, lanes as (id, members), artefacts, inner sizes."""

    nodes: dict[str, Any] = field(default_factory=dict)
    boundary: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))
    edges: list[Edge] = field(default_factory=list)
    lanes: list[tuple[str, list[str]]] = field(default_factory=list)
    artefacts: list[Any] = field(default_factory=list)
    associations: list[Any] = field(default_factory=list)
    inner: dict[str, tuple[float, float]] = field(default_factory=dict)

    def kind(self, ident: str) -> str:
        """The BPMN tag of a node."""
        return local(self.nodes[ident])

    def is_gateway(self, ident: str) -> bool:
        """Is this node a gateway?"""
        return self.kind(ident).endswith("Gateway")

    def size(self, ident: str) -> tuple[float, float]:
        """Width and height of a node."""
        kind = self.kind(ident)
        if kind in SCOPES:
            return self.inner[ident]
        if kind.endswith("Event"):
            return 36, 36
        if kind.endswith("Gateway"):
            return 50, 50
        return max(100, 14 + BOUNDARY * len(self.boundary.get(ident, ()))), 80

    @property
    def outgoing(self) -> dict[str, list[Edge]]:
        """Edges by the node on the grid they leave, those of boundary events last."""
        found: dict[str, list[Edge]] = defaultdict(list)
        for edge in sorted(self.edges, key=lambda each: each.from_boundary):
            found[edge.host].append(edge)
        return found


def read_plane(element: Any, inner: dict[str, tuple[float, float]]) -> Plane:
    """The plane of a process or sub-process element; ``inner`` holds the sizes of its sub-processes by id."""
    plane = Plane(inner=inner)
    for child in element:
        kind = local(child)
        if kind == "boundaryEvent":
            plane.boundary[child.get("attachedToRef")].append(child)
        elif kind in FLOW_NODES:
            plane.nodes[child.get("id")] = child
        elif kind in ARTEFACTS:
            plane.artefacts.append(child)
        elif kind == "association":
            plane.associations.append(child)
    hosts = {b.get("id"): host for host, events in plane.boundary.items() for b in events}
    for flow in element.findall(tag("sequenceFlow")):
        source, target = flow.get("sourceRef"), flow.get("targetRef")
        host = hosts.get(source, source)
        if host in plane.nodes and target in plane.nodes:
            name = flow.get("name") or ""
            plane.edges.append(Edge(id=flow.get("id"), source=source, host=host, target=target, name=name))
    plane.lanes = [
        (lane.get("id"), [(ref.text or "").strip() for ref in lane.findall(tag("flowNodeRef"))])
        for lane in element.iterfind(f"{tag('laneSet')}//{tag('lane')}")
        if lane.find(tag("childLaneSet")) is None
    ]
    return plane
