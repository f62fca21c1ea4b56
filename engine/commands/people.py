"""Verbs about people: log in and out, accounts and their posts, uploaded files, the simulated clock."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from engine.commands.attempt import acted_as, attempt
from engine.commands.office import DISTRICT, Office
from engine.errors import Finding, Forbidden, Invalid, LoginFailed
from engine.model import Actor, Event, Membership, Once
from engine.store import Account, Attachment, Transaction

SESSION = timedelta(hours=12)
FAILURES_ALLOWED = 5
LOCKED_FOR = timedelta(minutes=15)
SHORTEST_PASSWORD = 10
NAME = re.compile(r"[A-Za-z0-9._\-]{2,60}")

_hasher = PasswordHasher()
# Checked when nobody has that name, so that a missing account takes as long as a wrong password.
_NOBODY = _hasher.hash(secrets.token_hex(16))


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """An open session. ``token`` is known to the caller only (the store keeps its hash)."""

    token: str
    csrf: str
    expires_at: datetime
    actor: Actor


def log_in(office: Office, name: str, password: str) -> Session:
    """Open a session. Five wrong passwords in a row lock the account for fifteen minutes (等保三级).

    Raises:
        LoginFailed: for every cause alike. The failed attempt is in the account's history.
    """
    with office.store.transaction() as tx:
        account = tx.account_by_name(name)
    # Hashing takes its time on purpose: between two transactions, so that nobody waits for it.
    known = _matches(account.password_hash if account else _NOBODY, password)
    if account is None:
        raise LoginFailed()
    with office.store.transaction() as tx:
        now_account = tx.account_by_name(name) or account
        allowed = now_account.active and not _locked(now_account, tx.now())
        if known and allowed and now_account.password_hash == account.password_hash:
            return _open(tx, now_account)
        _note_failure(tx, now_account)
    raise LoginFailed()


def _matches(kept: str, password: str) -> bool:
    try:
        return _hasher.verify(kept, password)
    except (VerifyMismatchError, InvalidHashError):
        return False


def _locked(account: Account, now: datetime) -> bool:
    return account.locked_until is not None and account.locked_until > now


def _open(tx: Transaction, account: Account) -> Session:
    token, csrf, until = secrets.token_urlsafe(32), secrets.token_urlsafe(24), tx.now() + SESSION
    tx.note_login(account.id, failures=0, locked_until=None)
    tx.open_session(account.id, _hash(token), csrf, until)
    actor = _actor(account)
    tx.append(f"account:{account.id}", [Event(kind="session.opened", input=True, actor=acted_as(actor))])
    return Session(token=token, csrf=csrf, expires_at=until, actor=actor)


def _actor(account: Account) -> Actor:
    return Actor(
        account=account.id, name=account.name, display_name=account.display_name, memberships=account.memberships
    )


def _note_failure(tx: Transaction, account: Account) -> None:
    failures = account.failures + 1
    locked = tx.now() + LOCKED_FOR if failures >= FAILURES_ALLOWED else account.locked_until
    tx.note_login(account.id, failures=0 if failures >= FAILURES_ALLOWED else failures, locked_until=locked)
    detail = {"failures": failures, "locked": failures >= FAILURES_ALLOWED}
    tx.append(f"account:{account.id}", [Event(kind="session.refused", input=True, detail=detail)])


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def log_out(office: Office, token: str) -> None:
    """Close the session; nothing if there is none."""
    with office.store.transaction() as tx:
        tx.close_session(_hash(token))


def who(office: Office, token: str) -> Session | None:
    """The open session behind a token, or None. One query: asked once for every request."""
    with office.store.glance() as reading:
        row = reading.actor_of_session(_hash(token))
    if row is None:
        return None
    return Session(token=token, csrf=row.csrf, expires_at=row.expires_at, actor=row.actor)


def same_csrf(session: Session, given: str | None) -> bool:
    """Does a form or header carry the session's own CSRF value?"""
    return given is not None and hmac.compare_digest(session.csrf.encode(), given.encode())


def create_account(
    office: Office,
    actor: Actor,
    *,
    name: str,
    display_name: str,
    password: str,
    memberships: Iterable[Membership],
    once: Once | None = None,
) -> UUID:
    """Open an account with its posts.

    Raises:
        Forbidden: only a security administrator may, and give posts of their scope only.
        Invalid: a password under ten characters, an unknown role.
        BusinessKeyTaken: the name is in use.
    """
    posts = tuple(memberships)
    with attempt(office, actor, "create_account", {"name": name, "posts": len(posts)}):
        _check_grant(actor, posts)
        _check_account(office, name, display_name, password, posts)
        secret = _hasher.hash(password)
        with office.store.transaction() as tx:
            if once and (answer := tx.recall(actor, once)) is not None:
                return UUID(answer)
            account = tx.create_account(name=name, display_name=display_name, password_hash=secret)
            tx.set_memberships(account, posts)
            detail = {"name": name, "posts": [{"role": p.role, "scope": p.scope, "unit": p.unit} for p in posts]}
            tx.append(
                f"account:{account}",
                [Event(kind="account.created", input=True, actor=acted_as(actor), detail=detail)],
            )
            if once:
                tx.remember(actor, once, str(account))
    return account


def _check_grant(actor: Actor, posts: tuple[Membership, ...]) -> None:
    """Nobody hands out posts beyond the scope they keep the accounts of."""
    if actor.account is None:
        return
    beyond = next((p.scope for p in posts if actor.holding("security_admin", p.scope) is None), None)
    if beyond is not None or not actor.scopes("security_admin"):
        raise Forbidden(role="security_admin", scope=beyond)


def _check_account(office: Office, name: str, display_name: str, password: str, posts: tuple[Membership, ...]) -> None:
    findings = []
    if not NAME.fullmatch(name):
        zh, en = (
            "账号须为 2 至 60 个字母、数字、点、横线或下划线",
            "2 to 60 letters, digits, dots, hyphens, underscores",
        )
        findings.append(Finding(where="name", rule="name", zh=zh, en=en))
    if not display_name.strip() or len(display_name) > 40:
        findings.append(Finding(where="display_name", rule="required", zh="请填写姓名", en="Give a name"))
    if not SHORTEST_PASSWORD <= len(password) <= 200:
        findings.append(
            Finding(where="password", rule="password", zh="密码至少 10 个字符", en="At least 10 characters")
        )
    publication = office.store.publication()
    known = {row["role"] for row in office.registers(publication).table("roles").rows} if publication else None
    for number, post in enumerate(posts):
        if known is not None and post.role not in known:
            findings.append(
                Finding(where=f"memberships.{number}.role", rule="unknown_role", zh="没有这个角色", en="No such role")
            )
    if findings:
        raise Invalid(findings)


def attachment(office: Office, actor: Actor, digest: str) -> Attachment:
    """A file the actor uploaded, or of a case the actor may see. Raises NotFound."""
    with office.store.reading() as reading:
        return reading.attachment(actor, digest)


def advance_clock(office: Office, actor: Actor, delta: timedelta, *, once: Once | None = None) -> datetime:
    """Move the clock that all servers share, for simulations; gives the new moment.

    Raises:
        Forbidden: only a system administrator may. InputRejected: backwards.
    """
    with attempt(office, actor, "advance_clock", {"seconds": delta.total_seconds()}):
        # One clock for all: a part of the district does not move it.
        if actor.holding("system_admin", DISTRICT) is None:
            raise Forbidden(role="system_admin", scope=DISTRICT)
        with office.store.transaction() as tx:
            if once and (answer := tx.recall(actor, once)) is not None:
                return datetime.fromisoformat(answer)
            moment = tx.advance_clock(delta)
            detail = {"seconds": delta.total_seconds()}
            tx.append("clock:", [Event(kind="clock.advanced", input=True, actor=acted_as(actor), detail=detail)])
            if once:
                tx.remember(actor, once, moment.isoformat())
        return moment
