"""Every story again on the bare library: the same answers lead through the same elements to the same end.

The library is an independent witness: what a designer draws runs on ``BpmnWorkflow`` as it runs here.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import pytest

from engine import bpmn
from engine.bpmn import Definition, Step
from tests.bare import Bare
from tests.processes.story import Hall

DEADLINE = re.compile(r"deadline\('(\w+)'\)")


class Twin:
    """One case's recorded inputs, given to our machine and to the bare library side by side."""

    def __init__(self, hall: Hall, case: str) -> None:
        self.rows = _history(hall, case)
        release, self.definition = hall.office.release_of(self.rows[0]["release"])
        files = {key: hall.office.store.artefact(each) for key, each in release.processes.items()}
        begun = self.rows[0]
        key = begun["detail"]["business_key"]
        self.step = bpmn.start(self.definition, _at(begun), begun["values"], business_key=key)
        self.bare = Bare(release.root, files, begun["values"])
        self.opened = [_open(self.step)]
        self.ends = _ends(self.definition, self.step)

    def run(self) -> None:
        for number, row in enumerate(self.rows[1:], 1):
            if row["input"] and row["kind"] in ("task.completed", "message.delivered", "timer.fired"):
                getattr(self, row["kind"].replace(".", "_"))(row, self.rows[number + 1 :])

    def took(self, step: Step) -> None:
        self.step = step
        self.opened.append(_open(step))
        self.ends += _ends(self.definition, step)

    def task_completed(self, row: dict[str, Any], _: list[dict[str, Any]]) -> None:
        answers = row["values"]["answers"]
        self.took(bpmn.complete(self.definition, self.step.state, _at(row), row["token"], answers))
        self.bare.complete(row["element"].rpartition("/")[2], answers)

    def message_delivered(self, row: dict[str, Any], _: list[dict[str, Any]]) -> None:
        payload = row["values"]["payload"]
        self.took(bpmn.deliver(self.definition, self.step.state, _at(row), row["detail"]["wait"], payload))
        self.bare.deliver(row["detail"]["message"], payload)

    def timer_fired(self, row: dict[str, Any], later: list[dict[str, Any]]) -> None:
        """A firing that only marked a deadline as breached moved no token, and the library knows no such thing."""
        moments = {kind: datetime.fromisoformat(at) for kind, at in row["detail"]["moments"].items()}
        caught = self._caught(later)
        step = bpmn.fire(self.definition, self.step.state, _at(row), moments)
        if not caught:
            self.step = step
            return
        self.took(step)
        for kind in caught:
            self.bare.lapse(kind)

    def _caught(self, later: list[dict[str, Any]]) -> list[str]:
        """The deadlines whose timers this firing met, until the next input."""
        found = []
        for row in later:
            if row["input"]:
                break
            if row["kind"] == "event.caught":
                triggers = self.definition.node(row["element"]).triggers
                found += [m[1] for t in triggers if t.text and (m := DEADLINE.search(t.text))]
        return found


def _at(row: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(row["occurred_at"])


def _open(step: Step) -> list[str]:
    return sorted(work.element.rpartition("/")[2] for work in step.work)


def _ends(definition: Definition, step: Step) -> list[str]:
    done = (entry.element for entry in step.entries if entry.kind == "element.completed")
    return [element.rpartition("/")[2] for element in done if definition.node(element).kind == "endEvent"]


def _history(hall: Hall, case: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    after: Any = 0
    while after is not None:
        page = hall.get(f"/api/process-instances/{case}/history?after={after}&limit=200", by="auditor1")
        rows, after = rows + page["items"], page["next"]
    return rows


def test_every_story_takes_the_same_way_on_the_bare_library(hall: Hall) -> None:
    if not hall.told:
        pytest.skip("runs after the stories only")
    assert len(hall.told) > 20
    for case in hall.told:
        twin = Twin(hall, case)
        if any(row["kind"] == "task.returned" for row in twin.rows):
            continue  # the library knows no such verb
        twin.run()
        assert twin.bare.completed, case
        assert twin.opened == twin.bare.opened, case
        assert sorted(twin.ends) == sorted(twin.bare.end), case
