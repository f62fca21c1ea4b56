"""The tables of messages: what came, and what a message has started."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Column, Index, LargeBinary, Table, Text, Uuid

from engine.store.columns import Moment
from engine.store.tables import metadata


def _partial(name: str, *columns: str, where: str) -> Index:
    return Index(name, *columns, postgresql_where=sa.text(where), sqlite_where=sa.text(where))


#: Every message that ever came, so that none counts twice; its content only while it is kept for who will wait.
message = Table(
    "message",
    metadata,
    Column("sender", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("taken_at", Moment, nullable=False),
    Column("number", Uuid),
    Column("name", Text),
    Column("key", Text),
    Column("status", Text),
    Column("body", LargeBinary),
    Column("sealed", LargeBinary),
    Column("account", Uuid),
    Column("from_case", Uuid),
    Column("case_id", Uuid),
    Column("expires_at", Moment),
    Column("code", Text),
    Index("message_number_ix", "number", unique=True),
    _partial("message_kept_ix", "name", "key", "number", where="status = 'kept'"),
    _partial("message_expires_at_ix", "expires_at", where="status = 'kept'"),
    _partial("message_open_ix", "number", where="status IN ('kept', 'expired', 'failed')"),
)

#: Which case a start message's key has started: at most one.
message_start = Table(
    "message_start",
    metadata,
    Column("process", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("case_id", Uuid, nullable=False),
)
