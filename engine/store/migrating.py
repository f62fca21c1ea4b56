"""Bringing a database's tables to this program's version, with Alembic run from here (there is no alembic.ini)."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError

from engine.errors import DatabaseBusy
from engine.store.database import snapshot, writing

_SCRIPTS = Path(__file__).parent / "migrations"
_LOCK = 0x5A4E5749  # any number that nobody else of this database locks


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.attributes["connection"] = connection
    return config


def migrate(engine: Engine) -> None:
    """Run every migration that is missing, in one transaction; several servers starting at once take turns."""
    with writing(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        command.upgrade(_config(connection), "head")
        connection.commit()


def is_current(engine: Engine) -> bool:
    """Is the database there and migrated to exactly this program's version?"""
    wanted = ScriptDirectory.from_config(_config()).get_current_head()
    try:
        with snapshot(engine) as connection:
            return MigrationContext.configure(connection).get_current_revision() == wanted
    except (DatabaseBusy, DBAPIError):
        return False
