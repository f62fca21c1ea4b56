"""Execute history again and say whether it gives the same: from a package or a store, case after case."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import groupby
from uuid import UUID

from engine.commands.attempt import attempt
from engine.commands.comparing import Difference
from engine.commands.office import Office
from engine.commands.packages import audited
from engine.commands.rerun import Erased, Rerun
from engine.commands.shelf import Shelf
from engine.model import SYSTEM, Actor
from engine.store import CaseHead, Chosen, Store, StoredEvent, exporting

MOST_NAMED = 100


class Verdict(StrEnum):
    """What executing a case again has shown."""

    IDENTICAL = "identical"
    DIFFERS = "differs"
    ERASED = "erased"


@dataclass(frozen=True, kw_only=True, slots=True)
class CaseReplay:
    """One case: ``executed`` inputs gave the same ``events``, ``passed`` inputs move nothing (claims, refusals …)."""

    case: UUID
    business_key: str
    verdict: Verdict
    events: int
    executed: int
    passed: int
    difference: Difference | None = None


@dataclass(kw_only=True, slots=True)
class Replayed:
    """Many cases. ``differing`` names the first hundred."""

    cases: int = 0
    identical: int = 0
    erased: int = 0
    events: int = 0
    executed: int = 0
    passed: int = 0
    differing: list[CaseReplay] = field(default_factory=list)

    @property
    def differences(self) -> int:
        """How many cases are not what their history says."""
        return self.cases - self.identical - self.erased

    def add(self, one: CaseReplay) -> None:
        """Count one more case."""
        self.cases += 1
        self.identical += one.verdict is Verdict.IDENTICAL
        self.erased += one.verdict is Verdict.ERASED
        self.events += one.events
        self.executed += one.executed
        self.passed += one.passed
        if one.difference is not None and len(self.differing) < MOST_NAMED:
            self.differing.append(one)


def replay_cases(
    shelf: Shelf,
    cases: Iterable[tuple[CaseHead, Iterator[StoredEvent]]],
    on_case: Callable[[Replayed], None] = lambda so_far: None,
) -> Replayed:
    """Execute every case again by what ``shelf`` holds; one command of one case in memory at a time."""
    summary = Replayed()
    for head, events in cases:
        summary.add(replay_case(shelf, head, events))
        on_case(summary)
    return summary


def replay_case(shelf: Shelf, head: CaseHead, events: Iterable[StoredEvent]) -> CaseReplay:
    """Execute one case again up to the first difference."""
    run, seen = Rerun(shelf, head), 0
    difference, erased = None, head.erased
    try:
        for _, command in groupby((event.row() for event in events), key=lambda row: row.command):
            if difference is None and not erased:
                rows = list(command)
                seen += len(rows)
                difference = run.command(rows)
    except Erased:
        erased = True
    if difference is None and not erased:
        difference = run.end(seen)
    verdict = Verdict.DIFFERS if difference else Verdict.ERASED if erased else Verdict.IDENTICAL
    return CaseReplay(
        case=head.id,
        business_key=head.business_key,
        verdict=verdict,
        events=seen,
        executed=run.executed,
        passed=run.passed,
        difference=difference,
    )


def replay_store(store: Store, chosen: Chosen, on_case: Callable[[Replayed], None] = lambda so_far: None) -> Replayed:
    """Execute the cases of a store again, reading only. For who may see everything: the command line.

    Raises:
        NotFound: a business key of no case.
    """
    with store.reading() as reading:
        heads = exporting.chosen_cases(reading, SYSTEM, chosen)
        cases = ((head, exporting.case_events(reading, head.id)) for head in heads)
        return replay_cases(Shelf(store), cases, on_case)


def replay_one(office: Office, actor: Actor, case_id: UUID) -> CaseReplay:
    """Execute one case again, now; recorded like any reading of the case.

    Raises:
        NotFound: no such case, or none that the actor may see. Forbidden: only an auditor of its scope may.
    """
    with attempt(office, actor, "replay", {"case": str(case_id)}), office.store.reading() as reading:
        head = audited(reading, actor, case_id)
        found = replay_case(office, head, exporting.case_events(reading, case_id))
    office.store.record_access(actor, case_id, "replay")
    return found
