"""The attacker's kit: a hall with a case worth attacking, and what must be true of every refusal."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from inspect import signature
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from tests.district import ITEM, PERMIT, TestClient
from tests.processes import answers as a
from tests.processes.story import Hall, Story

NAME, ID_NUMBER, PHONE = "欧阳演示郎", "999999198501019990", "19988887777"
SCRIPT = f'"><script>alert("{NAME}")</script>'
NOBODY = str(uuid4())
# A guard against what grows with the attack, not a measure of speed: machines that run tests are slow at times.
SLOWEST = 4.0
JSON = "application/json"
# Tables that grow by looking, by being refused or by logging in; everything else must stay as it was.
NOISY = {"event", "event_value", "stream_head", "data_key", "session", "account", "alembic_version"}


class Ground:
    """A hall with one case in the middle of its way, and what an attacker would like to know of it."""

    def __init__(self, hall: Hall) -> None:
        self.hall = hall
        self.story: Story = hall.story(PERMIT)
        self.story.does("register_application", a.food_application(contact={"name": NAME, "phone": PHONE}))
        self.fresh = hall.story(ITEM)
        hall.work()
        self.ids = {
            "case_id": self.story.case,
            "task_id": self.fresh.task("register_application")["id"],
            "document_id": self.story.view["documents"][0]["id"],
            "incident_id": NOBODY,
            "message_id": NOBODY,
            "key": PERMIT,
            "name": "roles",
            "version": "1",
            "code": "zh",
            "digest": "sha256:" + "0" * 64,
        }

    def person(self, name: str) -> TestClient:
        client = TestClient(self.hall.app, raise_server_exceptions=False, follow_redirects=False)
        client.headers["Authorization"] = f"Bearer {self.hall.tokens[name]}"
        return client

    def browser(self, name: str) -> TestClient:
        client = TestClient(self.hall.app, raise_server_exceptions=False, follow_redirects=False)
        client.cookies.set("sanwei_session", self.hall.tokens[name])
        return client

    def csrf(self, name: str) -> str:
        return self.person(name).get("/api/sessions/current").json()["csrf"]

    def stored(self) -> dict[str, int]:
        """Rows per table, and events that are no refusals and no readings."""
        with self.hall.office.store.engine.connect() as connection:
            inspected = sa.inspect(connection)
            tables = [table for table in inspected.get_table_names() if table not in NOISY]
            found = {table: connection.scalar(sa.text(f"SELECT count(*) FROM {table}")) for table in tables}
            kept = "kind NOT IN ('attempt.refused', 'case.read', 'session.opened', 'session.refused')"
            return found | {"events": connection.scalar(sa.text(f"SELECT count(*) FROM event WHERE {kept}"))}


def known(app: Any) -> list[tuple[str, str, tuple[str, ...]]]:
    """Every method and path that the application knows, those of included routers too, and what the route takes."""
    found: list[tuple[str, str, tuple[str, ...]]] = []
    waiting = list(app.routes)
    while waiting:
        route = waiting.pop()
        if inner := getattr(route, "original_router", None):
            waiting += inner.routes
        elif getattr(route, "methods", None):
            takes = tuple(signature(route.endpoint).parameters)
            found += [(method, route.path, takes) for method in route.methods if method != "HEAD"]
    return sorted(found)


def routes(app: Any, method: str = "") -> list[tuple[str, str]]:
    """Every method (or the one asked for) and path."""
    return [(one, path) for one, path, _ in known(app) if method in ("", one)]


def refused(answer: Any, *, took: float, page: bool = False, what: object = "") -> None:
    assert 400 <= answer.status_code < 500, (what, answer.status_code, answer.text[:300])
    kind = "text/html" if page else "application/problem+json"
    assert answer.headers["content-type"].startswith(kind), (what, answer.headers)
    assert len(answer.content) < 300_000, (what, len(answer.content))
    assert took < SLOWEST, (what, took)
    for planted in (NAME, ID_NUMBER, PHONE, "<script>alert"):
        assert planted not in answer.text, what


def timed(ask: Callable[[], Any]) -> tuple[Any, float]:
    began = time.perf_counter()
    answer = ask()
    return answer, time.perf_counter() - began


def text(value: Any) -> bytes:
    return json.dumps(value).encode()


def filled(path: str, ids: dict[str, str]) -> str:
    """The path with its parameters."""
    return re.sub(r"\{(\w+)\}", lambda found: ids[found[1]], path)
