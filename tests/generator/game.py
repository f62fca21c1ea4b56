"""The token game: the execution semantics of BPMN 2.0.2, chapter 13, on the generator's own model of a diagram.

Where the standard leaves the order open, every order is a move of its own: ``run`` takes one of them, ``explore`` all.
Variables belong to the process, to a called process and to each instance of a multi-instance (§10.4.1); a condition
that an event waits for is met when it becomes true.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from tests.generator import activities, repeating
from tests.generator.marking import Act, Frame, Marking, Place, Wait, place, wait_key
from tests.generator.model import Diagram, Element, Event, Scope, Test

Move = tuple[int, int, str, int, str]
"""Rank, age, what (met, close, enter, join, reset), the number it concerns, and a flow or element."""
CATCHING = ("catch", "event_based", "receive")
COUNTING = ("parallel", "inclusive", "complex")
LIMIT = 4_000


class TooMany(Exception):
    """More orders than can be looked at."""


class Game:
    """Plays one diagram. Holds no marking; the diagram is only read."""

    def __init__(self, diagram: Diagram) -> None:
        self.diagram = diagram
        self.scopes: dict[str, Scope] = {}
        for scope in diagram.processes.values():
            self._enlist(scope)
        self.target = {flow.id: flow.target for scope in self.scopes.values() for flow in scope.flows.values()}
        self._into = {(s.id, e): s.incoming(e) for s in self.scopes.values() for e in s.elements}
        self._out = {(s.id, e): s.outgoing(e) for s in self.scopes.values() for e in s.elements}
        self._reach: dict[tuple[str, str, str], frozenset[str]] = {}

    def _enlist(self, scope: Scope) -> None:
        self.scopes[scope.id] = scope
        for each in scope.elements.values():
            if each.inner:
                self._enlist(each.inner)

    # -- inputs
    def begin(self, now: datetime, variables: dict[str, Any]) -> Marking:
        """A new case, before anything has moved."""
        m = Marking(now, Frame(0, self.diagram.root, "process", variables=dict(variables)))
        activities.opened(self, m, m.root)
        self.look(m)
        return m

    def completing(self, m: Marking, where: Place) -> list[int]:
        """Numbers of the work items at this place."""
        kinds = ("user", "manual")
        return [a.number for a in m.acts() if place(a) == where and not a.loop and self.of(a).kind in kinds]

    def complete(self, m: Marking, number: int, answers: dict[str, Any], error: str | None) -> None:
        """Somebody has done a task, or reports an error for it."""
        act = next(each for each in m.acts() if each.number == number)
        if error is not None:
            activities.raise_code(self, m, "error", error, act)
        else:
            for name, value in answers.items():
                activities.write(act.frame, name, value)
            activities.finish(self, m, act)
        self.look(m)

    def hearing(self, m: Marking, key: tuple[Any, ...]) -> list[int]:
        """Numbers of the waits that look like this."""
        return [each[0].number for each in m.waits() if wait_key(*each) == key]

    def meet(self, m: Marking, number: int) -> None:
        """What is waited for has happened."""
        activities.met(self, m, *next(each for each in m.waits() if each[0].number == number))
        self.look(m)

    def due(self, m: Marking, now: datetime) -> list[Wait]:
        """The timers that come first, if they are due by ``now``."""
        found = [wait for wait, _, _ in m.waits() if wait.due is not None and wait.due <= now]
        first = min((wait.due for wait in found if wait.due), default=None)
        return sorted((wait for wait in found if wait.due == first), key=lambda wait: wait.number)

    # -- moves
    def run(self, m: Marking) -> Marking:
        """To rest, in one of the possible orders."""
        for _ in range(20_000):
            moves = self.moves(m)
            if not moves:
                return m
            self.do(m, min(moves))
        raise TooMany

    def explore(self, found: list[Marking]) -> list[Marking]:
        """To rest, in all possible orders; markings that cannot be told apart once. Raises: TooMany."""
        seen, ends, ahead = set[str](), dict[str, Marking](), list(found)
        while ahead:
            m = ahead.pop()
            key = m.key()
            if key in seen:
                continue
            seen.add(key)
            if len(seen) > LIMIT:
                raise TooMany
            moves = self.moves(m)
            if not moves:
                ends[key] = m
            for move in moves:
                after = m.copy()
                self.do(after, move)
                ahead.append(after)
        return list(ends.values())

    def moves(self, m: Marking) -> list[Move]:
        """All that may happen now; the order of sorting is that of ``run``."""
        if m.outcome:
            return []
        found: list[Move] = [(0, wait.number, "met", wait.number, "") for wait, _, _ in m.waits() if wait.met]
        for frame in m.frames():
            before = len(found)
            found += self._entering(frame)
            for ident in {self.target[flow] for _, flow in frame.tokens} | frame.rounds.keys():
                found += self._joining(frame, self.scopes[frame.scope].elements[ident])
            if not frame.tokens and not frame.acts and len(found) == before:
                found.append((1, frame.number, "close", frame.number, ""))
        return found

    def _entering(self, frame: Frame) -> Iterator[Move]:
        elements = self.scopes[frame.scope].elements
        for age, flow in frame.tokens:
            element = elements[self.target[flow]]
            if element.kind in COUNTING and len(self._into[frame.scope, element.id]) > 1:
                continue
            here = [token for token in frame.tokens if self.target[token[1]] == element.id]
            if len(here) >= element.start_quantity:
                yield (2 if element.kind in CATCHING else 3, age, "enter", frame.number, flow)

    def _joining(self, frame: Frame, element: Element) -> Iterator[Move]:
        """Gateways with several flows into them (§13.4.1, 13.4.3, 13.4.5)."""
        into = [flow.id for flow in self._into[frame.scope, element.id]]
        if element.kind not in COUNTING or len(into) < 2:
            return
        held = [flow for _, flow in frame.tokens if flow in into]
        if element.kind == "parallel":
            ready = set(held) == set(into)
        elif element.kind == "inclusive":
            ready = bool(held) and not self._expected(frame, element, set(held))
        elif element.id in frame.rounds:
            ready = not self._expected(frame, element, set(held) | frame.rounds[element.id])
        else:
            ready = len(held) >= element.activation
        if ready:
            yield (4, 0, "join", frame.number, element.id)

    def _expected(self, frame: Frame, element: Element, full: set[str]) -> bool:
        """Can a token still come on an empty flow, and on none of the ``full`` ones, without passing the gateway?"""
        origins = {self.target[flow] for _, flow in frame.tokens} | {act.element for act in frame.acts}
        for origin in origins - {element.id}:
            found = self._reachable(frame.scope, origin, element.id)
            if found - full and not found & full:
                return True
        return False

    def _reachable(self, scope: str, origin: str, gateway: str) -> frozenset[str]:
        """The flows into ``gateway`` that end a path from ``origin``, boundary events and links included."""
        known = self._reach.get((scope, origin, gateway))
        if known is not None:
            return known
        found, seen, ahead = set[str](), {origin}, [origin]
        drawn = self.scopes[scope]
        while ahead:
            ident = ahead.pop()
            found |= {flow.id for flow in self._out[scope, ident] if flow.target == gateway}
            further = [flow.target for flow in self._out[scope, ident]] + [each.id for each in drawn.on(ident)]
            further += [each.id for each in self.linked(drawn, drawn.elements[ident])]
            for other in further:
                if other != gateway and other not in seen:
                    seen.add(other)
                    ahead.append(other)
        self._reach[scope, origin, gateway] = frozenset(found)
        return frozenset(found)

    @staticmethod
    def linked(scope: Scope, element: Element) -> list[Element]:
        """Where a throwing link leads."""
        if element.kind != "throw" or element.event is None or element.event.kind != "link":
            return []
        return [each for each in scope.elements.values() if each.kind == "catch" and each.event == element.event]

    def do(self, m: Marking, move: Move) -> None:
        """Make one move."""
        _, _, what, number, name = move
        if what == "met":
            wait, act, frame = next(each for each in m.waits() if each[0].number == number)
            wait.met -= 1
            activities.met(self, m, wait, act, frame)
        else:
            frame = next(each for each in m.frames() if each.number == number)
            if what == "close":
                repeating.close(self, m, frame)
            elif what == "enter":
                self._enter(m, frame, name)
            else:
                self._join(m, frame, self.scopes[frame.scope].elements[name])
        self.look(m)

    def _enter(self, m: Marking, frame: Frame, flow: str) -> None:
        element = self.scopes[frame.scope].elements[self.target[flow]]
        here = [token for token in frame.tokens if self.target[token[1]] == element.id]
        first = next(token for token in here if token[1] == flow)
        others = [token for token in here if token is not first][: element.start_quantity - 1]
        for token in (first, *others):
            frame.tokens.remove(token)
        activities.enter(self, m, frame, element)

    def _join(self, m: Marking, frame: Frame, element: Element) -> None:
        """Take one token of every flow that has one (in the second phase of a complex gateway: of the others)."""
        before = frame.rounds.get(element.id, set())
        taken = {f.id for f in self._into[frame.scope, element.id]} - before
        taken &= {flow for _, flow in frame.tokens}
        for flow in taken:
            frame.tokens.remove(next(token for token in frame.tokens if token[1] == flow))
        waiting = element.id not in frame.rounds
        if element.kind == "complex":
            if waiting:
                frame.rounds[element.id] = taken
            else:
                del frame.rounds[element.id]
        self.leave(m, frame, element, {"waitingForStart": waiting})

    # -- flows
    def leave(self, m: Marking, frame: Frame, element: Element, more: dict[str, Any] | None = None) -> None:
        """Tokens on the flows that are chosen (§13.4)."""
        for _ in range(element.completion_quantity):
            for flow in self._chosen(frame, element, more or {}):
                frame.tokens.append((m.next(), flow))

    def _chosen(self, frame: Frame, element: Element, more: dict[str, Any]) -> list[str]:
        flows = self._out[frame.scope, element.id]
        if element.kind == "event_based":
            return []
        true = [f.id for f in flows if f.test and self.holds(frame, f.test, more)]
        free = [f.id for f in flows if f.test is None and f.id != element.default]
        if element.kind == "exclusive" and any(f.test for f in flows):
            return true[:1] or [element.default]
        tested = any(f.test for f in flows)
        if element.kind == "parallel" or not tested:
            return [f.id for f in flows]
        return free + (true or ([element.default] if element.default else []))

    def holds(self, frame: Frame, test: Test, more: dict[str, Any] | None = None) -> bool:
        """Is a condition true, seen from a frame?"""
        value = (more or {}).get(test.variable)
        value = activities.read(frame, test.variable) if value is None else value
        return {
            "even": lambda: value % 2 == 0,
            "odd": lambda: value % 2 == 1,
            "above": lambda: value > test.number,
            "below": lambda: value < test.number,
            "true": lambda: bool(value),
            "false": lambda: not value,
            "length": lambda: len(value) >= test.number,
        }[test.kind]()

    # -- events
    def of(self, act: Act) -> Element:
        """The element an activity executes."""
        return self.scopes[act.frame.scope].elements[act.element]

    def wait(self, m: Marking, element: Element) -> Wait | None:
        """A wait for what an event element catches; None for what is found by going up the scopes."""
        event = element.event
        if event is None or event.kind in ("error", "escalation", "compensate", "cancel"):
            return None
        due = m.now + timedelta(hours=event.hours) if event.kind in ("timer", "cycle") else None
        kind = "timer" if due else event.kind
        return Wait(m.next(), element.id, kind, event.name, due, event.rounds - 1 if event.kind == "cycle" else 0)

    def look(self, m: Marking) -> None:
        """Conditions that have become true are met."""
        for wait, act, frame in m.waits():
            if wait.kind != "conditional":
                continue
            event = self.event(act, frame, wait)
            value = self.holds(frame, event.test) if event.test else False
            wait.met += value and not wait.held
            wait.held = value

    def event(self, act: Act | None, frame: Frame, wait: Wait) -> Event:
        """The event definition behind a wait."""
        scope = self.scopes[frame.scope]
        if act is None:
            starts = (each.inner.start() for each in scope.handlers() if each.inner)
            element = next(each for each in starts if each.id == wait.element)
        else:
            element = scope.elements[wait.element]
        assert element.event
        return element.event
