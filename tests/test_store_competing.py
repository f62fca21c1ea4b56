"""Two at once, steered step by step: the first holds its transaction open until the rival is seen to wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa

from engine.errors import BusinessKeyTaken, DatabaseBusy, KeyReused, NothingWaits, StaleRevision
from engine.model import Event, Once, TaskStatus
from engine.store import Message, NewPaper, Series, Store, Transaction, WaitRow, new_id, verify
from tests.conftest import KEYS
from tests.store_kit import changes, completed, person, registered, started

WAITING = sa.text(
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
)
ONCE = Once(key="k", route="complete", digest="d")


def until_a_rival_waits(store: Store, patience: float = 4.0) -> None:
    end = time.monotonic() + patience
    while time.monotonic() < end:
        with store.engine.connect() as connection:
            if connection.scalar(WAITING):
                return
    pytest.fail("the rival never had to wait: the lock is gone")


@contextmanager
def rival(act: Callable[[], object]) -> Iterator[tuple[Callable[[], None], list[object]]]:
    """Gives (start, results); waits for the thread at the end. An exception is a result too."""
    results: list[object] = []

    def run() -> None:
        try:
            results.append(act())
        except Exception as error:
            results.append(error)

    thread = threading.Thread(target=run)
    try:
        yield thread.start, results
    finally:
        if thread.ident:
            thread.join()


def test_the_second_to_complete_sees_what_the_first_did(postgresql: Store) -> None:
    with postgresql.transaction() as tx:
        task = started(tx).tasks[0]

    def second() -> object:
        with postgresql.transaction() as tx:
            case, seen = tx.lock_task(task.id)
            return seen.status, case.events, [t.token for t in case.tasks]

    with rival(second) as (start, results), postgresql.transaction() as tx:
        case, _ = tx.lock_task(task.id)
        start()
        until_a_rival_waits(postgresql)
        case = completed(tx, task.id)
    assert results == [(TaskStatus.COMPLETED, case.events, [2])]


def test_a_write_without_the_newest_revision_is_refused(store: Store) -> None:
    with store.transaction() as tx:
        task = started(tx).tasks[0]
    with store.transaction() as tx:
        old, _ = tx.lock_task(task.id)
    with store.transaction() as tx:
        completed(tx, task.id)
    with store.transaction() as tx:
        newest = tx.lock_case(old.id)
        # Even where history itself would fit, the revision does not.
        old.events, old.head = newest.events, newest.head
        tx.save(old, changes([Event(kind="late", input=True)]))
        with pytest.raises(StaleRevision):
            tx.flush()
        tx.abandon()
    with store.transaction() as tx:
        assert tx.lock_case(old.id).revision == newest.revision


def test_a_rival_with_the_same_key_waits_and_gets_the_same_answer(postgresql: Store) -> None:
    actor = person()

    def second() -> object:
        with postgresql.transaction() as tx:
            return tx.recall(actor, ONCE)

    with rival(second) as (start, results), postgresql.transaction() as tx:
        assert tx.recall(actor, ONCE) is None
        start()
        until_a_rival_waits(postgresql)
        tx.remember(actor, ONCE, {"case": "张三"})
    assert results == [{"case": "张三"}]


def test_a_rival_with_the_same_key_goes_on_when_the_first_rolled_back(postgresql: Store) -> None:
    actor = person()

    def second() -> object:
        with postgresql.transaction() as tx:
            return tx.recall(actor, ONCE)

    with rival(second) as (start, results), postgresql.transaction() as tx:
        assert tx.recall(actor, ONCE) is None
        start()
        until_a_rival_waits(postgresql)
        tx.abandon()
    assert results == [None]


def test_a_key_remembered_under_a_lock_serves_one_case_only(store: Store) -> None:
    actor = person()
    with store.transaction() as tx:
        one, two = started(tx), started(tx)
    with store.transaction() as tx:
        tx.lock_case(one.id)
        assert tx.recall(actor, ONCE) is None
        tx.remember(actor, ONCE, {"n": 1})
    with store.transaction() as tx:
        tx.lock_case(one.id)
        assert tx.recall(actor, ONCE) == {"n": 1}
    other = Once(key="k", route="complete", digest="other")
    with store.transaction() as tx:
        tx.lock_case(two.id)
        with pytest.raises(KeyReused):
            tx.recall(actor, other)


def test_a_key_used_at_once_for_two_cases_serves_the_first(postgresql: Store) -> None:
    actor = person()
    with postgresql.transaction() as tx:
        one, two = started(tx), started(tx)

    def second() -> object:
        with postgresql.transaction() as tx:
            tx.lock_case(two.id)
            assert tx.recall(actor, ONCE) is None
            tx.remember(actor, ONCE, {"n": 2})
            return "both"

    with rival(second) as (start, results), postgresql.transaction() as tx:
        tx.lock_case(one.id)
        assert tx.recall(actor, ONCE) is None
        tx.remember(actor, ONCE, {"n": 1})
        tx.flush()
        start()
        until_a_rival_waits(postgresql)
    assert [type(result) for result in results] == [KeyReused]


def test_one_key_has_one_answer_per_actor_route_and_body(store: Store) -> None:
    actor, other = person(), person()
    with store.transaction() as tx:
        assert tx.recall(actor, ONCE) is None
        tx.remember(actor, ONCE, {"n": 1})
    with store.transaction() as tx:
        assert tx.recall(actor, ONCE) == {"n": 1}
        assert tx.recall(other, ONCE) is None
        assert tx.recall(actor, Once(key="k", route="claim", digest="d")) is None
    with pytest.raises(KeyReused), store.transaction() as tx:
        tx.recall(actor, Once(key="k", route="complete", digest="other"))
    with store.transaction() as tx:
        tx.advance_clock(timedelta(days=8))
    with store.transaction() as tx:
        assert tx.recall(actor, Once(key="k", route="complete", digest="other")) is None


def test_two_starts_with_one_business_key_make_one_case(postgresql: Store) -> None:
    def second() -> object:
        with postgresql.transaction() as tx:
            return started(tx, key="P-1").id

    with rival(second) as (start, results), postgresql.transaction() as tx:
        started(tx, key="P-1")
        start()
        until_a_rival_waits(postgresql)
    assert [type(result) for result in results] == [BusinessKeyTaken]


def test_a_business_key_is_taken_once(store: Store) -> None:
    with store.transaction() as tx:
        started(tx, key="P-1")
    with pytest.raises(BusinessKeyTaken), store.transaction() as tx:
        started(tx, key="P-1")


SERIES = Series(kind="receipt", unit="liwan/hall", year=2026, pattern="荔厅收〔{year}〕第{number}号")


def test_numbers_have_no_gaps_though_one_is_rolled_back(postgresql: Store) -> None:
    def second() -> object:
        with postgresql.transaction() as tx:
            return tx.next_number(SERIES)

    with postgresql.transaction() as tx:
        assert tx.next_number(SERIES) == "荔厅收〔2026〕第0001号"
    with rival(second) as (start, results), postgresql.transaction() as tx:
        assert tx.next_number(SERIES) == "荔厅收〔2026〕第0002号"
        start()
        until_a_rival_waits(postgresql)
        tx.abandon()
    assert results == ["荔厅收〔2026〕第0002号"]


def test_series_are_counted_apart_and_papers_carry_their_numbers(store: Store) -> None:
    def paper(year: int) -> NewPaper:
        series = Series(kind="receipt", unit="u", year=year, pattern="{year}-{number}")
        facts = {"kind": "receipt", "title": "收件凭证", "template_digest": "t" * 64, "values": {"n": 1}}
        return NewPaper(id=new_id(), series=series, element="p/x", token=1, cause=0, **facts)

    papers = (paper(2027), paper(2026), paper(2026))
    with store.transaction() as tx:
        case = started(tx)
        tx.save(case, changes([Event(kind="milestone.reached", input=True)], state=b"s1", papers=papers))
        assert [tx.document(each.id).number for each in papers] == ["2027-0001", "2026-0001", "2026-0002"]
        assert len(tx.claim_jobs(["render"], 10, timedelta(minutes=1))) == 3
    with store.reading() as reading:
        tally = reading.tally()
        assert reading.unfinished() == 3
    assert (tally["document.issued"], tally["documents"], tally["numbers_distinct"]) == (3, 3, 3)
    assert tally["numbers_missing"] == 0
    assert verify.verify(store).faults == ()


def _waiting_for_message(store: Store, key: str = "K") -> UUID:
    with store.transaction() as tx:
        case = started(tx)
        waits = (WaitRow(number=7, kind="message", element="p/m", name="paid", key=key),)
        tx.save(case, changes([Event(kind="x", cause=0)], waits=waits))
    return case.id


def test_a_message_reaches_the_case_that_has_waited_longest(store: Store) -> None:
    first, second = _waiting_for_message(store), _waiting_for_message(store)
    _waiting_for_message(store, key="other")
    for expected in (first, second):
        with store.transaction() as tx:
            case, wait = tx.lock_subscription("paid", "K")
            assert (case.id, wait.number) == (expected, 7)
            tx.save(case, changes([Event(kind="message.delivered", input=True)], waits=()))
    with pytest.raises(NothingWaits), store.transaction() as tx:
        tx.lock_subscription("paid", "K")
    with store.transaction() as tx:
        assert tx.take_message(_letter(tx, "bank"))
        assert not tx.take_message(_letter(tx, "bank"))
        assert tx.take_message(_letter(tx, "other bank"))


def _letter(tx: Transaction, sender: str) -> Message:
    at = tx.now()
    return Message(number=new_id(), sender=sender, id="m1", name="paid", key="K", status="delivered", taken_at=at)


def test_a_message_delivered_twice_at_once_is_taken_once(postgresql: Store) -> None:
    _waiting_for_message(postgresql)

    def second() -> object:
        with postgresql.transaction() as tx:
            return tx.lock_subscription("paid", "K")

    with rival(second) as (start, results), postgresql.transaction() as tx:
        case, _ = tx.lock_subscription("paid", "K")
        start()
        until_a_rival_waits(postgresql)
        tx.save(case, changes([Event(kind="message.delivered", input=True)], waits=()))
    assert [type(result) for result in results] == [NothingWaits]


def test_a_refusal_waits_for_the_case_and_continues_its_stream(postgresql: Store) -> None:
    clerk = registered(postgresql)
    with postgresql.transaction() as tx:
        task = started(tx).tasks[0]

    def second() -> None:
        postgresql.record_refusal(clerk, task.case_id, "complete", "TaskNotOpen", "00")

    with rival(second) as (start, results), postgresql.transaction() as tx:
        tx.lock_task(task.id)
        start()
        until_a_rival_waits(postgresql)
        completed(tx, task.id)
    assert results == [None]
    assert verify.verify(postgresql).faults == ()


def test_reading_a_case_is_recorded_without_locking_it(postgresql: Store) -> None:
    clerk = registered(postgresql)
    with postgresql.transaction() as tx:
        case = started(tx)
    with postgresql.transaction() as tx:
        tx.lock_case(case.id)
        postgresql.record_access(clerk, case.id, "case")  # would wait for ever if it locked
    assert verify.verify(postgresql).faults == ()


def test_eight_at_once_keep_every_chain_whole(store: Store) -> None:
    clerk = registered(store)
    with store.transaction() as tx:
        cases = [started(tx) for _ in range(4)]
    failures: list[Exception] = []

    def work(number: int) -> None:
        try:
            for turn in range(6):
                case_id = cases[(number + turn) % 4].id
                with store.transaction() as tx:
                    case = tx.lock_case(case_id)
                    completed(tx, case.tasks[0].id, clerk)
                store.record_access(clerk, case_id, "case")
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert verify.verify(store).faults == ()
    with store.transaction() as tx:
        assert sum(tx.lock_case(case.id).events for case in cases) == 4 * 2 + 8 * 6 * 4


def test_a_lock_not_given_in_time_is_busy_and_nothing_is_written(
    database: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    if database.startswith("sqlite"):
        monkeypatch.setattr("engine.store.database.BUSY_SECONDS", 0.1)
    else:
        monkeypatch.setattr("engine.store.database._POSTGRESQL_OPTIONS", "-c lock_timeout=100")
    store = Store.open(database, KEYS)
    try:
        with store.transaction() as tx:
            task = started(tx).tasks[0]
        with store.transaction() as tx:
            tx.lock_task(task.id)
            with pytest.raises(DatabaseBusy), store.transaction() as other:
                completed(other, task.id)
        with store.transaction() as tx:
            assert tx.lock_task(task.id)[0].revision == 1
    finally:
        store.close()
