"""The token game's repetitions, and what happens when a scope has no token left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.generator import activities
from tests.generator.marking import Act, Frame, Marking
from tests.generator.model import Loop

if TYPE_CHECKING:
    from tests.generator.game import Game


def begin(g: Game, m: Marking, act: Act, loop: Loop) -> None:
    """A repeated activity begins (§13.3.6, §13.3.7)."""
    total = activities.read(act.frame, loop.number_of) % 4 if loop.number_of else loop.number
    act.loop = [0, 0, total, {}]
    if loop.standard:
        if loop.before and not _again(g, act, loop):
            return _over(g, m, act)
        return _start(g, m, act, loop)
    activities.write(act.frame, loop.outputs, [])
    if total == 0:
        return _over(g, m, act)
    for _ in range(1 if loop.sequential else total):
        _start(g, m, act, loop)
    return None


def _start(g: Game, m: Marking, act: Act, loop: Loop) -> None:
    assert act.loop
    index = act.loop[0]
    act.loop[0] += 1
    own = None if loop.standard else {"loopCounter": index, loop.item: None}
    frame = Frame(m.next(), act.frame.scope, "instance", act, variables=own)
    act.frames.append(frame)
    activities.instance(g, m, frame, g.of(act), index)


def _again(g: Game, act: Act, loop: Loop) -> bool:
    """Another round of a standard loop? The condition says how long it goes on."""
    assert act.loop
    return act.loop[1] < loop.number and (loop.until is None or g.holds(act.frame, loop.until))


def _over(g: Game, m: Marking, act: Act) -> None:
    act.frames.clear()
    act.frame.acts.remove(act)
    activities.left(g, m, act)


def close(g: Game, m: Marking, frame: Frame) -> None:
    """A scope has neither tokens nor activities left."""
    owner = frame.owner
    if owner is None:
        m.outcome = "terminated" if frame.ended else "completed"
        frame.waits.clear()
        return
    owner.frames.remove(frame)
    if frame.kind == "instance":
        _instance_done(g, m, owner, frame)
    elif frame.kind == "undo":
        activities.next_job(g, m, owner)
    elif frame.kind == "handler":
        owner.frame.acts.remove(owner)
    else:
        if frame.kind == "call":
            for name in g.diagram.gives[frame.scope]:
                activities.write(owner.frame, name, (frame.variables or {})[name])
        owner.done = frame.done
        activities.finish(g, m, owner)


def _instance_done(g: Game, m: Marking, act: Act, frame: Frame) -> None:
    loop = g.of(act).loop
    assert loop
    assert act.loop
    act.loop[1] += 1
    if loop.standard:
        return _start(g, m, act, loop) if _again(g, act, loop) else _over(g, m, act)
    own = frame.variables or {}
    act.loop[3][own["loopCounter"]] = own[loop.item]
    activities.write(act.frame, loop.outputs, [value for _, value in sorted(act.loop[3].items())])
    if act.loop[1] == act.loop[2] or (loop.until and g.holds(act.frame, loop.until)):
        return _over(g, m, act)
    if loop.sequential:
        _start(g, m, act, loop)
    return None
