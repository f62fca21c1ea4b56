"""Accounts, their posts, and sessions. Passwords and tokens come hashed; nothing here can open them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Row
from sqlalchemy.exc import IntegrityError

from engine.errors import BusinessKeyTaken
from engine.model import Membership
from engine.store import rows
from engine.store import tables as t
from engine.store.columns import new_id
from engine.store.reading import Reading
from engine.store.records import Account

_bind = sa.bindparam
_by_name = sa.select(t.account).where(t.account.c.name == _bind("name")).with_for_update()
_posts = sa.select(t.membership).order_by(t.membership.c.role, t.membership.c.scope)
_this = t.account.c.id == _bind("account")
_account = sa.select(t.account).where(_this)
_note = t.account.update().where(_this).values(failures=_bind("count"), locked_until=_bind("until"))
_password = t.account.update().where(_this).values(password_hash=_bind("hash"))
_active = t.account.update().where(_this).values(active=_bind("is_active"))


class People(Reading):
    """Writing accounts and sessions; the events about them are the caller's."""

    def create_account(self, *, name: str, display_name: str, password_hash: str) -> UUID:
        """Insert an account without posts.

        Raises:
            BusinessKeyTaken: the name is in use.
        """
        number = new_id()
        row = {"id": number, "name": name, "display_name": display_name, "password_hash": password_hash}
        try:
            self.execute(t.account.insert(), {**row, "active": True, "failures": 0, "created_at": self.now()})
        except IntegrityError as error:
            raise BusinessKeyTaken() from error
        self._tell_account(number)
        return number

    def _tell_account(self, account: UUID) -> None:
        """History will say how the account and its posts look now; the event about it is the caller's."""
        row = self.execute(_account, {"account": account}).one()
        posts = self.execute(_posts.where(t.membership.c.account_id == account))
        self.tell(f"account:{account}", "a", account, rows.of(row._mapping, *rows.ACCOUNT))
        self.tell(f"account:{account}", "m", account, rows.of_posts(post._asdict() for post in posts))

    def account_by_name(self, name: str) -> Account | None:
        """The account of a log-in name, locked until the end: two wrong passwords at once count as two."""
        row = self.execute(_by_name, {"name": name}).one_or_none()
        if row is None:
            return None
        return account_of(row, self.execute(_posts.where(t.membership.c.account_id == row.id)).all())

    def set_memberships(self, account: UUID, memberships: Iterable[Membership]) -> None:
        """Replace the posts of an account; of two in the same role and scope the last counts."""
        self.execute(t.membership.delete().where(t.membership.c.account_id == account))
        held = [
            {"account_id": account, "role": m.role, "scope": m.scope, "unit": m.unit, "post": m.post}
            for m in {(m.role, m.scope): m for m in memberships}.values()
        ]
        if held:
            self.execute(t.membership.insert(), held)
        self._tell_account(account)

    def note_login(self, account: UUID, *, failures: int, locked_until: datetime | None) -> None:
        """Write down how many wrong passwords there were in a row, and until when the account is locked."""
        self.execute(_note, {"account": account, "count": failures, "until": locked_until})

    def set_password(self, account: UUID, password_hash: str) -> None:
        """Replace the password's hash and end all sessions."""
        self.execute(_password, {"account": account, "hash": password_hash})
        self._tell_account(account)
        self._end_sessions(account)

    def set_active(self, account: UUID, active: bool) -> None:
        """Close an account (and end its sessions) or open it again."""
        self.execute(_active, {"account": account, "is_active": active})
        self._tell_account(account)
        if not active:
            self._end_sessions(account)

    def _end_sessions(self, account: UUID) -> None:
        self.execute(t.session.delete().where(t.session.c.account_id == account))

    def open_session(self, account: UUID, token_hash: bytes, csrf: str, expires_at: datetime) -> None:
        """Open a session under its token's SHA-256; the account's ended ones are swept away."""
        now = self.now()
        ended = (t.session.c.account_id == account) & (t.session.c.expires_at <= now)
        self.execute(t.session.delete().where(ended))
        row = {"token_hash": token_hash, "account_id": account, "csrf": csrf}
        self.execute(t.session.insert(), {**row, "created_at": now, "expires_at": expires_at})

    def close_session(self, token_hash: bytes) -> None:
        """End the session; nothing if there is none."""
        self.execute(t.session.delete().where(t.session.c.token_hash == token_hash))


def account_of(row: Row[Any], posts: Iterable[Row[Any]]) -> Account:
    """An account from its row and its posts' rows."""
    return Account(
        id=row.id,
        name=row.name,
        display_name=row.display_name,
        password_hash=row.password_hash,
        active=row.active,
        failures=row.failures,
        locked_until=row.locked_until,
        memberships=tuple(Membership(role=p.role, scope=p.scope, unit=p.unit, post=p.post) for p in posts),
    )
