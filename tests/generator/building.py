"""From a tree of blocks to a diagram: the blocks that stand in the flow of one scope."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from tests.generator.blocks import Block
from tests.generator.model import VARIABLES, Diagram, Element, Event, Flow, Scope, Test

Ends = tuple[str, str]
"""Ids of the first and last node of what a block became."""


@dataclass(frozen=True, slots=True)
class Around:
    """Where a block stands: its scope, the codes somebody catches there, and what is allowed."""

    scope: Scope
    errors: tuple[str, ...] = ()
    escalations: tuple[str, ...] = ()
    undoing: bool = True
    cycle: bool = False


class Builder:
    """Builds one diagram; ids are numbered in the order of building."""

    def __init__(self, root: str, makers: Mapping[str, Maker]) -> None:
        self.diagram, self.number, self.rng, self.makers = Diagram(root), 0, random.Random(0), makers

    # -- small pieces
    def name(self, prefix: str) -> str:
        self.number += 1
        return f"{prefix}{self.number}"

    def add(self, at: Around, kind: str, event: Event | None = None, **more: object) -> str:
        ident = self.name(kind[:4] if event is None else f"{kind[:2]}_{event.kind[:4]}")
        at.scope.elements[ident] = Element(id=ident, kind=kind, event=event, **more)  # type: ignore[arg-type]
        return ident

    def link(self, at: Around, *idents: str, test: Test | None = None) -> str:
        """A chain of flows; the id of the last."""
        ident = ""
        for source, target in pairwise(idents):
            ident = self.name("f")
            at.scope.flows[ident] = Flow(ident, source, target, test)
        return ident

    def test(self, variables: Sequence[str] = VARIABLES) -> Test:
        variable = self.rng.choice(variables)
        kind = self.rng.choice(("even", "odd", "above", "below"))
        return Test(variable, kind, self.rng.randint(2, 7))

    def user(self, at: Around, sets: str = "") -> str:
        kind = "user" if sets or self.rng.random() < 0.8 else "manual"
        return self.add(at, kind, sets=sets or self.rng.choice(VARIABLES))

    def script(self, at: Around, sets: str = "", adds: int | None = None, to: int | None = None) -> str:
        """Scripts leave the variables alone that conditional events look at, lest one set itself off for ever."""
        adds = self.rng.randint(1, 4) if adds is None else adds
        return self.add(at, "script", sets=sets or self.rng.choice(VARIABLES[:2]), adds=adds, to=to)

    def merge(self, at: Around) -> str:
        """Where alternatives meet again: a gateway, or flows straight into a task."""
        return self.add(at, "exclusive") if self.rng.random() < 0.7 else self.script(at)

    def chain(self, blocks: Sequence[Block], at: Around) -> Ends:
        """Blocks one behind the other."""
        first = last = ""
        for block in blocks:
            begin, end = self.block(block, at)
            if last:
                self.link(at, last, begin)
            first, last = first or begin, end
        return first, last

    def block(self, block: Block, at: Around) -> Ends:
        """What the block becomes; its details come from its own seed."""
        before, self.rng = self.rng, random.Random(block.seed)
        made: Ends = self.makers[block.kind](self, block, at)
        self.rng = before
        return made

    def scope(
        self,
        kind: str,
        ident: str,
        blocks: Sequence[Block],
        at: Around,
        event: Event | None = None,
        interrupting: bool = True,
    ) -> Scope:
        """A scope with start, blocks and end. ``at`` gives what is allowed in it."""
        inside = replace(at, scope=Scope(ident, kind), cycle=False)
        begin = self.add(inside, "start", event, interrupting=interrupting)
        first, last = self.chain(blocks, inside)
        kinds = [None, None, None, Event("signal", "s0"), Event("message", "m0"), Event("terminate")]
        end = self.add(inside, "end", self.rng.choice(kinds) if kind != "process" else None)
        self.link(inside, begin, first)
        self.link(inside, last, end)
        return inside.scope

    # -- plain flow
    def sequence(self, block: Block, at: Around) -> Ends:
        return self.chain(block.parts, at)

    def branches(self, block: Block, at: Around, split: str, join: str, tests: bool) -> Ends:
        for number, part in enumerate(block.parts):
            first, last = self.block(part, at)
            default = tests and number == len(block.parts) - 1
            flow = self.link(at, split, first, test=self.test() if tests and not default else None)
            self.link(at, last, join)
            if default:
                at.scope.elements[split].default = flow
        return split, join

    def exclusive(self, block: Block, at: Around) -> Ends:
        return self.branches(block, at, self.add(at, "exclusive"), self.merge(at), True)

    def inclusive(self, block: Block, at: Around) -> Ends:
        split = self.add(at, "inclusive") if self.rng.random() < 0.7 else self.script(at)
        return self.branches(block, at, split, self.add(at, "inclusive"), True)

    def parallel(self, block: Block, at: Around) -> Ends:
        split = self.add(at, "parallel") if self.rng.random() < 0.7 else self.script(at)
        return self.branches(
            block, at, split, self.add(at, self.rng.choice(("parallel", "parallel", "inclusive"))), False
        )

    def complex(self, block: Block, at: Around) -> Ends:
        if at.cycle:
            return self.parallel(block, at)
        join = self.add(at, "complex", activation=self.rng.randint(1, len(block.parts)))
        split, _ = self.branches(block, at, self.add(at, "parallel"), join, False)
        after = self.script(at)
        self.link(at, join, after, test=Test("waitingForStart", "true"))
        if self.rng.random() < 0.4:
            self.link(at, join, self.ending(at, self.script(at)), test=Test("waitingForStart", "false"))
        return split, after

    def ending(self, at: Around, first: str) -> str:
        """An end event of its own behind ``first``, whose id is given back."""
        kinds = [None, None, Event("signal", "s1"), Event("message", "m1")]
        self.link(at, first, self.add(at, "end", self.rng.choice(kinds)))
        return first

    def loop(self, block: Block, at: Around) -> Ends:
        """So many rounds, from none or from one; or until an answer is good."""
        inside = replace(at, cycle=True)
        count, rounds = self.name("n"), self.rng.randint(0, 3)
        begin, head, gate = self.script(at, count, to=0), self.add(at, "exclusive"), self.add(at, "exclusive")
        first, last = self.chain(block.parts[:1], inside)
        more, out = self.script(at, count, 1), self.script(at)
        self.link(at, begin, head)
        if block.parts[1:]:
            back_first, back_last = self.chain(block.parts[1:], inside)
            self.link(at, back_last, head)
        else:
            back_first = head
        if self.rng.random() < 0.5:
            self.link(at, head, gate)
            self.link(at, gate, first)
            self.link(at, last, more, back_first)
        else:
            self.link(at, head, first)
            self.link(at, last, more, gate)
            self.link(at, gate, back_first)
        self.link(at, gate, out, test=Test(count, "above", rounds - 1))
        default = next(f.id for f in at.scope.outgoing(gate) if f.test is None)
        at.scope.elements[gate].default = default
        return begin, out

    def spawn(self, block: Block, at: Around) -> Ends:
        """A task with two ways out; one has an end of its own (in a circle such branches would pile up)."""
        if at.cycle:
            return self.sequence(block, at)
        split = self.script(at) if self.rng.random() < 0.5 else self.user(at)
        first, last = self.block(block.parts[0], at)
        self.link(at, split, first)
        aside = self.user(at)
        self.link(at, split, aside)
        if block.parts[1:]:
            more, other = self.block(block.parts[1], at)
            self.link(at, aside, more)
            self.ending(at, other)
        else:
            self.ending(at, aside)
        return split, last

    # -- what is no block structure
    def edges(self, number: int) -> list[tuple[int, int]]:
        """A connected acyclic graph from node 0 to the last."""
        found = {(self.rng.randrange(place), place) for place in range(1, number)}
        found |= {(place, self.rng.randrange(place + 1, number)) for place in range(number - 1)}
        found |= {tuple(sorted(self.rng.sample(range(number), 2))) for _ in range(number // 2)}  # type: ignore[misc]
        return sorted(found)

    def web(self, block: Block, at: Around, splits: Sequence[str], join: str) -> Ends:
        nodes = [self.script(at), *[""] * len(block.parts), self.script(at)]
        starts, ends = list(nodes), list(nodes)
        for place, part in enumerate(block.parts, 1):
            starts[place], ends[place] = self.block(part, at)
        edges = self.edges(len(nodes))
        for place in range(len(nodes)):
            if sum(target == place for _, target in edges) > 1:
                gate = self.add(at, join)
                self.link(at, gate, starts[place])
                starts[place] = gate
            if sum(source == place for source, _ in edges) > 1:
                kind = self.rng.choice(splits)
                gate = self.script(at) if kind == "task" else self.add(at, kind)
                self.link(at, ends[place], gate)
                ends[place] = gate
        for source, target in edges:
            self.wire(at, ends[source], starts[target])
        return starts[0], ends[-1]

    def wire(self, at: Around, source: str, target: str) -> None:
        """A flow of a web: conditional where its source chooses, the first one its default."""
        element = at.scope.elements[source]
        several = at.scope.outgoing(source) or element.kind in ("exclusive", "inclusive", "script")
        if element.kind == "parallel" or not several or (element.kind == "script" and element.adds < 3):
            self.link(at, source, target)
        elif not element.default:
            element.default = self.link(at, source, target)
        else:
            self.link(at, source, target, test=self.test())

    def parallel_web(self, block: Block, at: Around) -> Ends:
        return self.web(block, at, ("parallel",), "parallel")

    def inclusive_web(self, block: Block, at: Around) -> Ends:
        """Not inside a cycle: by §13.4.3 a token that may come round again does not hold an inclusive join up."""
        if at.cycle:
            return self.parallel_web(block, at)
        return self.web(block, at, ("parallel", "inclusive", "exclusive", "task"), "inclusive")

    def exclusive_web(self, block: Block, at: Around) -> Ends:
        """Jumps forward and back; before every jump somebody answers."""
        begin, out = self.add(at, "exclusive"), self.add(at, "exclusive")
        doors = [self.add(at, "exclusive") for _ in block.parts] + [out]
        self.link(at, begin, doors[0])
        for place, part in enumerate(block.parts):
            first, last = self.block(part, replace(at, cycle=True))
            asked = self.user(at, self.rng.choice(VARIABLES))
            gate = self.add(at, "exclusive")
            self.link(at, doors[place], first)
            self.link(at, last, asked, gate)
            for _ in range(self.rng.randint(1, 2)):
                test = self.test((at.scope.elements[asked].sets,))
                self.link(at, gate, self.rng.choice(doors), test=test)
            at.scope.elements[gate].default = self.link(at, gate, doors[place + 1])
        return begin, out


Maker = Callable[[Builder, Block, Around], Ends]
