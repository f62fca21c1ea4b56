"""Which maker builds which kind of block, and the way from a tree to a diagram."""

from __future__ import annotations

import random
from dataclasses import replace

from tests.generator import waiting
from tests.generator.blocks import INNER, LEAVES, Block
from tests.generator.building import Around, Builder, Maker
from tests.generator.model import Diagram, Scope

MAKERS: dict[str, Maker] = {
    kind: getattr(waiting if hasattr(waiting, kind) else Builder, kind) for kind in (*LEAVES, *INNER) if kind != "exit"
} | {"exit": waiting.leave, "fail": waiting.fail, "warn": waiting.warn, "annul": waiting.annul}


def build(tree: Block, root: str = "root") -> Diagram:
    """The diagram of a tree."""
    builder = Builder(root, MAKERS)
    builder.rng = random.Random(tree.seed)
    at = Around(Scope(root, "process"))
    scope = builder.diagram.processes[root] = builder.scope("process", root, [tree], at)
    if builder.rng.random() < 0.25:
        waiting.handle(builder, replace(at, scope=scope), [Block("user", tree.seed)])
    return builder.diagram
