"""Knows the shapes that go in (pydantic, nothing unknown accepted) and how frozen nouns are written as JSON."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from typing import Annotated, Any, Literal
from urllib.parse import quote
from uuid import UUID

from fastapi import Response
from fastapi.responses import HTMLResponse
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, JsonValue

from engine.errors import NotFound
from engine.model import Actor
from engine.store import Attachment

_MOST = 2**63 - 1


def storable(value: Any) -> Any:
    """The value itself, if every database and every JSON reader can take it.

    Raises:
        ValueError: NaN or infinity, whole numbers beyond 64 bits, NUL characters, lone surrogates.
    """
    stack = [value]
    while stack:
        one = stack.pop()
        if isinstance(one, str):
            if "\0" in one or any("\ud800" <= c <= "\udfff" for c in one):
                raise ValueError("text holds a character that cannot be stored")
        elif isinstance(one, dict):
            stack.extend(one.keys())
            stack.extend(one.values())
        elif isinstance(one, list):
            stack.extend(one)
        elif (isinstance(one, float) and not math.isfinite(one)) or (isinstance(one, int) and abs(one) > _MOST):
            raise ValueError("number out of range")
    return value


def _sane_year(moment: datetime) -> datetime:
    """Keep away from the edges of the calendar, where shifting to UTC overflows."""
    if not 1900 <= moment.year <= 2200:
        raise ValueError("year out of range")
    return moment


Moment = Annotated[AwareDatetime, AfterValidator(_sane_year)]
Text = Annotated[str, AfterValidator(storable)]
Answers = Annotated[dict[str, JsonValue], AfterValidator(storable)]
Payload = Annotated[JsonValue, AfterValidator(storable)]
Word = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(storable)]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LoginIn(_Shape):
    """Name and password."""

    name: Word
    password: Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(storable)]


class StartIn(_Shape):
    """What a case starts with; most start with nothing, their first task is the application form."""

    variables: Answers = Field(default_factory=dict)
    business_key: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:\-]{1,100}$")] | None = None


class AnswersIn(_Shape):
    """The answers of a task's form."""

    answers: Answers


class ReasonIn(_Shape):
    """Why."""

    reason: Annotated[str, Field(min_length=1, max_length=500), AfterValidator(storable)]


class ErasureIn(_Shape):
    """On which basis a case is erased (a rule, never a person), and until which day it had to be kept."""

    basis: Annotated[str, Field(min_length=1, max_length=500), AfterValidator(storable)]
    kept_until: date


class HandIn(_Shape):
    """To whom a task is handed on (an account's id), and why."""

    to: UUID
    reason: Annotated[str, Field(max_length=500), AfterValidator(storable)] = ""


class SignersIn(_Shape):
    """Who is asked to sign, when, how many of them are enough (all, if left out), and why."""

    kind: Literal["before", "after", "beside"]
    accounts: Annotated[list[UUID], Field(min_length=1, max_length=50)]
    quorum: Annotated[int, Field(ge=1, le=50)] | None = None
    reason: Annotated[str, Field(max_length=500), AfterValidator(storable)] = ""


class SignerIn(_Shape):
    """One signer, by account."""

    account: UUID


class UrgeIn(_Shape):
    """Why somebody is urged; may be left out."""

    reason: Annotated[str, Field(max_length=500), AfterValidator(storable)] = ""


class CommentIn(_Shape):
    """A comment."""

    text: Annotated[str, Field(min_length=1, max_length=2000), AfterValidator(storable)]


class ReturnIn(_Shape):
    """Where the task goes back to (one of the task's `returns`), and why."""

    target: Word
    reason: Annotated[str, Field(min_length=1, max_length=500), AfterValidator(storable)]


class SuspendIn(ReasonIn):
    """Why a case stands still, and the citation by which its deadlines do too."""

    citation: Annotated[str, Field(max_length=500), AfterValidator(storable)] = ""


_Path = Annotated[str, Field(max_length=500), AfterValidator(storable)]


class MigrateIn(_Shape):
    """How a case moves to the release in force: from paths of elements to paths, and inputs it lacks there."""

    dry_run: bool = False
    mapping: Annotated[dict[_Path, _Path], Field(max_length=500)] = Field(default_factory=dict)
    variables: Answers = Field(default_factory=dict)


class MessageIn(_Shape):
    """A message to whoever waits for this name and key; the sender's `id` makes it count once.

    Where nobody waits it is kept until `expires_at` (else as long as the diagram says).
    """

    name: Word
    key: Word
    id: Word
    payload: Payload = None
    expires_at: Moment | None = None


class UntilIn(_Shape):
    """Until when; none: as long again as it was to be at first."""

    until: Moment | None = None


class MembershipIn(_Shape):
    """One post: a role within a scope, held in a unit."""

    role: Word
    scope: Annotated[str, Field(pattern=r"^[a-z0-9_]+(/[a-z0-9_]+)*$", max_length=200)]
    unit: Word
    post: Word


class AccountIn(_Shape):
    """A new account."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9._\-]{2,60}$")]
    display_name: Word
    password: Annotated[str, Field(min_length=10, max_length=1000), AfterValidator(storable)]
    memberships: Annotated[list[MembershipIn], Field(max_length=200)] = Field(default_factory=list)


class ClockIn(_Shape):
    """How far a simulation's clock moves on, as an ISO 8601 duration (`P1DT2H`), at most 400 days."""

    by: Annotated[timedelta, Field(gt=timedelta(0), le=timedelta(days=400))]


def plain(value: Any) -> Any:
    """Frozen nouns as JSON types: moments as UTC ISO text, ids as text, unknown objects by their public fields."""
    if value is None or isinstance(value, str | bool | int | float):
        return value.value if isinstance(value, Enum) else value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(v) for v in value]
    if dataclasses.is_dataclass(value):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, UUID | date):
        return str(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, timedelta):
        return value.total_seconds()
    raise TypeError(f"no JSON for {type(value).__name__}")


class Answer(Response):
    """JSON written by the standard library: compact, Chinese as it is."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """UTF-8 bytes of `plain(content)`."""
        return json.dumps(plain(content), ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


# A paper is a designer's page with styles of its own, a file is a stranger's: neither may run or load anything here.
_INERT = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; sandbox"


def paper(html: str | None) -> Response:
    """An issued paper as printable HTML.

    Raises:
        NotFound: it is still being rendered (fact reason = not_ready).
    """
    if html is None:
        raise NotFound("The paper is still being made", reason="not_ready")
    return HTMLResponse(html, headers={"Content-Security-Policy": _INERT})


def download(file: Attachment) -> Response:
    """An uploaded file, as a download only: it is never shown as a page of this host."""
    named = f"attachment; filename*=UTF-8''{quote(file.name, safe='')}"
    headers = {"Content-Disposition": named, "Content-Security-Policy": _INERT}
    return Response(file.content, media_type="application/octet-stream", headers=headers)


def person(actor: Actor) -> dict[str, Any]:
    """Who somebody is, as the sessions route tells it."""
    return {"name": actor.name, "display_name": actor.display_name, "memberships": plain(actor.memberships)}
