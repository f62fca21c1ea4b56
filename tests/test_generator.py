"""Random diagrams are sound by construction, of every kind of element, and the gate's rules of shape let them pass."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

from engine import bpmn
from engine.bpmn.gate.shape import check_compensation, check_shape
from tests.diagrams import T0, definition, flow, process, script, start, user
from tests.generator import sound
from tests.generator.model import VARIABLES


def test_random_diagrams_hold_every_kind_of_element_and_pass_the_rules_of_shape() -> None:
    kinds: Counter[tuple[str, str]] = Counter()
    for seed in range(150):
        files, root = sound(seed)
        processes = {key: bpmn.compile_process(xml, key) for key, xml in files.items()}
        assert bpmn.link(root, processes).root == root
        for made in processes.values():
            found = [*check_shape(made), *check_compensation(made, processes)]
            assert [each.where for each in found if each.severity == "error"] == []
            for scope in made.scopes.values():
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


def test_one_definition_serves_many_threads() -> None:
    made = definition(process(start("S"), script("a", "n = n * 2"), user("u"), flow("S", "a", "u")))
    results: dict[int, set[bytes]] = {}

    def work(k: int) -> None:
        for _ in range(100):
            step = bpmn.start(made, T0, {"n": k}, business_key="K")
            step = bpmn.complete(made, step.state, T0, step.work[0].token, {"m": k})
            results.setdefault(k, set()).add(step.state)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(len(found) == 1 for found in results.values())
    assert len(results) == 8


def digest_of_some_cases() -> str:
    """States and entries of forty random diagrams, each moved a few times."""
    found = hashlib.sha256()
    for seed in range(40):
        files, root = sound(seed)
        made = bpmn.link(root, {key: bpmn.compile_process(xml, key) for key, xml in files.items()})
        step = bpmn.start(made, T0, {**dict.fromkeys(VARIABLES, seed), "m": {"b": 1, "a": [1, 2]}}, business_key="K")
        for _ in range(5):
            found.update(step.state + repr(step.entries).encode())
            if step.work and made.node(step.work[-1].element).loop is None:
                step = bpmn.complete(made, step.state, T0, step.work[-1].token, dict.fromkeys((*VARIABLES, "x"), 4))
    return found.hexdigest()


def test_the_same_bytes_come_out_under_another_hash_seed() -> None:
    code = "from tests.test_generator import digest_of_some_cases; print(digest_of_some_cases())"
    digests = set()
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        root = Path(__file__).parent.parent
        made = subprocess.run(
            [sys.executable, "-c", code], env=environment, cwd=root, capture_output=True, text=True, check=True
        )
        digests.add(made.stdout)
    assert len(digests) == 1
