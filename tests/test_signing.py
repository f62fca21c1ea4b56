"""Added signers over the real store: who may ask and be asked, what they see, what is written, and replay."""

from __future__ import annotations

import threading
from typing import Any
from uuid import UUID, uuid4

import pytest

from engine import commands as c
from engine.bpmn.state import decode
from engine.errors import (
    Forbidden,
    FormInvalid,
    Invalid,
    NotFound,
    ReturnNotPossible,
    SignaturesMissing,
    SignersOwn,
    TaskClaimed,
    TaskNotHeld,
    TaskNotOpen,
)
from engine.model import Event, Outcome
from tests import diagrams as d
from tests.processes import answers as a
from tests.test_handing import BOTH, fresh, held, last, mine
from tests.test_replay import replays
from tests.test_seams import begun
from tests.town import Town
from tests.waiting import until_a_rival_waits

AGREED = {"position": "agree"}
AGAINST = {"position": "disagree", "opinion": "缺少平面图"}


@pytest.fixture
def town(request: pytest.FixtureRequest) -> Town:
    return Town(request.getfixturevalue(getattr(request, "param", "sqlite")))


def ask(town: Town, task: UUID, kind: str, *names: str, by: str = "counter1", **more: Any) -> Outcome:
    accounts = [town[name].account for name in names]
    return c.add_signers(town.office, town[by], task, kind=kind, accounts=accounts, **more)


def sign(town: Town, name: str, answers: dict[str, Any] = AGREED) -> Outcome:
    [item] = mine(town, name)
    return c.complete_task(town.office, town[name], item.id, answers)


def stands(town: Town, case: UUID) -> list[tuple[str, int]]:
    """Where the positions endpoint says the case stands; the machine must agree."""
    told = sorted((p.element, p.token) for p in c.positions(town.office, town["supervisor1"], case))
    with town.office.store.transaction() as tx:
        state = decode(tx.lock_case(case).state or b"")
    alive = [t for t in state.tokens.values() if t.stage not in ("new", "done")]
    assert told == sorted((f"{state.scopes[t.scope].of}/{t.node}", t.id) for t in alive)
    return told


@BOTH
def test_who_is_asked_before_signs_first_whatever_their_post(town: Town) -> None:
    case, task = fresh(town)
    with pytest.raises(NotFound):
        c.case_view(town.office, town["examiner1"], case)
    ask(town, task, "before", "examiner1", "head1", reason="请把关")
    assert len(stands(town, case)) == 3
    view = c.task_view(town.office, town["counter1"], task)
    assert (view.may_complete, view.why_not) == (False, "unsigned")
    with pytest.raises(SignaturesMissing) as caught:
        c.complete_task(town.office, town["counter1"], task, a.shop_application())
    assert caught.value.facts == {"missing": 2}
    [item] = mine(town, "examiner1")
    assert (item.signing, item.claimed_name) == ("before", town["examiner1"].display_name)
    theirs = c.task_view(town.office, town["examiner1"], item.id)
    assert theirs.may_complete
    assert theirs.form.schema["title"] == "加签意见"
    sign(town, "examiner1", AGAINST)
    sign(town, "head1")
    assert [(s.answers["position"], s.by) for s in c.signatures(town.office, town["counter1"], case)] == [
        ("disagree", town["examiner1"].display_name),
        ("agree", town["head1"].display_name),
    ]
    now = c.complete_task(town.office, town["counter1"], task, a.shop_application())
    assert now.milestone == "received"
    assert c.case_view(town.office, town["examiner1"], case).milestone == "received", "what was signed is still seen"
    assert replays(town, case) == 5


@BOTH
def test_who_is_asked_after_sees_the_case_only_when_it_is_their_turn(town: Town) -> None:
    case, task = fresh(town)
    ask(town, task, "after", "head1")
    assert mine(town, "head1") == ()
    with pytest.raises(NotFound):
        c.case_view(town.office, town["head1"], case)
    assert [(s.account, s.turn) for s in c.signers(town.office, town["counter1"], task)] == [
        (town["head1"].account, False)
    ]
    now = c.complete_task(town.office, town["counter1"], task, a.shop_application())
    assert (now.milestone, [t.role for t in now.tasks]) == (None, [""])
    assert len(stands(town, case)) == 2
    assert sign(town, "head1").milestone == "received"
    assert replays(town, case) == 4


@BOTH
def test_beside_and_m_of_n(town: Town) -> None:
    case, task = fresh(town)
    ask(town, task, "beside", "head1", "examiner1", "reviewer1", quorum=2)
    assert c.complete_task(town.office, town["counter1"], task, a.shop_application()).milestone is None
    sign(town, "head1")
    [item] = mine(town, "reviewer1")
    assert sign(town, "examiner1").milestone == "received"
    assert mine(town, "reviewer1") == ()
    with pytest.raises(NotFound):
        c.case_view(town.office, town["reviewer1"], case)
    with pytest.raises(TaskNotOpen) as caught:
        c.complete_task(town.office, town["reviewer1"], item.id, AGREED)
    assert caught.value.facts["by"] == town["examiner1"].display_name
    assert replays(town, case) == 5


def test_a_signature_is_its_signers_alone(town: Town) -> None:
    _, task = fresh(town)
    ask(town, task, "before", "head1")
    [item] = mine(town, "head1")
    for name, error in (("counter1", Forbidden), ("supervisor1", Forbidden), ("examiner1", NotFound)):
        with pytest.raises(error):
            c.complete_task(town.office, town[name], item.id, AGREED)
        with pytest.raises(error):
            c.claim_task(town.office, town[name], item.id)
    for refused in (
        lambda: c.release_task(town.office, town["head1"], item.id),
        lambda: c.transfer_task(town.office, town["head1"], item.id, town["examiner1"].account),
        lambda: c.delegate_task(town.office, town["head1"], item.id, town["examiner1"].account),
        lambda: c.transfer_task(town.office, town["supervisor1"], item.id, town["examiner1"].account),
    ):
        with pytest.raises(SignersOwn):
            refused()
    assert c.candidates(town.office, town["supervisor1"], item.id) == ()
    assert c.worklist(town.office, town["head1"]).items == ()
    with pytest.raises(FormInvalid) as caught:
        c.complete_task(town.office, town["head1"], item.id, {"position": "disagree"})
    assert [f.where for f in caught.value.findings] == ["opinion"]


def test_who_may_ask_and_who_may_be_asked(town: Town) -> None:
    case, task = fresh(town)
    with pytest.raises(TaskClaimed):
        ask(town, task, "before", "head1", by="counter2")
    with pytest.raises(Forbidden):
        ask(town, task, "before", "head1", by="supervisor1")
    with pytest.raises(NotFound):
        ask(town, task, "before", "head1", by="examiner1")
    ask(town, task, "before", "head1")
    with pytest.raises(Invalid) as caught:
        c.add_signers(
            town.office,
            town["counter1"],
            task,
            kind="before",
            accounts=[uuid4(), town["counter1"].account, town["head1"].account],
        )
    assert [(f.where, f.rule) for f in caught.value.findings] == [
        ("accounts.0", "unknown_account"),
        ("accounts.1", "already_asked"),
        ("accounts.2", "already_asked"),
    ]
    for bad in ({"kind": "instead"}, {"kind": "before", "quorum": 5}):
        with pytest.raises(Invalid):
            c.add_signers(town.office, town["counter1"], task, accounts=[town["examiner1"].account], **bad)
    c.release_task(town.office, town["counter1"], task)
    with pytest.raises(TaskNotHeld):
        ask(town, task, "before", "examiner1")
    assert town.kinds(case).count("signers.added") == 1


def test_a_signer_asks_another_and_waits_for_them(town: Town) -> None:
    case, task = fresh(town)
    ask(town, task, "before", "head1")
    [item] = mine(town, "head1")
    ask(town, item.id, "before", "examiner1", by="head1")
    with pytest.raises(SignaturesMissing):
        sign(town, "head1")
    sign(town, "examiner1")
    sign(town, "head1")
    c.complete_task(town.office, town["counter1"], task, a.shop_application())
    assert replays(town, case) == 6


@BOTH
def test_a_signer_is_removed_by_who_asked_or_a_supervisor(town: Town) -> None:
    case, task = fresh(town)
    ask(town, task, "before", "head1", "examiner1")
    ask(town, task, "after", "reviewer1")
    [item] = mine(town, "head1")
    for name, error in (("counter2", Forbidden), ("examiner1", Forbidden), ("reviewer1", NotFound)):
        with pytest.raises(error):
            c.remove_signer(town.office, town[name], task, town["head1"].account)
    c.remove_signer(town.office, town["counter1"], task, town["head1"].account)
    with pytest.raises(NotFound):
        c.case_view(town.office, town["head1"], case)
    with pytest.raises(TaskNotOpen):
        c.complete_task(town.office, town["head1"], item.id, AGREED)
    with pytest.raises(Invalid) as caught:
        c.remove_signer(town.office, town["counter1"], task, town["head1"].account)
    assert [f.rule for f in caught.value.findings] == ["not_asked"]
    sign(town, "examiner1")
    c.complete_task(town.office, town["counter1"], task, a.shop_application())
    done = c.remove_signer(town.office, town["supervisor1"], task, town["reviewer1"].account)
    assert done.milestone == "received"
    assert last(town, case, "signer.removed").detail["account"] == str(town["reviewer1"].account)
    assert replays(town, case) == 7


def test_signers_go_when_the_case_is_withdrawn(town: Town) -> None:
    first = c.start_case(town.office, town["counter1"], "food_business_permit", {})
    now = c.complete_task(town.office, town["counter1"], first.tasks[0].id, a.food_application())
    c.claim_task(town.office, town["reviewer1"], now.tasks[0].id)
    ask(town, now.tasks[0].id, "beside", "head1", "examiner1", by="reviewer1")
    assert {p.element for p in c.positions(town.office, town["supervisor1"], first.case)} >= {now.tasks[0].element}
    stands(town, first.case)
    c.withdraw_case(town.office, town["counter1"], first.case, "申请人改变计划")
    assert mine(town, "head1") == ()
    with pytest.raises(TaskNotOpen):
        c.remove_signer(town.office, town["supervisor1"], now.tasks[0].id, town["head1"].account)
    assert replays(town, first.case) == 4


def test_who_signed_an_element_has_not_done_it(town: Town) -> None:
    case = begun(
        town,
        d.start(),
        d.user("one"),
        d.user("two", d.properties(distinct_from="one")),
        d.end(),
        d.flow("s", "one", "two", "e"),
        nodes="s one two e",
    )
    task = case.tasks[0].id
    c.claim_task(town.office, town["counter1"], task)
    ask(town, task, "before", "counter2")
    sign(town, "counter2")
    now = c.complete_task(town.office, town["counter1"], task, {})
    assert c.task_view(town.office, town["counter1"], now.tasks[0].id).why_not == "distinct"
    assert c.task_view(town.office, town["counter2"], now.tasks[0].id).may_complete
    assert c.complete_task(town.office, town["counter2"], now.tasks[0].id, {}).outcome == "completed"
    assert replays(town, case.case) == 5


def test_the_signatures_reach_the_variable_the_element_names(town: Town) -> None:
    case = begun(
        town,
        d.start(),
        d.user("one", d.properties(signatures="opinions")),
        d.end(),
        d.flow("s", "one", "e"),
        nodes="s one e",
    )
    c.claim_task(town.office, town["counter1"], case.tasks[0].id)
    ask(town, case.tasks[0].id, "before", "head1")
    sign(town, "head1", AGAINST)
    head = town["head1"]
    expected = {**AGAINST, "by": head.display_name, "unit": head.memberships[0].unit}
    assert c.case_view(town.office, town["counter1"], case.case).variables["opinions"] == [expected]
    assert replays(town, case.case) == 3


@pytest.mark.parametrize("kind", ["before", "after", "beside"])
def test_signers_in_nested_calls_multi_instance_and_parallel_blocks(town: Town, kind: str) -> None:
    loop = d.element("multiInstanceLoopCharacteristics", "m", "<loopCardinality>2</loopCardinality>")
    lane = d.lanes(d.lane("intake_clerk", "'liwan/hall'", "s", "work", "e"))
    inner = d.process(lane, d.start(), d.user("work", loop), d.end(), d.flow("s", "work", "e"), ident="inner")
    middle = d.process(d.start(), d.call("call", "inner"), d.end(), d.flow("s", "call", "e"), ident="middle")
    before = town.office.published().entries
    with town.office.store.transaction() as tx:
        made = {key: tx.put_artefact("process", key, xml) for key, xml in (("inner", inner), ("middle", middle))}
        tx.publish({**before, "process": {**before["process"], **made}}, None)
        tx.append("definition:", [Event(kind="library.published", input=True)])
    case = begun(
        town,
        d.start(),
        d.gateway("split"),
        d.call("nested", "middle"),
        d.user("beside"),
        d.gateway("join"),
        d.end(),
        d.flow("s", "split", "nested", "join", "e"),
        d.flow("split", "beside", "join"),
        nodes="s split nested beside join e",
    )
    work = [task for task in case.tasks if task.element == "inner/work"]
    assert len(work) == 2
    for task in case.tasks:
        c.claim_task(town.office, town["counter1"], task.id)
    ask(town, work[0].id, kind, "head1", "examiner1", quorum=1)
    standing = stands(town, case.case)
    assert [element for element, _ in standing].count("inner/work") == (3 if kind == "after" else 5)
    if kind == "before":
        sign(town, "head1")
    for task in reversed(case.tasks):
        now = c.complete_task(town.office, town["counter1"], task.id, {})
        stands(town, case.case)
    if kind != "before":
        assert now.outcome is None
        now = sign(town, "head1")
    assert now.outcome == "completed"
    assert mine(town, "examiner1") == ()
    assert replays(town, case.case) == 6


def test_a_signature_is_recalled_and_the_task_it_was_for_returned(town: Town) -> None:
    case = begun(
        town,
        d.start(),
        d.user("one"),
        d.user("two", d.properties(returns_to="one")),
        d.end(),
        d.flow("s", "one", "two", "e"),
        nodes="s one two e",
    )
    now = c.complete_task(town.office, town["counter1"], case.tasks[0].id, {})
    task = now.tasks[0].id
    c.claim_task(town.office, town["counter2"], task)
    ask(town, task, "before", "head1", by="counter2")
    [item] = mine(town, "head1")
    with pytest.raises(ReturnNotPossible):
        c.return_task(town.office, town["head1"], item.id, "one", "不同意")
    sign(town, "head1", AGAINST)
    c.recall_task(town.office, town["head1"], item.id)
    [again] = mine(town, "head1")
    assert c.task_view(town.office, town["head1"], again.id).draft == AGAINST
    stands(town, case.case)
    c.return_task(town.office, town["counter2"], task, "one", "重来")
    assert mine(town, "head1") == ()
    stands(town, case.case)
    assert replays(town, case.case) == 6


@BOTH
def test_of_two_who_sign_at_once_where_one_is_enough_the_second_is_told(town: Town) -> None:
    case, task = fresh(town)
    ask(town, task, "before", "head1", "examiner1", quorum=1)
    [rivals] = mine(town, "examiner1")
    told: list[str] = []

    def rival() -> None:
        try:
            c.complete_task(town.office, town["examiner1"], rivals.id, AGREED)
        except TaskNotOpen as refusal:
            told.append(str(refusal.facts["by"]))

    thread = threading.Thread(target=rival)
    [item] = mine(town, "head1")
    with town.office.store.transaction() as tx:
        tx.lock_task(item.id)
        thread.start()
        until_a_rival_waits(town.office.store)
        with held(town, tx):
            c.complete_task(town.office, town["head1"], item.id, AGREED)
    thread.join()
    assert told == [town["head1"].display_name]
    assert c.task_view(town.office, town["counter1"], task).may_complete
    assert replays(town, case) == 3
