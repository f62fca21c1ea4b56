"""Feeds a recorded state with recorded inputs: what a fixture says is all that is needed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from engine import bpmn
from engine.bpmn import Definition, Entry, Step
from tests import diagrams as d

STATES = Path(__file__).parent / "states"
DAY_LATER = d.T0 + timedelta(days=1)
"""The moment of every deadline that a shape waits for."""


def definition_of(files: Iterable[str], decisions: Mapping[str, str]) -> Definition:
    """The first file's process linked with the others."""
    return d.definition(*(text.encode() for text in files), decisions={k: v.encode() for k, v in decisions.items()})


def feed(definition: Definition, step: Step, now: datetime, given: list[Any]) -> tuple[Step, datetime]:
    """One input: ["complete", element, answers], ["later", seconds], ["deliver", kind, name, payload], ["retry"]."""
    verb, *facts = given
    state = step.state
    if verb == "later":
        now += timedelta(seconds=facts[0])
        return bpmn.fire(definition, state, now, {"correction": DAY_LATER}), now
    if verb == "complete":
        token = next(w.token for w in step.work if w.element.endswith("/" + facts[0]))
        return bpmn.complete(definition, state, now, token, facts[1]), now
    if verb == "deliver":
        wait = next(w.number for w in step.waits if (w.kind, w.name) == (facts[0], facts[1]))
        return bpmn.deliver(definition, state, now, wait, facts[2]), now
    return bpmn.resume(definition, state, now, retry=step.incidents[0].token), now


def to_the_end(definition: Definition, step: Step, now: datetime, inputs: list[list[Any]]) -> tuple[Step, list[Entry]]:
    """All inputs one after another: the last step, and every entry they led to."""
    entries: list[Entry] = []
    for given in inputs:
        step, now = feed(definition, step, now, given)
        entries += step.entries
    return step, entries


def digest(entries: Iterable[Entry]) -> str:
    """SHA-256 of entries in canonical form."""
    names = ("kind", "element", "scope", "token", "flow", "values", "detail")
    lines = [[e.at.isoformat(), *(getattr(e, name) for name in names)] for e in entries]
    return hashlib.sha256(json.dumps(lines, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
