"""Does a token fit an element of another release, and can every join it may come to still be passed?"""

from __future__ import annotations

from collections.abc import Iterable

from engine.bpmn.definition import Loop, Node, Scope
from engine.bpmn.state import Token

# A person's work is a person's work, whether a form is filled in or not.
PEOPLE = frozenset({"userTask", "manualTask"})


def misfit(token: Token, stood: Node, node: Node, flow: str | None) -> str:
    """Why a token that stood at ``stood`` (and came by ``flow``) cannot stand at ``node``; empty where it can."""
    if node.kind != stood.kind and not {node.kind, stood.kind} <= PEOPLE:
        return "other_kind"
    begun = token.state in ("waiting", "active") or token.instance is not None
    if begun and not _same_loop(stood.loop, node.loop):
        return "other_loop"
    if token.state == "parked" and all(flow != each.id for each in node.incoming):
        return "flow_gone"
    return ""


def _same_loop(one: Loop | None, other: Loop | None) -> bool:
    """Repetition that has begun must go on in the same way and collect the same thing; its conditions may differ."""
    if one is None or other is None:
        return one is other
    names = ("standard", "sequential", "items", "item", "outputs", "output")
    return all(getattr(one, name) == getattr(other, name) for name in names)


def starved(drawn: Scope, tokens: Iterable[Token]) -> set[str]:
    """Parallel joins that wait, or will wait, on a flow on which no token can come any more.

    Every token is let go every way at once: whatever can happen is among it, so in a sound diagram and a marking that
    belongs to it no join is found.
    """
    marked, ahead = set[str](), list[str]()
    for token in tokens:
        if token.state != "parked":
            ahead.append(token.node)
        elif token.flow:
            marked.add(token.flow)
    passed = set(ahead)
    while True:
        while ahead:
            node = drawn.nodes[ahead.pop()]
            marked |= {flow.id for flow in node.outgoing}
            beside = [name for name in _beside(drawn, node) if name not in passed]
            passed.update(beside)
            ahead += beside
        ahead = [node.id for node in drawn.nodes.values() if node.id not in passed and _reached(node, marked)]
        passed.update(ahead)
        if not ahead:
            break
    joins = (node for node in drawn.nodes.values() if node.kind == "parallelGateway")
    return {j.id for j in joins if any(f.id in marked for f in j.incoming) and not _reached(j, marked)}


def _reached(node: Node, marked: set[str]) -> bool:
    flows = [flow.id in marked for flow in node.incoming]
    return bool(flows) and (all(flows) if node.kind == "parallelGateway" else any(flows))


def _beside(drawn: Scope, node: Node) -> list[str]:
    trigger = node.trigger
    link = node.kind == "intermediateThrowEvent" and trigger is not None and trigger.kind == "link"
    return [*node.boundary, *([drawn.links[trigger.key or ""]] if link and trigger else [])]
