"""What a modeller lets one draw, and what would be ignored, done by nobody, or done otherwise than it looks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from engine.bpmn.gate.drawing import Drawing
from engine.bpmn.gate.sentences import finding
from engine.bpmn.nodes import FLOW_NODES
from engine.bpmn.reader import extension, local, tag
from engine.errors import Finding

_PYTHON = frozenset({"", "python", "text/python", "text/x-python", "application/x-python", "python3"})
_SNAKE = re.compile(r"[a-z][a-z0-9_]*")


def check_ignored(drawing: Drawing) -> Iterator[Finding]:
    """Findings of one file."""
    for element in drawing.elements():
        ident = element.get("id")
        for rule, note in _element(element):
            yield finding(drawing.file, ident, rule, note)
        if local(element) in FLOW_NODES | {"process", "lane"} and not _SNAKE.fullmatch(ident):
            yield finding(drawing.file, ident, "id_style", severity="warning")
    yield from _lanes(drawing)
    yield from _compensation(drawing)
    for participant in drawing.root.iter(tag("participant")):
        process = participant.get("processRef", drawing.key).rpartition(":")[2]
        if process != drawing.key or participant.find(tag("participantMultiplicity")) is not None:
            yield finding(drawing.file, participant.get("id") or "", "participant")


def _element(element: object) -> Iterator[tuple[str, str]]:
    kind, given = local(element), element.attrib  # type: ignore[attr-defined]
    if kind == "manualTask":
        yield "manual_task", ""
    if given.get("instantiate") == "true" or given.get("eventGatewayType") == "Parallel":
        yield "instantiating", ""
    if kind == "scriptTask" and given.get("scriptFormat", "").lower() not in _PYTHON:
        yield "script_format", given.get("scriptFormat", "")
    if kind == "serviceTask" and extension(element, "serviceTaskOperator") is None and not _operated(element):
        yield "operation_missing", ""


def _operated(element: object) -> bool:
    return any(local(each) == "serviceTaskOperator" for each in element.iter())  # type: ignore[attr-defined]


def _lanes(drawing: Drawing) -> Iterator[Finding]:
    """An element in two lanes has no role that one could tell."""
    seated: Counter[str] = Counter()
    for lane in drawing.process.iter(tag("lane")):
        if lane.find(tag("childLaneSet")) is None:
            seated.update((ref.text or "").strip() for ref in lane.findall(tag("flowNodeRef")))
    yield from (finding(drawing.file, ident, "two_lanes") for ident, times in seated.items() if times > 1)


def _compensation(drawing: Drawing) -> Iterator[Finding]:
    """Compensating activities that nothing is associated with; compensation of activities that are not there."""
    targets = {each.get("targetRef") for each in drawing.process.iter(tag("association"))}
    idents = {each.get("id") for each in drawing.elements()}
    for element in drawing.elements():
        if element.get("isForCompensation") == "true" and element.get("id") not in targets:
            yield finding(drawing.file, element.get("id"), "compensation_orphan")
        for event in element.findall(tag("compensateEventDefinition")):
            wanted = event.get("activityRef")
            if wanted and wanted not in idents:
                yield finding(drawing.file, element.get("id"), "compensation_target", wanted)
