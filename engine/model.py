"""The nouns all rooms share: frozen and plain. Times are aware; ids are UUIDs; scopes are paths like ``liwan/hall``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

JSON = Any


class CaseStatus(StrEnum):
    """Where a process instance stands as a whole."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    ENDED = "ended"


class TaskStatus(StrEnum):
    """Where a human task stands."""

    OPEN = "open"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


class Lamp(StrEnum):
    """What a deadline's lamp shows (domain: green over half left, yellow a fifth or a day, red overdue)."""

    GREEN = "green"
    YELLOW = "yellow"
    RED = "red"
    OFF = "off"


def covers(mine: str, theirs: str) -> bool:
    """Does scope ``mine`` hold ``theirs``? ``liwan`` covers ``liwan/hall``; ``liwan/ha`` covers nothing of it."""
    return theirs == mine or theirs.startswith(mine + "/")


@dataclass(frozen=True, kw_only=True, slots=True)
class Membership:
    """One post of an account: a role (a lane's id) within a scope, held in a unit."""

    role: str
    scope: str
    unit: str
    post: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Actor:
    """Who acts. ``account`` is None only for the system itself."""

    account: UUID | None
    name: str
    display_name: str
    memberships: tuple[Membership, ...] = ()

    def holding(self, role: str, scope: str) -> Membership | None:
        """The post by which this actor may act for ``role`` in ``scope``, or None."""
        return next((m for m in self.memberships if m.role == role and covers(m.scope, scope)), None)

    def scopes(self, role: str) -> tuple[str, ...]:
        """Every scope in which this actor holds ``role``."""
        return tuple(m.scope for m in self.memberships if m.role == role)


SYSTEM = Actor(account=None, name="system", display_name="系统")


@dataclass(frozen=True, kw_only=True, slots=True)
class ActedAs:
    """The actor as history keeps it: account, post and unit at that moment, and on whose behalf."""

    account: UUID | None
    name: str
    post: str = ""
    unit: str = ""
    behalf: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Once:
    """An Idempotency-Key: the same key, route and request body give one effect and one answer."""

    key: str
    route: str
    digest: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One line of history before the store numbers, hashes and seals it.

    ``input`` marks what came from outside (replay feeds it again); everything else is derived. ``cause`` counts from
    the first event of the same command (0). ``detail`` is never personal; ``values`` may be, and is sealed.
    ``element`` is a path ``process/sub/element``; ``scope`` and ``token`` are the machine's running numbers.
    """

    kind: str
    input: bool = False
    cause: int | None = None
    occurred_at: datetime | None = None
    actor: ActedAs | None = None
    element: str | None = None
    scope: int | None = None
    token: int | None = None
    flow: str | None = None
    detail: Mapping[str, JSON] = field(default_factory=dict)
    values: Mapping[str, JSON] | None = None
    state_digest: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenTask:
    """A task as a verb's answer names it."""

    id: UUID
    element: str
    name: str
    role: str
    scope: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What a verb on a case answers: where the case stands once the transaction is committed."""

    case: UUID
    business_key: str
    status: CaseStatus
    outcome: str | None
    milestone: str | None
    tasks: tuple[OpenTask, ...]
    events: int
    incidents: int = 0


@dataclass(frozen=True, slots=True)
class Library:
    """All files of the designers' rooms: path (``processes/…``, ``forms/…``, always with ``/``) to content."""

    files: Mapping[str, bytes]

    def under(self, prefix: str, suffix: str = "") -> Iterable[tuple[str, bytes]]:
        """Files below ``prefix`` whose name ends in ``suffix``, sorted by path."""
        return ((p, c) for p, c in sorted(self.files.items()) if p.startswith(prefix) and p.endswith(suffix))


@dataclass(frozen=True, kw_only=True, slots=True)
class Release:
    """What one start resolved: the root process and, by digest, everything it can reach.

    ``processes`` key → sha256, ``forms`` path → sha256, ``papers``, ``notices``, ``registers`` name → sha256;
    ``digest`` is the SHA-256 of the canonical manifest.
    """

    digest: str
    root: str
    processes: Mapping[str, str]
    forms: Mapping[str, str]
    decisions: Mapping[str, str]
    papers: Mapping[str, str]
    notices: Mapping[str, str]
    registers: Mapping[str, str]
    semantics: int = 1
