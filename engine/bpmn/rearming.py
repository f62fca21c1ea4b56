"""What a case waits for in another release: what is drawn there too keeps its moment, the rest is dropped or armed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from engine.bpmn import events
from engine.bpmn.definition import Definition, Node, Scope, Trigger
from engine.bpmn.faults import Fault
from engine.bpmn.machine import Machine
from engine.bpmn.state import Sub, Token

Rename = Callable[[Scope, Scope, str], str]
"""The id in the new scope of what had an id in the old one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rearmed:
    """One subscription: paths in the old release and the new (empty: new, or gone), and why it cannot be armed."""

    number: int
    element: str
    target: str
    rule: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Listener:
    """An event that can be waited for, as it was drawn, with the id it has now."""

    node: Node
    now: str


def rearm(
    m: Machine, old: Definition, stood: Mapping[int, Node], were: Mapping[int, Scope], rename: Rename
) -> Iterator[Rearmed]:
    """Bring every subscription in line with the new release. Tokens and scopes bear their new names already.

    ``stood`` gives the element of each token in the old release, ``were`` the drawn scope of each scope.
    """
    for token in list(m.state.tokens.values()):
        if token.state in ("waiting", "active") or (token.state == "failed" and token.subs):
            drawn, was = m.scope_of(token), were[token.scope]
            before = [Listener(node=n, now=rename(was, drawn, n.id)) for n in _of_token(was, stood[token.id], token)]
            yield from _renew(
                m, token.subs, before, _of_token(drawn, m.node(token), token), scope=token.scope, token=token
            )
    for scope in list(m.state.scopes.values()):
        if scope.kind not in ("process", "call", "sub", "handler"):
            continue
        drawn, was = m.definition.scopes[scope.of], were[scope.id]
        starts = {name: _start(m.definition, drawn, name) for name in drawn.handlers}
        names = {name: rename(was, drawn, name) for name in was.handlers}
        before = [
            Listener(node=_start(old, was, name), now=starts[now].id if now in starts else "")
            for name, now in names.items()
        ]
        here = {token.node for token in m.state.tokens.values() if token.scope == scope.id}
        taken_over = any(name in here and start.interrupting for name, start in starts.items())
        yield from _renew(
            m, scope.subs, before, [] if taken_over else list(starts.values()), scope=scope.id, token=None
        )
    m.changed = m.changed or any(sub.kind == "conditional" for sub in m.state.subs.values())


def _of_token(drawn: Scope, node: Node, token: Token) -> list[Node]:
    """The events a token waits for at ``node``."""
    found = [drawn.nodes[name] for name in node.boundary] if token.instance is None and token.after is None else []
    if node.kind in ("intermediateCatchEvent", "receiveTask"):
        found.append(node)
    if node.kind == "eventBasedGateway":
        found += [drawn.nodes[flow.target] for flow in node.outgoing]
    return found


def _start(definition: Definition, drawn: Scope, handler: str) -> Node:
    inner = definition.scopes[drawn.nodes[handler].inner or ""]
    return next(node for node in inner.nodes.values() if node.kind == "startEvent" and node.triggers)


def _renew(
    m: Machine, subs: list[int], before: list[Listener], after: list[Node], *, scope: int, token: Token | None
) -> Iterator[Rearmed]:
    """One that is drawn in both releases is kept if it is still waited for, and stays spent if it is not."""
    known = {(each.now, n): t for each in before for n, t in _triggers(each.node)}
    wanted = {(node.id, n): (node, t) for node in after for n, t in _triggers(node)}
    for number in list(subs):
        sub = m.state.subs[number]
        was = next(each for each in before if each.node.id == sub.node)
        place = (was.now, sub.trigger)
        node = wanted[place][0] if place in wanted and _same(known[place], wanted[place][1]) else None
        if node is None:
            del m.state.subs[number]
            subs.remove(number)
        else:
            sub.node = node.id
        yield Rearmed(number=number, element=was.node.path, target=node.path if node else "")
    for place, (node, trigger) in wanted.items():
        if place not in known or not _same(known[place], trigger):
            yield _armed(m, node, place[1], scope, token)


def _armed(m: Machine, node: Node, index: int, scope: int, token: Token | None) -> Rearmed:
    try:
        sub: Sub = events.subscribe(m, node, index, scope, token)
    except Fault as fault:
        return Rearmed(number=0, element="", target=node.path, rule=fault.code)
    return Rearmed(number=sub.id, element="", target=node.path)


def _triggers(node: Node) -> Iterator[tuple[int, Trigger]]:
    never = (*events.SCOPED, "link")
    return ((n, trigger) for n, trigger in enumerate(node.triggers) if trigger.kind not in never)


def _same(one: Trigger, other: Trigger) -> bool:
    """Is it the same event: kind, name, and for a timer the way its moment is told? Its text may have changed."""
    return (one.kind, one.key, one.deadline) == (other.kind, other.key, other.deadline)
