"""Drives cases over HTTP as each post would, from the application to an end event; knows nothing of the engine."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from random import Random
from typing import Any
from uuid import uuid4

import httpx

from api.accounts import DemoAccount
from api.answers import Author

WITHDRAWS = 0.03
LAPSES = 0.04
APPLICANT_STAYS_AWAY = 0.3
MOST_STEPS = 150
MOST_TRIES = 6
MOST_REPEATS = 5
WORKER_PATIENCE = 20.0
SHANGHAI = timezone(timedelta(hours=8))


class Refused(Exception):
    """The server said no. ``code`` is the problem's stable name, ``where`` the fields it names."""

    def __init__(self, status: int, code: str, where: tuple[str, ...]) -> None:
        self.status, self.code, self.where = status, code, where
        super().__init__(f"{status} {code} {', '.join(where)}".strip())


@dataclass(kw_only=True)
class Summary:
    """What a demonstration did. ``unfinished`` names cases that are at no end event, and why."""

    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    tasks: int = 0
    simulated: timedelta = timedelta(0)
    wall_seconds: float = 0.0
    unfinished: list[tuple[str, str]] = field(default_factory=list)


class Desk:
    """One account at work: logs in when first needed, and again when its session has run out."""

    def __init__(self, client: httpx.Client, account: DemoAccount, password: str) -> None:
        self._client = client
        self._password = password
        self._token: str | None = None
        self.account = account

    def get(self, path: str, **query: str | int) -> Any:
        """The answer to a GET.

        Raises:
            Refused: any status of 400 and above.
        """
        return self._ask("GET", path, params=query)

    def post(self, path: str, body: Mapping[str, Any] | None = None, **more: Any) -> Any:
        """The answer to a POST, sent under an idempotency key of its own.

        Raises:
            Refused: any status of 400 and above.
        """
        more.setdefault("headers", {})["Idempotency-Key"] = str(uuid4())
        return self._ask("POST", path, json=body, **more)

    def _ask(self, verb: str, path: str, **request: Any) -> Any:
        headers = request.pop("headers", {})
        for _ in range(MOST_REPEATS):
            headers["Authorization"] = f"Bearer {self._token or self._log_in()}"
            answer = self._client.request(verb, path, headers=headers, **request)
            if answer.status_code == 401:
                self._token = None
            elif answer.status_code == 503:
                # Nothing was written; the key makes a repeated POST safe in any case.
                time.sleep(0.2)
            else:
                break
        return _content(answer)

    def _log_in(self) -> str:
        login = {"name": self.account.name, "password": self._password}
        token = str(_content(self._client.post("/api/sessions", json=login))["token"])
        # The session's cookie would stand for every other account of this client too.
        self._client.cookies.clear()
        self._token = token
        return token


def _content(answer: httpx.Response) -> Any:
    if answer.status_code >= 400:
        problem = answer.json() if "json" in answer.headers.get("content-type", "") else {}
        where = tuple(str(finding.get("where", "")) for finding in problem.get("findings", ()))
        raise Refused(answer.status_code, str(problem.get("code", "unknown")), where)
    return answer.json() if answer.content else None


class District:
    """The demo accounts of one server, by role, and its clock."""

    def __init__(self, client: httpx.Client, accounts: tuple[DemoAccount, ...], password: str) -> None:
        self._desks: dict[str, list[Desk]] = defaultdict(list)
        for account in accounts:
            desk = Desk(client, account, password)
            for role in account.roles:
                self._desks[role].append(desk)

    def holding(self, role: str, random: Random) -> list[Desk]:
        """Everybody who holds ``role``, in an order that differs from time to time."""
        return random.sample(self._desks[role], len(self._desks[role]))

    def applicants_deadlines(self) -> frozenset[str]:
        """The kinds of deadlines that the applicant has to keep, by the published register."""
        rows = self._desks["intake_clerk"][0].get("/api/registers/deadline_kinds")["rows"]
        return frozenset(row["kind"] for row in rows if row["holder"] == "applicant")

    def advance(self, by: timedelta) -> datetime:
        """Move the simulated clock on; what it shows then.

        Raises:
            Refused: the server is no simulation.
        """
        answer = self._desks["system_admin"][0].post("/api/clock/advance", {"by": f"PT{int(by.total_seconds())}S"})
        return datetime.fromisoformat(answer["now"])


def drive(district: District, *, cases: int, seed: int, on_case: Callable[[], None] = lambda: None) -> Summary:
    """Start ``cases`` cases, all items in turn, and bring each to its end before the next begins.

    The same seed on a server in the same state takes the same ways.

    Raises:
        Refused: the server refuses what every walk needs: logging in, listing items, starting.
    """
    began = time.monotonic()
    random, summary = Random(seed), Summary()  # noqa: S311 (a repeatable choice of ways, no secret)
    published = _counter(district, random).get("/api/process-definitions")["process_definitions"]
    items = [row for row in published if row["startable"] and row["item"]]
    applicants = district.applicants_deadlines()
    for number in range(cases if items else 0):
        _Walk(district, items[number % len(items)], applicants, random, summary).to_the_end()
        on_case()
    summary.wall_seconds = time.monotonic() - began
    return summary


def _counter(district: District, random: Random) -> Desk:
    return district.holding("intake_clerk", random)[0]


class _Walk:
    """One case from its start to its end event."""

    def __init__(
        self,
        district: District,
        item: Mapping[str, Any],
        applicants: frozenset[str],
        random: Random,
        summary: Summary,
    ) -> None:
        self._district = district
        self._item = item
        self._applicants = applicants
        self._random = random
        self._summary = summary
        self._counter = _counter(district, random)
        self._chosen: Counter[tuple[str, str, str]] = Counter()
        self._case = ""

    def to_the_end(self) -> None:
        started = self._counter.post(f"/api/process-definitions/{self._item['key']}/instances", {})
        self._case = started["case"]
        for _ in range(MOST_STEPS):
            view = self._view()
            if view["status"] == "ended":
                self._summary.outcomes[self._item["name"], view["outcome"] or "ended"] += 1
                return
            if view["incidents"]:
                self._give_up(view, f"incident {view['incidents'][0]['code']}")
                return
            try:
                self._step(view)
            except Refused as refused:
                self._give_up(view, str(refused))
                return
        self._give_up(self._view(), f"no end after {MOST_STEPS} steps")

    def _view(self) -> Any:
        return self._counter.get(f"/api/process-instances/{self._case}")

    def _give_up(self, view: Mapping[str, Any], why: str) -> None:
        self._summary.unfinished.append((view["business_key"], why))

    def _step(self, view: Mapping[str, Any]) -> None:
        tasks = [task for task in view["tasks"] if task["status"] == "open"]
        running = {row["kind"] for row in view["deadlines"] if row["status"] == "running"}
        lapses = APPLICANT_STAYS_AWAY if running & self._applicants else LAPSES if running else 0.0
        dice = self._random.random()
        if view["may_withdraw"] and dice < WITHDRAWS:
            self._withdraw()
        elif not tasks or WITHDRAWS <= dice < WITHDRAWS + lapses:
            self._let_pass(view)
        else:
            self._work(self._random.choice(tasks))

    def _withdraw(self) -> None:
        try:
            self._counter.post(f"/api/process-instances/{self._case}/withdraw", {"reason": "演示：申请人撤回"})
        except Refused as refused:
            self._tolerate(refused, 409)

    def _tolerate(self, refused: Refused, *statuses: int) -> None:
        if refused.status not in statuses:
            raise refused
        self._summary.refusals[refused.code] += 1

    @staticmethod
    def _due(view: Mapping[str, Any]) -> list[datetime]:
        due = (row["due_at"] for row in view["deadlines"] if row["status"] == "running" and row["due_at"])
        return sorted(datetime.fromisoformat(moment) for moment in due)

    def _let_pass(self, view: Mapping[str, Any]) -> None:
        """Move the clock past a deadline (past the next day where none runs), and let the worker do what is due."""
        now = self._advance(timedelta(seconds=1))
        ahead = [moment for moment in self._due(view) if moment > now]
        self._advance(self._random.choice(ahead) - now + timedelta(seconds=1) if ahead else timedelta(days=1))
        until = time.monotonic() + (WORKER_PATIENCE if ahead else 1.0)
        before = _standing(view)
        while time.monotonic() < until and _standing(self._view()) == before:
            time.sleep(0.2)

    def _advance(self, by: timedelta) -> datetime:
        self._summary.simulated += by
        return self._district.advance(by)

    def _work(self, task: Mapping[str, Any]) -> None:
        """One task by somebody who holds its role: whoever the rules refuse leaves it to the next."""
        desks = self._district.holding(task["role"], self._random)
        for last, desk in ((desk is desks[-1], desk) for desk in desks):
            try:
                row = self._found(desk, task["id"])
                if row is None:
                    continue
                desk.post(f"/api/tasks/{row['id']}/claim")
                self._complete(desk, row["id"])
                self._summary.tasks += 1
                return
            except Refused as refused:
                self._tolerate(refused, *((409,) if last else (403, 409)))
                if refused.status == 409:
                    return
        raise Refused(403, f"nobody_for_{task['role']}", (task["element"],))

    def _found(self, desk: Desk, task_id: str) -> Any:
        return next((row for row in self._worklist(desk) if row["id"] == task_id), None)

    def _worklist(self, desk: Desk) -> Iterator[Mapping[str, Any]]:
        query: dict[str, str | int] = {"process_key": self._item["key"], "limit": 200}
        while True:
            page = desk.get("/api/tasks", **query)
            yield from page["items"]
            if not page["next"]:
                return
            query["after"] = page["next"]

    def _complete(self, desk: Desk, task_id: str) -> None:
        """Fill in the form; where a rule beyond its schema refuses the answers, fill it in again."""
        told = desk.get(f"/api/tasks/{task_id}")
        author = Author(
            random=self._random, today=self._today(told), upload=self._upload(desk, task_id), chosen=self._chosen
        )
        for left in reversed(range(MOST_TRIES)):
            form = told["form"]
            answers = author.answers(form["schema"], told["task"]["element"], told["variables"]) if form else {}
            try:
                desk.post(f"/api/tasks/{task_id}/complete", {"answers": answers})
                return
            except Refused as refused:
                self._tolerate(refused, *((422,) if left else ()))

    @staticmethod
    def _today(told: Mapping[str, Any]) -> date:
        return datetime.fromisoformat(told["task"]["created_at"]).astimezone(SHANGHAI).date()

    @staticmethod
    def _upload(desk: Desk, task_id: str) -> Callable[[str], str]:
        def upload(name: str) -> str:
            file = (name, "演示材料，没有真实内容。\n".encode(), "text/plain")
            return str(desk.post(f"/api/tasks/{task_id}/attachments", files={"file": file})["digest"])

        return upload


def _standing(view: Mapping[str, Any]) -> tuple[Any, ...]:
    """What changes when something due has been done."""
    open_tasks = tuple(sorted(task["id"] for task in view["tasks"] if task["status"] == "open"))
    return view["status"], view["milestone"], open_tasks, tuple(row["status"] for row in view["deadlines"])
