"""A town in which messages go to and fro: the diagrams that wait for them, and how they are sent."""

from __future__ import annotations

import json
from uuid import UUID

from api.accounts import demo_accounts
from engine import bpmn
from engine import commands as c
from engine.commands import publishing
from engine.model import Event, Library, Outcome
from engine.store import Store
from engine.worker import Worker
from tests import diagrams as d
from tests.outside import Silent
from tests.town import LIBRARY, Town

HALL = "'liwan/hall'"
PAID = {
    "title": "缴费",
    "x-title-en": "Payment",
    "type": "object",
    "properties": {"amount": {"type": "integer", "title": "金额", "x-title-en": "Amount", "minimum": 1}},
    "required": ["amount"],
    "additionalProperties": False,
}


def declared(name: str, **told: str) -> str:
    return f'<message id="{name}" name="{name}">{d.properties(**told)}</message>'


PAYMENT = declared("paid", schema="messages/paid.json", sender="issue_clerk", expires="P3D")


def drawn(ident: str, nodes: str, *body: str, more: str = "") -> bytes:
    return d.process(d.lanes(d.lane("intake_clerk", HALL, *nodes.split())), *body, ident=ident, more=more)


def waiting(ident: str = "waiting", key: str = "", more: str = PAYMENT) -> bytes:
    """Does a task, then waits for ``paid`` under its business key (or ``key``)."""
    event = d.message("payment", ref="paid", key=key)
    catch = d.element("intermediateCatchEvent", "pay", event)
    body = (d.start(), d.user("first"), catch, d.user("after"), d.end(), d.flow("s", "first", "pay", "after", "e"))
    return drawn(ident, "s first pay after e", *body, more=more)


def ordered(ident: str = "ordered", more: str = PAYMENT) -> bytes:
    """Is started by ``paid``."""
    start = d.element("startEvent", "s", d.message("payment", ref="paid"))
    return drawn(ident, "s look e", start, d.user("look"), d.end(), d.flow("s", "look", "e"), more=more)


class Hall(Town):
    """A town with nothing published but the registers and what a test draws (past the gate: it has no forms)."""

    def __init__(self, store: Store) -> None:
        self.office = c.Office(store)
        self.files = {path: content for path, content in LIBRARY.under("processes/", ".csv")}
        self.files["forms/messages/paid.json"] = json.dumps(PAID).encode()
        self.put(waiting())
        self.people = {account.name: self._hire(account) for account in demo_accounts()}
        self.sms = Silent()
        self.worker = Worker(self.office, self.sms)

    def put(self, *xml: bytes, alone: bool = False) -> None:
        """Put diagrams in force, beside the others or ``alone``."""
        if alone:
            self.files = {path: content for path, content in self.files.items() if not path.endswith(".bpmn")}
        for content in xml:
            self.files[f"processes/{_key(content)}.bpmn"] = content
        with self.office.store.transaction() as tx:
            tx.publish(publishing._entries(tx, Library(self.files)), None)
            tx.append("definition:", [Event(kind="library.published", input=True)])


def _key(content: bytes) -> str:
    return content.split(b'<process id="')[1].split(b'"')[0].decode()


def begin(town: Hall, process: str = "waiting") -> Outcome:
    return c.start_case(town.office, town["counter1"], process, {})


def go_on(town: Hall, case: Outcome) -> Outcome:
    """The first task is done: from now on the case waits."""
    return c.complete_task(town.office, town["counter1"], case.tasks[0].id, {})


def send(town: Hall, key: str, *, by: str = "issue1", ident: str = "m1", amount: int = 5, **more: object):
    told = {"name": "paid", "key": key, "payload": {"amount": amount}, "message_id": ident, **more}
    return c.deliver_message(town.office, town[by], **told)


def work(town: Hall) -> None:
    while town.worker.once():
        pass


def stands(town: Hall, case: UUID) -> list[str]:
    page = c.case_view(town.office, town["supervisor1"], case)
    return [t.element.rpartition("/")[2] for t in page.tasks if t.status.value == "open"]


def value(town: Hall, case: UUID, name: str):
    with town.office.store.transaction() as tx:
        found = tx.lock_case(case)
        return bpmn.read(town.office.release_of(found.release)[1], found.state)[name]
