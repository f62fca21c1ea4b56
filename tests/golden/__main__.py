"""Writes fixtures with the machine as it is (``python -m tests.golden``); those of a released version stay."""

from __future__ import annotations

import json
from typing import Any

from engine import bpmn
from tests import diagrams as d
from tests.golden.feeding import STATES, digest, feed, to_the_end
from tests.golden.shapes import Shape, shapes


def fixture(shape: Shape) -> dict[str, Any]:
    """A shape's state, and what became of it."""
    definition = d.definition(*shape.files, decisions=shape.decisions)
    now = d.T0
    step = bpmn.start(definition, now, shape.variables, business_key="K1")
    for given in shape.before:
        step, now = feed(definition, step, now, given)
    last, entries = to_the_end(definition, step, now, shape.after)
    return {
        "files": [xml.decode() for xml in shape.files],
        "decisions": {name: table.decode() for name, table in shape.decisions.items()},
        "state": step.state.decode(),
        "now": now.isoformat(),
        "inputs": shape.after,
        "outcome": last.outcome,
        "entries": digest(entries),
    }


def write() -> None:
    """A folder per format; what is there already is a released version's and is left alone."""
    for shape in shapes():
        made = fixture(shape)
        path = STATES / f"format{json.loads(made['state'])['format']}" / f"{shape.name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.write_text(json.dumps(made, ensure_ascii=False, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write()
