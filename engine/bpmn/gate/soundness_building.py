"""From one compiled scope to its net: what the machine would do at each node, with everything that may be thrown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from engine.bpmn.definition import Flow, Node, Process, Scope
from engine.bpmn.gate.soundness_net import (
    GONE,
    SEPARATOR,
    Interface,
    Net,
    Place,
    Way,
    again,
    arrival,
    choices,
    interrupts,
    reach,
    synchronises,
    waiting_at,
)
from engine.bpmn.nodes import ACTIVITIES

WORKED = ("userTask", "manualTask", "serviceTask")
"""Whoever does these may report any error instead of an answer."""
OUTSIDE = frozenset({"message", "signal", "timer", "conditional"})
"""Events that may happen at any time."""
_AUTOMATIC = frozenset({"scriptTask", "businessRuleTask", "sendTask"})
_UNKNOWN = Interface(unknown=True)


class Builder:
    """Builds the net of one scope; ``inside`` holds the interfaces of its sub-processes and called processes.

    Afterwards: ``errors``, ``escalations`` and ``cancels`` leave the scope; ``heard`` are the boundary events and event
    sub-processes that something can set off.
    """

    def __init__(self, process: Process, scope: Scope, inside: Mapping[str, Interface]) -> None:
        self.process, self.scope, self.inside = process, scope, inside
        self.net = Net(scope=scope)
        self.errors: set[str | None] = set()
        self.escalations: set[str | None] = set()
        self.cancels, self.heard = False, set[str]()
        starts = [*scope.starts, *(n.id for n in scope.nodes.values() if n.kind == "startEvent" and n.triggers)]
        self.main = reach(scope, starts)
        self._first()
        for node in scope.nodes.values():
            if node.id not in scope.handlers:
                self._node(node)
        for name in scope.handlers:
            self._handler(scope.nodes[name])

    def _first(self) -> None:
        """All plain starts at once; each start with an event by itself."""
        if self.scope.starts:
            self.net.starts.append(("", Way(makes=tuple(sorted(self.scope.starts)))))
        for node in self.scope.nodes.values():
            if node.kind == "startEvent" and node.triggers:
                self.net.starts.append(("", Way(makes=(node.id,))))

    # -- nodes
    def _node(self, node: Node) -> None:
        if synchronises(node):
            self.net.joins[node.id] = tuple(waiting_at(node.id, flow.id) for flow in node.incoming)
            if node.kind == "complexGateway":
                ways = [self._out(node, flows) for flows in choices(node, first=False)]
                self._place(node, ways or [Way(makes=())], again(node.id))
        if node.kind == "endEvent":
            self._place(node, [self._thrown(node) or Way(makes=())])
        elif node.kind == "intermediateThrowEvent" and node.triggers:
            gone = self._thrown(node)
            self._place(node, [gone] if gone else self._onward(node))
        elif node.kind in ACTIVITIES:
            self._activity(node)
        else:
            self._place(node, self._onward(node))

    def _place(self, node: Node, ways: list[Way], key: str = "") -> None:
        ways = ways or [Way(makes=(key or node.id,))]  # what never ends by itself goes on
        waits = node.kind in ACTIVITIES - _AUTOMATIC or node.kind in ("intermediateCatchEvent", "eventBasedGateway")
        self.net.places[key or node.id] = Place(ways=ways, label=node.id, waits=waits, quantity=node.start_quantity)

    def _onward(self, node: Node) -> list[Way]:
        return [self._out(node, flows) for flows in choices(node)]

    def _out(self, node: Node, flows: Iterable[Flow]) -> Way:
        """A token that leaves; ``completionQuantity`` of them on each flow."""
        return Way(makes=tuple(sorted([arrival(self.scope, f) for f in flows] * node.completion_quantity)))

    # -- throwing
    def _thrown(self, node: Node) -> Way | None:
        """The way of a token that an event takes away; None where it goes on."""
        for trigger in node.triggers:
            if trigger.kind == "link":
                return Way(makes=(self.scope.links[trigger.key or ""],))
            if trigger.kind == "terminate":
                return Way(makes=(), clears=True)
            if trigger.kind == "cancel":
                self.cancels = True
                return Way(makes=(GONE,), clears=True)
            gone = self._up(trigger.kind, trigger.key) if trigger.kind in ("error", "escalation") else None
            if gone:
                return gone
        return None

    def _up(self, kind: str, code: str | None) -> Way | None:
        """Thrown in this scope: to its event sub-processes, else out of it. None where nothing is interrupted."""
        found = catcher(kind, code, [(name, self._start(name)) for name in self.scope.handlers])
        if found is None:
            return self._leaves(kind, code)
        name, start = found
        self.heard.add(name)
        return Way(makes=(name,), clears=True) if interrupts(start) else None

    def _leaves(self, kind: str, code: str | None) -> Way | None:
        """Out of the scope: an error ends it, an escalation goes by."""
        (self.errors if kind == "error" else self.escalations).add(code)
        return Way(makes=(GONE,), clears=True) if kind == "error" else None

    def _start(self, handler: str) -> Node:
        """The start event of an event sub-process."""
        inner = self.process.scopes[self.scope.nodes[handler].inner or ""]
        return next(n for n in inner.nodes.values() if n.kind == "startEvent" and n.triggers)

    # -- event sub-processes
    def _handler(self, node: Node) -> None:
        """One step; errors inside go straight out of the scope. What it does not interrupt, it leaves alone."""
        start, found = self._start(node.id), self.inside[node.id]
        if any(t.kind in OUTSIDE or t.kind == "compensate" for t in start.triggers):
            self.heard.add(node.id)
        if node.id not in self.heard:
            return
        ways = [Way(makes=())] if found.completes else []
        ways += filter(None, [self._leaves("error", code) for code in sorted(found.errors, key=str)])
        for code in found.escalations:
            self._leaves("escalation", code)
        self._place(node, ways)
        if any(trigger.kind in OUTSIDE for trigger in start.triggers):
            self.net.starts.append(("", Way(makes=(node.id,))))

    # -- activities
    def _activity(self, node: Node) -> None:
        """Every way out of an activity: done, interrupted, failed, cancelled; branches started beside it."""
        found = _with_throws(node, self.inside.get(node.id, _UNKNOWN if node.called else Interface()))
        boundary = [self.scope.nodes[name] for name in node.boundary]
        uncaught = found.cancels and not any(event.listens_to("cancel") for event in boundary)
        ways = self._onward(node) if found.completes or uncaught else []
        ways += self._errors(node, boundary, found)
        beside = []
        for event in boundary:
            if not self._may_happen(event, found):
                continue
            self.heard.add(event.id)
            if interrupts(event):
                ways.append(Way(makes=(event.id,)))
            else:
                beside.append(event)
        for code in sorted(found.escalations, key=str):
            gone = None if catcher("escalation", code, _named(boundary)) else self._up("escalation", code)
            ways += [gone] if gone else []
        self._beside(node, ways, beside)

    def _errors(self, node: Node, boundary: list[Node], found: Interface) -> Iterator[Way]:
        """Errors that leave the activity: caught here, or thrown in this scope."""
        for code in sorted(found.errors, key=str):
            caught = catcher("error", code, _named(boundary))
            if caught:
                self.heard.add(caught[0])
                yield Way(makes=(caught[0],))
            else:
                gone = self._up("error", code)
                if gone:
                    yield gone
        if node.kind in WORKED or found.unknown:
            for event in boundary:
                if event.listens_to("error"):
                    self.heard.add(event.id)
                    yield Way(makes=(event.id,))

    def _may_happen(self, event: Node, found: Interface) -> bool:
        """May something but an error set off this boundary event? One that cannot be read may."""
        if not event.triggers:
            return True
        for trigger in event.triggers:
            if trigger.kind in OUTSIDE or (trigger.kind == "cancel" and (found.cancels or found.unknown)):
                return True
            codes = [c for c in found.escalations if catcher("escalation", c, _named([event]))]
            if trigger.kind == "escalation" and (codes or found.unknown):
                return True
        return False

    def _beside(self, node: Node, ways: list[Way], events: list[Node]) -> None:
        """Non-interrupting boundary events. A branch that never meets the main flow is looked at by itself; else the
        activity remembers that the event has fired: once, since what a second firing does is counted by the first."""
        met = []
        for event in events:
            branch = {n for n in reach(self.scope, [event.id]) if not ends_only(self.scope, n)}
            if branch & self.main:
                met.append(event)
            else:
                self.net.starts.append((node.id, Way(makes=(event.id,))))
        for mask in range(2 ** len(met)):
            key = _variant(node, [event for bit, event in enumerate(met) if mask >> bit & 1])
            more = [replace(way) for way in ways]
            for bit, event in enumerate(met):
                if not mask >> bit & 1:
                    fired = _variant(node, [e for b, e in enumerate(met) if (mask | 1 << bit) >> b & 1])
                    more.append(Way(makes=tuple(sorted((fired, event.id)))))
            self._place(node, more, key)


def _variant(node: Node, fired: list[Node]) -> str:
    return SEPARATOR.join([node.id, *(event.id for event in fired)])


def _named(events: list[Node]) -> list[tuple[str, Node]]:
    return [(event.id, event) for event in events]


def _with_throws(node: Node, found: Interface) -> Interface:
    """The interface with what the instances of a multi-instance throw."""
    if node.loop is None:
        return found
    thrown = {kind: {t.key for _, t in node.loop.throws if t.kind == kind} for kind in ("error", "escalation")}
    return replace(found, errors=found.errors | thrown["error"], escalations=found.escalations | thrown["escalation"])


def catcher(kind: str, code: str | None, events: list[tuple[str, Node]]) -> tuple[str, Node] | None:
    """Who catches a code: one that names it before one that catches all."""
    for wanted in (code, None):
        for name, event in events:
            if any(t.kind == kind and t.key == wanted for t in event.triggers):
                return name, event
    return None


def ends_only(scope: Scope, ident: str) -> bool:
    """Is there nothing to do at this node but to end? Two tokens may do so one after the other."""
    node, seen = scope.nodes[ident], set[str]()
    while node.kind == "exclusiveGateway" and len(node.outgoing) == 1 and node.id not in seen:
        seen.add(node.id)
        node = scope.nodes[node.outgoing[0].target]
    return node.kind == "endEvent"
