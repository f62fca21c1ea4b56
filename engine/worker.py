"""What is due: timers and breached deadlines, papers to render, messages to send. Any number may run side by side."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import timedelta
from threading import Event as Flag
from time import monotonic
from typing import Any
from uuid import UUID, uuid4

from engine import documents
from engine.commands.cases import fire
from engine.commands.keeping import expire_messages
from engine.commands.office import Office
from engine.commands.publishing import follow_calendar
from engine.commands.sending import Undelivered, deliver_sent, hand_over_kept
from engine.commands.stuck import FIRING_FAILED
from engine.connectors import CheckpointPlace, SmsGateway, Undeliverable
from engine.errors import DatabaseBusy, Invalid, StaleRevision
from engine.model import Event
from engine.store import Changes, Job, NewIncident, checkpoints
from engine.store.messages import DELIVER
from engine.store.points import reached

LEASE = timedelta(seconds=60)
LATER = timedelta(minutes=5)
BATCH = 20
IDLE_SECONDS = 0.5
LONGEST_VERB = 120.0
SWEEP_SECONDS = 60.0
PURGED = 500
COPY_SECONDS = 10.0
UNFORESEEN = "unforeseen"

log = logging.getLogger(__name__)


class Worker:
    """One worker. Timers are claimed by locking the case; jobs by a lease that ends should this worker be killed."""

    def __init__(
        self,
        office: Office,
        sms: SmsGateway,
        outside: CheckpointPlace | None = None,
        checkpoint_every: timedelta = timedelta(hours=1),
    ) -> None:
        self._office = office
        self._sms = sms
        self._outside = outside
        self._checkpoint_every = checkpoint_every
        self._copy_at = 0.0
        self._checkpoint_at = monotonic() + checkpoint_every.total_seconds()
        self._followed: str | None = None
        self._again_at: float | None = None
        self._sweep_at = 0.0

    def run(self, stop: Flag) -> None:
        """Work until ``stop`` is set; a database that is away is waited for."""
        while not stop.is_set():
            try:
                busy = self.once()
            except DatabaseBusy:
                log.warning("database busy or away")
                busy = 0
            except Exception as error:
                log.error("worker round failed error=%s", type(error).__name__)
                busy = 0
            if not busy:
                stop.wait(IDLE_SECONDS)

    def once(self) -> int:
        """One round over everything due; gives how much there was to do."""
        self._sweep()
        return (
            self._calendar()
            + self._timers()
            + self._renderings()
            + self._notices()
            + self._messages()
            + self._checkpoints()
        )

    def _calendar(self) -> int:
        """Follow a new calendar where its publisher did not: killed on the way, or a verb was under way beside it.

        So once when a calendar is first seen here, and once more when every verb begun before has ended.
        """
        publication = self._office.store.publication()
        if publication is None or "calendar" not in publication.entries.get("register", {}):
            return 0
        digest = publication.entries["register"]["calendar"]
        if digest != self._followed:
            self._followed, self._again_at = digest, monotonic() + LONGEST_VERB
        elif self._again_at is not None and monotonic() >= self._again_at:
            self._again_at = None
        else:
            return 0
        if failed := follow_calendar(self._office):
            log.error("deadlines not recomputed cases=%d", failed)
        return 0

    def _timers(self) -> int:
        done = 0
        while done < BATCH and self._timer():
            done += 1
        return done

    def _timer(self) -> bool:
        """Fire one due case. What goes wrong there is an incident of that case, and tried again later."""
        failed: UUID | None = None
        with self._office.store.transaction() as tx:
            due = tx.due_cases(1)
            if not due:
                return False
            failed = due[0]
            try:
                fire(self._office, tx, tx.lock_case(due[0]))
                return True
            except DatabaseBusy:
                raise
            except Exception as error:
                log.error("firing failed case=%s error=%s", due[0], type(error).__name__)
                tx.abandon()
        self._postpone(failed)
        return True

    def _postpone(self, case_id: UUID) -> None:
        with self._office.store.transaction() as tx:
            case, later = tx.lock_case(case_id), tx.now() + LATER
            if any(incident.code == FIRING_FAILED for incident in case.incidents):
                tx.postpone(case_id, later)
                return
            kept = (NewIncident(token=i.token, element=i.element, code=i.code) for i in case.incidents if i.job is None)
            stuck = NewIncident(token=None, element=None, code=FIRING_FAILED)
            event = Event(kind="firing.failed", input=True, detail={"code": FIRING_FAILED})
            tx.save(case, Changes(command=uuid4(), events=(event,), incidents=(*kept, stuck), wake_at=later))

    def _renderings(self) -> int:
        with self._office.store.transaction() as tx:
            jobs = tx.claim_jobs(("render",), BATCH, LEASE)
        for job in jobs:
            self._render(job)
        return len(jobs)

    def _render(self, job: Job) -> None:
        """Render a paper; its page and the job's end are written together."""
        try:
            with self._office.store.transaction() as tx:
                paper = tx.document(UUID(job.payload["document"]))
                template = self._office.store.artefact(paper.template_digest)
                page = documents.render(template, {**paper.values, **_issued(paper.number, paper.issued_at)})
                # The case before the job: the order in which everybody locks.
                case = tx.lock_case(paper.case_id)
                told = {"document": str(paper.id), "digest": tx.put_rendered(paper.id, page)}
                event = Event(kind="document.rendered", input=True, detail=told)
                tx.save(case, Changes(command=uuid4(), events=(event,)))
                tx.finish_job(job)
            return
        except DatabaseBusy:
            raise
        except StaleRevision:  # the lease went to another worker: nothing of this stays
            log.info("lease lost")
            return
        except Invalid:
            code = "template_failed"
        except Exception as error:
            log.error("rendering failed job=%s error=%s", job.id, type(error).__name__)
            code = UNFORESEEN
        with self._office.store.transaction() as tx:
            _finish(lambda: tx.fail_job(job, code))

    def _notices(self) -> int:
        with self._office.store.transaction() as tx:
            jobs = tx.claim_outbox(("sms",), BATCH, LEASE)
        for job in jobs:
            self._send(job)
        return len(jobs)

    def _send(self, job: Job) -> None:
        """Send, then mark: killed in between, the same id is sent again and the gateway carries it once."""
        code = ""
        try:
            text = documents.render(self._office.store.artefact(job.payload["template"]), job.payload["values"])
            self._sms.send(job.id, job.payload["to"], text.strip())
        except Undeliverable as error:
            code = error.code
        except DatabaseBusy:
            raise
        except Invalid:
            code = "template_failed"
        except Exception as error:
            log.error("sending failed message=%s error=%s", job.id, type(error).__name__)
            code = UNFORESEEN
        reached("after_send")
        with self._office.store.transaction() as tx:
            _finish(lambda: tx.failed(job, code) if code else tx.sent(job))

    def _messages(self) -> int:
        """What cases have thrown for others, and what was kept for a case that waits now."""
        with self._office.store.transaction() as tx:
            thrown = tx.claim_outbox(("message", "signal"), BATCH, LEASE)
            kept = tx.claim_jobs((DELIVER,), BATCH, LEASE)
        for job in thrown:
            self._carry(job)
        for job in kept:
            self._hand_over(job)
        return len(thrown) + len(kept) + expire_messages(self._office)

    def _carry(self, job: Job) -> None:
        """Deliver, then mark: killed in between, it is delivered again under its one id, and counts once."""
        code, final = "", False
        try:
            deliver_sent(self._office, job)
        except Undelivered as error:
            code, final = error.code, error.final
        except DatabaseBusy:
            raise
        except Exception as error:
            log.error("delivery failed message=%s error=%s", job.id, type(error).__name__)
            code = UNFORESEEN
        reached("after_deliver")
        with self._office.store.transaction() as tx:
            _finish(lambda: tx.failed(job, code, final=final) if code else tx.sent(job))

    def _hand_over(self, job: Job) -> None:
        """Give what was kept to who waits; done before or by somebody else, there is nothing left to give."""
        code = ""
        try:
            hand_over_kept(self._office, job.payload["name"], job.payload["key"])
        except DatabaseBusy:
            raise
        except Exception as error:
            log.error("handing over failed job=%s error=%s", job.id, type(error).__name__)
            code = UNFORESEEN
        reached("after_deliver")
        with self._office.store.transaction() as tx:
            _finish(lambda: tx.fail_job(job, code) if code else tx.finish_job(job))

    def _sweep(self) -> None:
        """Now and then: forget old answers, and find messages whose receiver could not take them when they came."""
        if monotonic() < self._sweep_at:
            return
        self._sweep_at = monotonic() + SWEEP_SECONDS
        with self._office.store.transaction() as tx:
            while tx.purge_answers(PURGED) == PURGED:
                pass
            pairs = tx.paired(BATCH)
        for name, key in pairs:
            hand_over_kept(self._office, name, key)

    # -- checkpoints
    def _checkpoints(self) -> int:
        """Make a checkpoint when it is time, unless another worker did, and copy outside what is not copied yet."""
        if monotonic() < self._checkpoint_at and monotonic() < self._copy_at:
            return 0
        if monotonic() >= self._checkpoint_at:
            self._checkpoint_at = monotonic() + self._checkpoint_every.total_seconds()
            checkpoints.make(self._office.store, not_before=self._checkpoint_every * 0.9)
        self._copy_at = monotonic() + COPY_SECONDS
        return 0 if self._outside is None else copy_checkpoints(self._office, self._outside)


def copy_checkpoints(office: Office, outside: CheckpointPlace) -> int:
    """Copy every checkpoint whose copy is due; gives how many lie outside now that did not before.

    One that fails is noted, tried again later, and seen among the incidents once it has failed often.
    """
    with office.store.reading() as reading:
        due = list(checkpoints.to_copy(reading))
    done = 0
    for number, content in due:
        code = ""
        try:
            outside.put(number, content)
        except Undeliverable as error:
            code = error.code
        except Exception as error:
            log.error("copying failed checkpoint=%d error=%s", number, type(error).__name__)
            code = UNFORESEEN
        with office.store.transaction() as tx:
            if code:
                checkpoints.not_copied(tx, number, code)
            else:
                checkpoints.copied(tx, number)
                done += 1
    return done


def _issued(number: str | None, at: Any) -> Mapping[str, str]:
    local = at.astimezone(documents.SHANGHAI)
    return {"number": number or "", "issued_on": f"{local.year}年{local.month}月{local.day}日"}


def _finish(mark: Any) -> None:
    """A lease that went to another worker is that one's to finish."""
    try:
        mark()
    except StaleRevision:
        log.info("lease lost")
