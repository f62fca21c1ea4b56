"""Messages, signals, timers, errors, escalations, event sub-processes, compensation."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.diagrams import (
    Play,
    boundary,
    call,
    catch,
    element,
    end,
    event,
    extensions,
    flow,
    gateway,
    handler,
    process,
    script,
    start,
    sub,
    throw,
    user,
)


def test_signal_end_event_reaches_a_parallel_branch_and_the_host() -> None:
    p = Play(
        start(), gateway("g"), end("e", "sig"), catch("c", "sig"), user("a"), flow("s", "g", "e"), flow("g", "c", "a")
    )
    assert p.open == ["a"]
    assert [(s.kind, s.name, s.payload) for s in p.sent] == [("signal", "sig", None)]


def test_event_based_gateway_with_two_timers() -> None:
    p = Play(
        start(),
        gateway("g", "eventBased"),
        catch("long", "timer PT1H"),
        catch("short", "timer PT1S"),
        catch("m", "msg"),
        user("a"),
        user("b"),
        flow("s", "g", "long", "a"),
        flow("g", "short", "b"),
        flow("g", "m", "a"),
    )
    assert len(p.step.waits) == 3
    assert p.due == datetime(2026, 1, 5, 8, 0, 1, tzinfo=UTC)
    assert p.later(seconds=1).open == ["b"]
    assert p.step.waits == ()


def test_message_is_not_waited_for_before_its_turn() -> None:
    p = Play(start(), user("a"), catch("c", "msg into x"), user("z"), flow("s", "a", "c", "z"))
    assert p.step.waits == ()
    p.complete("a").deliver("message", "msg", {"y": 1})
    assert p.open == ["z"]
    assert p.data == {"x": {"y": 1}}


@pytest.mark.parametrize(("kind", "name", "expected"), [("message", "msg", ["x"]), ("signal", "sig", ["x", "y"])])
def test_a_message_goes_to_one_but_a_signal_to_all(kind: str, name: str, expected: list[str]) -> None:
    body = (start(), gateway("g"), catch("a", name), catch("b", name), user("x"), user("y"))
    p = Play(*body, flow("s", "g", "a", "x"), flow("g", "b", "y"))
    assert p.deliver(kind, name).open == expected


def test_interrupting_and_other_boundary_timers() -> None:
    p = Play(
        start(),
        user("a"),
        boundary("remind", "a", "cycle R2/PT1H", False),
        boundary("late", "a", "timer PT150M"),
        script("count", "n = n + 1"),
        user("z"),
        flow("s", "a"),
        flow("remind", "count"),
        flow("late", "z"),
        data={"n": 0},
    )
    assert p.later(hours=1).open == ["a"]
    assert p.data["n"] == 1
    p.later(hours=1)
    assert p.data["n"] == 2
    assert p.later(hours=1).open == ["z"]
    assert p.data["n"] == 2


def test_all_due_timers_fire_in_order_of_their_moments() -> None:
    p = Play(
        start(),
        user("a"),
        boundary("b2", "a", "timer PT2H", False),
        boundary("b1", "a", "timer PT1H", False),
        script("x", "log = log + ['b2']"),
        script("y", "log = log + ['b1']"),
        flow("s", "a"),
        flow("b2", "x"),
        flow("b1", "y"),
        data={"log": []},
    )
    assert p.later(hours=5).data["log"] == ["b1", "b2"]


def test_timer_from_a_variable_set_just_before() -> None:
    body = (start(), script("set", "wait = 'PT2H'"), user("a"), boundary("t", "a", "timer wait"), user("z"))
    p = Play(*body, flow("s", "set", "a"), flow("t", "z"))
    assert p.later(hours=2).open == ["z"]


def test_interrupting_boundary_stops_the_sub_process_at_once() -> None:
    inner = (start("s1"), throw("t", "sig"), script("after", "ran = True"), end("e1"), flow("s1", "t", "after", "e1"))
    p = Play(
        start(),
        sub("u", *inner),
        boundary("b", "u", "sig"),
        user("z"),
        flow("s", "u"),
        flow("b", "z"),
        data={"ran": False},
    )
    assert p.open == ["z"]
    assert p.data["ran"] is False


def test_error_boundary_does_not_fire_on_a_sibling() -> None:
    def body(n: int) -> str:
        parts = (start(f"s{n}"), user(f"a{n}"), end(f"e{n}", "err" if n == 1 else ""), flow(f"s{n}", f"a{n}", f"e{n}"))
        return sub(f"u{n}", *parts)

    p = Play(
        start(),
        gateway("g"),
        body(1),
        body(2),
        boundary("b1", "u1", "err"),
        boundary("b2", "u2", "err"),
        user("x1"),
        user("x2"),
        end(),
        flow("s", "g", "u1", "e"),
        flow("g", "u2", "e"),
        flow("b1", "x1"),
        flow("b2", "x2"),
    )
    assert p.complete("a1").open == ["a2", "x1"]


@pytest.mark.parametrize(("code", "expected"), [("err", ["y"]), ("err2", ["x"])])
def test_specific_error_before_catch_all(code: str, expected: list[str]) -> None:
    p = Play(
        start(),
        sub("u", start("s1"), end("e1", code), flow("s1", "e1")),
        boundary("any", "u", "anyerr"),
        boundary("one", "u", "err"),
        user("x"),
        user("y"),
        flow("s", "u"),
        flow("any", "x"),
        flow("one", "y"),
    )
    assert p.open == expected


def test_an_uncaught_error_ends_the_case() -> None:
    p = Play(start(), gateway("g"), user("a"), end("e1", "err"), flow("s", "g", "a"), flow("g", "e1"))
    assert p.outcome == "error"
    assert p.sent[0].name == "E1"
    assert p.open == []
    assert "e1" in p.done("error.uncaught")


def test_worker_reports_a_bpmn_error() -> None:
    more = (
        '<error id="told" errorCode="E9"><extensionElements>'
        "<spiffworkflow:variableName>why</spiffworkflow:variableName></extensionElements></error>"
    )
    caught = element("boundaryEvent", "b", '<errorEventDefinition errorRef="told"/>', attachedToRef="a")
    xml = process(start(), user("a"), caught, user("z"), flow("s", "a"), flow("b", "z"), more=more)
    p = Play(files=(xml,))
    assert p.complete("a", {"because": "no"}, error="E9").open == ["z"]
    assert p.data == {"why": {"because": "no"}}


STARTS: list[tuple[str, Callable[[Play], Any]]] = [
    ("msg", lambda p: p.deliver("message", "msg")),
    ("sig", lambda p: p.deliver("signal", "sig")),
    ("timer PT1H", lambda p: p.later(hours=1)),
    ("when x > 5", lambda p: p.complete("set", {"x": 6})),
    ("esc", lambda p: p.complete("do_esc")),
    ("err", lambda p: p.complete("do_err")),
]


@pytest.mark.parametrize("level", [0, 1, 3])
@pytest.mark.parametrize("interrupting", [True, False])
@pytest.mark.parametrize(("kind", "go"), STARTS, ids=[s[0] for s in STARTS])
def test_event_sub_process(kind: str, go: Callable[[Play], Any], interrupting: bool, level: int) -> None:
    """Any start event, interrupting or not, at any depth: only the scope it lies in is ended."""
    extra = {
        "esc": (user("do_esc"), throw("t", "esc"), flow("g", "do_esc", "t")),
        "err": (user("do_err"), end("t", "err"), flow("g", "do_err", "t")),
        "when x > 5": (user("set"), flow("g", "set")),
    }
    first = start("hs", kind, isInterrupting=str(interrupting).lower())
    listener = handler("h", first, user("handle"), end("he"), flow("hs", "handle", "he"))
    inner: tuple[str, ...] = (
        start("s0"),
        gateway("g"),
        user("main"),
        flow("s0", "g", "main"),
        *extra.get(kind, ()),
        listener,
    )
    for n in range(1, level + 1):
        inner = (start(f"s{n}"), sub(f"u{n}", *inner), user(f"next{n}"), flow(f"s{n}", f"u{n}", f"next{n}"))
    p = Play(*inner, data={"x": 1})
    go(p)
    stays = [] if interrupting or kind == "err" else ["main"]
    assert p.open == ["handle", *stays]
    p.complete("handle")
    if stays:
        p.complete("main")
    if level == 0:
        assert p.outcome == "completed"
    else:
        assert p.open == ["next1"]


def test_event_sub_process_that_never_starts_does_not_block_the_end() -> None:
    listener = handler("h", start("hs", "timer PT1H"), user("x"), flow("hs", "x"))
    assert Play(start(), user("a"), end(), flow("s", "a", "e"), listener).complete("a").outcome == "completed"


def test_non_interrupting_event_sub_process_starts_again_and_again() -> None:
    listener = handler("h", start("hs", "msg", isInterrupting="false"), user("x"), flow("hs", "x"))
    p = Play(start(), user("a"), flow("s", "a"), listener)
    assert p.deliver("message", "msg").deliver("message", "msg").open == ["a", "x", "x"]


def test_error_in_an_error_handler_goes_up() -> None:
    listener = handler("h", start("hs", "err"), end("again", "err"), flow("hs", "again"))
    inner = sub("u", start("s1"), end("e1", "err"), flow("s1", "e1"), listener)
    p = Play(start(), inner, boundary("b", "u", "err"), user("z"), flow("s", "u"), flow("b", "z"))
    assert p.open == ["z"]


def test_error_comes_out_of_a_called_process() -> None:
    called = process(start("s2"), end("e2", "err"), flow("s2", "e2"), ident="Q")
    caller = process(start(), call("c", "Q"), boundary("b", "c", "err"), user("z"), flow("s", "c"), flow("b", "z"))
    assert Play(files=(caller, called)).open == ["z"]


def test_conditional_boundary_fires_when_a_variable_changes() -> None:
    p = Play(
        start(),
        gateway("g"),
        user("a"),
        user("b"),
        boundary("c", "a", "when total > 10"),
        user("z"),
        flow("s", "g", "a"),
        flow("g", "b"),
        flow("c", "z"),
        data={"total": 1},
    )
    assert p.complete("b", {"total": 11}).open == ["z"]


def association(a: str, b: str) -> str:
    return element("association", f"{a}_{b}", sourceRef=a, targetRef=b, associationDirection="One")


def test_compensation_runs_backwards_and_waits() -> None:
    def undo(n: str) -> tuple[str, ...]:
        back = script(f"undo{n}", f"log = log + ['undo{n}']", isForCompensation="true")
        return script(n, f"log = log + ['{n}']"), boundary(f"c{n}", n, "comp"), back, association(f"c{n}", f"undo{n}")

    body = (*undo("a"), *undo("b"), *undo("never"), throw("t", "comp"), user("z"))
    p = Play(start(), *body, flow("s", "a", "b", "t", "z"), data={"log": []})
    assert p.data["log"] == ["a", "b", "undob", "undoa"]
    assert p.open == ["z"]


def test_cancelled_transaction_is_undone_and_left_by_its_cancel_event() -> None:
    inner = sub(
        "tx",
        start("s1"),
        script("book", "log = log + ['book']"),
        boundary("cb", "book", "comp"),
        user("undo", isForCompensation="true"),
        association("cb", "undo"),
        end("stop", "cancel"),
        flow("s1", "book", "stop"),
        kind="transaction",
    )
    body = (start(), inner, boundary("b", "tx", "cancel"), user("z"), user("never"))
    p = Play(*body, flow("s", "tx", "never"), flow("b", "z"), data={"log": []})
    assert p.open == ["undo"]
    assert p.complete("undo").open == ["z"]


def test_parallel_multiple_waits_for_both() -> None:
    both = element("intermediateCatchEvent", "c", event("msg") + event("msg2"), parallelMultiple="true")
    p = Play(start(), both, user("z"), flow("s", "c", "z"))
    assert p.deliver("message", "msg2").open == []
    assert p.deliver("message", "msg").open == ["z"]


def test_a_condition_fires_when_it_becomes_true_not_while_it_is() -> None:
    p = Play(
        start(),
        gateway("g"),
        user("a"),
        user("b"),
        user("c"),
        user("d"),
        boundary("w", "a", "when x > 1", False),
        script("count", "n = n + 1"),
        flow("s", "g", "a"),
        flow("g", "b"),
        flow("g", "c"),
        flow("g", "d"),
        flow("w", "count"),
        data={"x": 0, "n": 0},
    )
    assert p.complete("b", {"x": 2}).complete("c", {"x": 3}).data["n"] == 1
    assert p.complete("d", {"x": 0}).data["n"] == 1


def test_a_late_cycle_catches_up_from_the_planned_moments() -> None:
    body = (start(), user("a"), boundary("t", "a", "cycle R3/PT1H", False), script("count", "n = n + 1"))
    p = Play(*body, flow("s", "a"), flow("t", "count"), data={"n": 0})
    assert p.later(hours=2, minutes=30).data["n"] == 2
    assert p.due == datetime(2026, 1, 5, 11, 0, tzinfo=UTC)


def test_a_cancelled_transaction_stops_its_other_branches_before_it_undoes() -> None:
    inner = sub(
        "tx",
        start("s1"),
        gateway("g"),
        user("other"),
        user("book"),
        boundary("cb", "book", "comp"),
        user("undo", isForCompensation="true"),
        association("cb", "undo"),
        end("stop", "cancel"),
        flow("s1", "g", "other"),
        flow("g", "book", "stop"),
        kind="transaction",
    )
    p = Play(start(), inner, boundary("b", "tx", "cancel"), user("z"), flow("s", "tx"), flow("b", "z"))
    assert p.complete("book").open == ["undo"]
    assert p.complete("undo").open == ["z"]


def test_a_case_started_by_a_message_begins_at_its_start_event() -> None:
    p = Play(start(on="msg into x"), user("a"), flow("s", "a"), at="s", payload={"y": 1})
    assert p.open == ["a"]
    assert p.data == {"x": {"y": 1}}


def test_a_boundary_timer_may_use_what_the_script_before_its_task_sets() -> None:
    before = extensions('<spiffworkflow:preScript>wait = "PT2H"\nn = n + 1</spiffworkflow:preScript>')
    body = (start(), user("a", before), boundary("t", "a", "timer wait"), user("z"), flow("s", "a"), flow("t", "z"))
    p = Play(*body, data={"n": 0})
    assert p.later(hours=2).open == ["z"]
    assert p.data["n"] == 1
