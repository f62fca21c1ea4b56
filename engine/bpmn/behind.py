"""What lies behind an element of a diagram: the places to which its token alone can have led."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from engine.bpmn.definition import Node, Process, Scope

_JOINS = frozenset({"parallelGateway", "inclusiveGateway", "complexGateway"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Behind:
    """Nodes and flows behind an element; ``open_joins`` are those that wait for others besides."""

    nodes: frozenset[str]
    flows: frozenset[str]
    open_joins: frozenset[str]


def behind(scope: Scope, target: str, held: str | None = None) -> Behind:
    """Play the diagram on from one token at ``target`` with no other token in the scope.

    A join is passed only when every flow into it can come from that one token. A join that closes a split opened
    before the target also waits for the branches beside it, so nothing behind it can have come from the target alone;
    a join that closes a split opened behind the target is passed. ``held`` is where the token stands that goes back:
    nothing behind it can have come from its present round, but what its own non-interrupting events began has.
    """
    nodes, flows, stack = {target}, set[str](), [target]
    while stack:
        node = scope.nodes[stack.pop()]
        ahead = [] if node.id == held else [flow.target for flow in node.outgoing]
        flows |= set() if node.id == held else {flow.id for flow in node.outgoing}
        found = [name for name in ahead if _passes(scope.nodes[name], flows)]
        found += [name for name in node.boundary if node.id != held or not scope.nodes[name].interrupting]
        trigger = node.trigger
        if node.kind == "intermediateThrowEvent" and trigger and trigger.kind == "link":
            found.append(scope.links[trigger.key or ""])
        fresh = [name for name in dict.fromkeys(found) if name not in nodes]
        nodes.update(fresh)
        stack += fresh
    waiting = {flow.target for node in scope.nodes.values() for flow in node.outgoing if flow.id in flows} - nodes
    return Behind(nodes=frozenset(nodes), flows=frozenset(flows), open_joins=frozenset(waiting))


def _passes(node: Node, flows: set[str]) -> bool:
    return not is_join(node) or all(flow.id in flows for flow in node.incoming)


def is_join(node: Node) -> bool:
    """Does a token here wait for others?"""
    return len(node.incoming) > 1 and (node.kind in _JOINS or node.start_quantity > 1)


def goes_back(scope: Scope, target: str, held: str) -> bool:
    """May what stands at ``held`` go back to ``target``: does one token at the target lead here, by itself?"""
    return held in behind(scope, target, held).nodes


def entrance(process: Process, element: str) -> tuple[Scope, ...] | None:
    """The scopes from the process to the one holding the user task ``element``, outermost first.

    None where there is no such task, or where it cannot be entered by itself: a branch beside it, or what goes on
    beside a sub-process around it, would be missing at their join; a repeated sub-process would not know its turn.
    """
    scope = next((each for each in process.scopes.values() if element in each.nodes), None)
    found: list[Scope] = []
    while scope is not None:
        node = scope.nodes[element]
        if behind(scope, element).open_joins or (found and node.loop) or element in scope.handlers:
            return None
        if not found and node.kind != "userTask":
            return None
        found.insert(0, scope)
        element, scope = scope.name.rpartition("/")[2], process.scopes.get(scope.parent or "")
    return tuple(found) or None


def inside(processes: Mapping[str, Process], scope: Scope, idents: frozenset[str]) -> Iterator[str]:
    """Paths of these elements and of everything in the sub-processes and called processes that they are."""
    for ident in idents:
        node = scope.nodes[ident]
        yield node.path
        process = processes[scope.name.partition("/")[0]]
        inner = process.scopes.get(node.inner or "")
        if node.called is not None:
            inner = processes[node.called].scopes[node.called]
        if inner is not None:
            yield from inside(processes, inner, frozenset(inner.nodes))
