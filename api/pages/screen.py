"""Knows how a page comes about: language, dates, the bundle's file names, the posted fields, the templates."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

from fastapi import Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.datastructures import UploadFile

from api import identity
from api.identity import Asker
from api.pages.texts import words
from api.pages.told import drawn
from api.schemas import storable
from api.settings import Language
from engine.errors import Finding, Invalid

_HERE = Path(__file__).parent.parent
_DIST = _HERE / "static" / "dist"
_LOCAL = ZoneInfo("Asia/Shanghai")
LANGUAGE_COOKIE = "lang"

_templates = Environment(
    loader=FileSystemLoader(_HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """One uploaded file of a posted form."""

    field: str
    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Posted:
    """A posted form. Names with a leading underscore steer the page; all others are answers."""

    pairs: tuple[tuple[str, str], ...]
    files: tuple[Sent, ...]

    def get(self, name: str) -> str:
        """The last value of a field, '' if absent."""
        return next((v for n, v in reversed(self.pairs) if n == name), "")

    def answers(self) -> list[tuple[str, str]]:
        """The pairs that are answers, in the order of the page."""
        return [(n, v) for n, v in self.pairs if not n.startswith("_")]


async def posted(request: Request) -> Posted:
    """Read the posted form (dependency).

    Raises:
        Invalid: a character no database can store.
    """
    form = await request.form(max_fields=5_000, max_files=200)
    pairs, files = [], []
    for name, value in form.multi_items():
        if not isinstance(value, UploadFile):
            pairs.append((_checked(name), _checked(value)))
        elif value.filename:
            kind = value.content_type or "application/octet-stream"
            files.append(
                Sent(
                    field=_checked(name),
                    name=_checked(value.filename),
                    media_type=_checked(kind),
                    content=await value.read(),
                )
            )
    await form.close()
    return Posted(pairs=tuple(pairs), files=tuple(files))


def _checked(text: str) -> str:
    try:
        return cast(str, storable(text))
    except ValueError as cause:
        zh, en = "含有无法保存的字符", "holds a character that cannot be stored"
        raise Invalid([Finding(where="form", rule="characters", zh=zh, en=en)]) from cause


def language(request: Request) -> Language:
    """The language of the screens: the cookie's, else the settings'."""
    chosen = request.cookies.get(LANGUAGE_COOKIE)
    return cast(Language, chosen) if chosen in {"zh", "en"} else identity.settings(request).language


def show(request: Request, template: str, asker: Asker | None, *, status: int = 200, **values: Any) -> Response:
    """Render a page. Every form of it gets the CSRF token and a fresh idempotency key."""
    chosen = language(request)
    page = _templates.get_template(template).render(
        t=words(chosen),
        lang=chosen,
        drawn=lambda word: drawn(word, chosen),
        when=when,
        day=day,
        exactly=exactly,
        asker=asker,
        csrf=asker.csrf if asker else "",
        new_key=lambda: secrets.token_urlsafe(16),
        here=request.url.path + (f"?{request.url.query}" if request.url.query else ""),
        path=request.url.path,
        bundle=bundle(),
        **values,
    )
    return HTMLResponse(page, status)


def go(path: str) -> Response:
    """See other: what follows a post."""
    return RedirectResponse(path, 303)


def local_path(text: str) -> str:
    """`text` if it is a path of this host, else the start page: nobody is sent elsewhere by a link."""
    plain = text.startswith("/") and not text.startswith(("//", "/\\")) and "\\" not in text
    return text if plain and text.isprintable() and len(text) < 2000 else "/"


def when(moment: datetime | None) -> str:
    """A moment on district clocks: 2026-10-12 09:30."""
    return moment.astimezone(_LOCAL).strftime("%Y-%m-%d %H:%M") if moment else ""


def exactly(moment: datetime) -> str:
    """A moment on district clocks to the thousandth of a second, as it is chained."""
    return moment.astimezone(_LOCAL).isoformat(sep=" ", timespec="milliseconds").removesuffix("+08:00")


def day(moment: datetime | None) -> str:
    """The last day of a period that ends at this moment: midnight is the end of the day before, not the next day."""
    if moment is None:
        return ""
    local = moment.astimezone(_LOCAL)
    if local.timetz().replace(tzinfo=None) == time(0):
        return (local - timedelta(days=1)).strftime("%Y-%m-%d")
    return local.strftime("%Y-%m-%d %H:%M")


@dataclass(frozen=True, kw_only=True, slots=True)
class Bundle:
    """The built browser files of the diagram viewer."""

    script: str
    styles: Sequence[str]


def bundle() -> Bundle | None:
    """The viewer's files as Vite's manifest names them, or None where nobody has built them."""
    manifest = _DIST / "manifest.json"
    try:
        return _bundle(manifest, manifest.stat().st_mtime_ns)
    except OSError:
        return None


@cache
def _bundle(manifest: Path, _changed: int) -> Bundle:
    entry = json.loads(manifest.read_bytes())["src/viewer.js"]
    return Bundle(
        script=f"/static/dist/{entry['file']}", styles=tuple(f"/static/dist/{name}" for name in entry.get("css", ()))
    )
