"""Faults of running: loops, joins, variables, saved states, timers, repetitions, decisions."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from SpiffWorkflow.bpmn.exceptions import WorkflowTaskException
from SpiffWorkflow.bpmn.serializer.workflow import BpmnWorkflowSerializer
from SpiffWorkflow.spiff.serializer.config import SPIFF_CONFIG

from engine import bpmn
from engine.bpmn.state import decode, encode
from engine.errors import InputRejected
from tests.diagrams import (
    T0,
    Play,
    element,
    end,
    extensions,
    flow,
    gateway,
    properties,
    script,
    start,
    user,
)
from tests.faults import Table, run_bare

TABLE = Table()


def serializer() -> Any:
    return BpmnWorkflowSerializer(BpmnWorkflowSerializer.configure(SPIFF_CONFIG))


ONE = (start(), user("a"), user("b"), flow("s", "a", "b"))


def _again() -> None:
    bare = run_bare(start(), user("a", extensions(POST)), user("b"), flow("s", "a", "b"), data={"n": 0})
    task = bare._tasks()[0]
    task.run()
    task.run()
    assert task.data["n"] == 2


POST = "<spiffworkflow:postScript>n = n + 1</spiffworkflow:postScript>"


@TABLE.row("a completed task completed again", "Task.run() checks no state", _again)
def _once() -> None:
    p = Play(*ONE)
    token = p.step.work[0].token
    p.complete("a")
    with pytest.raises(InputRejected):
        bpmn.complete(p.definition, p.step.state, T0, token, {})


ROUND = (
    start(),
    element("exclusiveGateway", "m"),
    script("p", "n = n + 1"),
    element("exclusiveGateway", "g", default="g_m"),
    user("z"),
    flow("s", "m", "p", "g", "m"),
    flow("g", "z", when="n >= 1000"),
)


def _invisible() -> None:
    bare = run_bare(*ROUND, data={"n": 0})
    assert bare.open == []
    assert max(task.data.get("n", 0) for task in bare.workflow.get_tasks()) < 1000
    assert bare.completed  # so it says


@TABLE.row(
    "a loop of 1,000 rounds", "invisible after some hundred rounds: it stops, and calls itself completed", _invisible
)
def _rounds() -> None:
    step = bpmn.start(Play(*ROUND, data={"n": 999}).definition, T0, {"n": 0}, business_key="K")
    assert [w.element for w in step.work] == ["P/z"]
    assert len(step.state) < 500


def _pairs(number: int) -> tuple[str, ...]:
    parts, last = [start()], "s"
    for n in range(number):
        parts += [gateway(f"g{n}"), user(f"a{n}"), user(f"b{n}"), gateway(f"j{n}")]
        parts += [flow(last, f"g{n}", f"a{n}", f"j{n}"), flow(f"g{n}", f"b{n}", f"j{n}")]
        last = f"j{n}"
    return (*parts, end(), flow(last, "e"))


def _doubled() -> None:
    tasks = [len(list(run_bare(*_pairs(n)).workflow.get_tasks())) for n in (4, 5)]
    assert tasks[1] > 1.8 * tasks[0]


@TABLE.row("split and join pairs in sequence", "k pairs predict 2^(k+3) tasks", _doubled)
def _flat() -> None:
    assert len(Play(*_pairs(12)).step.state) - len(Play(*_pairs(2)).step.state) < 10


FAILING = (start(), user("a"), script("p", "y = x + 1"), user("z"), flow("s", "a", "p", "z"))


def _lost() -> None:
    bare = run_bare(*FAILING)
    with pytest.raises(WorkflowTaskException):
        bare.complete("a", {})
    assert bare.open == []
    assert not bare.completed


@TABLE.row(
    "a script that fails", "leaves do_engine_steps, the instance stays not completed, a reload does not retry", _lost
)
def _retried() -> None:
    p = Play(*FAILING).complete("a")
    assert p.codes == ["unknown_name"]


PARALLEL = (
    start(),
    gateway("g"),
    user("a"),
    user("b"),
    gateway("j"),
    user("z"),
    flow("s", "g", "a", "j", "z"),
    flow("g", "b", "j"),
)


def _stale() -> None:
    bare = run_bare(*PARALLEL, data={"v": 0})
    bare.complete("a", {"v": "A"})
    bare.complete("b", {})
    assert bare._tasks()[0].data["v"] == 0


@TABLE.row("parallel join", "the branch finishing last overwrites with its stale copies", _stale)
def _joined() -> None:
    assert Play(*PARALLEL, data={"v": 0}).complete("a", {"v": "A"}).complete("b").data["v"] == "A"


def _shared() -> None:
    bare = run_bare(*PARALLEL, data={"case": {"sub": {"v": 1}}})
    one, two = bare._tasks()
    one.data["case"]["sub"]["v"] = 99
    assert two.data["case"]["sub"]["v"] == 99


@TABLE.row("nested values of parallel tasks", "two READY tasks share nested dicts in memory", _shared)
def _apart() -> None:
    p = Play(*PARALLEL, data={"case": {"sub": {"v": 1}}})
    bpmn.read(p.definition, p.step.state, p.step.work[0].token)["case"]["sub"]["v"] = 99
    assert bpmn.read(p.definition, p.step.state, p.step.work[1].token)["case"]["sub"]["v"] == 1


CHANGING = (
    start(),
    user("a", properties(variable="form")),
    script("p", "form['zip'] = 'changed'"),
    user("z"),
    flow("s", "a", "p", "z"),
)


def _rewritten() -> None:
    from SpiffWorkflow.bpmn.script_engine import TaskDataEnvironment  # noqa: PLC0415

    completed = {"form": {"addr": {"zip": "510000"}}}
    following = dict(completed)  # as the library copies data from task to task
    TaskDataEnvironment().execute("form['addr']['zip'] = 'changed'", following, {})
    assert completed["form"]["addr"]["zip"] == "changed"


@TABLE.row("history of answers", "a later script changes the completed task's data", _rewritten)
def _kept() -> None:
    p = Play(*CHANGING).complete("a", {"zip": "510000"})
    written = [entry.values["form"] for entry in p.history if entry.values and "form" in entry.values]
    assert written == [[None, {"zip": "510000"}], [{"zip": "510000"}, {"zip": "changed"}]]


RESUBMITTED = (
    start(),
    element("exclusiveGateway", "m"),
    user("a", properties(variable="form")),
    element("exclusiveGateway", "g", default="g_m"),
    user("z"),
    flow("s", "m", "a", "g", "m"),
    flow("g", "z", when="form['ok'] == 1"),
)


def _come_back() -> None:
    bare = run_bare(start(), user("a"), user("b"), flow("s", "a", "b"))
    bare.complete("a", {"form": {"old": 1, "list": [1, 2]}})
    bare.complete("b", {"form": {"new": 1, "list": [3]}})
    assert bare.variables["form"]["old"] == 1


@TABLE.row("a form handed in again", "keys that were removed come back, lists merge by position", _come_back)
def _replaced() -> None:
    p = Play(*RESUBMITTED).complete("a", {"ok": 0, "old": 1}).complete("a", {"ok": 1})
    assert p.data["form"] == {"ok": 1}


def _empty() -> None:
    bare = run_bare(*ONE, data={"x": 1})
    bare.complete("a", {"y": 2})
    text = serializer().serialize_json(bare.workflow)
    reordered = json.loads(text)
    reordered["tasks"] = dict(reversed(reordered["tasks"].items()))
    try:
        again = serializer().deserialize_json(json.dumps(reordered))
    except Exception:
        return
    ready = [t for t in again.get_tasks() if t.task_spec.name == "b"]
    assert "y" not in ready[0].data


@TABLE.row("key order of a saved state lost", "task data silently {}", _empty)
def _ordered() -> None:
    p = Play(*ONE, data={"x": 1}).complete("a", {"y": 2})
    reordered = json.dumps(dict(reversed(json.loads(p.step.state).items()))).encode()
    assert encode(decode(reordered)) == p.step.state
    assert bpmn.read(p.definition, reordered) == {"x": 1, "y": 2}


def _reload(data: dict[str, Any]) -> Any:
    return serializer().deserialize_json(serializer().serialize_json(run_bare(*ONE, data=data).workflow))


def _unloadable() -> None:
    with pytest.raises(TypeError):
        _reload({"user": {"typename": "x"}})


@TABLE.row("a key called typename", "makes the instance unloadable", _unloadable)
def _harmless() -> None:
    assert Play(*ONE, data={"user": {"typename": "UUID", "$": [1]}}).data == {"user": {"typename": "UUID", "$": [1]}}


EXACT = {"d": date(2026, 1, 1), "m": Decimal("1.10"), "t": timedelta(microseconds=5), "at": T0}


def _raise_or_lose() -> None:
    for name in ("d", "m"):
        with pytest.raises(TypeError):
            _reload({name: EXACT[name]})
    assert _reload({"t": EXACT["t"]}).get_tasks()[-1].data.get("t") != EXACT["t"]


@TABLE.row("dates, decimals, microseconds", "date and Decimal raise, timedelta loses microseconds", _raise_or_lose)
def _exact() -> None:
    p = Play(*ONE, data=EXACT)
    assert p.data == EXACT


def _nan() -> None:
    assert "NaN" in serializer().serialize_json(run_bare(*ONE, data={"x": float("nan")}).workflow)


@TABLE.refused("NaN", "round-trips, invalid JSON elsewhere", _nan)
def _no_nan() -> None:
    for value in (float("nan"), {1: "number as key"}, b"bytes"):
        with pytest.raises(InputRejected):
            Play(*ONE, data={"x": value})


def _heavy() -> None:
    assert len(serializer().serialize_json(run_bare(*ONE).workflow)) > 10 * len(Play(*ONE).step.state)


@TABLE.row("size of a state", "the blob contains the full specification", _heavy)
def _light() -> None:
    assert len(Play(*ONE).step.state) < 400
