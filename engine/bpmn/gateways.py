"""Choosing flows at splits and counting tokens at joins."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from engine.bpmn import variables
from engine.bpmn.definition import Flow, Node
from engine.bpmn.faults import Fault
from engine.bpmn.state import Token

if TYPE_CHECKING:
    from engine.bpmn.machine import Machine


def choose(m: Machine, token: Token, node: Node) -> list[Flow]:
    """The flows a token leaves on; conditions and default hold for activities and events too. Raises: Fault."""
    if node.kind == "eventBasedGateway":
        return []
    if node.kind == "parallelGateway" or not any(flow.condition for flow in node.outgoing):
        if node.kind == "exclusiveGateway" and len(node.outgoing) > 1:
            raise Fault("no_flow")
        return list(node.outgoing)
    default = next((f for f in node.outgoing if f.id == node.default), None)
    taken: list[Flow] = []
    for flow in node.outgoing:
        if flow is default:
            continue
        if flow.condition is None or variables.evaluate(m, token.scope, flow.condition):
            taken.append(flow)
            if node.kind == "exclusiveGateway":
                return taken
    if default is not None and not any(flow.condition for flow in taken):
        taken.append(default)
    if not taken:
        raise Fault("no_flow")
    return taken


def parallel(m: Machine, token: Token, node: Node) -> None:
    """One token from every incoming flow; excess tokens stay for the next round."""
    if len(node.incoming) > 1:
        counts = _count(m, token, node)
        if any(not counts.get(flow.id) for flow in node.incoming):
            token.state = "parked"
            return
        _consume(m, token, node, [flow.id for flow in node.incoming])
    m.leave(token, node)


def inclusive(m: Machine, token: Token, node: Node) -> None:
    """A join waits until nothing else runs; then ``settle_joins`` sees what can still come."""
    if len(node.incoming) > 1:
        _count(m, token, node)
        token.state = "parked"
        if _nothing_can_come(m, token, node):
            _pass(m, token, node)
    else:
        m.leave(token, node)


def complex_join(m: Machine, token: Token, node: Node) -> None:
    """Fires once when its condition holds, then swallows the rest of the round (no second output on reset)."""
    if len(node.incoming) < 2:
        return m.leave(token, node)
    counts = _count(m, token, node)
    fired = m.state.scopes[token.scope].counts.setdefault("fired:" + node.id, {})
    token.state = "parked"
    extra = {"activationCount": sum(counts.values())}
    if not fired and variables.evaluate(m, token.scope, node.condition or "True", extra):
        fired.update({flow: 1 for flow in counts if counts[flow]})
        _consume(m, token, node, [flow for flow in counts if counts[flow]])
        return m.leave(token, node)
    if fired and token.flow:
        fired[token.flow] = 1
        _consume(m, token, node, [token.flow])
        if len(fired) == len(node.incoming):
            fired.clear()
        m.note("element.completed", token)
        token.stage = "done"
        return m.remove(token)
    return None


def enough(m: Machine, token: Token, node: Node) -> bool:
    """startQuantity: wait for so many tokens, whatever flow they come on."""
    token.state = "parked"
    here = _parked(m, token, node)
    if len(here) < node.start_quantity:
        return False
    for other in [each for each in here if each is not token][: node.start_quantity - 1]:
        _merge(m, other, token)
    token.state = "ready"
    return True


def settle_joins(m: Machine) -> bool:
    """With nothing ready: let one inclusive join pass that nobody can reach any more."""
    for scope in list(m.state.scopes.values()):
        for name in scope.counts:
            node = m.definition.scopes[scope.of].nodes.get(name)
            if node is None or node.kind != "inclusiveGateway":
                continue
            here = [t for t in m.state.tokens.values() if (t.node, t.scope, t.state) == (name, scope.id, "parked")]
            if here and _nothing_can_come(m, here[0], node):
                m.guarded(here[0], partial(_pass, m, here[0], node))
                return True
    return False


def _count(m: Machine, token: Token, node: Node) -> dict[str, int]:
    """Note the arrival of a token (once)."""
    counts = m.state.scopes[token.scope].counts.setdefault(node.id, {})
    if token.state == "ready" and token.flow:
        counts[token.flow] = counts.get(token.flow, 0) + 1
    return counts


def _consume(m: Machine, token: Token, node: Node, flows: list[str]) -> None:
    """Take one token of each flow; ``token`` itself stays to go on."""
    scope = m.state.scopes[token.scope]
    counts = scope.counts[node.id]
    for flow in flows:
        counts[flow] -= 1
        if flow != token.flow:
            _merge(m, next(t for t in _parked(m, token, node) if t.flow == flow and t is not token), token)
    if not any(counts.values()):
        del scope.counts[node.id]


def _merge(m: Machine, token: Token, into: Token) -> None:
    """A token that waited at a join is taken up by the one that goes on."""
    m.note("element.completed", token, detail={"into": into.id})
    m.discard(token)


def _parked(m: Machine, token: Token, node: Node) -> list[Token]:
    """The tokens waiting at this node in the scope of ``token``."""
    return [t for t in m.state.tokens.values() if (t.node, t.scope, t.state) == (node.id, token.scope, "parked")]


def _nothing_can_come(m: Machine, token: Token, node: Node) -> bool:
    """BPMN 2.0 §13.4.3: no token can still reach an empty incoming flow without passing this gateway, unless it could
    as well reach a flow where one is waiting."""
    scope = m.state.scopes[token.scope]
    drawn = m.definition.scopes[scope.of]
    counts = scope.counts.get(node.id, {})
    empty = [flow for flow in node.incoming if not counts.get(flow.id)]
    full = [flow for flow in node.incoming if counts.get(flow.id)]
    here = [t for t in m.state.tokens.values() if t.scope == scope.id]
    if any(t.node == node.id and t.state == "ready" for t in here):
        return False
    for name in {t.node for t in here if t.node != node.id}:
        if any(drawn.reaches(name, flow, node.id) for flow in empty) and not any(
            drawn.reaches(name, flow, node.id) for flow in full
        ):
            return False
    return True


def _pass(m: Machine, token: Token, node: Node) -> None:
    counts = m.state.scopes[token.scope].counts[node.id]
    _consume(m, token, node, [flow for flow in counts if counts[flow]])
    m.leave(token, node)
