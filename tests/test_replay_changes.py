"""A program that behaves differently is found out by replay, at the case and the event where it first does."""

from __future__ import annotations

import ast
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from engine import commands as c
from engine import deadlines, forms
from engine.bpmn import decisions, gateways, timers, variables
from engine.bpmn.expressions import evaluator, operations
from engine.bpmn.machine import Machine
from engine.calendar import Calendar
from engine.commands import record
from engine.model import SYSTEM
from engine.store import Chosen, Keys, Store
from tests import diagrams as d
from tests.conftest import KEYS
from tests.hall import driven
from tests.test_machine_loops import DMN, RULE
from tests.town import Town

ROOT = Path(__file__).parent.parent
CASES = 12
Patch = pytest.MonkeyPatch


class District:
    """What the demonstration did, as a package in a file, and everything it was executed by compiled once."""

    def __init__(self, folder: Path) -> None:
        url, self.summary = driven(folder, cases=CASES, seed=5)
        held = json.loads((folder / "keys.json").read_text())
        chain, sealing = bytes.fromhex(held["chain"]), bytes.fromhex(held["sealing"])
        store = Store.open(url, Keys(chain=chain, sealing=sealing, chain_id=held["chain_id"]))
        self.path = folder / "cases.zip"
        with self.path.open("wb") as out:
            c.export_cases(c.Office(store), SYSTEM, Chosen(), out)
        store.close()
        self.package = c.read_package(io.BytesIO(self.path.read_bytes()))
        self.shelf = c.Shelf(self.package)

    def replayed(self) -> c.Replayed:
        return c.replay_cases(self.shelf, self.package.cases())


@pytest.fixture(scope="module")
def district(tmp_path_factory: pytest.TempPathFactory) -> District:
    return District(tmp_path_factory.mktemp("district"))


@pytest.fixture(autouse=True)
def compiled_anew() -> Iterator[None]:
    """Expressions keep what they were compiled to, so a changed operator needs them compiled again."""
    for cached in (evaluator._expression, evaluator._script):
        cached.cache_clear()
    yield
    for cached in (evaluator._expression, evaluator._script):
        cached.cache_clear()


def test_the_demonstration_is_executed_again_with_every_kind_of_way(district: District) -> None:
    found = district.replayed()
    assert (found.cases, found.identical, found.differing) == (CASES, CASES, [])
    assert not district.summary.unfinished
    kinds = {event.row().kind for _, events in district.package.cases() for event in events}
    assert kinds >= {"timer.fired", "message.delivered", "deadline.met", "deadline.dropped"}
    assert kinds >= {"document.issued", "notice.queued", "milestone.reached", "attempt.refused", "case.ended"}


# -- one behaviour changed in the replaying process
def last_flow(patch: Patch) -> None:
    """Exclusive gateways take the last flow instead of the one whose condition holds."""
    choose = gateways.choose

    def changed(m: Any, token: Any, node: Any) -> Any:
        drawn = node.kind == "exclusiveGateway" and len(node.outgoing) > 1
        return [node.outgoing[-1]] if drawn else choose(m, token, node)

    patch.setattr(gateways, "choose", changed)


def newest_first(patch: Patch) -> None:
    """Of two ready tokens the newer one runs first."""
    patch.setattr(Machine, "queue", lambda self, token: self.state.ready.appendleft(token.id))


def outputs_backwards(patch: Patch) -> None:
    """What a called process hands back, and every other lot of variables, is written in reverse order."""
    write = variables.write

    def changed(m: Any, scope: int, values: dict[str, Any], *more: Any, **options: Any) -> None:
        write(m, scope, dict(reversed(values.items())), *more, **options)
        m.entries.reverse()

    patch.setattr(variables, "write", changed)


def no_weekend(patch: Patch) -> None:
    """Every day is a working day."""
    patch.setattr(Calendar, "is_workday", lambda self, day: True)


def one_day_more(patch: Patch) -> None:
    """Every deadline allows one more."""
    allowed = deadlines.allowed
    patch.setattr(deadlines, "allowed", lambda kind, item: (allowed(kind, item)[0] + 1, allowed(kind, item)[1]))


def met_is_dropped(patch: Patch) -> None:
    """What was done in time counts as dropped."""
    patch.setattr(deadlines, "meet", deadlines.drop)


def pauses_stop_nothing(patch: Patch) -> None:
    """A standstill takes no day away."""
    patch.setattr(deadlines, "_standstills", lambda deadline, now: [])
    timed = deadlines._timed
    patch.setattr(deadlines, "_timed", lambda deadline, calendar: timed(replace(deadline, paused=()), calendar))


def equal_is_unequal(patch: Patch) -> None:
    """``==`` in expressions says the opposite."""
    patch.setitem(operations.COMPARE, ast.Eq, lambda left, right: left != right)  # type: ignore[arg-type]


def papers_without_deadlines(patch: Patch) -> None:
    """Papers and notices are written without the case's deadlines."""
    context = record.Record._context
    patch.setattr(record.Record, "_context", lambda self, act: {**context(self, act), "deadlines": {}})


def papers_titled_otherwise(patch: Patch) -> None:
    """The title of a case is cut shorter, which only its papers and its list show."""
    patch.setattr(record.Record, "_title", lambda self, step: "案件")


def answers_trimmed(patch: Patch) -> None:
    """A form lets fewer answers pass."""
    check = forms.check

    def changed(form: Any, answers: Any, *, variables: Any) -> Any:
        typed = check(form, answers, variables=variables)
        return dict(list(typed.items())[:-1])

    patch.setattr(forms, "check", changed)


def timers_late(patch: Patch) -> None:
    """Every timer wakes the case a second later."""
    due = record.bpmn.next_due

    def changed(waits: Any, moments: Any) -> Any:
        found = due(waits, moments)
        return found and found + timedelta(seconds=1)

    patch.setattr(record.bpmn, "next_due", changed)


def ends_unnamed(patch: Patch) -> None:
    """End events do not name the outcome."""
    completed = Machine.completed

    def changed(self: Machine, token: Any, node: Any) -> None:
        completed(self, token, node)
        self.state.named = None

    patch.setattr(Machine, "completed", changed)


CHANGES = {
    last_flow: None,
    outputs_backwards: None,
    no_weekend: {"deadline.started"},
    one_day_more: {"deadline.started"},
    met_is_dropped: {"deadline.met", "deadline.dropped"},
    equal_is_unequal: None,
    papers_without_deadlines: {"document.issued", "notice.queued"},
    papers_titled_otherwise: {"document.issued", "notice.queued", "case"},
    answers_trimmed: {"task.completed"},
    ends_unnamed: {"case.ended", "element.completed"},
}


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_changed_behaviour_is_named_with_its_case_and_event(
    district: District, change: Callable[[Patch], None], monkeypatch: Patch
) -> None:
    change(monkeypatch)
    found = district.replayed()
    assert found.differences > 0
    numbers = {head.business_key: head.events for head, _ in district.package.cases()}
    kinds = set()
    for one in found.differing:
        assert one.difference is not None
        assert 1 <= one.difference.number <= numbers[one.business_key]
        kinds.add(one.difference.kind)
    expected = CHANGES[change]
    assert expected is None or kinds <= expected, kinds


NODES = "s x rule clock split left right join halt a_week on z e"
DRAWN = (
    d.start(),
    d.script("x", "x = 11"),
    RULE,
    d.throw("clock", inner=d.properties(starts="delivery")),
    d.gateway("split"),
    d.script("left", "first = x + 1"),
    d.script("right", "second = x + 2"),
    d.gateway("join"),
    d.throw("halt", inner=d.properties(pauses="delivery", citation="测试")),
    d.catch("a_week", 'timer "P7D"'),
    d.throw("on", inner=d.properties(resumes="delivery")),
    d.user("z"),
    d.end(),
    d.flow("s", "x", "rule", "clock", "split", "left", "join", "halt", "a_week", "on", "z", "e"),
    d.flow("split", "right", "join"),
)


@pytest.fixture(scope="module")
def drawn(migrated_file: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A package of one case: a decision, parallel branches, a standstill, a timer, a lapse."""
    path = tmp_path_factory.mktemp("drawn") / "drawn.db"
    shutil.copyfile(migrated_file, path)
    store, out = Store.open(f"sqlite:///{path}", KEYS), io.BytesIO()
    town = Town(store)
    lane = d.lane("intake_clerk", "'liwan/hall'", *NODES.split())
    before = town.office.published().entries
    with store.transaction() as tx:
        process = tx.put_artefact("process", "drawn", d.process(d.lanes(lane), *DRAWN, ident="drawn"))
        table = tx.put_artefact("decision", "rate", DMN.format(policy='hitPolicy="FIRST"', other="").encode())
        published = {**before["process"], "drawn": process}
        tx.publish({**before, "process": published, "decision": {"rate": table}}, None)
    case = c.start_case(town.office, town["counter1"], "drawn", {})
    town.advance(days=40)
    c.fire_due(town.office, case.case)
    c.write_package(store, [case.case], out)
    store.close()
    return out.getvalue()


def low(patch: Patch) -> None:
    """A decision table gives another output."""
    patch.setattr(decisions.Decision, "decide", lambda self, variables: {"level": "low"})


def timers_shifted(patch: Patch) -> None:
    """A timer is set a second later."""
    shift = timers.shift
    patch.setattr(timers, "shift", lambda start, duration: shift(start, duration) + timedelta(seconds=1))


def scripts_otherwise(patch: Patch) -> None:
    """A sum is one too large."""
    add = operations.ARITHMETIC[ast.Add]
    patch.setitem(operations.ARITHMETIC, ast.Add, lambda *a: add(*a) + 1)  # type: ignore[arg-type]


ON_DRAWN = {
    low: ("variables.written", "drawn/rule"),
    newest_first: ("element.entered", "drawn/left"),
    scripts_otherwise: ("variables.written", "drawn/left"),
    pauses_stop_nothing: ("deadline.resumed", "drawn/on"),
    timers_late: ("timer.fired", None),
    timers_shifted: ("element.entered", "drawn/a_week"),
}


@pytest.mark.parametrize("change", [None, *ON_DRAWN], ids=lambda change: change.__name__ if change else "none")
def test_a_changed_behaviour_is_named_with_its_element(
    drawn: bytes, change: Callable[[Patch], None] | None, monkeypatch: Patch
) -> None:
    if change:
        change(monkeypatch)
    package = c.read_package(io.BytesIO(drawn))
    [one] = [c.replay_case(c.Shelf(package), head, events) for head, events in package.cases()]
    found = one.difference
    assert (found and (found.kind, found.element)) == (ON_DRAWN[change] if change else None)


# -- in a process of its own
def fresh(path: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """``sanwei replay`` with neither database, keys nor the designers' folders in reach, under another hash seed."""
    environment = {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": f"{folder}:{ROOT}",
        "PYTHONHASHSEED": "4711",
        "COLUMNS": "200",
    }
    return subprocess.run(
        [sys.executable, "-m", "api.cli", "replay", str(path), *arguments],
        cwd=folder,
        env={**environment, "PYTHONHASHSEED": "4711"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_a_package_alone_is_executed_again_in_a_fresh_process(district: District, tmp_path: Path) -> None:
    done = fresh(district.path, tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"{CASES} cases: {CASES} identical, 0 differ, 0 erased" in done.stdout
    assert "not checked" in done.stdout
    assert os.listdir(tmp_path) == []


def test_a_difference_ends_with_exit_code_1_and_shows_values_only_when_asked(
    district: District, tmp_path: Path
) -> None:
    changed = "from engine import deadlines\ndeadlines.meet = deadlines.drop\n"
    (tmp_path / "sitecustomize.py").write_text(changed)
    done, told = fresh(district.path, tmp_path), fresh(district.path, tmp_path, "--values")
    assert (done.returncode, told.returncode) == (1, 1)
    numbers = [head.business_key for head, _ in district.package.cases()]
    assert any(f"{number} event " in done.stderr for number in numbers)
    assert "deadline.met" in done.stderr
    assert '"allowance"' not in done.stderr
    assert '"allowance"' in told.stderr
