"""The demonstration without a server: its choices, given to the verbs themselves, the worker always up to date.

So thousands of cases are driven in minutes, and every way the demonstration takes is taken.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from api import demo
from api.accounts import DemoAccount, demo_accounts
from api.cli import prepare
from api.demo import Desk, District, Refused, Summary, drive
from api.problems import of_error
from api.rest.instances import told
from api.schemas import plain
from engine import commands as c
from engine.errors import SanweiError
from engine.model import Actor
from engine.store import Store
from engine.worker import Worker
from tests.outside import Silent


class VerbDesk(Desk):
    """A desk whose requests are the verbs behind the routes."""

    def __init__(self, office: c.Office, actor: Actor, account: DemoAccount) -> None:
        self._office, self._actor, self.account = office, actor, account

    def _ask(self, verb: str, path: str, **request: Any) -> Any:
        try:
            return plain(self._answer(path.removeprefix("/api/").split("/"), request))
        except SanweiError as error:
            problem = of_error(error)
            raise Refused(problem.status, problem.code, tuple(f.where for f in problem.findings)) from error

    def _answer(self, path: list[str], request: Mapping[str, Any]) -> Any:
        office, actor, body = self._office, self._actor, request.get("json") or {}
        match path:
            case ["process-definitions"]:
                return {"process_definitions": c.process_definitions(office, actor)}
            case ["process-definitions", key, "instances"]:
                return c.start_case(office, actor, key, {})
            case ["registers", name]:
                return {"rows": c.register(office, actor, name).rows}
            case ["process-instances", case]:
                return told(c.case_view(office, actor, UUID(case)))
            case ["process-instances", case, "withdraw"]:
                return c.withdraw_case(office, actor, UUID(case), body["reason"])
            case ["clock", "advance"]:
                seconds = int(re.sub(r"\D", "", body["by"]))
                return {"now": c.advance_clock(office, actor, timedelta(seconds=seconds)).isoformat()}
            case ["tasks"]:
                return c.worklist(office, actor, **request["params"])
            case ["tasks", task, *more]:
                return self._task(UUID(task), more, body, request.get("files"))
        raise LookupError(path)

    def _task(self, task: UUID, more: list[str], body: Mapping[str, Any], files: Any) -> Any:
        office, actor = self._office, self._actor
        match more:
            case []:
                view = c.task_view(office, actor, task)
                form = None if view.form is None else {"schema": view.form.schema}
                return {"task": view.task, "variables": view.variables, "form": form}
            case ["claim"]:
                return c.claim_task(office, actor, task)
            case ["complete"]:
                return c.complete_task(office, actor, task, body["answers"])
            case ["attachments"]:
                name, content, kind = files["file"]
                return {"digest": c.attach_file(office, actor, task, name=name, media_type=kind, content=content)}
        raise LookupError(more)


class Hall(District):
    """A district whose worker has done everything due before anybody looks."""

    def __init__(self, office: c.Office) -> None:
        self._worker = Worker(office, Silent())
        self._desks = defaultdict(list)
        with office.store.transaction() as tx:
            for account in demo_accounts():
                number = tx.account_by_name(account.name).id
                actor = Actor(
                    account=number,
                    name=account.name,
                    display_name=account.display_name,
                    memberships=account.memberships,
                )
                for role in account.roles:
                    self._desks[role].append(VerbDesk(office, actor, account))

    def holding(self, role: str, random: random.Random) -> list[Desk]:
        self.work()
        return super().holding(role, random)

    def advance(self, by: timedelta) -> datetime:
        now = super().advance(by)
        self.work()
        return now

    def work(self) -> None:
        while self._worker.once():
            pass


def driven(folder: Path, *, cases: int, seed: int, on_case: Callable[[], None] = lambda: None) -> tuple[str, Summary]:
    """Drive cases to their ends in a fresh district; its database's URL, and what happened.

    The keys lie beside it as ``keys.json``.
    """
    settings = prepare(folder)
    store = Store.open(settings.database_url, settings.keys())
    # Whoever waits for the worker here would wait for nobody: it has been by.
    patience, demo.WORKER_PATIENCE = demo.WORKER_PATIENCE, 0.0
    try:
        return settings.database_url, drive(Hall(c.Office(store)), cases=cases, seed=seed, on_case=on_case)
    finally:
        demo.WORKER_PATIENCE = patience
        store.close()
