"""Knows the screens of clerks: server-drawn HTML over the same verbs as the API; works without JavaScript."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import APIRouter, Request, Response

from api import identity
from api.pages import (
    audit,
    back,
    cases,
    definitions,
    doors,
    handing,
    messages,
    moving,
    operating,
    publishing,
    signing,
    standing,
    tasks,
    work,
)
from api.pages.screen import go, show
from api.problems import Problem
from engine.errors import SanweiError

router = APIRouter()
for _part in (
    doors,
    work,
    back,
    handing,
    signing,
    tasks,
    cases,
    standing,
    moving,
    operating,
    messages,
    audit,
    definitions,
    publishing,
):
    router.include_router(_part.router)


def problem_page(request: Request, problem: Problem) -> Response:
    """A problem in words. Nobody logged in: the log-in page, and back again afterwards."""
    if problem.code == "login_required":
        back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return go(f"/login?back={quote(back)}" if request.method == "GET" else "/login")
    return show(request, "problem.html", _asker(request), status=problem.status, problem=problem)


def _asker(request: Request) -> identity.Asker | None:
    """Who is looking, if that can be told; a problem's page must not fail for want of it."""
    try:
        return identity.reader(request)
    except SanweiError:
        return None
