"""What queries hand out: lines of lists, pages, history, and the result of verifying."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Generic, TypeVar
from uuid import UUID

from engine.model import JSON, ActedAs, CaseStatus, Lamp
from engine.store.records import DeadlineRow, Incident, Task, WaitRow

if TYPE_CHECKING:
    from engine.deadlines import Deadline

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Page(Generic[T]):
    """Some rows and where the next begin (an opaque cursor, None at the end)."""

    items: tuple[T, ...]
    next: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkItem:
    """One line of the worklist. ``deadline`` is the running one that is due first; the verbs turn it into ``lamp``."""

    id: UUID
    case_id: UUID
    business_key: str
    title: str = field(repr=False)
    process_key: str
    element: str
    name: str
    role: str
    role_name: str
    scope: str
    created_at: datetime
    claimed_by: UUID | None
    claimed_name: str | None
    due_at: datetime | None
    milestone: str | None
    owner: UUID | None = None
    owner_name: str | None = None
    delegation: str | None = None
    urged_at: datetime | None = None
    suspended: bool = False
    signing: str | None = None
    deadline: Deadline | None = None
    lamp: Lamp = Lamp.OFF


@dataclass(frozen=True, kw_only=True, slots=True)
class CaseRow:
    """One line of the list of cases."""

    id: UUID
    business_key: str
    title: str = field(repr=False)
    process_key: str
    status: CaseStatus
    outcome: str | None
    milestone: str | None
    started_at: datetime
    ended_at: datetime | None
    due_at: datetime | None
    deadline: Deadline | None = None
    lamp: Lamp = Lamp.OFF


@dataclass(frozen=True, kw_only=True, slots=True)
class DocumentRow:
    """One paper in a list."""

    id: UUID
    kind: str
    title: str
    number: str | None
    issued_at: datetime
    digest: str | None
    rendered: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class CasePage:
    """A case as a reader sees it: never locked. ``tasks`` are all, open and closed, oldest first."""

    id: UUID
    business_key: str
    process_key: str
    release: str
    status: CaseStatus
    outcome: str | None
    milestone: str | None
    title: str = field(repr=False)
    summary: Mapping[str, JSON] = field(repr=False)
    state: bytes | None = field(repr=False)
    scope: str
    started_by: UUID | None
    started_at: datetime
    ended_at: datetime | None
    due_at: datetime | None
    events: int
    tasks: tuple[Task, ...]
    deadlines: tuple[DeadlineRow, ...]
    waits: tuple[WaitRow, ...]
    documents: tuple[DocumentRow, ...]
    incidents: tuple[Incident, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class IncidentRow:
    """One line of the list of incidents. ``scope`` is the case's; ``job``: a job or message failed, not an element."""

    id: UUID
    case_id: UUID
    business_key: str
    process_key: str
    release: str
    scope: str
    status: CaseStatus
    element: str | None
    code: str
    opened_at: datetime
    job: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class HistoryRow:
    """One event as an auditor reads it. ``values`` None: there were none, or ``erased`` is true."""

    number: int
    kind: str
    input: bool
    cause: int | None
    command: UUID
    recorded_at: datetime
    occurred_at: datetime | None
    element: str | None
    flow: str | None
    scope: int | None
    token: int | None
    actor: ActedAs | None
    release: str | None
    semantics: int
    detail: Mapping[str, JSON]
    values: Mapping[str, JSON] | None = field(default=None, repr=False)
    erased: bool = False
    state_digest: str | None = None
    hash: str = ""
    element_name: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Position:
    """Where a token stood: the element path and since when."""

    process_key: str
    element: str
    token: int
    since: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """What is wrong with a stream, and at which number (0: the stream as a whole).

    ``row`` names the table, and the row's id, where it is a row that is not as history says. Without a stream
    (empty) it is the row itself, or a checkpoint, that is wrong.
    """

    stream: str
    number: int
    what: str
    row: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Verification:
    """The result of checking every chain."""

    streams: int
    events: int
    faults: tuple[Fault, ...]
