"""Waiting for events: subscriptions, what happens when one of them is met, boundary events and event sub-processes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from engine.bpmn import gateways, timers, variables
from engine.bpmn.definition import Node, Scope, Trigger
from engine.bpmn.faults import Fault
from engine.bpmn.state import ScopeState, Sub, Token
from engine.bpmn.steps import Entry

if TYPE_CHECKING:
    from engine.bpmn.machine import Machine

SCOPED = ("error", "escalation", "compensate", "cancel")
"""Found by walking up the scopes, never subscribed to."""


@dataclass(frozen=True, slots=True)
class Met:
    """An event that has happened: the catching node, which of its definitions, and what came with it.

    ``late`` is the moment it was due, where the case stood still then.
    """

    node: Node
    trigger: Trigger
    payload: Any
    late: str | None = None

    def told(self) -> dict[str, Any]:
        """What history says of it."""
        name = self.trigger.deadline if self.trigger.kind == "timer" else self.trigger.key
        return {"kind": self.trigger.kind, "name": name, **({"due": self.late} if self.late else {})}


# -- subscribing
def subscribe_all(m: Machine, nodes: list[Node], token: Token) -> None:
    """Wait for every trigger of these nodes on behalf of a token, or for none of them. Raises: Fault."""
    try:
        for node in nodes:
            _subscribe(m, node, token.scope, token)
    except Fault:
        unsubscribe(m, token.subs)
        raise


def arm_boundary(m: Machine, token: Token, node: Node) -> None:
    """The boundary events of an activity listen from now on. Raises: Fault."""
    nodes = m.scope_of(token).nodes
    subscribe_all(m, [nodes[name] for name in node.boundary], token)


def arm_handlers(m: Machine, scope: ScopeState, drawn: Scope) -> None:
    """The event sub-processes of a scope listen from now on. Raises: Fault."""
    for name in drawn.handlers:
        _subscribe(m, handler_start(m, drawn, name), scope.id, None)


def wait_for(m: Machine, token: Token, node: Node) -> None:
    """The token waits for the events of its own node. Raises: Fault."""
    subscribe_all(m, [node], token)
    token.state = "waiting"


def handler_start(m: Machine, drawn: Scope, name: str) -> Node:
    """The start event of the event sub-process ``name`` of a scope."""
    inner = m.definition.scopes[drawn.nodes[name].inner or ""]
    return next(n for n in inner.nodes.values() if n.kind == "startEvent" and n.triggers)


def _subscribe(m: Machine, node: Node, scope: int, token: Token | None) -> None:
    for index, trigger in enumerate(node.triggers):
        if trigger.kind not in SCOPED:
            subscribe(m, node, index, scope, token)


def subscribe(m: Machine, node: Node, index: int, scope: int, token: Token | None) -> Sub:
    """Wait for one trigger of a node from now on, on behalf of a token or of the scope. Raises: Fault."""
    trigger = node.triggers[index]
    sub = Sub(0, trigger.kind, None if trigger.kind == "timer" else trigger.key, node.id, index)
    if trigger.kind == "timer":
        _set_timer(m, sub, trigger, scope)
    if trigger.kind == "message":
        sub.key = correlation(m, scope, trigger)
    sub.id = m.state.next()
    if token is not None:
        sub.token = token.id
        token.subs.append(sub.id)
    else:
        sub.scope = scope
        m.state.scopes[scope].subs.append(sub.id)
    m.state.subs[sub.id] = sub
    if trigger.kind == "conditional":
        m.changed = True
    return sub


def _set_timer(m: Machine, sub: Sub, trigger: Trigger, scope: int) -> None:
    if trigger.deadline is not None:
        sub.deadline = trigger.deadline
        return
    try:
        sub.due, sub.left = timers.first(trigger.key or "", trigger.text or "", variables.evaluator(m, scope), m.now)
    except (ValueError, TypeError, OverflowError) as error:
        raise Fault("timer_invalid") from error


def correlation(m: Machine, scope: int, trigger: Trigger) -> str:
    """The key of a message: its own expression's value, else the case's business key. Raises: Fault."""
    if trigger.correlation is None:
        return m.state.key
    value = variables.evaluate(m, scope, trigger.correlation)
    if type(value) not in (str, int) or value == "":
        raise Fault("correlation_failed")
    return str(value)


def unsubscribe(m: Machine, subs: list[int]) -> None:
    """Forget these subscriptions and empty the list."""
    for number in subs:
        m.state.subs.pop(number, None)
    subs.clear()


def drop(m: Machine, sub: Sub) -> None:
    """Forget one subscription."""
    if m.state.subs.pop(sub.id, None) is None:
        return
    holder = m.state.tokens[sub.token] if sub.token is not None else m.state.scopes[sub.scope or 0]
    holder.subs.remove(sub.id)


# -- where a subscription stands
def scope_id(m: Machine, sub: Sub) -> int:
    """The running scope whose variables the subscription sees."""
    return m.state.tokens[sub.token].scope if sub.token is not None else sub.scope or 0


def node_of(m: Machine, sub: Sub) -> Node:
    """The catching node."""
    drawn = m.definition.scopes[m.state.scopes[scope_id(m, sub)].of]
    if sub.token is not None:
        return drawn.nodes[sub.node]
    return next(n for n in (handler_start(m, drawn, h) for h in drawn.handlers) if n.id == sub.node)


def fail(m: Machine, sub: Sub, code: str) -> None:
    """The subscription has an incident; it neither fires nor is listed as waiting until it is retried."""
    sub.incident = [code, timers.stamp(m.now)]
    _note(m, "incident.raised", sub, {"code": code})


def _note(m: Machine, kind: str, sub: Sub, detail: dict[str, Any]) -> None:
    element, scope = node_of(m, sub).path, scope_id(m, sub)
    m.entries.append(Entry(kind=kind, at=m.now, element=element, scope=scope, token=sub.token, detail=detail))


def rearm(m: Machine, sub: Sub) -> None:
    """Retry of a subscription's incident: its timer is computed anew, its condition looked at again. Raises: Fault."""
    sub.incident = None
    trigger = node_of(m, sub).triggers[sub.trigger]
    if sub.kind == "timer":
        _set_timer(m, sub, trigger, scope_id(m, sub))
    m.changed = m.changed or sub.kind == "conditional"


# -- being met
def fire(m: Machine, sub: Sub, payload: Any, late: str | None = None) -> None:
    """What a subscription was waiting for has happened."""
    node = node_of(m, sub)
    trigger = node.triggers[sub.trigger]
    met, over = Met(node, trigger, payload, late), not _goes_on(m, sub, node, trigger)
    if sub.token is None:
        scope = m.state.scopes[sub.scope or 0]
        if over and sub.kind == "timer":
            drop(m, sub)
        return start_handler(m, scope, met)
    token = m.state.tokens[sub.token]
    if node.kind == "boundaryEvent":
        if over and sub.kind == "timer":
            drop(m, sub)
        return fire_boundary(m, token, met)
    return _fire_in_flow(m, sub, token, met, over)


def _fire_in_flow(m: Machine, sub: Sub, token: Token, met: Met, over: bool) -> None:
    node, caught = met.node, met.told()
    store(m, token.scope, met, token.id)
    if token.node == node.id and sub.kind == "timer" and not over:  # a cycle in the flow: one token for each firing
        m.note("event.caught", token, detail=caught)
        try:
            for flow in gateways.choose(m, token, node):
                m.put(flow.target, token.scope, flow.id)
        except Fault as fault:
            fail(m, sub, fault.code)
        return
    if node.parallel and len(node.triggers) > 1:
        drop(m, sub)
        if token.subs:
            m.note("event.caught", token, detail=caught)
            return
    unsubscribe(m, token.subs)
    if token.node != node.id:  # the token stood at an event-based gateway and goes on behind the event
        m.completed(token, m.node(token))
        after = m.put(node.id, token.scope, state="active")
        m.discard(token)
        token = after
        m.arrived(token)
    m.note("event.caught", token, detail=caught)
    m.guarded(token, lambda: m.finish(token, node))


def _goes_on(m: Machine, sub: Sub, node: Node, trigger: Trigger) -> bool:
    """A cycle goes on with its next moment; other timers and interrupting events are over."""
    ends = node.kind in ("boundaryEvent", "startEvent") and node.interrupting
    if sub.kind != "timer" or not sub.left or sub.due is None or ends:
        return False
    try:
        sub.due = timers.following(trigger.text or "", sub.due, variables.evaluator(m, scope_id(m, sub)))
        sub.left -= 1 if sub.left > 0 else 0
    except (Fault, ValueError, TypeError, OverflowError) as error:
        fail(m, sub, error.code if isinstance(error, Fault) else "timer_invalid")
    return True


def store(m: Machine, scope: int, met: Met, token: int | None) -> None:
    """A payload lands in the one variable the event names, or nowhere. Raises: Unstorable."""
    if met.trigger.variable:
        variables.write(m, scope, {met.trigger.variable: met.payload}, met.node.path, token)


def fire_boundary(m: Machine, token: Token, met: Met) -> None:
    """Start the flow of a boundary event; an interrupting one ends its activity at once."""
    store(m, token.scope, met, token.id)
    m.perform(_started(m, met, token.scope), met.node)
    if met.node.interrupting or met.trigger.kind == "error":
        m.kill(token)


def _started(m: Machine, met: Met, scope: int) -> Token:
    """A token at an event that has just happened; its turn begins with the choice of flows."""
    token = begin_at(m, scope, met.node)
    m.note("event.caught", token, detail=met.told())
    return token


def start_handler(m: Machine, scope: ScopeState, met: Met) -> None:
    """Start an event sub-process in ``scope``; an interrupting one ends everything else there."""
    start = met.node
    if start.interrupting or met.trigger.kind == "error":
        m.clear(scope)
        scope.rest.clear()
    owner = m.put(start.scope.rpartition("/")[2], scope.id, state="active")
    m.arrived(owner)
    m.guarded(owner, lambda: _begin_handler(m, owner, met))


def _begin_handler(m: Machine, owner: Token, met: Met) -> None:
    inner = m.open(met.node.scope, "handler", owner.id, start=False)
    store(m, inner.id, met, owner.id)
    _started(m, met, inner.id)


def begin_at(m: Machine, scope: int, node: Node) -> Token:
    """A token at a node whose event has happened outside, or that needs none of it."""
    token = m.put(node.id, scope)
    m.arrived(token)
    token.stage = "leave"
    return token


# -- time
def due(m: Machine, now: datetime, moments: dict[str, str]) -> tuple[str, Sub] | None:
    """The earliest timer due by ``now``; ``moments`` gives the stamps of deadlines."""
    limit = timers.stamp(now)
    found = []
    for sub in m.state.subs.values():
        moment = moments.get(sub.deadline) if sub.deadline is not None else sub.due
        if sub.kind == "timer" and sub.incident is None and moment is not None and moment <= limit:
            found.append((moment, sub.id, sub))
    return min(found)[::2] if found else None
