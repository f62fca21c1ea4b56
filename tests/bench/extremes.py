"""Figures at the edges: bytes on disk, 200 tasks of one case, long worklists, publishing, starting, memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

from api.settings import Settings
from engine import commands
from engine.errors import Refused
from engine.model import SYSTEM
from tests.bench import load, ours, shapes, stock
from tests.bench.hosts import ROOT
from tests.bench.load import Measured, Target
from tests.bench.measure import Figure, cpu_seconds, figure, resident_megabytes, timed

PAGES = 60


@dataclass(kw_only=True)
class Extremes:
    """All of them. Seconds, megabytes and bytes as named; ``None`` was not measured."""

    publishing: dict[str, float | str] = field(default_factory=dict)
    starting: dict[str, float] = field(default_factory=dict)
    memory: dict[str, float] = field(default_factory=dict)
    rounds: dict[str, tuple[Figure, Figure]] = field(default_factory=dict)
    beside_finished: dict[int, Measured] = field(default_factory=dict)
    pages: dict[str, Figure] = field(default_factory=dict)
    case_bytes: float | None = None
    case_bytes_packed: float | None = None
    case_bytes_by_table: dict[str, float] = field(default_factory=dict)

    def publish(self, database: str, settings: Settings) -> None:
        """Seconds to publish the repository's own files on a database of the same kind, or why it was refused.

        On SQLite in a fresh file; on PostgreSQL beside the shapes (every file is new there too).
        """
        with TemporaryDirectory(prefix="swb") as folder:
            told = settings
            if database == "SQLite":
                told = Settings(database_url=f"sqlite:///{folder}/publish.db", keys_path=Path(folder) / "keys.json")
            store = ours.store_of(told)
            store.migrate()
            office, whole = commands.Office(store), commands.read_library(ROOT)
            try:
                spent, _ = timed(lambda: commands.publish(office, SYSTEM, ours.with_shapes(whole)))
                self.publishing[database] = spent / 1000
            except Refused as refused:
                self.publishing[database] = f"refused: {len(refused.findings)} findings"
            store.close()

    def disk(self, target: ours.Ours, url: str, cases: int) -> None:
        """Bytes per five-task case: as written (with dead rows), and packed; the packed bytes by table."""
        stock.repack(url)
        before = stock.sizes(url)
        load.measure(target, shapes.FIVE_TASKS, cases=cases, clients=ours.CLERKS)
        count = cases // ours.CLERKS * ours.CLERKS
        written = stock.sizes(url)
        stock.repack(url)
        packed = stock.sizes(url)
        self.case_bytes = (sum(written.values()) - sum(before.values())) / count
        self.case_bytes_packed = (sum(packed.values()) - sum(before.values())) / count
        each = {name: (size - before.get(name, 0)) / count for name, size in packed.items()}
        self.case_bytes_by_table = dict(sorted(each.items(), key=lambda pair: -pair[1])[:6])

    def worklist(self, target: ours.Ours) -> None:
        """Pages of 50 over all open tasks: the first, one deep inside, and the clerk's own (empty)."""
        client = target.client(0)
        deep = "/api/tasks"
        for _ in range(40):
            cursor = client.get(deep)["next"]
            deep = f"/api/tasks?after={quote(cursor)}" if cursor else deep
        paths = {"first page": "/api/tasks", "41st page": deep, "claimed by me": "/api/tasks?assignee=me"}
        for name, path in paths.items():
            client.get(path)
            self.pages[name] = figure([timed(lambda path=path: client.get(path))[0] for _ in range(PAGES)])
        client.close()


def rounds(target: Target, cases: int) -> tuple[Figure, Figure]:
    """Completions of the first and of the last tasks of one long case: tasks 2–11 and 191–200 of each of ``cases``."""
    early: list[float] = []
    late: list[float] = []
    client = target.client(0)
    for _ in range(cases):
        case, samples = target.start(client, shapes.ROUNDS), []
        for _ in range(shapes.LOOP_ROUNDS):
            samples.append(_completed(target, client, case, shapes.ROUNDS.answers))
        early += samples[1:11]
        late += samples[-10:]
    client.close()
    return figure(early), figure(late)


def _completed(target: Target, client: load.Client, case: load.Case, answers: Mapping[str, Any]) -> float:
    return timed(lambda: target.complete(client, case, answers))[0]


def finished_case(target: Target) -> str:
    """A five-task case led to its end."""
    client = target.client(0)
    case = target.start(client, shapes.FIVE_TASKS)
    while case.tasks:
        target.complete(client, case, shapes.FIVE_TASKS.answers)
    client.close()
    return case.ident


def open_case(target: Target) -> str:
    """A case with one open task."""
    client = target.client(0)
    case = target.start(client, shapes.ONE_TASK)
    client.close()
    return case.ident


def memory(target: Target) -> float:
    """Megabytes of the largest server process."""
    return max(resident_megabytes(host.pid) for host in target.hosts)


def spent(target: Target, work: Callable[[], None]) -> tuple[float, float]:
    """Seconds, and CPU seconds of the server processes, that ``work`` took."""
    servers = [host.pid for host in target.hosts]
    used, begun = cpu_seconds(servers), time.perf_counter()
    work()
    return time.perf_counter() - begun, cpu_seconds(servers) - used
