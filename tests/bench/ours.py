"""Speaks to Sanwei itself: its own server and worker processes on a database prepared as an operator would."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from os import kill
from pathlib import Path
from typing import Any

from api.settings import Settings
from engine import commands
from engine.model import SYSTEM, Library, Membership
from engine.store import Keys, Store
from tests.bench import shapes
from tests.bench.drawing import ROLE, SCOPE
from tests.bench.hosts import ROOT, Host, free_port, process, serving
from tests.bench.load import Case, Client
from tests.bench.measure import cpu_seconds
from tests.bench.shapes import Shape

CLERKS = 8
PASSWORD = "sanwei-bench-2026"


@dataclass(frozen=True, kw_only=True)
class Ours:
    """Sanwei's server processes on one database; ``tokens`` are the clerks' sessions."""

    hosts: Sequence[Host]
    database: Callable[[], Sequence[int]]
    settings: Settings
    folder: Path
    tokens: tuple[str, ...] = ()

    def client(self, number: int) -> Client:
        """A connection as the clerk of that number; clients are dealt out to the processes in turn."""
        return Client(self.hosts[number % len(self.hosts)].port, self.tokens[number % CLERKS])

    def start(self, client: Client, shape: Shape) -> Case:
        """A new case."""
        told = client.post(f"/api/process-definitions/{shape.key}/instances", {}, once=True)
        return Case(ident=told["case"], tasks=[task["id"] for task in told["tasks"]])

    def complete(self, client: Client, case: Case, answers: Mapping[str, Any]) -> None:
        """The first open task."""
        told = client.post(f"/api/tasks/{case.tasks[0]}/complete", {"answers": answers}, once=True)
        case.tasks = [task["id"] for task in told["tasks"]]

    @contextmanager
    def worker(self) -> Iterator[Worker]:
        """A worker process of its own."""
        with process(["-m", "api.cli", "worker"], _environment(self.settings), self.folder / "worker.log") as pid:
            yield Worker(pid)


class Worker:
    """A worker process that can be made to stand still."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def stop(self) -> None:
        """Stand still, between two rounds (it sleeps half a second between them when nothing is due)."""
        time.sleep(0.2)
        kill(self._pid, signal.SIGSTOP)

    def work(self, done: Callable[[], bool], patience: float = 120) -> tuple[float, float]:
        """Let it go until ``done``; seconds it took, CPU seconds it used.

        Raises TimeoutError after ``patience`` seconds.
        """
        used, begun = cpu_seconds([self._pid]), time.perf_counter()
        kill(self._pid, signal.SIGCONT)
        while not done():
            if time.perf_counter() - begun > patience:
                raise TimeoutError("the worker does not finish")
            time.sleep(0.005)
        return time.perf_counter() - begun, cpu_seconds([self._pid]) - used


def store_of(settings: Settings) -> Store:
    """The store the settings name."""
    return Store.open(settings.database_url, keys_of(settings))


def keys_of(settings: Settings) -> Keys:
    """The keys of a database that the settings name."""
    return settings.keys()


def library() -> Library:
    """The district's registers and shared fields with the measured shapes beside them."""
    district = commands.read_library(ROOT).files
    kept = ("processes/registers/", "forms/fields/")
    return with_shapes(Library({path: content for path, content in district.items() if path.startswith(kept)}))


def with_shapes(whole: Library) -> Library:
    """A library and the measured shapes beside it."""
    return Library({**whole.files, **shapes.library().files})


def prepare(url: str, folder: Path) -> Settings:
    """Tables, publication and the clerks' accounts on an empty database (``sqlite:///…`` or a libpq URL)."""
    settings = Settings(
        database_url=url.replace("postgresql://", "postgresql+psycopg://"), keys_path=folder / "keys.json"
    )
    store = store_of(settings)
    store.migrate()
    office = commands.Office(store)
    commands.publish(office, SYSTEM, library())
    post = Membership(role=ROLE, scope=SCOPE, unit=SCOPE, post="收件员")
    for number in range(CLERKS):
        create(office, f"clerk{number}", post)
    store.close()
    return settings


def create(office: commands.Office, name: str, post: Membership) -> None:
    """An account of the run."""
    commands.create_account(
        office, SYSTEM, name=name, display_name=f"测量员 {name}", password=PASSWORD, memberships=(post,)
    )


@contextmanager
def serve(settings: Settings, folder: Path, processes: int, database: Callable[[], Sequence[int]]) -> Iterator[Ours]:
    """``processes`` server processes on a prepared database, the clerks logged in."""
    with ExitStack() as stack:
        hosts = []
        for _ in range(processes):
            port = free_port()
            arguments = ["-m", "api.cli", "serve", "--port", str(port)]
            hosts.append(stack.enter_context(serving(arguments, _environment(settings), folder / "server.log", port)))
        target = Ours(hosts=hosts, database=database, settings=settings, folder=folder)
        yield replace(target, tokens=tuple(log_in(target, f"clerk{number}") for number in range(CLERKS)))


def log_in(target: Ours, name: str) -> str:
    """A session's token."""
    client = Client(target.hosts[0].port)
    token: str = client.post("/api/sessions", {"name": name, "password": PASSWORD})["token"]
    client.close()
    return token


def _environment(settings: Settings) -> dict[str, str]:
    return {"SANWEI_DATABASE_URL": settings.database_url, "SANWEI_KEYS": str(settings.keys_path)}
