"""From a tree of blocks to a diagram: tasks that wait, events, sub-processes, calls and repetitions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tests.generator.blocks import Block
from tests.generator.building import Around, Builder, Ends
from tests.generator.model import VARIABLES, Event, Loop, Test

LOOKED_AT = VARIABLES[2:]
"""What conditional events look at: changed by answers only."""


def plain(b: Builder, event: Sequence[str] = ("message", "signal", "timer")) -> Event:
    """An event to wait for."""
    kind = b.rng.choice(event)
    if kind in ("timer", "cycle"):
        return Event(kind, hours=b.rng.randint(1, 5), rounds=b.rng.randint(2, 3))
    if kind == "conditional":
        return Event(kind, test=b.test(LOOKED_AT))
    prefix = {"message": "m", "signal": "s", "error": "E", "escalation": "X"}[kind]
    return Event(kind, f"{prefix}{b.rng.randint(0, 2)}")


def heard_again(event: Event) -> Event:
    """What may set something off again and again: only signals from outside, lest it be its own."""
    return replace(event, name=event.name.replace("s", "q")) if event.kind == "signal" else event


def both(made: str) -> Ends:
    return made, made


# -- leaves
def user(b: Builder, _: Block, at: Around) -> Ends:
    return both(b.user(at))


def script(b: Builder, _: Block, at: Around) -> Ends:
    return both(b.script(at))


def receive(b: Builder, _: Block, at: Around) -> Ends:
    return both(b.add(at, "receive", Event("message", b.rng.choice(("m0", "m1", "m2")))))


def send(b: Builder, _: Block, at: Around) -> Ends:
    return both(b.add(at, "send", Event("message", b.rng.choice(("m0", "m1", "m2")))))


def catch(b: Builder, _: Block, at: Around) -> Ends:
    return both(b.add(at, "catch", plain(b)))


def throw(b: Builder, _: Block, at: Around) -> Ends:
    return both(b.add(at, "throw", plain(b, ("signal",))))


def say(b: Builder, _: Block, at: Around) -> Ends:
    return both(b.add(at, "throw", b.rng.choice((None, Event("message", "m2")))))


def escalate(b: Builder, _: Block, at: Around) -> Ends:
    return both(b.add(at, "throw", Event("escalation", b.rng.choice((*at.escalations, "X9")))))


def link(b: Builder, _: Block, at: Around) -> Ends:
    """Over a link, sometimes from two places to one."""
    name = b.name("L")
    target = b.add(at, "catch", Event("link", name))
    source = b.add(at, "throw", Event("link", name))
    if b.rng.random() < 0.5:
        return source, target
    gate, other = b.add(at, "exclusive"), b.add(at, "throw", Event("link", name))
    b.link(at, gate, source, test=b.test())
    at.scope.elements[gate].default = b.link(at, gate, other)
    return gate, target


def condition(b: Builder, _: Block, at: Around) -> Ends:
    """Waits until a condition holds; a task beside it is asked until it does."""
    test = b.test(LOOKED_AT)
    split, join = b.add(at, "parallel"), b.add(at, "parallel")
    wait, head, gate = (
        b.add(at, "catch", Event("conditional", test=test)),
        b.add(at, "exclusive"),
        b.add(at, "exclusive"),
    )
    b.link(at, split, wait, join)
    b.link(at, split, head, b.user(at, test.variable), gate)
    b.link(at, gate, join, test=test)
    at.scope.elements[gate].default = b.link(at, gate, head)
    return split, join


def leave(b: Builder, _: Block, at: Around) -> Ends:
    """Sometimes ends the whole scope, or throws what somebody around catches."""
    found = [Event("error", code) for code in at.errors] + [Event("terminate")]
    if at.scope.kind == "transaction":
        found += [Event("cancel")] * 3
    gate, after = b.add(at, "exclusive"), b.script(at)
    test = Test(b.rng.choice(VARIABLES), "above", b.rng.randint(3, 7))
    b.link(at, gate, b.add(at, "end", b.rng.choice(found)), test=test)
    at.scope.elements[gate].default = b.link(at, gate, after)
    return gate, after


def fail(b: Builder, _: Block, at: Around) -> Ends:
    """Sometimes throws the error that the activity around it catches."""
    return _gone(b, at, Event("error", at.errors[-1]))


def annul(b: Builder, _: Block, at: Around) -> Ends:
    """Sometimes cancels the transaction."""
    return _gone(b, at, Event("cancel"))


def _gone(b: Builder, at: Around, event: Event) -> Ends:
    gate, after = b.add(at, "exclusive"), b.script(at)
    test = Test(b.rng.choice(VARIABLES), "above", b.rng.randint(3, 7))
    b.link(at, gate, b.add(at, "end", event), test=test)
    at.scope.elements[gate].default = b.link(at, gate, after)
    return gate, after


def warn(b: Builder, _: Block, at: Around) -> Ends:
    """Sometimes throws the escalation that the activity around it catches, and may be ended by it."""
    gate, thrown, after = (
        b.add(at, "exclusive"),
        b.add(at, "throw", Event("escalation", at.escalations[-1])),
        b.merge(at),
    )
    b.link(at, gate, thrown, test=b.test())
    at.scope.elements[gate].default = b.link(at, gate, after)
    b.link(at, thrown, after)
    return gate, after


def compensable(b: Builder, _: Block, at: Around) -> Ends:
    done = b.user(at) if b.rng.random() < 0.4 else b.script(at)
    if at.undoing:
        undo = b.user(at) if b.rng.random() < 0.4 else b.script(at)
        at.scope.elements[undo].undoes = done
        b.add(at, "boundary", Event("compensate"), host=done, undo=undo)
    return both(done)


def undo(b: Builder, _: Block, at: Around) -> Ends:
    """Compensates one activity drawn before, or everything."""
    if not at.undoing:
        return both(b.script(at))
    known = [each.undoes for each in at.scope.elements.values() if each.undoes]
    name = b.rng.choice(known) if known and b.rng.random() < 0.4 else ""
    return both(b.add(at, "throw", Event("compensate", name)))


def quantity(b: Builder, _: Block, at: Around) -> Ends:
    first, second = b.script(at), b.user(at)
    at.scope.elements[first].completion_quantity = at.scope.elements[second].start_quantity = 2
    b.link(at, first, second)
    return first, second


def many(b: Builder, _: Block, at: Around) -> Ends:
    """The same task for several people, with and without a quorum."""
    return both(b.add(at, "user", sets=b.rng.choice(VARIABLES), loop=instances_of(b)))


def instances_of(b: Builder) -> Loop:
    outputs, sequential = b.name("o"), b.rng.random() < 0.5
    until = Test(outputs, "length", b.rng.randint(1, 2)) if b.rng.random() < 0.4 else None
    number_of = b.rng.choice(VARIABLES) if b.rng.random() < 0.3 else ""
    return Loop(False, sequential, b.rng.randint(0, 3), number_of, until, outputs, f"v_{outputs}")


def repeated(b: Builder) -> Loop:
    until = Test(b.rng.choice(LOOKED_AT), "below", b.rng.randint(2, 7)) if b.rng.random() < 0.6 else None
    return Loop(True, True, b.rng.randint(1, 3), "", until, before=b.rng.random() < 0.5)


def repeat(b: Builder, _: Block, at: Around) -> Ends:
    kind, sets = b.rng.choice(("user", "script")), b.rng.choice(VARIABLES[:2])
    return both(b.add(at, kind, sets=sets, adds=1, loop=repeated(b)))


def guarded(b: Builder, _: Block, at: Around) -> Ends:
    """A task whose worker may report an error, or which a deadline may end."""
    host, out = b.user(at), b.merge(at)
    b.link(at, host, out)
    codes = b.rng.choice((("E0",), ("",), ("", "E0")))
    for event in (*(Event("error", code) for code in codes), plain(b, ("timer", "signal", "conditional"))):
        b.link(at, b.add(at, "boundary", event, host=host), b.script(at), out)
    return host, out


def race(b: Builder, _: Block, at: Around) -> Ends:
    """A signal thrown while the other branch is on its way to wait for it, or gives up waiting."""
    name, hours = b.name("s"), b.rng.randint(1, 2)
    split, join = b.add(at, "parallel"), b.add(at, "parallel")
    gate, out = b.add(at, "event_based"), b.add(at, "exclusive")
    b.link(at, split, b.user(at) if b.rng.random() < 0.5 else b.script(at), b.add(at, "throw", Event("signal", name)))
    b.link(at, list(at.scope.elements)[-1], join)
    b.link(at, split, gate, b.add(at, "catch", Event("signal", name)), out)
    b.link(at, gate, b.add(at, "catch", Event("timer", hours=hours)), out, join)
    return split, join


# -- with parts
def scope_node(b: Builder, kind: str, blocks: Sequence[Block], at: Around, loop: Loop | None = None) -> str:
    """A sub-process of any kind as a node of the scope around it."""
    ident = b.add(at, kind, loop=loop)
    at.scope.elements[ident].inner = b.scope(kind, ident, blocks, at)
    return ident


def sub(b: Builder, block: Block, at: Around) -> Ends:
    return both(scope_node(b, "sub", block.parts, at))


def transaction(b: Builder, block: Block, at: Around) -> Ends:
    around = replace(at, undoing=at.undoing)
    body = [*(Block("compensable", block.seed + n) for n in (0, 1)), *block.parts, Block("annul", block.seed)]
    ident = scope_node(b, "transaction", body, around)
    out = b.merge(at)
    b.link(at, ident, out)
    b.link(at, b.add(at, "boundary", Event("cancel"), host=ident), b.script(at), out)
    return ident, out


def call(b: Builder, block: Block, at: Around) -> Ends:
    """A process of its own, with declared inputs and outputs; it knows nothing of who calls it."""
    key = b.name("called")
    inside = Around(at.scope, at.errors, at.escalations, undoing=False)
    b.diagram.processes[key] = b.scope("process", key, block.parts, inside)
    b.diagram.takes[key] = VARIABLES
    b.diagram.gives[key] = tuple(v for v in VARIABLES if b.rng.random() < 0.5)
    return both(b.add(at, "call", called=key))


def handle(b: Builder, at: Around, blocks: Sequence[Block], event: Event | None = None) -> None:
    """Give a scope an event sub-process."""
    event = event or plain(b, ("message", "signal", "timer", "conditional"))
    stops = event.kind == "error" or b.rng.random() < 0.5
    event = event if stops else heard_again(event)
    ident = b.add(at, "handler")
    inside = replace(at, undoing=False, errors=(), escalations=())
    at.scope.elements[ident].inner = b.scope("handler", ident, blocks, inside, event, stops)


def handled(b: Builder, block: Block, at: Around) -> Ends:
    """A sub-process with one or two event sub-processes."""
    ident = b.add(at, "sub")
    event = plain(b, ("message", "signal", "timer", "conditional", "error", "escalation"))
    inside, body = catching(at, event), list(block.parts[:1])
    if event.kind in ("error", "escalation"):
        body.append(Block("fail" if event.kind == "error" else "warn", block.seed))
    scope = at.scope.elements[ident].inner = b.scope("sub", ident, body, inside)
    handle(b, replace(at, scope=scope), block.parts[1:2], event)
    if block.parts[2:]:
        handle(b, replace(at, scope=scope), block.parts[2:])
    return both(ident)


def catching(at: Around, event: Event) -> Around:
    """What may be thrown inside something that catches ``event``."""
    if event.kind == "error":
        return replace(at, errors=(*at.errors, event.name))
    if event.kind == "escalation":
        return replace(at, escalations=(*at.escalations, event.name))
    return at


def bounded(b: Builder, block: Block, at: Around) -> Ends:
    """An activity with one or two boundary events."""
    events: list[Event] = []
    for _ in block.parts[1:]:
        thrown = [kind for kind in ("error", "escalation") if kind not in {event.kind for event in events}]
        events.append(plain(b, ("message", "signal", "timer", "cycle", "conditional", *thrown)))
    kinds = {event.kind for event in events}
    inside, body = at, list(block.parts[:1])
    for event in events:
        inside = catching(inside, event)
        if event.kind in ("error", "escalation"):
            body.append(Block("fail" if event.kind == "error" else "warn", block.seed))
    if kinds & {"error", "escalation"} or b.rng.random() < 0.6:
        host = call(b, Block("call", block.seed, tuple(body)), inside)[0] if b.rng.random() < 0.3 else ""
        if not host:
            host = scope_node(b, "sub", body, inside)
    else:
        host = b.add(at, b.rng.choice(("user", "receive")), Event("message", "m0"), sets=b.rng.choice(VARIABLES))
        at.scope.elements[host].event = Event("message", "m0") if at.scope.elements[host].kind == "receive" else None
    out = b.merge(at)
    b.link(at, host, out)
    for event, part in zip(events, block.parts[1:], strict=True):
        stops = event.kind == "error" or (event.kind != "cycle" and b.rng.random() < 0.6)
        begin = b.add(at, "boundary", event if stops else heard_again(event), host=host, interrupting=stops)
        first, last = b.block(part, at)
        b.link(at, begin, first)
        if stops:
            b.link(at, last, out)
        else:
            b.ending(at, last)
    return host, out


def events(b: Builder, block: Block, at: Around) -> Ends:
    """An event-based gateway; what happens first decides."""
    gate, out, seen = b.add(at, "event_based"), b.merge(at), set[Event]()
    for part in block.parts:
        event = plain(b)
        while event in seen:
            event = plain(b)
        seen.add(event)
        kind = "receive" if event.kind == "message" and b.rng.random() < 0.4 else "catch"
        first, last = b.block(part, at)
        b.link(at, gate, b.add(at, kind, event), first)
        b.link(at, last, out)
    return gate, out


def instances(b: Builder, block: Block, at: Around) -> Ends:
    return both(scope_node(b, "sub", block.parts, replace(at, undoing=False), instances_of(b)))


def again(b: Builder, block: Block, at: Around) -> Ends:
    return both(scope_node(b, "sub", block.parts, replace(at, undoing=False), repeated(b)))
