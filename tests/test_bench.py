"""The benchmark measures what it says: every shape ends on the bare library, on our machine and over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.bpmn import gate
from tests.bench import load, machine, naive_target, ours, raw, shapes
from tests.bench.load import Target
from tests.bench.shapes import Shape


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bench")


@pytest.fixture(scope="module", params=["naive", "ours"])
def target(request: pytest.FixtureRequest, folder: Path) -> Iterator[Target]:
    if request.param == "naive":
        with naive_target.serve(str(folder / "naive.db"), folder, 1, tuple) as naive:
            yield naive
    else:
        with ours.serve(ours.prepare(f"sqlite:///{folder / 'ours.db'}", folder), folder, 1, tuple) as mine:
            yield mine


@pytest.mark.parametrize("shape", shapes.SEVEN, ids=lambda shape: shape.key)
def test_every_shape_reaches_its_end_in_process_on_both(shape: Shape) -> None:
    bare, mine = raw.measure(shape, 1), machine.measure(shape, 1)
    assert (bare.complete is None) == (mine.complete is None) == (shape.tasks == 0)
    assert bare.start.median > 0
    assert mine.start.median > 0


def test_the_shapes_pass_the_gate() -> None:
    assert [f for f in gate.check(ours.library()) if f.severity == "error"] == []


def test_every_shape_reaches_its_end_over_http(target: Target) -> None:
    for shape in shapes.SEVEN:
        measured = load.measure(target, shape, cases=2, clients=2)
        assert measured.start.count == 2
        assert shape.tasks == 0 or (measured.complete is not None and measured.complete.count == 2 * shape.tasks)
