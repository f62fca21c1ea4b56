"""The publishing gate: a good library passes, and every rule has a diagram that it turns red."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.bpmn.gate import check
from engine.bpmn.gate.sentences import RULES
from engine.model import Library
from tests.gate_cases.drawn_wrong import DRAWING
from tests.gate_cases.libraries import (
    STEP,
    between,
    between_nodes,
    ext,
    flow,
    io,
    lane,
    library,
    node,
    permit,
    process,
    props,
    returning,
    rows,
    rules,
    script,
    step,
    table,
    user,
)
from tests.gate_cases.meant_wrong import MEANING

PROVED = {"deadlock", "lack_of_synchronisation", "livelock", "dead_element", "dead_event", "not_proved"}
"""Rules of soundness, tested in test_soundness."""


def test_a_good_library_has_no_findings() -> None:
    assert check(library()) == []


def test_the_processes_we_ship_have_no_errors() -> None:
    root = Path(__file__).parents[1]
    paths = [path for room in ("processes", "forms") for path in sorted((root / room).rglob("*.*"))]
    found = check(Library({path.relative_to(root).as_posix(): path.read_bytes() for path in paths}))
    assert [each for each in found if each.severity == "error"] == []


def test_a_task_may_be_returned_to_one_before_it_in_its_process_or_in_a_step_called_before() -> None:
    asked = (io("item application", "answer"), lane("clerk", "look"), node("startEvent", "start"), user("look", "seen"))
    asked = (asked[0], f"<bpmn:laneSet id='l'>{asked[1]}</bpmn:laneSet>", *asked[2:])
    text = process("step", *asked, *STEP[2:4], flow("start", "look"), flow("look", "work"), flow("work", "end"))
    files = {**returning("check ask/look").files, **library(processes__services__steps__step_DOT_bpmn=text).files}
    files["processes/services/market/permit.bpmn"] = returning("check ask/look").files[
        "processes/services/market/permit.bpmn"
    ]
    assert check(Library(files)) == []


def test_a_step_may_name_what_its_callers_call_before_it() -> None:
    look = user("look", "seen", returns_to="first/look")
    head = (io("item application", "answer"), f"<bpmn:laneSet id='l'>{lane('clerk', 'look')}</bpmn:laneSet>")
    text = process(
        "step",
        *head,
        node("startEvent", "start"),
        look,
        *STEP[2:4],
        flow("start", "look"),
        flow("look", "work"),
        flow("work", "end"),
    )
    called = (node("callActivity", "first", calledElement="step"), flow("check", "first"), flow("first", "ask"))
    good = permit((flow("check", "ask"), "".join(called)))
    path = "processes/services/steps/step.bpmn"
    step_file = library(processes__services__steps__step_DOT_bpmn=text).files[path]
    assert check(Library({**good.files, path: step_file})) == []


RED = DRAWING + MEANING


@pytest.mark.parametrize(("rule", "element", "build"), RED, ids=[f"{rule}-{element}" for rule, element, _ in RED])
def test_a_fault_is_found_where_it_is(rule: str, element: str, build: Callable[[], Library]) -> None:
    found = [each for each in check(build()) if each.rule == rule]
    assert [each for each in found if each.where.partition("#")[2] == element], [each.where for each in found]
    warned = rule in ("name_missing", "documentation_missing", "ours_only", "id_style")
    assert {each.severity for each in found} == {"warning" if warned else "error"}
    for each in found:
        assert each.zh
        assert each.en
        assert each.mend_zh
        assert each.mend_en


def test_every_rule_of_the_gate_has_a_red_diagram() -> None:
    assert set(RULES) - {rule for rule, _, _ in RED} - PROVED == set()


def test_all_findings_of_all_files_come_at_once() -> None:
    found = check(
        permit(
            ("decision['ok']", "decision.ok"),
            ('value="accepted"', 'value="unheard"'),
            ('calledElement="step"', 'calledElement="gone"'),
        )
    )
    assert {"expression", "notice_unknown", "called_missing"} <= rules(found)
    assert check(permit()) == []


def test_a_file_that_does_not_compile_still_shows_what_else_is_wrong_with_it() -> None:
    found = check(
        permit(
            ("<bpmn:flowNodeRef>check</bpmn:flowNodeRef>", ""),
            ("<bpmn:callActivity", "<bpmn:task"),
            ("</bpmn:callActivity", "</bpmn:task"),
        )
    )
    assert {"no_lane", "abstract_task", "schema"} <= rules(found)


def test_bad_forms_templates_and_registers_are_found_too() -> None:
    assert any(
        f.where.startswith("forms/permit/check.json") for f in check(library(forms__permit__check_DOT_json=b"{"))
    )
    assert "template" in rules(check(library(forms__documents__notice_DOT_html="{{ item.")))
    broken = check(library(processes__registers__roles_DOT_csv="role,name\nclerk\n"))
    assert any(each.where.startswith("processes/registers/roles.csv") for each in broken)
    assert "role_unknown" not in rules(broken)


def test_the_variable_that_takes_the_signatures_is_known() -> None:
    task = node("userTask", "a", ext(props(signatures="opinions")))
    drawn = step(task, script("c", "answer = opinions"), flow("seed", "a"), flow("a", "c"), flow("c", "end"))
    assert "name_unset" not in rules(check(drawn))


def test_variables_of_messages_loops_and_calls_are_known() -> None:
    received = "<bpmn:messageEventDefinition messageRef='m'/>"
    named = "<spiffworkflow:messageVariable>letter</spiffworkflow:messageVariable>"
    variable = ext(props(schema="permit/check.json"), named)
    carried = f"<bpmn:message id='m' name='m'>{variable}</bpmn:message>"
    loop = (
        "<bpmn:multiInstanceLoopCharacteristics isSequential='true'><bpmn:loopDataInputRef>rows</bpmn:loopDataInputRef>"
        "<bpmn:loopDataOutputRef>sums</bpmn:loopDataOutputRef><bpmn:inputDataItem id='one' name='one'/>"
        "<bpmn:outputDataItem id='total' name='total'/></bpmn:multiInstanceLoopCharacteristics>"
    )
    good = step(
        node("intermediateCatchEvent", "a", received),
        node("scriptTask", "b", loop + "<bpmn:script>total = one + loopCounter</bpmn:script>"),
        script("c", "answer = [letter, sums]"),
        flow("seed", "a"),
        flow("a", "b"),
        flow("b", "c"),
        flow("c", "end"),
        more=carried,
    )
    assert [each for each in check(good) if each.severity == "error"] == []


def test_branches_that_only_one_of_may_take_may_write_the_same() -> None:
    good = step(
        node("exclusiveGateway", "g"),
        node("exclusiveGateway", "j"),
        script("s", "answer = 2"),
        script("t", "answer = 3"),
        flow("seed", "g"),
        flow("g", "s", "answer == 1"),
        flow("g", "t", "answer != 1"),
        flow("s", "j"),
        flow("t", "j"),
        flow("j", "end"),
    )
    assert rules(check(good)) <= {"name_missing"}


def test_what_comes_after_the_join_may_write_again() -> None:
    good = step(
        node("parallelGateway", "g"),
        node("parallelGateway", "j"),
        script("s", "x = 2"),
        script("t", "y = 3"),
        script("u", "x = 4"),
        flow("seed", "g"),
        flow("g", "s"),
        flow("g", "t"),
        flow("s", "j"),
        flow("t", "j"),
        flow("j", "u"),
        flow("u", "end"),
    )
    assert check(good) == []


def test_the_gate_is_deterministic() -> None:
    bad = permit(("decision['ok']", "descision['ok']"), ('value="accepted"', 'value="unheard"'))
    assert check(bad) == check(bad)


def test_rules_of_a_table_that_exclude_each_other_pass() -> None:
    assert check(table(rows("&lt; 3", "&gt;= 3"))) == []
    assert check(table(rows("'a'", "? in ['b', 'c']", "? not in ['a', 'b', 'c']"))) == []
    assert check(table(rows("1 &lt;= ? &lt; 3", "3 &lt;= ? &lt; 5", "5"))) == []
    assert check(table(rows("&gt; 3", "5", policy="FIRST"))) == []


TRIAL = "processes/grid/trial.bpmn"
HOSTILE: dict[str, tuple[bytes, str]] = {
    "any DOCTYPE": (b"<!DOCTYPE a><a/>", "doctype"),
    "an entity": (b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "doctype"),
    "a file from outside": (b"<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/hostname'>]><a>&b;</a>", "doctype"),
    "entities of entities": (
        b"<!DOCTYPE a [<!ENTITY b0 'bbbbbbbbbb'>"
        + b"".join(b"<!ENTITY b%d '%s'>" % (n, b"&b%d;" % (n - 1) * 10) for n in range(1, 12))
        + b"]><a>&b11;</a>",
        "not_xml",
    ),
    "six million spaces": (b"<a>" + b" " * 6_000_000 + b"</a>", "file_too_large"),
    "an encoding nobody knows": (b'<?xml version="1.0" encoding="nonsense-9"?><a/>', "not_xml"),
    "bytes of another encoding": ("<a>流程</a>".encode("gbk"), "not_xml"),
    "nothing": (b"", "not_xml"),
    "no text": (bytes(1000), "not_xml"),
    "a web page": (b"<html><body/></html>", "not_bpmn"),
    "nested for ever": (b"<a>" * 5_000 + b"</a>" * 5_000, "not_xml"),
    "nested too deeply": (
        b"<definitions>" + b"<process>" * 150 + b"</process>" * 150 + b"</definitions>",
        "too_deep",
    ),
    "two thousand tasks": (
        process("trial", *(script(f"t{n}", "x = 1") for n in range(2_000))).encode(),
        "too_many_elements",
    ),
}


@pytest.mark.parametrize(("content", "rule"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_file_is_one_clear_finding_at_once(content: bytes, rule: str) -> None:
    files = dict(library().files) | {TRIAL: content}
    began = time.perf_counter()
    found = check(Library(files))
    assert time.perf_counter() - began < 2
    assert [(each.where.partition("#")[0], each.rule) for each in found] == [(TRIAL, rule)]


def test_the_deepest_diagram_that_is_read_is_also_proved() -> None:
    inside = between_nodes("s", script("work", "answer = 2"), "e")
    for n in range(44):
        nested = f'<bpmn:subProcess id="q{n}" name="q">{inside}</bpmn:subProcess>'
        inside = between_nodes(f"s{n}", nested, f"e{n}", ident=f"q{n}")
    assert "too_deep" not in rules(check(between(node("subProcess", "a", inside))))
