"""The bare library in process: its parser, its workflow, its JSON serializer between every two steps."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from tests.bench.measure import InProcess, figure, repeated, timed
from tests.bench.shapes import Shape

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from SpiffWorkflow.bpmn import BpmnWorkflow
    from SpiffWorkflow.bpmn.serializer import BpmnWorkflowSerializer
    from SpiffWorkflow.spiff.parser.process import SpiffBpmnParser
    from SpiffWorkflow.spiff.serializer import DEFAULT_CONFIG
    from SpiffWorkflow.util.task import TaskState

SERIALIZER = BpmnWorkflowSerializer(BpmnWorkflowSerializer.configure(DEFAULT_CONFIG))


def parse(sources: dict[str, bytes], key: str) -> tuple[Any, Any]:
    """Specification of the root process and of everything it calls."""
    parser = SpiffBpmnParser()
    for name, xml in sources.items():
        parser.add_bpmn_str(xml, name)
    return parser.get_spec(key), parser.get_subprocess_specs(key)


def begin(specs: tuple[Any, Any]) -> Any:
    """A new workflow run to its first human task or wait."""
    workflow = BpmnWorkflow(*specs)
    workflow.do_engine_steps()
    return workflow


def written(workflow: Any) -> str:
    """The workflow as the library's JSON."""
    return str(SERIALIZER.serialize_json(workflow))


def read(blob: str) -> Any:
    """The workflow of a JSON text."""
    return SERIALIZER.deserialize_json(blob)


def open_tasks(workflow: Any) -> list[Any]:
    """Human tasks that are open now."""
    return list(workflow.get_tasks(state=TaskState.READY, manual=True))


def finish(workflow: Any, task: Any, answers: Mapping[str, Any]) -> None:
    """Complete one human task and run on."""
    task.task_spec.add_data_from_form(task, dict(answers))
    task.run()
    workflow.do_engine_steps()


def wake(workflow: Any) -> None:
    """Let every due timer fire and run on."""
    workflow.refresh_timers()
    workflow.do_engine_steps()


def start(specs: tuple[Any, Any]) -> str:
    """A new workflow, as JSON."""
    return written(begin(specs))


def complete(blob: str, answers: Mapping[str, Any]) -> tuple[str, bool]:
    """The first open human task completed; JSON in, JSON out, and whether the workflow has ended."""
    workflow = read(blob)
    finish(workflow, open_tasks(workflow)[0], answers)
    return written(workflow), bool(workflow.completed)


def fire(blob: str) -> tuple[str, bool]:
    """Every timer that is due fires; JSON in, JSON out, and whether the workflow has ended."""
    workflow = read(blob)
    wake(workflow)
    return written(workflow), bool(workflow.completed)


def measure(shape: Shape, times: int) -> InProcess:
    """Every act of the shape, ``times`` times (each case is led to its end).

    Raises AssertionError where the bare library does not reach the end.
    """
    sources = shape.sources()
    specs = parse(sources, shape.key)
    completions, fires, ended = [], [], False
    for _ in range(max(1, times // max(1, shape.tasks))):
        blob = start(specs)
        for _ in range(shape.tasks):
            spent, (blob, ended) = timed(lambda blob=blob: complete(blob, shape.answers))
            completions.append(spent)
        for _ in range(shape.timers):
            spent, (blob, ended) = timed(lambda blob=blob: fire(blob))
            fires.append(spent)
        assert ended or not (shape.tasks or shape.timers), f"{shape.key} does not end on the bare library"
    return InProcess(
        parse=repeated(lambda: parse(sources, shape.key), min(times, 5)),
        start=repeated(lambda: start(specs), min(times, 20)),
        complete=figure(completions, size=len(blob)) if completions else None,
        fire=figure(fires) if fires else None,
    )
