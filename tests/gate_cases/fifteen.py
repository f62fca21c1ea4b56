"""Fifteen different mistakes in three files, as a designer might make them in one afternoon."""

from __future__ import annotations

from engine.bpmn.layout import layout
from tests.gate_cases.libraries import between_nodes, flow, lane, node, process, script, timer, user

FOLDER = "processes/services/market_regulation"
LANES = (
    "<bpmn:laneSet id='lanes'>"
    + lane("intake_clerk", "begin typed formless unnamed split one two join late")
    + lane("nobody", "judge")
    + "</bpmn:laneSet>"
)
FORM = {"formJsonSchemaFilename": "intake/check_materials.json"}
FIRST = process(
    "trial",
    LANES,
    node("startEvent", "begin"),
    node("task", "typed"),
    user("formless", "first", formJsonSchemaFilename=""),
    user("unnamed", "", **FORM),
    user("outside", "second", **FORM),
    user("judge", "third", **FORM, papers="no_such_paper"),
    node("boundaryEvent", "late", timer("PT1H"), attachedToRef="judge"),
    node("callActivity", "gone", calledElement="no_such_step"),
    script("sums", "total = third.amount", note="x"),
    node("exclusiveGateway", "split", default="split__two"),
    script("one", "left = 1"),
    script("two", "right = 2"),
    node("parallelGateway", "join"),
    node("endEvent", "stop"),
    node("endEvent", "stopped"),
    flow("begin", "typed"),
    flow("typed", "formless"),
    flow("formless", "unnamed"),
    flow("unnamed", "outside"),
    flow("outside", "judge"),
    flow("judge", "gone"),
    flow("late", "stopped"),
    flow("gone", "sums"),
    flow("sums", "split"),
    flow("split", "one", "third['ok'] == 'yes'"),
    flow("split", "two"),
    flow("one", "join"),
    flow("two", "join"),
    flow("join", "stop"),
)
SECOND = process(
    "trial_step",
    node("startEvent", "begin"),
    script("sums", "total = never_set"),
    node("subProcess", "inner", between_nodes("inner_begin", script("work", "x = 1"), "inner_end")),
    node("boundaryEvent", "failed", "<bpmn:errorEventDefinition/>", attachedToRef="inner"),
    node("endEvent", "stop"),
    node("endEvent", "twice"),
    flow("begin", "sums"),
    flow("sums", "inner"),
    flow("inner", "stop"),
    flow("failed", "twice"),
)

FILES: dict[str, bytes] = {
    f"{FOLDER}/trial.bpmn": layout(FIRST.encode()).replace(b'bpmnElement="stopped"', b'bpmnElement="other"'),
    f"{FOLDER}/trial_step.bpmn": layout(SECOND.encode()).replace(b'id="begin__sums"', b'id="sums__inner"'),
    f"{FOLDER}/broken.bpmn": b"<bpmn:definitions>",
}
EXPECTED = {
    ("trial.bpmn", "typed", "abstract_task"),
    ("trial.bpmn", "formless", "form_missing"),
    ("trial.bpmn", "unnamed", "variable_missing"),
    ("trial.bpmn", "outside", "no_lane"),
    ("trial.bpmn", "nobody", "role_unknown"),
    ("trial.bpmn", "judge", "paper_unknown"),
    ("trial.bpmn", "late", "timer_unquoted"),
    ("trial.bpmn", "gone", "called_missing"),
    ("trial.bpmn", "sums", "expression"),
    ("trial.bpmn", "sums", "property_unknown"),
    ("trial.bpmn", "join", "deadlock"),
    ("trial.bpmn", "stopped", "shape_missing"),
    ("trial_step.bpmn", "failed", "dead_event"),
    ("trial_step.bpmn", "sums__inner", "duplicate_id"),
    ("broken.bpmn", "", "not_xml"),
}


def placed(where: str) -> tuple[str, str]:
    """File name and element of a finding."""
    file, _, element = where.partition("#")
    return file.rpartition("/")[2], element
