"""What one call of the machine hands back: the new state, history, work, waits, acts, messages and incidents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One line of history. ``element`` is a path; ``scope`` and ``token`` are running numbers.

    Kinds: element.entered (``flow``: the one it came by), element.completed, element.cancelled, variables.written
    (``values`` {name: [old, new]} as plain JSON, ``detail`` {"frame"}), event.thrown, event.caught, scope.opened
    (``detail`` {"of", "owner"}), incident.raised (``detail`` {"code"}), error.uncaught, case.ended. Every token that
    entered an element is completed or cancelled there exactly once.
    """

    kind: str
    at: datetime
    element: str
    scope: int
    token: int | None = None
    flow: str | None = None
    values: dict[str, list[Any]] | None = None
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """An open work item. ``role`` is the lane's id (empty without lane), ``scope`` the role's scope path.

    ``signing`` (before, after, beside) marks a signature asked for at the work item ``signs``, of the person ``signer``
    alone: no role. ``unsigned`` is how many signatures must come before this one can be completed.
    """

    token: int
    element: str
    name: str
    role: str
    role_name: str
    scope: str
    form: str | None
    instance: int | None
    attributes: Mapping[str, str]
    signing: str | None = None
    signs: int | None = None
    signer: str | None = None
    unsigned: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Wait:
    """Something waited for: message, signal, timer or conditional. ``due`` is set for plain timers, ``deadline`` names
    the kind of a timer written ``deadline('kind')``; ``key`` is a message's correlation key."""

    number: int
    kind: str
    name: str | None
    key: str | None
    element: str
    due: datetime | None
    deadline: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Act:
    """Something the diagram asks the host to do, with a copy of the variables the element sees at that moment."""

    verb: str
    name: str
    element: str
    at: datetime
    token: int
    scope: int
    variables: dict[str, Any]
    properties: dict[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """A message, signal, or an error or escalation nobody caught, for others than this case."""

    kind: str
    name: str | None
    key: str | None
    payload: Any
    element: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Incident:
    """Something that could not be done. ``token`` is the number to retry: a token's, or a subscription's."""

    token: int
    element: str
    code: str
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """The result of one call. ``work``, ``waits`` and ``incidents`` are all that are open now.

    ``format`` and ``semantics`` are those of the state, for hosts whose other servers may be older.
    ``more``: the caller's own budget ran out, go on with ``resume``. ``stuck``: the case has not ended and nothing can
    ever move it, a deadlock of the diagram.
    """

    state: bytes
    entries: tuple[Entry, ...]
    work: tuple[Work, ...]
    waits: tuple[Wait, ...]
    acts: tuple[Act, ...]
    sent: tuple[Sent, ...]
    incidents: tuple[Incident, ...]
    outcome: str | None
    more: bool
    stuck: bool
    format: int
    semantics: int


def next_due(waits: Step | Iterable[Wait], moments: Mapping[str, datetime]) -> datetime | None:
    """The earliest moment at which ``fire`` would find something; ``moments`` gives those of running deadlines."""
    found = waits.waits if isinstance(waits, Step) else waits
    due = [w.due if w.deadline is None else moments.get(w.deadline) for w in found if w.kind == "timer"]
    return min((each for each in due if each is not None), default=None)
