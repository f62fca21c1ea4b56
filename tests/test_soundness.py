"""Control flow is proved before it may run: a hundred unsound diagrams are refused at the right element."""

from __future__ import annotations

import time

import pytest

from engine import bpmn
from engine.bpmn.definition import Process
from engine.bpmn.gate import soundness
from engine.bpmn.gate.soundness import check_soundness
from engine.bpmn.gate.soundness_net import Interface
from engine.errors import Finding
from tests.gate_cases.drawing import drawn
from tests.gate_cases.unsound import CASES, Case
from tests.generator import sound


def compiled(files: dict[str, bytes]) -> dict[str, Process]:
    return {key: bpmn.compile_process(xml, f"{key}.bpmn") for key, xml in files.items()}


@pytest.mark.parametrize("case", CASES, ids=[f"{case.rule}: {case.name}" for case in CASES])
def test_an_unsound_diagram_is_refused_at_the_element_to_look_at(case: Case) -> None:
    found = [(each.where, each.rule) for each in check_soundness(compiled(case.files())) if each.severity == "error"]
    assert (f"{case.file}.bpmn#{case.element}", case.rule) in found
    assert len(found) == 1


def test_there_are_a_hundred_of_them_and_more() -> None:
    assert len({case.name + case.rule for case in CASES}) == len(CASES) >= 100


SOUND = {
    "exclusive block": "s>x>a,b a>x2 b>x2 x2>c>e",
    "parallel block": "s>p>a,b a>p2 b>p2 p2>c>e",
    "inclusive block": "s>o>a,b,c a>o2 b>o2 c>o2 o2>d>e",
    "parallel block joined by an inclusive gateway": "s>p>a,b a>o b>o o>c>e",
    "branches with ends of their own": "s>p>a,b a>e b>e1",
    "branches with one end for all": "s>p>a,b a>e b>e",
    "branches merged right before the end": "s>p>a,b a>x b>x x>e",
    "work again until it is right": "s>x>a>b>x2>x,e",
    "a loop inside a branch": "s>p>a,x x>b>x2>x,p2 a>p2 p2>e",
    "withdrawal at any time, the only way out": "s>q q{ s1>x>a>x } b1@q=msg b1>e1",
    "withdrawal by an event sub-process": "s>x>a>x h{ s1!msg s1>b>e1 }",
    "a reminder beside the flow": "s>a>e b1@a~cycle b1>b>e1",
    "two reminders that share their task": "s>a>b>e b1@a~timer b2@b~timer b1>x b2>x x>c>e1",
    "a reminder within a loop": "s>x>a>x2>x,e b1@a~timer b1>b>e1",
    "a reminder an inclusive join waits for": "s>a>o b1@a~timer b1>b>o o>c>e",
    "an error caught where it is thrown": "s>q>e q{ s1>x>e1,e2 e2!err } b1@q=err b1>a>e",
    "an error caught two scopes up": "s>q>e q{ s1>q2>e1 q2{ s2>x>e2,e3 e3!err } } b1@q=err b1>e",
    "an escalation beside its sub-process": "s>q>e q{ s1>f>a>e1 f!esc } b1@q~esc b1>b>e2",
    "the end of everything out of one branch": "s>p>a,b a>x>p2,e1 e1!term b>p2 p2>e",
    "first come, first served": "s>g>m1,m2 m1!msg m2!timer m1>x m2>x x>e",
    "a link": "s>a>f f!linkA m!linkA m>e",
    "a transaction that may be cancelled": "s>v>e v{ s1>x>e1,e2 e2!cancel } b1@v=cancel b1>e3",
    "started by hand or by a message": "s>x s1!msg s1>x x>a>e",
    "two tokens made and two taken": "s>t>a>e t*2 a#2",
    "unstructured, but every join gets what it waits for": "s>p>a,b a>p1>p2,p3 b>p4>p2,p3 p2>c>p5 p3>d>p5 p5>e",
}


@pytest.mark.parametrize("text", SOUND.values(), ids=SOUND)
def test_a_sound_diagram_is_accepted(text: str) -> None:
    assert list(check_soundness(compiled({"P": drawn(text)}))) == []


def test_a_called_process_is_believed_what_its_proof_says() -> None:
    files = {"P": drawn("s>y>e y=Q b1@y=err b1>a>e"), "Q": drawn("s>x>e,e1 e1!err", "Q")}
    assert list(check_soundness(compiled(files))) == []


@pytest.mark.parametrize("case", CASES[::3], ids=[f"{case.rule}: {case.name}" for case in CASES[::3]])
def test_making_a_net_smaller_hides_no_fault(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    processes = compiled(case.files())
    small = [(each.where, each.rule) for each in _anew(processes)]
    monkeypatch.setattr(soundness, "reduce", lambda _net: None)
    assert [(each.where, each.rule) for each in _anew(processes)] == small


def _anew(processes: dict[str, Process]) -> list[Finding]:
    return [each for key in processes for each in soundness.prove(processes[key], _interfaces(processes, key)).findings]


def _interfaces(processes: dict[str, Process], key: str) -> dict[str, Interface]:
    return {
        name: soundness.prove(processes[name], _interfaces(processes, name)).interface for name in processes[key].calls
    }


def test_what_is_too_large_to_prove_is_a_warning_that_names_an_element() -> None:
    branches = " ".join(f"x{n}>a{n},b{n} a{n}>c{n} b{n}>d{n} c{n}>p2 d{n}>e{n}" for n in range(9))
    process = compiled({"P": drawn("s>p>" + ",".join(f"x{n}" for n in range(9)) + f" {branches} p2>e")})["P"]
    found = soundness.prove(process, {}, limit=50).findings
    assert [(each.rule, each.severity) for each in found] == [("not_proved", "warning")]
    assert found[0].where.removeprefix("P.bpmn#") in process.scopes["P"].nodes


def test_a_proof_is_made_once_for_the_same_process(monkeypatch: pytest.MonkeyPatch) -> None:
    processes = compiled({"P": drawn("s>x>a,b a>x2 b>x2 x2>d>a1>e"), "Q": drawn("s>b>c>e", "Q")})
    list(check_soundness(processes))
    monkeypatch.setattr(soundness, "prove", lambda *_: pytest.fail("proved again"))
    assert list(check_soundness(processes)) == []


def test_sixty_elements_are_proved_at_once() -> None:
    blocks = " ".join(
        f"x{n}>p{n} p{n}>a{n},b{n},o{n} o{n}>c{n},d{n} c{n}>oj{n} d{n}>oj{n} a{n}>pj{n} b{n}>pj{n} oj{n}>pj{n} "
        f"pj{n}>xe{n} xe{n}>x{n},x{n + 1}"
        for n in range(6)
    )
    process = compiled({"P": drawn(f"s>x0 {blocks} x6>e")})["P"]
    assert len(process.scopes["P"].nodes) > 60
    began = time.perf_counter()
    assert soundness.prove(process, {}).findings == ()
    assert time.perf_counter() - began < 1


@pytest.mark.parametrize(
    "seeds", [range(80), pytest.param(range(80, 500), marks=pytest.mark.soak)], ids=["some", "five hundred"]
)
def test_random_sound_diagrams_are_accepted(seeds: range) -> None:
    """Sound by construction: see ``tests/generator``."""
    for seed in seeds:
        files, _ = sound(seed)
        found = [each for each in check_soundness(compiled(files)) if each.severity == "error"]
        assert found == [], seed
