"""What is stuck is said in words, shown on the diagram, and goes on when it is tried again after the cause has gone."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from engine import bpmn, documents, worker
from engine import commands as c
from engine.commands import stuck
from engine.errors import CaseSuspended, Forbidden, NotFound, StillStuck
from engine.model import CaseStatus, Event, Outcome
from engine.store import Store
from tests import diagrams as d
from tests.district import make_district
from tests.test_replay import replays, told
from tests.test_seams import act, begun
from tests.town import Town

ENGINE = Path(__file__).parent.parent / "engine"
RAISED = {"Fault", "Exhausted", "ExpressionError", "Thrown"}


@pytest.fixture
def town(sqlite: Store) -> Iterator[Town]:
    return Town(sqlite)


def of(town: Town, case: UUID) -> list[c.Stuck]:
    return [row for row in c.incidents(town.office, town["system1"]) if row.case_id == case]


def retried(town: Town, case: UUID) -> Outcome:
    [row] = of(town, case)
    return c.retry_incident(town.office, town["system1"], row.id)


# -- every code has its words
def codes() -> Iterator[str]:
    """Every literal code with which the machine or an expression gives up."""
    for path in sorted((ENGINE / "bpmn").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in RAISED:
                for given in node.args[:1]:
                    if isinstance(given, ast.Constant) and isinstance(given.value, str):
                        yield given.value
    for path in (ENGINE / "worker.py", ENGINE / "commands" / "stuck.py", ENGINE / "commands" / "record.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
                names = {name.id for name in node.targets if isinstance(name, ast.Name)}
                if names & {"code", "FIRING_FAILED", "UNFORESEEN", "DEADLOCK"} and node.value.value:
                    yield str(node.value.value)


def test_every_code_that_the_machine_or_the_worker_gives_has_its_own_sentence() -> None:
    found = set(codes())
    assert {"no_flow", "output_missing", "division_by_zero", "deadlock", "firing_failed", "unforeseen"} <= found
    for code in sorted(found):
        assert code in stuck.HOST or bpmn.sentence(code), f"{code} has no sentence"
        zh, en = c.explained(code)
        assert any("\u4e00" <= sign <= "\u9fff" for sign in zh), code
        assert en.isascii(), code


def test_a_code_from_outside_is_explained_by_its_family() -> None:
    assert "503" in c.explained("http_503")[0]
    assert "28" in c.explained("spool_28")[1]
    assert "ConnectTimeout" in c.explained("ConnectTimeout")[0]


# -- each kind: it fails again while the cause is there, and goes on when it has gone
def beside(*body: str, flows: str, mend: str) -> tuple[str, ...]:
    """A branch that gets stuck, and beside it a task whose completion sets the variable that mends it."""
    set_it = d.user("mend") + d.script("set", f"n = {mend}")
    flows += d.flow("s", "g", "mend", "set", "e2")
    return (d.start(), d.gateway("g"), set_it, *body, d.end(), d.end("e2"), flows)


def called(inner: str, outputs: str) -> bytes:
    return d.process(d.io("", outputs), d.start("s2"), d.script("in", inner), d.end("e3"), d.flow("s2", "in", "e3"),
                     ident="Q")  # fmt: skip


MANY = d.element("multiInstanceLoopCharacteristics", "mi", "<loopCardinality>n</loopCardinality>")
LINE = d.flow("g", "x", "z", "e")
CHOICE = d.flow("g", "n", "x") + d.flow("x", "z", when="n > 5") + d.flow("z", "e")
HELD = d.user("held") + d.boundary("x", "held", "when n > 5")
KEYED = d.element("intermediateCatchEvent", "x", d.message(key="n"))
Z = d.user("z")
CASES: dict[str, tuple[tuple[str, ...], str]] = {
    "a script": (beside(d.script("x", "y = n + 1"), Z, flows=LINE, mend="1"), "unknown_name"),
    "a gateway": (
        beside(d.script("n", "n = 0"), d.gateway("x", "exclusive"), Z, flows=CHOICE, mend="9"),
        "no_flow",
    ),
    "a timer": (beside(d.catch("x", "timer n"), Z, flows=LINE, mend="'PT0S'"), "unknown_name"),
    "a condition": (
        beside(HELD, Z, flows=d.flow("g", "held", "e") + d.flow("x", "z", "e"), mend="9"),
        "unknown_name",
    ),
    "a repetition": (beside(d.user("x", MANY), Z, flows=LINE, mend="0"), "unknown_name"),
    "a correlation": (beside(KEYED, Z, flows=LINE, mend="'k'"), "unknown_name"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_retry_fails_as_long_as_the_cause_is_there_and_goes_on_afterwards(town: Town, name: str) -> None:
    body, code = CASES[name]
    case = begun(town, *body, nodes=("s g mend z e e2 x" + " held" * ("held" in body[3])))
    [row] = of(town, case.case)
    assert (row.element, row.code) == ("drawn/x", code)
    assert retried(town, case.case).incidents == 1
    assert [again.id for again in of(town, case.case)] == [row.id], "the same incident, not a second one"
    mend = next(task for task in case.tasks if task.element == "drawn/mend")
    now = c.complete_task(town.office, town["counter1"], mend.id, {})
    if now.incidents:
        now = retried(town, case.case)
    town.advance(seconds=5)
    c.fire_due(town.office, case.case)
    assert of(town, case.case) == []
    places = {p.element for p in c.positions(town.office, town["supervisor1"], case.case)}
    assert places == ({"drawn/x"} if name == "a correlation" else {"drawn/z"})
    replays(town, case.case)


def test_a_called_process_that_gave_no_result_goes_on_without_it(town: Town) -> None:
    before = town.office.published().entries
    with town.office.store.transaction() as tx:
        digest = tx.put_artefact("process", "Q", called("a = 1", "a b"))
        tx.publish({**before, "process": {**before["process"], "Q": digest}}, None)
        tx.append("definition:", [Event(kind="library.published", input=True)])
    body = (d.start(), d.call("call", "Q"), d.user("z"), d.end(), d.flow("s", "call", "z", "e"))
    case = begun(town, *body, nodes="s call z e")
    [row] = of(town, case.case)
    assert (row.element, row.code) == ("drawn/call", "output_missing")
    assert [task.element for task in retried(town, case.case).tasks] == ["drawn/z"]
    replays(town, case.case)


def overdue(town: Town) -> UUID:
    """A timer whose act cannot be done: it resumes a deadline that does not stand still."""
    case = begun(
        town,
        d.start(),
        act("from_here", starts="delivery"),
        d.catch("an_hour", 'timer "PT1H"'),
        act("resumed", resumes="delivery"),
        d.user("wait"),
        d.end(),
        d.flow("s", "from_here", "an_hour", "resumed", "wait", "e"),
        nodes="s from_here an_hour resumed wait e",
    )
    town.advance(hours=2)
    while town.worker.once():
        pass
    return case.case


def test_what_fell_due_and_could_not_be_done_is_refused_clearly_until_it_can(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = overdue(town)
    [row] = of(town, case)
    assert (row.element, row.code) == (None, "firing_failed")
    with pytest.raises(StillStuck):
        retried(town, case)
    assert told(town, case)[-1].kind == "attempt.refused"
    assert [again.id for again in of(town, case)] == [row.id]
    resume = worker.fire.__globals__["Record"]._act
    monkeypatch.setattr(
        worker.fire.__globals__["Record"],
        "_act",
        lambda record, drawn: None if drawn.verb == "resumes" else resume(record, drawn),
    )
    assert [task.element for task in retried(town, case).tasks] == ["drawn/wait"]
    assert of(town, case) == []


def test_a_paper_is_rendered_at_a_retry_and_the_incident_is_a_jobs(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    render, broken = documents.render, [True]

    def rendering(template: bytes, values: Any) -> str:
        if broken[0] and "number" in values:
            raise RuntimeError
        return render(template, values)

    monkeypatch.setattr(worker.documents, "render", rendering)
    case = town.shop()
    for _ in range(6):
        while town.worker.once():
            pass
        town.advance(minutes=40)
    [row] = of(town, case.case)
    assert (row.job, row.code) == (True, "unforeseen")
    broken[0] = False
    assert retried(town, case.case).incidents == 0
    while town.worker.once():
        pass
    assert c.case_view(town.office, town["counter1"], case.case).documents[0].rendered


def test_a_deadlock_says_that_the_diagram_must_be_mended(town: Town) -> None:
    flows = d.flow("s", "one") + d.flow("one", "join") + d.flow("one", "other", when="1 == 2")
    body = (d.start(), d.gateway("one", "exclusive", default="one_join"), d.task("other"), d.gateway("join"), d.end())
    case = begun(town, *body, flows + d.flow("other", "join", "e"), nodes="s one other join e")
    [row] = of(town, case.case)
    assert "迁移" in row.zh
    assert retried(town, case.case).incidents == 1


# -- who
def test_only_who_keeps_the_cases_running_tries_again_and_not_while_suspended(town: Town) -> None:
    body, _ = CASES["a script"]
    case = begun(town, *body, nodes="s g mend z e e2")
    [row] = of(town, case.case)
    assert row.may_retry
    [seen] = [one for one in c.incidents(town.office, town["supervisor1"]) if one.id == row.id]
    assert not seen.may_retry
    with pytest.raises(Forbidden):
        c.retry_incident(town.office, town["supervisor1"], row.id)
    with pytest.raises(NotFound):
        c.retry_incident(town.office, town["issue1"], row.id)
    c.suspend_case(town.office, town["system1"], case.case, "x")
    [row] = of(town, case.case)
    assert (row.may_retry, row.status) == (False, CaseStatus.SUSPENDED)
    with pytest.raises(CaseSuspended):
        retried(town, case.case)


def test_incidents_are_listed_shown_and_tried_again_on_their_pages(tmp_path: Path) -> None:
    district = make_district(tmp_path)
    body, _ = CASES["a script"]
    lane = d.lane("intake_clerk", "'liwan/hall'", "s", "g", "mend", "z", "e", "e2")
    drawn = d.process(d.lanes(lane), *body, ident="drawn")
    with district.office.store.transaction() as tx:
        before = district.office.published().entries
        digest = tx.put_artefact("process", "drawn", drawn)
        tx.publish({**before, "process": {**before["process"], "drawn": digest}}, None)
        tx.append("definition:", [Event(kind="library.published", input=True)])
    counter, system = district.client("intake"), district.client("system")
    case = counter.post("/api/process-definitions/drawn/instances", json={"variables": {}}).json()
    [told] = system.get("/api/incidents").json()["incidents"]
    assert told["zh"] == "表达式用到没有值的变量"
    browser = district.browser("system")
    page = browser.get("/incidents").text
    assert told["zh"] in page
    assert f"/incidents/{told['id']}/retry" in page
    assert 'href="/incidents"' not in district.browser("intake").get("/tasks").text
    shown = browser.get(f"/incidents/{told['id']}").text
    diagram = f"/api/incidents/{told['id']}/diagram"
    assert diagram in shown
    assert 'data-now="x"' in shown or "图形组件尚未构建" in shown
    assert b'id="x"' in system.get(diagram).content
    assert district.client("elsewhere").get(diagram).status_code == 404
    csrf = page.split('name="_csrf" value="')[1].split('"')[0]
    again = browser.post(f"/incidents/{told['id']}/retry", data={"_csrf": csrf, "_once": "k1"})
    assert again.headers["location"] == "/incidents?said=still"
    mend = next(task["id"] for task in case["tasks"] if task["element"] == "drawn/mend")
    assert counter.post(f"/api/tasks/{mend}/complete", json={"answers": {}}).status_code == 200
    helped = browser.post(f"/incidents/{told['id']}/retry", data={"_csrf": csrf, "_once": "k2"})
    assert helped.headers["location"] == "/incidents?said=retried"
    assert "重试成功" in browser.get(helped.headers["location"]).text
    assert browser.get(f"/incidents/{UUID(int=0)}").status_code == 404
