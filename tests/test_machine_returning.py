"""Going back in the machine: what a return cancels, what goes on beside it, and a step taken back as if never done."""

from __future__ import annotations

from typing import Any

import pytest

from engine import bpmn
from engine.bpmn.state import decode, encode
from engine.errors import CaseEnded, InputRejected
from tests import diagrams as d
from tests.blocks import Block, Maker
from tests.diagrams import Play


def user(ident: str, back: str = "", inner: str = "", **more: str) -> str:
    return d.user(ident, (d.properties(returns_to=back) if back else "") + inner, **more)


def back(p: Play, node: str, target: str, pick: int = 0) -> Play:
    item = [w for w in p.step.work if w.element.endswith("/" + node)][pick]
    return p.call(bpmn.send_back, p.now, item.token, target, state=p.step.state)


def targets(p: Play, node: str, pick: int = 0) -> dict[str, str]:
    item = [w for w in p.step.work if w.element.endswith("/" + node)][pick]
    return bpmn.returnable(p.definition, p.step.state, item.token)


def recall(p: Play, before: bytes) -> Play:
    """The state before becomes the state again; history and waiting work must agree with it."""
    newer, was = decode(p.step.state).number, decode(before)
    p.step = bpmn.restore(p.definition, p.step.state, p.now, before)
    p.history += p.step.entries
    now = decode(p.step.state)
    assert now.number == newer
    was.number, was.at = now.number, now.at
    assert encode(was) == p.step.state
    d.audit(p.step.state)
    d.audit_history(p.history, p.step.state)
    return p


TIMES = (
    '<multiInstanceLoopCharacteristics isSequential="{}"><loopCardinality>3</loopCardinality>'
    "</multiInstanceLoopCharacteristics>"
)


# -- return
def test_a_task_goes_back_to_an_earlier_one_and_forward_again() -> None:
    p = Play(d.start(), user("a"), user("b", "a"), d.end(), d.flow("s", "a", "b", "e"), data={"n": 1})
    p.complete("a", {"x": 1})
    assert targets(p, "b") == {"a": "P/a"}
    back(p, "b", "a")
    assert p.open == ["a"]
    assert p.data == {"n": 1, "x": 1}
    assert p.done("element.cancelled") == ["b"]
    p.complete("a", {"x": 2}).complete("b")
    assert p.outcome == "completed"


def test_only_what_the_diagram_lists_is_a_target() -> None:
    p = Play(d.start(), user("a"), user("b"), user("c", "a nowhere"), d.end(), d.flow("s", "a", "b", "c", "e"))
    p.complete("a").complete("b")
    before = p.step.state
    assert targets(p, "c") == {"a": "P/a"}
    for target in ("b", "nowhere", "", "c"):
        with pytest.raises(InputRejected):
            back(p, "c", target)
    assert p.step.state == before


def test_what_is_not_an_open_user_task_is_not_returned() -> None:
    p = Play(d.start(), user("a"), user("b", "a"), d.end(), d.flow("s", "a", "b", "e"))
    old = p.step.work[0].token
    p.complete("a")
    with pytest.raises(InputRejected):
        bpmn.send_back(p.definition, p.step.state, p.now, old, "a")
    p.complete("b")
    with pytest.raises(CaseEnded):
        bpmn.send_back(p.definition, p.step.state, p.now, old, "a")


def block(*branches: str, kind: str = "parallel") -> str:
    """s → first → split → branches → join → last → e; every branch is `one_two` ids of user tasks."""
    body = (
        d.start() + user("first") + d.gateway("split", kind) + d.gateway("join", kind) + user("last", "first a1 split")
    )
    body += d.end() + d.flow("s", "first", "split") + d.flow("join", "last", "e")
    for branch in branches:
        names = branch.split()
        body += "".join(user(n, f"first {names[0]} last") for n in names)
        body += d.flow("split", names[0]) + d.flow(*names, "join") if kind == "parallel" else ""
        if kind == "inclusive":
            body += d.flow("split", names[0], when="True") + d.flow(*names, "join")
    return body


@pytest.mark.parametrize("kind", ["parallel", "inclusive"])
def test_a_return_within_a_branch_leaves_its_siblings_alone(kind: str) -> None:
    p = Play(block("a1 a2", "b1 b2", kind=kind)).complete("first").complete("a1").complete("b1").complete("b2")
    assert p.open == ["a2"]
    back(p, "a2", "a1")
    assert p.open == ["a1"]
    p.complete("a1").complete("a2")
    assert p.open == ["last"]
    assert p.complete("last").outcome == "completed"


@pytest.mark.parametrize("kind", ["parallel", "inclusive"])
def test_a_return_to_before_the_split_cancels_all_its_branches_and_what_is_parked(kind: str) -> None:
    p = Play(block("a1 a2", "b1", "c1 c2", kind=kind)).complete("first").complete("b1").complete("c1").complete("a1")
    back(p, "a2", "first")
    assert p.open == ["first"]
    p.complete("first").complete("a1").complete("a2").complete("b1").complete("c1")
    assert p.open == ["c2"]
    assert p.complete("c2").open == ["last"]


def test_nobody_returns_into_a_block_that_has_been_closed() -> None:
    p = Play(block("a1 a2", "b1")).complete("first").complete("b1").complete("a1").complete("a2")
    assert targets(p, "last") == {"first": "P/first"}
    with pytest.raises(InputRejected):
        back(p, "last", "a1")


def test_siblings_stay_though_a_loop_leads_around_the_block() -> None:
    body = block("a1 a2", "b1 b2").replace(d.flow("last", "e"), "")
    loop = d.gateway("again", "exclusive", default="again_e") + d.flow("last", "again", "e")
    loop += d.flow("again", "merge", when="n < 1") + d.gateway("merge", "exclusive")
    body = body.replace(d.flow("first", "split"), d.flow("first", "merge", "split"))
    body = body.replace(d.flow("a1", "a2", "join"), d.flow("a1", "choice") + d.flow("a2", "or_not", "join"))
    loop += d.gateway("choice", "exclusive", default="choice_a2") + d.gateway("or_not", "exclusive")
    loop += d.flow("choice", "a2") + d.flow("choice", "or_not", when="n > 5")
    p = Play(body, loop, data={"n": 0}).complete("first").complete("b1")
    for round_ in (0, 1):
        p.complete("a1")
        back(p, "a2", "a1")
        assert p.open == ["a1", "b1" if round_ else "b2"]
        if round_:
            p.complete("b1")
        p.complete("b2").complete("a1").complete("a2")
        assert p.open == ["last"]
        p.complete("last", {"n": round_})
    assert p.outcome == "completed"


def test_nested_blocks_go_back_as_far_as_asked() -> None:
    def grown() -> Play:
        body = d.start() + user("t0") + d.gateway("s1") + user("t1", "t0") + user("x1") + d.gateway("s2")
        body += user("t2", "t0 t1 t2a") + user("y") + user("t2a") + d.gateway("j2") + d.gateway("j1") + d.end()
        body += d.flow("s", "t0", "s1", "t1", "s2", "t2a", "t2", "j2", "j1", "e") + d.flow("s2", "y", "j2")
        return Play(body + d.flow("s1", "x1", "j1")).complete("t0").complete("t1").complete("t2a")

    assert back(grown(), "t2", "t2a").open == ["t2a", "x1", "y"]
    assert back(grown(), "t2", "t1").open == ["t1", "x1"]
    assert back(grown().complete("y"), "t2", "t1").open == ["t1", "x1"]
    assert back(grown().complete("x1"), "t2", "t0").open == ["t0"]
    p = back(grown().complete("y").complete("x1"), "t2", "t1")
    assert p.complete("t1").complete("t2a").complete("y").complete("t2").outcome == "completed"


def test_a_reminder_begun_between_goes_and_one_begun_before_stays() -> None:
    body = d.start() + user("a") + d.boundary("slow_a", "a", "timer PT1H", cancel=False) + user("remind_a", "a")
    body += user("b") + user("c", "a b") + d.boundary("slow_c", "c", "timer PT1H", cancel=False) + user("remind_c", "b")
    body += d.end() + d.end("e2") + d.end("e3") + d.flow("s", "a", "b", "c", "e")
    body += d.flow("slow_a", "remind_a", "e2") + d.flow("slow_c", "remind_c", "e3")
    timers = body.replace("PT1H", '"PT1H"')
    p = Play(timers).later(hours=2).complete("a").complete("b").later(hours=2)
    assert p.open == ["c", "remind_a", "remind_c"]
    back(p, "c", "b")
    assert p.open == ["b", "remind_a"]
    back(p.complete("b"), "c", "a")
    assert p.open == ["a"]
    p.later(hours=2)
    assert back(p, "remind_a", "a").open == ["a"], "the task it reminds of is not there twice"


def test_a_return_out_of_a_sub_process_ends_it_with_its_events() -> None:
    inner = d.start("is") + d.gateway("isplit") + user("x", "a") + user("y") + d.gateway("ij") + d.end("ie")
    inner += d.flow("is", "isplit", "x", "ij", "ie") + d.flow("isplit", "y", "ij")
    body = d.start() + user("a") + d.sub("sub", inner) + d.boundary("stop", "sub", "msg") + user("stopped") + d.end()
    body += d.end("e2") + d.flow("s", "a", "sub", "e") + d.flow("stop", "stopped", "e2")
    p = Play(body).complete("a")
    assert len(p.step.waits) == 1
    back(p, "x", "a")
    assert (p.open, p.step.waits) == (["a"], ())
    p.complete("a").deliver("message", "msg")
    assert p.open == ["stopped"]


@pytest.mark.parametrize("sequential", ["true", "false"])
def test_one_instance_goes_back_inside_itself_or_all_of_them_before_themselves(sequential: str) -> None:
    inner = (
        TIMES.format(sequential)
        + d.start("is")
        + user("x")
        + user("y", "x a")
        + d.end("ie")
        + d.flow("is", "x", "y", "ie")
    )
    p = (
        Play(d.start(), user("a"), d.sub("sub", inner), d.end(), d.flow("s", "a", "sub", "e"))
        .complete("a")
        .complete("x")
    )
    others = [] if sequential == "true" else ["x", "x"]
    assert p.open == [*others, "y"]
    assert back(p, "y", "x").open == [*others, "x"]
    assert back(p.complete("x"), "y", "a").open == ["a"]
    p.complete("a")
    for _ in range(3):
        p.complete("x").complete("y")
    assert p.outcome == "completed"


def test_from_one_of_several_signatures_back_to_the_draft() -> None:
    signing = user("sign", "draft", TIMES.format("false"))
    p = Play(d.start(), user("draft"), signing, d.end(), d.flow("s", "draft", "sign", "e")).complete("draft")
    p.complete("sign")
    assert back(p, "sign", "draft").open == ["draft"]
    p.complete("draft")
    assert p.open == ["sign"] * 3


def called(*, nested: bool = False) -> bytes:
    body = (
        d.io("n", "m")
        + d.start()
        + d.script("p", "k = n + 1")
        + user("inside")
        + user("check")
        + d.script("q", "m = k")
    )
    return d.process(body, d.end(), d.flow("s", "p", "inside", "check", "q", "e"), ident="A")


def calling(task: str, *, more: str = "", ahead: str = "") -> bytes:
    body = d.start() + d.call("c1", "A") + user("after", task) + d.script("bump", "n = n + 10") + d.end()
    return d.process(body + d.flow("s", "c1", "bump", "after", "e") + more)


def test_a_called_step_is_entered_again_with_what_it_was_given_then() -> None:
    p = Play(files=(calling("c1/check"), called()), data={"n": 1}).complete("inside", {"k": 5}).complete("check")
    assert p.data == {"n": 11, "m": 5}
    assert targets(p, "after") == {"c1/check": "A/check"}
    back(p, "after", "c1/check")
    [item] = p.step.work
    assert bpmn.read(p.definition, p.step.state, item.token) == {"n": 1}, "fresh, but for the recorded inputs"
    p.complete("check", {"k": 7})
    assert p.data == {"n": 21, "m": 7}
    assert p.complete("after").outcome == "completed"


def test_inputs_are_kept_only_where_somebody_may_return_into_the_call() -> None:
    with_, without = (Play(files=(calling(t), called()), data={"n": 1}) for t in ("c1/check", ""))
    assert b'"calls"' in with_.step.state
    assert b'"calls"' not in without.step.state
    assert b'"calls"' not in Play(d.start(), user("a"), user("b", "a"), d.flow("s", "a", "b")).step.state


def test_a_call_that_still_runs_is_begun_again_and_not_twice() -> None:
    more = d.boundary("slow", "c1", 'timer "PT1H"', cancel=False) + user("watch", "c1/inside") + d.end("e2")
    p = Play(files=(calling("", more=more + d.flow("slow", "watch", "e2")), called()), data={"n": 1})
    p.complete("inside").later(hours=2)
    assert p.open == ["check", "watch"]
    assert back(p, "watch", "c1/inside").open == ["inside"]
    assert p.complete("inside", {"k": 3}).complete("check").data == {"n": 11, "m": 3}


def test_a_step_within_another_is_left_for_one_its_caller_called_before() -> None:
    step = d.process(
        d.io("n", ""), d.start(), user("hand_over", "c1/check"), d.end(), d.flow("s", "hand_over", "e"), ident="B"
    )
    body = d.start() + d.call("c1", "A") + d.call("c2", "B") + d.end() + d.flow("s", "c1", "c2", "e")
    p = Play(files=(d.process(body), called(), step), data={"n": 1}).complete("inside", {"k": 2}).complete("check")
    assert targets(p, "hand_over") == {"c1/check": "A/check"}
    assert back(p, "hand_over", "c1/check").open == ["check"]
    assert p.complete("check", {"k": 2}).complete("hand_over").outcome == "completed"


def test_a_step_is_entered_through_the_sub_process_around_the_task() -> None:
    inner = d.sub("around", d.start("is"), user("deep"), d.end("ie"), d.flow("is", "deep", "ie"))
    inner += d.boundary("stop", "around", "msg") + d.end("e2") + d.flow("stop", "e2")
    step = d.process(d.io("n", ""), d.start(), inner, d.end(), d.flow("s", "around", "e"), ident="A")
    body = d.start() + d.call("c1", "A") + user("after", "c1/deep") + d.end() + d.flow("s", "c1", "after", "e")
    p = Play(files=(d.process(body), step), data={"n": 1}).complete("deep")
    back(p, "after", "c1/deep")
    assert p.open == ["deep"]
    assert [w.element for w in p.step.waits] == ["A/stop"]
    assert p.complete("deep").complete("after").outcome == "completed"


def test_a_branch_of_a_called_block_cannot_be_entered_by_itself() -> None:
    inner = d.start() + d.gateway("split") + user("one") + user("two") + d.gateway("join") + d.end()
    inner += d.flow("s", "split", "one", "join", "e") + d.flow("split", "two", "join")
    body = d.start() + d.call("c1", "A") + user("after", "c1/one") + d.end() + d.flow("s", "c1", "after", "e")
    p = Play(files=(d.process(body), d.process(d.io("n", ""), inner, ident="A")), data={"n": 1})
    p.complete("one").complete("two")
    assert targets(p, "after") == {}


EVERYWHERE = " ".join(f"{letter}{n}" for letter in "ux" for n in range(1, 60))


class Returning(Maker):
    """Random diagrams, now and then with a loop around a block, whose user tasks may be returned anywhere."""

    def block(self, depth: int) -> Block:
        if depth and self.random.random() < 0.2:
            inner, first, last = Maker.block(self, depth - 1)
            m, x = self.name("m"), self.name("x")
            extra = d.gateway(m, "exclusive") + d.gateway(x, "exclusive") + d.flow(m, first) + d.flow(last, x)
            out = self.name("o")
            extra += d.gateway(out, "exclusive") + d.flow(x, m, when="n % 3 == 1") + d.flow(x, out, when="n % 3 != 1")
            return inner + extra, m, out
        return Maker.block(self, depth)

    def make_user(self, depth: int) -> Block:
        body, first, last = Maker.make_user(self, depth)
        for n in range(1, 60):
            for letter in "ux":
                name = f"{letter}{n}"
                body = body.replace(d.user(name), user(name, EVERYWHERE))
        return body, first, last


def moves_of(p: Play, maker: Maker) -> list[Any]:
    moves: list[Any] = [lambda: p.later(hours=1)] if p.due else []
    for w in p.step.work:
        answers = {"n": maker.random.randrange(9)}
        moves.append(lambda t=w.token, a=answers: p.call(bpmn.complete, p.now, t, a, state=p.step.state))
    for kind, name in sorted({(x.kind, x.name) for x in p.step.waits if x.kind in ("message", "signal")}):
        moves.append(lambda k=kind, m=name: p.deliver(k, m or ""))
    return moves


@pytest.mark.parametrize("seed", range(120))
def test_after_any_return_a_random_case_is_never_stuck_nor_doubled(seed: int) -> None:
    maker = Returning(seed)
    body, first, last = maker.block(4)
    p = Play(d.start("S"), body, d.end("E"), d.flow("S", first), d.flow(last, "E"), data={"n": seed})
    returned = 0
    for _ in range(50):
        if p.outcome:
            break
        tries = [(w.token, t) for w in p.step.work for t in bpmn.returnable(p.definition, p.step.state, w.token)]
        before = p.step.state
        if tries and returned < 12 and maker.random.random() < 0.5:
            token, target = maker.random.choice(tries)
            p.call(bpmn.send_back, p.now, token, target, state=p.step.state)
            returned += 1
        else:
            moves = moves_of(p, maker)
            assert moves, "stuck"
            maker.random.choice(moves)()
        assert not p.step.stuck
        assert not p.step.incidents
        assert not doubled(p.step.state) or doubled(before), "a token is there twice"


def doubled(state: bytes) -> bool:
    """Are there two tokens at one place? (Reminders and event sub-processes may come twice by themselves.)"""
    tokens = [t for t in decode(state).tokens.values() if t.node[0] not in "xh"]
    places = [(t.scope, t.node, t.flow if t.state == "parked" else None) for t in tokens]
    return len(places) != len(set(places))
