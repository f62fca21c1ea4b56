"""One small process for every shape a state can have, stopped in the middle of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from tests import diagrams as d

Inputs = list[list[Any]]


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Files, what led to the state that is kept (``before``), and what leads from it to the end (``after``)."""

    name: str
    files: tuple[bytes, ...]
    after: Inputs
    before: Inputs = field(default_factory=list)
    variables: dict[str, Any] = field(default_factory=dict)
    decisions: dict[str, bytes] = field(default_factory=dict)


def shapes() -> Iterator[Shape]:
    """Every shape."""
    yield from _plain()
    yield from _waiting()
    yield from _inner()
    yield from _repeated()
    yield from _joins()
    yield from _failed()
    yield from _undoing()


def _done(*names: str) -> Inputs:
    return [["complete", name, {}] for name in names]


def _plain() -> Iterator[Shape]:
    asked = d.user("a", d.properties(variable="review"))
    lane = d.lanes(d.lane("intake_clerk", "'liwan/' + where", "s", "a", "b", "e"))
    yield Shape(
        name="user_task",
        files=(d.process(lane, d.start(), asked, d.user("b"), d.end(), d.flow("s", "a", "b", "e")),),
        variables={"where": "hall"},
        after=[["complete", "a", {"result": "通过", "amount": 1.5, "list": [1, None, True]}], ["complete", "b", {}]],
    )
    body = (d.start(), d.user("a"), d.end(inner=d.properties(outcome="granted")), d.flow("s", "a", "e"))
    yield Shape(name="outcome", files=(d.process(*body),), after=_done("a"))
    body = (d.start(), d.user("a"), d.script("x", "later = on"), d.end())
    yield Shape(
        name="dates_and_decimals",
        files=(d.process(*body, d.flow("s", "a", "x", "e")),),
        variables={"on": date(2026, 2, 28), "span": timedelta(days=3), "fee": Decimal("1.10"), "at": d.T0},
        after=_done("a"),
    )


def _waiting() -> Iterator[Shape]:
    body = (d.start(), d.user("a"), d.boundary("t", "a", 'timer "PT2H"'), d.user("late"), d.end(), d.end("e2"))
    flows = d.flow("s", "a", "e") + d.flow("t", "late", "e2")
    yield Shape(
        name="boundary_timer", files=(d.process(*body, flows),), after=[["later", 7200], ["complete", "late", {}]]
    )
    body = (d.start(), d.user("a"), d.boundary("t", "a", 'cycle "R5/PT1H"', False), d.end(), d.end("e2"))
    yield Shape(
        name="boundary_cycle",
        files=(d.process(*body, d.flow("s", "a", "e"), d.flow("t", "e2")),),
        before=[["later", 7200]],
        after=[["later", 3600], ["later", 7200], ["complete", "a", {}]],
    )
    body = (d.start(), d.user("a"), d.boundary("t", "a", "date deadline('correction')"), d.end(), d.end("e2"))
    yield Shape(
        name="deadline_timer",
        files=(d.process(*body, d.flow("s", "a", "e"), d.flow("t", "e2")),),
        after=[["later", 3600], ["later", 90_000]],
    )
    yield from _waiting_for_others()


def _waiting_for_others() -> Iterator[Shape]:
    body = (d.start(), d.gateway("g", "eventBased"), d.catch("m", "msg into told"), d.catch("t", 'timer "P1D"'))
    flows = d.flow("s", "g", "m", "e") + d.flow("g", "t", "e2")
    files = (d.process(*body, d.end(), d.end("e2"), flows),)
    yield Shape(name="event_gateway_message", files=files, after=[["deliver", "message", "msg", {"x": 1}]])
    yield Shape(name="event_gateway_timer", files=files, after=[["later", 90_000]])
    body = (
        d.start(),
        d.gateway("g"),
        d.user("a"),
        d.user("b"),
        d.boundary("w", "b", "when n > 1"),
        d.end(),
        d.end("z"),
    )
    flows = d.flow("s", "g", "a", "e") + d.flow("g", "b", "e") + d.flow("w", "z")
    yield Shape(
        name="conditional",
        files=(d.process(*body, flows),),
        variables={"n": 0},
        after=[["complete", "a", {"n": 2}]],
    )
    body = (d.start(), d.catch("c", "sig"), d.element("receiveTask", "r", messageRef="msg2"), d.end())
    yield Shape(
        name="signal_then_message",
        files=(d.process(*body, d.flow("s", "c", "r", "e")),),
        after=[["deliver", "signal", "sig", None], ["deliver", "message", "msg2", None]],
    )


def _inner() -> Iterator[Shape]:
    inner = d.process(
        d.io("x", "y"), d.start("s3"), d.user("deep"), d.script("set", "y = x + 1"), d.end("e3"),
        d.flow("s3", "deep", "set", "e3"), ident="R",
    )  # fmt: skip
    middle = d.process(
        d.io("x", "y"), d.start("s2"), d.call("c2", "R"), d.boundary("t", "c2", 'timer "P9D"'), d.end("e2"),
        d.end("e4"), d.flow("s2", "c2", "e2"), d.flow("t", "e4"), ident="Q",
    )  # fmt: skip
    outer = d.process(d.start(), d.call("c", "Q"), d.user("last"), d.end(), d.flow("s", "c", "last", "e"))
    yield Shape(name="nested_call", files=(outer, middle, inner), variables={"x": 1}, after=_done("deep", "last"))
    body = d.sub("p", d.start("s2"), d.user("a"), d.end("e2"), d.flow("s2", "a", "e2"), d.element("dataObject", "own"))
    heard = d.handler("h", d.start("hs", "msg into told", isInterrupting="false"), d.user("ha"), d.flow("hs", "ha"))
    yield Shape(
        name="sub_process_and_handler",
        files=(d.process(d.start(), body, heard, d.end(), d.flow("s", "p", "e")),),
        before=[["deliver", "message", "msg", 7]],
        after=_done("a", "ha"),
    )
    adhoc = d.sub(
        "p", d.user("a"), d.user("b"), "<completionCondition>False</completionCondition>", kind="adHocSubProcess",
        ordering="Sequential",
    )  # fmt: skip
    yield Shape(
        name="ad_hoc", files=(d.process(d.start(), adhoc, d.end(), d.flow("s", "p", "e")),), after=_done("a", "b")
    )


def _repeated() -> Iterator[Shape]:
    def multi(inner: str = "", **given: str) -> str:
        return d.element("multiInstanceLoopCharacteristics", "mi", inner, **given)

    items = (
        "<loopDataInputRef>names</loopDataInputRef><loopDataOutputRef>found</loopDataOutputRef>"
        '<inputDataItem id="name"/><outputDataItem id="answer"/>'
    )
    for kind, sequential in (("parallel", "false"), ("sequential", "true")):
        body = (d.start(), d.user("a", multi(items, isSequential=sequential)), d.user("z"), d.end())
        yield Shape(
            name=f"multi_{kind}",
            files=(d.process(*body, d.flow("s", "a", "z", "e")),),
            variables={"names": ["甲", "乙", "丙"]},
            before=[["complete", "a", {"answer": 1}]],
            after=[["complete", "a", {"answer": 2}], ["complete", "a", {"answer": 3}], ["complete", "z", {}]],
        )
    some = (
        "<loopCardinality>3</loopCardinality><completionCondition>numberOfCompletedInstances == 2</completionCondition>"
    )
    inside = d.sub("p", multi(some), d.start("s2"), d.user("a"), d.end("e2"), d.flow("s2", "a", "e2"))
    yield Shape(
        name="multi_sub_process",
        files=(d.process(d.start(), inside, d.end(), d.flow("s", "p", "e")),),
        before=_done("a"),
        after=_done("a"),
    )
    again = "<loopCondition>go</loopCondition>"
    body = (d.start(), d.user("a", d.element("standardLoopCharacteristics", "lo", again)), d.end())
    yield Shape(
        name="loop",
        files=(d.process(*body, d.flow("s", "a", "e")),),
        before=[["complete", "a", {"go": True}]],
        after=[["complete", "a", {"go": True}], ["complete", "a", {"go": False}]],
    )


def _joins() -> Iterator[Shape]:
    both = d.flow("s", "g", "a", "j", "e") + d.flow("g", "b", "j")
    body = (d.start(), d.gateway("g"), d.user("a"), d.user("b"), d.gateway("j"), d.end())
    yield Shape(name="parallel", files=(d.process(*body, both),), before=_done("a"), after=_done("b"))
    body = (d.start(), d.gateway("g", "inclusive"), d.user("a"), d.user("b"), d.gateway("j", "inclusive"), d.end())
    some = d.flow("s", "g") + d.flow("g", "a", when="n > 0") + d.flow("g", "b", when="n > 1")
    some += d.flow("a", "j", "e") + d.flow("b", "j")
    yield Shape(
        name="inclusive", files=(d.process(*body, some),), variables={"n": 2}, before=_done("b"), after=_done("a")
    )
    first = "<activationCondition>activationCount >= 1</activationCondition>"
    body = (d.start(), d.gateway("g"), d.user("a"), d.user("b"), d.element("complexGateway", "j", first), d.user("z"))
    flows = d.flow("s", "g", "a", "j") + d.flow("g", "b", "j") + d.flow("j", "z", when="waitingForStart")
    flows += d.flow("z", "e")
    yield Shape(
        name="complex_join", files=(d.process(*body, d.end(), flows),), before=_done("b"), after=_done("z", "a")
    )
    body = (d.start(), d.gateway("g"), d.user("a"), d.user("b"), d.user("z", startQuantity="2"), d.end())
    flows = d.flow("s", "g", "a", "z", "e") + d.flow("g", "b", "z")
    yield Shape(name="start_quantity", files=(d.process(*body, flows),), before=_done("a"), after=_done("b", "z"))


def _failed() -> Iterator[Shape]:
    body = (d.start(), d.gateway("g"), d.script("x", "y = missing + 1"), d.user("set"), d.end(), d.end("e2"))
    flows = d.flow("s", "g", "x", "e") + d.flow("g", "set", "e2")
    yield Shape(
        name="incident",
        files=(d.process(*body, flows),),
        before=[["complete", "set", {"missing": 1}]],
        after=[["retry"]],
    )
    body = (d.start(), d.user("a"), d.boundary("t", "a", "cycle w", False), d.user("r"), d.user("set"), d.gateway("g"))
    flows = d.flow("s", "g", "a", "e") + d.flow("g", "set", "e2") + d.flow("t", "r", "e3")
    yield Shape(
        name="incident_of_a_timer",
        files=(d.process(*body, d.end(), d.end("e2"), d.end("e3"), flows),),
        variables={"w": "R3/PT1H"},
        before=[["complete", "set", {"w": "?"}], ["later", 3600], ["complete", "r", {"w": "R3/PT1H"}]],
        after=[["retry"], ["later", 3600], ["complete", "r", {}], ["complete", "a", {}]],
    )


def _undoing() -> Iterator[Shape]:
    done = d.user("book") + d.boundary("cb", "book", "comp") + d.user("undo", isForCompensation="true")
    link = d.element("association", "as", sourceRef="cb", targetRef="undo", associationDirection="One")
    body = (d.start(), done, link, d.user("a"), d.throw("t", "comp"), d.end(), d.flow("s", "book", "a", "t", "e"))
    yield Shape(
        name="compensation_remembered", files=(d.process(*body),), before=_done("book"), after=_done("a", "undo")
    )
    yield Shape(
        name="compensation_under_way", files=(d.process(*body),), before=_done("book", "a"), after=_done("undo")
    )
