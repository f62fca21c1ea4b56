"""What history says of rows: each command's last event names every row it wrote and the digest of what stood there.

So ``verify`` folds a stream and knows how each of its rows must look, whatever table it lies in. Not covered, because
no event tells of them: sessions, drafts, wrong passwords counted, taken message ids, serials, a queue's progress
(status, attempts, leases), ``revision``. What is sealed is covered by the digest of the sealed bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any
from uuid import UUID

from engine import deadlines
from engine.store.columns import iso
from engine.store.records import Case, DeadlineRow, Incident, Task, WaitRow
from engine.store.vault import plain_text

_ID_BYTES = DIGEST_BYTES = 16
_ENTRY = 1 + _ID_BYTES + DIGEST_BYTES
GONE = bytes(DIGEST_BYTES)

#: The letter of a row in history → the table (and part of it) it lies in.
TABLES = {
    "c": "process_instance",
    "b": "process_instance.sealed_title",
    "w": "process_instance.wake_at",
    "t": "task",
    "d": "deadline",
    "s": "subscription",
    "i": "incident",
    "p": "document",
    "f": "case_attachment",
    "o": "outbox",
    "j": "job",
    "a": "account",
    "m": "membership",
    "n": "publication",
    "v": "version",
}
CASE = ("business_key", "process_key", "release", "scope", "outcome", "milestone", "started_by", "started_at")
CASE_MOMENTS = ("ended_at", "due_at")
DOCUMENT = ("kind", "title", "number", "template_digest", "issued_at", "sealed_values", "sealed_content", "digest")
ATTACHMENT = ("digest", "account_id", "media_type", "size")
QUEUED = ("kind", "name", "created_at")
ACCOUNT = ("name", "display_name", "password_hash", "active", "created_at")
POST = ("role", "scope", "unit", "post")
PUBLICATION = ("manifest", "changed", "published_by", "published_at")
VERSION = ("kind", "name", "version", "digest", "publication", "published_at")


@dataclass(frozen=True, slots=True)
class Place:
    """One row: its letter and its id (a number stands in an id's place as well)."""

    letter: str
    id: UUID

    @property
    def table(self) -> str:
        """Where it lies."""
        return TABLES[self.letter]


#: Which rows a command wrote, and the digest of each (``GONE``: deleted).
Told = dict[Place, bytes]


def encode(told: Mapping[Place, bytes]) -> bytes:
    """The bytes an event carries."""
    return b"".join(place.letter.encode() + place.id.bytes + digest for place, digest in told.items())


def decode(content: bytes) -> Told:
    """The reverse of ``encode``; a letter nobody knows (of a later version) is kept as it is."""
    found: Told = {}
    for start in range(0, len(content) - _ENTRY + 1, _ENTRY):
        entry = content[start : start + _ENTRY]
        found[Place(chr(entry[0]), UUID(bytes=entry[1 : 1 + _ID_BYTES]))] = entry[1 + _ID_BYTES :]
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, UUID):
        return value.hex
    if isinstance(value, bytes | memoryview):
        return hashlib.sha256(value).hexdigest()
    return value


def digest(values: Iterable[Any]) -> bytes:
    """The digest of a row's columns, in a fixed order: SHA-256, its first sixteen bytes."""
    text = plain_text([_plain(value) for value in values])
    return hashlib.sha256(text.encode()).digest()[:DIGEST_BYTES]


def of(row: Any, *columns: str) -> bytes:
    """The digest of a row (a mapping) by the names of its columns; what is missing counts as NULL."""
    return digest(row.get(name) for name in columns)


def numbered(number: int) -> UUID:
    """A running number in the place of an id."""
    return UUID(int=number)


def version_id(kind: str, name: str, version: int) -> UUID:
    """The id of a version's row, made from its key."""
    return UUID(bytes=hashlib.sha256(plain_text([kind, name, version]).encode()).digest()[:_ID_BYTES])


def of_case(case: Case) -> bytes:
    """The digest of an instance's row as ``Case`` holds it."""
    return digest((case.status, *(getattr(case, name) for name in (*CASE, *CASE_MOMENTS))))


def of_instance(row: Mapping[str, Any]) -> bytes:
    """The same from the row in the database."""
    return of(row, "status", *CASE, *CASE_MOMENTS)


def of_task(task: Task) -> bytes:
    """The digest of a task's row."""
    return digest(getattr(task, name) for name in Task.__slots__ if name != "id")


def of_deadline(row: DeadlineRow) -> bytes:
    """The digest of a deadline's row: columns and text."""
    clock = row.deadline
    return digest((clock.kind, clock.status, clock.due_at, plain_text(deadlines.as_plain(clock))))


def of_wait(wait: WaitRow, created_at: datetime, found_by: tuple[str, str | None, str | None]) -> bytes:
    """The digest of a subscription's row: its text, and the kind, name and key it is found by."""
    return digest((*found_by, created_at, *(getattr(wait, name) for name in WaitRow.__slots__)))


def of_incident(incident: Incident, closed_at: datetime | None) -> bytes:
    """The digest of an incident's row."""
    facts = (incident.case_id, incident.token, incident.element, incident.code, incident.job, incident.opened_at)
    return digest((*facts, closed_at))


def of_posts(posts: Iterable[Mapping[str, Any]]) -> bytes:
    """The digest of all posts of an account."""
    return digest(sorted([post[name] for name in POST] for post in posts))
