"""Random block-structured diagrams in which every user task has a short name, for tests that name their tasks."""

from __future__ import annotations

import random

from tests.diagrams import boundary, catch, element, end, flow, handler, script, start, sub, user

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
