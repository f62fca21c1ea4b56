"""The world outside, for tests: an SMS gateway that counts what it carries, and a client that never gives up."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random

import httpx


class Gateway:
    """Carries messages: ``calls`` per id, and the one body it saw under each id."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.bodies: dict[str, set[str]] = {}
        self.lock = threading.Lock()

    def take(self, body: bytes) -> None:
        message = json.loads(body)
        with self.lock:
            self.calls[message["id"]] += 1
            self.bodies.setdefault(message["id"], set()).add(body.decode())


@contextmanager
def sms_gateway() -> Iterator[tuple[Gateway, str]]:
    """A gateway listening on a port of its own; gives it and its address."""
    gateway = Gateway()

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            gateway.take(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield gateway, f"http://127.0.0.1:{server.server_port}/sms"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Stubborn(httpx.BaseTransport):
    """Sends a request again, unchanged (the same Idempotency-Key), until one of the servers has answered it.

    ``doors`` are addresses of servers on one database; a server that is away or answers 503 is left for another.
    """

    def __init__(self, doors: list[str], *, patience: float = 180.0, seed: int = 1) -> None:
        self.doors, self.patience, self.random = [httpx.URL(d) for d in doors], patience, Random(seed)
        self.inner = httpx.HTTPTransport()
        self.repeats = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        content = request.read()
        until = time.monotonic() + self.patience
        while True:
            door = self.random.choice(self.doors)
            url = request.url.copy_with(host=door.host, port=door.port)
            again = httpx.Request(request.method, url, headers=request.headers, content=content)
            try:
                answer = self.inner.handle_request(again)
                answer.read()
                if answer.status_code != 503:
                    return answer
                answer.close()
            except httpx.TransportError:
                pass
            if time.monotonic() > until:
                raise httpx.ConnectError("no server came back in time")
            self.repeats += 1
            time.sleep(0.05)

    def close(self) -> None:
        self.inner.close()


class Silent:
    """A gateway that takes every message; ``texts`` are what it was told to carry."""

    def __init__(self) -> None:
        self.texts: list[tuple[str, str]] = []

    def send(self, number: object, to: str, text: str) -> None:
        self.texts.append((to, text))
