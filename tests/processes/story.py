"""One case followed over HTTP as its people would: who does what, what lapses, what they get."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from api.accounts import DEMO_PASSWORD, demo_accounts
from api.app import create_app
from api.settings import Settings
from engine import commands as c
from engine.model import SYSTEM
from engine.worker import Worker
from tests.district import TestClient
from tests.outside import Silent

ROOT = Path(__file__).parent.parent.parent
BY = {
    "register_application": "counter1",
    "register_resubmission": "counter2",
    "fix_on_spot": "counter1",
    "check_materials": "reviewer1",
    "inspect": "inspector1",
    "confirm_inspection": "inspector2",
    "examine": "examiner1",
    "decide": "head1",
    "register_business": "registrar1",
    "make_certificate": "examiner1",
    "hand_over": "issue1",
    "post_result": "issue1",
    "supervise": "supervisor1",
}


class Hall:
    """The district with its people, each known by a bearer token, and a worker that works when told to."""

    def __init__(self, database_url: str, folder: Path) -> None:
        settings = Settings(database_url=database_url, keys_path=folder / "keys.json", simulation=True)
        self.app = create_app(settings)
        self.office: c.Office = self.app.state.office
        self.office.store.migrate()
        c.publish(self.office, SYSTEM, c.read_library(ROOT))
        self.client = TestClient(self.app, raise_server_exceptions=False)
        self.worker = Worker(self.office, Silent())
        self.tokens = {account.name: self._hire(account) for account in demo_accounts()}
        self.flows: dict[str, set[str]] = {}
        self.elements: set[str] = set()
        self.told: list[str] = []

    def _hire(self, account: Any) -> str:
        c.create_account(
            self.office,
            SYSTEM,
            name=account.name,
            display_name=account.display_name,
            password=DEMO_PASSWORD,
            memberships=account.memberships,
        )
        return c.log_in(self.office, account.name, DEMO_PASSWORD).token

    def ask(self, by: str, verb: str, path: str, body: Any = None) -> Any:
        """One request; who has been away for longer than a session lasts logs in again."""
        answer = self._sent(by, verb, path, body)
        if answer.status_code == 401:
            self.tokens[by] = c.log_in(self.office, by, DEMO_PASSWORD).token
            answer = self._sent(by, verb, path, body)
        return answer

    def _sent(self, by: str, verb: str, path: str, body: Any) -> Any:
        return self.client.request(verb, path, json=body, headers={"Authorization": f"Bearer {self.tokens[by]}"})

    def get(self, path: str, by: str = "supervisor1") -> Any:
        answer = self.ask(by, "GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def work(self) -> None:
        """Let the worker do all that is due."""
        while self.worker.once():
            pass

    def story(self, key: str) -> Story:
        answer = self.ask("counter1", "POST", f"/api/process-definitions/{key}/instances", {})
        assert answer.status_code == 201, answer.text
        return Story(self, answer.json()["case"])


@dataclass
class Story:
    """One case. Every step asserts that it went as told."""

    hall: Hall
    case: str
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def view(self) -> dict[str, Any]:
        return self.hall.get(f"/api/process-instances/{self.case}")

    @property
    def open(self) -> list[str]:
        return sorted(t["element"].rpartition("/")[2] for t in self.view["tasks"] if t["status"] == "open")

    def task(self, element: str) -> dict[str, Any]:
        found = [t for t in self.view["tasks"] if t["status"] == "open" and t["element"].endswith("/" + element)]
        assert found, f"{element} is not open, but {self.open}"
        return found[0]

    def sees(self, element: str, by: str | None = None) -> dict[str, Any]:
        """What the person at this task sees."""
        return self.hall.get(f"/api/tasks/{self.task(element)['id']}", by or BY[element])

    def does(self, element: str, answers: Mapping[str, Any], by: str | None = None) -> Story:
        """Somebody completes an open task."""
        task = self.task(element)
        answer = self.hall.ask(
            by or BY[element], "POST", f"/api/tasks/{task['id']}/complete", {"answers": dict(answers)}
        )
        assert answer.status_code == 200, f"{element}: {answer.text}"
        return self

    def returns(self, element: str, target: str, reason: str, by: str | None = None) -> Story:
        """Somebody returns an open task."""
        body = {"target": target, "reason": reason}
        answer = self.hall.ask(by or BY[element], "POST", f"/api/tasks/{self.task(element)['id']}/return", body)
        assert answer.status_code == 200, f"{element}: {answer.text}"
        return self

    def refuses(self, element: str, answers: Mapping[str, Any], *, by: str, status: int, code: str) -> Story:
        """Somebody is refused at an open task, and nothing moves."""
        task, before = self.task(element), self.view["tasks"]
        answer = self.hall.ask(by, "POST", f"/api/tasks/{task['id']}/complete", {"answers": dict(answers)})
        assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
        assert self.view["tasks"] == before
        return self

    def deadline(self, kind: str) -> dict[str, Any]:
        """The deadline of this kind begun last."""
        found = [d for d in self.view["deadlines"] if d["kind"] == kind]
        assert found, f"no deadline {kind}, but {[d['kind'] for d in self.view['deadlines']]}"
        return found[-1]

    def deadlines(self) -> dict[str, str]:
        """Kind → status of the deadline begun last."""
        return {d["kind"]: d["status"] for d in self.view["deadlines"]}

    def passes(self, kind: str) -> Story:
        """Time passes until this deadline has just run out, and the worker does what is due."""
        due = datetime.fromisoformat(self.deadline(kind)["due_at"])
        by = due - c.now(self.hall.office) + timedelta(seconds=1)
        seconds = int(by.total_seconds()) + 1
        answer = self.hall.ask("system1", "POST", "/api/clock/advance", {"by": f"PT{seconds}S"})
        assert answer.status_code == 200, answer.text
        self.hall.work()
        return self

    def withdraws(self, status: int = 200) -> Story:
        """The applicant takes the application back at a counter."""
        body = {"reason": "申请人改变计划"}
        answer = self.hall.ask("counter1", "POST", f"/api/process-instances/{self.case}/withdraw", body)
        assert answer.status_code == status, answer.text
        return self

    def papers(self) -> list[str]:
        """Kinds of the papers issued, in order; every one has been rendered and is numbered as its kind asks."""
        self.hall.work()
        documents = self.view["documents"]
        assert all(d["rendered"] for d in documents)
        return [d["kind"] for d in documents]

    def ends(self, outcome: str, *papers: str) -> Story:
        """The case is over: this outcome, these papers in this order, no open task and no running deadline."""
        view = self.view
        assert (view["status"], view["outcome"], self.open) == ("ended", outcome, [])
        assert self.papers() == list(papers)
        assert not [d for d in view["deadlines"] if d["ended_at"] is None]
        assert view["incidents"] == []
        self._note_ways()
        return self

    def history(self) -> list[dict[str, Any]]:
        """Every event of the case, read as an auditor."""
        rows: list[dict[str, Any]] = []
        after: Any = 0
        while after is not None:
            path = f"/api/process-instances/{self.case}/history?after={after}&limit=200"
            page = self.hall.get(path, by="auditor1")
            rows, after = rows + page["items"], page["next"]
        return rows

    def _note_ways(self) -> None:
        self.hall.told.append(self.case)
        for row in self.history():
            if row["element"] and row["kind"] in ("element.entered", "event.caught", "element.completed"):
                self.hall.elements.add(row["element"])
                scope = row["element"].rpartition("/")[0]
                if row["flow"]:
                    self.hall.flows.setdefault(scope, set()).add(row["flow"])
