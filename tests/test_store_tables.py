"""Tables and migrations agree; what is written is read again the same from both databases."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from engine import deadlines
from engine.deadlines import Deadline
from engine.errors import BusinessKeyTaken, NotFound
from engine.model import Event, Membership, Release
from engine.store import DeadlineRow, NewIncident, Store, WaitRow, new_id, queries
from engine.store.columns import Moment
from engine.store.tables import metadata
from engine.store.vault import Keys, seal, unseal
from tests.conftest import KEYS
from tests.store_kit import HALL, changes, person, registered, started


def test_tables_and_migrations_agree(store: Store) -> None:
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": _same_type})
        assert compare_metadata(context, metadata) == []
        text = sa.inspect(connection)
        for table in metadata.sorted_tables:
            wanted = {i.name: str(i.dialect_options[connection.dialect.name]["where"]) for i in table.indexes}
            kept = {
                i["name"]: i["dialect_options"]
                for i in text.get_indexes(table.name)
                if not i.get("duplicates_constraint")
            }
            assert wanted.keys() == kept.keys()
            partial = {name for name, where in wanted.items() if where != "None"}
            assert partial == {name for name, options in kept.items() if f"{connection.dialect.name}_where" in options}


def _same_type(context: object, column: object, table: object, inspected: object, wanted: object) -> bool | None:
    # SQLite keeps our moments as text; the comparison knows only the type they have elsewhere.
    return False if isinstance(wanted, Moment) and isinstance(inspected, sa.Text) else None


def test_migrating_twice_changes_nothing(store: Store) -> None:
    assert store.ready()
    store.migrate()
    assert store.ready()


def test_an_empty_database_is_not_ready(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path}/new.db", KEYS)
    assert not store.ready()
    store.migrate()
    assert store.ready()
    store.close()


def test_sqlite_is_opened_as_the_promises_need_it(sqlite: Store) -> None:
    wanted = {"journal_mode": "wal", "foreign_keys": 1, "recursive_triggers": 1, "synchronous": 2}
    with sqlite.engine.connect() as connection:
        for name, value in wanted.items():
            assert connection.exec_driver_sql(f"PRAGMA {name}").scalar() == value


def test_a_reading_cannot_write_and_sees_one_moment(store: Store) -> None:
    with store.transaction() as tx:
        case = started(tx)
    with store.reading() as reading:
        before = queries.case_page(reading, person(), case.id)
        with store.transaction() as tx:
            locked = tx.lock_case(case.id)
            tx.save(locked, changes([Event(kind="x", cause=0)], milestone="accepted"))
        assert queries.case_page(reading, person(), case.id) == before
    with store.reading() as reading:
        assert queries.case_page(reading, person(), case.id).milestone == "accepted"


def test_moments_are_utc_and_sort_on_both(store: Store) -> None:
    with store.engine.connect() as connection:
        shanghai = datetime(2026, 3, 1, 8, 0, 0, 5, tzinfo=timezone(timedelta(hours=8)))
        found = connection.execute(sa.select(sa.literal(shanghai, Moment()))).scalar_one()
        assert found == shanghai
        assert found.tzinfo is UTC
        with pytest.raises(sa.exc.StatementError):
            connection.execute(sa.select(sa.literal(shanghai.replace(tzinfo=None), Moment())))


def _deadline(kind: str) -> Deadline:
    now = datetime(2026, 11, 23, 1, tzinfo=UTC)
    return Deadline(
        kind=kind,
        name="法定时限",
        citation="许可法42",
        holder="agency",
        started_at=now,
        allowance=5,
        unit="working_days",
        due_at=now + timedelta(days=7),
        calendar_version="v",
        provisional=False,
        paused=((now, None, "45"),),
    )


def test_a_case_is_read_as_it_was_saved(store: Store) -> None:
    rows = [DeadlineRow(id=new_id(), deadline=_deadline(kind)) for kind in ("statutory", "promised")]
    waits = (
        WaitRow(number=3, kind="timer", element="p/t", due=datetime(2026, 12, 1, 0, 0, 0, 1, tzinfo=UTC)),
        WaitRow(number=2, kind="message", element="p/m", name="withdrawal", key="K"),
    )
    stuck = (NewIncident(token=4, element="p/x", code="script_failed"),)
    with store.transaction() as tx:
        case = started(tx, key="P-1")
        told = [Event(kind="deadline.started", cause=0)]
        facts = {"deadlines": tuple(rows), "waits": waits, "incidents": stuck, "summary": {"a": [1]}}
        tx.save(case, changes(told, state=b"s2", milestone="accepted", due_at=rows[0].deadline.due_at, **facts))
    with store.transaction() as tx:
        read = tx.lock_case(case.id)
        assert read == case
        assert read.deadlines == rows
        assert [wait.number for wait in read.waits] == [2, 3]
        assert read.tasks[0].due_at == rows[0].deadline.due_at
        met = DeadlineRow(id=rows[0].id, deadline=deadlines.drop(rows[0].deadline, tx.now()))
        tx.save(read, changes(told, deadlines=(met,), waits=waits[:1], incidents=(), due_at=None))
    with store.transaction() as tx:
        again = tx.lock_case(case.id)
        assert again == read
        assert (again.deadlines, again.waits, again.incidents) == ([met, rows[1]], [waits[0]], [])
        assert again.tasks[0].due_at is None
    with store.reading() as reading:
        page = queries.case_page(reading, person(), case.id)
        assert (page.deadlines, page.waits) == ((met, rows[1]), (waits[0],))
        [line] = queries.worklist(reading, person()).items
        assert line.deadline == rows[1].deadline
        assert queries.cases_behind_calendar(reading, "another") == (case.id,)


def test_publications_count_and_versions_grow_only_with_change(store: Store) -> None:
    with store.transaction() as tx:
        one, two = (tx.put_artefact("process", "p", content) for content in (b"<a/>", b"<b/>"))
        assert tx.put_artefact("process", "p", b"<a/>") == one
        first = tx.publish({"process": {"p": one}, "form": {}}, None)
    assert store.publication() == type(first)(
        number=1, entries={"process": {"p": one}, "form": {}}, published_at=first.published_at
    )
    with store.transaction() as tx:
        assert tx.publish({"process": {"p": one}, "form": {}}, None).changed == ()
    with store.transaction() as tx:
        second = tx.publish({"process": {"p": two, "q": one}}, None)
    assert (second.number, second.changed) == (2, ("process:p", "process:q"))
    latest = store.publication()
    assert latest is not None
    assert latest.number == 2
    with store.reading() as reading:
        found = [(v.name, v.version, v.digest) for v in queries.versions(reading)]
        assert found == [("p", 1, one), ("p", 2, two), ("q", 1, one)]
        assert len(queries.versions(reading, "process", "q")) == 1
    assert store.artefact(two) == b"<b/>"
    assert store.artefact(two) is store.artefact(two)
    with pytest.raises(NotFound):
        store.artefact("0" * 64)


def test_a_thread_in_a_transaction_asks_through_its_own_connection(postgresql_url: str) -> None:
    store = Store.open(postgresql_url, KEYS, pool_size=1)
    with store.transaction() as tx:
        digest = tx.put_artefact("process", "p", b"<a/>")
        tx.publish({"process": {"p": digest}}, None)
        seen = store.publication()
        assert seen is not None
        tx.abandon()
    assert store.publication() is None  # what was rolled back was not kept
    with store.transaction() as tx:
        case = started(tx)
        tx.publish({"process": {"p": tx.put_artefact("process", "p", b"<a/>")}}, None)
    with store.transaction() as one, store.transaction() as two:  # one connection and one to spare: none is left
        one.lock_case(case.id)
        assert two.now()
        latest = store.publication()
        assert latest is not None
        assert latest.number == 1
        assert store.artefact(digest) == b"<a/>"
    store.close()


def test_a_release_is_kept_once_and_read_again(store: Store) -> None:
    none: dict[str, str] = {}
    release = Release(
        digest="d" * 64,
        root="p",
        processes={"p": "1"},
        forms=none,
        decisions=none,
        papers=none,
        notices=none,
        registers=none,
    )
    with store.transaction() as tx:
        tx.put_release(release)
        tx.put_release(release)
    other = Store(store.engine, KEYS)
    assert other.release("d" * 64) == release
    with pytest.raises(NotFound):
        other.release("e" * 64)


def test_people_log_in_and_out(store: Store) -> None:
    clerk = registered(store)
    assert clerk.account is not None
    with store.transaction() as tx:
        tx.note_login(clerk.account, failures=2, locked_until=None)
        tx.open_session(clerk.account, b"t" * 32, "csrf", tx.now() + timedelta(hours=1))
    with store.transaction() as tx:
        account = tx.account_by_name("clerk")
        assert account is not None
        assert (account.failures, account.memberships) == (2, clerk.memberships)
        assert tx.account_by_name("nobody") is None
    with store.reading() as reading:
        found = reading.actor_of_session(b"t" * 32)
        assert found is not None
        assert (found.actor, found.csrf) == (clerk, "csrf")
        assert reading.actor_of_session(b"x" * 32) is None
        assert [a.name for a in queries.accounts(reading)] == ["clerk"]
    with store.transaction() as tx:
        tx.set_memberships(clerk.account, [])
    with store.reading() as reading:
        found = reading.actor_of_session(b"t" * 32)
        assert found is not None
        assert found.actor.memberships == ()
    with pytest.raises(BusinessKeyTaken):
        registered(store)
    with store.transaction() as tx:
        tx.advance_clock(timedelta(hours=2))
    with store.reading() as reading:
        assert reading.actor_of_session(b"t" * 32) is None


def test_a_closed_account_or_session_opens_nothing(store: Store) -> None:
    clerk = registered(store)
    assert clerk.account is not None
    for close in ("session", "account", "password"):
        with store.transaction() as tx:
            tx.set_active(clerk.account, True)
            tx.open_session(clerk.account, close.encode(), "csrf", tx.now() + timedelta(hours=1))
        with store.transaction() as tx:
            if close == "session":
                tx.close_session(b"session")
            elif close == "account":
                tx.set_active(clerk.account, False)
            else:
                tx.set_password(clerk.account, "-")
        with store.reading() as reading:
            assert reading.actor_of_session(close.encode()) is None


def test_what_is_sealed_opens_only_in_its_place() -> None:
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415

    for content in (b"", b"short", b"long " * 500):
        sealed = seal(b"k" * 32, "state:1", content)
        assert unseal(b"k" * 32, "state:1", sealed) == content
        for key, purpose in ((b"k" * 32, "state:2"), (b"x" * 32, "state:1")):
            with pytest.raises(InvalidTag):
                unseal(key, purpose, sealed)
    assert len(seal(b"k" * 32, "x", b"long " * 500)) < 200
    with pytest.raises(ValueError, match="32 bytes"):
        Keys(chain=b"", sealing=b"s" * 32, chain_id="x")
    assert "s" * 8 not in repr(KEYS)


def test_access_is_recorded_by_day(store: Store) -> None:
    clerk = registered(store)
    for _ in range(2):
        store.record_access(clerk, uuid4(), "case")
    with store.reading() as reading:
        rows = reading.execute(sa.text("SELECT stream, events FROM stream_head WHERE stream LIKE 'access:%'")).all()
    [(stream, number)] = rows
    assert number == 2
    assert abs(date.fromisoformat(stream.split(":")[1]) - datetime.now(UTC).date()) <= timedelta(days=1)
    assert clerk.memberships == (Membership(role="intake_clerk", scope=HALL, unit=HALL, post="intake_clerk"),)
