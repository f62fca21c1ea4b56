"""What a compiled process could not run as BPMN says, and what only our machine runs rightly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from engine.bpmn.definition import Node, Process, Scope
from engine.bpmn.gate.sentences import finding
from engine.bpmn.nodes import ACTIVITIES
from engine.errors import Finding

_CHOOSING = ("exclusiveGateway", "inclusiveGateway")
_ALONE = {"compensate", "cancel", "link", "terminate"}


def check_shape(process: Process) -> Iterator[Finding]:
    """Control flow and events of every scope."""
    for scope in process.scopes.values():
        yield from ((finding(process.file, ident, rule, note)) for ident, rule, note in _scope(process, scope))
        for node in scope.nodes.values():
            for rule, note in (*_flows(node), *_complex(node), *_events(scope, node), *_waits(scope, node)):
                yield finding(process.file, node.id, rule, note)
            note = _ours_only(scope, node)
            if note:
                yield finding(process.file, node.id, "ours_only", note, severity="warning")


def check_compensation(process: Process, processes: Mapping[str, Process]) -> Iterator[Finding]:
    """Compensation where it could not be undone rightly: inside what is called, or repeated."""
    for scope in process.scopes.values():
        for node in scope.nodes.values():
            called = processes.get(node.called or "")
            nested = called is not None and _undoes(called, called.key)
            if node.loop:
                nested = nested or _undoes(process, node.inner) or _undone(scope, node)
            if nested:
                yield finding(process.file, node.id, "compensation_nested")


def ahead(node: Node) -> list[str]:
    """Ids of the nodes that a token may reach from ``node`` in one step, boundary events included."""
    return [flow.target for flow in node.outgoing] + list(node.boundary)


def reach(scope: Scope, starts: list[str], avoid: str = "") -> set[str]:
    """Ids of all nodes reachable from ``starts`` without passing ``avoid``; link events carry on at their catch."""
    seen: set[str] = set()
    stack = list(starts)
    while stack:
        ident = stack.pop()
        if ident in seen or ident == avoid or ident not in scope.nodes:
            continue
        seen.add(ident)
        node = scope.nodes[ident]
        stack += ahead(node)
        if node.kind == "intermediateThrowEvent" and node.listens_to("link") and node.trigger:
            stack.append(scope.links.get(node.trigger.key or "", ""))
    return seen


def _scope(process: Process, scope: Scope) -> Iterator[tuple[str, str, str]]:
    ident = scope.name.rsplit("/", 1)[-1]
    if not scope.nodes:
        yield ident, "empty", ""
    if scope.kind == "adHocSubProcess":
        yield ident, "ad_hoc", ""
    first = [n.id for n in scope.nodes.values() if n.kind == "startEvent" or n.compensates]
    for name in sorted(scope.nodes.keys() - reach(scope, [*scope.starts, *scope.handlers, *first])):
        yield name, "unreachable", ""
    for name in scope.handlers:
        if scope.nodes[name].incoming or scope.nodes[name].outgoing:
            yield name, "handler_flow", ""
    handles = scope.parent is not None and ident in process.scopes[scope.parent].handlers
    for node in scope.nodes.values():
        if node.kind == "startEvent" and node.triggers and scope.parent is not None and not handles:
            yield node.id, "inner_start", ""


def _flows(node: Node) -> Iterator[tuple[str, str]]:
    if node.kind in ("boundaryEvent", "startEvent") and node.incoming:
        yield "incoming", ""
    if node.kind == "endEvent" and node.outgoing:
        yield "outgoing", ""
    if node.kind == "parallelGateway" and any(f.condition for f in node.outgoing):
        yield "parallel_condition", ""
    if node.kind in _CHOOSING and len(node.outgoing) > 1:
        for flow in node.outgoing:
            if not flow.condition and flow.id != node.default:
                yield "flow_condition", flow.id
    if node.default and node.default not in [f.id for f in node.outgoing]:
        yield "default_flow", node.default
    if node.loop and node.loop.behavior != "All":
        yield "behavior", node.loop.behavior
    if node.loop and not node.loop.standard and node.kind == "userTask" and not node.loop.outputs:
        yield "instances_lost", ""


def _complex(node: Node) -> Iterator[tuple[str, str]]:
    """A joining complex gateway chooses its flows twice in every round (BPMN 2.0 §13.4.5)."""
    if node.kind != "complexGateway" or len(node.incoming) < 2:
        return
    if not node.condition:
        yield "activation", ""
    for flow in node.outgoing:
        if not flow.condition and flow.id != node.default:
            yield "complex_flow", flow.id


def _events(scope: Scope, node: Node) -> Iterator[tuple[str, str]]:
    kinds = {t.kind for t in node.triggers}
    if node.kind == "startEvent" and scope.parent is None and kinds & {"error", "escalation", "compensate"}:
        yield "start_event", ""
    if "cancel" in kinds and node.kind == "endEvent" and scope.kind != "transaction":
        yield "cancel_place", ""
    if len(node.triggers) > 1 and kinds & _ALONE:
        yield "several_events", ""
    if node.kind == "boundaryEvent":
        host = scope.nodes.get(node.attached_to or "")
        if host is None or host.kind not in ACTIVITIES:
            yield "boundary_host", ""
        elif kinds == {"cancel"} and host.kind != "transaction":
            yield "cancel_place", ""
        if kinds == {"compensate"} and not node.handler:
            yield "compensation_handler", ""


def _waits(scope: Scope, node: Node) -> Iterator[tuple[str, str]]:
    if node.kind != "eventBasedGateway":
        return
    for flow in node.outgoing:
        target = scope.nodes.get(flow.target)
        waits = target is not None and target.kind in ("intermediateCatchEvent", "receiveTask")
        cycles = target is not None and any(t.kind == "timer" and t.key == "timeCycle" for t in target.triggers)
        if not waits or flow.condition or cycles:
            yield "event_gateway", flow.target


def _undone(scope: Scope, node: Node) -> bool:
    return any(scope.nodes[name].listens_to("compensate") for name in node.boundary if name in scope.nodes)


def _undoes(process: Process, name: str | None) -> bool:
    """Is there a compensation boundary anywhere in this scope?"""
    scope = process.scopes.get(name or "")
    return scope is not None and any(
        (n.kind == "boundaryEvent" and n.listens_to("compensate")) or _undoes(process, n.inner)
        for n in scope.nodes.values()
    )


def _ours_only(scope: Scope, node: Node) -> str:
    """What the bare library would do wrong or refuse here (measured on its release 3.2.0); empty for nothing."""
    kinds = {t.kind for t in node.triggers}
    if node.id in scope.handlers:
        return "event sub-process"
    if kinds & {"link", "compensate"} or node.compensates:
        return "link, compensation"
    if node.kind == "complexGateway":
        return "complex gateway"
    if node.kind == "endEvent" and "signal" in kinds:
        return "signal end event"
    if node.kind in ACTIVITIES and len(node.outgoing) > 1:
        return "several flows out of an activity"
    if node.kind in ACTIVITIES and any(flow.condition for flow in node.outgoing):
        return "condition behind an activity"
    if node.loop and not node.loop.standard and node.loop.condition:
        return "completion condition of a multi-instance"
    return ""
