"""A running case moves to the release in force: planned, done once, recorded, replayed, and shown where it stands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from engine import bpmn
from engine import commands as c
from engine.errors import (
    CaseEnded,
    Forbidden,
    InputRejected,
    NotFound,
    ReleaseUnchanged,
    SameActorNotAllowed,
    SanweiError,
)
from engine.model import CaseStatus, Event, Library, Once, Outcome
from tests import diagrams as d
from tests.district import PERMIT, District, make_district
from tests.processes import answers as a
from tests.test_replay import replays, told
from tests.test_seams import begun
from tests.test_suspending import permit, resumed, standing, suspended
from tests.town import LIBRARY, Town


def published(town: Town, *body: str, nodes: str, ident: str = "drawn") -> None:
    """A new version of a diagram, past the gate."""
    drawn = d.process(d.lanes(d.lane("intake_clerk", "'liwan/hall'", *nodes.split())), *body, ident=ident)
    before = town.office.published().entries
    with town.office.store.transaction() as tx:
        digest = tx.put_artefact("process", ident, drawn)
        tx.publish({**before, "process": {**before["process"], ident: digest}}, None)
        tx.append("definition:", [Event(kind="library.published", input=True)])


def row(*names: str) -> tuple[str, ...]:
    return (d.start(), *(d.user(n) for n in names), d.end(), d.flow("s", *names, "e"))


def migrated(town: Town, case: UUID, mapping: dict[str, str] | None = None, **more: Any) -> Outcome:
    return c.migrate_case(town.office, town["system1"], case, mapping or {}, **more)


def planned(town: Town, case: UUID, mapping: dict[str, str] | None = None, **more: Any) -> c.Migration:
    return c.plan_migration(town.office, town["system1"], case, mapping or {}, **more)


def agrees(town: Town, case: UUID) -> None:
    """Positions folded from history are those of the state, and history leads there again."""
    with town.office.store.transaction() as tx:
        held = bpmn.state.decode(tx.lock_case(case).state or b"")
    alive = {f"{held.scopes[t.scope].of}/{t.node}" for t in held.tokens.values() if t.stage not in ("new", "done")}
    found = {p.element for p in c.positions(town.office, town["supervisor1"], case)}
    assert found == alive
    replays(town, case)


def test_a_case_follows_the_new_release_and_its_open_task_stays_on_its_desk(town: Town) -> None:
    case = begun(town, *row("a", "b"), nodes="s a b e")
    c.claim_task(town.office, town["counter1"], case.tasks[0].id)
    published(town, *row("a", "between", "b"), nodes="s a between b e")
    before = told(town, case.case)
    plan = planned(town, case.case)
    assert plan.fits
    assert told(town, case.case) == before, "a plan leaves no trace"
    now = migrated(town, case.case)
    assert [task.id for task in now.tasks] == [case.tasks[0].id]
    [event] = [row for row in told(town, case.case) if row.kind == "case.migrated"]
    assert event.detail == {"from": plan.origin, "to": plan.target, "mapping": {}}
    assert event.release == plan.target
    assert event.actor.account == town["system1"].account
    now = c.complete_task(town.office, town["counter1"], case.tasks[0].id, {})
    assert [task.element for task in now.tasks] == ["drawn/between"]
    assert {row.release for row in told(town, case.case) if row.kind == "task.completed"} == {plan.target}
    agrees(town, case.case)


def test_a_case_that_does_not_fit_is_refused_with_everything_and_mapped_it_moves(town: Town) -> None:
    case = begun(town, *row("a", "b"), nodes="s a b e")
    published(town, *row("c", "b"), nodes="s c b e")
    with pytest.raises(InputRejected) as caught:
        migrated(town, case.case)
    assert [(f.where, f.rule) for f in caught.value.findings] == [("drawn/a", "gone")]
    assert told(town, case.case)[-1].kind == "attempt.refused"
    [line] = planned(town, case.case).lines
    assert line.choices == (("drawn/c", "c"), ("drawn/b", "b"))
    now = migrated(town, case.case, {"drawn/a": "drawn/c"})
    assert [(task.id, task.element, task.name) for task in now.tasks] == [(case.tasks[0].id, "drawn/c", "c")]
    agrees(town, case.case)
    view = c.task_view(town.office, town["counter1"], case.tasks[0].id)
    assert view.may_complete
    c.complete_task(town.office, town["counter1"], case.tasks[0].id, {})
    assert c.task_view(town.office, town["counter1"], case.tasks[0].id).why_not == "closed"


def test_calls_multi_instance_and_parallel_blocks_move_and_stand_where_they_stood(town: Town) -> None:
    many = d.element("multiInstanceLoopCharacteristics", "mi", "<loopCardinality>3</loopCardinality>")

    def block(sub: str, deep: str) -> tuple[str, ...]:
        inside = d.sub(sub, d.start("s2"), d.user(deep), d.end("e2"), d.flow("s2", deep, "e2"))
        flows = d.flow("s", "both", "each", "join", "e") + d.flow("both", sub, "join")
        return (d.start(), d.gateway("both"), d.user("each", many), inside, d.gateway("join"), d.end(), flows)

    case = begun(town, *block("inside", "deep"), nodes="s both each inside join e")
    one = next(task for task in case.tasks if task.element.endswith("each"))
    c.complete_task(town.office, town["counter1"], one.id, {})
    published(town, *block("within", "deeper"), nodes="s both each within join e")
    now = migrated(town, case.case, {"drawn/inside": "drawn/within", "drawn/inside/deep": "drawn/within/deeper"})
    assert standing(town, case.case) == {"each", "within", "deeper"}
    agrees(town, case.case)
    while now.tasks:
        now = c.complete_task(town.office, town["counter1"], now.tasks[0].id, {})
    assert now.outcome == "completed"
    assert replays(town, case.case) == 6


def changed(path: str, old: str, new: str) -> Library:
    files = {**LIBRARY.files}
    [name] = [name for name in files if name.endswith(path)]
    assert old.encode() in files[name]
    files[name] = files[name].replace(old.encode(), new.encode())
    return Library(files)


def test_a_real_permit_moves_with_its_called_steps_and_goes_on(town: Town) -> None:
    case = permit(town)
    [task] = case.tasks
    step = task.element.partition("/")[0]
    name = c.task_view(town.office, town["reviewer1"], task.id).task.name
    c.publish(town.office, town["designer1"], changed(f"{step}.bpmn", f'name="{name}"', f'name="{name}（新）"'))
    suspended(town, case.case)
    now = migrated(town, case.case)
    assert now.status is CaseStatus.SUSPENDED
    assert now.tasks[0].name == f"{name}（新）"
    resumed(town, case.case)
    agrees(town, case.case)
    now = c.complete_task(town.office, town["reviewer1"], task.id, a.COMPLETE)
    assert now.milestone == "accepted"
    agrees(town, case.case)


def test_who_did_the_step_before_is_known_under_its_new_name(town: Town) -> None:
    other = d.properties(distinct_from="a")
    case = begun(town, d.start(), d.user("a"), d.user("b", other), d.end(), d.flow("s", "a", "b", "e"), nodes="s a b e")
    now = c.complete_task(town.office, town["counter1"], case.tasks[0].id, {})
    renamed = d.properties(distinct_from="first")
    published(
        town, d.start(), d.user("first"), d.user("b", renamed), d.end(), d.flow("s", "first", "b", "e"),
        nodes="s first b e",
    )  # fmt: skip
    migrated(town, case.case, {"drawn/a": "drawn/first"})
    assert c.task_view(town.office, town["counter1"], now.tasks[0].id).why_not == "distinct"
    with pytest.raises(SameActorNotAllowed):
        c.complete_task(town.office, town["counter1"], now.tasks[0].id, {})


def test_what_hangs_on_a_broken_diagram_is_mended_moved_and_tried_again(town: Town) -> None:
    def drawn(code: str) -> tuple[str, ...]:
        return (d.start(), d.script("x", code), d.user("z"), d.end(), d.flow("s", "x", "z", "e"))

    case = begun(town, *drawn("y = missing"), nodes="s x z e")
    published(town, *drawn("y = 1"), nodes="s x z e")
    assert migrated(town, case.case).incidents == 1
    [incident] = [i for i in c.incidents(town.office, town["system1"]) if i.case_id == case.case]
    assert [task.name for task in c.retry_incident(town.office, town["system1"], incident.id).tasks] == ["z"]
    agrees(town, case.case)


def test_a_completion_after_a_migration_can_be_recalled_and_none_before_it(town: Town) -> None:
    case = begun(town, *row("a", "b", "c"), nodes="s a b c e")
    c.complete_task(town.office, town["counter1"], case.tasks[0].id, {})
    published(town, *row("a", "b", "between", "c"), nodes="s a b between c e")
    now = migrated(town, case.case)
    with pytest.raises(SanweiError):
        c.recall_task(town.office, town["counter1"], case.tasks[0].id)
    c.complete_task(town.office, town["counter1"], now.tasks[0].id, {})
    back = c.recall_task(town.office, town["counter1"], now.tasks[0].id)
    assert [task.element for task in back.tasks] == ["drawn/b"]
    agrees(town, case.case)


def test_a_missing_input_is_given_with_the_migration_and_sealed(town: Town) -> None:
    case = begun(town, *row("a"), nodes="s a e")
    published(town, d.io("reason"), *row("a"), nodes="s a e")
    assert [f.rule for f in planned(town, case.case).findings] == ["input_missing"]
    migrated(town, case.case, variables={"reason": "补充说明"})
    [event] = [row for row in told(town, case.case) if row.kind == "case.migrated"]
    assert event.values == {"variables": {"reason": "补充说明"}}
    assert "补充" not in json.dumps(dict(event.detail), ensure_ascii=False)
    assert c.case_view(town.office, town["counter1"], case.case).variables["reason"] == "补充说明"
    agrees(town, case.case)


def test_only_a_system_administrator_moves_a_case_and_once(town: Town) -> None:
    case = begun(town, *row("a"), nodes="s a e")
    with pytest.raises(ReleaseUnchanged):
        migrated(town, case.case)
    published(town, *row("a", "b"), nodes="s a b e")
    for verb in (c.plan_migration, c.migrate_case):
        with pytest.raises(Forbidden):
            verb(town.office, town["counter1"], case.case, {})
        with pytest.raises(NotFound):
            verb(town.office, town["registrar1"], case.case, {})
    once = Once(key="k", route="r", digest="d")
    assert migrated(town, case.case, once=once) == migrated(town, case.case, once=once)
    assert [row.kind for row in told(town, case.case)].count("case.migrated") == 1
    now = c.complete_task(town.office, town["counter1"], case.tasks[0].id, {})
    c.complete_task(town.office, town["counter1"], now.tasks[0].id, {})
    with pytest.raises(CaseEnded):
        migrated(town, case.case)


# -- over HTTP and on the screens
def _publish_renamed(district: District, process: str, old: str, new: str) -> None:
    """The shipped process with one element renamed, in force."""
    [path] = [name for name in LIBRARY.files if name.endswith(f"/{process}.bpmn")]
    text = LIBRARY.files[path].decode().replace(f'"{old}"', f'"{new}"').replace(f">{old}<", f">{new}<")
    with district.office.store.transaction() as tx:
        before = district.office.published().entries
        digest = tx.put_artefact("process", process, text.encode())
        tx.publish({**before, "process": {**before["process"], process: digest}}, None)
        tx.append("definition:", [Event(kind="library.published", input=True)])


def test_a_migration_is_planned_and_done_over_http_and_on_its_page(tmp_path: Path) -> None:
    district = make_district(tmp_path)
    counter, system = district.client("intake"), district.client("system")
    started = counter.post(f"/api/process-definitions/{PERMIT}/instances", json={"variables": {}}).json()
    address = f"/api/process-instances/{started['case']}/migrate"
    assert system.post(address, json={"dry_run": True}).json()["code"] == "release_unchanged"
    element = started["tasks"][0]["element"]
    process = element.partition("/")[0]
    _publish_renamed(district, process, element.rpartition("/")[2], "filled_in")
    plan = system.post(address, json={"dry_run": True}).json()
    assert not plan["fits"]
    assert [f["rule"] for f in plan["findings"]] == ["gone"]
    refused = system.post(address, json={})
    assert (refused.status_code, refused.json()["findings"][0]["where"]) == (422, element)
    assert counter.post(address, json={"dry_run": True}).status_code == 403
    browser = district.browser("system")
    page = browser.get(f"/cases/{started['case']}/migrate").text
    assert f'name="to:{element}"' in page
    assert "不能迁移" in page
    assert 'value="migrate"' not in page
    target = f"{element.rpartition('/')[0]}/filled_in"
    csrf = page.split('name="_csrf" value="')[1].split('"')[0]
    form = {"_csrf": csrf, "_once": "k1", f"to:{element}": target}
    again = browser.post(f"/cases/{started['case']}/migrate", data={**form, "_do": "plan"}).text
    assert "可以迁移" in again
    diagram = f"/api/process-instances/{started['case']}/diagram"
    assert b"filled_in" in system.get(f"{address}/diagram?process_key={process}").content
    assert counter.get(f"{address}/diagram?process_key={process}").status_code == 404
    assert b"filled_in" not in counter.get(f"{diagram}?process_key={process}").content
    done = browser.post(f"/cases/{started['case']}/migrate", data={**form, "_do": "migrate"})
    assert done.status_code == 303
    assert counter.get(f"/api/tasks/{started['tasks'][0]['id']}").json()["task"]["element"] == target
    assert "迁移到新版本" in district.browser("intake").get(f"/cases/{started['case']}").text
    assert system.post(address, json={"mapping": {"x" * 501: "y"}}).status_code == 422
