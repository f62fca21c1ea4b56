"""Fills a PostgreSQL database with copies of one case's rows, by SQL alone: hundreds of thousands in a minute.

Copies carry ids and business keys of their own; their chains are not recomputed, so ``verify`` would object: the
stocked database is for measuring only.
"""

from __future__ import annotations

from collections.abc import Mapping

import psycopg

# Moves the moment inside a time-ordered id, so that copies lie in the indexes as cases of earlier moments would.
MOVED = """
CREATE OR REPLACE FUNCTION moved(id uuid, n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
  SELECT (lpad(to_hex(('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint - n), 12, '0')
          || substr(replace(id::text, '-', ''), 13))::uuid $$
"""
SAME = "account actor_account started_by claimed_by closed_by uploaded_by account_id".split()
BATCH = 10_000


def multiply(url: str, case_id: str, copies: int, *, tables: frozenset[str] | None = None) -> None:
    """Copy a case ``copies`` times: every row of every table (or of ``tables``) that belongs to it.

    Ids are moved a millisecond back per copy. Triggers are off in this session, as a superuser may.
    """
    with psycopg.connect(url) as connection:
        connection.execute(MOVED.encode())
        connection.execute(b"SET session_replication_role = replica")
        connection.execute(b"SET synchronous_commit = off")
        for first in range(1, copies + 1, BATCH):
            last = min(copies, first + BATCH - 1)
            for table, (columns, condition) in _belonging(connection, case_id).items():
                if tables is None or table in tables:
                    listed = ", ".join(f'"{name}"' for name in columns)
                    values = ", ".join(columns.values())
                    connection.execute(
                        f'INSERT INTO "{table}" ({listed}) SELECT {values} FROM "{table}" o, '
                        f"generate_series({first}, {last}) AS n WHERE {condition}".encode()
                    )
            connection.commit()
    settle(url)


def settle(url: str) -> None:
    """Statistics and a checkpoint, so that what follows does not pay for the stocking."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(b"VACUUM ANALYZE")
        connection.execute(b"CHECKPOINT")


def sizes(url: str) -> dict[str, int]:
    """Bytes of each table with its indexes and long values."""
    statement = (
        "SELECT relname, pg_total_relation_size(oid) FROM pg_class WHERE relkind = 'r' AND relnamespace = "
        "'public'::regnamespace"
    )
    with psycopg.connect(url) as connection:
        return {str(name): int(size) for name, size in connection.execute(statement.encode()).fetchall()}


def repack(url: str) -> None:
    """Rewrite all tables without their dead rows."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(b"VACUUM FULL")


def open_waits(url: str) -> int:
    """Cases that wait for a moment."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(b"SELECT count(*) FROM process_instance WHERE wake_at IS NOT NULL").fetchall()
    return int(rows[0][0])


def _belonging(connection: psycopg.Connection, case_id: str) -> Mapping[str, tuple[dict[str, str], str]]:
    """Table → (column → the expression of its copy, which rows belong to the case)."""
    found = connection.execute(
        b"SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'public'"
        b" AND is_generated = 'NEVER' ORDER BY table_name, ordinal_position"
    ).fetchall()
    columns: dict[str, dict[str, str]] = {}
    for table, name, kind in found:
        columns.setdefault(table, {})[name] = _copied(name, kind)
    belonging = {}
    for table, copied in columns.items():
        if table == "process_instance":
            belonging[table] = (copied, f"o.id = '{case_id}'")
        elif "case_id" in copied:
            belonging[table] = (copied, f"o.case_id = '{case_id}'")
        elif "stream" in copied and table != "stream_head":
            belonging[table] = (copied, f"o.stream = 'case:{case_id}'")
        elif table == "data_key":
            belonging[table] = (copied, f"o.id = '{case_id}'")
    return belonging


def _copied(name: str, kind: str) -> str:
    if kind == "uuid" and name not in SAME:
        return f"moved(o.\"{name}\", n)"
    if name == "stream":
        return "'case:' || moved(substr(o.stream, 6)::uuid, n)"
    if name == "business_key":
        return "o.business_key || '-' || n"
    return f'o."{name}"'
