"""Every table, constraint and index. What is personal is stored sealed: columns named ``sealed…``."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    Text,
    Uuid,
)

from engine.store.columns import DueMoment, Moment

metadata = sa.MetaData(
    naming_convention={
        "pk": "%(table_name)s_pk",
        "fk": "%(table_name)s_%(column_0_name)s_fk",
        "uq": "%(table_name)s_%(column_0_N_name)s_uq",
        "ix": "%(table_name)s_%(column_0_N_name)s_ix",
    }
)


def _case(*, primary_key: bool = False, nullable: bool = False) -> Column[Any]:
    return Column("case_id", Uuid, ForeignKey("process_instance.id"), primary_key=primary_key, nullable=nullable)


def _partial(name: str, *columns: str, where: str, **more: Any) -> Index:
    return Index(name, *columns, postgresql_where=sa.text(where), sqlite_where=sa.text(where), **more)


clock = Table(
    "clock",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("offset_microseconds", BigInteger, nullable=False),
    Column("floor", Moment, nullable=False),
)

data_key = Table(
    "data_key",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("wrapped", LargeBinary),
    Column("erased_at", Moment),
)

artefact = Table(
    "artefact",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("created_at", Moment, nullable=False),
)

publication = Table(
    "publication",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("manifest", Text, nullable=False),
    Column("changed", Text, nullable=False),
    Column("published_by", Uuid),
    Column("published_at", Moment, nullable=False),
)

version = Table(
    "version",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("digest", String(64), ForeignKey("artefact.digest"), nullable=False),
    Column("publication", Integer, ForeignKey("publication.number"), nullable=False),
    Column("published_at", Moment, nullable=False),
)

release = Table(
    "release",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("root", Text, nullable=False),
    Column("manifest", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
)

process_instance = Table(
    "process_instance",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("business_key", Text, nullable=False, unique=True),
    Column("process_key", Text, nullable=False),
    Column("release", String(64), nullable=False),
    Column("scope", Text, nullable=False),
    Column("status", Text, nullable=False),
    *(Column(name, Text) for name in ("outcome", "milestone")),
    Column("sealed_title", LargeBinary),
    Column("sealed_state", LargeBinary),
    Column("revision", Integer, nullable=False),
    Column("events", Integer, nullable=False),
    Column("head", LargeBinary, nullable=False),
    Column("last_at", Moment),
    Column("started_by", Uuid),
    Column("started_at", Moment, nullable=False),
    Column("ended_at", Moment),
    Column("wake_at", Moment),
    Column("due_at", DueMoment, nullable=False),
    _partial("process_instance_wake_at_ix", "wake_at", where="wake_at IS NOT NULL"),
    Index("process_instance_started_by_ix", "started_by", "id"),
)

task = Table(
    "task",
    metadata,
    Column("id", Uuid, primary_key=True),
    _case(),
    Column("token", Integer, nullable=False),
    Column("instance", Integer),
    Column("element", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("role_name", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("process_key", Text, nullable=False),
    Column("form_digest", String(64)),
    Column("status", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("claimed_by", Uuid),
    Column("claimed_name", Text),
    Column("claimed_at", Moment),
    Column("closed_at", Moment),
    Column("closed_by", Uuid),
    Column("closed_name", Text),
    Column("due_at", DueMoment, nullable=False),
    Column("owner", Uuid),
    Column("owner_name", Text),
    Column("delegation", Text),
    Column("urged_at", Moment),
    Column("signing", Text),
    Column("signs", Integer),
    Column("assignee", Uuid),
    Index("task_case_id_ix", "case_id"),
    _partial("task_place_ix", "role", "scope", "due_at", "id", where="status = 'open'"),
    _partial("task_role_ix", "role", "due_at", "id", where="status = 'open'"),
    _partial("task_claimed_by_ix", "claimed_by", "due_at", "id", where="status = 'open' AND claimed_by IS NOT NULL"),
    _partial("task_assignee_ix", "assignee", "due_at", "id", where="status = 'open' AND assignee IS NOT NULL"),
    _partial("task_owner_ix", "owner", "due_at", "id", where="status = 'open' AND owner IS NOT NULL"),
)

#: Every role and scope that ever had a task: turns "all scopes below mine" into a few exact places for the index.
task_place = Table(
    "task_place",
    metadata,
    Column("role", Text, primary_key=True),
    Column("scope", Text, primary_key=True),
)

deadline = Table(
    "deadline",
    metadata,
    Column("id", Uuid, primary_key=True),
    _case(),
    Column("kind", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("due_at", DueMoment, nullable=False),
    Column("content", Text, nullable=False),
    Index("deadline_case_id_ix", "case_id"),
)

subscription = Table(
    "subscription",
    metadata,
    _case(primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("name", Text),
    Column("key", Text),
    Column("created_at", Moment, nullable=False),
    Column("content", Text, nullable=False),
    _partial("subscription_name_key_ix", "name", "key", "created_at", where="kind = 'message'"),
    _partial("subscription_signal_ix", "name", "created_at", where="kind = 'signal'"),
)

incident = Table(
    "incident",
    metadata,
    Column("id", Uuid, primary_key=True),
    _case(),
    Column("token", Integer),
    Column("element", Text),
    Column("code", Text, nullable=False),
    Column("job_id", Uuid),
    Column("opened_at", Moment, nullable=False),
    Column("closed_at", Moment),
    _partial("incident_open_ix", "case_id", where="closed_at IS NULL"),
)

event = Table(
    "event",
    metadata,
    Column("stream", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("schema", SmallInteger, nullable=False),
    Column("semantics", SmallInteger, nullable=False),
    Column("input", Boolean(create_constraint=False), nullable=False),
    Column("recorded_at", Moment, nullable=False),
    Column("command", Uuid, nullable=False),
    Column("cause", Integer),
    Column("scope", Integer),
    Column("token", Integer),
    Column("occurred_at", Moment),
    Column("kind", Text, nullable=False),
    Column("release", LargeBinary),
    Column("element", Text),
    Column("flow", Text),
    Column("actor_account", Uuid),
    *(Column(f"actor_{name}", Text) for name in ("name", "post", "unit", "behalf")),
    Column("detail", Text),
    Column("commitment", LargeBinary),
    Column("state_digest", LargeBinary),
    Column("key_id", Text, nullable=False),
    Column("previous", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("rows", LargeBinary),
    _partial("event_read_ix", "detail", where="kind = 'case.read'", postgresql_ops={"detail": "text_pattern_ops"}),
)

#: The values of one command's events, sealed together: ``number`` is the first event's, the text maps each to its own.
event_value = Table(
    "event_value",
    metadata,
    Column("stream", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("last", Integer, nullable=False),
    Column("key_id", Uuid, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)

#: The heads of all streams but the cases' (whose head is in their process_instance row).
stream_head = Table(
    "stream_head",
    metadata,
    Column("stream", Text, primary_key=True),
    Column("events", Integer, nullable=False),
    Column("head", LargeBinary, nullable=False),
    Column("last_at", Moment),
)


def _queue(name: str) -> Table:
    return Table(
        name,
        metadata,
        Column("id", Uuid, primary_key=True),
        Column("kind", Text, nullable=False),
        Column("name", Text, nullable=False),
        _case(nullable=True),
        Column("sealed", LargeBinary, nullable=False),
        Column("status", Text, nullable=False),
        Column("created_at", Moment, nullable=False),
        Column("run_at", Moment, nullable=False),
        Column("locked_until", Moment),
        Column("attempts", Integer, nullable=False),
        Column("code", Text),
        Column("done_at", Moment),
        _partial(f"{name}_due_ix", "run_at", where="status = 'waiting'"),
    )


job = _queue("job")
outbox = _queue("outbox")

idempotency = Table(
    "idempotency",
    metadata,
    Column("account", Uuid, primary_key=True),
    Column("route", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("sealed", LargeBinary),
    Column("expires_at", Moment, nullable=False),
    Column("case_id", Uuid),
    Index("idempotency_expires_at_ix", "expires_at"),
)

serial = Table(
    "serial",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("unit", Text, primary_key=True),
    Column("year", Integer, primary_key=True, autoincrement=False),
    Column("last", Integer, nullable=False),
)

document = Table(
    "document",
    metadata,
    Column("id", Uuid, primary_key=True),
    _case(),
    Column("kind", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("number", Text, unique=True),
    Column("template_digest", String(64), nullable=False),
    Column("sealed_values", LargeBinary, nullable=False),
    Column("sealed_content", LargeBinary),
    Column("digest", String(64)),
    Column("issued_at", Moment, nullable=False),
    Index("document_case_id_ix", "case_id"),
)

attachment = Table(
    "attachment",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("account_id", Uuid, ForeignKey("account.id"), nullable=False),
    Column("sealed_name", LargeBinary, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("size", Integer, nullable=False),
    Column("wrapped", LargeBinary),
    Column("created_at", Moment, nullable=False),
    sa.UniqueConstraint("digest", "account_id"),
)

attachment_chunk = Table(
    "attachment_chunk",
    metadata,
    Column("attachment_id", Uuid, ForeignKey("attachment.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("sealed", LargeBinary, nullable=False),
)

case_attachment = Table(
    "case_attachment",
    metadata,
    _case(primary_key=True),
    Column("attachment_id", Uuid, ForeignKey("attachment.id"), primary_key=True),
)

draft = Table(
    "draft",
    metadata,
    Column("task_id", Uuid, ForeignKey("task.id"), primary_key=True),
    Column("account_id", Uuid, ForeignKey("account.id"), primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("saved_at", Moment, nullable=False),
)

account = Table(
    "account",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("display_name", Text, nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("active", Boolean(create_constraint=False), nullable=False),
    Column("failures", Integer, nullable=False),
    Column("locked_until", Moment),
    Column("created_at", Moment, nullable=False),
)

membership = Table(
    "membership",
    metadata,
    Column("account_id", Uuid, ForeignKey("account.id"), primary_key=True),
    Column("role", Text, primary_key=True),
    Column("scope", Text, primary_key=True),
    Column("unit", Text, nullable=False),
    Column("post", Text, nullable=False),
)

session = Table(
    "session",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True),
    Column("account_id", Uuid, ForeignKey("account.id"), nullable=False),
    Column("csrf", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Index("session_account_id_ix", "account_id"),
)
