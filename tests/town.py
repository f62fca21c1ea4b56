"""An office with people known by name, on the library we ship: where the tests of the verbs live."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from api.accounts import DemoAccount, demo_accounts
from engine import commands as c
from engine.commands.publishing import read_library
from engine.model import SYSTEM, Actor, Event, Outcome
from engine.store import Store
from engine.worker import Worker
from tests.outside import Silent
from tests.processes import answers as a

ROOT = Path(__file__).parent.parent
LIBRARY = read_library(ROOT)
SHOP = "individual_business_registration"


class Town:
    """An office with people known by name."""

    def __init__(self, store: Store) -> None:
        self.office = c.Office(store)
        c.publish(self.office, SYSTEM, LIBRARY)
        self.people = {account.name: self._hire(account) for account in demo_accounts()}
        self.sms = Silent()
        self.worker = Worker(self.office, self.sms)

    def _hire(self, account: DemoAccount) -> Actor:
        with self.office.store.transaction() as tx:
            # argon2 takes its time on purpose; only the tests of logging in need it
            number = tx.create_account(name=account.name, display_name=account.display_name, password_hash="none")
            tx.set_memberships(number, account.memberships)
            tx.append(f"account:{number}", [Event(kind="account.created", input=True)])
        return Actor(
            account=number,
            name=account.name,
            display_name=account.display_name,
            memberships=account.memberships,
        )

    def __getitem__(self, name: str) -> Actor:
        return self.people[name]

    def shop(self) -> Outcome:
        """A registration whose application has been taken in: the registrar is next."""
        begun = c.start_case(self.office, self["counter1"], SHOP, {})
        return c.complete_task(self.office, self["counter1"], begun.tasks[0].id, a.shop_application())

    def kinds(self, case) -> list[str]:
        return [row.kind for row in c.history(self.office, self["auditor1"], case, limit=1000).items]

    def advance(self, **delta: int) -> None:
        c.advance_clock(self.office, self["system1"], timedelta(**delta))
