"""Joint sign-off (会签) drawn in a diagram: m of n, decided as soon as it can be, and nobody signs twice."""

from __future__ import annotations

import pytest

from api.accounts import DemoAccount
from engine import commands as c
from engine.errors import (
    SameActorNotAllowed,
)
from engine.model import Event, Outcome, TaskStatus
from tests import diagrams as d
from tests.test_handing import BOTH
from tests.test_replay import replays
from tests.test_seams import begun
from tests.test_signing import stands
from tests.town import Town

VOTE = """{"type": "object", "title": "表决", "required": ["yes"], "additionalProperties": false,
"properties": {"yes": {"type": "boolean", "title": "同意"}}}"""
ENOUGH = "len([v for v in votes if v['yes']]) >= 2 or len([v for v in votes if not v['yes']]) > 4 - 2"
VOTERS = ("counter1", "counter2", "counter3", "counter4")


def joint(town: Town, *, sequential: bool) -> Outcome:
    """Two of four counters have to agree; nobody signs twice; it stops when it is decided."""
    for name in VOTERS[2:]:
        town.people[name] = town._hire(
            DemoAccount(name=name, display_name=name, memberships=town["counter1"].memberships)
        )
    before = town.office.published().entries
    with town.office.store.transaction() as tx:
        digest = tx.put_artefact("form", "tests/vote.json", VOTE.encode())
        tx.publish({**before, "form": {**before["form"], "tests/vote.json": digest}}, None)
        tx.append("definition:", [Event(kind="library.published", input=True)])
    loop = d.element(
        "multiInstanceLoopCharacteristics",
        "m",
        "<loopCardinality>4</loopCardinality><loopDataOutputRef>votes</loopDataOutputRef>"
        f'<outputDataItem id="vote"/><completionCondition>{d.text(ENOUGH)}</completionCondition>',
        isSequential=str(sequential).lower(),
    )
    vote = d.properties("vote", formJsonSchemaFilename="tests/vote.json", distinct_from="sign")
    return begun(
        town,
        d.start(),
        d.user("sign", vote + loop),
        d.gateway("decided", "exclusive", default="decided_denied"),
        d.end("granted", inner=d.properties(outcome="granted")),
        d.end("denied", inner=d.properties(outcome="denied")),
        d.flow("s", "sign", "decided"),
        d.flow("decided", "granted", when="len([v for v in votes if v['yes']]) >= 2"),
        d.flow("decided", "denied"),
        nodes="s sign decided granted denied",
    )


@pytest.mark.parametrize("sequential", [False, True])
@pytest.mark.parametrize(
    ("votes", "outcome"),
    [([True, True], "granted"), ([False, True, False, True], "granted"), ([False, True, False, False], "denied")],
)
def test_m_of_n_is_decided_as_soon_as_it_can_be(town: Town, votes: list[bool], outcome: str, sequential: bool) -> None:
    case = joint(town, sequential=sequential)
    assert len(case.tasks) == (1 if sequential else 4)
    now = case
    for name, yes in zip(VOTERS, votes, strict=False):
        assert now.outcome is None
        stands(town, case.case)
        now = c.complete_task(town.office, town[name], now.tasks[0].id, {"yes": yes})
    assert (now.outcome, now.tasks) == (outcome, ())
    view = c.case_view(town.office, town["counter1"], case.case)
    assert view.variables["votes"] == [{"yes": yes} for yes in votes]
    cancelled = [t for t in view.tasks if t.status is TaskStatus.CANCELLED]
    assert len(cancelled) == (0 if sequential else 4 - len(votes))
    assert replays(town, case.case) == 1 + len(votes)


@pytest.mark.parametrize("sequential", [False, True])
def test_nobody_signs_twice_in_one_round(town: Town, sequential: bool) -> None:
    case = joint(town, sequential=sequential)
    now = c.complete_task(town.office, town["counter1"], case.tasks[0].id, {"yes": False})
    for verb in (
        lambda: c.complete_task(town.office, town["counter1"], now.tasks[0].id, {"yes": True}),
        lambda: c.claim_task(town.office, town["counter1"], now.tasks[0].id),
    ):
        with pytest.raises(SameActorNotAllowed):
            verb()
    assert c.task_view(town.office, town["counter1"], now.tasks[0].id).why_not == "distinct"
    assert town["counter1"].account not in {
        one.account for one in c.candidates(town.office, town["supervisor1"], now.tasks[0].id)
    }


@BOTH
def test_who_signed_in_an_earlier_round_signs_again_in_the_next(town: Town) -> None:
    loop = d.element("multiInstanceLoopCharacteristics", "m", "<loopCardinality>2</loopCardinality>")
    case = begun(
        town,
        d.start(),
        d.gateway("again", "exclusive"),
        d.user("sign", d.properties(distinct_from="sign") + loop),
        d.script("count", "n = n + 1"),
        d.gateway("over", "exclusive", default="over_again"),
        d.end(),
        d.script("zero", "n = 0"),
        d.flow("s", "zero", "again", "sign", "count", "over"),
        d.flow("over", "e", when="n == 2"),
        d.flow("over", "again"),
        nodes="s again sign count over e zero",
    )
    now = case
    for _ in range(2):
        now = c.complete_task(town.office, town["counter1"], now.tasks[0].id, {})
        with pytest.raises(SameActorNotAllowed):
            c.complete_task(town.office, town["counter1"], now.tasks[0].id, {})
        now = c.complete_task(town.office, town["counter2"], now.tasks[0].id, {})
    assert now.outcome == "completed"
    assert replays(town, case.case) == 5
