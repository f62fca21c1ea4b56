"""A database that is away or busy is told as such; a point kills only where the environment names it."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa

from engine.errors import DatabaseBusy
from engine.model import CaseStatus
from engine.store import Store, database, new_id, points
from tests.conftest import KEYS
from tests.store_kit import completed, started
from tests.test_store_competing import rival, until_a_rival_waits


def test_a_database_that_is_away_is_busy() -> None:
    for url in ("sqlite:////nonexistent/x.db", "postgresql+psycopg://nobody@127.0.0.1:1/none"):
        store = Store.open(url, KEYS)
        assert not store.ready()
        with pytest.raises(DatabaseBusy), store.transaction():
            pass


def test_the_clock_never_runs_backwards(store: Store) -> None:
    with store.transaction() as tx:
        before = tx.now()
        assert before.tzinfo is UTC or before.utcoffset() == timedelta(0)
        assert abs(before - datetime.now(UTC)) < timedelta(seconds=30)
        assert tx.now() == before
    with store.transaction() as tx:
        ahead = tx.advance_clock(timedelta(days=3))
        assert ahead - before >= timedelta(days=3)
    with store.transaction() as tx:
        case = started(tx)
        assert case.started_at >= ahead
    with store.engine.begin() as connection:  # somebody sets the machine's clock back
        connection.exec_driver_sql("UPDATE clock SET offset_microseconds = offset_microseconds - 86400000000")
    with store.transaction() as tx:
        assert tx.now() >= ahead
        completed(tx, case.tasks[0].id)
    with store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE clock SET floor = '2000-01-01T00:00:00.000000+00:00'")
    with store.transaction() as tx:
        assert tx.now() < ahead
        assert tx.lock_case(case.id).last_at == tx.now()
    from engine.errors import InputRejected  # noqa: PLC0415

    with pytest.raises(InputRejected), store.transaction() as tx:
        tx.advance_clock(timedelta(seconds=-1))


def test_the_clock_is_read_after_the_lock(postgresql: Store) -> None:
    with postgresql.transaction() as tx:
        task = started(tx).tasks[0]

    def second() -> object:
        with postgresql.transaction() as tx:
            tx.lock_task(task.id)
            return tx.now()

    with rival(second) as (start, results), postgresql.transaction() as tx:
        tx.lock_task(task.id)
        start()
        until_a_rival_waits(postgresql)
        released = datetime.now(UTC)
    [seen] = results
    assert isinstance(seen, datetime)
    assert seen >= released


def test_an_abandoned_transaction_writes_nothing(store: Store) -> None:
    with store.transaction() as tx:
        case = started(tx)
        tx.abandon()
    with store.reading() as reading:
        from engine.store.tables import event  # noqa: PLC0415

        assert reading.execute(sa.select(sa.func.count()).select_from(event)).scalar_one() == 0
    assert case.status is CaseStatus.ACTIVE


def test_a_point_kills_only_where_the_environment_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    killed: list[tuple[int, int]] = []
    monkeypatch.setattr("os.kill", lambda *what: killed.append(what))
    points.reached("before_commit")
    monkeypatch.setenv("SANWEI_KILL_AT", "before_commit")
    points.reached("after_commit")
    assert killed == []
    points.reached("before_commit")
    assert len(killed) == 1


def test_ids_grow_with_time() -> None:
    made = [new_id() for _ in range(5000)]
    assert made == sorted(made)
    assert len(set(made)) == 5000
    assert {number.version for number in made} == {7}
    assert {number.variant for number in made} == {uuid4().variant}
    assert abs((made[0].int >> 80) / 1000 - time.time()) < 60
    assert database.BUSY_SECONDS == 5
