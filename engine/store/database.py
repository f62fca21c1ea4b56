"""Opening connections: what each database must be told first, and how its failures become ours."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from engine.errors import DatabaseBusy

BUSY_SECONDS = 5
_WRITES = "sanwei_writes"
_POSTGRESQL_OPTIONS = (
    f"-c timezone=UTC -c lock_timeout={BUSY_SECONDS * 1000} -c idle_in_transaction_session_timeout=60000 -c jit=off"
)
_BUSY = (
    psycopg.errors.LockNotAvailable,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
    psycopg.errors.AdminShutdown,
    psycopg.errors.IdleInTransactionSessionTimeout,
    psycopg.errors.TooManyConnections,
)


def open_engine(url: str, *, echo: bool, pool_size: int) -> Engine:
    """An engine on ``sqlite:///…`` or ``postgresql+psycopg://…``; nothing is connected yet."""
    address = sa.make_url(url)
    common: dict[str, Any] = {"echo": echo, "hide_parameters": True, "query_cache_size": 1000}
    pool = {"pool_size": pool_size, "max_overflow": pool_size, "pool_timeout": BUSY_SECONDS}
    if address.get_backend_name() == "sqlite":
        engine = sa.create_engine(address, connect_args={"timeout": BUSY_SECONDS}, **pool, **common)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    arguments = {"options": _POSTGRESQL_OPTIONS, "prepare_threshold": 2}
    return sa.create_engine(address, connect_args=arguments, pool_recycle=1800, **pool, **common)


def _prepare_sqlite(connection: Any, _: Any) -> None:
    # The driver must not begin transactions by itself: we say BEGIN IMMEDIATE where we are going to write.
    connection.isolation_level = None
    for setting in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "recursive_triggers=ON"):
        connection.execute(f"PRAGMA {setting}")


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get("isolation_level") != "AUTOCOMMIT":
        connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get(_WRITES, False) else "BEGIN")


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A connection in a write transaction, not committed here. Raises DatabaseBusy."""
    with translated(), engine.connect() as connection:
        connection = connection.execution_options(**{_WRITES: True})
        connection.begin()
        yield connection


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """A connection that sees one state of the database and cannot write. Raises DatabaseBusy."""
    with translated(), engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        connection.begin()
        yield connection
        # A rollback would make the driver forget every prepared statement of this connection.
        connection.commit()


@contextmanager
def glancing(engine: Engine) -> Iterator[Connection]:
    """A connection for single queries, sparing the trips that begin and end a transaction. Raises DatabaseBusy."""
    with translated(), engine.connect() as connection:
        yield connection.execution_options(isolation_level="AUTOCOMMIT")


@contextmanager
def translated() -> Iterator[None]:
    """Locks that were not given in time and databases that are away become DatabaseBusy; all else stays a bug."""
    try:
        yield
    except PoolTimeout as error:
        raise DatabaseBusy() from error
    except DBAPIError as error:
        if error.connection_invalidated or _is_busy(error.orig):
            raise DatabaseBusy() from error
        raise
    except (psycopg.Error, sqlite3.Error) as error:
        if _is_busy(error):
            raise DatabaseBusy() from error
        raise


def _is_busy(error: BaseException | None) -> bool:
    if isinstance(error, psycopg.Error):
        # Without a code of the server the connection itself failed.
        away = isinstance(error, psycopg.OperationalError | psycopg.InterfaceError) and error.sqlstate is None
        return away or isinstance(error, _BUSY)
    words = ("locked", "busy", "unable to open")
    return isinstance(error, sqlite3.OperationalError) and any(word in str(error) for word in words)
