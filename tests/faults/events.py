"""Faults of events, event sub-processes and gateways (BPMN 2.0 §10.5, §13.4, §13.5)."""

from __future__ import annotations

import pytest

from engine import bpmn
from tests.diagrams import (
    Play,
    boundary,
    catch,
    element,
    end,
    extensions,
    flow,
    gateway,
    handler,
    message,
    script,
    start,
    sub,
    throw,
    user,
)
from tests.faults import Table, names_at, rejects, run_bare

TABLE = Table()
LISTENING = (start(), gateway("g"), catch("c", "sig"), user("a"), end("e", "sig"), flow("s", "g", "c", "a"))
SIGNAL_END = (*LISTENING, flow("g", "e"))


def _no_signal() -> None:
    assert run_bare(*SIGNAL_END).open == []


@TABLE.row("signal end event", "parsed as None event; no signal", _no_signal)
def _signal_end() -> None:
    assert Play(*SIGNAL_END).open == ["a"]


LINK = (
    start(),
    throw("out", "link L"),
    catch("in", "link L"),
    user("a"),
    end(),
    flow("s", "out"),
    flow("in", "a", "e"),
)


def _link_hangs() -> None:
    bare = run_bare(*LINK)
    assert bare.open == []
    assert "in" not in bare.workflow.spec.task_specs  # dropped without a word


@TABLE.row("link events", "throw ends the branch, catch side dropped", _link_hangs)
def _link() -> None:
    assert Play(*LINK).open == ["a"]


UNDO = (
    start(),
    script("book", "log = log + ['book']"),
    boundary("c", "book", "comp"),
    script("back", "log = log + ['back']", isForCompensation="true"),
    element("association", "as", sourceRef="c", targetRef="back", associationDirection="One"),
    throw("t", "comp"),
    user("z"),
    flow("s", "book", "t", "z"),
)


@TABLE.row("compensation", "throw ignored; boundary -> ValidationException", lambda: rejects(UNDO, "validation"))
def _compensation() -> None:
    assert Play(*UNDO, data={"log": []}).data["log"] == ["book", "back"]


COMPLEX = (
    start(),
    gateway("g"),
    user("a"),
    user("b"),
    element("complexGateway", "j", "<activationCondition>activationCount >= 1</activationCondition>"),
    user("first"),
    user("second"),
    flow("s", "g", "a", "j"),
    flow("g", "b", "j"),
    flow("j", "first", when="waitingForStart"),
    flow("j", "second", when="not waitingForStart"),
)


@TABLE.row("complex gateway", "ValidationException", lambda: rejects(COMPLEX, "validation"))
def _complex() -> None:
    assert Play(*COMPLEX).complete("b").open == ["a", "first"]


@TABLE.row(
    "complex gateway's second output",
    "the gateway fires once per round, the rest is swallowed",
    "the first machine gave: nothing open at `second` after both branches",
)
def _second_output() -> None:
    assert Play(*COMPLEX).complete("b").complete("a").open == ["first", "second"]


def _failing(n: int) -> str:
    ends = end(f"e{n}", "err") if n == 1 else end(f"e{n}")
    return sub(f"u{n}", start(f"s{n}"), user(f"a{n}"), ends, flow(f"s{n}", f"a{n}", f"e{n}"))


SIBLINGS = (
    start(),
    gateway("g"),
    _failing(1),
    _failing(2),
    boundary("b1", "u1", "err"),
    boundary("b2", "u2", "err"),
    user("x1"),
    user("x2"),
    flow("s", "g", "u1"),
    flow("g", "u2"),
    flow("b1", "x1"),
    flow("b2", "x2"),
)


def _both_cancelled() -> None:
    bare = run_bare(*SIBLINGS)
    bare.complete("a1", {})
    assert "a2" not in bare.open


@TABLE.row("error boundary", "an error in A also fires the boundary of its sibling B", _both_cancelled)
def _error_scoped() -> None:
    assert Play(*SIBLINGS).complete("a1").open == ["a2", "x1"]


UNCAUGHT = (start(), end("e", "err"), flow("s", "e"))


def _success() -> None:
    bare = run_bare(*UNCAUGHT)
    assert bare.completed
    assert bare.workflow.success


@TABLE.row("unhandled error end", "workflow completed, success=True", _success)
def _uncaught() -> None:
    p = Play(*UNCAUGHT)
    assert p.outcome == "error"
    assert "e" in p.done("error.uncaught")


def _handled(kind: str, inside: str = "", **more: str) -> tuple[str, ...]:
    listener = handler("h", start("hs", kind, **more), user("care"), end("he"), flow("hs", "care", "he"))
    return (start(), user("a"), end("e"), flow("s", "a", "e"), listener, inside)


INTERRUPTING = _handled("msg", isInterrupting="true")


def _main_goes_on() -> None:
    bare = run_bare(*INTERRUPTING)
    bare.deliver("msg", {})
    assert "a" in bare.open


@TABLE.row("event sub-process, isInterrupting", "ignored: the main flow goes on", _main_goes_on)
def _interrupts() -> None:
    assert Play(*INTERRUPTING).deliver("message", "msg").open == ["care"]


def _runs_at_once(kind: str) -> None:
    assert "care" in run_bare(*_handled(kind)).open


@TABLE.row("event sub-process, error start", "runs at once", lambda: _runs_at_once("err"))
def _error_start() -> None:
    assert Play(*_handled("err")).open == ["a"]


@TABLE.row("event sub-process, escalation start", "runs at once", lambda: _runs_at_once("esc"))
def _escalation_start() -> None:
    assert Play(*_handled("esc")).open == ["a"]


def _blocked() -> None:
    bare = run_bare(*_handled('timer "PT1H"', isInterrupting="false"))
    bare.complete("a", {})
    assert not bare.completed


@TABLE.row("event sub-process, timer start", "blocks the completion of its parent until it fires", _blocked)
def _timer_start() -> None:
    assert Play(*_handled('timer "PT1H"', isInterrupting="false")).complete("a").outcome == "completed"


NESTED = (start("s0"), sub("u", *_handled("msg", isInterrupting="false")), flow("s0", "u"))


def _never() -> None:
    bare = run_bare(*NESTED)
    try:
        bare.deliver("msg", {})
    except Exception:
        return
    assert "care" not in bare.open


@TABLE.row("event sub-process, nested", "only the top level listens", _never)
def _nested() -> None:
    assert Play(*NESTED).deliver("message", "msg").open == ["a", "care"]


TWO_TIMERS = (
    start(),
    gateway("g", "eventBased"),
    catch("long", 'timer "PT1H"'),
    catch("short", 'timer "PT1S"'),
    user("a"),
    user("b"),
    flow("s", "g", "long", "a"),
    flow("g", "short", "b"),
)


def _one_slot() -> None:
    bare = run_bare(*TWO_TIMERS)
    waiting = [t for t in bare.workflow.get_tasks() if "event_value" in t.internal_data]
    assert len(waiting) == 1
    assert bare.workflow.waiting_events() == [] or len(bare.workflow.waiting_events()) < 2


@TABLE.row("event-based gateway", "two timers share one slot; hidden from waiting_events()", _one_slot)
def _two_timers() -> None:
    p = Play(*TWO_TIMERS)
    assert len(p.step.waits) == 2
    assert p.later(seconds=1).open == ["b"]


AD_HOC = (start(), sub("h", user("a"), kind="adHocSubProcess"), end(), flow("s", "h", "e"))


@TABLE.refused("ad-hoc sub-process", "unusable as shipped", lambda: rejects(AD_HOC, "error"))
def _ad_hoc() -> None:
    names_at("h", *AD_HOC)


MISSED = (start(), user("a"), catch("c", "msg"), flow("s", "a", "c"))


@TABLE.row(
    "message before anyone waits",
    "send_event raises",
    lambda: rejects_delivery(MISSED),
)
def _before() -> None:
    assert Play(*MISSED).step.waits == ()  # the host keeps it until somebody waits


def rejects_delivery(body: tuple[str, ...]) -> None:
    bare = run_bare(*body)
    with pytest.raises(Exception, match=r"(?i)event|waiting"):
        bare.deliver("msg", {})


CORRELATED = (
    start(),
    element("intermediateCatchEvent", "c", message("x", key="number")),
    user("z"),
    flow("s", "c", "z"),
)


def _any_payload() -> None:
    bare = run_bare(start(), catch("c", "msg"), user("z"), flow("s", "c", "z"))
    bare.deliver("msg", {"number": "of another case"})
    assert bare.open == ["z"]


@TABLE.row("message correlation", "an uncorrelated instance accepts any payload", _any_payload)
def _correlated() -> None:
    assert [w.key for w in Play(*CORRELATED, data={"number": "K7"}).step.waits] == ["K7"]
    assert [w.key for w in Play(start(), catch("c", "msg"), flow("s", "c")).step.waits] == ["K1"]


BEFORE = extensions('<spiffworkflow:preScript>wait = "PT2H"</spiffworkflow:preScript>')
PREPARED = (start(), user("a", BEFORE), boundary("t", "a", "timer wait"), user("z"), flow("s", "a"), flow("t", "z"))


@TABLE.row("boundary timer using preScript", "the timer is evaluated first", lambda: rejects(PREPARED, "wait"))
def _prepared() -> None:
    assert Play(*PREPARED).later(hours=2).open == ["z"]


QUANTITY = (
    start(),
    script("two", "x = 1", completionQuantity="2"),
    user("a"),
    flow("s", "two", "a"),
)


def _single() -> None:
    assert run_bare(*QUANTITY).open == ["a"]


@TABLE.row("completionQuantity", "ignored", _single)
def _quantity() -> None:
    assert Play(*QUANTITY).open == ["a", "a"]


STARTING = (
    start(),
    gateway("g"),
    user("a"),
    user("b"),
    user("z", startQuantity="2"),
    flow("s", "g", "a", "z"),
    flow("g", "b", "z"),
)


def _not_waited_for() -> None:
    bare = run_bare(*STARTING)
    bare.complete("a", {})
    assert "z" in bare.open


@TABLE.row("startQuantity", "ignored", _not_waited_for)
def _start_quantity() -> None:
    assert Play(*STARTING).complete("a").open == ["b"]
    assert Play(*STARTING).complete("a").complete("b").open == ["z"]


TERMINATE = (
    start(),
    gateway("g"),
    end("stop", "term"),
    script("after", "ran = True"),
    end(),
    flow("s", "g", "stop"),
    flow("g", "after", "e"),
)


def _still_runs() -> None:
    bare = run_bare(*TERMINATE, data={"ran": False})
    states = {t.task_spec.name: t.state for t in bare.workflow.get_tasks()}
    assert states["after"] == 64


@TABLE.row("terminate end event", "a parallel script in the same pass still runs", _still_runs)
def _terminate() -> None:
    p = Play(*TERMINATE, data={"ran": False})
    assert p.outcome == "terminated"
    assert p.data["ran"] is False


SHARED = _handled("msg", isInterrupting="false")


def _mutated() -> None:
    bare = run_bare(*SHARED)
    bare.deliver("msg", {})
    again = type(bare.workflow)(
        bare.workflow.spec, bare.workflow.subprocess_specs, script_engine=bare.workflow.script_engine
    )
    again.do_engine_steps()
    assert any(t.task_spec.name == "h" for t in again.get_tasks())


@TABLE.row("definitions", "specs are mutated while running: a second case starts in the event sub-process", _mutated)
def _unchanged() -> None:
    p = Play(*SHARED).deliver("message", "msg")  # fingerprints the definition around every call
    step = bpmn.start(p.definition, p.now, {}, business_key="K2")
    assert [w.element for w in step.work] == ["P/a"]
