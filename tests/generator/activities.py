"""The token game's elements: what each kind does when a token enters it, and how events reach it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tests.generator import repeating
from tests.generator.marking import Act, Frame, Marking, Record, Wait
from tests.generator.model import Element, Event

if TYPE_CHECKING:
    from tests.generator.game import Game

ACTIVITIES = ("user", "manual", "script", "send", "receive", "sub", "transaction", "call")


# -- variables
def visible(frame: Frame) -> list[dict[str, Any]]:
    """Variables seen from a frame, nearest first."""
    found: list[dict[str, Any]] = []
    at: Frame | None = frame
    while at is not None:
        if at.variables is not None:
            found.append(at.variables)
        at = None if at.kind in ("process", "call") or at.owner is None else at.owner.frame
    return found


def read(frame: Frame, name: str) -> Any:
    return next(each[name] for each in visible(frame) if name in each)


def write(frame: Frame, name: str, value: Any) -> None:
    """Where the variable is, a new one nearest."""
    known = visible(frame)
    next((each for each in known if name in each), known[0])[name] = value


# -- entering
def opened(g: Game, m: Marking, frame: Frame) -> None:
    """A scope begins: its event sub-processes listen, a token leaves its start."""
    scope = g.scopes[frame.scope]
    for each in scope.handlers():
        wait = g.wait(m, each.inner.start()) if each.inner else None
        if wait:
            frame.waits.append(wait)
    g.leave(m, frame, scope.start())


def enter(g: Game, m: Marking, frame: Frame, element: Element) -> None:
    """A token enters an element that is no join."""
    if element.kind in ACTIVITIES:
        return activate(g, m, frame, element)
    if element.kind == "throw":
        return _throw(g, m, frame, element)
    if element.kind == "end":
        return _end(g, m, frame, element)
    if element.kind in ("catch", "event_based"):
        if element.event and element.event.kind == "link":
            return g.leave(m, frame, element)
        act = _act(m, frame, element)
        scope = g.scopes[frame.scope]
        flows = scope.outgoing(element.id) if element.kind == "event_based" else ()
        for each in [scope.elements[flow.target] for flow in flows] or [element]:
            wait = g.wait(m, each)
            act.waits += [wait] if wait else []
        return None
    return g.leave(m, frame, element, {"waitingForStart": True})


def _act(m: Marking, frame: Frame, element: Element, index: int | None = None) -> Act:
    act = Act(m.next(), element.id, frame, index)
    frame.acts.append(act)
    return act


def activate(g: Game, m: Marking, frame: Frame, element: Element) -> None:
    """An activity begins; its boundary events listen."""
    act = _act(m, frame, element)
    waits = [g.wait(m, each) for each in g.scopes[frame.scope].on(element.id)]
    act.waits = [wait for wait in waits if wait]
    if element.loop:
        repeating.begin(g, m, act, element.loop)
    else:
        perform(g, m, act)


def instance(g: Game, m: Marking, frame: Frame, element: Element, index: int) -> None:
    """One instance of a repeated activity."""
    perform(g, m, _act(m, frame, element, index))


def perform(g: Game, m: Marking, act: Act) -> None:
    """What an activity does, once."""
    element = g.of(act)
    if element.kind == "script":
        value = element.to if element.to is not None else (read(act.frame, element.sets) + element.adds) % 10
        write(act.frame, element.sets, value)
        finish(g, m, act)
    elif element.kind == "send":
        say(m, element)
        finish(g, m, act)
    elif element.kind == "receive":
        wait = g.wait(m, element)
        act.waits += [wait] if wait else []
    elif element.inner:
        _open(g, m, act, Frame(m.next(), element.id, "sub", act))
    elif element.called:
        taken = {name: read(act.frame, name) for name in g.diagram.takes[element.called]}
        _open(g, m, act, Frame(m.next(), element.called, "call", act, variables=taken))


def _open(g: Game, m: Marking, act: Act, frame: Frame) -> None:
    act.frames.append(frame)
    opened(g, m, frame)


def finish(g: Game, m: Marking, act: Act) -> None:
    """An activity (or one instance of it) is done."""
    act.frame.acts.remove(act)
    if act.index is None:
        left(g, m, act)


def left(g: Game, m: Marking, act: Act) -> None:
    """A completed activity can be compensated from now on; its token goes on."""
    element, frame = g.of(act), act.frame
    scope = g.scopes[frame.scope]
    own = next((each.undo for each in scope.on(element.id) if each.undo), None)
    if own:
        frame.done.append(("run", element.id, own, scope.id))
    elif act.done:
        frame.done.append(("inside", element.id, act.done, scope.id))
    g.leave(m, frame, element)


# -- throwing
def say(m: Marking, element: Element) -> None:
    """A message or signal leaves the case."""
    assert element.event
    m.said.append((element.event.kind, element.event.name, element.id))


def _spoken(g: Game, m: Marking, frame: Frame, element: Element) -> bool:
    """Throw the event of an element; False if nobody is left to go on."""
    event = element.event
    if event is None:
        return True
    if event.kind in ("error", "escalation"):
        act = _act(m, frame, element)
        raise_code(g, m, event.kind, event.name, act)
        alive = act in m.acts()
        if alive:
            frame.acts.remove(act)
        return alive
    say(m, element)
    if event.kind == "signal":
        for wait, _, _ in m.waits():
            wait.met += wait.kind == "signal" and wait.name == event.name
    return True


def _throw(g: Game, m: Marking, frame: Frame, element: Element) -> None:
    event = element.event
    if event and event.kind == "compensate":
        chosen = [record for record in frame.done if event.name in ("", record[1])]
        frame.done = [record for record in frame.done if event.name not in ("", record[1])]
        _undo(g, m, _act(m, frame, element), chosen)
    elif event and event.kind == "link":
        g.leave(m, frame, g.linked(g.scopes[frame.scope], element)[0])
    elif _spoken(g, m, frame, element):
        g.leave(m, frame, element)


def _end(g: Game, m: Marking, frame: Frame, element: Element) -> None:
    kind = element.event.kind if element.event else ""
    if kind == "terminate":
        clear(frame)
        frame.ended = True
    elif kind == "cancel":
        records, frame.done = frame.done, []
        clear(frame)
        _undo(g, m, _act(m, frame, element), records)
    else:
        _spoken(g, m, frame, element)


def clear(frame: Frame) -> None:
    """Everything in a scope ends; nothing in it listens any more."""
    frame.tokens.clear()
    frame.acts.clear()
    frame.waits.clear()
    frame.rounds.clear()


def raise_code(g: Game, m: Marking, kind: str, code: str, act: Act) -> None:
    """Up from the thrower: the innermost that catches this code takes it (§10.5.6, §13.5.3)."""
    current: Act | None = act
    while current is not None:
        frame = current.frame
        scope = g.scopes[frame.scope]
        if current.index is None:
            found = _match(kind, code, scope.on(current.element))
            if found:
                return fire_boundary(g, m, current, found)
        if frame.kind not in ("instance", "undo") and g.of(current).kind != "handler":
            starts = {each.inner.start().id: each for each in scope.handlers() if each.inner}
            found = _match(kind, code, [each.inner.start() for each in starts.values() if each.inner])
            if found:
                return start_handler(g, m, frame, starts[found.id])
        current = frame.owner
    m.said.append((kind, code, act.element))
    if kind == "error":
        clear(m.root)
        m.outcome = "error"
    return None


def _match(kind: str, code: str, elements: list[Element]) -> Element | None:
    for wanted in (Event(kind, code), Event(kind)):
        for each in elements:
            if each.event == wanted:
                return each
    return None


# -- being met
def met(g: Game, m: Marking, wait: Wait, act: Act | None, frame: Frame) -> None:
    """What was waited for has happened."""
    m.now = wait.due if wait.due and wait.due > m.now else m.now
    goes_on = bool(wait.due and wait.left)
    if wait.due and goes_on:
        event = g.event(act, frame, wait)
        wait.due, wait.left = wait.due + timedelta(hours=event.hours), wait.left - 1
    scope = g.scopes[frame.scope]
    if act is None:
        if wait.due and not goes_on:
            frame.waits.remove(wait)
        handler = next(each for each in scope.handlers() if each.inner and each.inner.start().id == wait.element)
        return start_handler(g, m, frame, handler)
    element = scope.elements[wait.element]
    if element.kind == "boundary":
        if wait.due and not goes_on:
            act.waits.remove(wait)
        return fire_boundary(g, m, act, element)
    frame.acts.remove(act)
    if act.element == element.id:
        return left(g, m, act)
    return g.leave(m, frame, element)


def fire_boundary(g: Game, m: Marking, act: Act, element: Element) -> None:
    """The boundary event's flow begins; an interrupting one ends its activity."""
    if element.interrupting:
        act.frame.acts.remove(act)
    g.leave(m, act.frame, element)


def start_handler(g: Game, m: Marking, frame: Frame, handler: Element) -> None:
    """An event sub-process begins; an interrupting one ends everything else in its scope."""
    assert handler.inner
    if handler.inner.start().interrupting:
        clear(frame)
    act = _act(m, frame, handler)
    _open(g, m, act, Frame(m.next(), handler.id, "handler", act))


# -- compensation
def _undo(g: Game, m: Marking, act: Act, records: list[Record]) -> None:
    """What has been completed is undone, the last first (§13.5.5)."""
    act.jobs = _jobs(records)
    next_job(g, m, act)


def _jobs(records: list[Record]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for kind, _, what, scope in reversed(records):
        found += [(what, scope)] if kind == "run" else _jobs(what)
    return found


def next_job(g: Game, m: Marking, act: Act) -> None:
    """The next compensation, or the throwing event goes on."""
    if act.jobs:
        ident, scope = act.jobs.pop(0)
        frame = Frame(m.next(), scope, "undo", act)
        act.frames.append(frame)
        return activate(g, m, frame, g.scopes[scope].elements[ident])
    frame, element = act.frame, g.of(act)
    if element.kind == "throw":
        frame.acts.remove(act)
        return g.leave(m, frame, element)
    owner = frame.owner
    assert owner
    boundaries = g.scopes[owner.frame.scope].on(owner.element)
    return fire_boundary(g, m, owner, next(each for each in boundaries if each.event and each.event.kind == "cancel"))
