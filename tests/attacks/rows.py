"""One column of one row changed, a row taken away, a row put in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from engine.store import new_id, rows
from engine.store import tables as t
from engine.store.checkpoint_tables import checkpoint, checkpoint_leaf
from tests.attacks.kit import Attack, Do, case, other
from tests.victim import Victim

# -- one column of one row
Row = Callable[[sa.Connection, Victim], Any]


def first(table: sa.Table, *where: Callable[[Victim], sa.ColumnElement[bool]]) -> Row:
    """The first row, by its primary key, of those meant."""

    def find(connection: sa.Connection, victim: Victim) -> Any:
        found = sa.select(table).where(*(each(victim) for each in where)).order_by(*table.primary_key)
        return connection.execute(found.limit(1)).one()

    return find


def of(name: str) -> Callable[[sa.Table], Callable[[Victim], sa.ColumnElement[bool]]]:
    return lambda table: lambda victim: table.c.case_id == getattr(victim, name)


def this(table: sa.Table, row: Any) -> sa.ColumnElement[bool]:
    return sa.and_(*(column == getattr(row, column.key) for column in table.primary_key))


def by_id(table: sa.Table) -> Callable[[Any], str]:
    return lambda row: f"{table.name} {row.id}"


Named = Callable[[Any], str]


@dataclass(frozen=True, slots=True)
class Target:
    """A row whose columns are changed one by one, and how a fault names it (some columns are named otherwise)."""

    table: sa.Table
    row: Row
    named: Named
    columns: tuple[str, ...]
    otherwise: dict[str, Named]


def target(table: sa.Table, row: Row, named: Named, *without: str, **otherwise: Named) -> Target:
    columns = tuple(column.key for column in table.c if column.key not in without)
    return Target(table, row, named, columns, otherwise)


def _stream(row: Any) -> str:
    return case(row.id)


def _version(row: Any) -> str:
    return f"version {rows.version_id(row.kind, row.name, row.version)}"


def _post(row: Any) -> str:
    return f"membership {row.account_id}"


_event = first(t.event, lambda v: (t.event.c.stream == case(v.running)) & (t.event.c.actor_account.is_not(None)))
_last = first(t.event, lambda v: (t.event.c.stream == case(v.granted)) & t.event.c.state_digest.is_not(None))
_definitions = first(t.stream_head, lambda v: t.stream_head.c.stream == "definition:")
_pdf = first(t.attachment)
_art = first(t.artefact, lambda v: t.artefact.c.kind == "form")

TARGETS: dict[str, Target] = {
    "an input": target(t.event, _event, lambda r: f"{r.stream} {r.number}", "state_digest", "rows", "flow", "release"),
    "a last event": Target(
        t.event,
        _last,
        lambda r: f"{r.stream} {r.number}",
        ("state_digest", "rows", "flow", "cause", "commitment", "detail", "previous", "hash"),
        {},
    ),
    "a case": target(
        t.process_instance,
        first(t.process_instance, lambda v: t.process_instance.c.id == v.running),
        by_id(t.process_instance),
        "revision",
        wake_at=lambda r: f"process_instance.wake_at {r.id}",
        sealed_title=lambda r: f"process_instance.sealed_title {r.id}",
        sealed_state=_stream,
        events=_stream,
        head=_stream,
        last_at=_stream,
    ),
    "an ended case": Target(
        t.process_instance,
        first(t.process_instance, lambda v: t.process_instance.c.id == v.granted),
        by_id(t.process_instance),
        ("status", "outcome", "milestone", "ended_at", "release"),
        {"sealed_state": _stream},
    ),
    "an open task": target(
        t.task, first(t.task, of("running")(t.task), lambda v: t.task.c.status == "open"), by_id(t.task)
    ),
    "a completed task": Target(
        t.task,
        first(t.task, of("granted")(t.task)),
        by_id(t.task),
        ("status", "closed_at", "closed_by", "closed_name", "claimed_by", "element", "case_id"),
        {},
    ),
    "a deadline": target(t.deadline, first(t.deadline, of("running")(t.deadline)), by_id(t.deadline)),
    "a wait": target(
        t.subscription, first(t.subscription, of("running")(t.subscription)), lambda r: f"subscription {r.number}"
    ),
    "an incident": target(t.incident, first(t.incident, of("stuck")(t.incident)), by_id(t.incident)),
    "a paper": target(t.document, first(t.document, of("granted")(t.document)), by_id(t.document)),
    "a file": target(t.attachment, _pdf, by_id(t.attachment), "created_at", id=lambda r: "attachment"),
    "a piece of a file": target(
        t.attachment_chunk, first(t.attachment_chunk), lambda r: f"attachment {r.attachment_id}"
    ),
    "a file's case": target(
        t.case_attachment, first(t.case_attachment), lambda r: f"case_attachment {r.attachment_id}"
    ),
    "an account": target(
        t.account,
        first(t.account, lambda v: t.account.c.id == v.clerk),
        by_id(t.account),
        "failures",
        "locked_until",
    ),
    "a post": target(t.membership, first(t.membership, lambda v: t.membership.c.account_id == v.clerk), _post),
    "a publication": target(t.publication, first(t.publication), lambda r: f"publication {r.number}"),
    "a version": target(t.version, first(t.version), _version),
    "an artefact": target(t.artefact, _art, lambda r: f"{r.digest}", "kind", "name", "created_at"),
    "a release": target(t.release, first(t.release), lambda r: f"release {r.digest}", "created_at"),
    "a head": target(t.stream_head, _definitions, lambda r: r.stream),
    "a key": target(t.data_key, first(t.data_key, lambda v: t.data_key.c.id == v.running), lambda r: case(r.id)),
    "sealed values": target(
        t.event_value,
        first(t.event_value, lambda v: t.event_value.c.stream == case(v.running)),
        lambda r: r.stream,
    ),
    "an outgoing message": Target(
        t.outbox, first(t.outbox, of("granted")(t.outbox)), by_id(t.outbox), ("id", "kind", "name", "case_id"), {}
    ),
    "a job": Target(t.job, first(t.job, of("granted")(t.job)), by_id(t.job), ("id", "kind", "name", "case_id"), {}),
    "a checkpoint": Target(
        checkpoint, first(checkpoint), lambda r: "checkpoint", ("number", "record", "signature", "made_at"), {}
    ),
    "a leaf": target(checkpoint_leaf, first(checkpoint_leaf), lambda r: "checkpoint"),
    "the clock": Target(t.clock, first(t.clock), lambda r: "clock 1", ("offset_microseconds",), {}),
}
ON_POSTGRESQL = {
    "an input: kind",
    "a case: status",
    "an open task: claimed_by",
    "a paper: sealed_content",
    "an account: password_hash",
    "an artefact: content",
    "sealed values: sealed",
    "a checkpoint: record",
    "a file: digest",
}
#: Rows whose like is changed column by column anyway.
OF_A_KIND = {"a last event", "an ended case", "a completed task", "an outgoing message", "a job", "a version"}


def _changes() -> Iterator[Attack]:
    for name, one in TARGETS.items():
        for column in one.columns:
            full = f"{name}: {column}"
            yield Attack(full, _change(one, column), full in ON_POSTGRESQL, name in OF_A_KIND)


def _change(one: Target, name: str) -> Do:
    def do(connection: sa.Connection, victim: Victim) -> str:
        row = one.row(connection, victim)
        column = one.table.c[name]
        value = other(column, getattr(row, name))
        connection.execute(one.table.update().where(this(one.table, row)).values({name: value}))
        return one.otherwise.get(name, one.named)(row)

    return do


# -- a row taken away, a row put in
def _gone(one: Target) -> Do:
    def do(connection: sa.Connection, victim: Victim) -> str:
        row = one.row(connection, victim)
        connection.execute(one.table.delete().where(this(one.table, row)))
        return one.named(row)

    return do


def _another(table: sa.Table, source: Row, named: Callable[[Any, Victim], str], **changed: Callable[[], Any]) -> Do:
    def do(connection: sa.Connection, victim: Victim) -> str:
        row = source(connection, victim)._asdict() | {name: make() for name, make in changed.items()}
        connection.execute(table.insert(), row)
        return named(row, victim)

    return do


def _by_new_id(table: sa.Table) -> Callable[[Any, Victim], str]:
    return lambda row, victim: f"{table.name} {row['id']}"


def _gone_and_new() -> Iterator[Attack]:
    for name, one in TARGETS.items():
        if name not in ("the clock", "a last event", "an ended case"):
            yield Attack(f"{name} gone", _gone(one), name in ("an input", "an open task", "a paper"))
    for name in ("an open task", "a deadline", "an incident", "a paper", "an outgoing message", "a job"):
        one = TARGETS[name]
        fresh = {"id": new_id} | ({"number": lambda: None} if one.table is t.document else {})
        yield Attack(f"{name} more", _another(one.table, one.row, _by_new_id(one.table), **fresh), name == "a paper")
    wait, post, account = TARGETS["a wait"], TARGETS["a post"], TARGETS["an account"]
    yield Attack("a wait more", _another(wait.table, wait.row, lambda r, v: "subscription 99", number=lambda: 99))
    yield Attack(
        "a post more",
        _another(post.table, post.row, lambda r, v: f"membership {v.clerk}", role=lambda: "decision_maker"),
        True,
    )
    yield Attack(
        "an account more",
        _another(account.table, account.row, _by_new_id(account.table), id=uuid4, name=lambda: "somebody"),
        True,
    )
    number = {"number": lambda: 99}
    publication, version = TARGETS["a publication"], TARGETS["a version"]
    yield Attack(
        "a publication more", _another(publication.table, publication.row, lambda r, v: "publication 99", **number)
    )
    yield Attack(
        "a version more",
        _another(version.table, version.row, lambda r, v: "a row that no event tells of", version=lambda: 99),
    )
    one = TARGETS["a case"]
    fresh = {"id": new_id, "business_key": lambda: "another"}
    yield Attack("a case more", _another(one.table, one.row, lambda r, v: case(r["id"]), **fresh))
    one = TARGETS["sealed values"]
    yield Attack("values more", _another(one.table, one.row, lambda r, v: f"{r['stream']} 999", number=lambda: 999))
    one = TARGETS["a checkpoint"]
    yield Attack("a checkpoint more", _another(one.table, one.row, lambda r, v: "checkpoint 99", **number))
