"""Random diagrams are sound by construction, of every kind of element, and the gate's rules of shape let them pass."""

from __future__ import annotations

from collections import Counter

from engine import bpmn
from engine.bpmn.gate.shape import check_compensation, check_shape
from tests.generator import sound


def test_random_diagrams_hold_every_kind_of_element_and_pass_the_rules_of_shape() -> None:
    kinds: Counter[tuple[str, str]] = Counter()
    for seed in range(150):
        files, root = sound(seed)
        processes = {key: bpmn.compile_process(xml, key) for key, xml in files.items()}
        assert bpmn.link(root, processes).root == root
        for process in processes.values():
            found = [*check_shape(process), *check_compensation(process, processes)]
            assert [each.where for each in found if each.severity == "error"] == []
            for scope in process.scopes.values():
                kinds.update((node.kind, t.kind) for node in scope.nodes.values() for t in node.triggers)
                kinds.update((node.kind, "loop" if node.loop else "") for node in scope.nodes.values())
    for event in ("message", "timer", "signal", "error", "escalation", "conditional", "compensate", "cancel"):
        assert kinds["boundaryEvent", event], event
    for event in ("message", "timer", "signal", "error", "escalation", "conditional"):
        assert kinds["startEvent", event], event
    for event in ("message", "signal", "link", "escalation", "compensate"):
        assert kinds["intermediateThrowEvent", event], event
    for gateway in ("exclusive", "inclusive", "parallel", "complex", "eventBased"):
        assert kinds[gateway + "Gateway", ""], gateway
    for place in (("endEvent", "terminate"), ("subProcess", "loop"), ("userTask", "loop"), ("callActivity", "")):
        assert kinds[place], place


def test_the_same_seed_gives_the_same_bytes() -> None:
    assert sound(7) == sound(7)
