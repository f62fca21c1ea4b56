"""Our machine in process, bytes to bytes, without database or HTTP: what compares with the bare library directly."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from engine import bpmn
from tests.bench.measure import InProcess, figure, repeated, timed
from tests.bench.shapes import Shape

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


def compiled(shape: Shape) -> bpmn.Definition:
    """The shape's files, compiled and linked."""
    return bpmn.link(shape.key, {key: bpmn.compile_process(xml, key) for key, xml in shape.sources().items()})


def measure(shape: Shape, times: int) -> InProcess:
    """Every act of the shape, ``times`` times (each case is led to its end)."""
    definition = compiled(shape)
    completions: list[float] = []
    fires: list[float] = []

    def start() -> bpmn.Step:
        step = bpmn.start(definition, NOW, {}, business_key="bench")
        while step.more:
            step = bpmn.resume(definition, step.state, NOW)
        return step

    step = start()
    for _ in range(max(1, times // max(1, shape.tasks))):
        step = start()
        for _ in range(shape.tasks):
            spent, step = timed(lambda step=step: _complete(definition, step, shape.answers))
            completions.append(spent)
        for _ in range(shape.timers if step.outcome is None else 0):
            spent, step = timed(lambda step=step: bpmn.fire(definition, step.state, NOW, {}))
            fires.append(spent)
        assert step.outcome is not None, f"{shape.key} does not end"
    return InProcess(
        parse=repeated(lambda: compiled(shape), min(times, 5)),
        start=repeated(start, min(times, 20)),
        complete=figure(completions, size=len(step.state)) if completions else None,
        fire=figure(fires) if fires else None,
    )


def _complete(definition: bpmn.Definition, step: bpmn.Step, answers: Any) -> bpmn.Step:
    return bpmn.complete(definition, step.state, NOW, step.work[0].token, answers)
