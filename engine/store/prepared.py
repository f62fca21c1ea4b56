"""Statements of the hot path: written and compiled by SQLAlchemy once, then given to the driver directly.

SQLAlchemy's own way from statement to rows costs as much again as the driver and the database together; a verb makes
ten such statements. Types, texts and transactions stay SQLAlchemy's.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Dialect

Convert = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class _Compiled:
    text: str
    names: tuple[str, ...]
    fixed: Mapping[str, Any]
    outward: Mapping[str, Convert]
    inward: tuple[tuple[int, Convert], ...]
    row: Callable[[Iterable[Any]], Any]
    positional: bool

    def parameters(self, values: Mapping[str, Any]) -> Any:
        given = {**self.fixed, **values}
        for name, convert in self.outward.items():
            given[name] = convert(given[name])
        return [given[name] for name in self.names] if self.positional else given

    def read(self, row: Sequence[Any]) -> Any:
        if not self.inward:
            return self.row(row)
        cells = list(row)
        for place, convert in self.inward:
            cells[place] = convert(cells[place])
        return self.row(cells)


class Prepared:
    """One statement without lists of changing length (no IN, no bulk VALUES). ``keys``: the columns an insert gives."""

    def __init__(self, statement: sa.Select[Any] | sa.CompoundSelect[Any] | sa.Insert | sa.Update, *keys: str) -> None:
        self._statement = statement
        self._keys = list(keys) or None
        self._compiled: dict[str, _Compiled] = {}

    def rows(self, connection: Connection, values: Mapping[str, Any]) -> list[Any]:
        """The rows of a query, as named tuples."""
        return self.read(connection, self.send(connection, values))

    def count(self, connection: Connection, values: Mapping[str, Any]) -> int:
        """Write; how many rows were written."""
        return int(self.send(connection, values).rowcount)

    def send(self, connection: Connection, values: Mapping[str, Any]) -> Any:
        """Give the statement to the driver; its cursor, whose answer is there once a ``trip`` around it has ended."""
        return _run(connection, self._for(connection.dialect), values)

    def read(self, connection: Connection, cursor: Any) -> list[Any]:
        """The rows of a cursor of ``send``."""
        compiled = self._for(connection.dialect)
        return [compiled.read(row) for row in cursor.fetchall()]

    def _for(self, dialect: Dialect) -> _Compiled:
        compiled = self._compiled.get(dialect.name)
        if compiled is None:
            compiled = self._compiled[dialect.name] = self._compile(dialect)
        return compiled

    def _compile(self, dialect: Dialect) -> _Compiled:
        made: Any = self._statement.compile(dialect=dialect, column_keys=self._keys)
        outward = {name: bind.type.dialect_impl(dialect).bind_processor(dialect) for name, bind in made.binds.items()}
        columns = list(getattr(self._statement, "selected_columns", ()))
        inward = [column.type.dialect_impl(dialect).result_processor(dialect, None) for column in columns]
        names = [column.key for column in columns]
        row: Any = namedtuple("Row", names)  # type: ignore[misc]
        required = {name for name, bind in made.binds.items() if bind.required}
        return _Compiled(
            text=str(made),
            names=tuple(made.positiontup or ()),
            fixed={name: value for name, value in made.params.items() if name not in required},
            outward={name: convert for name, convert in outward.items() if convert},
            inward=tuple((place, convert) for place, convert in enumerate(inward) if convert),
            row=row._make,
            positional=bool(made.positional),
        )


@contextmanager
def trip(connection: Connection) -> Iterator[None]:
    """Statements sent within the block travel together: one trip to a PostgreSQL server and back."""
    driver: Any = connection.connection.dbapi_connection
    if connection.dialect.name != "postgresql":
        yield
        return
    with _noticing(connection), driver.pipeline():
        yield


@contextmanager
def _noticing(connection: Connection) -> Iterator[None]:
    try:
        yield
    except psycopg.OperationalError as error:
        if error.sqlstate is None:
            # The connection itself is gone: the pool must not give it to the next.
            connection.invalidate(error)
        raise


def _run(connection: Connection, compiled: _Compiled, values: Mapping[str, Any]) -> Any:
    driver: Any = connection.connection.dbapi_connection
    if compiled.positional:
        return driver.execute(compiled.text, compiled.parameters(values))
    with _noticing(connection):
        return driver.execute(compiled.text, compiled.parameters(values), prepare=True, binary=True)
