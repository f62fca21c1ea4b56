"""One random path through a random diagram: the machine and the token game side by side, compared after every step."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from engine import bpmn
from engine.bpmn import Definition, Step
from engine.bpmn.state import State, decode, encode
from engine.errors import InputRejected
from tests.diagrams import T0, audit
from tests.generator.blocks import Block, smaller
from tests.generator.catalogue import build
from tests.generator.drawing import draw
from tests.generator.game import Game, TooMany
from tests.generator.marking import Marking, Place
from tests.generator.model import VARIABLES, Diagram, Element

Seen = tuple[Any, ...]


class Disagreement(AssertionError):
    """The machine did what no order of the token game allows."""


@dataclass(frozen=True, slots=True)
class Input:
    """One input in the game's terms: ``start``, ``complete``, ``meet`` or ``time``; ``where`` is a place or a wait."""

    kind: str
    where: Any = None
    answers: tuple[tuple[str, Any], ...] = ()
    error: str | None = None
    now: datetime = T0

    def __str__(self) -> str:
        what = f" {dict(self.answers)}" if self.answers else ""
        return (
            f"{self.kind} {self.where or ''}{what}{f' error {self.error}' if self.error else ''} at {self.now:%d %H:%M}"
        )


@dataclass(slots=True)
class Played:
    """What came of a path. ``undecided``: too many orders to say whether the machine's is one of them."""

    path: list[Input] = field(default_factory=list)
    outcome: str = ""
    undecided: bool = False
    races: int = 0


class Table:
    """The token game played beside the machine: first in its own order; if that does not fit, in every order."""

    def __init__(self, diagram: Diagram) -> None:
        self.game = Game(diagram)
        self.path: list[tuple[Input, Seen]] = []
        self.markings: list[Marking] = []
        self.races = 0

    def take(self, given: Input, seen: Seen) -> None:
        """Make the same step. Raises: Disagreement, TooMany."""
        self.path.append((given, seen))
        first = next(self._applied(self.markings[:1], given), None)
        if first is not None:
            self._rest(first, given)
            if self.seen(first) == seen:
                self.markings = [first]
                return
        self.races += 1
        found: list[Marking] = []
        for before, after in self.path:  # from the start: an earlier step may have had another order
            found = [m for m in self._every(found, before) if self.seen(m) == after]
            if not found:
                last = "nothing" if first is None else self._difference(self.seen(first), seen)
                raise Disagreement(f"after {before}: {last}")
        self.markings = found

    def seen(self, m: Marking) -> Seen:
        """What can be compared with the machine."""
        places = Counter[Place]() if m.outcome else m.places(self.game.target)
        listening = Counter[Any]() if m.outcome else m.listening()
        return (places, listening, dict(m.root.variables or {}), m.outcome, Counter(m.said))

    def _applied(self, markings: list[Marking], given: Input) -> Iterator[Marking]:
        """The input given to copies of these, to each of the items or waits that look the same."""
        if given.kind == "start":
            yield self.game.begin(given.now, dict(given.answers))
        for m in markings:
            m.said, numbers = [], [0]
            m.now = m.now if given.kind == "time" else given.now
            if given.kind == "complete":
                numbers = self.game.completing(m, given.where)
            elif given.kind == "meet":
                numbers = self.game.hearing(m, given.where)
            for number in numbers:
                after = m.copy()
                if given.kind == "complete":
                    self.game.complete(after, number, dict(given.answers), given.error)
                elif given.kind == "meet":
                    self.game.meet(after, number)
                yield after

    def _rest(self, m: Marking, given: Input) -> None:
        m = self.game.run(m)
        while given.kind == "time" and not m.outcome:
            due = self.game.due(m, given.now)
            if not due:
                break
            self.game.meet(m, due[0].number)
            self.game.run(m)
        m.now = given.now

    def _every(self, markings: list[Marking], given: Input) -> list[Marking]:
        found = self.game.explore(list(self._applied(markings, given)))
        while given.kind == "time":
            ahead: list[Marking] = []
            rest = []
            for m in found:
                due = [] if m.outcome else self.game.due(m, given.now)
                for wait in due:
                    after = m.copy()
                    self.game.meet(after, wait.number)
                    ahead.append(after)
                rest += [] if due else [m]
            found = rest + (self.game.explore(ahead) if ahead else [])
            if not ahead:
                break
        for m in found:
            m.now = given.now
        return found

    @staticmethod
    def _difference(game: Seen, machine: Seen) -> str:
        names = ("places", "waits", "variables", "outcome", "sent")
        parts = []
        for name, one, other in zip(names, game, machine, strict=True):
            if one == other:
                continue
            if isinstance(one, Counter):
                parts.append(
                    f"{name}: game only {list((one - other).items())}, machine only {list((other - one).items())}"
                )
            else:
                parts.append(f"{name}: game {one}, machine {other}")
        return "; ".join(parts)


class Case:
    """The machine's side: every call twice, from bytes that were decoded and encoded in between."""

    def __init__(self, diagram: Diagram, slowly: bool) -> None:
        self.slowly = slowly
        made = {key: bpmn.compile_process(xml, key) for key, xml in draw(diagram).items()}
        self.definition: Definition = bpmn.link(diagram.root, made)
        self.step: Step
        self.state: State
        self.here: set[tuple[int | None, str]] = set()

    def call(self, function: Callable[..., Step], *given: Any, **named: Any) -> None:
        lead = () if function is bpmn.start else (self.step.state,)
        again = () if function is bpmn.start else (encode(self.state),)
        step = function(self.definition, *lead, *given, **named)
        if function(self.definition, *again, *given, **named) != step:
            raise Disagreement("the same call gave something else")
        if self.slowly and function is not bpmn.fire:
            self._slowly(function(self.definition, *again, *given, **named, budget=1), step)
        self.step, self.state = step, decode(step.state)
        if encode(self.state) != step.state:
            raise Disagreement("the state is not what was saved")
        if step.incidents or step.more:
            raise Disagreement(f"more {step.more}, incidents {step.incidents}")
        audit(step.state)
        self._follow()

    def _slowly(self, part: Step, whole: Step) -> None:
        """One token at a time, saved in between."""
        while part.more:
            part = bpmn.resume(self.definition, encode(decode(part.state)), T0, budget=1)
        if part.state != whole.state:
            raise Disagreement("saving in between changes what happens")

    def _follow(self) -> None:
        """The positions folded from history are those of the state."""
        for entry in self.step.entries:
            spot = (entry.token, entry.element)
            if entry.kind == "element.entered":
                self.here.add(spot)
            elif entry.kind in ("element.completed", "element.cancelled"):
                if spot not in self.here:
                    raise Disagreement(f"{spot} left without having been entered")
                self.here.remove(spot)
        tokens = self.state.tokens.values()
        if self.here != {(t.id, f"{self.state.scopes[t.scope].of}/{t.node}") for t in tokens}:
            raise Disagreement("history and state tell of different positions")

    def place(self, token: int | None) -> Place:
        if token is None:
            return ()
        t = self.state.tokens[token]
        return (*self.place(self.state.scopes[t.scope].token), (t.node, t.instance))

    def wait(self, number: int) -> tuple[Any, ...]:
        sub = self.state.subs[number]
        owner = sub.token if sub.token is not None else self.state.scopes[sub.scope or 0].token
        due = datetime.fromisoformat(sub.due) if sub.due else None
        return (self.place(owner), sub.node, sub.kind, sub.name or "", due)

    def seen(self) -> Seen:
        ended = self.step.outcome is not None
        return (
            Counter(self.place(number) for number in self.state.tokens),
            Counter[Any]() if ended else Counter(self.wait(number) for number in self.state.subs),
            bpmn.read(self.definition, self.step.state),
            self.step.outcome or "",
            Counter((sent.kind, sent.name or "", sent.element.rpartition("/")[2]) for sent in self.step.sent),
        )


class Path:
    """Picks at random among what may happen next."""

    def __init__(self, diagram: Diagram, seed: int) -> None:
        self.rng, self.now = random.Random(seed), T0
        self.case, self.table, self.played = Case(diagram, seed % 8 == 0), Table(diagram), Played()
        self.elements: dict[str, Element] = {}
        for scope in self.table.game.scopes.values():
            self.elements |= scope.elements

    def play(self, steps: int) -> Played:
        variables = {name: self.rng.randrange(10) for name in VARIABLES}
        self._take(Input("start", answers=tuple(variables.items())), bpmn.start, T0, variables, business_key="K")
        while self.case.step.outcome is None and len(self.played.path) < steps:
            options = list(self._options())
            if not options:
                raise Disagreement("nothing can happen any more")
            self.rng.choice(options)()
        self.played.outcome, self.played.races = self.case.step.outcome or "", self.table.races
        return self.played

    def _take(self, given: Input, function: Callable[..., Step], *arguments: Any, **named: Any) -> None:
        self.played.path.append(given)
        try:
            self.case.call(function, *arguments, **named)
        except InputRejected as error:
            raise Disagreement(f"rejected: {error}") from error
        self.table.take(given, self.case.seen())
        if self.case.step.stuck:
            raise Disagreement("both are stuck: the diagram is not sound")

    def _options(self) -> Iterator[Callable[[], None]]:
        step = self.case.step
        for work in step.work:
            for _ in range(3):
                yield lambda token=work.token: self._complete(token)  # type: ignore[misc]
        heard = set()
        for wait in step.waits:
            if wait.kind == "message":
                yield lambda number=wait.number: self._meet(number)  # type: ignore[misc]
            elif wait.kind == "signal" and wait.name not in heard:
                heard.add(wait.name)
                yield lambda name=wait.name: self._signal(name)  # type: ignore[misc]
        if bpmn.next_due(step, {}) is not None:
            yield self._later

    def _complete(self, token: int) -> None:
        place = self.case.place(token)
        element = self.elements[place[-1][0]]
        errors = [
            each.event.name or "E9"
            for each in self.elements.values()
            if each.host == element.id and each.event and each.event.kind == "error"
        ]
        error = self.rng.choice(errors) if errors and self.rng.random() < 0.3 else None
        answers = {element.sets: self.rng.randrange(10)} if element.sets and error is None else {}
        if element.loop and not element.loop.standard and error is None:
            answers[element.loop.item] = self.rng.randrange(10)
        due = bpmn.next_due(self.case.step, {})
        if self.rng.random() < 0.3 and (due is None or due > self.now + timedelta(minutes=7)):
            self.now += timedelta(minutes=7)
        given = Input("complete", place, tuple(answers.items()), error, self.now)
        self._take(given, bpmn.complete, self.now, token, answers, error=error)

    def _meet(self, number: int) -> None:
        self._take(Input("meet", self.case.wait(number), now=self.now), bpmn.deliver, self.now, number, None)

    def _signal(self, name: str | None) -> None:
        """A signal reaches all that wait for it; whoever an earlier one has ended no longer does."""
        for number in [wait.number for wait in self.case.step.waits if (wait.kind, wait.name) == ("signal", name)]:
            if any(wait.number == number for wait in self.case.step.waits):
                self._meet(number)

    def _later(self) -> None:
        due = bpmn.next_due(self.case.step, {})
        assert due
        self.now = max(self.now, due) + timedelta(hours=self.rng.choice((0, 0, 0, 2)))
        self._take(Input("time", now=self.now), bpmn.fire, self.now, {})


def play(tree: Block, seed: int, steps: int = 60) -> Played:
    """One path through the diagram of ``tree``. Raises: Disagreement, with the path."""
    path = Path(build(tree), seed)
    try:
        return path.play(steps)
    except TooMany:
        path.played.undecided = True
        return path.played
    except Disagreement as error:
        told = "\n  ".join(map(str, path.played.path))
        raise Disagreement(f"{error}\n  {told}") from error


def shrink(tree: Block, seeds: range = range(12)) -> tuple[Block, int, Disagreement] | None:
    """The smallest diagram found on which they still disagree, the seed of a path, and how."""
    found = _fails(tree, seeds)
    while found is not None:
        less = next((again for each in smaller(found[0]) if (again := _fails(each, seeds))), None)
        if less is None:
            return found
        found = less
    return None


def _fails(tree: Block, seeds: range) -> tuple[Block, int, Disagreement] | None:
    for seed in seeds:
        try:
            play(tree, seed)
        except Disagreement as error:
            return tree, seed, error
    return None
