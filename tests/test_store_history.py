"""History is evidence: the database refuses changes, and what is changed all the same is found and named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from engine.model import Event
from engine.store import Case, Reading, Store, history, queries, verify
from engine.store.history import GENESIS, Command, Head, case_stream, unseal_values, write
from engine.store.tables import event, event_value, process_instance, stream_head
from engine.store.vault import seal_json
from tests.conftest import KEYS
from tests.store_kit import RELEASE, completed, person, registered, started


def _history(store: Store, steps: int = 3) -> Case:
    clerk = registered(store)
    with store.transaction() as tx:
        case = started(tx, by=clerk.account)
    for _ in range(steps):
        with store.transaction() as tx:
            case = completed(tx, case.tasks[0].id, clerk)
    store.record_refusal(clerk, case.id, "complete", "TaskNotOpen", "ab" * 32)
    store.record_access(clerk, case.id, "case")
    with store.transaction() as tx:
        tx.append("definition:", [Event(kind="library.published", input=True, values={"who": "张三"})])
    return case


def _unguarded(store: Store) -> sa.Connection:
    """A connection on a database whose triggers somebody with the rights to do so has dropped."""
    connection = store.engine.connect()
    names = ("event_insert_continues", "event_no_update", "event_no_delete", "event_no_change")
    for name in names:
        on = " ON event" if connection.dialect.name == "postgresql" else ""
        connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {name}{on}")
    return connection


def _next_row(case: Case, store: Store, **changed: Any) -> dict[str, Any]:
    head = Head(stream=case_stream(case.id), events=case.events, hash=case.head)
    told = [Event(kind="forged", input=True)]
    with store.reading() as reading:
        now = reading.now()
    [row] = write(KEYS, case.key, head, told, Command(id=uuid4(), recorded_at=now, release=RELEASE)).rows
    return {**row, **changed}


CHANGES = {
    "update": "UPDATE event SET kind = 'x'",
    "delete": "DELETE FROM event",
    "delete of the last": "DELETE FROM event WHERE number = 2",
    "update of one": "UPDATE event SET detail = NULL WHERE number = 1",
}


@pytest.mark.parametrize("statement", CHANGES.values(), ids=CHANGES.keys())
def test_the_database_refuses_to_change_history(store: Store, statement: str) -> None:
    _history(store, 1)
    with store.engine.connect() as connection, pytest.raises(sa.exc.DBAPIError, match="append-only"):
        connection.exec_driver_sql(statement)


def test_postgresql_refuses_to_truncate_history(postgresql: Store) -> None:
    _history(postgresql, 1)
    for statement in ("TRUNCATE event", "TRUNCATE event CASCADE"):
        with postgresql.engine.connect() as connection, pytest.raises(sa.exc.DBAPIError, match="append-only"):
            connection.exec_driver_sql(statement)


def test_postgresql_refuses_an_upsert_on_history(postgresql: Store) -> None:
    _history(postgresql, 1)
    statement = (
        "INSERT INTO event SELECT * FROM event WHERE number = 1 ON CONFLICT (stream, number) DO UPDATE SET kind = 'x'"
    )
    with postgresql.engine.connect() as connection, pytest.raises(sa.exc.DBAPIError, match="append-only"):
        connection.exec_driver_sql(statement)


@pytest.mark.parametrize("verb", ["REPLACE", "INSERT OR REPLACE"])
@pytest.mark.parametrize("recursive", ["ON", "OFF"])
def test_sqlite_refuses_to_replace_history(sqlite: Store, verb: str, recursive: str) -> None:
    _history(sqlite, 1)
    with sqlite.engine.connect() as connection:
        connection.rollback()
        connection.exec_driver_sql(f"PRAGMA recursive_triggers={recursive}")
        with pytest.raises(sa.exc.DBAPIError, match=r"append-only|does not continue"):
            connection.exec_driver_sql(f"{verb} INTO event SELECT * FROM event WHERE number = 1")


def test_an_insert_must_continue_the_head(store: Store) -> None:
    case = _history(store)
    with store.transaction() as tx:
        case = tx.lock_case(case.id)
    forgeries = {
        "a number left out": {"number": case.events + 2},
        "another previous hash": {"previous": b"x" * 32},
        "the first again": {"number": 1, "previous": GENESIS},
        "a first that follows something": {"stream": "case:new", "number": 1, "previous": b"x" * 32},
        "a number below one": {"number": 0, "previous": GENESIS},
        "a fork": {"number": case.events, "previous": case.head},
    }
    for name, change in forgeries.items():
        with store.engine.connect() as connection:
            with pytest.raises(sa.exc.DBAPIError):
                connection.execute(event.insert(), _next_row(case, store, **change))
            connection.rollback()
            assert _events(connection, case) == case.events, name
    with store.engine.begin() as connection:  # the rightful next one is taken: the guard refuses only what it should
        connection.execute(event.insert(), _next_row(case, store))


def _events(connection: sa.Connection, case: Case) -> int:
    mine = event.c.stream == case_stream(case.id)
    return int(connection.execute(sa.select(sa.func.count()).where(mine)).scalar_one())


def test_a_clean_database_verifies(store: Store) -> None:
    _history(store)
    told: list[int] = []
    found = verify.verify(store, told.append)
    assert found.faults == ()
    assert found.streams == 4
    assert told == [found.events]
    with store.reading() as reading:
        assert found.events == sum(reading.execute(sa.select(sa.func.count()).select_from(event)).scalars())


def test_verifying_in_small_batches_finds_the_same(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    _history(store)
    monkeypatch.setattr(verify, "BATCH", 3)
    assert verify.verify(store).faults == ()


def _at(case: Case, number: int) -> sa.ColumnElement[bool]:
    return (event.c.stream == case_stream(case.id)) & (event.c.number == number)


def _other_values(connection: sa.Connection, case: Case) -> None:
    """The sealed values of one command put in the place of another's."""
    rows = connection.execute(sa.select(event_value).where(event_value.c.stream == case_stream(case.id))).all()
    target = event_value.c.number == rows[1].number
    connection.execute(event_value.update().where(target).values(sealed=rows[2].sealed))


def _rewritten_values(connection: sa.Connection, case: Case) -> None:
    """Other answers, sealed again by somebody who holds the sealing key but not the chain's."""
    place = (event_value.c.stream == case_stream(case.id)) & (event_value.c.number == 3)
    row = connection.execute(sa.select(event_value).where(place)).one()
    kept = {
        str(number): [salt.hex(), {"answers": {"note": "forged"}} if number == 4 else values]
        for number, (salt, values) in unseal_values(case.key, row.stream, 3, row.sealed).items()
    }
    sealed = seal_json(case.key, f"values:{row.stream}:3", kept)
    connection.execute(event_value.update().where(place).values(sealed=sealed))


TAMPERINGS: dict[str, tuple[Callable[[sa.Connection, Case], object], int]] = {
    "another kind": (lambda c, case: c.execute(event.update().where(_at(case, 4)).values(kind="forged")), 4),
    "another person": (lambda c, case: c.execute(event.update().where(_at(case, 3)).values(actor_name="李四")), 3),
    "another moment": (
        lambda c, case: c.execute(event.update().where(_at(case, 3)).values(recorded_at=case.started_at)),
        3,
    ),
    "another commitment": (
        lambda c, case: c.execute(event.update().where(_at(case, 3)).values(commitment=b"x" * 32)),
        3,
    ),
    "an event gone": (lambda c, case: c.execute(event.delete().where(_at(case, 5))), 5),
    "the last event gone": (lambda c, case: c.execute(event.delete().where(_at(case, case.events + 1))), 15),
    "values gone": (
        lambda c, case: c.execute(event_value.delete().where(event_value.c.stream == case_stream(case.id))),
        1,
    ),
    "values exchanged": (_other_values, 3),
    "values rewritten": (_rewritten_values, 4),
    "all events gone": (lambda c, case: c.execute(event.delete().where(event.c.stream == case_stream(case.id))), 1),
    "another state": (
        lambda c, case: c.execute(process_instance.update().values(sealed_state=b"x" * 60)),
        15,
    ),
    "another head": (lambda c, case: c.execute(process_instance.update().values(head=b"x" * 32)), 15),
}


@pytest.mark.parametrize(("tamper", "number"), TAMPERINGS.values(), ids=TAMPERINGS.keys())
def test_verify_names_stream_and_number(
    store: Store, tamper: Callable[[sa.Connection, Case], object], number: int
) -> None:
    case = _history(store)
    assert case.events == 14  # and the refusal is number 15
    with _unguarded(store) as connection:
        tamper(connection, case)
        connection.commit()
    faults = verify.verify(store).faults
    assert faults[0].stream == case_stream(case.id)
    assert faults[0].number == number


def test_verify_finds_a_continuation_forged_without_the_key(store: Store) -> None:
    case = _history(store)
    with store.transaction() as tx:
        case = tx.lock_case(case.id)
    forger = Store(store.engine, type(KEYS)(chain=b"z" * 32, sealing=KEYS.sealing, chain_id=KEYS.chain_id))
    with forger.transaction() as tx:
        tx.append("definition:", [Event(kind="forged", input=True)])
    [fault] = verify.verify(store).faults
    assert (fault.stream, fault.number) == ("definition:", 2)


def test_verify_finds_a_stream_cut_short_with_its_head(store: Store) -> None:
    _history(store)
    with _unguarded(store) as connection:
        connection.execute(event.delete().where(event.c.stream == "definition:"))
        connection.commit()
    told = {(fault.stream, fault.number, fault.row) for fault in verify.verify(store).faults}
    assert told == {("definition:", 1, "stream_head"), ("definition:", 1, "event_value")}
    with store.engine.begin() as connection:
        connection.execute(event_value.delete().where(event_value.c.stream == "definition:"))
        connection.execute(stream_head.delete().where(stream_head.c.stream == "definition:"))
    assert verify.verify(store).faults == ()  # only a checkpoint outside the database can tell


def test_values_destroyed_without_an_erasure_are_found_and_not_shown(store: Store) -> None:
    case = _history(store)
    with store.engine.begin() as connection:
        now = sa.text("UPDATE data_key SET wrapped = NULL, erased_at = (SELECT floor FROM clock)")
        connection.execute(now)
        connection.execute(event_value.delete())
    told = {(fault.stream, fault.what) for fault in verify.verify(store).faults}
    assert (case_stream(case.id), "its key is gone, and no erasure is recorded") in told
    with store.reading() as reading:
        rows = queries.history(reading, person(), case.id).items
    assert rows[0].erased
    assert rows[0].values is None
    assert not rows[1].erased


def test_history_is_read_with_its_values_in_pages(store: Store) -> None:
    case = _history(store)
    with store.reading() as reading:
        whole = queries.history(reading, person(), case.id).items
        first = queries.history(reading, person(), case.id, limit=4)
        rest = queries.history(reading, person(), case.id, after=int(first.next or 0))
    assert (*first.items, *rest.items) == whole
    assert [row.number for row in whole] == list(range(1, 16))
    assert whole[0].values == {"item": {"name": "秘密"}}
    assert whole[0].release == RELEASE
    completion = whole[2]
    assert completion.kind == "task.completed"
    assert completion.values["answers"]["applicant"]["name"] == "演示申请人"
    assert completion.actor is not None
    assert completion.actor.post == "收件员"
    assert whole[-2].state_digest is not None
    refused = whole[-1]
    assert (refused.kind, refused.values, refused.input) == ("attempt.refused", None, True)
    # Under the key: who guesses what was given cannot try it against the digest.
    assert refused.detail == {"verb": "complete", "reason": "TaskNotOpen", "input": KEYS.digest("ab" * 32)}


def test_a_refusal_without_a_case_is_in_the_accounts_stream(store: Store) -> None:
    clerk = registered(store)
    store.record_refusal(clerk, None, "publish", "Forbidden", "cd" * 32)
    store.record_refusal(clerk, uuid4(), "complete", "NotFound", "cd" * 32)
    with store.reading() as reading:
        rows = reading.execute(sa.select(event.c.stream, event.c.number).order_by(event.c.number)).all()
    assert [tuple(row) for row in rows] == [(f"account:{clerk.account}", number) for number in (1, 2, 3)]
    assert verify.verify(store).faults == ()


def test_history_begun_before_it_told_of_rows_goes_on_and_verifies(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        before.setattr(history, "SCHEMA", 1)
        before.setattr(Reading, "tell", lambda *_: None)
        case = _history(store, 1)
    assert verify.verify(store).faults == ()
    with store.transaction() as tx:
        completed(tx, case.tasks[0].id, person())
    assert verify.verify(store).faults == ()
    with store.reading() as reading:
        schemas = set(reading.execute(sa.select(event.c.schema)).scalars())
    assert schemas == {1, 2}
    with _unguarded(store) as connection:
        connection.execute(process_instance.update().values(milestone="granted"))
        connection.commit()
    assert [fault.row for fault in verify.verify(store).faults] == [f"process_instance {case.id}"]
