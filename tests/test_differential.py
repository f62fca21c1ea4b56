"""The portable part of BPMN on our machine and on the bare library: the same answers lead through the same elements."""

from __future__ import annotations

import random
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import pytest

from engine import bpmn
from tests.bare import Bare
from tests.diagrams import (
    T0,
    boundary,
    call,
    definition,
    element,
    end,
    event,
    flow,
    io,
    process,
    properties,
    script,
    start,
    sub,
    user,
)

Block = tuple[str, str, str]


class Maker:
    """Random block-structured diagrams of what both understand: one written variable per branch, explicit merges."""

    def __init__(self, seed: int) -> None:
        self.random, self.number = random.Random(seed), 0
        self.files: dict[str, bytes] = {}

    def name(self, prefix: str) -> str:
        self.number += 1
        return f"{prefix}{self.number}"

    def block(self, depth: int) -> Block:
        kinds = ["user", "user", "script"] if depth < 2 else []
        kinds += ["seq", "seq", "and", "or", "xor", "sub", "call", "timed", "loop"] if depth else []
        made: Block = getattr(self, "make_" + self.random.choice(kinds))(depth)
        return made

    def make_user(self, _depth: int) -> Block:
        n = self.name("u")
        return user(n, properties(variable=f"a_{n}")), n, n

    def make_script(self, _depth: int) -> Block:
        n = self.name("p")
        return script(n, f"v_{n} = n + 1"), n, n

    def make_seq(self, depth: int) -> Block:
        (a, a1, a2), (b, b1, b2) = self.block(depth - 1), self.block(depth - 1)
        return a + b + flow(a2, b1), a1, b2

    def split(self, depth: int, kind: str, *whens: str) -> Block:
        s, j, body = self.name("g"), self.name("j"), ""
        for when in whens:
            inner, first, last = self.block(depth - 1)
            body += inner + flow(s, first, when=when) + flow(last, j)
        return element(kind, s) + element(kind, j) + body, s, j

    def make_and(self, depth: int) -> Block:
        return self.split(depth, "parallelGateway", "", "")

    def make_or(self, depth: int) -> Block:
        # nested in parallel blocks the library lets an inclusive join go too early: only one level of tasks inside
        return self.split(min(depth, 1), "inclusiveGateway", "n >= 0", "n % 2 == 0", "n % 3 == 0")

    def make_xor(self, depth: int) -> Block:
        return self.split(depth, "exclusiveGateway", "n % 2 == 0", "n % 2 == 1")

    def make_sub(self, depth: int) -> Block:
        n, a, e = self.name("s"), self.name("st"), self.name("en")
        inner, first, last = self.block(depth - 1)
        return sub(n, start(a), inner, end(e), flow(a, first), flow(last, e)), n, n

    def make_call(self, _depth: int) -> Block:
        n, key, u = self.name("c"), self.name("called"), self.name("u")
        body = (start(f"s_{key}"), user(u, properties(variable="got")), script(f"p_{key}", "r = got['x'] + n"))
        inside = process(io("n", "r"), *body, end(f"e_{key}"), flow(f"s_{key}", u, f"p_{key}", f"e_{key}"), ident=key)
        self.files[key] = inside
        return call(n, key), n, n

    def make_timed(self, _depth: int) -> Block:
        """A task that a deadline may end."""
        n, b, x, m = self.name("u"), self.name("b"), self.name("x"), self.name("m")
        body = user(n, properties(variable=f"a_{n}")) + boundary(b, n, f"date deadline('{n}')")
        body += user(x, properties(variable=f"a_{x}")) + element("exclusiveGateway", m)
        return body + flow(b, x, m) + flow(n, m), n, m

    def make_loop(self, _depth: int) -> Block:
        """A task done again until its answer is good."""
        m, n, g = self.name("m"), self.name("u"), self.name("g")
        body = element("exclusiveGateway", m) + user(n, properties(variable=f"a_{n}"))
        body += element("exclusiveGateway", g, default=f"again_{g}") + flow(m, n, g) + flow(g, m, ident=f"again_{g}")
        after = self.name("p")
        return body + script(after, f"v_{after} = 1") + flow(g, after, when=f"a_{n}['x'] > 3"), m, after


def ours(made: bpmn.Definition, variables: dict[str, Any], choice: random.Random) -> tuple[list[Any], list[Any]]:
    """Open tasks after every act, and the acts chosen."""
    step, seen, acts = bpmn.start(made, T0, variables, business_key="K"), [], list[Any]()
    while step.outcome is None:
        seen.append(sorted(w.element.rpartition("/")[2] for w in step.work))
        assert step.work, "stuck"
        assert not step.incidents
        timers = sorted({w.deadline for w in step.waits if w.deadline})
        if timers and choice.random() < 0.4:
            acts.append(("lapse", choice.choice(timers), None))
            step = bpmn.fire(made, step.state, T0, {acts[-1][1]: T0})
        else:
            work = choice.choice(sorted(step.work, key=lambda w: w.element))
            acts.append(("complete", work.element.rpartition("/")[2], {"x": choice.randrange(8)}))
            step = bpmn.complete(made, step.state, T0, work.token, acts[-1][2])
    return seen, acts


def compare(seed: int) -> int:
    """One random diagram on both; how many acts it took."""
    maker = Maker(seed)
    body, first, last = maker.make_seq(5)
    root = process(start("S"), body, end("E"), flow("S", first), flow(last, "E"))
    seen, acts = ours(definition(root, *maker.files.values()), {"n": seed}, random.Random(seed))
    bare = Bare("P", {"P": root, **maker.files}, {"n": seed})
    for kind, name, answers in acts:
        assert not bare.completed
        if kind == "lapse":
            bare.lapse(name)
        else:
            bare.complete(name, answers)
    assert bare.completed
    assert bare.opened[:-1] == seen
    assert bare.end[-1] == "E"
    return len(acts)


@pytest.mark.parametrize("seed", range(160))
def test_both_open_the_same_tasks_after_every_step(seed: int) -> None:
    compare(seed)


@pytest.mark.soak
def test_three_thousand_diagrams_on_both() -> None:
    with ProcessPoolExecutor(2) as workers:
        acts = list(workers.map(compare, range(1_000, 4_000), chunksize=50))
    print(len(acts), "diagrams,", sum(acts), "acts")
    assert sum(acts) > 10_000


def test_both_leave_by_a_boundary_message_on_a_sub_process() -> None:
    inner = sub("permit", start("s1"), user("a"), user("b"), end("e1"), flow("s1", "a", "b", "e1"))
    root = process(
        start(),
        inner,
        element("boundaryEvent", "w", event("msg into withdrawal"), attachedToRef="permit"),
        script("note", "why = withdrawal['reason']"),
        end("granted"),
        end("withdrawn"),
        flow("s", "permit", "granted"),
        flow("w", "note", "withdrawn"),
    )
    made = definition(root)
    step = bpmn.start(made, T0, {}, business_key="K")
    step = bpmn.complete(made, step.state, T0, step.work[0].token, {"x": 1})
    step = bpmn.deliver(made, step.state, T0, step.waits[0].number, {"reason": "no"})
    bare = Bare("P", {"P": root}, {})
    bare.complete("a", {"x": 1})
    bare.deliver("msg", {"reason": "no"})
    assert step.outcome == "completed"
    assert bare.completed
    assert bare.end == ["withdrawn"]
    assert bare.opened == [["a"], ["b"], []]
    ends = [e.element for e in step.entries if e.kind == "element.completed" and e.element.startswith("P/w")]
    assert ends == ["P/w", "P/withdrawn"]
    assert bpmn.read(made, step.state)["why"] == "no" == bare.variables["why"]
