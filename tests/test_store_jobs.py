"""The worker's claims: nobody does what another is doing, and what a dead worker left is taken up again."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from engine.errors import StaleRevision
from engine.model import Event
from engine.store import NewJob, Outgoing, Store, new_id, queries, verify
from engine.store.jobs import MAX_ATTEMPTS
from engine.store.tables import job as job_table
from engine.store.tables import outbox as outbox_table
from tests.store_kit import changes, person, started

LEASE = timedelta(minutes=1)


def _queued(store: Store, number: int = 1) -> UUID:
    with store.transaction() as tx:
        case = started(tx)
        jobs = tuple(NewJob(id=new_id(), kind="render", payload={"n": n}) for n in range(number))
        notes = tuple(Outgoing(id=new_id(), kind="sms", name="accepted", payload={"to": "199"}) for _ in range(number))
        tx.save(case, changes([Event(kind="notice.queued", input=True)], jobs=jobs, outgoing=notes))
    return case.id


def _expire_leases(store: Store) -> None:
    with store.engine.begin() as connection:
        for table in ("job", "outbox"):
            connection.exec_driver_sql(f"UPDATE {table} SET locked_until = '2000-01-01T00:00:00.000000+00:00'")


def test_two_workers_at_once_share_the_jobs(postgresql: Store) -> None:
    _queued(postgresql, 4)
    with postgresql.transaction() as one, postgresql.transaction() as two:
        first = one.claim_jobs(["render"], 2, LEASE)
        second = two.claim_jobs(["render"], 10, LEASE)
    assert sorted(job.payload["n"] for job in (*first, *second)) == [0, 1, 2, 3]
    assert (len(first), len(second)) == (2, 2)


def test_a_claimed_job_is_nobody_elses_until_its_lease_ends(store: Store) -> None:
    _queued(store)
    with store.transaction() as tx:
        [dead] = tx.claim_jobs(["render"], 10, LEASE)
        assert dead.attempt == 1
        assert tx.claim_jobs(["other"], 10, LEASE) == []
    with store.transaction() as tx:
        tx.advance_clock(timedelta(days=1))  # the simulation's clock ends no lease
    with store.transaction() as tx:
        assert tx.claim_jobs(["render"], 10, LEASE) == []
    _expire_leases(store)
    with store.transaction() as tx:
        [again] = tx.claim_jobs(["render"], 10, LEASE)
    assert (again.id, again.attempt) == (dead.id, 2)
    for verb in ("finish_job", "fail_job"):
        with pytest.raises(StaleRevision), store.transaction() as tx:
            getattr(tx, verb)(*([dead] if verb == "finish_job" else [dead, "x"]))
    with store.transaction() as tx:
        tx.finish_job(again)
    with pytest.raises(StaleRevision), store.transaction() as tx:
        tx.finish_job(again)


def test_a_sent_message_keeps_no_payload_and_one_id(store: Store) -> None:
    _queued(store)
    with store.transaction() as tx:
        [note] = tx.claim_outbox(["sms"], 10, LEASE)
        assert note.payload == {"to": "199"}
        tx.failed(note, "gateway_away")
    with store.transaction() as tx:
        assert tx.claim_outbox(["sms"], 10, LEASE) == []
        tx.advance_clock(timedelta(seconds=31))
    with store.transaction() as tx:
        [again] = tx.claim_outbox(["sms"], 10, LEASE)
        assert again.id == note.id
        tx.sent(again)
    with store.reading() as reading:
        row = reading.execute(sa.select(outbox_table)).one()
        tally = reading.tally()
    assert (row.status, row.sealed, row.code) == ("done", b"", "gateway_away")
    assert (tally["notice.queued"], tally["outbox"], tally["outbox_sent"]) == (1, 1, 1)
    assert tally["outbox_ids"] == (note.id,)


def test_a_job_that_fails_for_good_is_an_incident_somebody_can_retry(store: Store) -> None:
    case_id = _queued(store)
    admin = person(role="system_admin", scope="liwan")
    for attempt in range(1, MAX_ATTEMPTS + 1):
        with store.reading() as reading:
            assert queries.incidents(reading, admin) == ()
        with store.transaction() as tx:
            [mine] = tx.claim_jobs(["render"], 10, LEASE)
            assert mine.attempt == attempt
            tx.fail_job(mine, "template_failed")
        with store.transaction() as tx:
            tx.advance_clock(timedelta(hours=3))
            tx.append("clock:", [Event(kind="clock.advanced", input=True, detail={"seconds": 3 * 3600})])
    with store.reading() as reading:
        [stuck] = queries.incidents(reading, admin)
    assert (stuck.case_id, stuck.code) == (case_id, "template_failed")
    with store.transaction() as tx:
        assert tx.claim_jobs(["render"], 10, LEASE) == []
        case, incident = tx.lock_incident(stuck.id)
        tx.retry_job(incident)
        tx.save(case, changes([Event(kind="incident.retried", input=True)]))
        assert case.incidents == []
    with store.transaction() as tx:
        [again] = tx.claim_jobs(["render"], 10, LEASE)
        tx.finish_job(again)
    with store.reading() as reading:
        assert queries.incidents(reading, admin) == ()
        assert reading.execute(sa.select(job_table.c.status)).scalar_one() == "done"
        kinds = [row.kind for row in queries.history(reading, person(), case_id).items]
    assert kinds[-2:] == ["job.failed", "incident.retried"]
    assert verify.verify(store).faults == ()


def test_due_cases_are_claimed_by_locking_them(postgresql: Store) -> None:
    ids = []
    for hours in (3, 1, 2, 30):
        with postgresql.transaction() as tx:
            case = started(tx)
            tx.save(case, changes([Event(kind="x", cause=0)], wake_at=tx.now() + timedelta(hours=hours)))
            ids.append(case.id)
    with postgresql.transaction() as tx:
        assert tx.due_cases(10) == []
        tx.advance_clock(timedelta(hours=4))
    with postgresql.transaction() as one, postgresql.transaction() as two:
        assert one.due_cases(1) == [ids[1]]
        assert two.due_cases(10) == [ids[2], ids[0]]
        one.lock_case(ids[1])
    with postgresql.transaction() as tx:
        tx.postpone(ids[1], tx.now() + timedelta(minutes=5))
    with postgresql.transaction() as tx:
        assert tx.due_cases(10) == [ids[2], ids[0]]


def test_a_suspended_or_sleeping_case_is_not_due(store: Store) -> None:
    with store.transaction() as tx:
        case = started(tx)
        tx.save(case, changes([Event(kind="x", cause=0)], wake_at=tx.now()))
        sleeping = started(tx)
        assert tx.due_cases(10) == [case.id]
        tx.save(case, changes([Event(kind="x", cause=0)], wake_at=None))
        assert tx.due_cases(10) == []
        assert sleeping.wake_at is None
    assert uuid4() not in (case.id, sleeping.id)
