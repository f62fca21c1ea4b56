"""Refused attempts are history too: who, which verb, why, and the digest of what was given; never its content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from engine.commands.office import Office
from engine.errors import Conflict, Forbidden, Invalid, KeyReused, NotFound, StaleRevision
from engine.model import ActedAs, Actor

REFUSALS = (Forbidden, Conflict, Invalid, KeyReused, NotFound)


@dataclass(slots=True)
class Attempt:
    """The case an attempt turned out to be about, once it is known."""

    case: UUID | None = None


@contextmanager
def attempt(office: Office, actor: Actor, verb: str, given: Mapping[str, Any]) -> Iterator[Attempt]:
    """Run a verb's body; a refusal is recorded in a transaction of its own after the rollback, then raised on."""
    made = Attempt()
    try:
        yield made
    except REFUSALS as error:
        if not isinstance(error, StaleRevision):
            office.store.record_refusal(actor, made.case, verb, type(error).__name__, digest_of(given))
        raise


def digest_of(given: Mapping[str, Any]) -> str:
    """SHA-256 of an input in canonical form."""
    text = json.dumps(given, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def acted_as(actor: Actor, role: str | None = None, scope: str | None = None) -> ActedAs:
    """The actor as history keeps it, with the post that allowed the act."""
    post = actor.holding(role, scope) if role and scope else next(iter(actor.memberships), None)
    unit, title = (post.unit, post.post) if post else ("", "")
    return ActedAs(account=actor.account, name=actor.display_name, post=title, unit=unit)
