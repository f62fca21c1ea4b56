"""Handing work on: transfer, delegate, resolve; urging and comments. Who may, what is written, who is told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from uuid import UUID, uuid4

import pytest

from engine import commands as c
from engine.errors import (
    Forbidden,
    FormInvalid,
    Invalid,
    NotFound,
    SanweiError,
    TaskClaimed,
    TaskDelegated,
    TaskNotHeld,
    TaskNotOpen,
    UrgedAlready,
)
from engine.model import SYSTEM, Once
from engine.store import queries
from tests.processes import answers as a
from tests.test_replay import replays
from tests.town import SHOP, Town
from tests.waiting import until_a_rival_waits

# What the database may make a difference to; everything else is looked at on one kind.
BOTH = pytest.mark.parametrize("town", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
def town(request: pytest.FixtureRequest) -> Town:
    return Town(request.getfixturevalue(getattr(request, "param", "sqlite")))


def fresh(town: Town) -> tuple[UUID, UUID]:
    """A registration whose application counter1 has claimed: the case and its task."""
    begun = c.start_case(town.office, town["counter1"], SHOP, {})
    c.claim_task(town.office, town["counter1"], begun.tasks[0].id)
    return begun.case, begun.tasks[0].id


def last(town: Town, case: UUID, kind: str):
    with town.office.store.reading() as reading:
        return queries.lines_of(reading, SYSTEM, case, kind)[-1]


def mine(town: Town, name: str):
    return c.worklist(town.office, town[name], view="mine").items


# -- transfer
@BOTH
def test_a_transferred_task_lies_on_the_other_desk(town: Town) -> None:
    case, task = fresh(town)
    c.transfer_task(town.office, town["counter1"], task, town["counter2"].account, reason="轮班")
    assert [item.id for item in mine(town, "counter2")] == [task]
    assert mine(town, "counter1") == ()
    with pytest.raises(TaskClaimed):
        c.complete_task(town.office, town["counter1"], task, a.shop_application())
    row = last(town, case, "task.transferred")
    assert row.detail == {
        "task": str(task),
        "from": str(town["counter1"].account),
        "to": str(town["counter2"].account),
    }
    assert row.values["reason"] == "轮班"
    assert c.complete_task(town.office, town["counter2"], task, a.shop_application()).milestone == "received"
    assert replays(town, case) == 2


def test_only_who_holds_the_task_or_supervises_transfers_it(town: Town) -> None:
    begun = c.start_case(town.office, town["counter1"], SHOP, {})
    task, to = begun.tasks[0].id, town["counter2"].account
    with pytest.raises(TaskNotHeld):
        c.transfer_task(town.office, town["counter1"], task, to)
    with pytest.raises(Forbidden):
        c.transfer_task(town.office, town["auditor1"], task, to)
    with pytest.raises(NotFound):
        c.transfer_task(town.office, town["examiner1"], task, to)
    c.claim_task(town.office, town["counter1"], task)
    with pytest.raises(TaskClaimed):
        c.transfer_task(town.office, town["counter2"], task, to)
    c.transfer_task(town.office, town["supervisor1"], task, to)
    assert [item.claimed_name for item in mine(town, "counter2")] == [town["counter2"].display_name]
    assert town.kinds(begun.case).count("attempt.refused") == 4


@BOTH
def test_nobody_is_given_what_they_may_not_do_and_nothing_is_told_of_them(town: Town) -> None:
    _, task = fresh(town)
    told = set()
    for to in (uuid4(), town["examiner1"].account, town["supervisor1"].account):
        with pytest.raises(Invalid) as caught:
            c.transfer_task(town.office, town["counter1"], task, to)
        told.add(str(caught.value.findings))
    assert len(told) == 1, "the answer tells who exists"
    assert "not_entitled" in told.pop()
    with pytest.raises(Invalid) as caught:
        c.transfer_task(town.office, town["counter1"], task, town["counter1"].account)
    assert [f.rule for f in caught.value.findings] == ["already_holds"]
    with town.office.store.transaction() as tx:
        tx.set_active(town["counter2"].account, False)
    with pytest.raises(Invalid):
        c.transfer_task(town.office, town["counter1"], task, town["counter2"].account)
    assert c.candidates(town.office, town["counter1"], task) == ()
    assert [item.id for item in mine(town, "counter1")] == [task]


def test_four_eyes_hold_for_who_receives_a_task(town: Town) -> None:
    begun = c.start_case(town.office, town["counter1"], "food_business_permit", {})
    now = c.complete_task(town.office, town["counter1"], begun.tasks[0].id, a.food_application())
    now = c.complete_task(town.office, town["reviewer1"], now.tasks[0].id, a.COMPLETE)
    points = c.task_view(town.office, town["inspector1"], now.tasks[0].id).variables["inspection_points"]
    now = c.complete_task(town.office, town["inspector1"], now.tasks[0].id, a.inspection(points))
    task, first = now.tasks[0].id, town["inspector1"].account
    c.claim_task(town.office, town["inspector2"], task)
    assert first not in {one.account for one in c.candidates(town.office, town["inspector2"], task)}
    for verb in (c.transfer_task, c.delegate_task):
        with pytest.raises(Invalid) as caught:
            verb(town.office, town["inspector2"], task, first)
        assert [f.rule for f in caught.value.findings] == ["distinct"]


def test_candidates_are_named_by_post_and_only_to_who_may_hand_on(town: Town) -> None:
    _, task = fresh(town)
    [one] = c.candidates(town.office, town["counter1"], task)
    assert (one.account, one.display_name) == (town["counter2"].account, town["counter2"].display_name)
    assert {one.account for one in c.candidates(town.office, town["supervisor1"], task)} == {one.account}
    with pytest.raises(Forbidden):
        c.candidates(town.office, town["auditor1"], task)
    with pytest.raises(NotFound):
        c.candidates(town.office, town["examiner1"], task)


# -- delegate and resolve
@BOTH
def test_a_delegate_fills_in_and_the_owner_completes(town: Town) -> None:
    case, task = fresh(town)
    owner, other = town["counter1"], town["counter2"]
    c.save_draft(town.office, owner, task, {"business_name": "半成品"})
    c.delegate_task(town.office, owner, task, other.account, reason="出差")
    assert [(i.id, i.delegation, i.owner_name) for n in ("counter1", "counter2") for i in mine(town, n)] == [
        (task, "pending", owner.display_name)
    ] * 2
    assert c.task_view(town.office, other, task).draft == {"business_name": "半成品"}
    for name in ("counter1", "counter2"):
        view = c.task_view(town.office, town[name], task)
        assert (view.may_complete, view.why_not) == (False, "delegated")
        with pytest.raises(TaskDelegated):
            c.complete_task(town.office, town[name], task, a.shop_application())
    with pytest.raises(FormInvalid) as caught:
        c.resolve_task(town.office, other, task, {"extra": 1})
    assert len(caught.value.findings) > 3
    with pytest.raises(TaskNotHeld):
        c.resolve_task(town.office, owner, task, a.shop_application())
    c.resolve_task(town.office, other, task, a.shop_application())
    assert [i.delegation for i in mine(town, "counter1")] == ["resolved"]
    assert mine(town, "counter2") == ()
    with pytest.raises(TaskClaimed):
        c.complete_task(town.office, other, task, a.shop_application())
    draft = c.task_view(town.office, owner, task).draft
    assert draft["business_name"] == a.shop_application()["business_name"]
    assert c.complete_task(town.office, owner, task, draft).milestone == "received"
    assert last(town, case, "task.resolved").values["answers"] == draft
    assert replays(town, case) == 2


def test_files_of_the_delegate_reach_the_owner(town: Town) -> None:
    first = c.start_case(town.office, town["counter1"], "food_business_permit", {})
    task = first.tasks[0].id
    c.claim_task(town.office, town["counter1"], task)
    c.delegate_task(town.office, town["counter1"], task, town["counter2"].account)
    file = c.attach_file(town.office, town["counter2"], task, name="图.txt", media_type="text/plain", content=b"plan")
    materials = a.submitted(*a.FOOD)
    materials[0] |= {"file": file}
    c.resolve_task(town.office, town["counter2"], task, a.food_application(materials=materials))
    assert c.attachment(town.office, town["counter1"], file).content == b"plan"
    draft = c.task_view(town.office, town["counter1"], task).draft
    assert c.complete_task(town.office, town["counter1"], task, draft).milestone


@pytest.mark.parametrize("who", ["counter1", "counter2"])
def test_what_is_delegated_can_be_taken_back_and_declined(town: Town, who: str) -> None:
    case, task = fresh(town)
    c.delegate_task(town.office, town["counter1"], task, town["counter2"].account)
    c.release_task(town.office, town[who], task)
    [item] = mine(town, "counter1")
    assert (item.delegation, item.owner, item.claimed_by) == (None, None, town["counter1"].account)
    assert last(town, case, "task.released").detail["to"] == str(town["counter1"].account)
    assert mine(town, "counter2") == ()
    with pytest.raises(TaskClaimed):
        c.resolve_task(town.office, town["counter2"], task, a.shop_application())
    c.complete_task(town.office, town["counter1"], task, a.shop_application())


def test_what_lies_with_a_delegate_is_handed_on_by_a_supervisor_only(town: Town) -> None:
    _, task = fresh(town)
    c.delegate_task(town.office, town["counter1"], task, town["counter2"].account)
    for name, to in (("counter1", "counter2"), ("counter2", "counter1")):
        for verb in (c.transfer_task, c.delegate_task):
            with pytest.raises(TaskDelegated):
                verb(town.office, town[name], task, town[to].account)
    c.transfer_task(town.office, town["supervisor1"], task, town["counter1"].account)
    [item] = mine(town, "counter1")
    assert (item.owner, item.delegation) == (None, None)
    with pytest.raises(Forbidden):
        c.delegate_task(town.office, town["supervisor1"], task, town["counter2"].account)


@BOTH
def test_the_same_transfer_twice_has_one_effect(town: Town) -> None:
    case, task = fresh(town)
    once = Once(key="k", route="transfer", digest="d")
    to = town["counter2"].account
    first = c.transfer_task(town.office, town["counter1"], task, to, once=once)
    assert c.transfer_task(town.office, town["counter1"], task, to, once=once) == first
    assert town.kinds(case).count("task.transferred") == 1


@BOTH
@pytest.mark.parametrize("first", ["complete", "transfer"])
def test_of_transfer_and_completion_at_once_the_second_is_told(town: Town, first: str) -> None:
    case, task = fresh(town)
    verbs = {
        "complete": lambda: c.complete_task(town.office, town["counter1"], task, a.shop_application()),
        "transfer": lambda: c.transfer_task(town.office, town["counter1"], task, town["counter2"].account),
    }
    second = "transfer" if first == "complete" else "complete"
    told: list[SanweiError] = []

    def rival() -> None:
        try:
            verbs[second]()
        except SanweiError as refusal:
            told.append(refusal)

    # The first holds the case while the second is seen to wait for it, then goes on where it stood.
    thread = threading.Thread(target=rival)
    with town.office.store.transaction() as tx:
        tx.lock_task(task)
        thread.start()
        until_a_rival_waits(town.office.store)
        with held(town, tx):
            verbs[first]()
    thread.join()
    [refusal] = told
    assert isinstance(refusal, TaskNotOpen if first == "complete" else TaskClaimed)
    assert refusal.facts["by"] == town["counter1" if first == "complete" else "counter2"].display_name
    kinds = town.kinds(case)
    assert (kinds.count("task.completed"), kinds.count("task.transferred")) == (
        (1, 0) if first == "complete" else (0, 1)
    )
    assert replays(town, case) == (2 if first == "complete" else 1)


@contextmanager
def held(town: Town, tx) -> Iterator[None]:
    """Verbs called meanwhile go on with the transaction that is open already."""
    store = town.office.store

    class Held:
        """The store, but that a verb's transaction is the one already open."""

        def __getattr__(self, name):
            return getattr(store, name)

        def transaction(self):
            return nullcontext(tx)

    town.office.store = Held()  # type: ignore[assignment]
    try:
        yield
    finally:
        town.office.store = store


# -- urge
@BOTH
def test_urging_marks_the_worklist_once_an_hour_each(town: Town) -> None:
    case, task = fresh(town)
    c.urge_task(town.office, town["supervisor1"], task, reason="群众来电")
    assert mine(town, "counter1")[0].urged_at is not None
    with pytest.raises(UrgedAlready):
        c.urge_task(town.office, town["supervisor1"], task)
    c.urge_task(town.office, town["counter1"], task)  # who started the case
    town.advance(minutes=59)
    with pytest.raises(UrgedAlready):
        c.urge_task(town.office, town["supervisor1"], task)
    town.advance(minutes=2)
    c.urge_task(town.office, town["supervisor1"], task)
    assert town.kinds(case).count("task.urged") == 3
    with pytest.raises(Forbidden):
        c.urge_task(town.office, town["counter2"], task)
    with pytest.raises(NotFound):
        c.urge_task(town.office, town["examiner1"], task)
    c.complete_task(town.office, town["counter1"], task, a.shop_application())
    with pytest.raises(TaskNotOpen):
        c.urge_task(town.office, town["supervisor1"], task)
    assert replays(town, case) == 2


# -- comments
def test_a_comment_is_read_by_all_who_may_see_the_case(town: Town) -> None:
    case, task = fresh(town)
    c.comment_task(town.office, town["counter2"], task, "  材料第三页不清 ")
    c.comment_case(town.office, town["supervisor1"], case, "请尽快")
    for name in ("counter1", "auditor1"):
        found = c.comments(town.office, town[name], case)
        assert [(one.text, one.by, one.element is None) for one in found] == [
            ("材料第三页不清", town["counter2"].display_name, False),
            ("请尽快", town["supervisor1"].display_name, True),
        ]
    for ask in (
        lambda: c.comments(town.office, town["examiner1"], case),
        lambda: c.comment_case(town.office, town["examiner1"], case, "x"),
        lambda: c.comment_task(town.office, town["examiner1"], task, "x"),
    ):
        with pytest.raises(NotFound):
            ask()


@pytest.mark.parametrize("text", ["", " \n ", "字" * 2001])
def test_a_comment_says_something_within_bounds(town: Town, text: str) -> None:
    case, _ = fresh(town)
    with pytest.raises(Invalid) as caught:
        c.comment_case(town.office, town["counter1"], case, text)
    assert [f.where for f in caught.value.findings] == ["text"]
    assert c.comments(town.office, town["counter1"], case) == ()


@BOTH
def test_what_is_written_about_a_case_lies_sealed(town: Town) -> None:
    case, task = fresh(town)
    c.comment_case(town.office, town["counter1"], case, "只有有权人可见")
    c.transfer_task(town.office, town["counter1"], task, town["counter2"].account, reason="只有有权人可见")
    with town.office.store.reading() as reading:
        for table in ("event", "event_value", "task"):
            rows = reading.connection.exec_driver_sql(f"SELECT * FROM {table}").all()
            cells = [cell if isinstance(cell, bytes) else str(cell).encode() for row in rows for cell in row]
            assert "只有有权人可见".encode() not in b"".join(cells)
    assert last(town, case, "comment.added").values == {"text": "只有有权人可见"}
