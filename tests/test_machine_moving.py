"""A case moves to another release: same tokens, same moments, joins looked at again, every misfit told at once."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from engine import bpmn
from engine.bpmn.state import decode
from engine.errors import InputRejected
from tests import diagrams as d
from tests.diagrams import Play, audit, audit_history
from tests.golden.feeding import STATES, definition_of, digest, to_the_end


def to(play: Play, *files: bytes, mapping: dict[str, str] | None = None, values: dict[str, Any] | None = None) -> Play:
    """Move the case; what holds of every call holds of this one too."""
    new, before = d.definition(*files), play.step.state
    found = bpmn.plan(play.definition, new, before, play.now, mapping or {}, values=values)
    assert found.findings == ()
    step = bpmn.migrate(play.definition, new, before, play.now, mapping or {}, values=values)
    assert found.step == step, "the plan is what happens"
    again = bpmn.migrate(play.definition, new, before, play.now, mapping or {}, values=values)
    assert again.state == step.state
    assert play.step.state == before
    assert d.fingerprint(play.definition) == play.print
    play.definition, play.print, play.step = new, d.fingerprint(new), step
    play.history += step.entries
    audit(step.state)
    audit_history(play.history, step.state)
    return play


def refused(play: Play, *files: bytes, mapping: dict[str, str] | None = None, **values: Any) -> list[tuple[str, str]]:
    """What stands against it: (where, rule)."""
    new = d.definition(*files)
    found = bpmn.plan(play.definition, new, play.step.state, play.now, mapping or {}, values=values)
    assert found.step is None
    assert all(each.zh and each.en for each in found.findings)
    with pytest.raises(InputRejected) as caught:
        bpmn.migrate(play.definition, new, play.step.state, play.now, mapping or {}, values=values)
    assert caught.value.findings == list(found.findings)
    return [(each.where, each.rule) for each in found.findings]


def lines(play: Play, *files: bytes, mapping: dict[str, str] | None = None) -> list[tuple[str, str, str, str]]:
    found = bpmn.plan(play.definition, d.definition(*files), play.step.state, play.now, mapping or {})
    return [(line.what, line.element, line.target, line.verdict) for line in found.lines]


def row(*names: str, more: str = "", **given: str) -> bytes:
    """s, then user tasks of these names one after another, then e."""
    return d.process(d.start(), *(d.user(n, **given) for n in names), d.end(), more, d.flow("s", *names, "e"))


# -- tokens
def test_a_token_stays_where_its_element_still_is() -> None:
    p = Play(d.start(), d.user("a"), d.user("b"), d.end(), d.flow("s", "a", "b", "e"))
    before = [t.id for t in decode(p.step.state).tokens.values()]
    assert to(p, row("a", "new", "b")).open == ["a"]
    assert [t.id for t in decode(p.step.state).tokens.values()] == before
    assert p.step.entries == ()
    assert p.complete("a").open == ["new"]


def test_a_token_whose_element_is_gone_must_be_mapped() -> None:
    p = Play(d.start(), d.user("a"), d.end(), d.flow("s", "a", "e"))
    assert refused(p, row("b")) == [("P/a", "gone")]
    assert lines(p, row("b"), mapping={"P/a": "P/b"}) == [("token", "P/a", "P/b", "mapped")]
    to(p, row("b"), mapping={"P/a": "P/b"})
    told = [(e.kind, e.element, e.detail) for e in p.step.entries]
    assert told == [
        ("element.cancelled", "P/a", {"moved_to": "P/b"}),
        ("element.entered", "P/b", {"moved_from": "P/a"}),
    ]
    assert p.complete("b").outcome == "completed"


def test_everything_that_stands_against_it_is_told_at_once() -> None:
    body = (d.start(), d.gateway("g"), d.user("a"), d.user("b"), d.catch("c", "msg"), d.sub("p", d.user("in")))
    p = Play(*body, d.flow("s", "g", "a"), d.flow("g", "b"), d.flow("g", "c"), d.flow("g", "p"))
    other = d.process(
        d.start(), d.gateway("g"), d.script("a", "x = 1"), d.catch("c", "msg"), d.sub("q", d.user("in")),
        d.flow("s", "g", "a"), d.flow("g", "c"), d.flow("g", "q"),
    )  # fmt: skip
    assert refused(p, other, mapping={"P/nothing": "P/c", "P/b": "P/q/in"}) == [
        ("P/nothing", "mapping_source"),
        ("P/a", "other_kind"),
        ("P/b", "other_scope"),
        ("P/p", "gone"),
    ]
    assert ("P/nowhere", "mapping_target") in refused(p, other, mapping={"P/a": "P/nowhere"})
    inside = [line for line in lines(p, other) if line[1] == "P/p/in"]
    assert inside == [("token", "P/p/in", "", "refused")]


def test_a_case_moves_to_another_release_of_its_own_process_only() -> None:
    p = Play(d.start(), d.user("a"), d.end(), d.flow("s", "a", "e"))
    other = d.process(d.start(), d.user("a"), d.end(), d.flow("s", "a", "e"), ident="Q")
    assert ("P", "other_process") in refused(p, other)


def test_the_role_and_scope_of_open_work_stay_as_they_were() -> None:
    def drawn(role: str, scope: str) -> bytes:
        lane = d.lanes(d.lane(role, scope, "s", "a", "e"))
        return d.process(lane, d.start(), d.user("a"), d.end(), d.flow("s", "a", "e"))

    p = Play(files=(drawn("intake_clerk", "'liwan/hall'"),))
    to(p, drawn("intake_clerk", "'liwan/elsewhere'"))
    assert [w.scope for w in p.step.work] == ["liwan/hall"]


# -- scopes
def nested(last: str, *, sub: str = "p", inputs: str = "x") -> tuple[bytes, ...]:
    """Root -> sub-process -> called Q -> called R with one user task."""
    inner = d.process(d.io(inputs, "y"), d.start("s3"), d.user(last), d.script("w", "y = x"), d.end("e3"),
                      d.flow("s3", last, "w", "e3"), ident="R")  # fmt: skip
    middle = d.process(d.io(inputs, "y"), d.start("s2"), d.call("c2", "R"), d.end("e2"), d.flow("s2", "c2", "e2"),
                       ident="Q")  # fmt: skip
    around = d.sub(sub, d.start("s1"), d.call("c", "Q"), d.end("e1"), d.flow("s1", "c", "e1"))
    return d.process(d.start(), around, d.user("z"), d.end(), d.flow("s", sub, "z", "e")), middle, inner


def test_a_case_deep_in_called_processes_moves_with_all_of_them() -> None:
    p = Play(files=nested("a"), data={"x": 1})
    assert to(p, *nested("a")).open == ["a"]
    to(p, *nested("b", sub="q"), mapping={"P/p": "P/q", "R/a": "R/b"})
    assert sorted(s.of for s in decode(p.step.state).scopes.values()) == ["P", "P/q", "Q", "R"]
    assert p.complete("b").data["y"] == 1
    assert p.complete("z").outcome == "completed"


def test_an_input_that_the_new_release_declares_must_be_given() -> None:
    p = Play(files=nested("a"), data={"x": 1})
    new = nested("a", inputs="x more")
    assert refused(p, *new) == [("variables.more", "input_missing")] * 2
    assert refused(p, *new, more=object())[-1][1] == "value_not_storable"
    assert refused(p, *new, more=1, other=2) == [("variables.other", "not_lacking")]
    to(p, *new, values={"more": 7})
    assert [e.values for e in p.step.entries] == [{"more": [None, 7]}] * 2
    assert p.complete("a").open == ["z"]


def many(inner: str = "<loopCardinality>3</loopCardinality>", *, task: str = "a", **given: str) -> bytes:
    loop = d.element("multiInstanceLoopCharacteristics", "mi", inner, **given)
    return d.process(d.start(), d.user(task, loop), d.user("z"), d.end(), d.flow("s", task, "z", "e"))


def test_instances_that_have_begun_move_and_go_on_counting() -> None:
    p = Play(files=(many(),)).complete("a")
    to(p, many("<loopCardinality>9</loopCardinality><completionCondition>False</completionCondition>"))
    assert p.open == ["a", "a"]
    to(p, many(task="b"), mapping={"P/a": "P/b"})
    assert p.complete("b").complete("b").open == ["z"]


def test_what_has_begun_to_repeat_must_repeat_in_the_same_way() -> None:
    p = Play(files=(many(),))
    assert {rule for _, rule in refused(p, row("a", "z"))} == {"other_loop"}
    assert {rule for _, rule in refused(p, many(isSequential="true"))} == {"other_loop"}
    single = Play(files=(row("a", "z"),))
    assert refused(single, many()) == [("P/a", "other_loop")]


# -- joins
def both(*more: str, flows: str = "", b: bool = True) -> bytes:
    body = (d.start(), d.gateway("g"), d.user("a"), d.user("b"), d.gateway("j"), d.user("z"), d.end(), *more)
    drawn = d.flow("s", "g", "a", "j", "z", "e") + (d.flow("g", "b", "j") if b else d.flow("g", "b", "z")) + flows
    return d.process(*body, drawn)


def test_a_parallel_block_moves_with_what_has_arrived_at_its_join() -> None:
    p = Play(files=(both(),)).complete("a")
    assert to(p, both()).open == ["b"]
    assert p.complete("b").open == ["z"]


def test_a_join_whose_incoming_flow_vanished_is_refused() -> None:
    p = Play(files=(both(),)).complete("b")
    assert refused(p, both(b=False)) == [("P/j", "flow_gone")]


def test_a_flow_at_a_join_can_be_mapped() -> None:
    p = Play(files=(both(),)).complete("b")
    renamed = both().replace(b'id="b_j"', b'id="other"')
    assert refused(p, renamed) == [("P/j", "flow_gone")]
    to(p, renamed, mapping={"P/b_j": "P/other"})
    assert p.complete("a").open == ["z"]


def test_a_join_that_would_wait_for_a_branch_nobody_began_is_refused() -> None:
    third = both(d.user("c"), flows=d.flow("g", "c", "j"))
    for begun in (Play(files=(both(),)), Play(files=(both(),)).complete("a")):
        assert refused(begun, third) == [("P/j", "join_starved")]
    p = Play(files=(row("a"),))
    again = d.process(d.start(), d.user("a"), d.gateway("g"), d.user("b"), d.user("c"), d.gateway("j"), d.end(),
                      d.flow("s", "a", "g", "b", "j", "e"), d.flow("g", "c", "j"))  # fmt: skip
    assert to(p, again).complete("a").open == ["b", "c"], "a block that has not begun may be new"


def test_a_join_that_waits_for_nobody_any_more_lets_go() -> None:
    three = both(d.user("c"), flows=d.flow("g", "c", "j"))
    p = Play(files=(three,)).complete("a").complete("b")
    assert p.open == ["c"]
    beside = both(d.user("c"), d.end("e2"), flows=d.flow("g", "c", "e2"))
    assert to(p, beside).open == ["c", "z"]


def test_an_inclusive_join_is_looked_at_again() -> None:
    def drawn(end: str) -> bytes:
        body = (d.start(), d.gateway("g", "inclusive"), d.user("a"), d.user("b"), d.gateway("j", "inclusive"))
        flows = d.flow("s", "g", "a", "j", "z", "e") + d.flow("g", "b", end)
        return d.process(*body, d.user("z"), d.end(), d.end("e2"), flows)

    p = Play(files=(drawn("j"),)).complete("a")
    assert p.open == ["b"]
    assert to(p, drawn("e2")).open == ["b", "z"]


# -- what is waited for
def timed(*events: str, flows: str = "") -> bytes:
    return d.process(d.start(), d.user("a"), *events, d.end(), d.end("e2"), d.flow("s", "a", "e"), flows)


def waits(play: Play) -> list[tuple[str, datetime | None]]:
    return sorted((w.element.rpartition("/")[2], w.due) for w in play.step.waits)


def test_a_timer_keeps_its_moment_a_new_one_counts_from_now_and_a_gone_one_is_forgotten() -> None:
    old = timed(d.boundary("t", "a", 'timer "PT2H"'), d.boundary("u", "a", 'timer "PT9H"'), flows=d.flow("t", "e2"))
    p = Play(files=(old,)).later(hours=1)
    [(_, due), _] = waits(p)
    new = timed(d.boundary("t", "a", 'timer "PT5H"'), d.boundary("v", "a", 'timer "PT3H"'), flows=d.flow("t", "e2"))
    assert lines(p, new)[1:] == [
        ("wait", "P/t", "P/t", "kept"),
        ("wait", "P/u", "", "dropped"),
        ("wait", "", "P/v", "armed"),
    ]
    to(p, new)
    assert waits(p) == [("t", due), ("v", p.now + (due - d.T0) * 1.5)]
    assert p.later(hours=1).done("event.caught") == ["t"]


def test_a_boundary_event_that_has_fired_is_not_armed_again() -> None:
    old = timed(d.boundary("t", "a", 'timer "PT1H"', False), flows=d.flow("t", "e2"))
    p = Play(files=(old,)).later(hours=2)
    assert waits(to(p, old)) == []
    cycle = timed(d.boundary("t", "a", 'cycle "R3/PT1H"', False), flows=d.flow("t", "e2"))
    assert [name for name, _ in waits(to(p, cycle))] == ["t"], "another kind of timer is another event"


def test_an_event_that_cannot_be_armed_is_refused() -> None:
    p = Play(files=(timed(),))
    new = timed(d.boundary("t", "a", "timer nowhere"), flows=d.flow("t", "e2"))
    assert refused(p, new) == [("P/t", "unknown_name")]


def test_an_event_gateway_waits_for_what_the_new_release_draws() -> None:
    def drawn(*events: tuple[str, str]) -> bytes:
        flows = d.flow("s", "g") + "".join(d.flow("g", name, "e") for name, _ in events)
        return d.process(d.start(), d.gateway("g", "eventBased"), *(d.catch(n, on) for n, on in events), d.end(), flows)

    p = Play(files=(drawn(("m", "msg"), ("t", 'timer "PT2H"')),)).later(hours=1)
    [_, (_, due)] = waits(p)
    to(p, drawn(("n", "msg2"), ("t", 'timer "PT9H"'), ("o", "sig")))
    assert waits(p) == [("n", None), ("o", None), ("t", due)]
    assert p.deliver("message", "msg2").outcome == "completed"


def test_event_sub_processes_are_armed_dropped_and_kept() -> None:
    def drawn(*handlers: str) -> bytes:
        return d.process(d.start(), d.user("a"), d.end(), d.flow("s", "a", "e"), *handlers)

    one = d.handler("h", d.start("hs", "msg", isInterrupting="false"), d.user("ha"), d.flow("hs", "ha"))
    two = d.handler("k", d.start("ks", "msg2"), d.user("ka"), d.flow("ks", "ka"))
    p = Play(files=(drawn(one),)).deliver("message", "msg")
    assert p.open == ["a", "ha"]
    renamed = one.replace('id="h"', 'id="h2"').replace('"hs"', '"hs2"')
    to(p, drawn(renamed, two), mapping={"P/h": "P/h2"})
    assert p.open == ["a", "ha"]
    assert sorted(w.element for w in p.step.waits) == ["P/h2/hs2", "P/k/ks"]
    assert p.deliver("message", "msg2").open == ["ka"]
    three = d.handler("l", d.start("ls", "sig"), d.user("la"), d.flow("ls", "la"))
    assert to(p, drawn(renamed, two, three)).step.waits == (), "an interruption ends listening"
    assert ("P/k", "gone") in refused(p, drawn(renamed))


def test_a_condition_that_holds_in_the_new_release_fires() -> None:
    def drawn(condition: str) -> bytes:
        return timed(d.boundary("w", "a", f"when {condition}"), flows=d.flow("w", "e2"))

    p = Play(files=(drawn("n > 5"),), data={"n": 1})
    assert to(p, drawn("n > 0")).done("event.caught") == ["w"]


# -- failures, compensation
def test_a_broken_script_is_mended_by_moving_and_trying_again() -> None:
    def drawn(code: str) -> bytes:
        return d.process(d.start(), d.script("x", code), d.user("z"), d.end(), d.flow("s", "x", "z", "e"))

    p = Play(files=(drawn("y = missing"),))
    assert p.codes == ["unknown_name"]
    assert to(p, drawn("y = 1")).codes == ["unknown_name"]
    assert p.retry().open == ["z"]


def test_what_was_completed_can_still_be_undone_or_the_case_stays() -> None:
    def drawn(undo: str, code: str = "log = ['undone']") -> bytes:
        link = d.element("association", "as", sourceRef="cb", targetRef=undo, associationDirection="One")
        done = d.user("book") + d.boundary("cb", "book", "comp") + d.script(undo, code, isForCompensation="true")
        body = (d.start(), done, link, d.user("a"), d.throw("t", "comp"), d.user("z"), d.end())
        return d.process(*body, d.flow("s", "book", "a", "t", "z", "e"))

    p = Play(files=(drawn("undo"),), data={"log": []}).complete("book")
    assert refused(p, drawn("other")) == [("P/undo", "undo_gone")]
    to(p, drawn("undo", "log = ['other']"))
    assert p.complete("a").data["log"] == ["other"]


def test_a_move_that_would_leave_the_case_in_a_deadlock_is_refused() -> None:
    p = Play(d.start(), d.catch("c", "msg"), d.end(), d.flow("s", "c", "e"))
    linked = d.process(d.start(), d.throw("t", "link A"), d.catch("c", "link A"), d.end(), d.flow("s", "t"),
                       d.flow("c", "e"))  # fmt: skip
    assert refused(p, linked) == [("P/c", "nothing_to_wait_for")]


def test_a_state_of_another_definition_does_not_move() -> None:
    p, other = Play(files=(row("a"),)), d.definition(row("b"))
    with pytest.raises(InputRejected) as caught:
        bpmn.plan(other, other, p.step.state, p.now, {})
    assert caught.value.findings[0].rule == "other_definition"


@pytest.mark.parametrize("path", sorted(STATES.glob("*/*.json")), ids=lambda path: path.stem)
def test_every_shape_of_state_moves_to_the_same_drawing_and_goes_on_as_if_nothing_had_been(path: Path) -> None:
    kept = json.loads(path.read_bytes())
    old, now = definition_of(kept["files"], kept["decisions"]), datetime.fromisoformat(kept["now"])
    new = definition_of([text + "<!-- another release -->" for text in kept["files"]], kept["decisions"])
    assert old.digest != new.digest
    step = bpmn.migrate(old, new, kept["state"].encode(), now, {})
    assert step.entries == ()
    assert step.state.replace(new.digest.encode(), old.digest.encode()) == kept["state"].encode()
    last, entries = to_the_end(new, step, now, kept["inputs"])
    assert (last.outcome, digest(entries)) == (kept["outcome"], kept["entries"])
