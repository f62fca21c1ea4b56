"""Runs the web server of one process on a port, and a worker thread beside it where asked."""

from __future__ import annotations

import errno
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from api.app import create_app
from api.settings import Settings
from engine.commands import Office
from engine.connectors import Folder, HttpGateway, SmsGateway, Spool
from engine.worker import Worker

STARTING = 30.0
SPOOL = Path("var/sms.jsonl")


def serve(settings: Settings, *, with_worker: bool, any_port: bool, announce: Callable[[str], None]) -> None:
    """Answer requests until the process is told to stop; ``announce`` gets the address.

    With ``any_port`` a free port is taken where the settings' one is not free.

    Raises:
        OSError: the port is taken (and another was not allowed), or the host is none of this machine's.
        Invalid: settings or keys that cannot be read.
    """
    with _bound(settings, any_port) as bound, _beside(settings, with_worker) as app:
        announce(_address(bound))
        _server(app).run(sockets=[bound])


@contextmanager
def running(settings: Settings) -> Iterator[str]:
    """A server with its worker on a free port, in threads of this process; gives the address, stops at the end.

    Raises:
        TimeoutError: it does not answer in time.
    """
    with _bound(settings, True) as bound, _beside(settings, True) as app:
        server = _server(app)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, name="server")
        thread.start()
        try:
            until = time.monotonic() + STARTING
            while not server.started:
                if time.monotonic() > until or not thread.is_alive():
                    raise TimeoutError("the server did not start")
                time.sleep(0.01)
            yield _address(bound)
        finally:
            server.should_exit = True
            thread.join()


def _server(app: FastAPI) -> uvicorn.Server:
    # No access log: addresses carry business keys, and who read what stands in the history already.
    return uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, server_header=False, ws="none"))


@contextmanager
def _bound(settings: Settings, any_port: bool) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((settings.host, settings.port))
        except OSError as error:
            if not any_port or error.errno != errno.EADDRINUSE:
                raise
            bound.bind((settings.host, 0))
        yield bound


def _address(bound: socket.socket) -> str:
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextmanager
def _beside(settings: Settings, with_worker: bool) -> Iterator[FastAPI]:
    app = create_app(settings)
    if not with_worker:
        yield app
        return
    stop = threading.Event()
    thread = threading.Thread(target=make_worker(settings, app.state.office).run, args=(stop,), name="worker")
    thread.start()
    try:
        yield app
    finally:
        stop.set()
        thread.join()


def make_worker(settings: Settings, office: Office) -> Worker:
    """A worker with the district's SMS gateway, or with a spool file where there is none."""
    sms: SmsGateway
    if settings.sms_gateway_url is not None:
        sms = HttpGateway(settings.sms_gateway_url)
    else:
        beside_keys = settings.keys_path.with_name(SPOOL.name)
        sms = Spool(beside_keys if settings.keys_may_be_made else SPOOL)
    path = settings.checkpoints()
    every = timedelta(minutes=settings.checkpoint_minutes)
    return Worker(office, sms, Folder(path) if path else None, every)
