"""Choosing flows at splits and counting tokens at joins."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from engine.bpmn import variables
from engine.bpmn.definition import Flow, Node
from engine.bpmn.faults import Fault
from engine.bpmn.state import ScopeState, Token

if TYPE_CHECKING:
    from engine.bpmn.machine import Machine

_FIRED = "fired:"
"""Before a complex gateway's id in ``counts``: the flows it took its first output from; no id holds a colon."""
_NOTHING: Mapping[str, int] = {}


def choose(m: Machine, token: Token, node: Node) -> list[Flow]:
    """The flows a token leaves on; conditions and default hold for activities and events too. Raises: Fault."""
    if node.kind == "eventBasedGateway":
        return []
    if node.kind == "parallelGateway" or not any(flow.condition for flow in node.outgoing):
        if node.kind == "exclusiveGateway" and len(node.outgoing) > 1:
            raise Fault("no_flow")
        return list(node.outgoing)
    default = next((f for f in node.outgoing if f.id == node.default), None)
    extra = _attributes(m, token, node) if node.kind == "complexGateway" else None
    taken: list[Flow] = []
    for flow in node.outgoing:
        if flow is default:
            continue
        if flow.condition is None or variables.evaluate(m, token.scope, flow.condition, extra):
            taken.append(flow)
            if node.kind == "exclusiveGateway":
                return taken
    if default is not None and not any(flow.condition for flow in taken):
        taken.append(default)
    if not taken and not token.reset:
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
        if _nothing_can_come(m, m.state.scopes[token.scope], node):
            _pass(m, token, node)
    else:
        m.leave(token, node)


def complex_join(m: Machine, token: Token, node: Node) -> None:
    """The first output when the activation condition holds; the second is ``settle_joins``' (BPMN 2.0 §13.4.5)."""
    if len(node.incoming) < 2:
        return m.leave(token, node)
    scope = m.state.scopes[token.scope]
    token.state = "ready"
    if not scope.counts.get(_FIRED + node.id):
        extra = _attributes(m, token, node)
        extra["activationCount"] += 1
        if variables.evaluate(m, token.scope, node.condition or "True", extra):
            counts = _count(m, token, node)
            taken = [flow for flow in counts if counts[flow]]
            scope.counts[_FIRED + node.id] = dict.fromkeys(taken, 1)
            _consume(m, token, node, taken)
            return m.leave(token, node)
    _count(m, token, node)
    token.state = "parked"
    return None


def _attributes(m: Machine, token: Token, node: Node) -> dict[str, Any]:
    """The instance attributes of a complex gateway: its phase, and how many tokens wait at it."""
    waiting = m.state.scopes[token.scope].counts.get(node.id, {})
    return {"waitingForStart": not token.reset, "activationCount": sum(waiting.values())}


def _reset(m: Machine, scope: ScopeState, node: Node) -> bool:
    """A complex gateway that has fired resets once the rest of its round is there or cannot come any more.

    It takes up the rest and chooses flows again, with ``waitingForStart`` false; where none is true nothing goes on.
    """
    fired, counts = scope.counts[_FIRED + node.id], scope.counts.get(node.id, {})
    if not _nothing_can_come(m, scope, node, fired):
        return False
    del scope.counts[_FIRED + node.id]
    late = [flow for flow in counts if counts[flow] and flow not in fired]
    here = next((t for t in _parked(m, scope.id, node) if t.flow in late), None)
    token = here or m.put(node.id, scope.id, state="parked")
    if here is None:
        m.arrived(token)
    token.reset = True
    following = [t for t in _parked(m, scope.id, node) if t is not token and t.flow not in late]

    def again() -> None:
        if late:
            _consume(m, token, node, late)
        m.leave(token, node)

    m.guarded(token, again)
    if following and scope.id in m.state.scopes:
        m.guarded(following[-1], partial(_begin_round, m, following[-1], node))
    return True


def _begin_round(m: Machine, token: Token, node: Node) -> None:
    """Tokens of the next round may have come before the last one was over: look at the condition again."""
    if token.id not in m.state.tokens or token.state != "parked":
        return
    counts = m.state.scopes[token.scope].counts[node.id]
    counts[token.flow or ""] -= 1
    complex_join(m, token, node)


def enough(m: Machine, token: Token, node: Node) -> bool:
    """startQuantity: wait for so many tokens, whatever flow they come on."""
    token.state = "parked"
    here = _parked(m, token.scope, node)
    if len(here) < node.start_quantity:
        return False
    for other in [each for each in here if each is not token][: node.start_quantity - 1]:
        _merge(m, other, token)
    token.state = "ready"
    return True


def settle_joins(m: Machine) -> bool:
    """With nothing ready: let one inclusive join pass, or complex gateway reset, that nobody can reach any more."""
    return any(settle_scope(m, scope) for scope in list(m.state.scopes.values()) if scope.counts)


def settle_scope(m: Machine, scope: ScopeState) -> bool:
    """Let one join of this scope pass or reset, if one can."""
    nodes = m.definition.scopes[scope.of].nodes
    for name in scope.counts:
        node = nodes[name.removeprefix(_FIRED)]
        if name != node.id and _reset(m, scope, node):
            return True
        if name != node.id or node.kind != "inclusiveGateway":
            continue
        here = _parked(m, scope.id, node)
        if here and _nothing_can_come(m, scope, node):
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
            _merge(m, next(t for t in _parked(m, token.scope, node) if t.flow == flow and t is not token), token)
    if not any(counts.values()):
        del scope.counts[node.id]


def _merge(m: Machine, token: Token, into: Token) -> None:
    """A token that waited at a join is taken up by the one that goes on."""
    m.note("element.completed", token, detail={"into": into.id})
    m.discard(token)


def _parked(m: Machine, scope: int, node: Node) -> list[Token]:
    """The tokens waiting at this node in this scope."""
    return [t for t in m.state.tokens.values() if (t.node, t.scope, t.state) == (node.id, scope, "parked")]


def _nothing_can_come(m: Machine, scope: ScopeState, node: Node, fired: Mapping[str, int] = _NOTHING) -> bool:
    """BPMN 2.0 §13.4.3: no token can still reach an empty incoming flow without passing this gateway, unless it could
    as well reach a flow where one is waiting (§13.4.5: or where one was taken when the gateway ``fired``)."""
    drawn = m.definition.scopes[scope.of]
    counts = scope.counts.get(node.id, {})
    full = [flow for flow in node.incoming if counts.get(flow.id) or flow.id in fired]
    empty = [flow for flow in node.incoming if flow not in full]
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
