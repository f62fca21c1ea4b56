"""Faults of conditions, repetitions, timers, calls and decisions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from SpiffWorkflow.bpmn.exceptions import WorkflowTaskException
from SpiffWorkflow.bpmn.specs.event_definitions.timer import TimerEventDefinition

from engine.bpmn.timers import moment, shift
from engine.errors import InputRejected, Refused
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
    io,
    process,
    script,
    start,
    sub,
    user,
)
from tests.faults import Table, names_at, rejects, run_bare
from tests.test_differential import Maker

TABLE = Table()


DRAWN = '<dataObject id="total"/><dataObjectReference id="ref" dataObjectRef="total"/>'
INTO = '<dataOutputAssociation id="out"><sourceRef>total</sourceRef><targetRef>ref</targetRef></dataOutputAssociation>'
WATCHED = (user("a"), boundary("c", "a", "when total > 0"), user("z"), end("e1"), flow("s1", "a", "e1"))
CONDITION = (
    start(),
    DRAWN,
    script("set", "total = 1", INTO),
    sub("u", start("s1"), *WATCHED, flow("c", "z", "e1")),
    end(),
    flow("s", "set", "u", "e"),
)


@TABLE.row(
    "conditional event on the parent's data object",
    "NameError at evaluation",
    lambda: rejects(CONDITION, "error evaluating"),
)
def _condition() -> None:
    assert Play(*CONDITION).open == ["z"]


MISSPELT = (
    start(),
    user("a"),
    element("boundaryEvent", "c", event("when toal > 1"), attachedToRef="a"),
    flow("s", "a"),
)


@TABLE.row(
    "misspelt condition of an event",
    "re-arming failures and misspelt conditions pass silently",
    "the first machine gave: the event never fires and nobody is told",
)
def _misspelt() -> None:
    assert Play(*MISSPELT, user("z"), flow("c", "z"), data={"total": 1}).codes == ["unknown_name"]


def votes(sequential: str, until: str, outputs: bool = True) -> tuple[str, ...]:
    inner = "<loopDataInputRef>people</loopDataInputRef>"
    inner += "<loopDataOutputRef>out</loopDataOutputRef>" if outputs else ""
    inner += '<inputDataItem id="person"/>' + ('<outputDataItem id="vote"/>' if outputs else "")
    inner += f"<completionCondition>{until}</completionCondition>" if until else ""
    loop = f'<multiInstanceLoopCharacteristics isSequential="{sequential}">{inner}</multiInstanceLoopCharacteristics>'
    return (start(), user("u", loop), end(), flow("s", "u", "e"))


PEOPLE = {"people": list("abcde")}
QUORUM = "len([1 for v in out if v == 'yes']) >= 3"


def _votes_needed(sequential: str) -> int:
    bare = run_bare(*votes(sequential, QUORUM), data={**PEOPLE, "out": []})
    for number in range(1, 6):
        task = bare._tasks()[0]
        task.data["vote"] = "yes"
        task.run()
        bare._run()
        if bare.completed:
            return number
    return 6


def _never_early(sequential: str) -> None:
    try:
        needed = _votes_needed(sequential)
    except Exception:
        return
    assert needed != 3


def _three(sequential: str) -> None:
    p = Play(*votes(sequential, QUORUM), data=PEOPLE)
    for _ in range(3):
        assert p.outcome is None
        p.complete("u", {"vote": "yes"})
    assert p.outcome == "completed"


@TABLE.row("quorum, parallel", "`3 of 5 yes` over the output list never fires early", lambda: _never_early("false"))
def _parallel_quorum() -> None:
    _three("false")


@TABLE.row("quorum, sequential", "`3 of 5 yes` over the output list fires one late", lambda: _never_early("true"))
def _sequential_quorum() -> None:
    _three("true")


def _lost_vote() -> None:
    bare = run_bare(*votes("false", ""), data=PEOPLE)
    task = bare._tasks()[0]
    with pytest.raises(WorkflowTaskException):
        task.run()
    assert task.state == 64  # completed, and not merged


@TABLE.row("missing output item", "exception, and the child is COMPLETED yet not merged", _lost_vote)
def _vote_kept() -> None:
    p = Play(*votes("false", ""), data=PEOPLE)
    with pytest.raises(InputRejected):
        p.complete("u", {})
    assert p.open == ["u"] * 5


NOWHERE = votes("false", "", outputs=False)


def _overwritten() -> None:
    bare = run_bare(*NOWHERE, data={"people": ["a", "b"]})
    for answer in ("yes", "no"):
        bare.complete("u", {"vote": answer})
    assert bare.variables["vote"] == "no"


@TABLE.refused("answers without output collection", "children's same-named variables overwrite", _overwritten)
def _collected() -> None:
    names_at("u", *NOWHERE)


EXISTING = (
    start(),
    user(
        "u",
        "<multiInstanceLoopCharacteristics><loopCardinality>2</loopCardinality>"
        '<loopDataOutputRef>out</loopDataOutputRef><outputDataItem id="vote"/></multiInstanceLoopCharacteristics>',
    ),
    end(),
    flow("s", "u", "e"),
)


def _name_error() -> None:
    with pytest.raises(Exception, match="data_ouput"):
        run_bare(*EXISTING, data={"out": ["old"]})


@TABLE.row("cardinality with an existing output list", "NameError data_ouput", _name_error)
def _existing() -> None:
    p = Play(*EXISTING, data={"out": ["old"]}).complete("u", {"vote": 1}).complete("u", {"vote": 2})
    assert p.data["out"] == [1, 2]


def _third_of_march() -> None:
    parsed = TimerEventDefinition.parse_iso_duration("P1M")
    begin = datetime(2026, 1, 31, tzinfo=UTC)
    assert begin + TimerEventDefinition.get_timedelta_from_start(parsed, begin) == datetime(2026, 3, 3, tzinfo=UTC)


@TABLE.row("P1M from 31 January", "3 March", _third_of_march)
def _last_of_february() -> None:
    assert shift(datetime(2026, 1, 31, 4, tzinfo=UTC), "P1M") == datetime(2026, 2, 28, 4, tzinfo=UTC)
    assert shift(datetime(2024, 1, 31, 4, tzinfo=UTC), "P1M") == datetime(2024, 2, 29, 4, tzinfo=UTC)


@TABLE.row("times without a zone", "the server's zone at import", "bare 3.2.0 gave: local time of the process's TZ")
def _shanghai() -> None:
    assert moment("2026-07-15T09:00") == datetime(2026, 7, 15, 1, tzinfo=UTC)


DUE = (start(), user("a"), boundary("t", "a", "timer PT1H"), script("p", "n = 1"), user("z"), flow("s", "a"))


@TABLE.row("a due boundary timer", "one do_engine_steps leaves it READY, not run", "bare 3.2.0 gave: two calls needed")
def _one_call() -> None:
    assert Play(*DUE, flow("t", "p", "z")).later(hours=1).open == ["z"]


TAKES = process(io("n", "r"), start("s2"), script("q", "r = n + 1; secret = 1"), flow("s2", "q"), ident="Q")


def _all_cross() -> None:
    bare = run_bare(
        start(),
        call("c", "Q"),
        user("z"),
        flow("s", "c", "z"),
        data={"n": 1},
        called=process(start("s2"), script("q", "secret = 1"), end("e2"), flow("s2", "q", "e2"), ident="Q"),
    )
    assert "secret" in bare._tasks()[0].data


@TABLE.row("inputs and outputs of a call", "a call copies everything back", _all_cross)
def _declared() -> None:
    called = process(io("n", "r"), start("s2"), script("q", "r = n + 1\nsecret = 1"), flow("s2", "q"), ident="Q")
    p = Play(files=(process(start(), call("c", "Q"), user("z"), flow("s", "c", "z")), called), data={"n": 1})
    assert p.data == {"n": 1, "r": 2}


LANDS = (start(), catch("c", "msg into told"), user("z"), flow("s", "c", "z"))


@TABLE.row(
    "message payload", "payloads overwrite variables", "the first machine gave: every key of the payload a variable"
)
def _one_variable() -> None:
    p = Play(*LANDS, data={"n": 1}).deliver("message", "msg", {"n": 2})
    assert p.data == {"n": 1, "told": {"n": 2}}


ENDLESS = (start(), element("exclusiveGateway", "m"), script("p", "n = 1"), user("z"), flow("s", "m", "p", "m"))


@TABLE.refused("endless loop", "`more` for ever", "the first machine gave: more steps at every call, without end")
def _endless() -> None:
    with pytest.raises(InputRejected):
        Play(*ENDLESS)


MANY = votes("false", "")


@TABLE.row(
    "200,000 instances", "made under a budget of 20,000 steps", "the first machine gave: 200,000 tokens in one step"
)
def _too_many() -> None:
    p = Play(*MANY, data={"people": list(range(2001))})
    assert p.codes == ["too_many_instances"]


QUOTED = (start(), script("p", "x = {'name': 1}[who]"), flow("s", "p"))


@TABLE.row("incident texts", "quote data", "the first machine gave: the exception's text, with the missing key in it")
def _no_data() -> None:
    p = Play(*QUOTED, data={"who": "Zhang San"})
    assert p.codes == ["missing_key"]
    assert "Zhang" not in repr(p.step.incidents)


def table(policy: str, *cells: str, more: str = "") -> bytes:
    """Rules over ``n`` giving ``found`` = 1, 2 …"""
    rules = "".join(
        f'<rule id="r{i}"><inputEntry id="i{i}"><text>{c.replace("<", "&lt;")}</text></inputEntry>'
        f'<outputEntry id="o{i}"><text>{i}</text></outputEntry></rule>'
        for i, c in enumerate(cells, 1)
    )
    return (
        '<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/" id="d" name="d" namespace="t">'
        f'<decision id="rate" name="rate"><decisionTable id="t" hitPolicy="{policy}"{more}><input id="in">'
        '<inputExpression id="ie"><text>n</text></inputExpression></input><output id="out" name="found"/>'
        f"{rules}</decisionTable></decision></definitions>"
    ).encode()


RULE = extensions("<spiffworkflow:calledDecisionId>rate</spiffworkflow:calledDecisionId>")
ASKING = (start(), element("businessRuleTask", "d", RULE), user("z"), flow("s", "d", "z"))


def asked(content: bytes, n: int = 5) -> Play:
    return Play(*ASKING, data={"n": n}, decisions={"rate.dmn": content})


def bare_asked(content: bytes, n: int = 5) -> dict[str, Any]:
    """What the library's own task finds."""
    from lxml import etree  # noqa: PLC0415
    from SpiffWorkflow.bpmn import BpmnWorkflow  # noqa: PLC0415
    from SpiffWorkflow.spiff.parser.process import SpiffBpmnParser  # noqa: PLC0415

    parser = SpiffBpmnParser()
    parser.add_dmn_xml(etree.fromstring(content), filename="rate.dmn")
    parser.add_bpmn_xml(etree.fromstring(process(*ASKING)))
    workflow = BpmnWorkflow(parser.get_spec("P"))
    next(iter(workflow.get_tasks(state=16))).data["n"] = n
    workflow.do_engine_steps()
    return dict(next(t for t in workflow.get_tasks() if t.task_spec.name == "z").data)


def _overlap() -> None:
    assert bare_asked(table("UNIQUE", "> 1", "> 3"))["found"] == 1


@TABLE.row("UNIQUE decision", "overlaps are not detected", _overlap)
def _overlap_found() -> None:
    assert asked(table("UNIQUE", "> 1", "> 3")).codes == ["decision_overlap"]


def _first_match() -> None:
    for policy in ("ANY", "PRIORITY", "RULE ORDER", "OUTPUT ORDER"):
        assert bare_asked(table(policy, "> 1", "> 3"))["found"] == 1


@TABLE.refused("other hit policies", "ANY, PRIORITY, RULE ORDER, OUTPUT ORDER all give the first match", _first_match)
def _policies() -> None:
    for policy in ("ANY", "PRIORITY", "RULE ORDER", "OUTPUT ORDER"):
        with pytest.raises(Refused) as caught:
            asked(table(policy, "> 1"))
        assert caught.value.findings[0].where.endswith("#d")


def _not_summed() -> None:
    assert bare_asked(table("COLLECT", "> 1", "> 3", more=' aggregation="SUM"'))["found"] == [1, 2]


@TABLE.refused("COLLECT with an aggregator", "the aggregator is ignored", _not_summed)
def _aggregator() -> None:
    with pytest.raises(Refused):
        asked(table("COLLECT", "> 1", "> 3", more=' aggregation="SUM"'))


def _no_match() -> None:
    for cell in ("1,5", "not(3)"):
        assert "found" not in bare_asked(table("FIRST", cell))


@TABLE.refused("FEEL cells", "`1,5` and `not(..)` silently never match", _no_match)
def _feel() -> None:
    from engine.bpmn.gate import check  # noqa: PLC0415
    from engine.model import Library  # noqa: PLC0415

    for cell in ("1,5", "not(3)", "[1..10]"):
        found = check(Library({"processes/rate.dmn": table("FIRST", cell)}))
        assert "processes/rate.dmn#i1" in [each.where for each in found]


class _Nested(Maker):
    """Inclusive blocks in inclusive blocks, at any depth."""

    def block(self, depth: int) -> tuple[str, str, str]:
        inner = ["seq", "and", "or", "xor", "sub"]
        kinds = inner if depth > 1 else ["user", "user", "script", *(inner if depth else [])]
        made: tuple[str, str, str] = getattr(self, "make_" + self.random.choice(kinds))(depth)
        return made

    def make_or(self, depth: int) -> tuple[str, str, str]:
        return self.split(depth, "inclusiveGateway", "n >= 0", "n % 2 == 0", "n % 3 == 0")


def _nested() -> tuple[str, ...]:
    body, first, last = _Nested(123).block(4)
    return (start("S"), body, end("E"), flow("S", first), flow(last, "E"))


def _too_early() -> None:
    bare = run_bare(*_nested(), data={"n": 123})
    assert bare.open == ["u22", "u6"]
    bare.complete("u22", {})
    assert bare.open == ["u36", "u6"]  # u36 lies behind the join that u6 is on its way to


@TABLE.row("inclusive join", "nested, it can go while a branch is still on its way", _too_early)
def _in_time() -> None:
    p = Play(*_nested(), data={"n": 123}).complete("u22")
    assert p.open == ["u6"]
    assert p.complete("u6").complete("u7").open == ["u36"]
