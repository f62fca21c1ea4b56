"""Added signers: before, after and beside a work item, m of n, nested, and gone with what asked for them."""

from __future__ import annotations

from typing import Any

import pytest

from engine import bpmn
from engine.bpmn import Work
from engine.errors import CaseEnded, InputRejected
from tests import diagrams as d
from tests.diagrams import Play

AGREED = {"position": "agree"}


def plain(*inner: str, **named: Any) -> Play:
    return Play(
        d.start(), d.user("a", d.properties("said", **named)), *inner, d.user("b"), d.end(), d.flow("s", "a", "b", "e")
    )


def original(play: Play, node: str = "a", pick: int = 0) -> Work:
    return [w for w in play.step.work if w.element.endswith(f"/{node}") and w.signing is None][pick]


def add(play: Play, kind: str, *signers: str, to: Work | None = None, quorum: int | None = None) -> Play:
    token = (to or original(play)).token
    return play.call(
        bpmn.add_signers, play.now, token, kind=kind, signers=signers, quorum=quorum, state=play.step.state
    )


def asked(play: Play) -> list[str]:
    return [w.signer or "" for w in play.step.work if w.signing]


def by(play: Play, who: str) -> Work:
    return next(w for w in play.step.work if w.signer == who)


def sign(play: Play, who: str, **said: Any) -> Play:
    return play.call(bpmn.complete, play.now, by(play, who).token, said or AGREED, state=play.step.state)


def drop(play: Play, token: int) -> Play:
    return play.call(bpmn.remove_signer, play.now, token, state=play.step.state)


def code(play: Play, function: Any, *given: Any, **named: Any) -> str:
    before = play.step.state
    with pytest.raises(InputRejected) as caught:
        function(play.definition, before, play.now, *given, **named)
    return caught.value.findings[0].rule


# -- the three kinds
def test_signers_before_come_first() -> None:
    play = add(plain(), "before", "x", "y")
    assert (asked(play), original(play).unsigned) == (["x", "y"], 2)
    assert code(play, bpmn.complete, original(play).token, {}) == "signatures_missing"
    sign(play, "y")
    assert original(play).unsigned == 1
    sign(play, "x")
    assert (play.open, original(play).unsigned) == (["a"], 0)
    assert play.complete("a").open == ["b"]


def test_signers_after_come_when_it_is_done_and_only_then_the_token_moves() -> None:
    play = add(plain(), "after", "x", "y")
    assert asked(play) == []
    token = original(play).token
    play.call(bpmn.complete, play.now, token, {"n": 1}, state=play.step.state)
    assert asked(play) == ["x", "y"]
    assert play.data["said"] == {"n": 1}
    assert code(play, bpmn.complete, token, {}) == "not_open"
    assert sign(sign(play, "x"), "y").open == ["b"]


@pytest.mark.parametrize("first", ["original", "signers"])
def test_signers_beside_and_the_original_come_in_any_order(first: str) -> None:
    play = add(plain(), "beside", "x", "y", quorum=1)
    if first == "original":
        play.call(bpmn.complete, play.now, original(play).token, {}, state=play.step.state)
        assert asked(play) == ["x", "y"]
        sign(play, "y")
    else:
        sign(play, "y")
        assert play.open == ["a"], "who has not signed by then need not"
        play.complete("a")
    assert play.open == ["b"]
    assert play.done("element.cancelled") == ["a"]


def test_several_rounds_are_kept_apart() -> None:
    play = add(add(add(plain(), "before", "x"), "beside", "y"), "after", "z")
    assert asked(play) == ["x", "y"]
    sign(play, "x")
    play.call(bpmn.complete, play.now, original(play).token, {}, state=play.step.state)
    assert asked(play) == ["y", "z"]
    assert sign(sign(play, "z"), "y").open == ["b"]


def test_a_quorum_of_m_needs_m_and_no_more() -> None:
    play = add(plain(), "before", *"vwxyz", quorum=3)
    sign(sign(play, "x"), "v")
    assert original(play).unsigned == 1
    sign(play, "z")
    assert (asked(play), original(play).unsigned) == ([], 0)
    assert play.done("element.cancelled") == ["a", "a"]


def test_a_signer_asks_another() -> None:
    play = add(plain(), "before", "x")
    add(play, "before", "y", to=by(play, "x"))
    assert code(play, bpmn.complete, by(play, "x").token, AGREED) == "signatures_missing"
    add(play, "after", "z", to=by(play, "y"))
    sign(play, "y")
    assert asked(play) == ["x", "z"]
    assert code(play, bpmn.add_signers, by(play, "z").token, kind="after", signers=["u"]) == "signing_depth"
    assert sign(sign(play, "z"), "x").complete("a").open == ["b"]


def test_the_signatures_are_kept_in_their_order_where_the_element_names_a_variable() -> None:
    play = add(plain(signatures="opinions"), "before", "x", "y")
    sign(sign(play, "y", position="disagree", opinion="缺图"), "x")
    assert play.data["opinions"] == [{"position": "disagree", "opinion": "缺图"}, AGREED]
    assert "said" not in play.data
    assert add(plain(), "before", "x").step.state != sign(add(plain(), "before", "x"), "x").step.state
    assert "opinions" not in sign(add(plain(), "before", "x"), "x").data


# -- removing
def test_who_is_not_asked_any_more_is_not_waited_for() -> None:
    play = add(plain(), "before", "x", "y", "z", quorum=2)
    token = by(play, "x").token
    drop(play, token)
    assert (asked(play), original(play).unsigned) == (["y", "z"], 2)
    assert code(play, bpmn.complete, token, AGREED) == "not_open"
    drop(play, by(play, "y").token)
    assert original(play).unsigned == 1
    drop(play, by(play, "z").token)
    assert play.complete("a").open == ["b"]


def test_the_last_one_removed_lets_what_is_done_go_on() -> None:
    play = add(plain(), "after", "x")
    play.call(bpmn.complete, play.now, original(play).token, {}, state=play.step.state)
    assert drop(play, by(play, "x").token).open == ["b"]


def test_a_signer_after_is_removed_before_the_turn_has_come() -> None:
    play = add(plain(), "after", "x")
    drop(play, original(play).token + 1)
    assert play.complete("a").open == ["b"]


def test_only_who_has_not_signed_is_removed() -> None:
    play = add(plain(), "before", "x")
    add(play, "after", "y", to=by(play, "x"))
    signed = by(play, "x").token
    sign(play, "x")
    assert code(play, bpmn.remove_signer, signed) == "signed_already"
    assert code(play, bpmn.remove_signer, original(play).token) == "not_a_signer"
    assert code(play, bpmn.remove_signer, 999) == "not_open"


# -- refused
@pytest.mark.parametrize(
    ("kind", "signers", "quorum", "rule"),
    [
        ("instead", ["x"], None, "signing_kind"),
        ("before", [], None, "signing_quorum"),
        ("before", ["x", "x"], None, "signing_quorum"),
        ("before", ["x"], 2, "signing_quorum"),
        ("before", ["x"], 0, "signing_quorum"),
        ("before", [str(n) for n in range(51)], None, "signing_quorum"),
    ],
)
def test_what_makes_no_sense_is_refused(kind: str, signers: list[str], quorum: int | None, rule: str) -> None:
    play = plain()
    asks = {"kind": kind, "signers": signers, "quorum": quorum}
    assert code(play, bpmn.add_signers, original(play).token, **asks) == rule


def test_signers_are_added_to_open_human_tasks_only() -> None:
    operator = '<spiffworkflow:serviceTaskOperator id="op" resultVariable="r"/>'
    play = Play(d.start(), d.element("serviceTask", "a", d.extensions(operator)), d.end(), d.flow("s", "a", "e"))
    assert code(play, bpmn.add_signers, original(play).token, kind="before", signers=["x"]) == "signing_kind"
    play = plain()
    token = original(play).token
    play.complete("a")
    assert code(play, bpmn.add_signers, token, kind="before", signers=["x"]) == "not_open"
    play.complete("b")
    with pytest.raises(CaseEnded):
        bpmn.add_signers(play.definition, play.step.state, play.now, token, kind="before", signers=["x"])


def test_a_signer_reports_no_error() -> None:
    play = add(plain(), "beside", "x")
    assert code(play, bpmn.complete, by(play, "x").token, AGREED, error="E1") == "signers_sign"


# -- gone with what asked for them
def interrupted(on: str, cancel: bool = True) -> Play:
    return Play(
        d.start(),
        d.user("a"),
        d.boundary("late", "a", on, cancel=cancel),
        d.user("b"),
        d.user("c"),
        d.end(),
        d.end("e2"),
        d.flow("s", "a", "b", "e"),
        d.flow("late", "c", "e2"),
    )


@pytest.mark.parametrize("kind", ["before", "after", "beside"])
def test_an_interrupting_event_ends_the_signing_too(kind: str) -> None:
    play = add(interrupted('timer "PT1H"'), kind, "x", "y")
    if kind == "after":
        play.call(bpmn.complete, play.now, original(play).token, {}, state=play.step.state)
    number = by(play, "x").token if kind != "after" else by(play, "y").token
    play.later(hours=2)
    assert (play.open, asked(play)) == (["c"], [])
    assert code(play, bpmn.complete, number, AGREED) == "not_open"


def test_an_event_that_does_not_interrupt_leaves_them() -> None:
    play = add(interrupted('timer "PT1H"', cancel=False), "before", "x").later(hours=2)
    assert (play.open, asked(play)) == (["a", "a", "c"], ["x"])


def test_an_error_of_the_original_ends_them() -> None:
    play = add(interrupted("err"), "beside", "x")
    play.complete("a", error="E1")
    assert (play.open, asked(play)) == (["c"], [])


def test_termination_of_the_block_ends_them() -> None:
    play = Play(
        d.start(),
        d.gateway("g"),
        d.user("a"),
        d.user("b"),
        d.end("e", "term"),
        d.end("e2"),
        d.flow("s", "g", "a", "e2"),
        d.flow("g", "b", "e"),
    )
    add(play, "before", "x", "y")
    assert play.complete("b").outcome == "terminated"
    assert play.done("element.cancelled") == ["a", "a", "a"]


@pytest.mark.parametrize("kind", ["before", "after", "beside"])
def test_a_return_ends_them_and_is_not_the_signers_to_make(kind: str) -> None:
    play = Play(
        d.start(),
        d.user("first"),
        d.user("a", d.properties(returns_to="first")),
        d.end(),
        d.flow("s", "first", "a", "e"),
    ).complete("first")
    add(play, kind, "x", "y")
    if kind != "after":
        assert bpmn.returnable(play.definition, play.step.state, by(play, "x").token) == {}
        assert code(play, bpmn.send_back, by(play, "x").token, "first") == "no_return"
    play.call(bpmn.send_back, play.now, original(play).token, "first", state=play.step.state)
    assert (play.open, asked(play)) == (["first"], [])
    assert play.complete("first").complete("a").outcome == "completed"


def test_a_recall_asks_them_again() -> None:
    play = add(plain(), "before", "x", "y", quorum=1)
    before = play.step.state
    sign(play, "x")
    play.step = bpmn.restore(play.definition, play.step.state, play.now, before)
    play.history += play.step.entries
    assert (asked(play), original(play).unsigned) == (["x", "y"], 1)
    assert sign(play, "y").complete("a").open == ["b"]


# -- where
def test_signers_in_a_called_process_stand_in_it() -> None:
    inner = d.process(d.start(), d.user("a"), d.end(), d.flow("s", "a", "e"), ident="Q")
    middle = d.process(d.start(), d.call("q", "Q"), d.end(), d.flow("s", "q", "e"), ident="R")
    outer = d.process(d.start(), d.call("r", "R"), d.user("b"), d.end(), d.flow("s", "r", "b", "e"))
    play = add(Play(files=(outer, middle, inner)), "after", "x")
    play.call(bpmn.complete, play.now, original(play).token, {}, state=play.step.state)
    assert by(play, "x").element == "Q/a"
    assert sign(play, "x").open == ["b"]


def test_a_parallel_block_waits_for_its_signers() -> None:
    play = Play(
        d.start(),
        d.gateway("g"),
        d.user("a"),
        d.user("b"),
        d.gateway("j", "inclusive"),
        d.user("c"),
        d.end(),
        d.flow("s", "g", "a", "j", "c", "e"),
        d.flow("g", "b", "j"),
    )
    add(play, "beside", "x", "y", quorum=2)
    play.complete("b")
    play.call(bpmn.complete, play.now, original(play).token, {}, state=play.step.state)
    sign(play, "x")
    assert play.open == ["a"]
    assert sign(play, "y").open == ["c"]


@pytest.mark.parametrize("sequential", [False, True])
def test_each_instance_has_signers_of_its_own(sequential: bool) -> None:
    loop = d.element(
        "multiInstanceLoopCharacteristics",
        "m",
        "<loopDataInputRef>people</loopDataInputRef><loopDataOutputRef>votes</loopDataOutputRef>"
        '<inputDataItem id="person"/><outputDataItem id="vote"/>',
        isSequential=str(sequential).lower(),
    )
    play = Play(
        d.start(), d.user("a", d.properties("vote") + loop), d.end(), d.flow("s", "a", "e"), data={"people": [1, 2]}
    )
    add(play, "before", "x", to=original(play))
    assert by(play, "x").instance == 0
    if not sequential:
        play.call(bpmn.complete, play.now, original(play, pick=1).token, {"v": 2}, state=play.step.state)
        assert asked(play) == ["x"]
    sign(play, "x")
    play.call(bpmn.complete, play.now, original(play).token, {"v": 1}, state=play.step.state)
    if sequential:
        add(play, "after", "y", to=original(play))
        play.call(bpmn.complete, play.now, original(play).token, {"v": 2}, state=play.step.state)
        assert by(play, "y").instance == 1
        sign(play, "y")
    assert play.outcome == "completed"
    assert play.data["votes"] == [{"v": 1}, {"v": 2}]


def test_a_form_of_an_earlier_round_completes_nothing_later() -> None:
    play = Play(
        d.start(),
        d.gateway("m", "exclusive"),
        d.user("a"),
        d.gateway("g", "exclusive", default="g_m"),
        d.end(),
        d.flow("s", "m", "a", "g"),
        d.flow("g", "m"),
        d.flow("g", "e", when="False"),
    )
    add(play, "before", "x")
    stale, original_one = by(play, "x").token, original(play).token
    sign(play, "x").complete("a")
    add(play, "before", "x")
    for token in (stale, original_one):
        assert code(play, bpmn.complete, token, AGREED) == "not_open"
    assert by(play, "x").token > stale


def test_a_case_without_signers_keeps_its_bytes_and_one_with_them_is_format_two() -> None:
    play = plain()
    before = play.step
    add(play, "before", "x")
    assert (before.format, play.step.format) == (1, 2)
    sign(play, "x")
    assert play.step.format == 1
    assert b"rounds" not in play.step.state


def test_a_fault_behind_the_last_signature_refuses_it() -> None:
    play = Play(
        d.start(),
        d.user("a", d.extensions("<spiffworkflow:postScript>x = 1 / 0</spiffworkflow:postScript>")),
        d.end(),
        d.flow("s", "a", "e"),
    )
    add(play, "after", "x")
    play.call(bpmn.complete, play.now, original(play).token, {}, state=play.step.state)
    code(play, bpmn.complete, by(play, "x").token, AGREED)
    assert asked(play) == ["x"]
