"""Standard loops and multi-instance activities, with a completion condition over what was collected.

The activity's token owns the loop; every instance is a scope of its own below it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.bpmn import throwing, variables
from engine.bpmn.definition import Loop, Node
from engine.bpmn.faults import Fault
from engine.bpmn.state import ScopeState, Token

if TYPE_CHECKING:
    from engine.bpmn.machine import Machine

INSTANCES = 2_000
"""More instances of one activity than this are an incident, before the first of them is made."""


def begin(m: Machine, token: Token, node: Node) -> None:
    """A token has come to a repeated activity. Raises: Fault."""
    loop = _loop(node)
    total = 0 if loop.standard else _total(m, token, loop)
    token.state, token.loop = "active", {"started": 0, "done": 0}
    if loop.standard:
        if loop.test_before and not _goes_on(m, token, node):
            return _over(m, token, node)
        return _start(m, token, node)
    token.loop.update(total=total, out={})
    if loop.outputs:
        variables.write(m, token.scope, {loop.outputs: []}, node.path, token.id)
    if total == 0:
        return _over(m, token, node)
    for _ in range(1 if loop.sequential else total):
        _start(m, token, node)
    return None


def instance_done(m: Machine, token: Token, node: Node, scope: ScopeState) -> None:
    """One instance has ended: collect, throw, then stop or go on."""
    loop, record = _loop(node), _record(token)
    record["done"] += 1
    if loop.standard:
        return _start(m, token, node) if _goes_on(m, token, node) else _over(m, token, node)
    _collect(m, token, node, scope)
    for condition, trigger in loop.throws:
        if loop.behavior == "One" and record["done"] > 1:
            continue
        if variables.evaluate(m, token.scope, condition, counters(token)):
            throwing.throw(m, token, node, trigger)
            if token.id not in m.state.tokens:
                return None
    if record["done"] == record["total"] or (
        loop.condition and variables.evaluate(m, token.scope, loop.condition, counters(token))
    ):
        return _over(m, token, node)
    if loop.sequential:
        _start(m, token, node)
    return None


def counters(token: Token) -> dict[str, Any]:
    """The instance attributes of the standard, for conditions."""
    record = _record(token)
    return {
        "numberOfInstances": record["total"],
        "numberOfCompletedInstances": record["done"],
        "numberOfActiveInstances": record["started"] - record["done"],
        "loopCounter": record["done"],
    }


def _loop(node: Node) -> Loop:
    assert node.loop is not None  # noqa: S101 - called for repeated activities only
    return node.loop


def _record(token: Token) -> dict[str, Any]:
    assert token.loop is not None  # noqa: S101 - set by ``begin``
    return token.loop


def _total(m: Machine, token: Token, loop: Loop) -> int:
    if loop.items:
        items = variables.read(m, token.scope).get(loop.items)
        if not isinstance(items, list | dict):
            raise Fault("not_a_collection")
        total = len(items)
    else:
        total = variables.evaluate(m, token.scope, loop.maximum or "")
        if type(total) is not int or total < 0:
            raise Fault("cardinality")
    if total > INSTANCES:
        raise Fault("too_many_instances")
    return total


def _start(m: Machine, token: Token, node: Node) -> None:
    loop, record = _loop(node), _record(token)
    index = record["started"]
    frame: dict[str, Any] | None = None
    if not loop.standard:
        frame = {"loopCounter": index}
        if loop.outputs:
            frame[loop.output or loop.outputs] = None
        if loop.items:
            items = variables.read(m, token.scope).get(loop.items)
            values = list(items.values()) if isinstance(items, dict) else items
            if not isinstance(values, list) or index >= len(values):
                raise Fault("items_shorter")
            frame[loop.item or "item"] = values[index]
    record["started"] += 1
    scope = m.add_scope(node.scope, "instance", token.id, frame, {})
    m.put(node.id, scope.id, instance=index)


def _collect(m: Machine, token: Token, node: Node, scope: ScopeState) -> None:
    """Outputs appear in the collection at once, in the order of the instances."""
    loop, frame = _loop(node), scope.frame or {}
    if loop.outputs:
        out = _record(token)["out"]
        out[str(frame["loopCounter"])] = frame.get(loop.output or loop.outputs)
        collected = {loop.outputs: [out[index] for index in sorted(out, key=int)]}
    else:
        own = {"loopCounter", loop.item or "item"}
        collected = {name: value for name, value in frame.items() if name not in own}
    variables.write(m, token.scope, collected, node.path, token.id)


def _goes_on(m: Machine, token: Token, node: Node) -> bool:
    loop, done = _loop(node), _record(token)["done"]
    if loop.maximum is not None and done >= int(loop.maximum):
        return False
    return loop.condition is None or bool(variables.evaluate(m, token.scope, loop.condition, {"loopCounter": done}))


def _over(m: Machine, token: Token, node: Node) -> None:
    """The loop has ended; instances still running are cancelled."""
    m.end_inner(token)
    m.leave(token, node)
