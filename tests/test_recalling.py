"""Recall (撤回) over the real store: who may take a completion back, until when, and what then stands again."""

from __future__ import annotations

import pytest

from engine import commands as c
from engine.commands import recalling
from engine.errors import (
    ActedSince,
    CaseEnded,
    HasLeftTheDesk,
    NotReproducible,
    NotYourCompletion,
    SanweiError,
    TaskClaimed,
    TaskLapsed,
    TaskNotCompleted,
    TaskNotOpen,
)
from engine.model import Once, Outcome
from tests import diagrams as d
from tests.processes import answers as a
from tests.test_replay import replays, told
from tests.test_returning import LINE, TIMES, back, begin, done, seated, standing, task, user
from tests.test_seams import act
from tests.town import Town


# -- recall
def recalled(town: Town, first: Outcome, element: str, by: str = "counter1") -> Outcome:
    return c.recall_task(town.office, town[by], task(first, element))


def test_a_completion_is_taken_back_onto_the_desk_it_came_from(town: Town) -> None:
    first = done(town, begin(town, seated(*LINE)), "check")
    then = done(town, first, "examine")
    assert c.case_view(town.office, town["counter1"], first.case).recallable == task(first, "examine")
    assert c.case_view(town.office, town["counter2"], first.case).recallable is None
    now = recalled(town, first, "examine")
    assert standing(town, now.case) == ["examine"]
    assert task(now, "examine") != task(first, "examine")
    view = c.task_view(town.office, town["counter1"], task(now, "examine"))
    assert view.task.claimed_by == town["counter1"].account
    assert view.case.recallable is None
    with pytest.raises(TaskNotOpen):
        c.complete_task(town.office, town["counter2"], task(then, "decide"), {})
    now = done(town, done(town, now, "examine"), "decide")
    assert now.outcome == "completed"
    assert replays(town, now.case) == 6


def test_an_application_whose_receipt_is_issued_is_not_recalled(town: Town) -> None:
    permit = c.start_case(town.office, town["counter1"], "food_business_permit", {})
    c.complete_task(town.office, town["counter1"], permit.tasks[0].id, a.food_application())
    assert c.case_view(town.office, town["counter1"], permit.case).recallable is None
    refused(town, HasLeftTheDesk, permit, "register_application")


def test_a_recalled_form_has_its_answers_as_a_draft(town: Town) -> None:
    now = c.start_case(town.office, town["counter1"], "food_business_permit", {})
    now = c.complete_task(town.office, town["counter1"], now.tasks[0].id, a.food_application())
    now = c.complete_task(town.office, town["reviewer1"], now.tasks[0].id, a.COMPLETE)
    points = c.task_view(town.office, town["inspector1"], now.tasks[0].id).variables["inspection_points"]
    first = now.tasks[0].id
    c.complete_task(town.office, town["inspector1"], first, a.inspection(points))
    now = c.recall_task(town.office, town["inspector1"], first)
    view = c.task_view(town.office, town["inspector1"], now.tasks[0].id)
    assert a.inspection(points).items() <= (view.draft or {}).items()
    c.complete_task(town.office, town["inspector1"], now.tasks[0].id, a.inspection(points))
    assert replays(town, now.case) == 6


def test_blocks_instances_and_calls_are_recalled_and_executed_again(town: Town) -> None:
    called = seated(
        d.io("n", "m"),
        d.start(),
        user("inside"),
        d.script("k", "m = n"),
        d.end(),
        d.flow("s", "inside", "k", "e"),
        ident="called",
    )
    body = (d.start(), d.script("n_is", "n = 1"), user("first"), d.gateway("split"), user("sign", "", TIMES))
    flows = d.flow("s", "n_is", "first", "split", "sign", "join", "last", "e") + d.flow("split", "step", "join")
    more = (d.call("step", "called"), d.gateway("join"), user("last"), d.end(), flows)
    now = begin(town, seated(*body, *more), called)
    for element in ("first", "inside", "sign", "sign", "sign"):
        before, first = standing(town, now.case), now
        done(town, now, element)
        now = recalled(town, first, element)
        assert standing(town, now.case) == before
        now = done(town, now, element)
    assert standing(town, now.case) == ["last"]
    assert replays(town, now.case) == 16


def refused(town: Town, error: type[SanweiError], first: Outcome, element: str, by: str = "counter1") -> None:
    before = standing(town, first.case)
    with pytest.raises(error):
        recalled(town, first, element, by)
    assert standing(town, first.case) == before
    row = told(town, first.case)[-1]
    assert (row.kind, row.detail["verb"]) == ("attempt.refused", "recall")


def test_only_who_completed_it_takes_it_back_and_only_once_it_is(town: Town) -> None:
    first = begin(town, seated(*LINE))
    refused(town, TaskNotCompleted, first, "check")
    done(town, first, "check")
    refused(town, NotYourCompletion, first, "check", by="counter2")
    recalled(town, first, "check")
    refused(town, ActedSince, first, "check")


def test_what_others_have_taken_up_is_not_taken_back(town: Town) -> None:
    first = begin(town, seated(*LINE))
    now = done(town, first, "check")
    c.claim_task(town.office, town["counter2"], task(now, "examine"))
    assert c.case_view(town.office, town["counter1"], now.case).recallable is None
    refused(town, TaskClaimed, first, "check")
    c.release_task(town.office, town["counter2"], task(now, "examine"))
    assert c.case_view(town.office, town["counter1"], now.case).recallable is not None
    done(town, now, "examine", by="counter2")
    refused(town, ActedSince, first, "check")


def test_one_who_claimed_the_next_task_oneself_may_take_back(town: Town) -> None:
    first = begin(town, seated(*LINE))
    now = done(town, first, "check")
    c.claim_task(town.office, town["counter1"], task(now, "examine"))
    recalled(town, first, "check")
    assert standing(town, now.case) == ["check"]


@pytest.mark.parametrize(
    "acts", [{"papers": "receipt"}, {"milestone": "accepted"}, {"starts": "delivery"}, {"notices": "received"}]
)
def test_what_has_left_the_desk_is_not_recalled(town: Town, acts: dict[str, str]) -> None:
    body = (
        d.start(),
        user("check"),
        act("told", **acts),
        user("decide"),
        d.end(),
        d.flow("s", "check", "told", "decide", "e"),
    )
    first = begin(town, seated(*body))
    now = done(town, first, "check")
    assert c.case_view(town.office, town["counter1"], now.case).recallable is None
    refused(town, HasLeftTheDesk, first, "check")


def test_a_message_that_was_sent_is_not_recalled(town: Town) -> None:
    body = (
        d.start(),
        user("check"),
        d.throw("told", "msg"),
        user("decide"),
        d.end(),
        d.flow("s", "check", "told", "decide", "e"),
    )
    first = begin(town, seated(*body))
    done(town, first, "check")
    refused(town, HasLeftTheDesk, first, "check")


def test_a_timer_that_fired_since_or_would_have_is_not_undone(town: Town) -> None:
    body = (d.start(), user("check"), d.boundary("slow", "check", 'timer "PT1H"'), user("decide"), d.end(), d.end("e2"))
    first = begin(town, seated(*body, d.flow("s", "check", "decide", "e") + d.flow("slow", "e2")))
    done(town, first, "check")
    town.advance(hours=2)
    refused(town, TaskLapsed, first, "check")
    body = (
        d.start(),
        user("check"),
        user("decide"),
        d.boundary("slow", "decide", 'timer "PT1H"', cancel=False),
        d.end(),
    )
    flows = d.flow("s", "check", "decide", "e") + d.flow("slow", "watch", "e2")
    first = begin(town, seated(*body, user("watch"), d.end("e2"), flows, ident="other"))
    done(town, first, "check")
    town.advance(hours=2)
    c.fire_due(town.office, first.case)
    refused(town, ActedSince, first, "check")


def test_an_ended_case_is_not_reopened_by_recall(town: Town) -> None:
    first = begin(town, seated(d.start(), user("check"), d.end(), d.flow("s", "check", "e")))
    done(town, first, "check")
    with pytest.raises(CaseEnded):
        recalled(town, first, "check")


def test_a_history_that_does_not_lead_here_is_not_recalled(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    first = begin(town, seated(*LINE))
    done(town, first, "check")
    whole = recalling.again

    def other(definition, state, row, before=b"", **named):
        step = whole(definition, state, row, before, **named)
        return None if row.kind == "task.completed" else step

    with monkeypatch.context() as patch:
        patch.setattr(recalling, "again", other)
        refused(town, NotReproducible, first, "check")


def test_the_same_recall_asked_for_twice_happens_once(town: Town) -> None:
    first = begin(town, seated(*LINE))
    done(town, first, "check")
    once = Once(key="k", route="recall", digest="d")
    answer = c.recall_task(town.office, town["counter1"], task(first, "check"), once=once)
    assert c.recall_task(town.office, town["counter1"], task(first, "check"), once=once) == answer
    assert town.kinds(first.case).count("task.recalled") == 1


def test_a_return_is_not_recalled_but_what_follows_it_is(town: Town) -> None:
    first = done(town, done(town, begin(town, seated(*LINE)), "check"), "examine")
    returned = back(town, first, "decide", "examine")
    refused(town, NotYourCompletion, first, "decide")
    done(town, returned, "examine")
    now = recalled(town, returned, "examine")
    assert c.task_view(town.office, town["counter1"], task(now, "examine")).returned is not None
    done(town, now, "examine")
    assert replays(town, now.case) == 7
