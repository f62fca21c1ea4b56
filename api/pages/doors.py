"""Pages to come in and go out by: log-in, log-out, the language switch, the start page."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request, Response

from api import identity, problems
from api.pages.screen import LANGUAGE_COOKIE, Posted, go, local_path, posted, show
from engine import commands as c
from engine.errors import LoginFailed

router = APIRouter(include_in_schema=False)


@router.get("/")
def home() -> Response:
    """The worklist is the start page."""
    return go("/tasks")


@router.get("/login")
def login_page(request: Request, back: str = "/") -> Response:
    """The log-in form."""
    return show(request, "login.html", None, problem=None, name="", back=local_path(back))


@router.post("/login")
def log_in(request: Request, form: Annotated[Posted, Depends(posted)]) -> Response:
    """Open a session and go where the clerk wanted to go."""
    identity.same_site(request)
    name, back = form.get("name").strip(), local_path(form.get("_back"))
    try:
        session = c.log_in(identity.office(request), name[:200], form.get("password")[:1000])
    except LoginFailed as error:
        problem = problems.of_error(error)
        return show(request, "login.html", None, status=problem.status, problem=problem, name=name, back=back)
    answer = go(back)
    identity.remember(answer, session, identity.settings(request))
    return answer


@router.post("/logout")
def log_out(request: Request, form: Annotated[Posted, Depends(posted)]) -> Response:
    """End the session."""
    asker = identity.asker(request, form.get("_csrf"))
    c.log_out(identity.office(request), asker.token)
    answer = go("/login")
    identity.forget(answer)
    return answer


@router.get("/language/{code}")
def language(request: Request, code: Literal["zh", "en"], back: str = "/") -> Response:
    """Switch the language of the screens."""
    answer = go(local_path(back))
    secure = identity.settings(request).cookie_secure
    answer.set_cookie(LANGUAGE_COOKIE, code, max_age=31_536_000, samesite="lax", secure=secure, path="/")
    return answer
