"""Knows how a caller is known (cookie or bearer token) and how a request is told from its own repetition."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import cast

from fastapi import Request, Response

from api.settings import Settings
from engine import commands
from engine.errors import Finding, Forbidden, Invalid, LoginFailed
from engine.model import Actor, Once

SESSION_COOKIE = "sanwei_session"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_KEY = re.compile(r"[\x21-\x7e]{1,200}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Asker:
    """Who asks: the actor, the session's CSRF token, and the token to end the session with."""

    actor: Actor
    csrf: str
    token: str
    expires_at: datetime


def office(request: Request) -> commands.Office:
    """The office this application was wired to."""
    return cast(commands.Office, request.app.state.office)


def settings(request: Request) -> Settings:
    """The settings this application was made with."""
    return cast(Settings, request.app.state.settings)


def asker(request: Request, form_csrf: str | None = None) -> Asker:
    """Who asks, by `Authorization: Bearer` or else by the session cookie.

    A browser sends cookies without being asked, so an unsafe request known by its cookie must also show the
    session's CSRF token: header `X-CSRF-Token`, or `form_csrf` (the form's field).

    Raises:
        LoginFailed: nobody, or a session that has ended (fact reason = login_required).
        Forbidden: the CSRF token is missing or another's (fact reason = csrf).
    """
    found = reader(request)
    if not _bearer(request) and request.method not in _SAFE:
        shown = form_csrf if form_csrf is not None else request.headers.get("x-csrf-token", "")
        if not secrets.compare_digest(shown.encode(), found.csrf.encode()):
            raise Forbidden("The CSRF token is missing or wrong", reason="csrf")
    return found


def reader(request: Request) -> Asker:
    """Who asks, for answers that change nothing; `asker` for everything else.

    Raises:
        LoginFailed: nobody, or a session that has ended (fact reason = login_required).
    """
    token = _bearer(request) or request.cookies.get(SESSION_COOKIE, "")
    session = commands.who(office(request), token) if token and len(token) <= 200 and token.isascii() else None
    if session is None:
        raise LoginFailed("Log in first", reason="login_required")
    return Asker(actor=session.actor, csrf=session.csrf, token=token, expires_at=session.expires_at)


def _bearer(request: Request) -> str:
    """The token of the Authorization header, '' if there is none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def same_site(request: Request) -> None:
    """Refuse a log-in that another site's page posts (it would put the victim into the attacker's account).

    Raises:
        Forbidden: the browser says that the request comes from elsewhere.
    """
    if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        raise Forbidden("The request comes from another site", reason="csrf")


def remember(response: Response, session: commands.Session, told: Settings) -> None:
    """Set the session cookie: out of reach of scripts, not sent along with other sites' posts."""
    response.set_cookie(
        SESSION_COOKIE, session.token, httponly=True, samesite="lax", secure=told.cookie_secure, path="/"
    )


def forget(response: Response) -> None:
    """Remove the session cookie."""
    response.delete_cookie(SESSION_COOKIE, path="/")


def once(request: Request) -> Once | None:
    """The request's `Idempotency-Key`, bound to this very path and to the digest of the body.

    Raises:
        Invalid: a key that is not 1 to 200 visible ASCII characters.
    """
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        zh, en = "须为 1–200 个可见 ASCII 字符", "must be 1 to 200 visible ASCII characters"
        raise Invalid([Finding(where="Idempotency-Key", rule="idempotency_key", zh=zh, en=en)])
    return Once(key=key, route=f"{request.method} {request.url.path}", digest=request.state.digest)


def once_by_files(request: Request, files: Iterable[tuple[str, str, bytes]]) -> Once | None:
    """Like `once`, for files (name, media type, content): a repeated upload draws another multipart boundary."""
    found = once(request)
    if found is None:
        return None
    told = [[name, kind, hashlib.sha256(content).hexdigest()] for name, kind, content in sorted(files)]
    text = json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
    return replace(found, digest=hashlib.sha256(text).hexdigest())


def once_by_form(request: Request, key: str, pairs: Iterable[tuple[str, str]]) -> Once | None:
    """Like `once`, for a posted form: browsers draw a new multipart boundary each time, so fields are digested."""
    if not _KEY.fullmatch(key):
        return None
    told = json.dumps(sorted(pairs), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
    return Once(key=key, route=f"{request.method} {request.url.path}", digest=hashlib.sha256(told).hexdigest())
