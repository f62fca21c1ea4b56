"""Recall: a step taken back leaves the case as it stood, whatever the step went through."""

from __future__ import annotations

import random

import pytest

from engine import bpmn
from engine.errors import CaseEnded, InputRejected
from tests import diagrams as d
from tests.blocks import Maker
from tests.diagrams import Play
from tests.test_machine_returning import TIMES, called, calling, moves_of, recall, user


def test_a_step_taken_back_leaves_the_case_as_it_stood() -> None:
    p = Play(
        d.start(),
        user("a"),
        d.script("k", "n = n + 1"),
        user("b"),
        d.end(),
        d.flow("s", "a", "k", "b", "e"),
        data={"n": 1},
    )
    before = p.step.state
    recall(p.complete("a", {"x": 1}), before)
    assert (p.open, p.data) == (["a"], {"n": 1})
    p.complete("a", {"x": 2}).complete("b")
    assert p.outcome == "completed"


def test_a_step_over_blocks_calls_and_instances_is_taken_back() -> None:
    signing = user("sign", "", TIMES.format("false"))
    body = d.start() + user("a") + d.gateway("split") + signing + d.call("c1", "A") + d.gateway("join") + d.end()
    body += d.flow("s", "a", "split", "sign", "join", "e") + d.flow("split", "c1", "join")
    p = Play(files=(d.process(body), called()), data={"n": 1})
    for node in ("a", "inside", "sign", "sign", "check", "sign"):
        before = p.step.state
        standing = p.open
        if node == "sign" and len(p.step.work) == 1:
            break
        recall(p.complete(node), before)
        assert p.open == standing
        p.complete(node)
    assert p.open == ["sign"]


def test_a_scope_that_had_ended_stands_again_with_its_variables() -> None:
    p = Play(files=(calling(""), called()), data={"n": 1}).complete("inside", {"k": 4})
    before = p.step.state
    recall(p.complete("check", {"k": 9}), before)
    [item] = p.step.work
    assert bpmn.read(p.definition, p.step.state, item.token) == {"n": 1, "k": 4}
    assert p.data == {"n": 1}
    assert p.complete("check").data == {"n": 11, "m": 4}


def test_what_waited_waits_again_and_no_number_is_given_twice() -> None:
    body = d.start() + user("a") + d.boundary("late", "a", 'timer "PT2H"') + d.end("e2") + user("b") + d.end()
    p = Play(body + d.flow("s", "a", "b", "e") + d.flow("late", "e2"))
    before, waits = p.step.state, p.step.waits
    given = p.complete("a").step.work[0].token
    recall(p, before)
    assert p.step.waits == waits
    assert p.complete("a").step.work[0].token > given
    recall(p, before)
    assert p.later(hours=3).outcome == "completed"


def test_only_an_earlier_state_of_the_same_case_is_restored() -> None:
    p, other = (Play(d.start(), user("a"), user("b"), d.flow("s", "a", "b")) for _ in range(2))
    before = p.step.state
    later = other.complete("a").step.state
    stranger = Play(d.start(), user("a"), d.flow("s", "a")).step.state
    for wrong in (later, stranger, b"{}"):
        with pytest.raises(InputRejected):
            bpmn.restore(p.definition, before, p.now, wrong)
    done = p.complete("a").complete("b")
    with pytest.raises(CaseEnded):
        bpmn.restore(p.definition, done.step.state, p.now, before)


def test_random_steps_taken_back_and_taken_again() -> None:
    for seed in range(40):
        maker = Maker(seed)
        body, first, last = maker.block(3)
        p = Play(d.start("S"), body, d.end("E"), d.flow("S", first), d.flow(last, "E"), data={"n": seed})
        rng = random.Random(seed)
        for _ in range(12):
            before, moves = p.step.state, moves_of(p, maker)
            if p.outcome or not moves:
                break
            rng.choice(moves)()
            if p.outcome is None and rng.random() < 0.5:
                recall(p, before)
