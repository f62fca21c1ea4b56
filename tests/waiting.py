"""Two at once, steered: hold the first transaction open until the rival is seen to wait for it."""

from __future__ import annotations

import time

import pytest
import sqlalchemy as sa

from engine.store import Store

WAITING = sa.text(
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
)


def until_a_rival_waits(store: Store, patience: float = 5.0) -> None:
    """Return once another connection waits for a lock. SQLite shows no waiters, but lets nobody else write at all."""
    with store.reading() as reading:
        if reading.dialect == "sqlite":
            time.sleep(0.3)
            return
    until = time.monotonic() + patience
    while time.monotonic() < until:
        with store.reading() as reading:
            if reading.execute(WAITING).scalar():
                return
        time.sleep(0.01)
    pytest.fail("the rival never had to wait: the lock is gone")
