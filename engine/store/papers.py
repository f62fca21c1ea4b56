"""Papers and their gap-free numbers, uploaded files, drafts, and the queues of work and messages they lead to."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Row

from engine.errors import NotFound
from engine.model import JSON, Actor, Event
from engine.store import rows
from engine.store import tables as t
from engine.store.columns import new_id
from engine.store.history import case_stream
from engine.store.looking_back import replaced
from engine.store.reading import Reading
from engine.store.records import Case, Document, NewPaper, Series
from engine.store.vault import new_key, plain_text, seal, seal_json, unseal, unseal_json, unwrap

CHUNK = 256 * 1024
PREFIX = "sha256:"
_bind = sa.bindparam
_document = (
    sa.select(t.document, t.data_key.c.wrapped)
    .join(t.data_key, t.data_key.c.id == t.document.c.case_id)
    .where(t.document.c.id == _bind("document"))
)
_render = (
    t.document.update()
    .where(t.document.c.id == _bind("document"))
    .values(sealed_content=_bind("content"), digest=_bind("hash"))
)
_mine = sa.select(t.attachment).where(
    t.attachment.c.digest.in_(_bind("digests", expanding=True)), t.attachment.c.account_id == _bind("account")
)
_in_case = (
    sa.select(t.attachment)
    .join(t.case_attachment, t.case_attachment.c.attachment_id == t.attachment.c.id)
    .where(t.attachment.c.digest.in_(_bind("digests", expanding=True)), t.case_attachment.c.case_id == _bind("case"))
)
_draft_key = (
    sa.select(t.data_key.c.id, t.data_key.c.wrapped)
    .join(t.task, t.task.c.case_id == t.data_key.c.id)
    .where(t.task.c.id == _bind("task"))
)


def read_document(reading: Reading, document_id: UUID) -> Document:
    """A paper with the values it is rendered from; no rights are checked. Raises NotFound."""
    row = reading.execute(_document, {"document": document_id}).one_or_none()
    if row is None or row.wrapped is None:
        raise NotFound()
    key = unwrap(reading.keys, row.case_id, row.wrapped)
    content = unseal(key, f"page:{row.id}", row.sealed_content).decode() if row.sealed_content else None
    return Document(
        id=row.id,
        case_id=row.case_id,
        kind=row.kind,
        title=row.title,
        number=row.number,
        issued_at=row.issued_at,
        template_digest=row.template_digest,
        values=unseal_json(key, f"paper:{row.id}", row.sealed_values),
        content=content,
        digest=row.digest,
    )


def _inserting(dialect: str, table: sa.Table) -> Any:
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


# Made once: a statement that stays the same object is compiled once and found again without comparing it.
@cache
def leaving(dialect: str, table: sa.Table) -> sa.Insert:
    """An insert that does nothing where the row is there."""
    inserting: sa.Insert = _inserting(dialect, table).on_conflict_do_nothing()
    return inserting.execution_options(preserve_rowcount=True)


@cache
def _counting(dialect: str) -> Any:
    inserting = _inserting(dialect, t.serial)
    one_more = {"last": t.serial.c.last + 1}
    counted = inserting.on_conflict_do_update(index_elements=["kind", "unit", "year"], set_=one_more)
    return counted.returning(t.serial.c.last)


@cache
def _drafting(dialect: str) -> Any:
    inserting = _inserting(dialect, t.draft)
    fresh = {"sealed": inserting.excluded.sealed, "saved_at": inserting.excluded.saved_at}
    return inserting.on_conflict_do_update(index_elements=["task_id", "account_id"], set_=fresh)


@cache
def insert(table: sa.Table) -> sa.Insert:
    """The plain insert into a table."""
    return table.insert()


class Papers(Reading):
    """What a transaction does beside case and tasks."""

    def _insert_or_leave(self, table: sa.Table) -> sa.Insert:
        """An insert that does nothing where the row is there; it waits for a rival who is just inserting it."""
        return leaving(self.dialect, table)

    # -- numbers
    def next_number(self, series: Series) -> str:
        """The next number of a series, written in its pattern. No other transaction gets one until this one ends.

        Rolled back, the number is given again: there are no gaps. Take it as late as possible.
        """
        row = {"kind": series.kind, "unit": series.unit, "year": series.year, "last": 1}
        number = self.execute(_counting(self.dialect), row).scalar_one()
        return series.pattern.replace("{year}", str(series.year)).replace("{number}", f"{number:04d}")

    # -- papers
    def _issue(self, case: Case, papers: Sequence[NewPaper], now: datetime) -> list[Event]:
        """Insert the papers with their numbers, and the jobs to render them; gives one event each, in order."""
        if not papers:
            return []
        numbers: dict[UUID, str] = {}
        # Series in one order for everybody, so that two verbs never wait for each other.
        for paper in sorted(papers, key=lambda p: (p.series.kind, p.series.unit, p.series.year) if p.series else ()):
            if paper.series:
                numbers[paper.id] = self.next_number(paper.series)
        added: list[dict[str, Any]] = [
            {
                "id": paper.id,
                "case_id": case.id,
                "kind": paper.kind,
                "title": paper.title,
                "number": numbers.get(paper.id),
                "template_digest": paper.template_digest,
                "sealed_values": seal_json(case.key, f"paper:{paper.id}", paper.values),
                "issued_at": now,
            }
            for paper in papers
        ]
        self.execute(insert(t.document), added)
        for row in added:
            self.tell(case_stream(case.id), "p", row["id"], rows.of(row, *rows.DOCUMENT))
        self._queue(t.job, case, ((new_id(), "render", p.kind, {"document": str(p.id)}, None) for p in papers), now)
        over = replaced(self, case.id)
        return [issued(paper, numbers.get(paper.id), over.pop(paper.kind, None)) for paper in papers]

    def document(self, document_id: UUID) -> Document:
        """A paper with the values it is rendered from; no rights are checked. Raises NotFound."""
        return read_document(self, document_id)

    def put_rendered(self, document_id: UUID, content: str) -> str:
        """Keep a paper's HTML, sealed; gives its SHA-256 (hex). The event about it is the caller's. Raises NotFound."""
        row = self.execute(_document, {"document": document_id}).one_or_none()
        if row is None or row.wrapped is None:
            raise NotFound()
        digest = hashlib.sha256(content.encode()).hexdigest()
        sealed = seal(unwrap(self.keys, row.case_id, row.wrapped), f"page:{document_id}", content.encode())
        self.execute(_render, {"document": document_id, "content": sealed, "hash": digest})
        after = {**row._mapping, "sealed_content": sealed, "digest": digest}
        self.tell(case_stream(row.case_id), "p", document_id, rows.of(after, *rows.DOCUMENT))
        return digest

    # -- queues
    def _queue(
        self,
        table: sa.Table,
        case: Case,
        entries: Iterable[tuple[UUID, str, str, Mapping[str, JSON], datetime | None]],
        now: datetime,
    ) -> None:
        added: list[dict[str, Any]] = [
            {
                "id": number,
                "kind": kind,
                "name": name,
                "case_id": case.id,
                "sealed": seal_json(case.key, f"{table.name}:{number}", payload),
                "status": "waiting",
                "created_at": now,
                "run_at": run_at or now,
                "attempts": 0,
            }
            for number, kind, name, payload, run_at in entries
        ]
        letter = "o" if table is t.outbox else "j"
        for row in added:
            self.tell(case_stream(case.id), letter, row["id"], rows.of(row, *rows.QUEUED))
        if added:
            self.execute(insert(table), added)

    # -- uploaded files
    def put_attachment(self, actor: Actor, name: str, media_type: str, content: bytes) -> str:
        """Keep an uploaded file, sealed in chunks under a key of its own; gives ``sha256:<hex>``.

        The same person's same bytes are kept once, under the first name.
        """
        digest = hashlib.sha256(content).hexdigest()
        if self.execute(_mine, {"digests": [digest], "account": actor.account}).first() is not None:
            return PREFIX + digest
        number = new_id()
        key, wrapped = new_key(self.keys, number)
        row = {
            "id": number,
            "digest": digest,
            "account_id": actor.account,
            "sealed_name": seal(key, f"name:{number}", name.encode()),
            "media_type": media_type,
            "size": len(content),
            "wrapped": wrapped,
            "created_at": self.now(),
        }
        self.execute(insert(t.attachment), row)
        chunks = [content[start : start + CHUNK] for start in range(0, len(content), CHUNK)]
        for place, chunk in enumerate(chunks):
            sealed = seal(key, f"chunk:{number}:{place}", chunk)
            self.execute(insert(t.attachment_chunk), {"attachment_id": number, "number": place, "sealed": sealed})
        return PREFIX + digest

    def unknown_attachments(self, case_id: UUID, actor: Actor, digests: Iterable[str]) -> set[str]:
        """Those of the digests that the actor has neither uploaded nor found in the case."""
        wanted = set(digests)
        return wanted - self._known_attachments(case_id, actor.account, wanted).keys() if wanted else set()

    def _known_attachments(self, case_id: UUID, account: UUID | None, digests: Iterable[str]) -> dict[str, Row[Any]]:
        plain = [digest.removeprefix(PREFIX) for digest in digests]
        mine = self.execute(_mine, {"digests": plain, "account": account}).all()
        theirs = self.execute(_in_case, {"digests": plain, "case": case_id}).all()
        return {PREFIX + row.digest: row for row in (*mine, *theirs)}

    def _link_attachments(self, case_id: UUID, account: UUID | None, digests: Sequence[str]) -> None:
        if digests:
            known = self._known_attachments(case_id, account, digests)
            files = [known[digest] for digest in sorted(set(digests) & known.keys())]
            for file in files:
                self.tell(case_stream(case_id), "f", file.id, rows.of(file._mapping, *rows.ATTACHMENT))
            if files:
                links = [{"case_id": case_id, "attachment_id": file.id} for file in files]
                self.execute(self._insert_or_leave(t.case_attachment), links)

    # -- drafts
    def put_draft(self, task_id: UUID, actor: Actor, answers: Mapping[str, JSON]) -> None:
        """Keep one person's unfinished answers to a task; they go when the task closes. Raises NotFound."""
        owner = self.execute(_draft_key, {"task": task_id}).one_or_none()
        if owner is None or owner.wrapped is None:
            raise NotFound()
        sealed = seal_json(unwrap(self.keys, owner.id, owner.wrapped), f"draft:{task_id}:{actor.account}", answers)
        row = {"task_id": task_id, "account_id": actor.account, "sealed": sealed, "saved_at": self.now()}
        self.execute(_drafting(self.dialect), row)


def issued(paper: NewPaper, number: str | None, replaces: str | None = None) -> Event:
    """The event of a paper once its number is taken; sealed in it, the digest of what the paper is written from.

    ``replaces`` is the number (or id) of the paper of this kind that a return went back over.
    """
    written_from = plain_text({"title": paper.title, "values": paper.values})
    return Event(
        kind="document.issued",
        cause=paper.cause,
        element=paper.element,
        token=paper.token,
        scope=paper.scope,
        detail={
            "document": str(paper.id),
            "kind": paper.kind,
            "number": number,
            "template": paper.template_digest,
            **({"replaces": replaces} if replaces else {}),
        },
        values={"written_from": hashlib.sha256(written_from.encode()).hexdigest()},
    )
