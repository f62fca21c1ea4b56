"""Together the stories take every sequence flow, boundary event and end of the shipped diagrams."""

from __future__ import annotations

import pytest
from lxml import etree

from tests.processes.story import ROOT, Hall

BPMN = "{http://www.omg.org/spec/BPMN/20100524/MODEL}"
DIAGRAMS = sorted((ROOT / "processes").rglob("*.bpmn"))
MARKED = ("boundaryEvent", "endEvent", "userTask", "callActivity")


@pytest.mark.parametrize("file", DIAGRAMS, ids=lambda path: path.stem)
def test_every_flow_and_event_is_in_a_story(hall: Hall, file) -> None:
    if not hall.flows:
        pytest.skip("runs after the stories only")
    root = etree.parse(file).getroot()
    flows, marked = set(), set()
    for scope in [*root.iter(f"{BPMN}process"), *root.iter(f"{BPMN}subProcess")]:
        path = file.stem if scope.get("id") == file.stem else f"{file.stem}/{scope.get('id')}"
        flows |= {(path, f.get("id")) for f in scope.findall(f"{BPMN}sequenceFlow")}
        marked |= {f"{path}/{e.get('id')}" for kind in MARKED for e in scope.findall(f"{BPMN}{kind}")}
    assert {(p, f) for p, f in flows if f not in hall.flows.get(p, set())} == set()
    assert marked - hall.elements == set()
