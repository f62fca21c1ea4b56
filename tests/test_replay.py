"""History can be executed again: the recorded inputs alone lead through the same events to the same states."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest

from engine import commands as c
from engine.commands.again import again
from engine.model import SYSTEM
from engine.store import HistoryRow, Store, queries
from tests import diagrams as d
from tests.processes import answers as a
from tests.test_commands import Town
from tests.test_seams import act, begun

# What the machine itself reports; everything else that is derived follows from its acts and the registers.
MACHINE = frozenset(
    {
        "element.entered",
        "element.completed",
        "element.cancelled",
        "variables.written",
        "event.thrown",
        "event.caught",
        "scope.opened",
        "incident.raised",
        "error.uncaught",
        "case.ended",
    }
)


@pytest.fixture
def town(store: Store) -> Iterator[Town]:
    return Town(store)


def told(town: Town, case: UUID) -> list[HistoryRow]:
    """The whole history, read page by page without leaving a trace in it."""
    rows: list[HistoryRow] = []
    with town.office.store.reading() as reading:
        while True:
            page = queries.history(reading, SYSTEM, case, after=len(rows), limit=1000)
            rows += page.items
            if page.next is None:
                return rows


def line(kind: str, at: Any, **facts: Any) -> tuple[Any, ...]:
    return (kind, at, *(facts[name] for name in ("element", "scope", "token", "flow", "values")), facts["detail"])


def replays(town: Town, case: UUID) -> int:
    """Execute the case again and compare event by event; how many inputs moved the machine."""
    rows = told(town, case)
    release = next(row.release for row in rows if row.kind == "case.started")
    _, definition = town.office.release_of(release or "")
    state, expected, moved, due = b"", list[Any](), 0, ""
    for row in rows:
        if row.input:
            assert not expected, f"before {row.number} {row.kind}: {expected[0]} is not in the history"
            step = again(definition, state, row)
            if step is not None:
                state, moved, due = step.state, moved + 1, hashlib.sha256(step.state).hexdigest()
                names = ("element", "scope", "token", "flow", "values", "detail")
                expected = [line(e.kind, e.at, **{n: getattr(e, n) for n in names}) for e in step.entries]
        elif row.kind in MACHINE:
            facts = {n: getattr(row, n) for n in ("element", "scope", "token", "flow", "values", "detail")}
            assert line(row.kind, row.occurred_at, **facts) == expected.pop(0), f"event {row.number}"
        if row.state_digest:
            assert row.state_digest == due, f"state after event {row.number}"
    assert not expected
    with town.office.store.transaction() as tx:
        assert tx.lock_case(case).state == state
    return moved


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
