"""A small district for the tests of the web: the real library on a fresh SQLite file, and people with posts."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

from fastapi import FastAPI

from api.answers import Author
from api.app import create_app
from api.settings import Settings
from engine import commands as c
from engine.model import SYSTEM, Membership

with warnings.catch_warnings():
    # The test client prefers a successor of httpx; the one it is deprecated with is the one the project uses.
    warnings.simplefilter("ignore", DeprecationWarning)
    warnings.simplefilter("ignore", UserWarning)
    from starlette.testclient import TestClient

ROOT = Path(__file__).parent.parent
PASSWORD = "a long enough password"
ITEM = "individual_business_registration"
PERMIT = "food_business_permit"
DEPARTMENT = "liwan/dept/market_regulation"

PEOPLE = {
    "intake": ("intake_clerk", "liwan/hall"),
    "intake2": ("intake_clerk", "liwan/hall"),
    "registrar": ("registrar", DEPARTMENT),
    "reviewer": ("acceptance_reviewer", DEPARTMENT),
    "examiner": ("examiner", DEPARTMENT),
    "elsewhere": ("registrar", "liwan/dept/education"),
    "designer": ("designer", "liwan"),
    "security": ("security_admin", "liwan"),
    "system": ("system_admin", "liwan"),
    "audit": ("auditor", "liwan"),
}


@dataclass
class District:
    """The application, its office, and a client per person."""

    app: FastAPI

    @property
    def office(self) -> c.Office:
        return self.app.state.office

    def client(self, name: str | None = None, **options: Any) -> TestClient:
        """A client that sends the person's bearer token."""
        client = TestClient(self.app, raise_server_exceptions=False, **options)
        if name:
            answer = client.post("/api/sessions", json={"name": name, "password": PASSWORD})
            assert answer.status_code == 201, answer.text
            client.cookies.clear()
            client.headers["Authorization"] = f"Bearer {answer.json()['token']}"
        return client

    def browser(self, name: str) -> TestClient:
        """A client that knows only its cookie, like a browser."""
        client = TestClient(self.app, raise_server_exceptions=False, follow_redirects=False)
        answer = client.post("/login", data={"name": name, "password": PASSWORD, "_back": "/tasks"})
        assert answer.status_code == 303, answer.text
        return client

    def answers(self, client: TestClient, task_id: str, seed: int = 1) -> dict[str, Any]:
        """Answers that fit the task's form."""
        told = client.get(f"/api/tasks/{task_id}").json()

        def upload(name: str) -> str:
            sent = client.post(f"/api/tasks/{task_id}/attachments", files={"file": (name, b"content", "text/plain")})
            return sent.json()["digest"]

        author = Author(random=Random(seed), today=date(2026, 11, 23), upload=upload)
        return author.answers(told["form"]["schema"], told["task"]["element"], told["variables"])

    def start(self, client: TestClient, key: str = ITEM) -> tuple[str, str]:
        """A new case: its id, and its first task's."""
        outcome = client.post(f"/api/process-definitions/{key}/instances", json={}).json()
        return outcome["case"], outcome["tasks"][0]["id"]


def make_district(folder: Path, **settings: Any) -> District:
    """Migrated, published, peopled."""
    told = Settings(
        database_url=f"sqlite:///{folder}/district.db", keys_path=folder / "keys.json", simulation=True, **settings
    )
    app = create_app(told)
    app.state.store.migrate()
    office = app.state.office
    c.publish(office, SYSTEM, c.read_library(ROOT))
    for name, (role, scope) in PEOPLE.items():
        post = Membership(role=role, scope=scope, unit=scope, post=role)
        c.create_account(office, SYSTEM, name=name, display_name=f"测试{name}", password=PASSWORD, memberships=(post,))
    return District(app)
