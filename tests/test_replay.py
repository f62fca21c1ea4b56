"""History can be executed again: the recorded inputs alone lead through the same events to the same states."""

from __future__ import annotations

import io
from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa

from engine import commands as c
from engine.commands.replay import CaseReplay, Verdict, replay_case
from engine.commands.shelf import Shelf
from engine.commands.unpacking import Package
from engine.errors import Forbidden, NotFound
from engine.model import SYSTEM, Library
from engine.store import HistoryRow, Store, exporting
from engine.store import tables as t
from tests import diagrams as d
from tests.conftest import KEYS
from tests.processes import answers as a
from tests.test_seams import act, begun
from tests.town import LIBRARY, Town


def packed(town: Town, *cases: UUID) -> Package:
    out = io.BytesIO()
    c.write_package(town.office.store, cases, out)
    return c.read_package(out, signing=c.ChainSigning(KEYS), keys=KEYS)


def replayed(town: Town, case: UUID) -> CaseReplay:
    """The case executed again from its package, and once more straight from the store."""
    package = packed(town, case)
    [found] = [replay_case(Shelf(package), head, events) for head, events in package.cases()]
    with town.office.store.reading() as reading:
        stored = exporting.case_head(reading, case)
        assert replay_case(Shelf(town.office.store), stored, exporting.case_events(reading, case)) == found
    return found


def shown(found: CaseReplay) -> str:
    one = found.difference
    return f"{one.number} {one.kind} {one.what}\n{one.recorded}\n{one.came}" if one else ""


def replays(town: Town, case: UUID) -> int:
    """How many inputs were executed again with the same events."""
    found = replayed(town, case)
    assert (found.verdict, found.difference) == (Verdict.IDENTICAL, None), shown(found)
    return found.executed


def told(town: Town, case: UUID) -> list[HistoryRow]:
    with town.office.store.reading() as reading:
        return [event.row() for event in exporting.case_events(reading, case)]


@pytest.fixture
def place(sqlite: Store) -> Town:
    """The same on one kind of database, where the database makes no difference."""
    return Town(sqlite)


def test_a_registration_is_executed_again(town: Town) -> None:
    case = town.shop()
    now = c.complete_task(town.office, town["registrar1"], case.tasks[0].id, a.REGISTERED)
    c.complete_task(town.office, town["issue1"], now.tasks[0].id, a.HANDED_OVER)
    assert replays(town, case.case) == 4


def test_lapses_and_a_withdrawal_are_executed_again(town: Town) -> None:
    first = c.start_case(town.office, town["counter1"], "food_business_permit", {})
    now = c.complete_task(town.office, town["counter1"], first.tasks[0].id, a.food_application())
    c.claim_task(town.office, town["reviewer1"], now.tasks[0].id)
    town.advance(days=70)
    c.withdraw_case(town.office, town["counter1"], first.case, "申请人改变计划")
    assert replays(town, first.case) >= 4


def test_many_moments_made_up_for_at_once_are_executed_again(town: Town) -> None:
    case = begun(
        town,
        d.start(),
        act("from_here", starts="delivery"),
        d.user("wait"),
        d.boundary("daily", "wait", 'cycle "R20/P1D"', cancel=False),
        act("once_more", starts="delivery"),
        d.end("e2"),
        d.end(),
        d.flow("s", "from_here", "wait", "e"),
        d.flow("daily", "once_more", "e2"),
        nodes="s from_here wait daily once_more e2 e",
    )
    town.advance(days=60)
    c.fire_due(town.office, case.case)
    rows = told(town, case.case)
    assert len({row.command for row in rows if row.kind == "timer.fired"}) == 1
    assert [row.kind for row in rows].count("deadline.breached") == 1
    assert replays(town, case.case) == 22


def test_incidents_and_retries_are_executed_again(town: Town) -> None:
    body = (d.start(), d.script("breaks", "x = 1 / 0"), d.end(), d.flow("s", "breaks", "e"))
    case = begun(town, *body, nodes="s breaks e")
    [incident] = [i for i in c.incidents(town.office, town["supervisor1"]) if i.case_id == case.case]
    c.retry_incident(town.office, town["system1"], incident.id)
    assert replays(town, case.case) == 2


def test_a_deadlock_tried_again_moves_the_machine_and_a_failed_job_does_not(place: Town) -> None:
    body = (d.start(), d.gateway("split", "exclusive"), d.gateway("join"), d.end())
    flows = (d.flow("s", "split"), *_one_of_two())
    case = begun(place, *body, *flows, nodes="s split join e")
    [incident] = [i for i in c.incidents(place.office, place["supervisor1"]) if i.case_id == case.case]
    assert incident.code == "deadlock"
    c.retry_incident(place.office, place["system1"], incident.id)
    assert replays(place, case.case) == 2
    job = place.shop()
    _fail_a_job(place, job.case)
    [stuck] = [i for i in c.incidents(place.office, place["supervisor1"]) if i.case_id == job.case]
    c.retry_incident(place.office, place["system1"], stuck.id)
    found = replayed(place, job.case)
    assert (found.verdict, found.executed, found.passed) == (Verdict.IDENTICAL, 2, 2)


def _one_of_two() -> tuple[str, ...]:
    return (
        d.flow("split", "join", ident="left", when="True"),
        d.flow("split", "join", ident="right", when="False"),
        d.flow("join", "e"),
    )


def _fail_a_job(town: Town, case: UUID) -> None:
    for _ in range(10):
        with town.office.store.transaction() as tx:
            jobs = [job for job in tx.claim_jobs(("render",), 9, timedelta(0)) if job.case_id == case]
        for job in jobs:
            with town.office.store.transaction() as tx:
                tx.fail_job(job, "template_failed")
        town.advance(hours=1)


def test_a_calendar_that_changes_on_the_way_is_followed_by_the_replay(place: Town) -> None:
    first = c.start_case(place.office, place["counter1"], "food_business_permit", {})
    now = c.complete_task(place.office, place["counter1"], first.tasks[0].id, a.food_application())
    closed = {f"2026-12-{day:02d}": "台风停工" for day in range(1, 5)}
    lines = "".join(f"{day},0,{why}\n" for day, why in closed.items())
    path = "processes/registers/calendar.csv"
    table = Library({path: LIBRARY.files[path] + lines.encode()})
    c.publish(place.office, SYSTEM, table, alone=False)
    kinds = [row.kind for row in told(place, first.case)]
    assert "deadline.recomputed" in kinds
    c.claim_task(place.office, place["reviewer1"], now.tasks[0].id)
    place.advance(days=70)
    c.fire_due(place.office, first.case)
    replays(place, first.case)


def test_an_erased_case_says_erased(place: Town) -> None:
    case = place.shop()
    with place.office.store.transaction() as tx:
        tx.execute(t.data_key.update().where(t.data_key.c.id == case.case).values(wrapped=None, erased_at=tx.now()))
    assert replayed(place, case.case).verdict is Verdict.ERASED


def test_claims_and_refusals_are_passed_over_and_counted(place: Town) -> None:
    case = place.shop()
    c.claim_task(place.office, place["registrar1"], case.tasks[0].id)
    with pytest.raises(Forbidden):
        c.claim_task(place.office, place["counter1"], case.tasks[0].id)
    found = replayed(place, case.case)
    assert (found.verdict, found.executed, found.passed) == (Verdict.IDENTICAL, 2, 2)


def test_a_head_that_says_another_end_than_the_history_leads_to_is_a_difference(place: Town) -> None:
    case = place.shop()
    with place.office.store.transaction() as tx:
        instance = t.process_instance
        tx.execute(instance.update().where(instance.c.id == case.case).values(milestone="licensed"))
    found = replayed(place, case.case)
    assert found.difference is not None
    assert (found.difference.what, found.difference.recorded) == ("milestone", "licensed")


def test_only_an_auditor_has_a_case_executed_again(place: Town) -> None:
    case = place.shop()
    assert c.replay_one(place.office, place["auditor1"], case.case).verdict is Verdict.IDENTICAL
    with pytest.raises(Forbidden):
        c.replay_one(place.office, place["registrar1"], case.case)
    with pytest.raises(NotFound):
        c.replay_one(place.office, place["auditor1"], UUID(int=1))
    with place.office.store.reading() as reading:
        detail = sa.select(t.event.c.detail).where(t.event.c.kind == "case.read")
        assert [row for row in reading.execute(detail).scalars() if '"replay"' in row]
