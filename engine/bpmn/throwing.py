"""Throwing events, and finding who catches an error or an escalation: always inside the scopes BPMN says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from engine.bpmn import events, variables
from engine.bpmn.definition import Node, Trigger
from engine.bpmn.state import Token
from engine.bpmn.steps import Sent
from engine.bpmn.values import private

if TYPE_CHECKING:
    from engine.bpmn.machine import Machine


class Thing(NamedTuple):
    """What is about to be thrown, with correlation key and payload."""

    trigger: Trigger
    key: str | None
    payload: Any


def throw_all(m: Machine, token: Token, node: Node, *, last: bool = False) -> None:
    """Throw every event of a node; afterwards the token may be gone. Payloads are found before anything is thrown.

    ``last``: an end event, done in the moment it throws. Raises: Fault, nothing thrown.
    """
    ready = [_ready(m, token, trigger) for trigger in node.triggers]
    if last:
        m.completed(token, node)
    for thing in ready:
        _throw(m, token, node, thing)


def throw(m: Machine, token: Token, node: Node, trigger: Trigger) -> None:
    """Throw one event; afterwards the token may be gone. Raises: Fault, nothing thrown."""
    _throw(m, token, node, _ready(m, token, trigger))


def _ready(m: Machine, token: Token, trigger: Trigger) -> Thing:
    payload = private(variables.evaluate(m, token.scope, trigger.payload)) if trigger.payload else None
    key = events.correlation(m, token.scope, trigger) if trigger.kind == "message" else None
    return Thing(trigger, key, payload)


def _throw(m: Machine, token: Token, node: Node, thing: Thing) -> None:
    if token.id not in m.state.tokens:
        return
    trigger, key, payload = thing
    m.note("event.thrown", token, detail={"kind": trigger.kind, "name": trigger.key})
    if trigger.kind in ("error", "escalation"):
        raise_code(m, trigger.kind, trigger.key, payload, token)
        return
    m.sent.append(Sent(kind=trigger.kind, name=trigger.key, key=key, payload=payload, element=node.path))
    if trigger.kind == "signal":
        _signal(m, trigger.key, payload)


def _signal(m: Machine, name: str | None, payload: Any) -> None:
    """A signal reaches all that wait for it now."""
    for number in [s.id for s in m.state.subs.values() if s.kind == "signal" and s.name == name]:
        if number in m.state.subs:
            events.fire(m, m.state.subs[number], payload)


def raise_code(m: Machine, kind: str, code: str | None, payload: Any, token: Token) -> None:
    """Up the scopes: event sub-processes of a scope first, then the boundary of the activity around it."""
    source = m.node(token)
    current, inside = token, token
    while True:
        if _caught(m, kind, code, payload, current):
            return
        inside = current
        owner = m.state.scopes[current.scope].token
        if owner is None:
            break
        current = m.state.tokens[owner]
    m.note("error.uncaught", token, detail={"kind": kind, "code": code})
    m.sent.append(Sent(kind=kind, name=code, key=None, payload=payload, element=source.path))
    if kind == "error":
        m.state.outcome = "error"
        m.clear(m.state.scopes[inside.scope])


def _caught(m: Machine, kind: str, code: str | None, payload: Any, token: Token) -> bool:
    node, scope = m.node(token), m.state.scopes[token.scope]
    drawn = m.definition.scopes[scope.of]
    if token.instance is None:  # an instance of a loop has no boundary of its own
        found = match(kind, code, [drawn.nodes[name] for name in node.boundary])
        if found:
            events.fire_boundary(m, token, events.Met(*found, payload))
            return True
    if scope.kind != "instance" and node.id not in drawn.handlers:  # not its own handler again
        found = match(kind, code, [events.handler_start(m, drawn, name) for name in drawn.handlers])
        if found:
            events.start_handler(m, scope, events.Met(*found, payload))
            return True
    return False


def match(kind: str, code: str | None, nodes: list[Node]) -> tuple[Node, Trigger] | None:
    """The node catching this code, one naming it before one that catches all."""
    for wanted in (code, None):
        for node in nodes:
            for trigger in node.triggers:
                if trigger.kind == kind and trigger.key == wanted:
                    return node, trigger
    return None
