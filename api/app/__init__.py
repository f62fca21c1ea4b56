"""Wires everything and decides nothing: settings, store, office, routes, pages, problems."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from api import pages, problems, rest
from api.app.frame import Frame, Metrics
from api.settings import Settings, read_settings
from engine import commands
from engine.store import Store

STATIC = Path(__file__).parent.parent / "static"


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application over the database the settings name. Creates no tables: `sanwei migrate` does.

    Raises:
        Invalid: settings or keys that cannot be read.
    """
    told = settings or read_settings()
    store = Store.open(told.database_url, told.keys())

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        store.close()

    # No documentation pages of the framework's own: they load scripts from another host.
    app = rest.Described(
        title="Sanwei 三位", version="0.1.0", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan
    )
    app.state.settings = told
    app.state.store = store
    kept = timedelta(days=told.messages_kept_days)
    app.state.office = commands.Office(store, state_format=told.state_format, messages_kept=kept)
    app.state.metrics = Metrics()
    app.include_router(rest.router)
    app.include_router(pages.router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    problems.install(app, pages.problem_page)
    app.add_middleware(Frame, settings=told, metrics=app.state.metrics, page=pages.problem_page)
    return app
