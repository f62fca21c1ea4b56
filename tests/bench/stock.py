"""Fills a PostgreSQL database with copies of one case's rows, by SQL alone: hundreds of thousands in a minute.

Copies carry ids and business keys of their own; their chains are not recomputed, so ``verify`` would object: the
stocked database is for measuring only.
"""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

import psycopg

from engine.store.vault import Keys, new_key, seal_json

# Moves the moment inside a time-ordered id, so that copies lie in the indexes as cases of earlier moments would.
MOVED = """
CREATE OR REPLACE FUNCTION moved(id uuid, n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
  SELECT (lpad(to_hex(('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint - n), 12, '0')
          || substr(replace(id::text, '-', ''), 13))::uuid $$
"""
# Who acted stays who acted.
SAME = frozenset({"actor_account", "started_by", "claimed_by", "closed_by", "account_id", "command"})
COPY = "CREATE TEMP TABLE copy AS SELECT n, moved('{case}', n) AS id, 'case:' || moved('{case}', n) AS stream"
CASE_IDS = frozenset({"process_instance", "data_key"})
BATCH = 10_000
WAITING = "SELECT count(*) FROM process_instance WHERE wake_at IS NOT NULL"
# What a worklist shows of a case; its history is left out.
OPEN_CASE = frozenset({"data_key", "process_instance", "task"})


def finished(url: str, case_id: str, copies: int) -> None:
    """Copy a finished case with all its rows. Nobody reads the copies, so their sealed values stay as they are."""
    _multiply(url, case_id, copies, tables=None, keys=None)


def opened(url: str, case_id: str, copies: int, keys: Keys) -> None:
    """Copy an open case as a worklist shows it: instance, task, and a title sealed under a key of its own."""
    _multiply(url, case_id, copies, tables=OPEN_CASE, keys=keys)


def _multiply(url: str, case_id: str, copies: int, *, tables: frozenset[str] | None, keys: Keys | None) -> None:
    """Ids are moved a millisecond back per copy. Triggers are off in this session, as a superuser may."""
    with psycopg.connect(url) as connection:
        connection.execute(MOVED.encode())
        connection.execute(b"SET session_replication_role = replica")
        connection.execute(b"SET synchronous_commit = off")
        belonging = _belonging(connection, case_id, sealed=keys is not None)
        made = f"{COPY.format(case=case_id)} FROM generate_series(1, {copies}) AS n"
        connection.execute(made.encode())
        connection.execute(b"CREATE INDEX ON copy (n)")
        _seal(connection, keys)
        for first in range(1, copies + 1, BATCH):
            last = min(copies, first + BATCH - 1)
            for table, (columns, condition) in belonging.items():
                if tables is None or table in tables:
                    where = f"n BETWEEN {first} AND {last} AND {condition}"
                    connection.execute(_insert(table, columns, where).encode())
            connection.commit()
    settle(url)


def _insert(table: str, columns: Mapping[str, str], where: str) -> str:
    listed, values = ", ".join(f'"{name}"' for name in columns), ", ".join(columns.values())
    origin = f'"{table}" o, copy c JOIN seals s USING (n)'
    return f'INSERT INTO "{table}" ({listed}) SELECT {values} FROM {origin} WHERE {where}'


def _seal(connection: psycopg.Connection, keys: Keys | None) -> None:
    """Keys and titles of the copies (nothing in them without ``keys``)."""
    connection.execute(b"CREATE TEMP TABLE seals (n bigint PRIMARY KEY, wrapped bytea, title bytea)")
    cursor = connection.cursor()
    copies = cursor.execute(b"SELECT n, id FROM copy").fetchall()
    with cursor.copy(b"COPY seals FROM STDIN") as rows:
        for number, ident in copies:
            rows.write_row((number, *(_sealed(keys, ident) if keys else (None, None))))
    connection.execute(b"ANALYZE copy, seals")


def _sealed(keys: Keys, ident: UUID) -> tuple[bytes, bytes]:
    key, wrapped = new_key(keys, ident)
    return wrapped, seal_json(key, f"about:{ident}", {"title": "测量用办件", "summary": {}})


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
        rows = connection.execute(WAITING.encode()).fetchall()
    return int(rows[0][0])


def _belonging(
    connection: psycopg.Connection, case_id: str, *, sealed: bool
) -> Mapping[str, tuple[dict[str, str], str]]:
    """Table → (column → the expression of its copy, which rows belong to the case)."""
    found = connection.execute(
        b"SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'public'"
        b" AND is_generated = 'NEVER' ORDER BY table_name, ordinal_position"
    ).fetchall()
    columns: dict[str, dict[str, str]] = {}
    for table, name, kind in found:
        columns.setdefault(table, {})[name] = _copied(table, name, kind)
    if sealed:
        columns["data_key"]["wrapped"], columns["process_instance"]["sealed_title"] = "s.wrapped", "s.title"
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


def _copied(table: str, name: str, kind: str) -> str:
    if name == "case_id" or (name == "id" and table in CASE_IDS) or (name == "key_id" and kind == "uuid"):
        return "c.id"  # the case's data key has the case's id
    if kind == "uuid" and name not in SAME:
        return f'moved(o."{name}", n)'
    if name == "stream":
        return "c.stream"
    if name == "business_key":
        return "o.business_key || '-' || n"
    return f'o."{name}"'
