"""A naive server to compare with: the bare library's JSON in one table, rewritten at each completion. No rights, no
history, no forms, no idempotency. ``NAIVE_DATABASE`` names a PostgreSQL URL or an SQLite file.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import psycopg
from fastapi import FastAPI

from tests.bench import raw, shapes

DATABASE = os.environ.get("NAIVE_DATABASE", "")
TABLE = "CREATE TABLE instance (id text PRIMARY KEY, process text NOT NULL, open boolean NOT NULL, blob text NOT NULL)"

app = FastAPI(title="naive")
_mine = threading.local()
_specs = {shape.key: raw.parse(shape.sources(), shape.key) for shape in shapes.ALL}


class Postgres:
    """One connection; every statement is prepared by the driver after its fifth use."""

    lock = " FOR UPDATE"

    def __init__(self) -> None:
        self._connection = psycopg.connect(DATABASE, autocommit=False)

    def run(self, statement: str, *values: Any) -> list[Any]:
        """Rows of a statement."""
        cursor = self._connection.execute(statement.replace("?", "%s").encode(), values)
        return cursor.fetchall() if cursor.description else []

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Committed at the end."""
        with self._connection.transaction():
            yield


class Sqlite:
    """One connection on the file; as durable as the other (every commit is synced)."""

    lock = ""

    def __init__(self) -> None:
        self._connection = sqlite3.connect(DATABASE, timeout=30, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")

    def run(self, statement: str, *values: Any) -> list[Any]:
        """Rows of a statement."""
        return self._connection.execute(statement, values).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Writers one after the other; committed at the end."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise


def database() -> Postgres | Sqlite:
    """This thread's connection."""
    if not hasattr(_mine, "connection"):
        _mine.connection = Postgres() if DATABASE.startswith("postgresql") else Sqlite()
    connection: Postgres | Sqlite = _mine.connection
    return connection


@app.get("/readyz")
def ready() -> str:
    """The process answers."""
    return "ready"


@app.post("/processes/{key}/instances")
def start(key: str) -> dict[str, Any]:
    """A new instance, run to its first human task."""
    ident, workflow = str(uuid4()), raw.begin(_specs[key])
    told = _told(ident, workflow)
    here = database()
    with here.transaction():
        here.run("INSERT INTO instance VALUES (?, ?, ?, ?)", ident, key, not workflow.completed, raw.written(workflow))
    return told


@app.post("/instances/{ident}/tasks/{task}/complete")
def complete(ident: str, task: UUID, answers: dict[str, Any]) -> dict[str, Any]:
    """One human task completed."""
    here = database()
    with here.transaction():
        rows = here.run("SELECT blob FROM instance WHERE id = ?" + here.lock, ident)
        workflow = raw.read(rows[0][0])
        raw.finish(workflow, workflow.get_task_from_id(task), answers)
        _update(here, ident, workflow)
    return _told(ident, workflow)


@app.post("/timers/fire")
def fire() -> dict[str, int]:
    """Look into every open instance for timers that are due, each in its own transaction."""
    here = database()
    with here.transaction():
        idents = [row[0] for row in here.run("SELECT id FROM instance WHERE open = ?", True)]
    for ident in idents:
        with here.transaction():
            workflow = raw.read(here.run("SELECT blob FROM instance WHERE id = ?" + here.lock, ident)[0][0])
            raw.wake(workflow)
            _update(here, ident, workflow)
    return {"fired": len(idents)}


def _update(here: Postgres | Sqlite, ident: str, workflow: Any) -> None:
    blob = raw.written(workflow)
    here.run("UPDATE instance SET blob = ?, open = ? WHERE id = ?", blob, not workflow.completed, ident)


def _told(ident: str, workflow: Any) -> dict[str, Any]:
    return {"id": ident, "tasks": [{"id": str(task.id)} for task in raw.open_tasks(workflow)]}
