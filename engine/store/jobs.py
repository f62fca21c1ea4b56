"""What the worker does: due cases, jobs and outgoing messages, claimed so that two workers never do the same."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa

from engine.errors import Finding, InputRejected, StaleRevision
from engine.model import Event
from engine.store import tables as t
from engine.store.columns import database_now, new_id
from engine.store.records import Changes, Incident, Job
from engine.store.streams import Streams
from engine.store.vault import unseal_json, unwrap

MAX_ATTEMPTS = 5
FIRST_DELAY = timedelta(seconds=30)
_bind = sa.bindparam
_due_cases = (
    sa.select(t.process_instance.c.id)
    .where(t.process_instance.c.wake_at <= _bind("now"), t.process_instance.c.status != "ended")
    .order_by(t.process_instance.c.wake_at)
    .limit(_bind("most"))
    .with_for_update(skip_locked=True)
)
_postpone = t.process_instance.update().where(t.process_instance.c.id == _bind("case")).values(wake_at=_bind("until"))
_real_clock = sa.select(database_now())
_move_clock = t.clock.update().values(
    offset_microseconds=t.clock.c.offset_microseconds + _bind("microseconds"), floor=_bind("moment")
)


class Jobs(Streams):
    """The worker's half of a transaction."""

    # -- timers: the case's own row says when it is due, so that claiming it is locking it
    def due_cases(self, limit: int) -> list[UUID]:
        """Cases with a timer or breach due by now, most overdue first; locked for us, those of others skipped."""
        return list(self.execute(_due_cases, {"now": self.now(), "most": limit}).scalars())

    def postpone(self, case_id: UUID, until: datetime) -> None:
        """Look at a due case again later, because firing it failed."""
        self.execute(_postpone, {"case": case_id, "until": until})

    def advance_clock(self, delta: timedelta) -> datetime:
        """Move the clock all servers share forward; gives the new moment.

        Raises:
            InputRejected: backwards.
        """
        if delta < timedelta(0):
            wrong = Finding(where="seconds", rule="minimum", zh="时钟不能倒拨", en="The clock never runs backwards")
            raise InputRejected([wrong])
        self.execute(sa.select(t.clock.c.id).with_for_update())
        self._moment = None
        moment = self.now() + delta
        microseconds = delta // timedelta(microseconds=1)
        self.execute(_move_clock, {"microseconds": microseconds, "moment": moment})
        self._moment = moment
        return moment

    # -- jobs and messages
    def claim_jobs(self, kinds: Sequence[str], limit: int, lease: timedelta) -> list[Job]:
        """Take up to ``limit`` due jobs; they are ours until the lease ends, then anybody's again."""
        return self._claim(t.job, kinds, limit, lease)

    def claim_outbox(self, kinds: Sequence[str], limit: int, lease: timedelta) -> list[Job]:
        """Take up to ``limit`` due messages; a message keeps its id over all attempts."""
        return self._claim(t.outbox, kinds, limit, lease)

    def finish_job(self, job: Job) -> None:
        """Mark a job done; its payload is wiped.

        Raises:
            StaleRevision: the lease ended and another worker took it up.
        """
        self._finish(t.job, job)

    def sent(self, job: Job) -> None:
        """Mark a message sent; its payload is wiped. Raises StaleRevision as ``finish_job``."""
        self._finish(t.outbox, job)

    def fail_job(self, job: Job, code: str) -> None:
        """Try again later (30 s, 2, 8, 32 min); at the fifth failure an incident and an event ``job.failed``.

        Raises:
            StaleRevision: the lease ended and another worker took it up.
        """
        self._fail(t.job, job, code)

    def failed(self, job: Job, code: str, *, final: bool = False) -> None:
        """A message could not be sent: as ``fail_job``; ``final``: it is an incident at once."""
        self._fail(t.outbox, job, code, final=final)

    def retry_job(self, incident: Incident) -> None:
        """Close a job's incident and let the job run again now. The case must be locked."""
        now = self.now()
        for queue in (t.job, t.outbox):
            again = queue.update().where(queue.c.id == incident.job, queue.c.status == "failed")
            self.execute(again.values(status="waiting", run_at=now, locked_until=None))
        self.execute(t.incident.update().where(t.incident.c.id == incident.id).values(closed_at=now))
        self._tell_incidents([incident], now)
        if self.locked is not None:
            self.locked.incidents = [each for each in self.locked.incidents if each.id != incident.id]

    def _claim(self, queue: sa.Table, kinds: Sequence[str], limit: int, lease: timedelta) -> list[Job]:
        # Leases run by the real clock: a simulation that jumps a week ahead ends none.
        real = self.execute(_real_clock).scalar_one()
        free = queue.c.locked_until.is_(None) | (queue.c.locked_until <= real)
        chosen = (
            sa.select(queue.c.id)
            .where(sa.literal_column(f"{queue.name}.status") == sa.literal_column("'waiting'"))
            .where(queue.c.kind.in_(kinds), queue.c.run_at <= self.now(), free)
            .order_by(queue.c.run_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        mine = list(self.execute(chosen).scalars())
        if not mine:
            return []
        values = {"locked_until": real + lease, "attempts": queue.c.attempts + 1}
        self.execute(queue.update().where(queue.c.id.in_(mine)).values(values))
        found = (
            sa.select(queue, t.data_key.c.wrapped)
            .join(t.data_key, t.data_key.c.id == queue.c.case_id)
            .where(queue.c.id.in_(mine))
            .order_by(queue.c.run_at, queue.c.id)
        )
        return [self._job(queue, row) for row in self.execute(found)]

    def _job(self, queue: sa.Table, row: Any) -> Job:
        payload = unseal_json(unwrap(self.keys, row.case_id, row.wrapped), f"{queue.name}:{row.id}", row.sealed)
        return Job(
            id=row.id,
            kind=row.kind,
            name=row.name,
            case_id=row.case_id,
            payload=payload,
            attempt=row.attempts,
            run_at=row.run_at,
        )

    def _finish(self, queue: sa.Table, job: Job) -> None:
        self._mark(queue, job, status="done", done_at=self.now(), locked_until=None, sealed=b"")

    def _fail(self, queue: sa.Table, job: Job, code: str, *, final: bool = False) -> None:
        if job.attempt % MAX_ATTEMPTS and not final:
            delay = FIRST_DELAY * 4 ** (job.attempt % MAX_ATTEMPTS - 1)
            self._mark(queue, job, run_at=self.now() + delay, locked_until=None, code=code)
            return
        # The case before the job: the order in which everybody locks.
        case = self.lock_case(job.case_id) if job.case_id else None
        self._mark(queue, job, status="failed", locked_until=None, code=code)
        if case is None:
            return
        incident = Incident(
            id=new_id(), case_id=case.id, token=None, element=None, code=code, opened_at=self.now(), job=job.id
        )
        self._open_incidents([incident])
        case.incidents.append(incident)
        event = Event(kind="job.failed", input=True, detail={"code": code, "job": str(job.id), "kind": job.kind})
        self.save(case, Changes(command=uuid4(), events=(event,)))

    def _mark(self, queue: sa.Table, job: Job, **values: Any) -> None:
        mine = (queue.c.id == job.id) & (queue.c.attempts == job.attempt) & (queue.c.status == "waiting")
        if self.execute(queue.update().where(mine).values(values)).rowcount != 1:
            raise StaleRevision()
