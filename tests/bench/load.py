"""The clients: raw HTTP/1.1 over kept sockets, one thread each, so that the client costs little beside the servers."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Protocol
from uuid import uuid4

from tests.bench.hosts import Host
from tests.bench.measure import Figure, cpu_seconds, figure
from tests.bench.shapes import Shape


class Wrong(Exception):
    """The server answered something else than success."""


class Client:
    """One kept connection to one server process."""

    def __init__(self, port: int, token: str = "") -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self._socket.makefile("rb")
        self._fixed = f"host: 127.0.0.1:{port}\r\naccept: application/json\r\n"
        if token:
            self._fixed += f"authorization: Bearer {token}\r\n"

    def get(self, path: str) -> Any:
        """JSON of a GET."""
        return self._ask(f"GET {path} HTTP/1.1\r\n{self._fixed}\r\n".encode())

    def post(self, path: str, body: Mapping[str, Any], *, once: bool = False) -> Any:
        """JSON of a POST; ``once`` sends an Idempotency-Key of its own.

        Raises Wrong for any status but 2xx.
        """
        text = json.dumps(body, ensure_ascii=False).encode()
        key = f"idempotency-key: {uuid4()}\r\n" if once else ""
        head = f"POST {path} HTTP/1.1\r\n{self._fixed}{key}content-type: application/json\r\n"
        return self._ask(f"{head}content-length: {len(text)}\r\n\r\n".encode() + text)

    def close(self) -> None:
        """Hang up."""
        self._file.close()
        self._socket.close()

    def _ask(self, request: bytes) -> Any:
        self._socket.sendall(request)
        status, length = int(self._file.readline()[9:12]), 0
        while (line := self._file.readline()) not in {b"\r\n", b""}:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        body = self._file.read(length)
        if not 200 <= status < 300:
            raise Wrong(f"{request.split(b' HTTP')[0].decode()}: {status} {body[:500].decode()}")
        return json.loads(body) if body else None


@dataclass(kw_only=True)
class Case:
    """A running case as a client knows it: how to name it, and the ids of its open tasks."""

    ident: str
    tasks: list[str]


class Target(Protocol):
    """How one kind of server is spoken to."""

    hosts: Sequence[Host]
    database: Callable[[], Sequence[int]]

    def client(self, number: int) -> Client:
        """A connection for the client of that number, logged in."""

    def start(self, client: Client, shape: Shape) -> Case:
        """A new case."""

    def complete(self, client: Client, case: Case, answers: Mapping[str, Any]) -> None:
        """The case's first open task completed; ``case.tasks`` are the open ones afterwards."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Starts and completions of one shape under one number of clients."""

    start: Figure
    complete: Figure | None


def measure(target: Target, shape: Shape, *, cases: int, clients: int) -> Measured:
    """``cases`` cases in all, started by ``clients`` clients at once and then completed task by task.

    Raises Wrong where a request fails; AssertionError where a case does not end.
    """
    connections = [target.client(number) for number in range(clients)]
    share = max(1, cases // clients)
    started: list[list[Case]] = [[] for _ in range(clients)]

    def start(number: int) -> list[float]:
        return [_timed(lambda: started[number].append(target.start(connections[number], shape))) for _ in range(share)]

    def complete(number: int) -> list[float]:
        client, samples = connections[number], []
        for case in started[number]:
            for _ in range(shape.tasks):
                samples.append(_timed(lambda case=case: target.complete(client, case, shape.answers)))
            assert not case.tasks, f"{shape.key} does not end"
        return samples

    try:
        begun = _phase(target, clients, start)
        return Measured(start=begun, complete=_phase(target, clients, complete) if shape.tasks else None)
    finally:
        for connection in connections:
            connection.close()


def _timed(work: Callable[[], Any]) -> float:
    begun = perf_counter()
    work()
    return (perf_counter() - begun) * 1000


def _phase(target: Target, clients: int, work: Callable[[int], list[float]]) -> Figure:
    """All clients do ``work`` at once; their samples, the rate of all, and what the processes spent."""
    samples: list[float] = []
    faults: list[BaseException] = []

    def run(number: int) -> None:
        try:
            samples.extend(work(number))
        except BaseException as fault:
            faults.append(fault)

    servers, databases = [host.pid for host in target.hosts], target.database()
    before, before_database, begun = cpu_seconds(servers), cpu_seconds(databases), perf_counter()
    threads = [threading.Thread(target=run, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise faults[0]
    spent = perf_counter() - begun
    return figure(
        samples,
        rate=len(samples) / spent,
        cpu=(cpu_seconds(servers) - before) * 1000 / len(samples),
        database_cpu=(cpu_seconds(target.database()) - before_database) * 1000 / len(samples),
    )
