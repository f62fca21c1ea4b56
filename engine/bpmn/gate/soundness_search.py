"""Plays the token game of one net through: every marking, and those from which there is no way to an end."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from engine.bpmn.definition import Node, Scope
from engine.bpmn.gate.soundness_net import GONE, SEPARATOR, Net, Place, Way, again, element_of, known, waiting_at

STATES = 100_000
AFTERWARDS = 2_000
"""More markings looked at once a fault is known, for others beside it."""
Marking = tuple[str, ...]
_FIRED = SEPARATOR * 2
"""Marks a flow that a complex gateway has taken a token from, until it resets."""


@dataclass(kw_only=True, slots=True)
class Found:
    """What playing has shown. ``pairs`` are the places that held two tokens, in the order of being met; ``stuck`` the
    markings in which nothing moves; ``circles`` groups of markings that are never left; each with a way there."""

    visited: set[str] = field(default_factory=set)
    pairs: dict[str, Marking] = field(default_factory=dict)
    stuck: list[Marking] = field(default_factory=list)
    circles: list[set[Marking]] = field(default_factory=list)
    beyond: str = ""


class Search:
    """One net, played from several first markings; what is known of one is kept for the next."""

    def __init__(self, net: Net, limit: int = STATES) -> None:
        self.net, self.limit = net, limit
        self.nodes = net.scope.nodes
        self.found = Found()
        self.came: dict[Marking, tuple[Marking | None, Way]] = {}
        self.after: dict[Marking, list[Marking]] = {}
        self._waits = {name: _Waiting(net.scope, self.nodes[name]) for name in net.joins}

    def play(self, first: Way) -> None:
        """Everything that may happen from a first marking."""
        start = tuple(sorted(first.makes))
        if not self._meet(start, None, first):
            return
        queue = deque([start])
        while queue:
            marking = queue.popleft()
            if len(self.came) > self.limit:
                self.found.beyond = self.found.beyond or element_of(marking[0])
                return
            for way, made in self._steps(marking):
                self.after[marking].append(made)
                if self._meet(made, marking, way):
                    queue.append(made)

    def _meet(self, marking: Marking, before: Marking | None, way: Way) -> bool:
        """Keep a marking; is it new, and does it go on?"""
        self.found.visited.update(way.passes, way.beside)
        if marking in self.came:
            return False
        self.came[marking] = (before, way)
        self.after[marking] = []
        pairs = self._pairs(marking)
        if pairs and not self.found.pairs:
            self.limit = min(self.limit, len(self.came) + AFTERWARDS)
        for place in pairs:
            self.found.pairs.setdefault(place, marking)
        for place in marking:
            self.found.visited.add(element_of(place))
            if place in self.net.places:
                self.found.visited |= self.net.places[place].beside
        return not pairs

    def _pairs(self, marking: Marking) -> list[str]:
        if len(set(marking)) == len(marking):
            return []
        held = Counter(marking)
        return [
            place
            for place, number in held.items()
            if number > (self.net.places[place].quantity if place in self.net.places else 1) and _FIRED not in place
        ]

    # -- moving
    def _steps(self, marking: Marking) -> Iterator[tuple[Way, Marking]]:
        """Tokens at an end that cancels the others go first, as they do in the machine: it takes no time."""
        last = [place for place in marking if place in self.net.places and _cancels(self.net.places[place])]
        for place in last[:1] or dict.fromkeys(marking):
            known = self.net.places.get(place)
            if known is None or (known.quantity > 1 and marking.count(place) < known.quantity):
                continue
            for way in known.ways:
                rest = [] if way.clears else _less(marking, [place] * known.quantity)
                yield way, tuple(sorted([*rest, *way.makes]))
        for name, flows in self.net.joins.items():
            if not last:
                yield from self._synchronised(name, flows, marking)

    def _synchronised(self, name: str, flows: tuple[str, ...], marking: Marking) -> Iterator[tuple[Way, Marking]]:
        kind = self.nodes[name].kind
        here = [flow for flow in flows if flow in marking]
        if kind == "complexGateway":
            yield from self._complex(name, here, marking)
        elif len(here) == len(flows) or (here and kind == "inclusiveGateway" and self._waits[name].over(marking, here)):
            yield Way(makes=(name,)), tuple(sorted([*_less(marking, here), name]))

    def _complex(self, name: str, here: list[str], marking: Marking) -> Iterator[tuple[Way, Marking]]:
        """A first output when its condition may hold; a second, with the rest, when no more can come."""
        fired = [place for place in marking if place.startswith(name + _FIRED)]
        flows = self.net.joins[name]
        enough = next((n for n in range(len(here), 0, -1) if self._waits[name].may_fire(n)), 0)
        if not fired and enough:
            taken = here[:enough]
            marks = [_fired(flow) for flow in taken]
            yield Way(makes=(name,)), tuple(sorted([*_less(marking, taken), name, *marks]))
        if fired:
            late = [flow for flow in here if _fired(flow) not in fired]
            taken = [flow for flow in flows if flow in late or _fired(flow) in fired]
            if self._waits[name].over(marking, taken):
                yield Way(makes=(again(name),)), tuple(sorted([*_less(marking, [*late, *fired]), again(name)]))

    # -- judging
    def judge(self) -> Found:
        """Find the markings from which no end can be reached, each group of them once, where it cannot be left."""
        ends = {marking for marking in self.came if self._over(marking)}
        good = _backward(self.after, ends)
        bad = [marking for marking in self.came if marking not in good]
        self.found.stuck = [marking for marking in bad if not self.after[marking]]
        leading = _backward(self.after, set(self.found.stuck))
        left = {marking for marking in bad if marking not in leading}
        while left:
            marking = next(each for each in bad if each in left)
            circle = _last_circle(self.after, marking)
            self.found.circles.append(circle)
            left -= _backward(self.after, circle)
        return self.found

    def _over(self, marking: Marking) -> bool:
        """An end; a marking reported already or not looked at any more counts as one, not to be told twice."""
        if not marking or self._pairs(marking) or GONE in marking:
            return True
        return bool(self.found.beyond) and not self.after[marking]

    @property
    def completes(self) -> bool:
        """Is there a marking without any token left?"""
        return () in self.came

    def path(self, marking: Marking) -> tuple[str, ...]:
        """Elements on a shortest way to a marking."""
        steps: list[tuple[str, ...]] = []
        at: Marking | None = marking
        while at is not None:
            at, way = self.came[at]
            steps.append((*way.passes, *(element_of(place) for place in way.makes)))
        return tuple(dict.fromkeys(name for step in reversed(steps) for name in step))


class _Waiting:
    """What an inclusive or complex join still waits for."""

    def __init__(self, scope: Scope, node: Node) -> None:
        self.scope, self.node = scope, node

    @cached_property
    def _behind(self) -> dict[str, frozenset[str]]:
        """Node to the incoming flows it can reach without passing the join."""
        before: dict[str, set[str]] = {name: set() for name in self.scope.nodes}
        for each in self.scope.nodes.values():
            nexts = [flow.target for flow in each.outgoing] + list(each.boundary)
            if each.kind == "intermediateThrowEvent" and each.trigger and each.trigger.kind == "link":
                nexts.append(self.scope.links[each.trigger.key or ""])
            for name in nexts:
                before[name].add(each.id)
        found: dict[str, set[str]] = {name: set() for name in self.scope.nodes}
        for flow in self.node.incoming:
            for name in _back({flow.source}, before, self.node.id):
                found[name].add(flow.id)
        return {name: frozenset(flows) for name, flows in found.items()}

    def over(self, marking: Marking, here: list[str]) -> bool:
        """BPMN 2.0 §13.4.3, as the machine reads it: nothing can come on an empty flow, unless it could as well come
        where a token waits."""
        full = {flow.id for flow in self.node.incoming if waiting_at(self.node.id, flow.id) in here}
        for name in {element_of(place) for place in marking if _FIRED not in place} - {self.node.id}:
            ahead = self._behind[name]
            if ahead - full and not ahead & full:
                return False
        return True

    def may_fire(self, count: int) -> bool:
        """May the activation condition hold with so many tokens? One over variables may always."""
        return known(self.node.condition or "True", {"activationCount": count}) is not False


def _cancels(place: Place) -> bool:
    return not place.waits and all(way.clears for way in place.ways)


def _fired(flow: str) -> str:
    name, _, ident = flow.partition(SEPARATOR)
    return f"{name}{_FIRED}{ident}"


def _less(marking: Marking, gone: list[str]) -> list[str]:
    left = list(marking)
    for place in gone:
        left.remove(place)
    return left


def _back(starts: set[str], before: dict[str, set[str]], avoid: str) -> set[str]:
    seen = starts - {avoid}
    stack = list(seen)
    while stack:
        for name in before[stack.pop()] - seen - {avoid}:
            seen.add(name)
            stack.append(name)
    return seen


def _backward(after: dict[Marking, list[Marking]], goals: set[Marking]) -> set[Marking]:
    """The goals and everything that can reach one."""
    before: dict[Marking, list[Marking]] = {}
    for marking, nexts in after.items():
        for each in nexts:
            before.setdefault(each, []).append(marking)
    seen, stack = set(goals), list(goals)
    while stack:
        for each in before.get(stack.pop(), ()):
            if each not in seen:
                seen.add(each)
                stack.append(each)
    return seen


def _forward(after: dict[Marking, list[Marking]], start: Marking) -> list[Marking]:
    """What can be reached, the nearest first."""
    seen = {start: None}
    queue = deque([start])
    while queue:
        for each in after[queue.popleft()]:
            if each not in seen:
                seen[each] = None
                queue.append(each)
    return list(seen)


def _last_circle(after: dict[Marking, list[Marking]], start: Marking) -> set[Marking]:
    """A group of markings, reachable from ``start``, that is never left and in which each reaches each."""
    while True:
        ahead = _forward(after, start)
        beyond = set(ahead) - _backward(after, {start})
        if not beyond:
            return set(ahead)
        start = next(marking for marking in reversed(ahead) if marking in beyond)
