"""A marking of the token game: tokens on flows, running activities, what they wait for, and variables."""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Place = tuple[tuple[str, int | None], ...]
"""The elements from the root down to a token, each with the number of its instance if it is repeated."""
Record = tuple[str, str, Any, str]
"""A completed activity: (``run``, its id, its compensation activity, scope) or (``inside``, its id, records, scope)."""


@dataclass(slots=True, eq=False)
class Wait:
    """Something waited for at ``element``; ``met`` counts how often it has happened without having been taken up."""

    number: int
    element: str
    kind: str
    name: str
    due: datetime | None = None
    left: int = 0
    held: bool = False
    met: int = 0


@dataclass(slots=True, eq=False)
class Act:
    """An element that is being executed. ``loop``: [started, done, total, outputs]; ``jobs``: still to be undone."""

    number: int
    element: str
    frame: Frame
    index: int | None = None
    waits: list[Wait] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    loop: list[Any] | None = None
    jobs: list[tuple[str, str]] | None = None
    done: list[Record] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Frame:
    """A running scope, loop instance or compensation (``undo``). ``rounds``: complex gateways that wait for reset."""

    number: int
    scope: str
    kind: str
    owner: Act | None = None
    tokens: list[tuple[int, str]] = field(default_factory=list)
    acts: list[Act] = field(default_factory=list)
    variables: dict[str, Any] | None = None
    waits: list[Wait] = field(default_factory=list)
    done: list[Record] = field(default_factory=list)
    rounds: dict[str, set[str]] = field(default_factory=dict)
    ended: bool = False


@dataclass(slots=True, eq=False)
class Marking:
    """Everything; ``said`` is what has been sent since the last input."""

    now: datetime
    root: Frame
    number: int = 0
    outcome: str = ""
    said: list[tuple[str, str, str]] = field(default_factory=list)

    def next(self) -> int:
        self.number += 1
        return self.number

    def copy(self) -> Marking:
        return pickle.loads(pickle.dumps(self, pickle.HIGHEST_PROTOCOL))  # type: ignore[no-any-return]

    def frames(self, at: Frame | None = None) -> Iterator[Frame]:
        """All frames, outer ones first."""
        at = at or self.root
        yield at
        for act in at.acts:
            for inner in act.frames:
                yield from self.frames(inner)

    def acts(self) -> Iterator[Act]:
        for frame in self.frames():
            yield from frame.acts

    def waits(self) -> Iterator[tuple[Wait, Act | None, Frame]]:
        """Each with who waits: an activity, or (event sub-processes) the frame itself."""
        for frame in self.frames():
            for wait in frame.waits:
                yield wait, None, frame
            for act in frame.acts:
                for wait in act.waits:
                    yield wait, act, frame

    # -- what can be seen of it
    def places(self, target: dict[str, str]) -> Counter[Place]:
        """Where tokens are; ``target`` gives the element a flow leads to."""
        found = Counter(place(act) for act in self.acts())
        for frame in self.frames():
            above = place(frame.owner) if frame.owner else ()
            found.update((*above, (target[flow], None)) for _, flow in frame.tokens)
        return found

    def listening(self) -> Counter[tuple[Any, ...]]:
        """What is waited for, where and until when."""
        return Counter(wait_key(*each) for each in self.waits())

    def key(self) -> str:
        """Equal for markings that cannot be told apart by anything that may come."""
        return repr((self.outcome, sorted(self.said), _frame_key(self.root)))


def place(act: Act) -> Place:
    """Where an activity is."""
    above = place(act.frame.owner) if act.frame.owner else ()
    return (*above, (act.element, act.index))


def wait_key(wait: Wait, act: Act | None, frame: Frame) -> tuple[Any, ...]:
    """What can be seen of something waited for."""
    above = place(act) if act else place(frame.owner) if frame.owner else ()
    return (above, wait.element, wait.kind, wait.name, wait.due)


def _frame_key(frame: Frame) -> tuple[Any, ...]:
    return (
        frame.scope,
        frame.kind,
        sorted(flow for _, flow in frame.tokens),
        sorted(map(_act_key, frame.acts)),
        sorted((frame.variables or {}).items(), key=repr),
        sorted(map(_wait_key, frame.waits)),
        frame.done,
        sorted((name, sorted(flows)) for name, flows in frame.rounds.items()),
        frame.ended,
    )


def _act_key(act: Act) -> str:
    inner = sorted(repr(_frame_key(frame)) for frame in act.frames)
    return repr((act.element, act.index, sorted(map(_wait_key, act.waits)), inner, act.loop, act.jobs, act.done))


def _wait_key(wait: Wait) -> str:
    return repr((wait.element, wait.kind, wait.name, wait.due, wait.left, wait.held, wait.met))
