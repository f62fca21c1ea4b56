"""What the store hands out and takes in: plain records without SQL, keys or connections."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING
from uuid import UUID

from engine.model import JSON, Actor, CaseStatus, Event, Membership, TaskStatus

if TYPE_CHECKING:
    from engine.deadlines import Deadline


class Keep(Enum):
    """The value that means "leave as it is" where None is a value of its own."""

    KEEP = "keep"


KEEP = Keep.KEEP


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """One human task as stored. ``process_key`` is the case's root; ``element`` the path ``process/sub/element``.

    ``claimed_by`` is on whose desk it lies. While it is delegated, ``owner`` is who answers for it; ``delegation`` is
    then ``pending`` (it lies with the delegate) or ``resolved`` (it lies with the owner again, to be completed).
    A signature (``signing``: before, after, beside) asked for at the work item of token ``signs`` is its ``assignee``'s
    alone, whatever posts they hold.
    """

    id: UUID
    case_id: UUID
    token: int
    element: str
    name: str
    role: str
    role_name: str
    scope: str
    form_digest: str | None
    process_key: str
    status: TaskStatus
    created_at: datetime
    instance: int | None = None
    claimed_by: UUID | None = None
    claimed_name: str | None = None
    claimed_at: datetime | None = None
    closed_at: datetime | None = None
    closed_by: UUID | None = None
    closed_name: str | None = None
    due_at: datetime | None = None
    owner: UUID | None = None
    owner_name: str | None = None
    delegation: str | None = None
    urged_at: datetime | None = None
    signing: str | None = None
    signs: int | None = None
    assignee: UUID | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class DeadlineRow:
    """A deadline of a case and its id."""

    id: UUID
    deadline: Deadline


@dataclass(frozen=True, kw_only=True, slots=True)
class WaitRow:
    """One thing a case waits for, by the machine's running number (kinds: message, signal, timer, conditional)."""

    number: int
    kind: str
    element: str
    name: str | None = None
    key: str | None = None
    due: datetime | None = None
    deadline: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Incident:
    """Something that is stuck: a code and where, never data. ``job`` names the job or message that failed for good."""

    id: UUID
    case_id: UUID
    token: int | None
    element: str | None
    code: str
    opened_at: datetime
    job: UUID | None = None


@dataclass(kw_only=True, slots=True)
class Case:
    """A locked process instance with what a verb needs of it. ``Transaction.save`` keeps it in step with the rows.

    ``tasks`` are the open ones (``lock_task`` returns the asked one besides, open or not), ``deadlines`` all of them in
    the order in which they began, ``incidents`` the open ones. ``head`` is the last event's hash, ``last_at`` its
    moment.
    """

    id: UUID
    business_key: str
    process_key: str
    release: str
    status: CaseStatus
    scope: str
    started_by: UUID | None
    started_at: datetime
    state: bytes | None = field(default=None, repr=False)
    outcome: str | None = None
    milestone: str | None = None
    title: str = field(default="", repr=False)
    summary: dict[str, JSON] = field(default_factory=dict, repr=False)
    revision: int = 0
    events: int = 0
    head: bytes = b""
    last_at: datetime | None = None
    ended_at: datetime | None = None
    wake_at: datetime | None = None
    due_at: datetime | None = None
    tasks: list[Task] = field(default_factory=list)
    deadlines: list[DeadlineRow] = field(default_factory=list)
    waits: list[WaitRow] = field(default_factory=list)
    incidents: list[Incident] = field(default_factory=list)
    drafts: set[UUID] = field(default_factory=set)
    key: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class NewTask:
    """A task to open. ``due_at`` None takes the case's. One with an ``assignee`` lies on their desk at once."""

    id: UUID
    token: int
    element: str
    name: str
    role: str
    scope: str
    role_name: str = ""
    form_digest: str | None = None
    instance: int | None = None
    signing: str | None = None
    signs: int | None = None
    assignee: UUID | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ClosedTask:
    """A task that ends now: completed (by whom) or cancelled (``by`` None)."""

    id: UUID
    status: TaskStatus
    at: datetime
    by: UUID | None = None
    name: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ClaimChange:
    """On whose desk a task lies from now on: a claim (``by`` given), or its release (``by`` None).

    What is not given of the delegation is over.
    """

    id: UUID
    by: UUID | None = None
    name: str | None = None
    at: datetime | None = None
    owner: UUID | None = None
    owner_name: str | None = None
    delegation: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class MovedTask:
    """An open task whose element has another place or name in the case's new release."""

    id: UUID
    element: str
    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Series:
    """Where a paper's number comes from: gap-free per kind, unit and year.

    ``pattern`` holds ``{year}`` and ``{number}`` (four digits at least): ``荔市监受〔{year}〕第{number}号``.
    """

    kind: str
    unit: str
    year: int
    pattern: str


@dataclass(frozen=True, kw_only=True, slots=True)
class NewPaper:
    """A paper to issue: the row now (with its number), the rendering as a job after the commit.

    ``element``, ``token`` and ``cause`` go into the event ``document.issued`` which the store writes itself, because
    only the store knows the number; replay leaves that kind out of its comparison.
    """

    id: UUID
    kind: str
    title: str
    template_digest: str
    values: Mapping[str, JSON]
    series: Series | None = None
    element: str | None = None
    token: int | None = None
    scope: int | None = None
    cause: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Outgoing:
    """Something to send after the commit (kind ``sms`` …). ``id`` stays the same over all attempts."""

    id: UUID
    kind: str
    name: str
    payload: Mapping[str, JSON]


@dataclass(frozen=True, kw_only=True, slots=True)
class NewIncident:
    """An incident the machine reports open."""

    token: int | None
    element: str | None
    code: str


@dataclass(frozen=True, kw_only=True, slots=True)
class NewJob:
    """Work for the worker after the commit."""

    id: UUID
    kind: str
    payload: Mapping[str, JSON]
    run_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Changes:
    """All writes of one verb on one case. None (or KEEP) leaves a thing as it is; empty tuples change nothing.

    ``waits`` and ``incidents`` are everything open now and replace what is stored. ``deadlines`` are rows to insert or
    overwrite by id. ``attachments`` are digests uploaded by ``uploaded_by`` that now belong to the case.
    ``command`` is the verb's id, one for all its events; ``due_at`` is what the worklist sorts the open tasks by;
    ``urged`` are tasks somebody has just asked to be done soon; ``release`` is the one the case follows from now on.
    """

    command: UUID
    events: tuple[Event, ...] = ()
    state: bytes | None = None
    semantics: int = 1
    status: CaseStatus | None = None
    outcome: str | None = None
    milestone: str | None = None
    title: str | None = None
    summary: Mapping[str, JSON] | None = None
    wake_at: datetime | Keep | None = KEEP
    due_at: datetime | Keep | None = KEEP
    opened: tuple[NewTask, ...] = ()
    closed: tuple[ClosedTask, ...] = ()
    claims: tuple[ClaimChange, ...] = ()
    urged: tuple[UUID, ...] = ()
    moved: tuple[MovedTask, ...] = ()
    release: str | None = None
    deadlines: tuple[DeadlineRow, ...] = ()
    waits: tuple[WaitRow, ...] | None = None
    incidents: tuple[NewIncident, ...] | None = None
    papers: tuple[NewPaper, ...] = ()
    outgoing: tuple[Outgoing, ...] = ()
    jobs: tuple[NewJob, ...] = ()
    attachments: tuple[str, ...] = ()
    uploaded_by: UUID | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A claimed job or outgoing message: mine until the lease ends. ``attempt`` fences finishing it twice."""

    id: UUID
    kind: str
    name: str
    case_id: UUID | None
    payload: Mapping[str, JSON] = field(repr=False)
    attempt: int
    run_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """A paper with what it is rendered from; ``content`` is its HTML once rendered, ``digest`` that HTML's SHA-256."""

    id: UUID
    case_id: UUID
    kind: str
    title: str
    number: str | None
    issued_at: datetime
    template_digest: str
    values: Mapping[str, JSON] = field(repr=False)
    content: str | None = field(default=None, repr=False)
    digest: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """A person who may log in, with the posts held now."""

    id: UUID
    name: str
    display_name: str
    password_hash: str = field(repr=False)
    active: bool
    failures: int
    locked_until: datetime | None
    memberships: tuple[Membership, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """Somebody who may be given a task, by name and by the post that entitles."""

    account: UUID
    display_name: str
    unit: str
    post: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionRow:
    """An open session: who, the CSRF value its forms carry, and when it ends."""

    actor: Actor
    csrf: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Attachment:
    """An uploaded file."""

    digest: str
    name: str
    media_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Publication:
    """What is published: kind → name → SHA-256 (hex). ``changed`` are ``kind:name`` that this publication brought."""

    number: int
    entries: Mapping[str, Mapping[str, str]]
    published_at: datetime
    changed: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Version:
    """One version of a published thing, counted from 1 per name."""

    kind: str
    name: str
    version: int
    digest: str
    publication: int
    published_at: datetime
