"""What a random diagram is made of: a tree of blocks, small enough to be grown, shrunk and printed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

LEAVES = (
    "user",
    "user",
    "user",
    "script",
    "script",
    "receive",
    "send",
    "catch",
    "catch",
    "throw",
    "say",
    "link",
    "condition",
    "exit",
    "compensable",
    "undo",
    "escalate",
    "quantity",
    "many",
    "repeat",
    "guarded",
    "race",
)
"""Blocks without parts. One that is not allowed where it would stand is built as a plain task."""

INNER = {
    "sequence": (2, 4),
    "exclusive": (2, 3),
    "inclusive": (2, 3),
    "parallel": (2, 3),
    "complex": (2, 3),
    "loop": (1, 2),
    "sub": (1, 2),
    "transaction": (1, 2),
    "call": (1, 1),
    "handled": (2, 3),
    "bounded": (2, 3),
    "spawn": (1, 2),
    "events": (2, 3),
    "instances": (1, 1),
    "again": (1, 1),
    "parallel_web": (3, 6),
    "inclusive_web": (3, 6),
    "exclusive_web": (3, 5),
}
"""Blocks with parts: fewest and most."""


@dataclass(frozen=True, slots=True)
class Block:
    """One piece of a diagram. ``seed`` decides its details, so that they stay when other blocks are taken away."""

    kind: str
    seed: int
    parts: tuple[Block, ...] = ()

    def __str__(self) -> str:
        inner = f"[{', '.join(map(str, self.parts))}]" if self.parts else ""
        return f"{self.kind}:{self.seed}{inner}"

    def count(self) -> int:
        """How many blocks there are."""
        return 1 + sum(part.count() for part in self.parts)


def grow(seed: int, size: int = 9, kinds: tuple[tuple[str, ...], tuple[str, ...]] | None = None) -> Block:
    """A random tree of about ``size`` blocks; ``kinds`` restricts it to these leaves and inner kinds."""
    rng = random.Random(seed)
    leaves, inner = kinds or (LEAVES, tuple(INNER))
    return Block("sequence", rng.randrange(10**6), tuple(_parts(rng, rng.randint(3, size), 2, 4, leaves, inner)))


def _block(rng: random.Random, size: int, leaves: tuple[str, ...], inner: tuple[str, ...]) -> Block:
    if size < 3 and rng.random() < 0.8:
        return Block(rng.choice(leaves), rng.randrange(10**6))
    kind = rng.choice(inner)
    fewest, most = INNER[kind]
    return Block(kind, rng.randrange(10**6), tuple(_parts(rng, size - 1, fewest, most, leaves, inner)))


def _parts(
    rng: random.Random, size: int, fewest: int, most: int, leaves: tuple[str, ...], inner: tuple[str, ...]
) -> Iterator[Block]:
    number = rng.randint(fewest, most)
    shares = [1] * number
    for _ in range(max(0, size - number)):
        shares[rng.randrange(number)] += 1
    return (_block(rng, share, leaves, inner) for share in shares)


def smaller(block: Block) -> Iterator[Block]:
    """Trees with something taken away, boldest first."""
    for part in block.parts:
        yield part if part.kind == "sequence" or block.kind != "sequence" else replace(block, parts=(part,))
    if block.kind not in ("user", "script"):
        yield Block("script", block.seed)
        yield Block("user", block.seed)
    fewest = INNER[block.kind][0] if block.kind in INNER else 0
    if block.kind == "sequence":
        fewest = 1
    for place in range(len(block.parts)):
        if len(block.parts) > fewest:
            yield replace(block, parts=block.parts[:place] + block.parts[place + 1 :])
    for place, part in enumerate(block.parts):
        for less in smaller(part):
            yield replace(block, parts=(*block.parts[:place], less, *block.parts[place + 1 :]))
