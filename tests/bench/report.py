"""The figures of one run as Markdown: in process, over HTTP, extremes, and the goals beside them."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.bench import shapes
from tests.bench.load import Measured
from tests.bench.measure import Figure
from tests.bench.runs import CLIENTS, DATABASES, PROCESSES, Results
from tests.bench.shapes import Shape


@dataclass(frozen=True, kw_only=True)
class Goal:
    """One figure the design asks for. ``most`` False: at least ``limit``."""

    name: str
    limit: float
    unit: str
    value: float | None
    most: bool = True

    def row(self) -> str:
        """Its line of the table."""
        sign = "≤" if self.most else "≥"
        if self.value is None:
            return _row(self.name, f"{sign} {self.limit:g} {self.unit}", "not measured", "—")
        met = self.value <= self.limit if self.most else self.value >= self.limit
        told = f"{self.value:.2f}" if self.value < 100 else f"{self.value:,.0f}"
        return _row(self.name, f"{sign} {self.limit:g} {self.unit}", f"{told} {self.unit}", "yes" if met else "**no**")


def render(results: Results, seconds: float) -> str:
    """The whole report."""
    lines = [
        "# Measured",
        "",
        f"One run of {seconds:.0f} s on {os.cpu_count()} × {_cpu_model()}, Python {platform.python_version()}; "
        f"clients, servers and database share these cores. PostgreSQL: {results.postgres}. Server processes: "
        f"{', '.join(f'{PROCESSES[d]} on {d}' for d in DATABASES)}. CPU is that of the server processes (user and "
        "system), per request; the database's own beside it; the clients' not counted.",
        "",
        "## Goals",
        "",
        *_table("goal", "limit", "measured", "met"),
        *(goal.row() for goal in goals(results)),
        "",
        "## In process, no database: the bare library and our machine, bytes to bytes",
        "",
        *_in_process(results),
        "",
        "## Over HTTP",
        "",
        "`× naive` and `× bare`: our median over the naive server's, and over the bare library in process.",
        "",
        *_over_http(results),
        "",
        "## Timers that are due",
        "",
        *_timers(results),
        "",
        "## Extremes",
        "",
        *_extremes(results),
    ]
    return "\n".join(lines) + "\n"


def goals(results: Results) -> Iterator[Goal]:
    """The design's goals with this run's values."""
    one, many = _ours(results, shapes.FIVE_TASKS, 1), _ours(results, shapes.FIVE_TASKS, 8)
    twenty, edges = _ours(results, shapes.APPROVAL, 1), results.extremes
    beside = edges.beside_finished.get(1)
    early, late = edges.rounds.get("PostgreSQL", (None, None))
    yield Goal(name="five tasks: one completion, median", limit=3.3, unit="ms", value=one and one.median)
    yield Goal(name="five tasks: CPU per completion", limit=3, unit="ms", value=one and one.cpu)
    yield Goal(name="five tasks, 8 clients", limit=300, unit="a second", value=many and many.rate, most=False)
    yield Goal(name="twenty-task approval over five tasks", limit=1.3, unit="×", value=_ratio(twenty, one))
    yield Goal(
        name=f"beside {results.extent.finished:,} finished cases",
        limit=1.2,
        unit="×",
        value=_ratio(beside and beside.complete, one),
    )
    yield Goal(name="200th task over the 5th", limit=1.5, unit="×", value=_ratio(late, early))
    kilobytes = None if edges.case_bytes is None else edges.case_bytes / 1000
    yield Goal(name="five-task case on disk, with indexes", limit=20, unit="kB", value=kilobytes)
    published = edges.publishing.get("PostgreSQL")
    yield Goal(name="publishing all files", limit=20, unit="s", value=published if _is(published) else None)
    yield Goal(name="starting on published files", limit=3, unit="s", value=edges.starting.get("PostgreSQL"))
    yield Goal(name="memory of a server process", limit=300, unit="MB", value=edges.memory.get("PostgreSQL"))
    page = max((f.median for f in edges.pages.values()), default=None)
    yield Goal(name=f"worklist page over {results.extent.open_tasks:,} open tasks", limit=20, unit="ms", value=page)


def _ours(results: Results, shape: Shape, clients: int) -> Figure | None:
    cell = results.cells.get(("ours", "PostgreSQL", shape.key, clients))
    return cell.complete if cell else None


def _is(value: object) -> bool:
    return isinstance(value, float)


def _ratio(over: Figure | None, under: Figure | None) -> float | None:
    return over.median / under.median if over and under else None


def _in_process(results: Results) -> Iterator[str]:
    heads = ("bare ms", "ours ms", "ours × bare")
    yield from _table("shape", "act", *heads, "state bare", "state ours")
    for shape in shapes.SEVEN:
        bare, mine = results.raw.get(shape.key), results.machine.get(shape.key)
        for act in ("parse", "start", "complete", "fire"):
            theirs, own = getattr(bare, act, None), getattr(mine, act, None)
            if theirs or own:
                yield _row(shape.name, act, _ms(theirs), _ms(own), _times(own, theirs), _size(theirs), _size(own))


def _over_http(results: Results) -> Iterator[str]:
    naive = ("naive ms", "p95", "a second", "CPU ms")
    yield from _table("shape", "act", "database", "clients", *naive, *(h.replace("naive", "ours") for h in naive),
                      "database CPU", "× naive", "× bare")  # fmt: skip
    for shape in shapes.SEVEN:
        act = "complete" if shape.tasks else "start"
        for database in DATABASES:
            for clients in CLIENTS:
                theirs = _figure(results.cells.get(("naive", database, shape.key, clients)), act)
                own = _figure(results.cells.get(("ours", database, shape.key, clients)), act)
                if theirs or own:
                    bare = getattr(results.raw.get(shape.key), act, None)
                    ratios = (_times(own, theirs), _times(own, bare))
                    spent = f"{own.database_cpu:.2f}" if own and own.database_cpu else "—"
                    yield _row(shape.name, act, database, str(clients), *_cell(theirs), *_cell(own), spent, *ratios)


def _timers(results: Results) -> Iterator[str]:
    bare = getattr(results.raw.get(shapes.TIMERS.key), "fire", None)
    yield f"Bare library in process: {_ms(bare)} ms a timer."
    yield ""
    yield from _table("database", "naive ms a timer", "naive CPU", "ours (worker process) ms a timer", "ours CPU")
    for database in DATABASES:
        pair = [results.fired.get((who, database)) for who in ("naive", "ours")]
        yield _row(database, *(text for f in pair for text in (_ms(f), f"{f.cpu:.2f}" if f and f.cpu else "—")))


def _extremes(results: Results) -> Iterator[str]:
    edges = results.extremes
    yield from _table("what", "figure")
    for database, (early, late) in edges.rounds.items():
        yield _row(f"tasks 2–11 and 191–200 of one case, {database}", f"{early.median:.2f} and {late.median:.2f} ms")
    for clients, cell in edges.beside_finished.items():
        told = cell.complete or cell.start
        name = f"five tasks beside {results.extent.finished:,} finished cases, {clients} client(s)"
        yield _row(name, f"{told.median:.2f} ms, p95 {told.p95:.2f}, {told.rate or 0:.0f} a second, CPU {told.cpu:.2f}")
    for name, page in edges.pages.items():
        yield _row(f"worklist over {results.extent.open_tasks:,}: {name}", f"{page.median:.1f} ms, p95 {page.p95:.1f}")
    if edges.case_bytes is not None and edges.case_bytes_packed is not None:
        yield _row("bytes of a five-task case as written, with dead rows", f"{edges.case_bytes:,.0f}")
        yield _row("the same, packed", f"{edges.case_bytes_packed:,.0f}")
        parts = ", ".join(f"{name} {size:,.0f}" for name, size in edges.case_bytes_by_table.items())
        yield _row("of which", parts)
    for database, told in edges.publishing.items():
        yield _row(f"publishing all files, {database}", f"{told:.1f} s" if isinstance(told, float) else told)
    for database, begun in edges.starting.items():
        yield _row(f"server start, {database}", f"{begun:.1f} s")
    for database, size in edges.memory.items():
        yield _row(f"memory of a server process after the run, {database}", f"{size:.0f} MB")


def _figure(cell: Measured | None, act: str) -> Figure | None:
    return getattr(cell, act) if cell else None


def _cell(told: Figure | None) -> tuple[str, ...]:
    if told is None:
        return ("—",) * 4
    return (f"{told.median:.2f}", f"{told.p95:.2f}", f"{told.rate or 0:.0f}", f"{told.cpu or 0:.2f}")


def _ms(told: Figure | None) -> str:
    return f"{told.median:.2f}" if told else "—"


def _times(own: Figure | None, other: Figure | None) -> str:
    ratio = _ratio(own, other)
    return f"{ratio:.2f}" if ratio is not None else "—"


def _size(told: Figure | None) -> str:
    return f"{told.size:,} B" if told and told.size else "—"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _table(*heads: str) -> tuple[str, str]:
    return _row(*heads), _row(*("---" for _ in heads))


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
