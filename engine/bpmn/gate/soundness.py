"""Proves that control flow always reaches an end: each scope by itself, then taken as one step by what is around it.

Soundness after W. van der Aalst, for BPMN with its several ends, cancelling ends and interruptions: from every marking
an end can be reached, no element ever holds two tokens, every element can be reached. Choices are free.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from engine.bpmn.definition import Node, Process, Scope
from engine.bpmn.gate.sentences import finding
from engine.bpmn.gate.shape import ahead, reach
from engine.bpmn.gate.soundness_building import OUTSIDE, Builder
from engine.bpmn.gate.soundness_net import Interface, Net, element_of, interrupts
from engine.bpmn.gate.soundness_reduction import reduce
from engine.bpmn.gate.soundness_search import STATES, Found, Marking, Search
from engine.errors import Finding

LONGEST_PATH = 12
"""Elements of a path that a finding lists."""
KEPT = 5_000
"""Proofs remembered by digest, so that publishing one file again does not prove the others anew."""
_PROOFS: dict[tuple[object, ...], Proof] = {}


@dataclass(frozen=True, kw_only=True, slots=True)
class Proof:
    """What was found in one process, and what those who call it may rely on."""

    findings: tuple[Finding, ...]
    interface: Interface


def check_soundness(processes: Mapping[str, Process]) -> Iterator[Finding]:
    """Findings of every process. A called process that is missing may end in any way."""
    interfaces: dict[str, Interface] = {}
    for key in _called_first(processes):
        process = processes[key]
        called = {name: interfaces[name] for name in process.calls if name in interfaces}
        question = (process.digest, process.file, *sorted(called.items(), key=lambda pair: pair[0]))
        if question not in _PROOFS:
            if len(_PROOFS) >= KEPT:
                _PROOFS.clear()
            _PROOFS[question] = prove(process, called)
        proof = _PROOFS[question]
        interfaces[key] = proof.interface
        yield from proof.findings


def prove(process: Process, called: Mapping[str, Interface], limit: int = STATES) -> Proof:
    """Prove one process. ``called``: interfaces of the processes it calls; ``limit``: markings of one scope."""
    prover = _Prover(process, called, limit)
    interface = prover.scope(process.scopes[process.key], rescued=False)
    return Proof(findings=tuple(prover.findings), interface=interface)


def _called_first(processes: Mapping[str, Process]) -> list[str]:
    """Keys so that called processes come before their callers; a circle of calls is refused elsewhere."""
    order: dict[str, None] = {}
    begun: set[str] = set()
    stack = [(key, False) for key in sorted(processes, reverse=True)]
    while stack:
        key, done = stack.pop()
        if done:
            order[key] = None
        elif key not in begun:
            begun.add(key)
            stack.append((key, True))
            stack += [(name, False) for name in processes[key].calls if name in processes]
    return list(order)


class _Prover:
    """Walks the scopes of one process, the inner ones first."""

    def __init__(self, process: Process, called: Mapping[str, Interface], limit: int) -> None:
        self.process, self.called, self.limit = process, called, limit
        self.findings: list[Finding] = []

    def scope(self, scope: Scope, *, rescued: bool) -> Interface:
        """Prove one scope. ``rescued``: something around it may end it at any time, so it may go on for ever."""
        ending = {name for name in scope.handlers if self._ends_scope(scope.nodes[name])}
        inside = {
            node.id: self._inside(scope, node, rescued or bool(ending - {node.id} if node.id not in ending else ()))
            for node in scope.nodes.values()
            if node.inner or node.called
        }
        rescued = rescued or bool(ending)
        builder = Builder(self.process, scope, inside)
        reduce(builder.net)
        search = Search(builder.net, self.limit)
        _play(search, builder.net)
        found, before = search.judge(), len(self.findings)
        self._tell(scope, search, found, rescued)
        faulty = len(self.findings) > before or bool(found.beyond)
        self._never(scope, builder, found.visited if not faulty else None)
        return Interface(
            completes=faulty or search.completes,
            errors=frozenset(builder.errors),
            escalations=frozenset(builder.escalations),
            cancels=builder.cancels,
        )

    def _inside(self, scope: Scope, node: Node, rescued: bool) -> Interface:
        """The interface of what an activity holds."""
        if node.called:
            return self.called.get(node.called, Interface(unknown=True))
        inner = self.process.scopes[node.inner or ""]
        if inner.kind == "adHocSubProcess":
            return Interface(unknown=True)
        events = [scope.nodes[name] for name in node.boundary]
        return self.scope(inner, rescued=rescued or any(interrupts(e) and _outside(e) for e in events))

    def _ends_scope(self, handler: Node) -> bool:
        """May this event sub-process end what is around it at any time?"""
        inner = self.process.scopes[handler.inner or ""]
        return any(n.kind == "startEvent" and n.interrupting and _outside(n) for n in inner.nodes.values())

    # -- telling
    def _say(self, element: str, rule: str, path: tuple[str, ...] = (), severity: str = "error") -> None:
        shown = path if len(path) <= LONGEST_PATH else ("…", *path[-LONGEST_PATH:])
        self.findings.append(finding(self.process.file, element, rule, " → ".join(shown), severity))

    def _tell(self, scope: Scope, search: Search, found: Found, rescued: bool) -> None:
        """Two tokens first; what such a pair leads to later is its consequence and not told again."""
        told: set[str] = set()
        for place, marking in found.pairs.items():
            known = search.net.places.get(place)
            element = known.label if known else element_of(place)
            if element not in reach(scope, sorted(told)):
                told.add(element)
                self._say(element, "lack_of_synchronisation", search.path(marking))
        after = reach(scope, sorted(told))
        for marking in found.stuck:
            for element in _blocked(scope, marking):
                if element not in after and element not in told:
                    told.add(element)
                    self._say(element, "deadlock", search.path(marking))
        for circle in [] if rescued else found.circles:
            first = min(circle, key=lambda marking: (len(search.path(marking)), marking))
            element = _entrance(scope, circle, search, first)
            if element not in after:
                self._say(element, "livelock", search.path(first))
        if found.beyond and not told:
            self._say(found.beyond, "not_proved", severity="warning")

    def _never(self, scope: Scope, builder: Builder, visited: set[str] | None) -> None:
        """Events nothing sets off; where the scope is otherwise right, elements that no token comes to."""
        started = reach(scope, [*scope.starts, *scope.handlers, *(n.id for n in _event_starts(scope))])
        for node in scope.nodes.values():
            thrown = [t for t in node.triggers if t.kind in ("error", "escalation", "cancel")]
            silent = node.kind == "boundaryEvent" and thrown and not node.listens_to("compensate")
            if (silent or node.id in scope.handlers) and node.id not in builder.heard and node.id in started:
                self._say(node.id, "dead_event")
        if visited is None:
            return
        heard = {name for name in builder.heard if name in scope.handlers or scope.nodes[name].attached_to in visited}
        alive = {name for name in visited | heard if name in scope.nodes}
        dead = {name for name in started - alive if not _aside(scope.nodes[name], scope)}
        for name in sorted(dead):
            if any(name in ahead(scope.nodes[other]) for other in alive):
                self._say(name, "dead_element")


def _play(search: Search, net: Net) -> None:
    """First the main flow, then branches that begin beside an element, once that has been reached."""
    left = list(net.starts)
    while ready := [each for each in left if not each[0] or each[0] in search.found.visited]:
        left = [each for each in left if each not in ready]
        for _, way in ready:
            search.play(way)


def _outside(event: Node) -> bool:
    return any(trigger.kind in OUTSIDE for trigger in event.triggers)


def _event_starts(scope: Scope) -> list[Node]:
    return [node for node in scope.nodes.values() if node.kind == "startEvent"]


def _aside(node: Node, scope: Scope) -> bool:
    """Events and activities that no token of the flow comes to: told by ``heard``, or run for compensation."""
    thrown = node.kind == "boundaryEvent" and any(t.kind not in OUTSIDE for t in node.triggers)
    return thrown or node.id in scope.handlers or node.compensates


def _blocked(scope: Scope, marking: Marking) -> list[str]:
    """Where tokens wait for nothing, but not those that only wait for other ones that do."""
    here = {element_of(place) for place in marking}
    held = [name for name in scope.nodes if name in here]
    first = [name for name in held if not any(name in reach(scope, ahead(scope.nodes[each])) for each in held)]
    return first or held[:1]


def _entrance(scope: Scope, circle: set[Marking], search: Search, first: Marking) -> str:
    """The element by which tokens come into a circle that they never leave."""
    inside = {element_of(place) for marking in circle for place in marking if place in search.net.places}
    return next((name for name in search.path(first) if name in inside), min(inside))
