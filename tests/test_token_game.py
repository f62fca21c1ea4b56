"""The machine against a token game of its own writing: random sound diagrams, random paths, compared after every step.

A disagreement prints the seed, the smallest diagram it was found on and the path through it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import pytest

from engine.bpmn import compensation, events, gateways, loops, throwing, variables
from tests.generator import grow
from tests.generator.run import Disagreement, play, shrink

CHUNK = 25


def compare(first: int, count: int = CHUNK, size: int = 9) -> Counter[str]:
    """So many diagrams from this seed on; what came of them. Raises: AssertionError with the smallest failing one."""
    found: Counter[str] = Counter()
    for seed in range(first, first + count):
        tree = grow(seed, size)
        try:
            played = play(tree, seed)
        except Disagreement as error:
            small = shrink(tree, range(seed, seed + 3))
            told = f"{small[0]} path {small[1]}: {small[2]}" if small else f"{tree}: {error}"
            raise AssertionError(f"seed {seed}, diagram {told}") from None
        found.update((played.outcome or "open", "diagrams"))
        found.update({"races": played.races, "undecided": played.undecided, "steps": len(played.path)})
    return found


@pytest.mark.parametrize("chunk", range(22))
def test_the_machine_does_what_the_token_game_allows(chunk: int) -> None:
    found = compare(chunk * CHUNK)
    assert found["undecided"] <= 1
    assert found["open"] <= CHUNK // 5


@pytest.mark.soak
def test_twenty_thousand_diagrams() -> None:
    with ProcessPoolExecutor(2) as workers:
        found = sum(workers.map(compare, range(100_000, 120_000, CHUNK)), Counter[str]())
        found += sum(workers.map(compare, range(200_000, 200_500, 10), [10] * 50, [25] * 50), Counter[str]())
    print(dict(found))
    assert found["diagrams"] == 20_500
    assert found["undecided"] < 100
    assert found["open"] < 1_000


def _without(module: Any, name: str) -> Callable[[pytest.MonkeyPatch], None]:
    return lambda patch: patch.setattr(module, name, lambda *_, **__: None)


def _early_inclusive(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(gateways, "_nothing_can_come", lambda *_: True)


def _late_inclusive(patch: pytest.MonkeyPatch) -> None:
    """Waits for every token of the scope that is not at the join."""

    def alone(m: Any, scope: Any, node: Any, *_: Any) -> bool:
        return all(t.node == node.id for t in m.state.tokens.values() if t.scope == scope.id)

    patch.setattr(gateways, "_nothing_can_come", alone)


def _one_round_more(patch: pytest.MonkeyPatch) -> None:
    goes_on = loops._goes_on
    patch.setattr(loops, "_goes_on", lambda m, t, n: loops._record(t)["done"] == 0 or goes_on(m, t, n))


def _forwards(patch: pytest.MonkeyPatch) -> None:
    jobs = compensation._jobs
    patch.setattr(compensation, "_jobs", lambda records: list(reversed(jobs(records))))


def _never_interrupts(patch: pytest.MonkeyPatch) -> None:
    def fire(m: Any, token: Any, met: Any) -> None:
        events.store(m, token.scope, met, token.id)
        events._started(m, met, token.scope)

    patch.setattr(events, "fire_boundary", fire)


def _outermost(patch: pytest.MonkeyPatch) -> None:
    """A code is matched by whoever catches all before whoever names it."""
    match = throwing.match
    patch.setattr(throwing, "match", lambda kind, code, nodes: match(kind, None, nodes) or match(kind, code, nodes))


FAULTS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "an inclusive join that does not wait": _early_inclusive,
    "an inclusive join that waits for everybody": _late_inclusive,
    "a loop that always goes round": _one_round_more,
    "compensation in the order of completion": _forwards,
    "boundary events that interrupt nothing": _never_interrupts,
    "catching everything before catching the code": _outermost,
    "compensation that is forgotten": _without(compensation, "remember"),
    "boundary events that are not armed": _without(events, "arm_boundary"),
    "event sub-processes that are not armed": _without(events, "arm_handlers"),
    "a called process whose results are lost": _without(variables, "take_results"),
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda name: name.replace(" ", "_"))
def test_a_fault_in_the_machine_is_found(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    FAULTS[fault](monkeypatch)
    for seed in range(400):
        try:
            play(grow(seed), seed)
        except Disagreement:
            return
    pytest.fail("nobody noticed")
