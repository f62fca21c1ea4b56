"""Destroying what is personal in an ended case: its key, and with it all that was sealed under it. History stays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy as sa

from engine.store import rows
from engine.store import tables as t
from engine.store.history import case_stream
from engine.store.message_tables import message
from engine.store.records import Case

if TYPE_CHECKING:
    from engine.store.reading import Reading
    from engine.store.transaction import Transaction

_event = t.event.c


def last_event(reading: Reading, case_id: UUID, *kinds: str) -> Any:
    """The newest event of one of these kinds in a case's stream (number, kind, actor_account, detail); None."""
    found = sa.select(_event.number, _event.kind, _event.actor_account, _event.detail)
    mine = (_event.stream == case_stream(case_id)) & _event.kind.in_(kinds)
    return reading.execute(found.where(mine).order_by(_event.number.desc()).limit(1)).one_or_none()


def erase(tx: Transaction, case: Case) -> None:
    """Destroy a locked case's key, values and salts, title and state, papers, payloads, drafts, answers and files.

    What remains: the events with their commitments, the rows without what was sealed, the papers' numbers and digests,
    the officials' names. A file that another case holds as well keeps its key. The event ``case.erased`` is the
    caller's, in the same transaction: without it ``verify`` names the missing key.
    """
    stream = case_stream(case.id)
    tx.execute(t.data_key.update().where(t.data_key.c.id == case.id).values(wrapped=None, erased_at=tx.now()))
    tx.execute(t.event_value.delete().where(t.event_value.c.stream == stream))
    where = t.process_instance.c.id == case.id
    tx.execute(t.process_instance.update().where(where).values(sealed_title=None, sealed_state=None))
    tx.tell(stream, "b", case.id, rows.GONE)
    case.state, case.title, case.summary, case.key = None, "", {}, b""
    _papers(tx, case, stream)
    for queue in (t.job, t.outbox):
        # What waits could not be opened any more: there is nothing left to render or to send.
        over = queue.c.status != "done"
        tx.execute(queue.update().where(queue.c.case_id == case.id, over).values(status="done", done_at=tx.now()))
        tx.execute(queue.update().where(queue.c.case_id == case.id).values(sealed=b""))
    _messages(tx, case)
    mine = sa.select(t.task.c.id).where(t.task.c.case_id == case.id)
    tx.execute(t.draft.delete().where(t.draft.c.task_id.in_(mine)))
    tx.execute(t.idempotency.delete().where(t.idempotency.c.case_id == case.id))
    _files(tx, case)


def _papers(tx: Transaction, case: Case, stream: str) -> None:
    where = t.document.c.case_id == case.id
    tx.execute(t.document.update().where(where).values(sealed_values=b"", sealed_content=None))
    for row in tx.execute(sa.select(t.document).where(where)):
        tx.tell(stream, "p", row.id, rows.of(row._mapping, *rows.DOCUMENT))


def _messages(tx: Transaction, case: Case) -> None:
    """What the case has thrown and nobody has got yet: nobody gets it any more."""
    kept = (message.c.from_case == case.id) & message.c.status.in_(("kept", "expired", "failed"))
    numbers = list(tx.execute(sa.select(message.c.number).where(kept)).scalars())
    if numbers:
        gone = t.data_key.update().where(t.data_key.c.id.in_(numbers))
        tx.execute(gone.values(wrapped=None, erased_at=tx.now()))
        tx.execute(message.update().where(kept).values(status="given_up", name=None, key=None, sealed=None))


def _files(tx: Transaction, case: Case) -> None:
    link, key = t.case_attachment.c, t.data_key.c
    theirs = (
        sa.select(link.attachment_id).join(t.data_key, key.id == link.case_id).where(key.erased_at.is_(None)).distinct()
    )
    mine = sa.select(link.attachment_id).where(link.case_id == case.id, link.attachment_id.not_in(theirs))
    files = list(tx.execute(mine).scalars())
    if files:
        tx.execute(t.attachment_chunk.delete().where(t.attachment_chunk.c.attachment_id.in_(files)))
        gone = t.attachment.update().where(t.attachment.c.id.in_(files))
        tx.execute(gone.values(wrapped=None, sealed_name=b""))
