"""Column types that read the same from PostgreSQL and SQLite, and ids that grow with time."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from threading import Lock
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.types import TypeDecorator, TypeEngine

#: Stands for "no due moment" in the database, so that one index sorts such rows last on both.
FAR = datetime(9999, 12, 31, tzinfo=UTC)


_last_id = 0
_one_id = Lock()


def new_id() -> UUID:
    """A UUID of version 7 (RFC 9562 §5.7): milliseconds first, so that neighbours in time are neighbours on disk.

    Within one process each is greater than the one before.
    """
    global _last_id  # noqa: PLW0603 - the one running value of this process
    candidate = time.time_ns() // 1_000_000 << 74 | int.from_bytes(os.urandom(10), "big") >> 6
    with _one_id:
        _last_id = candidate = max(candidate, _last_id + 1)
    high, low = candidate >> 62, candidate & (1 << 62) - 1
    return UUID(int=(high >> 12 << 16 | 0x7000 | high & 0xFFF) << 64 | 0x2 << 62 | low)


def iso(moment: datetime) -> str:
    """Fixed-width UTC text with microseconds: sorts as text the way it sorts as time."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


class Moment(TypeDecorator[datetime]):
    """An aware moment: ``timestamptz`` on PostgreSQL, fixed-width UTC text on SQLite; comes back aware in UTC."""

    impl = sa.TIMESTAMP
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(sa.Text())
        return dialect.type_descriptor(sa.TIMESTAMP(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without time zone")
        return iso(value) if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return datetime.fromisoformat(value) if dialect.name == "sqlite" else value.astimezone(UTC)


class DueMoment(Moment):
    """A due moment that may be missing: stored as FAR, read as None."""

    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        return super().process_bind_param(FAR if value is None else value, dialect)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        moment = super().process_result_value(value, dialect)
        return None if moment is None or moment >= FAR else moment


class database_now(sa.sql.functions.FunctionElement[datetime]):
    """The database's clock at this statement (PostgreSQL's own ``now()`` stands still since the transaction began)."""

    type = Moment()
    inherit_cache = True


@compiles(database_now, "postgresql")
def _clock_of_postgresql(element: Any, compiler: Any, **kw: Any) -> str:
    return "clock_timestamp()"


@compiles(database_now, "sqlite")
def _clock_of_sqlite(element: Any, compiler: Any, **kw: Any) -> str:
    return "strftime('%Y-%m-%dT%H:%M:%f000+00:00', 'now')"


class stream_of_case(sa.sql.functions.FunctionElement[str]):
    """The name of a case's stream, from the column of its id."""

    type = sa.Text()
    inherit_cache = True


@compiles(stream_of_case, "postgresql")
def _stream_on_postgresql(element: Any, compiler: Any, **kw: Any) -> str:
    return f"('case:' || CAST({compiler.process(element.clauses, **kw)} AS text))"


@compiles(stream_of_case, "sqlite")
def _stream_on_sqlite(element: Any, compiler: Any, **kw: Any) -> str:
    # There an id is 32 hexadecimal digits without hyphens.
    column = compiler.process(element.clauses, **kw)
    parts = ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))
    return "('case:' || " + " || '-' || ".join(f"substr({column}, {start}, {size})" for start, size in parts) + ")"
