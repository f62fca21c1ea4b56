"""Faults of reading diagrams: what the library drops, ignores or reports of the wrong element."""

from __future__ import annotations

import pytest
from lxml import etree

from engine import bpmn
from engine.bpmn.expressions import check_expression, check_script
from engine.bpmn.gate import check
from engine.errors import Refused
from engine.model import Library
from tests.diagrams import (
    Play,
    call,
    definition,
    element,
    end,
    event,
    extensions,
    flow,
    io,
    lane,
    lanes,
    process,
    properties,
    script,
    start,
    sub,
    user,
)
from tests.faults import Table, names_at, rejects, run_bare

TABLE = Table()


def gate_names(ident: str, rule: str, *body: str) -> None:
    """The gate has this finding at this element."""
    found = check(Library({"processes/services/P.bpmn": process(*body)}))
    assert (f"processes/services/P.bpmn#{ident}", rule) in [(each.where, each.rule) for each in found]


BOGUS = (start(), user("a", extensions("<spiffworkflow:bogus>1</spiffworkflow:bogus>")), flow("s", "a"))


@TABLE.refused("unknown extension", "spiffworkflow:bogus passes", lambda: _opens(BOGUS))
def _bogus() -> None:
    gate_names("a", "property_unknown", *BOGUS)


def _opens(body: tuple[str, ...]) -> None:
    assert run_bare(*body).open == ["a"]


BAD_SCRIPT = (start(), user("a"), script("p", "x = = 1"), flow("s", "a", "p"))


@TABLE.refused("script syntax error", "not caught by schema nor parser", lambda: _opens(BAD_SCRIPT))
def _bad_script() -> None:
    gate_names("p", "expression", *BAD_SCRIPT)


BAD_CONDITION = (
    start(),
    user("a"),
    element("exclusiveGateway", "g", default="g_e"),
    end(),
    user("b"),
    flow("s", "a", "g", "e"),
    flow("g", "b", when="x >"),
)


@TABLE.refused("bad condition", "not caught by schema nor parser", lambda: _opens(BAD_CONDITION))
def _bad_condition() -> None:
    gate_names("g", "expression", *BAD_CONDITION)


UNREACHABLE = (start(), user("a"), user("lost"), end(), flow("s", "a", "e"), flow("lost", "e"))


def _dropped() -> None:
    assert "lost" not in run_bare(*UNREACHABLE).workflow.spec.task_specs


@TABLE.refused("unreachable node", "silently dropped", _dropped)
def _unreachable() -> None:
    names_at("lost", *UNREACHABLE)


CONDITIONAL = (start(), user("a"), user("z"), end(), flow("s", "a"), flow("a", "z", when="x > 3"), flow("z", "e"))


def _taken() -> None:
    bare = run_bare(*CONDITIONAL)
    bare.complete("a", {"x": 1})
    assert bare.open == ["z"]


@TABLE.row("condition on a flow leaving a task", "ignored, flow taken", _taken)
def _conditional() -> None:
    assert Play(*CONDITIONAL).complete("a", {"x": 4}).open == ["z"]
    with pytest.raises(Exception, match="No outgoing flow"):
        Play(*CONDITIONAL).complete("a", {"x": 1})


FORMLESS = (start(), user("a"), flow("s", "a"))


@TABLE.refused("missing form", "not caught", lambda: _opens(FORMLESS))
def _formless() -> None:
    gate_names("a", "form_missing", *FORMLESS)


DANGLING = (start(), user("a"), flow("s", "a", "nowhere"))


@TABLE.refused("dangling flow", "says `perhaps a form has the same ID?`", lambda: rejects(DANGLING, ""))
def _dangling() -> None:
    names_at("a_nowhere", *DANGLING)


TWO_WAYS = (start(), user("a"), user("b"), user("c"), flow("s", "a", "b"), flow("a", "c"))


@TABLE.row("two flows out of a task", "ValidationException", lambda: rejects(TWO_WAYS, "multiple outgoing"))
def _two_ways() -> None:
    assert Play(*TWO_WAYS).complete("a").open == ["b", "c"]


INNER = (start("s1"), user("a"), end("e1"), flow("s1", "a", "e1"))
CALLED = process(io("n", "n"), start("s2"), sub("part", *INNER), end("e2"), flow("s2", "part", "e2"), ident="Q")
CALLER = (
    start(),
    sub("part", start("s3"), user("b"), end("e3"), flow("s3", "b", "e3")),
    call("c", "Q"),
    end(),
    flow("s", "part", "c", "e"),
)


def _one_namespace() -> None:
    with pytest.raises(Exception, match="Duplicate"):
        run_bare(*CALLER, called=CALLED)


@TABLE.row("same sub-process id in caller and called", "Duplicate process ID", _one_namespace)
def _own_names() -> None:
    p = Play(files=(process(*CALLER), CALLED), data={"n": 1}).complete("b")
    assert [w.element for w in p.step.work] == ["Q/part/a"]


ELSEWHERE = (
    start(),
    element("intermediateCatchEvent", "c", '<messageEventDefinition messageRef="other"/>'),
    flow("s", "c"),
)


@TABLE.refused("message of another file", "ValidationException wrapping a TypeError", lambda: rejects(ELSEWHERE, ""))
def _elsewhere() -> None:
    names_at("c", *ELSEWHERE)


CALLS_NOBODY = (start(), call("c", "nobody"), flow("s", "c"))


@TABLE.refused("unknown called process", "fails at parse, not naming the call", lambda: rejects(CALLS_NOBODY, ""))
def _nobody() -> None:
    with pytest.raises(Refused) as caught:
        definition(process(*CALLS_NOBODY))
    assert [f.where.rpartition("#")[2] for f in caught.value.findings] == ["c"]


def _lanes() -> tuple[str, ...]:
    inner = lane("examiner", "'liwan'", "a", name="Inner")
    return (lanes(lane("all", "'liwan'", "a", name="Outer", inner=inner)), start(), user("a"), flow("s", "a"))


@TABLE.row("nested lanes", "the outer name wins", "bare 3.2.0 gave: the lane that stands last in the file")
def _inner_wins() -> None:
    assert [w.role for w in Play(*_lanes()).step.work] == ["examiner"]


DOCTYPE = b'<!DOCTYPE definitions [<!ENTITY who "a">]>'


def _expanded() -> None:
    xml = DOCTYPE + process(start(), user("u", name="&amp;who;"), flow("s", "u")).replace(b"&amp;who;", b"&who;")
    parsed = etree.fromstring(xml)  # as the library reads it: without a parser of its own
    assert parsed.xpath("//*[@id='u']")[0].get("name") == "a"


@TABLE.refused("internal entities", "are expanded", _expanded)
def _doctype() -> None:
    with pytest.raises(Refused):
        bpmn.compile_process(DOCTYPE + process(start()), "P.bpmn")


START = (start("Start"), user("a"), end("End"), flow("Start", "a", "End"))


@TABLE.row("element called Start", "collides with the library's root task", lambda: rejects(START, ""))
def _called_start() -> None:
    assert Play(*START).complete("a").outcome == "completed"


STORE = ('<dataStoreReference id="d" dataStoreRef="ds"/>', *FORMLESS)


@TABLE.refused("data store", "no implementation", "bare 3.2.0 gave: ValidationException at first use only")
def _store() -> None:
    names_at("d", *STORE)


BEHAVIOUR = (
    start(),
    user(
        "a",
        '<multiInstanceLoopCharacteristics behavior="None" noneBehaviorEventRef="none">'
        "<loopCardinality>2</loopCardinality></multiInstanceLoopCharacteristics>",
    ),
    flow("s", "a"),
)
NONE = '<signalEventDefinition id="none" signalRef="sig"/>'


def _ignored() -> None:
    assert run_bare(*BEHAVIOUR, more=NONE).open == ["a", "a"]


@TABLE.refused("multi-instance behaviour", "silently ignored", _ignored)
def _behaviour() -> None:
    names_at("a", *BEHAVIOUR, more=NONE)


REFERENCED = (
    start(),
    element("intermediateCatchEvent", "c", "<eventDefinitionRef>told</eventDefinitionRef>"),
    user("z"),
    flow("s", "c", "z"),
)
TOLD = '<messageEventDefinition id="told" messageRef="msg"/>'


def _not_awaited() -> None:
    try:
        bare = run_bare(*REFERENCED, more=TOLD)
    except Exception:
        return
    assert bare.open == ["z"]


@TABLE.row("event definition references", "silently ignored", _not_awaited)
def _referenced() -> None:
    assert [w.name for w in Play(files=(process(*REFERENCED, more=TOLD),)).step.waits] == ["msg"]


ABSTRACT = (start(), element("task", "t"), end(), flow("s", "t", "e"))


def _manual() -> None:
    assert run_bare(*ABSTRACT).open == ["t"]


@TABLE.refused("abstract task", "left READY as manual work", _manual)
def _abstract() -> None:
    names_at("t", *ABSTRACT)


UNQUOTED = (start(), element("intermediateCatchEvent", "c", event("timer PT1H")), end(), flow("s", "c", "e"))


@TABLE.refused("unquoted duration", "raises at run time", lambda: rejects(UNQUOTED, "pt1h"))
def _unquoted() -> None:
    gate_names("c", "timer_unquoted", *UNQUOTED)


def _shell() -> None:
    from SpiffWorkflow.bpmn.script_engine import PythonScriptEngine  # noqa: PLC0415

    assert PythonScriptEngine().environment.evaluate("__import__('os').getpid()", {}) > 0


@TABLE.refused("scripts with full builtins", "a gateway condition imported os, a script ran a shell command", _shell)
def _whitelist() -> None:
    assert check_expression("__import__('os').getpid()")
    assert check_script("import os")
    assert check_script("x = ().__class__.__base__.__subclasses__()")


NAMED = (start(), user("a", properties(variable="form")), user("z"), flow("s", "a", "z"))


@TABLE.row("form field named like a function", "ValueError: overwrites a predefined function", "bare 3.2.0 gave: so")
def _field() -> None:
    p = Play(*NAMED).complete("a", {"len": 3, "sum": 4})
    assert p.data["form"] == {"len": 3, "sum": 4}
