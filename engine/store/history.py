"""How events become evidence: numbering, canonical bytes, the chain of hashes, commitments and sealed values."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from engine.model import JSON, Event
from engine.store.columns import iso
from engine.store.rows import Place, encode
from engine.store.vault import SALT_BYTES, Keys, commit, link, plain_text, seal_json, unseal_json

SCHEMA = 2
#: What the first event of a stream has for a previous hash.
GENESIS = bytes(32)
_STREAMS = UUID("6f2c1f0e-6d0b-5e0c-9a53-53616e776569")


def case_stream(case_id: UUID) -> str:
    """The name of a case's stream."""
    return f"case:{case_id}"


def owner_of(stream: str) -> UUID:
    """Whose data key seals a stream's values: the case's or account's own id, else one made from the name."""
    kind, _, name = stream.partition(":")
    return UUID(name) if kind in ("case", "account") and len(name) == 36 else uuid5(_STREAMS, stream)


@dataclass(frozen=True, kw_only=True, slots=True)
class Head:
    """Where a stream stands: how many events, and the last one's hash."""

    stream: str
    events: int
    hash: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """What all events of one command share. ``release`` (hex) stands in the inputs only, ``rows`` in the last event."""

    id: UUID
    recorded_at: datetime
    semantics: int = 1
    release: str | None = None
    rows: Mapping[Place, bytes] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """Rows for ``event``, the row for ``event_value`` (None: no values) and the stream's new head."""

    rows: list[dict[str, Any]]
    values: dict[str, Any] | None
    head: Head


def with_papers(events: Sequence[Event], issued: Sequence[Event]) -> list[Event]:
    """All events of a command: the papers' come last, and with them goes the digest of the state."""
    if not issued or not events or not events[-1].state_digest:
        return [*events, *issued]
    last = replace(events[-1], state_digest=None)
    return [*events[:-1], last, *issued[:-1], replace(issued[-1], state_digest=events[-1].state_digest)]


def write(keys: Keys, key: bytes, head: Head, events: Sequence[Event], command: Command) -> Written:
    """Number, chain and seal the events of one command after ``head``. ``key`` is the owner's data key."""
    rows, kept, number = [], {}, head.events
    for event in events:
        number += 1
        commitment = None
        if event.values:
            salt = os.urandom(SALT_BYTES)
            commitment = commit(salt, event.values)
            kept[str(number)] = [salt.hex(), event.values]
        row = _row(event, command, commitment)
        row |= {"stream": head.stream, "number": number, "key_id": keys.chain_id, "previous": head.hash}
        row["rows"] = encode(command.rows) if command.rows and event is events[-1] else None
        row["hash"] = link(keys.chain, head.hash, canonical(row))
        head = replace(head, events=number, hash=row["hash"])
        rows.append(row)
    values = None
    if kept:
        first = rows[0]["number"]
        owner = owner_of(head.stream)
        sealed = seal_json(key, f"values:{head.stream}:{first}", kept)
        values = {"stream": head.stream, "number": first, "last": number, "key_id": owner, "sealed": sealed}
    return Written(rows=rows, values=values, head=head)


def _row(event: Event, command: Command, commitment: bytes | None) -> dict[str, Any]:
    actor = event.actor
    return {
        "schema": SCHEMA,
        "semantics": command.semantics,
        "input": event.input,
        "recorded_at": command.recorded_at,
        "command": command.id,
        "cause": event.cause,
        "scope": event.scope,
        "token": event.token,
        # The same moment twice says nothing more: absent means "when it was recorded".
        "occurred_at": event.occurred_at if event.occurred_at != command.recorded_at else None,
        "kind": event.kind,
        "release": bytes.fromhex(command.release) if command.release and event.input else None,
        "element": event.element,
        "flow": event.flow,
        "actor_account": actor.account if actor else None,
        "actor_name": actor.name if actor else None,
        "actor_post": actor.post if actor else None,
        "actor_unit": actor.unit if actor else None,
        "actor_behalf": actor.behalf if actor else None,
        "detail": plain_text(event.detail) if event.detail else None,
        "commitment": commitment,
        "state_digest": bytes.fromhex(event.state_digest) if event.state_digest else None,
    }


def _hex(value: bytes | None) -> str | None:
    return None if value is None else bytes(value).hex()


def canonical(row: Mapping[str, Any]) -> bytes:
    """The bytes an event's hash covers: every column but the two hashes, as a JSON list in this order.

    Schema 1 ends with the key's id; schema 2 has the rows' digests after it.
    """
    account, occurred = row["actor_account"], row["occurred_at"]
    parts = [
        row["schema"],
        row["stream"],
        row["number"],
        row["semantics"],
        bool(row["input"]),
        iso(row["recorded_at"]),
        row["command"].hex,
        row["cause"],
        row["scope"],
        row["token"],
        None if occurred is None else iso(occurred),
        row["kind"],
        _hex(row["release"]),
        row["element"],
        row["flow"],
        None if account is None else account.hex,
        row["actor_name"],
        row["actor_post"],
        row["actor_unit"],
        row["actor_behalf"],
        row["detail"],
        _hex(row["commitment"]),
        _hex(row["state_digest"]),
        row["key_id"],
        *([] if row["schema"] == 1 else [_hex(row["rows"])]),
    ]
    return json.dumps(parts, ensure_ascii=False, separators=(",", ":")).encode()


def as_json(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as PostgreSQL's ``json_populate_recordset`` reads them."""
    return json.dumps([{k: v for k, v in row.items() if v is not None} for row in rows], default=_column_text)


def _column_text(value: Any) -> str:
    return "\\x" + value.hex() if isinstance(value, bytes) else str(value)


def unseal_values(key: bytes, stream: str, first: int, sealed: bytes) -> dict[int, tuple[bytes, JSON]]:
    """Event number → (salt, values) of one command."""
    kept = unseal_json(key, f"values:{stream}:{first}", sealed)
    return {int(number): (bytes.fromhex(salt), values) for number, (salt, values) in kept.items()}
