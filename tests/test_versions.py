"""States outlive the version that wrote them: old ones go on, new ones are written only once every server can read."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest

from api.settings import read_settings
from engine import bpmn
from engine import commands as c
from engine.bpmn import runtime, state
from engine.errors import InputRejected, Invalid, NotBeforeUpgrade
from engine.store import Store
from tests import diagrams as d
from tests.golden.feeding import STATES, definition_of, digest, to_the_end
from tests.golden.shapes import shapes
from tests.town import SHOP, Town

FIXTURES = sorted(STATES.glob("*/*.json"))


def opened(definition: bpmn.Definition, content: bytes, now: datetime) -> bpmn.Step:
    """What a host knows of a stored state: a call that changes nothing."""
    return bpmn.fire(definition, content, now, {})


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_state_of_an_older_version_goes_on_to_the_same_end_by_the_same_events(path: Path) -> None:
    kept = json.loads(path.read_bytes())
    definition = definition_of(kept["files"], kept["decisions"])
    now = datetime.fromisoformat(kept["now"])
    step = opened(definition, kept["state"].encode(), now)
    assert step.state.decode() == kept["state"], "reading and writing changes a state of the same format"
    last, entries = to_the_end(definition, step, now, kept["inputs"])
    assert (last.outcome, digest(entries)) == (kept["outcome"], kept["entries"])


def test_every_shape_has_its_state_of_the_first_format() -> None:
    assert {path.stem for path in FIXTURES if path.parent.name == "format1"} >= {shape.name for shape in shapes()}


def waiting() -> tuple[bpmn.Definition, bpmn.Step]:
    definition = d.definition(d.process(d.start(), d.user("a"), d.end(), d.flow("s", "a", "e")))
    return definition, bpmn.start(definition, d.T0, {}, business_key="K")


def test_a_state_is_written_in_the_oldest_format_that_can_hold_it(monkeypatch: pytest.MonkeyPatch) -> None:
    definition, step = waiting()
    assert (step.format, json.loads(step.state)["format"]) == (1, 1)
    # As if the moment of arming had come in with format 2.
    first = {**state.FIRST, "Token": state.FIRST["Token"] - {"flow"}}
    monkeypatch.setattr(state, "FIRST", first)
    later = opened(definition, step.state, d.T0)
    assert (later.format, json.loads(later.state)["format"]) == (2, 2)
    assert opened(definition, later.state, d.T0).state == later.state


def test_a_case_keeps_the_behaviour_it_started_with(monkeypatch: pytest.MonkeyPatch) -> None:
    definition, old = waiting()
    monkeypatch.setattr(state, "SEMANTICS", 2)
    monkeypatch.setattr(runtime, "SEMANTICS", 2)
    new = bpmn.start(definition, d.T0, {}, business_key="K", semantics=2)
    for step, number in ((old, 1), (new, 2)):
        done = bpmn.complete(definition, step.state, d.T0, step.work[0].token, {})
        assert (done.semantics, json.loads(done.state)["semantics"]) == (number, number)


def test_a_behaviour_this_version_does_not_know_is_refused() -> None:
    definition, step = waiting()
    with pytest.raises(InputRejected):
        bpmn.start(definition, d.T0, {}, business_key="K", semantics=bpmn.SEMANTICS + 1)
    for tag, number in (("semantics", bpmn.SEMANTICS + 1), ("format", bpmn.FORMAT + 1), ("format", 0)):
        newer = json.dumps({**json.loads(step.state), tag: number}).encode()
        with pytest.raises(InputRejected) as caught:
            opened(definition, newer, d.T0)
        assert caught.value.findings[0].rule == "state_unknown"


# -- while some servers are older
@pytest.fixture
def careful(sqlite: Store) -> Town:
    town = Town(sqlite)
    town.office = c.Office(sqlite, state_format=1)
    return town


def test_a_verb_that_needs_the_newest_format_waits_for_the_last_server(
    careful: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = c.start_case(careful.office, careful["counter1"], SHOP, {})
    monkeypatch.setattr(state, "FIRST", {**state.FIRST, "Token": state.FIRST["Token"] - {"flow"}})
    with pytest.raises(NotBeforeUpgrade) as caught:
        c.start_case(careful.office, careful["counter1"], SHOP, {})
    assert caught.value.facts == {"format": 2}
    assert c.start_case(c.Office(careful.office.store), careful["counter1"], SHOP, {}).business_key > begun.business_key


def test_new_cases_get_the_newest_behaviour_that_every_server_knows(
    careful: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    for room in (state, runtime):
        monkeypatch.setattr(room, "SEMANTICS", 2)
    monkeypatch.setattr(bpmn, "NEWEST_WITH", {1: 1, 2: 2})
    for office, number in ((careful.office, 1), (c.Office(careful.office.store), 2)):
        begun = c.start_case(office, careful["counter1"], SHOP, {})
        rows = c.history(office, careful["auditor1"], begun.case).items
        assert {row.semantics for row in rows} == {number}
        with office.store.transaction() as tx:
            assert json.loads(tx.lock_case(begun.case).state or b"")["semantics"] == number


def test_the_setting_names_a_format_that_exists() -> None:
    assert read_settings({"SANWEI_STATE_FORMAT": "1"}).state_format == 1
    assert read_settings({}).state_format == bpmn.FORMAT
    for wrong in ("0", str(bpmn.FORMAT + 1), "x"):
        with pytest.raises(Invalid):
            read_settings({"SANWEI_STATE_FORMAT": wrong})
