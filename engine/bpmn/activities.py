"""What each kind of node does when a token comes to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from engine.bpmn import compensation, events, gateways, throwing, variables
from engine.bpmn.definition import Node
from engine.bpmn.faults import Fault
from engine.bpmn.state import Token
from engine.bpmn.values import private

if TYPE_CHECKING:
    from engine.bpmn.machine import Machine

WORK = frozenset({"userTask", "manualTask", "serviceTask"})


def prepare(m: Machine, token: Token, node: Node) -> None:
    """The script before an activity, once for each token. Raises: Fault."""
    if node.before and token.stage != "prepared":
        variables.run_script(m, token, node, node.before)
        token.stage = "prepared"


def _script(m: Machine, token: Token, node: Node) -> None:
    prepare(m, token, node)
    variables.run_script(m, token, node, node.script)
    m.finish(token, node)


def _decision(m: Machine, token: Token, node: Node) -> None:
    prepare(m, token, node)
    variables.decide(m, token, node)
    m.finish(token, node)


def _work(m: Machine, token: Token, node: Node) -> None:
    """Waits for complete(). The role's scope is found now and stays with the work item."""
    prepare(m, token, node)
    if node.lane is not None and node.lane.scope_expression:
        where = variables.evaluate(m, token.scope, node.lane.scope_expression)
        if not isinstance(where, str) or not where:
            raise Fault("lane_scope")
        token.where = where
    token.state = "waiting"


def _send(m: Machine, token: Token, node: Node) -> None:
    prepare(m, token, node)
    throwing.throw_all(m, token, node)
    m.finish(token, node)


def _receive(m: Machine, token: Token, node: Node) -> None:
    prepare(m, token, node)
    events.wait_for(m, token, node)


def _sub_process(m: Machine, token: Token, node: Node) -> None:
    prepare(m, token, node)
    token.state = "active"
    m.open(node.inner or "", "sub", token.id)


def _call(m: Machine, token: Token, node: Node) -> None:
    prepare(m, token, node)
    frame = variables.call_inputs(m, token, node)
    if node.path in m.definition.reentered:
        m.state.scopes[token.scope].calls[node.id] = private(frame)
    token.state = "active"
    m.open(node.called or "", "call", token.id, frame)


def _start(m: Machine, token: Token, node: Node) -> None:
    m.finish(token, node)


def _catch(m: Machine, token: Token, node: Node) -> None:
    if node.listens_to("link"):
        m.finish(token, node)
    else:
        events.wait_for(m, token, node)


def _event_based(m: Machine, token: Token, node: Node) -> None:
    token.state = "waiting"
    scope = m.scope_of(token)
    events.subscribe_all(m, [scope.nodes[flow.target] for flow in node.outgoing], token)


def _throw(m: Machine, token: Token, node: Node) -> None:
    trigger = node.trigger
    if trigger and trigger.kind == "link":
        m.completed(token, node)
        m.put(m.scope_of(token).links[trigger.key or ""], token.scope)
        m.remove(token)
    elif trigger and trigger.kind == "compensate":
        compensation.compensate(m, token, node, trigger)
    else:
        throwing.throw_all(m, token, node)
        if token.id in m.state.tokens:
            m.finish(token, node)


def _end(m: Machine, token: Token, node: Node) -> None:
    kinds = {trigger.kind for trigger in node.triggers}
    if "terminate" in kinds:
        m.completed(token, node)
        scope = m.state.scopes[token.scope]
        m.clear(scope, keep=token.id)
        scope.rest.clear()
        if scope.token is None:
            m.state.outcome = m.state.named or "terminated"
        m.remove(token)
    elif "cancel" in kinds:
        compensation.cancel_transaction(m, token, node)
    elif node.trigger and node.trigger.kind == "compensate":
        compensation.compensate(m, token, node, node.trigger)
    else:
        throwing.throw_all(m, token, node, last=True)
        if token.id in m.state.tokens:
            m.remove(token)


ENTER: Mapping[str, Callable[[Machine, Token, Node], None]] = {
    "scriptTask": _script,
    "businessRuleTask": _decision,
    "userTask": _work,
    "manualTask": _work,
    "serviceTask": _work,
    "sendTask": _send,
    "receiveTask": _receive,
    "subProcess": _sub_process,
    "transaction": _sub_process,
    "adHocSubProcess": _sub_process,
    "callActivity": _call,
    "startEvent": _start,
    "endEvent": _end,
    "intermediateCatchEvent": _catch,
    "intermediateThrowEvent": _throw,
    "exclusiveGateway": lambda m, token, node: m.leave(token, node),
    "parallelGateway": gateways.parallel,
    "inclusiveGateway": gateways.inclusive,
    "complexGateway": gateways.complex_join,
    "eventBasedGateway": _event_based,
}
