"""Speaks to the naive server."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from tests.bench import naive
from tests.bench.hosts import Host, free_port, serving
from tests.bench.load import Case, Client
from tests.bench.shapes import Shape


@dataclass(frozen=True, kw_only=True)
class Naive:
    """The naive server's processes on one database."""

    hosts: Sequence[Host]
    database: Callable[[], Sequence[int]]

    def client(self, number: int) -> Client:
        """A connection; clients are dealt out to the processes in turn."""
        return Client(self.hosts[number % len(self.hosts)].port)

    def start(self, client: Client, shape: Shape) -> Case:
        """A new case."""
        told = client.post(f"/processes/{shape.key}/instances", {})
        return Case(ident=told["id"], tasks=[task["id"] for task in told["tasks"]])

    def complete(self, client: Client, case: Case, answers: Mapping[str, Any]) -> None:
        """The first open task."""
        told = client.post(f"/instances/{case.ident}/tasks/{case.tasks[0]}/complete", answers)
        case.tasks = [task["id"] for task in told["tasks"]]

    def fire(self) -> None:
        """Every timer that is due."""
        client = self.client(0)
        client.post("/timers/fire", {})
        client.close()


@contextmanager
def serve(url: str, folder: Path, processes: int, database: Callable[[], Sequence[int]]) -> Iterator[Naive]:
    """The naive server in ``processes`` processes on a new, empty database (a libpq URL or an SQLite file)."""
    if url.startswith("postgresql"):
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(naive.TABLE.encode())
    else:
        with sqlite3.connect(url) as file:
            file.execute(naive.TABLE)
        file.close()
    with ExitStack() as stack:
        hosts = []
        for _ in range(processes):
            port = free_port()
            arguments = ["-m", "uvicorn", "tests.bench.naive:app", "--port", str(port), "--log-level", "warning"]
            environment, log = {"NAIVE_DATABASE": url}, folder / "naive.log"
            hosts.append(stack.enter_context(serving([*arguments, "--no-access-log"], environment, log, port)))
        yield Naive(hosts=hosts, database=database)
