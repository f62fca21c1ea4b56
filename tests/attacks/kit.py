"""What an attack is, and another value for a column of any kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa

from engine.store.columns import Moment
from engine.store.vault import Keys
from tests.victim import Victim

#: Performs an attack and gives the words that a fault must hold: which stream and number, or which table and row.
Do = Callable[[sa.Connection, Victim], str]
FOREIGN = Keys(chain=b"x" * 32, sealing=b"y" * 32, chain_id="c2", other_chain={"test": b"z" * 32})


@dataclass(frozen=True, slots=True)
class Attack:
    """One attack. ``everywhere``: made on PostgreSQL too. ``soak``: one of many of its kind, left to the long run."""

    name: str
    do: Do
    everywhere: bool = False
    soak: bool = False


def case(number: UUID) -> str:
    return f"case:{number}"


def other(column: sa.Column[Any], value: Any) -> Any:
    """Another value of the column's kind."""
    kind = column.type
    if isinstance(kind, sa.Boolean):
        return not value
    if isinstance(kind, sa.Integer | sa.BigInteger):
        return 7 if value is None else value + 1000
    if isinstance(kind, sa.Uuid):
        return uuid4()
    if isinstance(kind, Moment):
        return datetime.fromisoformat("2026-01-01T00:00:00+00:00") if value is None else value + timedelta(days=1)
    if isinstance(kind, sa.LargeBinary):
        return b"x" * 32 if not value else value[:-1] + bytes([value[-1] ^ 1])
    if value is not None and isinstance(kind, sa.String) and kind.length:
        return value[:-1] + ("1" if value[-1] == "0" else "0")
    return "x" if value is None else value + "x"
