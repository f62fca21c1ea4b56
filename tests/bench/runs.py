"""The order of one run: every shape on the bare library, the naive server and Sanwei, then the extremes."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench import extremes, load, machine, naive_target, ours, raw, shapes, stock
from tests.bench.extremes import Extremes
from tests.bench.hosts import Cluster, postgres
from tests.bench.load import Measured, Target
from tests.bench.measure import Figure, InProcess, descendants, figure
from tests.bench.shapes import Shape

Say = Callable[[str], None]
DATABASES = ("SQLite", "PostgreSQL")
CLIENTS = (1, 8)
# One process is what `make run` gives; PostgreSQL is what several processes share.
PROCESSES = {"SQLite": 1, "PostgreSQL": 2}


@dataclass(frozen=True, kw_only=True)
class Extent:
    """How much is done: completions (or starts) per cell, repetitions in process, sizes of the extremes."""

    acts: int = 300
    acts_of_many: int = 1000
    times: int = 60
    loops: int = 3
    long_cases: int = 3
    timers: int = 200
    disk_cases: int = 400
    finished: int = 100_000
    open_tasks: int = 200_000

    @classmethod
    def quick(cls) -> Extent:
        """A run of less than a minute."""
        return cls(
            acts=40,
            acts_of_many=80,
            times=20,
            loops=1,
            long_cases=1,
            timers=20,
            disk_cases=40,
            finished=2_000,
            open_tasks=5_000,
        )

    def cases(self, shape: Shape, clients: int) -> int:
        """How many cases give about as many acts as wanted."""
        if shape is shapes.LOOP:
            return self.loops
        wanted = self.acts if clients == 1 else self.acts_of_many
        return max(clients, wanted // max(1, shape.tasks))


@dataclass(kw_only=True)
class Results:
    """All figures of one run."""

    extent: Extent
    postgres: str = ""
    raw: dict[str, InProcess] = field(default_factory=dict)
    machine: dict[str, InProcess] = field(default_factory=dict)
    cells: dict[tuple[str, str, str, int], Measured] = field(default_factory=dict)  # who, database, shape, clients
    fired: dict[tuple[str, str], Figure | None] = field(default_factory=dict)  # who, database
    extremes: Extremes = field(default_factory=Extremes)


def run(extent: Extent, say: Say, *, only: Sequence[str] = DATABASES) -> Results:
    """Everything, in order. ``say`` is told what is being measured.

    Raises load.Wrong where a server refuses a request.
    """
    results = Results(extent=extent)
    for shape in shapes.SEVEN:
        say(f"in process: {shape.name}")
        times = extent.loops if shape is shapes.LOOP else extent.times
        results.raw[shape.key] = raw.measure(shape, times)
        results.machine[shape.key] = machine.measure(shape, times)
    with tempfile.TemporaryDirectory(prefix="swb") as name, postgres() as cluster:
        results.postgres = cluster.facts
        for database in only:
            folder = Path(name) / database
            folder.mkdir()
            _on(database, cluster, folder, results, say)
    return results


def _on(database: str, cluster: Cluster, folder: Path, results: Results, say: Say) -> None:
    def processes() -> Sequence[int]:
        return descendants(cluster.pid) if database == "PostgreSQL" else ()

    naive_url = cluster.create("naive") if database == "PostgreSQL" else str(folder / "naive.db")
    with naive_target.serve(naive_url, folder, PROCESSES[database], processes) as naive:
        _shapes("naive", database, naive, results, say)
        say(f"naive on {database}: timers")
        results.fired["naive", database] = _naive_timers(naive, results.extent.timers)
    url = cluster.create("ours") if database == "PostgreSQL" else f"sqlite:///{folder / 'ours.db'}"
    say(f"ours on {database}: publishing")
    settings = ours.prepare(url, folder)
    results.extremes.publish(database, settings)
    with ours.serve(settings, folder, PROCESSES[database], processes) as target:
        results.extremes.starting[database] = target.hosts[0].started_in
        if database == "PostgreSQL":
            say("ours on PostgreSQL: bytes of a case")
            results.extremes.disk(target, url, results.extent.disk_cases)
        _shapes("ours", database, target, results, say)
        say(f"ours on {database}: timers")
        results.fired["ours", database] = _our_timers(target, url, results.extent.timers)
        say(f"ours on {database}: 200 tasks of one case")
        results.extremes.rounds[database] = extremes.rounds(target, results.extent.long_cases)
        if database == "PostgreSQL":
            _stocked(target, url, results, say)
        results.extremes.memory[database] = extremes.memory(target)


def _shapes(who: str, database: str, target: Target, results: Results, say: Say) -> None:
    for clients in CLIENTS:
        load.measure(target, shapes.ONE_TASK, cases=4 * clients, clients=clients)  # warm: threads, connections
        for shape in shapes.SEVEN:
            if shape is shapes.LOOP and clients > 1:
                continue  # a second of the processor each on the bare library: it says nothing new
            say(f"{who} on {database}: {shape.name}, {clients} client{'s' if clients > 1 else ''}")
            load.measure(target, shape, cases=len(target.hosts), clients=len(target.hosts))
            cases = results.extent.cases(shape, clients)
            results.cells[who, database, shape.key, clients] = load.measure(target, shape, cases=cases, clients=clients)


def _naive_timers(target: naive_target.Naive, count: int) -> Figure:
    target.fire()
    load.measure(target, shapes.TIMERS, cases=count, clients=1)
    spent, used = extremes.spent(target, target.fire)
    return figure([spent * 1000 / count], cpu=used * 1000 / count)


def _our_timers(target: ours.Ours, url: str, count: int) -> Figure | None:
    with target.worker() as worker:
        worker.work(lambda: open_waits(url) == 0)  # what the shapes left behind
        worker.stop()
        load.measure(target, shapes.TIMERS, cases=count, clients=1)
        waiting = open_waits(url)
        if not waiting:
            return None
        spent, used = worker.work(lambda: open_waits(url) == 0)
    return figure([spent * 1000 / waiting], cpu=used * 1000 / waiting)


def open_waits(url: str) -> int:
    """Cases that wait for a moment."""
    if not url.startswith("sqlite"):
        return stock.open_waits(url)
    with _file(url) as connection:
        return int(connection.execute(stock.WAITING).fetchall()[0][0])


@contextmanager
def _file(url: str) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(url.removeprefix("sqlite:///"), timeout=10)
    try:
        yield connection
    finally:
        connection.close()


def _stocked(target: ours.Ours, url: str, results: Results, say: Say) -> None:
    extent = results.extent
    say(f"stocking {extent.finished} finished cases")
    case = extremes.finished_case(target)
    stock.finished(url, case, extent.finished)
    for clients in CLIENTS:
        say(f"ours beside {extent.finished} finished cases, {clients} clients")
        load.measure(target, shapes.FIVE_TASKS, cases=2 * clients, clients=clients)
        results.extremes.beside_finished[clients] = load.measure(
            target, shapes.FIVE_TASKS, cases=extent.cases(shapes.FIVE_TASKS, clients), clients=clients
        )
    say(f"stocking {extent.open_tasks} open tasks")
    stock.opened(url, extremes.open_case(target), extent.open_tasks, ours.keys_of(target.settings))
    results.extremes.worklist(target)
