"""Random diagrams and random inputs: every state is consistent, and reloading never changes anything (see Play)."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from engine import bpmn
from tests.diagrams import (
    T0,
    Play,
    boundary,
    catch,
    definition,
    element,
    end,
    flow,
    handler,
    process,
    script,
    start,
    sub,
    user,
)

Block = tuple[str, str, str]
TIMES = (
    '<multiInstanceLoopCharacteristics isSequential="{}"><loopCardinality>2</loopCardinality>'
    "</multiInstanceLoopCharacteristics>"
)


class Maker:
    """Builds a random block-structured diagram from nested pieces."""

    def __init__(self, seed: int) -> None:
        self.random, self.number = random.Random(seed), 0

    def name(self, prefix: str) -> str:
        self.number += 1
        return f"{prefix}{self.number}"

    def block(self, depth: int) -> Block:
        """(elements, first node, last node)"""
        inner = ["seq", "and", "or", "xor", "sub", "multi"] if depth else []
        made: Block = getattr(self, "make_" + self.random.choice(["user", "script", "catch", *inner]))(depth)
        return made

    def make_user(self, _depth: int) -> Block:
        n = self.name("u")
        if self.random.random() < 0.7:
            return user(n), n, n
        b, x, m, interrupting = self.name("b"), self.name("x"), self.name("m"), self.random.random() < 0.5
        event = self.random.choice(["timer PT1H", "sig", "msg", "when n > 3"])
        extra = boundary(b, n, event, interrupting) + user(x) + element("exclusiveGateway", m)
        return user(n) + extra + flow(b, x, *([m] if interrupting else [])) + flow(n, m), n, m

    def make_script(self, _depth: int) -> Block:
        n = self.name("p")
        return script(n, "n = n + 1"), n, n

    def make_catch(self, _depth: int) -> Block:
        n = self.name("c")
        return catch(n, self.random.choice(["timer PT1H", "sig", "msg"])), n, n

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
        return self.split(depth, "parallelGateway", "", "", "")

    def make_or(self, depth: int) -> Block:
        return self.split(depth, "inclusiveGateway", "n >= 0", "n % 2 == 0", "n % 3 == 0")

    def make_xor(self, depth: int) -> Block:
        return self.split(depth, "exclusiveGateway", "n % 2 == 0", "n % 2 == 1")

    def make_sub(self, depth: int, loop: str = "") -> Block:
        n, s, e = self.name("s"), self.name("st"), self.name("en")
        inner, first, last = self.block(depth - 1)
        extra = ""
        if self.random.random() < 0.5:
            h, hs, hu = self.name("h"), self.name("hs"), self.name("hu")
            kind = self.random.choice(["sig", "msg", "timer PT2H"])
            begin = start(hs, kind, isInterrupting=self.random.choice(["true", "false"]))
            extra = handler(h, begin, user(hu), flow(hs, hu))
        ending = end(e, self.random.choice(["", "", "term", "sig"]))
        return sub(n, loop, start(s), inner, ending, flow(s, first), flow(last, e), extra), n, n

    def make_multi(self, depth: int) -> Block:
        return self.make_sub(depth, TIMES.format(self.random.choice(["true", "false"])))


@pytest.mark.parametrize("seed", range(150))
def test_a_random_diagram_is_never_stuck(seed: int) -> None:
    maker = Maker(seed)
    body, first, last = maker.block(4)
    p = Play(start("S"), body, end("E"), flow("S", first), flow(last, "E"), data={"n": seed})
    for _ in range(60):  # non-interrupting handlers may keep it busy for ever
        if p.outcome:
            break
        moves = [lambda: p.later(hours=1)] if p.due else []
        moves += [
            lambda pick=pick, w=w: p.complete(
                w.element.rpartition("/")[2], {"n": maker.random.randrange(9)}, _nth(p, w)
            )
            for pick, w in enumerate(p.step.work)
        ]
        for kind, name in sorted({(x.kind, x.name) for x in p.step.waits if x.kind in ("message", "signal")}):
            moves.append(lambda k=kind, m=name: p.deliver(k, m or ""))
        assert moves, "stuck"
        assert not p.step.incidents
        maker.random.choice(moves)()


def _nth(p: Play, work: bpmn.Work) -> int:
    return [w.token for w in p.step.work if w.element.endswith("/" + work.element.rpartition("/")[2])].index(work.token)


def test_one_definition_serves_many_threads() -> None:
    made = definition(process(start("S"), script("a", "n = n * 2"), user("u"), flow("S", "a", "u")))
    results: dict[int, set[bytes]] = {}

    def work(k: int) -> None:
        for _ in range(100):
            step = bpmn.start(made, T0, {"n": k}, business_key="K")
            step = bpmn.complete(made, step.state, T0, step.work[0].token, {"m": k})
            results.setdefault(k, set()).add(step.state)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(len(found) == 1 for found in results.values())
    assert len(results) == 8


def digest_of_some_cases() -> str:
    """States and entries of forty random diagrams, each moved a few times."""
    found = hashlib.sha256()
    for seed in range(40):
        body, first, last = Maker(seed).block(4)
        made = definition(process(start("S"), body, end("E"), flow("S", first), flow(last, "E")))
        step = bpmn.start(made, T0, {"n": seed, "m": {"b": 1, "a": [1, 2]}}, business_key="K")
        for _ in range(5):
            found.update(step.state + repr(step.entries).encode())
            if step.work:
                step = bpmn.complete(made, step.state, T0, step.work[-1].token, {"n": 4, "x": 1})
    return found.hexdigest()


def test_the_same_bytes_come_out_under_another_hash_seed() -> None:
    code = "from tests.test_machine_random import digest_of_some_cases; print(digest_of_some_cases())"
    digests = set()
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        root = Path(__file__).parent.parent
        made = subprocess.run(
            [sys.executable, "-c", code], env=environment, cwd=root, capture_output=True, text=True, check=True
        )
        digests.add(made.stdout)
    assert len(digests) == 1
