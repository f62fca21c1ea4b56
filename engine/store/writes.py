"""Writes that nobody looks at before the transaction's end: kept back, then sent to the database in one trip."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, CursorResult

from engine.store.prepared import Prepared, trip
from engine.store.reading import Reading
from engine.store.vault import Keys


class Writes(Reading):
    """A connection that writes late. Whoever reads through it meanwhile finds everything written."""

    def __init__(self, connection: Connection, keys: Keys) -> None:
        super().__init__(connection, keys)
        self._kept_back: list[tuple[Prepared, Mapping[str, Any], Exception | None]] = []

    def later(self, prepared: Prepared, values: Mapping[str, Any], lost: Exception | None = None) -> None:
        """Write this by the end of the transaction; ``lost`` is raised then unless one row was written."""
        self._kept_back.append((prepared, values, lost))

    def flush(self) -> None:
        """Write what was kept back. Raises the ``lost`` of the first that did not write its one row."""
        if not self._kept_back:
            return
        kept_back, self._kept_back = self._kept_back, []
        with trip(self.connection):
            cursors = [prepared.send(self.connection, values) for prepared, values, _ in kept_back]
        for (_, _, lost), cursor in zip(kept_back, cursors, strict=True):
            if lost is not None and cursor.rowcount != 1:
                raise lost

    def execute(self, statement: sa.Executable, values: Any = None) -> CursorResult[Any]:
        """As in ``Reading``, after what was kept back."""
        self.flush()
        return super().execute(statement, values)

    def rows(self, prepared: Prepared, values: Mapping[str, Any]) -> list[Any]:
        """As in ``Reading``, after what was kept back."""
        self.flush()
        return super().rows(prepared, values)

    def forget(self) -> None:
        """Never write what was kept back."""
        self._kept_back.clear()

    def together(self, *asked: tuple[Prepared, Mapping[str, Any]]) -> list[list[Any]]:
        """As in ``Reading``, after what was kept back."""
        self.flush()
        return super().together(*asked)
