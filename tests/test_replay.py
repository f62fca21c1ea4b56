"""History can be executed again: the recorded inputs alone lead through the same events to the same states."""

from __future__ import annotations

import io
from collections.abc import Iterator
from uuid import UUID

import pytest

from engine import commands as c
from engine.commands.replay import CaseReplay, Verdict, replay_case
from engine.commands.shelf import Shelf
from engine.commands.unpacking import Package
from engine.store import HistoryRow, Store, exporting
from tests import diagrams as d
from tests.conftest import KEYS
from tests.processes import answers as a
from tests.test_commands import Town
from tests.test_seams import act, begun


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
def town(store: Store) -> Iterator[Town]:
    return Town(store)


@pytest.fixture
def place(sqlite: Store) -> Iterator[Town]:
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
