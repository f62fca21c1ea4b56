"""Return (退回): from a user task back to an earlier one that its diagram allows, with what lies between cancelled.

The rule. A return cancels, in the scope of the target, every token that stands behind the target: where one token at
the target, alone in the scope, could have led. That is the token that goes back and what it owns, the branches opened
between the target and here, and what of them is parked at joins. A join is passed only if every flow into it can come
from the target alone; the join of a block that encloses both ends therefore stops the search, and the branches beside
go on. The reason: what remains, with one token at the target, is how the case stood when the target was last open. A
diagram that cannot deadlock from there cannot deadlock after the return, and nothing is done twice at once. Where the
search does not come to the token that goes back (the target lies in a block that has been closed since), the return
is refused, because the branches that the block's join will ask for are gone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from engine.bpmn import activities, events
from engine.bpmn.behind import Behind, behind, entrance, goes_back, inside, is_join
from engine.bpmn.definition import Definition, Node, Scope
from engine.bpmn.machine import Machine
from engine.bpmn.runtime import BUDGET, _input_step, _taken_in, load
from engine.bpmn.sentences import rejected
from engine.bpmn.state import ScopeState, Token, decode
from engine.bpmn.steps import Step


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a return leads: the live scope, the token in it that goes back (or holds what does), the element there.

    For ``call/element`` the element is the call activity and ``within`` the scopes to enter it by; ``path`` is the
    user task's.
    """

    scope: ScopeState
    held: Token
    node: Node
    within: tuple[Scope, ...]
    path: str


def returnable(definition: Definition, state: bytes, token: int) -> dict[str, str]:
    """What the open user task ``token`` may be returned to now: word of ``returns_to`` → path of the user task.

    Raises: InputRejected (unknown state).
    """
    machine = Machine(definition, decode(state), datetime.min.replace(tzinfo=UTC))
    item = machine.state.tokens.get(token)
    if item is None or item.state != "waiting":
        return {}
    found = {word: _place(machine, item, word) for word in machine.node(item).returns_to}
    return {word: place.path for word, place in found.items() if place is not None}


def undone(definition: Definition, state: bytes, token: int, target: str) -> frozenset[str]:
    """Paths of all elements that a return to ``target`` goes back over, those inside them included."""
    machine = Machine(definition, decode(state), datetime.min.replace(tzinfo=UTC))
    place = _place(machine, machine.state.tokens[token], target)
    if place is None:
        return frozenset()
    drawn = definition.scopes[place.scope.of]
    return frozenset(inside(definition.processes, drawn, behind(drawn, place.node.id, place.held.node).nodes))


def send_back(
    definition: Definition, state: bytes, now: datetime, token: int, target: str, *, budget: int = BUDGET
) -> Step:
    """The user task ``token`` is returned to ``target``, one word of its ``returns_to``.

    Variables stay as they are; those of scopes that end, end with them. A called step entered again (``call/element``)
    has the inputs that were recorded when it was called last, and nothing else.

    Raises:
        InputRejected: not an open user task, not a target of it now, a boundary event that cannot be armed, more than
            one call may take. CaseEnded. Nothing has happened then.
    """
    machine = load(definition, state, now)
    item = machine.state.tokens.get(token)
    if item is None or item.state != "waiting" or machine.node(item).kind != "userTask":
        raise rejected("not_open")
    where = machine.node(item).path
    place = _place(machine, item, target) if target in machine.node(item).returns_to else None
    if place is None:
        raise rejected("no_return", where)
    _taken_in(machine, lambda: _go_back(machine, place), where)
    return _input_step(machine, budget, where)


def _place(m: Machine, token: Token, word: str) -> Place | None:
    if token.signs is not None:  # who signs gives an opinion; who asked for it decides
        return None
    first, _, element = word.partition("/")
    for scope, held in _around(m, token):
        drawn = m.definition.scopes[scope.of]
        node = drawn.nodes.get(first)
        if node is not None:
            return _fitting(m, scope, held, node, element)
        if scope.kind in ("process", "call") and not element:
            return None
    return None


def _around(m: Machine, token: Token) -> Iterator[tuple[ScopeState, Token]]:
    """The live scopes around a token, the nearest first, each with the token in it that is ours or holds ours.

    Work that undoes something (compensation) has nothing to go back to outside itself.
    """
    while True:
        scope = m.state.scopes[token.scope]
        if scope.kind == "job":
            return
        if scope.kind != "instance":
            yield scope, token
        if scope.token is None:
            return
        token = m.state.tokens[scope.token]


def _fitting(m: Machine, scope: ScopeState, held: Token, node: Node, element: str) -> Place | None:
    drawn = m.definition.scopes[scope.of]
    if not goes_back(drawn, node.id, held.node):
        return None
    place = Place(scope=scope, held=held, node=node, within=(), path=node.path)
    if not element:
        return place if node.kind == "userTask" and node.id != held.node else None
    within = entrance(m.definition.processes[node.called], element) if node.called else None
    if within is None or node.id not in scope.calls:
        return None
    return Place(scope=scope, held=held, node=node, within=within, path=f"{within[-1].name}/{element}")


def _go_back(m: Machine, place: Place) -> None:
    scope, held = place.scope, place.held
    drawn = m.definition.scopes[scope.of]
    found = behind(drawn, place.node.id, held.node)
    for token in [t for t in m.state.tokens.values() if t.scope == scope.id]:
        if token is held or token.node == place.node.id or _stands(token, drawn, found):
            _withdraw(m, scope, token)
    for name in found.nodes:
        scope.counts.pop(f"fired:{name}", None)
    if place.within:
        _enter(m, place, scope.calls[place.node.id])
    else:
        m.put(place.node.id, scope.id)


def _stands(token: Token, drawn: Scope, found: Behind) -> bool:
    """Does a token stand behind the target? Where it came by a flow, the flow says so more exactly than the node."""
    if token.flow is not None and (token.node in found.nodes or is_join(drawn.nodes[token.node])):
        return token.flow in found.flows
    return token.node in found.nodes


def _withdraw(m: Machine, scope: ScopeState, token: Token) -> None:
    """Cancel a token with all it owns; one parked at a join no longer counts there."""
    counts = scope.counts.get(token.node, {})
    if token.state == "parked" and counts.get(token.flow or ""):
        counts[token.flow or ""] -= 1
        if not any(counts.values()):
            del scope.counts[token.node]
    m.kill(token)


def _enter(m: Machine, place: Place, inputs: Mapping[str, Any]) -> None:
    """Open the call again with its recorded inputs, down to the scope of the user task, and set a token there."""
    inner = _opened(m, place.node, place.scope.id, "call", dict(inputs))
    for drawn in place.within[1:]:
        inner = _opened(m, _owner(m, drawn), inner.id, "sub", None)
    m.put(place.path.rpartition("/")[2], inner.id)


def _owner(m: Machine, drawn: Scope) -> Node:
    """The sub-process that a drawn scope is the inside of."""
    return m.definition.scopes[drawn.parent or ""].nodes[drawn.name.rpartition("/")[2]]


def _opened(m: Machine, node: Node, scope: int, kind: str, frame: dict[str, Any] | None) -> ScopeState:
    token = m.put(node.id, scope, state="active")
    m.arrived(token)
    token.stage = "begun"
    if kind == "sub":  # what the script before a call has set is in the inputs recorded then
        activities.prepare(m, token, node)
    events.arm_boundary(m, token, node)
    return m.open(node.called or node.inner or "", kind, token.id, frame, start=False)
